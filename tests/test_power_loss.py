"""Acceptance: the power fails at 15,000 places; no acknowledged event is lost, cursor and state are never apart.

The long form is ``python benchmarks/power_loss.py --images 200000``.
"""

from __future__ import annotations

import random

import pytest
from crash_images import SimulatedDisk, SimulatedFile
from planted_storage import CursorOutside, EarlyAcknowledgement, SynchronousNormal
from power_loss import many_seeds, one_seed
from recording_disk import Delete, Sync, Truncate, Write

from core.storage.sqlite import SqliteEngine

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

IMAGES = 15_000


@pytest.mark.timeout(400)
def test_nothing_acknowledged_is_lost_wherever_the_power_fails() -> None:
    verdict = many_seeds(SqliteEngine, IMAGES)
    print(f"{verdict}; {verdict.seconds:.0f} s of all processes")
    assert verdict.images >= IMAGES
    assert verdict.distinct > IMAGES / 2
    assert not verdict.bad, verdict.first


@pytest.mark.parametrize(
    ("planted", "kind"), [(EarlyAcknowledgement, "lost"), (SynchronousNormal, "lost"), (CursorOutside, "apart")]
)
def test_a_planted_bug_is_found_by_cutting_the_power(planted: type[SqliteEngine], kind: str) -> None:
    verdict = one_seed(planted, 1, 200, stop_at_first=True)
    print(f"{planted.__doc__} Found after {verdict.first_after:.2f} s: {verdict.first}")
    assert verdict.bad == getattr(verdict, kind) == 1


def test_what_was_synced_survives_and_nothing_else_has_to() -> None:
    disk, chance = SimulatedDisk(), random.Random(1)
    disk.take(Write("f", 0, b"a" * 2048))
    disk.take(Sync("f"))
    disk.take(Write("f", 1024, b"b" * 1024))
    disk.take(Write("f", 2048, b"c" * 1024))
    assert disk.uncertain
    found = {disk.power_cut(chance)["f"] for _ in range(400)}
    assert all(content.startswith(b"a" * 1024) and set(content) <= set(b"abc\0") for content in found)
    assert b"a" * 2048 in found
    assert b"a" * 1024 + b"b" * 1024 + b"c" * 1024 in found
    torn = [content for content in found if content[1024:2048] not in (b"a" * 1024, b"b" * 1024)]
    assert any(content[1024:2048].count(b"b") % 512 for content in torn)  # Within a sector.
    assert any(content[1024:1536] == b"a" * 512 and content[1536:2048] == b"b" * 512 for content in torn)


def test_a_name_is_certain_after_the_first_sync_and_a_deletion_at_once() -> None:
    disk, chance = SimulatedDisk(), random.Random(1)
    disk.take(Write("f", 0, b"a"))
    assert {"f" in disk.power_cut(chance) for _ in range(50)} == {True, False}
    disk.take(Sync("f"))
    assert all(disk.power_cut(chance) == {"f": b"a"} for _ in range(50))
    disk.take(Delete("f"))
    assert disk.power_cut(chance) == {}


def test_a_truncation_that_was_not_synced_may_have_happened() -> None:
    file, chance = SimulatedFile(), random.Random(1)
    file.write(Write("f", 0, b"abcd"))
    file.sync()
    file.write(Truncate("f", 1))
    assert {file.after_power_cut(chance, "writes") for _ in range(50)} == {b"abcd", b"a"}

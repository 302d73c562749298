"""The journal, the bus and the mirror as state machines, with crashes between any two steps; bugs planted are found."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machines import RUNS, BusMachine, JournalMachine, Machine, MirrorMachine
from planted_doubles import CreationForgotten, DeduplicationRemoved
from planted_storage import EarlyAcknowledgement

from core.storage.sqlite import SqliteEngine

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

TestJournal = JournalMachine.TestCase
TestBus = BusMachine.TestCase
TestMirror = MirrorMachine.TestCase
TestJournal.settings = TestBus.settings = TestMirror.settings = RUNS

PLANTED = (
    (EarlyAcknowledgement, JournalMachine),
    (DeduplicationRemoved, JournalMachine),
    (CreationForgotten, MirrorMachine),
)


@pytest.mark.parametrize(("bug", "machine"), PLANTED)
def test_a_machine_finds_a_planted_bug(bug: type[SqliteEngine], machine: type[Machine]) -> None:
    broken = type(f"Broken{machine.__name__}", (machine,), {"engine_type": bug})
    quick = settings(
        RUNS,
        max_examples=400,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(broken, settings=quick)  # type: ignore[no-untyped-call]

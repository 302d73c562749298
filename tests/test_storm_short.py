"""The short form of ``benchmarks/storm.py``: half a minute of the world in a storm; and how recoveries are reckoned."""

from __future__ import annotations

from pathlib import Path

import pytest
from storming import Storm, recoveries, storm

MESSAGES = 160


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory) -> Storm:
    directory: Path = tmp_path_factory.mktemp("storm")
    return storm(directory, seconds=32, rate=5, speed=4, seed=3, patience=90)


def test_in_a_storm_nothing_is_lost_and_the_four_tables_equal_the_accounts(stormy: Storm) -> None:
    verdict = stormy.verdict
    assert verdict.wrong == []
    assert verdict.acknowledged == verdict.events > MESSAGES
    assert verdict.sizes["archive"] == MESSAGES
    assert verdict.pushes["given_up"] == 0


def test_the_storm_was_one_and_every_fault_is_followed_by_a_recovery(stormy: Storm) -> None:
    assert stormy.struck["duplicate"] > 10
    assert stormy.struck["reorder"] > 5
    assert stormy.struck["drop"] > 2
    assert stormy.failed > 5
    assert set(stormy.recoveries) == {"push", "line", "call"}


def strike(at: int, kind: str, to: str = "im.v1.pin.list") -> dict[str, object]:
    return {"at": at, "kind": kind, "to": to}


@pytest.mark.parametrize(
    ("struck", "found"),
    [
        (strike(1000, "drop"), {"line": [2.0]}),
        (strike(3000, "duplicate"), {"push": [4.0]}),
        (strike(9000, "drop"), {}),
        (strike(1000, "failed"), {"call": [1.5]}),
        (strike(2400, "answer-lost"), {"call": [2.1]}),
        (strike(2500, "answer-cut"), {"call": [2.0]}),
        (strike(1000, "failed", "im.v1.chat.list"), {}),
        (strike(1000, "slow"), {}),
    ],
)
def test_a_recovery_ends_with_the_next_event_or_the_next_call_that_goes_well(
    struck: dict[str, object], found: dict[str, list[float]]
) -> None:
    calls = [(1001, "im.v1.pin.list", 500), (2500, "im.v1.pin.list", 0), (4500, "im.v1.pin.list", 0)]
    assert recoveries([struck], [500, 3000, 7000], calls) == found

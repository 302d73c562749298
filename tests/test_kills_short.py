"""The short form of ``benchmarks/kills.py``: 25 kills among a few hundred events, all bundled plugins on."""

from __future__ import annotations

import random
from typing import Any

import pytest
from killing import Verdict, crowd_of_a_day, judged, killed, settled
from reckoning import KEYS, SETTINGS, Reckoning

Found = tuple[Verdict, Reckoning, dict[str, list[dict[str, Any]]]]

KILLS = 25
MESSAGES = 700


@pytest.fixture(scope="module")
def killed_often(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What there is after the kills and an undisturbed end, what there should be, and the records of each table."""
    directory = tmp_path_factory.mktemp("kills")
    crowd = crowd_of_a_day(MESSAGES, seed=5)
    with killed(directory, crowd, kills=KILLS, pace=0.5, longest=1.5, retry_factor=0.001) as stage:
        settled(directory, stage, seconds=60)
        records = {table: stage.records(setting) for table, setting in SETTINGS.items()}
        return judged(directory, stage, crowd), Reckoning(crowd.scenario(directory)), records


def test_nothing_acknowledged_is_missing_and_nothing_is_there_twice(killed_often: Found) -> None:
    verdict = killed_often[0]
    assert (verdict.missing, verdict.twice, verdict.pushes["given_up"]) == ((), (), 0)
    assert verdict.acknowledged == verdict.events > MESSAGES
    assert verdict.pushes["duplicated"] > 50
    assert verdict.pushes["repushed"] > 5


def test_the_four_tables_here_and_in_bitable_equal_the_accounts(killed_often: Found) -> None:
    verdict = killed_often[0]
    assert verdict.wrong == []
    assert verdict.unique == 0
    assert verdict.sizes["archive"] == MESSAGES
    assert min(verdict.sizes.values()) > 0


@pytest.mark.parametrize("table", [*KEYS])
def test_a_row_that_is_gone_or_there_twice_or_has_another_cell_would_be_noticed(
    killed_often: Found, table: str
) -> None:
    _, reckoning, records = killed_often
    rows, chance = records[table], random.Random(table)
    gone, double, other = (chance.randrange(len(rows)) for _ in range(3))
    assert len(reckoning.of_bitable({table: rows[:gone] + rows[gone + 1 :]})[table]) == 1
    assert len(reckoning.of_bitable({table: [*rows, rows[double]]})[table]) == 1
    fields = {**rows[other]["fields"], "列": "值"}
    assert len(reckoning.of_bitable({table: [*rows[:other], {"fields": fields}, *rows[other + 1 :]]})[table]) == 1

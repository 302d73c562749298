"""The day's calls and tokens."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from api_client import DAY, Clock
from llm_stub import DictMemory

from plugins.archive.llm.breaker import FAILURES, LONGEST_PAUSE_MS, PAUSE_MS, Breaker
from plugins.archive.llm.budget import BudgetSpent, DailyBudget

MIDNIGHT = 1_793_462_400_000
"""2026-11-01 00:00 in Shanghai, 2026-10-31 16:00 UTC; ms UTC."""


def budget(memory: DictMemory, clock: Clock, zone: str = "Asia/Shanghai", **given: Any) -> DailyBudget:
    return DailyBudget(memory, **{"tokens": 100, "calls": 3, **given}, zone=ZoneInfo(zone), clock=clock)


def test_tokens_and_calls_run_out() -> None:
    made = budget(DictMemory(), Clock(MIDNIGHT))
    made.spend(60)
    with pytest.raises(BudgetSpent, match=r"llm\.daily_tokens"):
        made.spend(41)
    made.spend(20)
    made.spend(20)
    with pytest.raises(BudgetSpent, match=r"llm\.daily_calls"):
        made.spend(0)
    assert made.spent("2026-11-01") == (3, 100)


def test_a_budget_of_nothing_lets_nothing_through() -> None:
    with pytest.raises(BudgetSpent):
        budget(DictMemory(), Clock(MIDNIGHT), calls=0).spend(0)


def test_the_truth_takes_the_place_of_the_estimate() -> None:
    made = budget(DictMemory(), Clock(MIDNIGHT))
    made.settle(made.spend(60), 10)
    assert made.spent("2026-11-01") == (1, 10)
    made.settle(made.spend(60), 95)
    assert made.spent("2026-11-01") == (2, 105)
    with pytest.raises(BudgetSpent):
        made.spend(0)


def test_a_new_day_begins_at_the_operators_midnight() -> None:
    clock = Clock(MIDNIGHT - 1)
    here, there = budget(DictMemory(), clock, calls=1), budget(DictMemory(), clock, "UTC", calls=1)
    here.spend(1)
    there.spend(1)
    clock.now = MIDNIGHT
    here.spend(1)
    with pytest.raises(BudgetSpent, match="2026-10-31"):
        there.spend(1)


def test_what_was_spent_before_midnight_is_settled_on_its_day() -> None:
    clock = Clock(MIDNIGHT - 1)
    made = budget(DictMemory(), clock)
    expense = made.spend(60)
    clock.now = MIDNIGHT
    made.settle(expense, 5)
    assert (made.spent("2026-10-31"), made.spent("2026-11-01")) == ((1, 5), (0, 0))


def test_it_lasts_over_a_restart() -> None:
    memory, clock = DictMemory(), Clock(MIDNIGHT)
    budget(memory, clock).spend(90)
    with pytest.raises(BudgetSpent):
        budget(memory, clock).spend(20)
    clock.now += DAY
    budget(memory, clock).spend(20)


def test_the_circuit_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(Clock(MIDNIGHT))
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.fail()
        breaker.succeed()
    assert not breaker.open
    for _ in range(FAILURES):
        breaker.fail()
    assert breaker.open


def test_after_the_pause_one_failure_opens_it_for_twice_as_long_up_to_a_limit() -> None:
    clock = Clock(MIDNIGHT)
    breaker = Breaker(clock)
    pauses = []
    breaker.fail(for_certain=True)
    for _ in range(9):
        opened = clock.now
        while breaker.open:
            clock.now += PAUSE_MS
        pauses.append(clock.now - opened)
        breaker.fail()
    assert pauses[:3] == [PAUSE_MS, 2 * PAUSE_MS, 4 * PAUSE_MS]
    assert pauses[-1] == LONGEST_PAUSE_MS


def test_one_success_forgets_all_failures() -> None:
    clock = Clock(MIDNIGHT)
    breaker = Breaker(clock)
    breaker.fail(for_certain=True)
    clock.now += PAUSE_MS
    breaker.succeed()
    breaker.fail()
    assert not breaker.open

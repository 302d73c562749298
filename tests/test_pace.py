"""How often a budget of calls may be spent: within the month, quickly after a quiet time."""

from __future__ import annotations

import math

from hypothesis import example, given
from hypothesis import strategies as st

from core.pace import DEEPEST, LONGEST, SHORTEST, Pace

DAY = 86_400.0
MONTH = 30 * DAY

quotas = st.integers(1_000, 5_000)
costs = st.integers(1, 8)


def spend_the_month(pace: Pace, costs: list[int], *, begin: float, left: int) -> tuple[int, int]:
    """(calls made, flushes) when every table is always flushed as soon as it may be; ``costs`` one a table."""
    due = dict.fromkeys(range(len(costs)), begin)
    used = flushes = 0
    while True:
        table = min(due, key=due.__getitem__)
        now = due[table]
        if now >= MONTH or flushes > 5_000:
            return used, flushes
        pace.earn(now, left - used, MONTH - now)
        used += costs[table]
        flushes += 1
        pace.spend(costs[table])
        wait = pace.wait(max(0, left - used), MONTH - now, max(2.0, costs[table]))
        due[table] = now + wait


@given(quotas, costs, st.floats(0, MONTH - 3600))
@example(1_000, 8, 0.0)
def test_a_busy_month_does_not_use_up_the_quota(quota: int, cost: int, begin: float) -> None:
    pace = Pace(quota)
    used, _ = spend_the_month(pace, [cost], begin=begin, left=quota)
    assert used <= pace.share * quota + 3 * pace.reserve + 2 * cost


@given(quotas, st.lists(costs, min_size=1, max_size=4))
@example(5_000, [2, 2, 2, 2])
def test_several_tables_share_the_budget(quota: int, costs: list[int]) -> None:
    pace = Pace(quota)
    used, _ = spend_the_month(pace, costs, begin=0.0, left=quota)
    assert used <= pace.share * quota + 5 * pace.reserve + 2 * sum(costs)


def test_a_month_that_others_spent_is_not_made_up_for_at_its_end() -> None:
    """The share is of the quota: what was saved in a quiet month is not all spent in its last days."""
    pace = Pace(10_000)
    pace.earn(29 * DAY, 9_000, DAY)
    pace.spend(round(pace.reserve))
    assert pace.wait(9_000, DAY) >= 2 * MONTH / (pace.share * 10_000)
    assert pace.wait(20, DAY) > 10 * pace.wait(9_000, DAY)


@given(quotas, costs)
def test_over_a_day_no_more_is_spent_than_its_share_and_the_reserve(quota: int, cost: int) -> None:
    pace = Pace(quota)
    now, used = 0.0, 0
    while now < DAY and used <= quota:
        pace.earn(now, quota - used, MONTH - now)
        used += cost
        pace.spend(cost)
        now += pace.wait(quota - used, MONTH - now, max(2.0, cost))
    assert used <= pace.share * quota * DAY / (MONTH - DAY) + 2 * pace.reserve + 2 * cost


def test_a_debt_is_not_forgiven() -> None:
    pace = Pace(10_000)
    pace.earn(0.0, 10_000, MONTH)
    pace.spend(150)
    pace.earn(60.0, 10_000, MONTH - 60)
    assert pace.saved < -49


def test_a_full_reserve_is_spent_quickly_and_an_empty_one_slowly() -> None:
    pace = Pace(10_000)
    pace.earn(0.0, 10_000, MONTH)
    waits = []
    for _ in range(60):
        pace.spend(2)
        waits.append(pace.wait(10_000, MONTH))
    assert waits[0] == SHORTEST
    assert waits == sorted(waits)
    assert waits[50] >= 2 * MONTH / (pace.share * 10_000)


def test_quiet_time_fills_the_reserve_and_no_more() -> None:
    pace = Pace(10_000)
    pace.earn(0.0, 10_000, MONTH)
    pace.spend(100)
    slow = pace.wait(10_000, MONTH)
    pace.earn(DAY / 4, 10_000, MONTH)
    assert SHORTEST <= pace.wait(10_000, MONTH) < slow
    pace.earn(20 * DAY, 10_000, MONTH)
    assert pace.saved == pace.reserve
    assert pace.wait(10_000, MONTH) == SHORTEST


def test_a_used_up_quota_is_looked_at_rarely() -> None:
    assert Pace(10_000).wait(0, MONTH) == LONGEST


def test_the_new_month_is_not_waited_past() -> None:
    pace = Pace(100)
    pace.earn(0.0, 1, 600.0)
    pace.spend(20)
    assert pace.wait(1, 600.0) == 600.0


numbers = st.floats(0, 1e12)


@given(
    st.integers(1, 10**9),
    st.lists(st.tuples(numbers, st.integers(0, 10**9), st.floats(0, MONTH), st.integers(0, 10**6)), max_size=20),
)
def test_waits_are_always_sensible(quota: int, steps: list[tuple[float, int, float, int]]) -> None:
    pace = Pace(quota)
    for now, left, seconds_left, calls in steps:  # Also with a clock that goes back.
        pace.earn(now, left, seconds_left)
        pace.spend(calls)
        wait = pace.wait(left, seconds_left, max(2.0, calls))
        assert math.isfinite(wait)
        assert SHORTEST <= wait <= max(SHORTEST, LONGEST, seconds_left)
        assert -DEEPEST * pace.reserve <= pace.saved <= pace.reserve

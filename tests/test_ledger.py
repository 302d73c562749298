"""What the month's calls have cost and will have cost."""

from __future__ import annotations

from datetime import datetime

import pytest
from api_client import DAY, SHANGHAI, Calls, Clock

from core.feishu.ledger import Ledger

FIRST = int(datetime(2026, 11, 1, tzinfo=SHANGHAI).timestamp() * 1000)


def at_work(calls: Calls, clock: Clock, by_day: list[int]) -> Ledger:
    """A ledger after whole days with so many calls each, spread evenly."""
    ledger = Ledger(calls, 10_000, SHANGHAI, clock)
    for count in by_day:
        began = clock.now
        for number in range(count):
            clock.now = began + DAY * number // count
            ledger.spend("search")
        clock.now = began + DAY
    return ledger


@pytest.mark.parametrize(
    ("by_day", "month"),
    [
        ([100] * 10, 3000),
        ([100] * 3, 3000),
        ([200, 200, 200, 200, 200, 50, 50] * 2, 14 * 1100 / 7 + 16 * 1100 / 7),
        ([0] * 9 + [300], 300 + 20 * 300),
    ],
    ids=["even", "a new program", "quiet weekends", "begun on the tenth"],
)
def test_the_month_goes_on_like_the_last_seven_days(by_day: list[int], month: float) -> None:
    ledger = at_work(Calls(), Clock(FIRST), by_day)
    assert ledger.forecast() == pytest.approx(month, rel=0.1)


def test_a_forecast_is_the_same_after_a_restart() -> None:
    calls, clock = Calls(), Clock(FIRST)
    ledger = at_work(calls, clock, [100, 50, 150, 80])
    assert Ledger(calls, 10_000, SHANGHAI, clock).forecast() == ledger.forecast()


def test_a_forecast_is_at_most_the_quota_and_nothing_without_calls() -> None:
    assert at_work(Calls(), Clock(FIRST), [900] * 5).forecast() == 10_000
    assert at_work(Calls(), Clock(FIRST), []).forecast() == 0


def test_a_new_month_begins_at_nothing_and_is_foreseen_from_the_days_before() -> None:
    ledger = at_work(Calls(), Clock(FIRST), [100] * 30)
    budget = ledger.budget()
    assert (budget.used, budget.left, budget.seconds_left) == (0, 10_000, 31 * 86_400)
    assert ledger.forecast() == pytest.approx(3100, rel=0.1)

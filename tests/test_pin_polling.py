"""How often pins are asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.pin.polling import (
    DAY,
    DEEP_MS,
    DEEP_ROUNDS,
    LONGEST,
    MONTH,
    SHARE,
    SHORTEST,
    deep_is_due,
    interval,
    monthly,
    usual_calls,
)

AMOUNTS = st.integers(0, 2_000_000)


@pytest.mark.parametrize(
    ("calls", "quota", "minutes"), [(1, 10_000, 29.8), (1, 3_000, 99.2), (10, 10_000, 297.6), (1, 1_000_000, 1.0)]
)
def test_the_share_of_the_quota_gives_the_interval(calls: float, quota: int, minutes: float) -> None:
    assert interval(calls, quota, quota, MONTH) / 60 == pytest.approx(minutes, abs=0.05)


def test_a_whole_month_costs_no_more_than_the_share() -> None:
    used, elapsed = 0.0, 0.0
    while elapsed < MONTH:
        elapsed += interval(2, 10_000, 10_000 - int(used), MONTH - elapsed)
        used += 2
    assert SHARE * 10_000 * 0.99 < used < SHARE * 10_000 * 1.02


def test_when_others_used_the_calls_pins_wait_longer() -> None:
    assert interval(1, 10_000, 1_000, 15 * 86_400.0) == pytest.approx(15 * 86_400 / (SHARE * 1_000))
    assert interval(1, 10_000, 0, 15 * 86_400.0) == DAY
    assert interval(1, 10_000, 0, 600.0) == 600.0


def test_many_groups_are_looked_at_every_six_hours_unless_that_takes_half_of_the_calls() -> None:
    assert interval(30, 10_000, 10_000, MONTH) == LONGEST
    assert interval(50, 10_000, 10_000, MONTH) == pytest.approx(MONTH / 100)
    assert interval(1_000, 10_000, 10_000, MONTH) == DAY


def test_what_the_operator_wants_holds_until_half_the_calls_are_used() -> None:
    assert interval(1, 10_000, 10_000, MONTH, 30) == 30
    assert interval(1, 10_000, 5_001, MONTH, 30) == 30
    assert interval(1, 10_000, 5_000, MONTH, 30) == pytest.approx(MONTH / (SHARE * 5_000))
    assert interval(1, 10_000_000, 100_000, 60.0, 3600) == 3600


@given(st.floats(0, 1e6), AMOUNTS, AMOUNTS, st.floats(0, MONTH), st.none() | st.integers(10, 3600))
def test_the_interval_is_always_sensible(
    calls: float, quota: int, left: int, seconds: float, wanted: int | None
) -> None:
    assert (wanted or SHORTEST) <= interval(calls, quota, left, seconds, wanted) <= DAY


def test_a_round_costs_a_call_for_each_group_and_an_eighth_of_the_deeper_pages() -> None:
    assert usual_calls([1, 1, 1]) == 3
    assert usual_calls([1, 9]) == 3
    assert usual_calls([]) == 0


def test_what_a_month_costs() -> None:
    assert monthly(1, 30) == 89_280
    assert monthly(0, 3600) == 744


def test_a_group_is_read_to_its_oldest_pin_every_so_often() -> None:
    assert deep_is_due(0, None, 5)
    assert not deep_is_due(DEEP_ROUNDS - 2, 5, 6)
    assert deep_is_due(DEEP_ROUNDS - 1, 5, 6)
    assert deep_is_due(0, 5, 5 + DEEP_MS)

"""What a day in a row earns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from larkflock_checkin.streak import earned, moved


def test_the_first_days_earn_the_fibonacci_sequence():
    assert [earned(day) for day in range(1, 11)] == [1, 1, 2, 3, 5, 8, 13, 21, 34, 55]


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 70))
def test_each_day_earns_the_two_before_it(streak):
    assert earned(streak) == earned(streak - 1) + earned(streak - 2)


def test_the_greatest_is_exact_in_a_number_cell():
    assert float(earned(70)) == 190_392_490_709_135


def test_from_the_longest_row_on_a_day_earns_no_more():
    assert [earned(day, longest=3) for day in range(1, 6)] == [1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("day", "days", "there"),
    [("2026-11-30", 1, "2026-12-01"), ("2027-01-01", -1, "2026-12-31"), ("2028-02-28", 1, "2028-02-29")],
)
def test_days_move_over_months_and_years(day, days, there):
    assert moved(day, days) == there


def test_it_never_falls_while_the_row_goes_on():
    assert all(before <= after for before, after in pairwise(earned(day) for day in range(1, 100)))

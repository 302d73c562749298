"""How often one person may ask, and how a list is cut into pages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from larkflock_commands import Usage
from larkflock_commands.pace import MINUTE, allowed
from larkflock_commands.pages import EXCERPT, asked_for, buttons, short


def test_so_many_are_allowed_and_no_more():
    assert allowed([], 0, 2) == [0]
    assert allowed([0], 10, 2) == [0, 10]
    assert allowed([0, 10], 20, 2) is None


def test_a_minute_later_there_is_room_again():
    assert allowed([0, 10], MINUTE, 2) == [10, MINUTE]


def test_moments_ahead_of_a_clock_that_was_set_back_do_not_count():
    assert allowed([10**12], 0, 1) == [0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 300_000)), st.integers(1, 5))
def test_in_no_minute_are_there_more_than_allowed(asked, most):
    moments, granted = [], []
    for now in sorted(asked):
        after = allowed(moments, now, most)
        if after is not None:
            moments = after
            granted.append(now)
    assert len(moments) <= most
    for first in granted:
        assert sum(first <= moment < first + MINUTE for moment in granted) <= most


def test_pages_have_five_entries_unless_told_otherwise():
    assert [asked_for(given) for given in [(), ("3",), ("3", "2")]] == [(5, 1), (3, 1), (3, 2)]


@pytest.mark.parametrize(
    "given", [("0",), ("11",), ("3", "0"), ("-1",), ("1.5",), ("三",), ("٣",), ("9" * 12,), ("1", "2", "3")]
)
def test_a_page_that_cannot_be_is_refused(given):
    with pytest.raises(Usage):
        asked_for(given)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10), st.integers(0, 60))
def test_the_buttons_lead_through_every_entry_and_back(count, total):
    page, seen = 1, 0
    while True:
        seen += len(range(total)[(page - 1) * count : page * count])
        there = dict(buttons(count, page, total))
        assert there.get("较新") == (f"{count} {page - 1}" if page > 1 else None)
        if "较早" not in there:
            break
        _, page = asked_for(tuple(there["较早"].split()))
    assert seen == total


def test_a_long_text_is_one_short_line():
    assert short("两行\n文字") == "两行 文字"
    assert short("长" * 500) == "长" * EXCERPT + "…"

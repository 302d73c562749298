"""How much is read of a gap, and when: rules over plain values."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.history.gaps import (
    APART,
    APART_AT_START,
    DAY,
    HOUR,
    LONGEST_LOOK_BACK,
    MARGIN,
    MINUTE,
    SECOND,
    SHORTEST_LOOK_BACK,
    Gap,
    Window,
    deepened,
    history,
    merged,
    moment,
    window,
)

NOW = 1_793_606_400_000
ZONE = ZoneInfo("Asia/Shanghai")


def after(length: int, *, last: int = 0, starting: bool = True) -> Window:
    return window(Gap(NOW - length, NOW), NOW, last, starting=starting)


@pytest.mark.parametrize(
    ("length", "back"), [(MINUTE, 5 * MINUTE), (HOUR, 15 * MINUTE), (DAY, 6 * HOUR), (30 * DAY, 6 * HOUR)]
)
def test_it_looks_back_by_a_quarter_of_the_gap(length: int, back: int) -> None:
    read = after(length)
    assert read.since == read.start == NOW - length - back
    assert read.end == NOW + MARGIN


def test_after_a_short_gap_one_look_comes_first() -> None:
    assert not after(5 * MINUTE).deep
    assert after(5 * MINUTE + 1).deep


def test_longer_gaps_remember_topics_for_longer() -> None:
    def remembered(length: int) -> int:
        read = after(length)
        return read.since - read.threads_since

    assert remembered(3 * MINUTE) == 30 * MINUTE
    assert remembered(DAY) == 4 * DAY
    assert remembered(30 * DAY) == 7 * DAY


def test_a_gap_that_the_platform_bridges_is_only_checked_now_and_then() -> None:
    assert after(30 * SECOND).due == NOW
    assert after(30 * SECOND, last=NOW - MINUTE).due == NOW - MINUTE + APART_AT_START
    assert after(30 * SECOND, last=NOW - MINUTE, starting=False).due == NOW - MINUTE + APART
    assert after(30 * SECOND, last=NOW - DAY, starting=False).due == NOW
    assert after(6 * MINUTE, last=NOW - MINUTE, starting=False).due == NOW


def test_a_clock_that_was_put_back_makes_no_endless_wait_and_no_backward_window() -> None:
    read = window(Gap(NOW + DAY, NOW), NOW, NOW + DAY, starting=True)
    assert (read.since, read.due) == (NOW - SHORTEST_LOOK_BACK, NOW)


def test_history_is_read_whole() -> None:
    assert history(NOW - 7 * DAY, NOW) == Window(
        NOW - 7 * DAY, NOW - 7 * DAY, NOW + MARGIN, NOW - 7 * DAY, deep=True, due=NOW
    )


def test_what_was_read_already_is_not_read_again_for_a_later_gap() -> None:
    begun = Window(NOW - DAY, NOW - HOUR, NOW, 0, deep=True, due=NOW)
    both = merged(begun, after(MINUTE))
    assert (both.since, both.start, both.deep) == (NOW - DAY, NOW - HOUR, True)
    assert both.end == NOW + MARGIN
    assert both.threads_since == after(MINUTE).threads_since


def test_an_earlier_or_deeper_window_is_read_from_its_beginning() -> None:
    begun = Window(NOW - HOUR, NOW - MINUTE, NOW, 0, deep=False, due=NOW + HOUR)
    both = merged(begun, after(DAY))
    assert both.start == both.since == NOW - DAY - LONGEST_LOOK_BACK
    assert (both.deep, both.due) == (True, NOW)


windows = st.builds(
    lambda since, read, length, topics, deep, due: Window(
        since, since + min(read, length), since + length, topics, deep, due
    ),
    *(st.integers(0, DAY),) * 4,
    st.booleans(),
    st.integers(0, DAY),
)


@given(windows, windows)
def test_two_windows_together_leave_out_nothing(one: Window, other: Window) -> None:
    both = merged(one, other)
    assert both.since == min(one.since, other.since)
    assert both.start <= min(one.start, max(other.start, one.start))
    assert both.end == max(one.end, other.end)
    assert both.deep == (one.deep or other.deep)
    assert both.due == min(one.due, other.due)
    topics = [each.threads_since for each in (one, other) if each.threads_since]
    assert both.threads_since == (min(topics) if topics else 0)
    if other.since < one.since:
        assert both.start == other.since
    assert merged(None, other) == other


def test_a_look_that_found_something_is_followed_by_everything() -> None:
    looked = Window(NOW - MINUTE, NOW, NOW, NOW - HOUR, deep=False, due=NOW - DAY)
    whole = deepened(looked, NOW)
    assert (whole.start, whole.deep, whole.threads_since, whole.due) == (looked.since, True, NOW - HOUR, NOW)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("7d", NOW - 7 * DAY),
        ("12H", NOW - 12 * HOUR),
        (" 2w ", NOW - 14 * DAY),
        ("30m", NOW - 30 * MINUTE),
        ("2026-11-01", 1_793_462_400_000),
        ("2026-11-01T08:00", 1_793_462_400_000 + 8 * HOUR),
        ("2026-11-01T00:00+00:00", 1_793_462_400_000 + 8 * HOUR),
    ],
)
def test_since_is_a_date_there_or_a_duration(text: str, meant: int) -> None:
    assert moment(text, NOW, ZONE) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "7", "7y", "2026-13-01", "2099-01-01", "1999-01-01", "-3d"])
def test_what_is_no_time_in_the_past_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ago|future|neither"):
        moment(text, NOW, ZONE)

"""How much is read of a time in which nothing was heard, and when; pure rules. Times are ms UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

HEARD: Final = "heard"
"""The note of when something was heard last, ms."""
NOTED_EVERY: Final = 30 * SECOND
"""ms by which that note may be behind."""
BRIEF: Final = 5 * MINUTE
"""Up to this length the platform bridges a gap, pushing again after 15 s and 5 min (FEISHU.md §1.6): it is only
checked, by one look at each group, and more is read when that finds something. A gap seems longer than it was, as in a
quiet group nothing but a pong comes, every two minutes."""
APART_AT_START: Final = 10 * MINUTE
APART: Final = 6 * HOUR
"""Between two checks of a group for brief gaps, after starts and while running."""
MARGIN: Final = HOUR
"""Read beyond the end of a gap, as this machine's clock may be behind; what is not said yet costs nothing."""
SHORTEST_LOOK_BACK: Final = 5 * MINUTE
LONGEST_LOOK_BACK: Final = 6 * HOUR
FARTHEST_AHEAD: Final = 12 * HOUR
"""ms by which the clock of this machine may be ahead, as with a wrong time zone."""
SHORTEST_MEMORY: Final = 30 * MINUTE
LONGEST_MEMORY: Final = 7 * DAY

_DURATION: Final = re.compile(r"(\d{1,4})([mhdw])")
_UNITS: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing was heard."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """A clock that was put back makes none."""
        return max(0, self.end - self.start)


@dataclass(frozen=True, slots=True)
class Window:
    """What is still to be read of one group; it is stored until all of it is in the journal."""

    since: int
    """Where it began."""
    start: int
    """What was sent before this is read."""
    end: int
    threads_since: int
    """Topics in which something was said since then may have gone on unseen; 0 = none, or they are read."""
    deep: bool
    """Topics and reactions too, not only what stands in the group itself."""
    due: int
    """Not read before."""


def window(gap: Gap, now: int, last: int, *, starting: bool) -> Window:
    """What to read of a group after ``gap``; ``last`` is when the group was last read, ``starting`` at a start.

    It begins before the gap, so that recalls, edits and reactions to what was said just before it are seen: by a
    quarter of its length, 5 min to 6 h.
    """
    start = min(gap.start, gap.end)
    since = start - min(LONGEST_LOOK_BACK, max(SHORTEST_LOOK_BACK, gap.length // 4))
    recent = min(LONGEST_MEMORY, max(SHORTEST_MEMORY, 4 * gap.length))
    due = now
    if gap.length <= BRIEF and 0 <= last <= now:
        due = max(now, last + (APART_AT_START if starting else APART))
    return Window(since, since, gap.end + MARGIN, since - recent, deep=gap.length > BRIEF, due=due)


def reaching(window: Window, last: int) -> Window:
    """The window from the time on when something was ``last`` said, 0 = unknown, where that is earlier.

    That is the platform's own time: this machine's clock may be ahead, and a gap seem later than it was. Nothing was
    said in between, so it costs nothing. What was said longer ago the journal may have forgotten.
    """
    if not window.since - FARTHEST_AHEAD <= last < window.since:
        return window
    return replace(window, since=last, start=min(window.start, last))


def history(since: int, now: int) -> Window:
    """What to read of a group whose past is asked for."""
    return Window(since, since, now + MARGIN, since, deep=True, due=now)


def merged(one: Window | None, other: Window) -> Window:
    """One window instead of two; what ``one`` has read already is not read again unless ``other`` goes back further."""
    if one is None:
        return other
    if one.since <= other.since and one.deep >= other.deep:
        remembered = min((each.threads_since for each in (one, other) if each.threads_since), default=0)
        end, due = max(one.end, other.end), min(one.due, other.due)
        return replace(one, end=end, threads_since=remembered, due=due)
    since = min(one.since, other.since)
    return Window(
        since,
        since,
        max(one.end, other.end),
        min((each.threads_since for each in (one, other) if each.threads_since), default=0),
        deep=one.deep or other.deep,
        due=min(one.due, other.due),
    )


def deepened(glanced: Window, now: int) -> Window:
    """The whole window again, after a look has found that something was missed."""
    return replace(glanced, start=glanced.since, deep=True, due=now)


def moment(text: str, now: int, zone: ZoneInfo) -> int:
    """What ``--since`` means: a date or time in ``zone``, or a duration such as ``7d``. Raises ``ValueError``."""
    duration = _DURATION.fullmatch(text.strip().lower())
    if duration:
        since = now - int(duration[1]) * _UNITS[duration[2]]
    else:
        try:
            given = datetime.fromisoformat(text.strip())
        except ValueError:
            known = "a date such as 2026-11-01 nor a duration such as 7d, 12h or 2w"
            raise ValueError(f"{text!r} is neither {known}") from None
        at = given if given.tzinfo else given.replace(tzinfo=zone)
        since = int(at.timestamp() * SECOND)
        if since >= now:
            raise ValueError(f"{text} is in the future")
    if since < now - 3650 * DAY:
        raise ValueError(f"{text} is more than ten years ago")
    return since

"""How often pins are asked for, and how deep; rules only, without a clock."""

from __future__ import annotations

from typing import Final

SHARE: Final = 0.15
"""The part of the month's API calls that looking for pins may cost."""
MOST: Final = 0.5
"""The part of those left that many groups may need, however rarely they are looked at."""
SHORTEST: Final = 60.0
LONGEST: Final = 6 * 3600.0
"""Seconds between two rounds, when nothing else is set and the calls suffice."""
DAY: Final = 86_400.0
MONTH: Final = 31 * DAY

DEEP_ROUNDS: Final = 8
DEEP_MS: Final = 24 * 3600 * 1000
"""A group with more than one page of pins is read to its oldest one every 8th round, and at least once a day."""


def interval(calls: float, quota: int, left: int, seconds_left: float, wanted: int | None = None) -> float:
    """Seconds from one round of ``calls`` API calls to the next, at most a day.

    The share of the ``quota`` is spent evenly over a month, and less when only ``left`` calls remain for
    ``seconds_left``. What an operator ``wanted`` holds as long as half of the quota is left; then it is the least.
    """
    if wanted is not None and 2 * left > quota:
        return float(wanted)
    calls, until = max(calls, 1.0), max(seconds_left, 3600.0)
    even = min(max(_lasting(calls, SHARE * min(quota / MONTH, left / until)), SHORTEST), LONGEST)
    bearable = _lasting(calls, MOST * left / until)
    rest = max(SHORTEST, seconds_left)  # A new month brings new calls.
    return max(float(wanted or 0), min(max(even, bearable), DAY, rest))


def _lasting(calls: float, rate: float) -> float:
    """Seconds that so many calls have to last at a rate a second."""
    return calls / rate if rate > 0 else DAY


def monthly(calls: float, seconds: float) -> int:
    """What a round of ``calls`` every so many ``seconds`` costs in a month."""
    return round(max(calls, 1.0) * MONTH / seconds)


def usual_calls(pages: list[int]) -> float:
    """Calls of an average round over groups with so many ``pages`` of pins each.

    The newest page of each is read in every round, the others in each deep one. What finding the groups costs, a few
    calls a day, is not counted.
    """
    return sum(1 + (each - 1) / DEEP_ROUNDS for each in pages)


def deep_is_due(rounds: int, deep_at: int | None, now: int) -> bool:
    """Whether a group that was read to its oldest pin at ``deep_at`` (ms UTC), ``rounds`` ago, is to be again."""
    return deep_at is None or rounds + 1 >= DEEP_ROUNDS or now - deep_at >= DEEP_MS

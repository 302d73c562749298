"""When a group is so unusually silent that it is worth one call to see whether its pushes still arrive; a pure rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from .habits import Habit

PATIENCE: Final = 12.0
"""Messages that should have come by the group's own rhythm before a silence is unusual. People talk in bursts."""
SHORTEST: Final = 15 * 60_000
"""ms of silence before it is unusual at all."""
MOST_A_DAY: Final = 6
"""Checks, of all groups together."""
DAY: Final = 86_400_000


class Silence:
    """What was checked already; a silence that turned out to be one is asked about half as often each time."""

    def __init__(self) -> None:
        self._innocent: dict[str, tuple[int, int]] = {}
        """(the group's last message, how often its silence since then was found to be real)."""
        self._checks: deque[int] = deque(maxlen=MOST_A_DAY)

    def suspicious(self, groups: Mapping[str, Habit], now: int) -> str | None:
        """The group whose silence is the most unusual, or None when none is, or enough was checked today."""
        if len(self._checks) == MOST_A_DAY and 0 <= now - self._checks[0] < DAY:
            return None
        strangest, most = None, 1.0
        for chat, habit in groups.items():
            if now - habit.last >= SHORTEST:
                last, times = self._innocent.get(chat, (habit.last, 0))
                patience = PATIENCE * 2 ** (times if last == habit.last else 0)
                strangeness = habit.rhythm.expected(habit.last, now) / patience
                if strangeness >= most:
                    strangest, most = chat, strangeness
        return strangest

    def checked(self, chat: str, habit: Habit, now: int, *, missed: bool) -> None:
        """A group was asked about, and whether something had been missed."""
        self._checks.append(now)
        last, times = self._innocent.get(chat, (habit.last, 0))
        self._innocent[chat] = (habit.last, 0 if missed else (times if last == habit.last else 0) + 1)

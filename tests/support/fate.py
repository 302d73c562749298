"""When the process under test ends, and when its disk refuses: between any two steps, drawn from a seed or told."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from core.errors import StorageError

WRITES: Final = frozenset(
    {
        *("append", "probe", "trim", "quarantine"),
        *("prepare", "cursor", "commit", "relayed", "sent", "unsendable", "begin_batch", "end_batch", "settle"),
        *("forget_records", "touch", "adopt", "set_note", "save_people", "redrive", "discard", "forget_discarded"),
    }
)


class Crash(BaseException):
    """The process ends here; nothing that it would do next is done."""


class Fate:
    """``crash`` and ``refuse`` are the shares of steps that end the process, and of writes that the disk refuses."""

    def __init__(self, chance: random.Random, *, crash: float = 0.0, refuse: float = 0.0, most: int = 8) -> None:
        self.crash = crash
        self.refuse = refuse
        self.left = most
        """Crashes that may still happen by chance."""
        self.alive = True
        self.told: list[str] = []
        """Where the process ended, in order."""
        self._chance = chance
        self._doomed: int | None = None

    def doom(self, steps: int) -> None:
        """End the process at the step after ``steps`` others."""
        self._doomed = steps

    def step(self, point: str) -> None:
        """Go on, or raise ``Crash``."""
        if not self.alive:
            raise Crash(point)
        if self._doomed is not None:
            self._doomed -= 1
            if self._doomed < 0:
                self._end(point)
        if self.left and self._chance.random() < self.crash:
            self.left -= 1
            self._end(point)

    def revive(self) -> None:
        """The process was started again."""
        self.alive, self._doomed = True, None

    def refuses(self) -> bool:
        """Whether the disk refuses the write at hand."""
        return self.refuse > 0 and self._chance.random() < self.refuse

    def _end(self, point: str) -> None:
        self.alive = False
        self.told.append(point)
        raise Crash(point)


def connecting(fate: Fate) -> Callable[[Path], sqlite3.Connection]:
    """Opens databases in which the process may end before and after every ``COMMIT``, and between two of them."""

    class FatefulConnection(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            if statement != "COMMIT":
                return super().execute(statement, *values)
            fate.step("before COMMIT")
            cursor = super().execute(statement)
            fate.step("after COMMIT")
            return cursor

    return partial(sqlite3.connect, isolation_level=None, timeout=10.0, factory=FatefulConnection)


class Fateful:
    """A handle of the store or the journal: before and after each of its writes the process may end."""

    def __init__(self, handle: Any, fate: Fate) -> None:
        self._handle = handle
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._handle, name)
        if name not in WRITES:
            return method

        def call(*given: Any, **named: Any) -> Any:
            self._fate.step(f"before {name}")
            if self._fate.refuses():
                raise StorageError("SQLite: database or disk is full")
            result = method(*given, **named)
            self._fate.step(f"after {name}")
            return result

        setattr(self, name, call)
        return call

    def close(self) -> None:
        """It is closed by whoever opened it: a process that was killed closes nothing."""

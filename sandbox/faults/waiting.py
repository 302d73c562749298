"""Pushes that are held back: until a time of this machine, until a time of the world, or until others have gone by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

LOOK_AGAIN = 0.02
"""Seconds between two looks at the clock of the world, which may stand still, run or jump."""


@dataclass(slots=True, order=True)
class _Held(Generic[T]):
    due: float
    number: int
    item: T = field(compare=False)
    passes: int = field(default=0, compare=False)
    """So many others go first; 0 = only the time counts."""
    gone: bool = field(default=False, compare=False)


class WaitingRoom(Generic[T]):
    """What is held back, each with its time. ``world`` is the world's clock, in ms."""

    def __init__(self, world: Callable[[], int]) -> None:
        self._world = world
        self._by_time: list[_Held[T]] = []
        self._by_world: list[_Held[T]] = []
        self._passed_by: list[_Held[T]] = []
        self._number = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def hold(self, item: T, seconds: float, *, passes: int = 0) -> None:
        """Until ``seconds`` are over, or ``passes`` others have gone by if that is sooner."""
        held = self._held(time.monotonic() + seconds, item)
        heappush(self._by_time, held)
        if passes:
            held.passes = passes
            self._passed_by.append(held)

    def hold_in_world(self, item: T, seconds: float) -> None:
        """Until ``seconds`` are over in the world."""
        heappush(self._by_world, self._held(self._world() + seconds * 1000, item))

    def passed(self) -> list[T]:
        """Counts that another went by; returns those that had to wait for it."""
        if not self._passed_by:
            return []
        for held in self._passed_by:
            held.passes -= 1
        ready = [held for held in self._passed_by if held.passes <= 0 and not held.gone]
        self._passed_by = [held for held in self._passed_by if held.passes > 0 and not held.gone]
        return [self._let_go(held) for held in ready]

    def due(self) -> list[T]:
        """Those whose time has come."""
        ready = []
        for heap, now in ((self._by_time, time.monotonic()), (self._by_world, self._world())):
            while heap and (heap[0].gone or heap[0].due <= now):
                if not (held := heappop(heap)).gone:
                    ready.append(self._let_go(held))
        return ready

    def everything(self) -> list[T]:
        """All of them, at once."""
        ready = [self._let_go(held) for held in sorted(self._by_time + self._by_world) if not held.gone]
        self._by_time.clear()
        self._by_world.clear()
        self._passed_by.clear()
        return ready

    def next_look(self) -> float:
        """When, by ``time.monotonic``, ``due`` may have something; infinity while nothing is held."""
        soonest = self._by_time[0].due if self._by_time else float("inf")
        return min(soonest, time.monotonic() + LOOK_AGAIN) if self._by_world else soonest

    def _held(self, due: float, item: T) -> _Held[T]:
        self._number += 1
        self._count += 1
        return _Held(due, self._number, item)

    def _let_go(self, held: _Held[T]) -> T:
        held.gone = True
        self._count -= 1
        return held.item

"""Lets the faults that come every so often happen at random moments, whatever else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from .fault import Fault
from .faults import Faults


class Recurring:
    """Between ``start`` and ``stop``; ``acts`` does what a fault of a place does."""

    def __init__(self, faults: Faults, acts: Mapping[str, Callable[[Fault], None]]) -> None:
        self._faults = faults
        self._acts = acts
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._running = False

    def start(self) -> None:
        """The first of them is due after a random time."""
        self._running = True
        self._faults.watch(self._arm)
        self._arm()

    def stop(self) -> None:
        """Nothing happens any more."""
        self._running = False
        self._disarm()

    def _arm(self) -> None:
        self._disarm()
        if self._running:
            for fault in self._faults.recurring():
                self._wait(fault)

    def _disarm(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _wait(self, fault: Fault) -> None:
        # Exponential times: on average ``every``, and no moment is safer than another.
        seconds = self._faults.chance(fault.place).expovariate(1 / fault.every)
        self._timers[id(fault)] = asyncio.get_running_loop().call_later(seconds, self._due, fault)

    def _due(self, fault: Fault) -> None:
        self._wait(fault)
        self._acts[fault.place](fault)

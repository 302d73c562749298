"""Plays a scenario into the world at its speed; it decides when, the scenario what."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

from .clock import WorldClock
from .delivery import Delivery
from .scenario.act import Scenario
from .world import Impossible, World

BREATH = 256
"""Acts after which other work gets its turn, also when none of them was announced."""

log = logging.getLogger(__name__)


class Player:
    """One performance of a scenario. ``speed`` is times real time; 0 = as fast as acknowledgements come."""

    def __init__(self, scenario: Scenario, world: World, clock: WorldClock, delivery: Delivery, speed: float) -> None:
        self._scenario = scenario
        self._world = world
        self._clock = clock
        self._delivery = delivery
        self._speed = speed
        self._skipped: list[str] = []
        self.played = 0
        self.started = False
        self.done = False

    def set_the_stage(self) -> None:
        """Brings in the cast and stops the world's clock just before the first act."""
        first = next(iter(self._scenario.acts()), None)
        if first is not None:
            self._clock.move(first.at, speed=0)
        self._world.settle(self._scenario.people, self._scenario.chats)

    async def play(self) -> None:
        """Plays every act once; afterwards the world's clock runs on in real time."""
        self.started = True
        began, first = time.monotonic(), self._clock.undisturbed()
        latest = first
        for act in self._scenario.acts():
            if self._speed:
                wait = began + (act.at - first) / 1000 / self._speed - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
            elif not self._delivery.has_room:
                await self._delivery.room()
            if act.at > latest:
                latest = act.at
                self._clock.move(latest, speed=self._speed)
            try:
                # Whoever has a wrong clock writes wrong times, too.
                self._world.play(replace(act, at=act.at + self._clock.wrong_by) if self._clock.wrong_by else act)
            except Impossible as reason:
                self._skipped.append(str(reason))
                log.warning("act %d of %s left out: %s", self.played + 1, self._scenario.name, reason)
            self.played += 1
            if self.played % BREATH == 0:
                await asyncio.sleep(0)
        self._clock.move(max(latest, self._clock.undisturbed()), speed=1)
        self.done = True
        log.info("scenario %s played: %d acts", self._scenario.name, self.played)

    def document(self) -> dict[str, Any]:
        """How far it is, for the control page."""
        return {
            "name": self._scenario.name,
            "total": self._scenario.total,
            "played": self.played,
            "skipped": len(self._skipped),
            "started": self.started,
            "done": self.done,
        }

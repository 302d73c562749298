"""The faults of one sandbox: which of them strikes now, drawn from the seed, and what has struck so far.

It never does what a fault does: each place asks it and acts.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from .fault import Fault

REMEMBERED = 100_000
"""Strikes whose time is kept."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault that happened: its number from 1, the real time in ms, and to what."""

    number: int
    at: int
    kind: str
    to: str


class _Rule:
    """A fault in force, with what it has met and struck."""

    __slots__ = ("fault", "met", "streaks", "struck")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.met = 0
        self.struck = 0
        self.streaks: Counter[str] = Counter()

    @property
    def over(self) -> bool:
        return bool(self.fault.times) and self.struck >= self.fault.times

    def ready(self, address: str) -> bool:
        """Whether it may strike now."""
        fault = self.fault
        if self.over or self.met <= fault.skip:
            return False
        return not fault.in_a_row or self.streaks[address] < fault.in_a_row

    def document(self) -> dict[str, Any]:
        return {**self.fault.document(), "met": self.met, "struck": self.struck}


class Faults:
    """The faults in force. The same seed and the same happenings give the same strikes."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._seed = seed
        self._chances: dict[str, random.Random] = {}
        self._rules: dict[str, list[_Rule]] = {}
        self._watchers: list[Callable[[], None]] = []
        self._number = 0
        self._strikes: deque[Strike] = deque(maxlen=REMEMBERED)
        self.injected: Counter[str] = Counter()
        """Strikes by kind since the start, also of faults no longer in force."""
        self.set(faults)

    def set(self, faults: Iterable[Fault]) -> None:
        """Puts these in force instead of those before."""
        self._rules.clear()
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Puts these in force as well, after those before."""
        for fault in faults:
            self._rules.setdefault(fault.place, []).append(_Rule(fault))
        for changed in self._watchers:
            changed()

    def clear(self) -> None:
        """Ends them all; what they held back comes at once, what they hang lets go."""
        self.set(())

    def watch(self, changed: Callable[[], None]) -> None:
        """Calls ``changed`` whenever other faults are in force."""
        self._watchers.append(changed)

    def any(self, place: str) -> bool:
        """Whether one of them may strike there."""
        return place in self._rules

    def chance(self, place: str) -> random.Random:
        """The source of what a place draws; each has its own, so that none disturbs another."""
        if place not in self._chances:
            self._chances[place] = random.Random(f"faults {self._seed} {place}")  # noqa: S311 — choices, not secrets
        return self._chances[place]

    def draw(self, fault: Fault) -> float:
        """One of the fault's seconds."""
        return self.chance(fault.place).uniform(*fault.span)

    def strike(self, place: str, to: str, address: str = "") -> Fault | None:
        """The fault that strikes ``to`` (an API name, an event type) there now, and is counted; None = it is spared.

        ``address`` tells apart what ``in_a_row`` counts.
        """
        rules = [rule for rule in self._rules.get(place, ()) if not rule.fault.every and rule.fault.strikes(to)]
        if not rules:
            return None
        for rule in rules:
            rule.met += 1
        roll = self.chance(place).random()
        for rule in rules:
            if not rule.ready(address):
                continue
            if roll < rule.fault.rate:
                if rule.fault.in_a_row:
                    rule.streaks[address] += 1
                self._count(rule, to)
                return rule.fault
            roll -= rule.fault.rate
        for rule in rules:
            rule.streaks.pop(address, None)
        return None

    def recurring(self) -> list[Fault]:
        """Those that strike every so often."""
        return [rule.fault for rules in self._rules.values() for rule in rules if rule.fault.every]

    def recur(self, fault: Fault, to: str) -> bool:
        """Counts a strike of a recurring fault and says whether it happens: not when it is over or no longer here."""
        for rule in self._rules.get(fault.place, ()):
            if rule.fault is fault:
                rule.met += 1
                if rule.ready(""):
                    self._count(rule, to)
                    return True
        return False

    def strikes_after(self, number: int, limit: int) -> list[Strike]:
        """Up to ``limit`` strikes after that one, oldest first; the oldest of very many are forgotten."""
        first = self._strikes[0].number if self._strikes else 1
        start = max(0, number + 1 - first)
        return list(islice(self._strikes, start, start + limit))

    def document(self) -> dict[str, Any]:
        """What is in force and what was injected, for the control page."""
        return {
            "seed": self._seed,
            "faults": [rule.document() for rules in self._rules.values() for rule in rules],
            "injected": dict(sorted(self.injected.items())),
            "strikes": self._number,
        }

    def _count(self, rule: _Rule, to: str) -> None:
        rule.struck += 1
        self._number += 1
        self.injected[rule.fault.kind] += 1
        self._strikes.append(Strike(self._number, int(time.time() * 1000), rule.fault.kind, to))


def event_type(payload: bytes) -> str:
    """The type of an event, by which faults find it."""
    return str(orjson.loads(payload)["header"]["event_type"])

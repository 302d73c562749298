"""One fault as a plain value: its kind, how often, on what; read from TOML or JSON, or made in a test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .codes import GROUPS
from .kinds import KINDS, Kind

Seconds = float | tuple[float, float]
"""A time, or the shortest and the longest of those from which one is drawn."""


class FaultError(Exception):
    """A fault, a preset or a file of faults that cannot be used, with the place and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong. What ``kind`` does not know about cannot be set. Raises ``FaultError``.

    ``Fault(kind="slow", on="bitable.*", rate=0.1)`` slows every tenth Bitable call down.
    """

    kind: str
    rate: float = 1.0
    """The share of what it fits that it strikes; the rates of the faults of one place add up."""
    times: int = 0
    """Strikes until it is over; 0 = no end."""
    skip: int = 0
    """So many pass unharmed first."""
    on: str = ""
    """The API name or event type it strikes, with ``*``; ``!`` in front: all others. Empty = what its kind is for."""
    every: float = 0.0
    """Mean seconds between strikes on connections or the clock, at random; 0 = when a connection opens."""
    in_a_row: int = 0
    """The most strikes on one address until a call of it passes unharmed; 0 = no limit."""
    seconds: Seconds | None = None
    count: int | None = None
    size: int | None = None
    codes: tuple[int, ...] | None = None
    statuses: tuple[int, ...] | None = None
    done: float | None = None
    world: bool | None = None

    def __post_init__(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise FaultError(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")
        for name in ("seconds", "count", "size", "codes", "statuses", "done", "world"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, kind.settings.get(name))
            elif name not in kind.settings:
                raise FaultError(f"{self.kind} has no {name}; it has {', '.join(kind.settings) or 'none of its own'}")
        object.__setattr__(self, "on", self.on or kind.on)
        self._check(kind)

    def _check(self, kind: Kind) -> None:
        if not 0 < self.rate <= 1:
            raise FaultError(f"{self.kind}: rate must be above 0 and at most 1, not {self.rate:g}")
        if self.done is not None and not 0 <= self.done <= 1:
            raise FaultError(f"{self.kind}: done must be from 0 to 1, not {self.done:g}")
        for name in ("times", "skip", "every", "in_a_row"):
            if getattr(self, name) < 0:
                raise FaultError(f"{self.kind}: {name} must not be below 0, not {getattr(self, name):g}")
        for name in ("count", "size"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise FaultError(f"{self.kind}: {name} must be at least 1, not {value}")
        if self.statuses and not all(200 <= status < 600 for status in self.statuses):
            raise FaultError(f"{self.kind}: statuses must be from 200 to 599, not {self.statuses}")
        shortest, longest = self.span
        if not all(map(math.isfinite, (shortest, longest, self.every))):
            raise FaultError(f"{self.kind}: seconds and every must be finite")
        if shortest > longest or (shortest < 0 and kind.place != "clock"):
            raise FaultError(f"{self.kind}: seconds must be a time or the shortest and the longest, not {self.seconds}")
        if self.every and kind.place not in ("line", "clock"):
            raise FaultError(f"{self.kind} strikes as things happen: give a rate instead of every")
        if kind.place == "clock" and not self.every:
            raise FaultError(f"{self.kind} needs every: the mean seconds between two of them")
        if not (self.codes or self.codes is None) or not (self.statuses or self.statuses is None):
            raise FaultError(f"{self.kind} needs at least one of its codes or statuses")

    @property
    def place(self) -> str:
        """Where it strikes."""
        return KINDS[self.kind].place

    @property
    def span(self) -> tuple[float, float]:
        """The shortest and the longest of its seconds."""
        if isinstance(self.seconds, tuple):
            return self.seconds
        return (self.seconds or 0.0, self.seconds or 0.0)

    def strikes(self, name: str) -> bool:
        """Whether it is meant for the API or the event type ``name``."""
        if self.on.startswith("!"):
            return not fnmatchcase(name, self.on[1:])
        return fnmatchcase(name, self.on)

    def document(self) -> dict[str, Any]:
        """The fault as ``parse`` reads it, without what is not set."""
        unset = {name: value for name, value in _DEFAULTS.items() if name != "rate"}
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: value for name, value in given.items() if name not in unset or value != unset[name]}


_DEFAULTS: Mapping[str, Any] = {each.name: each.default for each in fields(Fault) if each.name != "kind"}
_checker = TypeAdapter(Fault)


def parse(document: object) -> Fault:
    """The fault of a table in TOML or an object in JSON. ``codes`` may name a group. Raises ``FaultError``."""
    if not isinstance(document, dict):
        raise FaultError(f"a fault is a table with a kind, not {document!r}")
    values = dict(document)
    if unknown := sorted(values.keys() - _DEFAULTS.keys() - {"kind"}):
        raise FaultError(f"a fault has no {', '.join(unknown)}")
    for name in ("codes", "statuses"):
        given = values.get(name)
        if isinstance(given, str):
            if given not in GROUPS:
                raise FaultError(f"there is no group of codes {given!r}; there are {', '.join(GROUPS)}")
            values[name] = GROUPS[given]
        elif isinstance(given, int):
            values[name] = (given,)
    try:
        return _checker.validate_python(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise FaultError(f"{values.get('kind', 'a fault')}: {wrong}") from error

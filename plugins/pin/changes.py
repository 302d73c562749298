"""Which pins are new and which are gone, as far as one answer of the platform proves it; rules only (FEISHU.md §4.6).

Pins are listed newest first, 50 a page. A pin set or taken off between two calls shifts pages that are told apart by
their number, and what has slipped through looks unpinned. So the next page is asked for by time, from where the last
one ended: each answer is of one moment and covers a span of time, and a pin of that span that it lacks is not there.
Answers need not fit together: they may be hours apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from core import Malformed

PAGE: Final = 50
"""Pins the platform lists at once."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A message held up at a time (ms UTC). Pinned again it is another pin."""

    message_id: str
    time: int
    operator: str
    """The open_id, or the app_id, of who did it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, newest first."""

    pins: tuple[Pin, ...]
    more: bool

    @property
    def reached(self) -> int:
        """Everything later than this is on the page; -1 when nothing is left out."""
        return self.pins[-1].time if self.more else -1

    def following(self, below: int | None) -> int | None:
        """The time below which the next page begins, after one that was asked for ``below``; None when all was read.

        It overlaps by 1 ms, for pins of the same ms. More than a page of pins in one ms is not seen whole.
        """
        if not self.more:
            return None
        return self.reached + 1 if below is None else min(self.reached + 1, below - 1)


@dataclass(frozen=True, slots=True)
class Changes:
    """What an answer proves, newest first."""

    added: tuple[Pin, ...]
    removed: tuple[Pin, ...]


def page_of(data: Mapping[str, Any]) -> Page:
    """The platform's answer. Raises ``Malformed`` when it is not what it promises: that is never "no pins"."""
    items, more = data.get("items"), data.get("has_more")
    if not isinstance(more, bool) or not isinstance(items or [], list):
        raise Malformed("the list of pins has no items, or does not say whether there are more")
    pins = tuple(_pin(item) for item in items or ())
    if more and not pins:
        raise Malformed("the list of pins is empty and says that there are more")
    if any(later.time < earlier.time for later, earlier in pairwise(pins)):
        raise Malformed("the list of pins is not newest first")
    return Page(pins, more)


def compare(known: Iterable[Pin], page: Page, below: int | None = None) -> Changes:
    """What is different from the pins ``known``, at most one of each message, on a page asked for ``below`` a time."""
    listed: dict[str, Pin] = {}
    for pin in page.pins:
        listed.setdefault(pin.message_id, pin)
    before = {pin.message_id: pin for pin in known}
    added, removed = [], []
    for pin in listed.values():
        earlier = before.get(pin.message_id)
        if earlier is None or earlier.time < pin.time:
            added.append(pin)
    for pin in before.values():
        now = listed.get(pin.message_id)
        covered = page.reached < pin.time and (below is None or pin.time < below)
        if now.time > pin.time if now is not None else covered:
            removed.append(pin)
    return Changes(tuple(added), tuple(sorted(removed, key=lambda pin: -pin.time)))


def moment_of(time: object) -> int | None:
    """A time of the platform's as ms UTC; None when it is none that a calendar has."""
    return int(time) if isinstance(time, str) and time.isascii() and time.isdecimal() and len(time) <= 13 else None


def _pin(item: object) -> Pin:
    if isinstance(item, dict):
        message_id, time, operator = item.get("message_id"), item.get("create_time"), item.get("operator_id")
        at = moment_of(time)
        if isinstance(message_id, str) and message_id and at is not None:
            return Pin(message_id, at, operator if isinstance(operator, str) else "")
    raise Malformed("a pin has no message_id or no create_time")

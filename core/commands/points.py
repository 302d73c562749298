"""A place in the journal as people name it: an event's number, a time, or how long ago."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from ..storage.protocol import JournalHandle

_AGO: Final = re.compile(r"(\d{1,6})([mhdw])")
_UNITS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}


@dataclass(frozen=True, slots=True)
class Point:
    """One of the three."""

    seq: int | None = None
    at: datetime | None = None
    ago: int = 0
    """ms."""

    def moment(self, zone: ZoneInfo, now: int) -> int:
        """ms UTC; a time without an offset is in ``zone``."""
        if self.at is None:
            return now - self.ago
        return round((self.at if self.at.tzinfo else self.at.replace(tzinfo=zone)).timestamp() * 1000)

    def before(self, journal: JournalHandle, zone: ZoneInfo, now: int) -> int:
        """The last position before it."""
        return self.seq - 1 if self.seq is not None else journal.before(self.moment(zone, now))


def point(text: str) -> Point:
    """Any of the three; a usage error shows what is possible."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 15:
        return Point(seq=max(1, int(text)))
    return moment(text)


def moment(text: str) -> Point:
    """A time, or how long ago."""
    text = text.strip()
    ago = _AGO.fullmatch(text)
    if ago:
        return Point(ago=int(ago[1]) * _UNITS[ago[2]])
    try:
        return Point(at=datetime.fromisoformat(text))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time; write 2026-11-01, 2026-11-01T09:30, 7d or 12h") from error

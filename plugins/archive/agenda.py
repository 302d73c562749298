"""What is to be looked at when: subjects in the order of their times, and the timer for the first of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from core import Context, Table

SECONDS: Final = 1.0
"""After this time a call ends as far as it is, so that events are not held up."""
MOST: Final = 500
"""Subjects in one call at the most."""

Look = Callable[[str, Context[Any]], Awaitable[int | None]]
"""Looks at a subject; when to look again (ms UTC), or None."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """One of them; ``table`` has the key (at, subject), ``schedule`` is the timer's name."""

    table: Table
    schedule: str

    def put(self, ctx: Context[Any], subject: str, at: int, before: int | None = None) -> int:
        """Look at ``subject`` at ``at`` (ms UTC) and no longer at ``before``; not for use within ``work``."""
        rows = ctx.table(self.table)
        if before is not None:
            rows.delete(before, subject)
        rows.set(at, subject)
        armed = ctx.armed(self.schedule)
        if armed is None or at < armed:
            ctx.schedule(self.schedule, at=at)
        return at

    async def work(self, ctx: Context[Any], look: Look) -> None:
        """Look at what is due, for about ``SECONDS``; called by ``on_schedule``, when all that was put is stored."""
        rows = ctx.table(self.table)
        now, time = ctx.now(), asyncio.get_running_loop().time
        until = time() + SECONDS
        following: list[int] = []
        for number, row in enumerate(islice(rows.scan(), MOST + 1)):
            at, subject = row["at"], row["subject"]
            if at > now or number == MOST or (number and time() >= until):
                following.append(at)
                break
            rows.delete(at, subject)
            again = await look(subject, ctx)
            if again is not None:
                rows.set(again, subject)
                following.append(again)
        if following:
            ctx.schedule(self.schedule, at=min(following))

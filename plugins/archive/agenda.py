"""What is to be looked at when: subjects in the order of their times, and the timer for the first of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from core import Context, Table

SECONDS: Final = 1.0
"""After this time a call ends as far as it is, so that events are not held up."""
MOST: Final = 500
"""Subjects in one call at the most."""

PUT_OFF: Final = 10 * 60 * 1000
"""ms until a subject is looked at again whose look has failed; the others do not wait for it."""

Look = Callable[[str, Context[Any]], Awaitable[int | None]]
"""Looks at a subject; when to look again (ms UTC), or None."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """One of them; ``table`` has the key (at, subject), ``schedule`` is the timer's name."""

    table: Table
    schedule: str
    failed: set[str] = field(default_factory=set, compare=False)
    """Subjects whose look has failed, and took all that the call did with it; after a restart it may do so again."""

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
            again = await self._looked(subject, look, ctx)
            if again is not None:
                rows.set(again, subject)
                following.append(again)
        if following:
            ctx.schedule(self.schedule, at=min(following))

    async def _looked(self, subject: str, look: Look, ctx: Context[Any]) -> int | None:
        if subject in self.failed:
            self.failed.discard(subject)
            return ctx.now() + PUT_OFF
        try:
            return await look(subject, ctx)
        except (Exception, asyncio.CancelledError):
            self.failed.add(subject)
            raise

"""What is to be looked at when, where a look fails."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

from core import Context, Manifest, Message, Number, Schedule, Table, Text, Timestamp, hookimpl
from core.testing import Harness
from plugins.archive.agenda import PUT_OFF, Agenda

AT = Table("at", (Timestamp("at"), Text("subject")), key=("at", "subject"))
SEEN = Table("seen", (Text("subject"), Number("times")), key=("subject",))
manifest = Manifest(name="looking", summary="Looks.", tables=(AT, SEEN), schedules=(Schedule("look"),))
AGENDA = Agenda(AT, "look")
failed: list[int] = []


@hookimpl
async def on_message(message: Message, ctx: Context[Any]) -> None:
    """Whoever says something is looked at in a second."""
    AGENDA.put(ctx, message.sender.open_id, ctx.now() + 1000)


@hookimpl
async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
    """Look at who is due."""
    await AGENDA.work(ctx, look)


async def look(subject: str, ctx: Context[Any]) -> int | None:
    """Count it; at ``ou_li`` it never succeeds."""
    ctx.table(SEEN).add(subject, times=1)
    if subject == "ou_li":
        failed.append(ctx.now())
        raise ZeroDivisionError("division by zero")
    return None


async def test_a_look_that_fails_does_not_hold_up_the_others() -> None:
    lark = Harness(sys.modules[__name__])
    with lark.expect(ZeroDivisionError):
        async with lark:
            await lark.say("ou_li", "一")
            await lark.say("ou_wang", "二")
            await lark.say("ou_zhang", "三")
            await lark.advance(minutes=1)
            assert {row["subject"]: row["times"] for row in lark.rows(SEEN)} == {"ou_wang": 1, "ou_zhang": 1}
            await lark.advance(hours=1)
            assert len(lark.rows(SEEN)) == 2
    assert 4 <= len(failed) <= 7
    assert all(after - before >= PUT_OFF for before, after in pairwise(failed))

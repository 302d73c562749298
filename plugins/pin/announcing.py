"""Telling groups of their pins: at once of new ones, and of the week's on a day that the operator chose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from core import Context, Row

from . import card
from .content import link_of, local
from .settings import Watching
from .tables import KNOWN, PIN

WEEK: Final = 7 * 24 * 3600 * 1000
LATE: Final = 24 * 3600 * 1000
"""ms after which an audit that was missed is not sent any more."""


async def announce(ctx: Context[Watching], chat_id: str, *, since: int) -> None:
    """One card for all new pins of the group that have been read, if they are not from before ``since`` (ms UTC)."""
    known = ctx.table(KNOWN)
    ready = [row for row in known.find(chat_id=chat_id) if row["announce"] and not row["unread"]]
    for row in ready:
        known.set(chat_id, row["message_id"], row["time"], announce=0)
    news = [row for row in ready if row["time"] >= since and not _recalled(ctx, row)]
    if news:
        news.sort(key=lambda row: -row["time"])
        newest = news[0]
        shown = await _shown(ctx, news[: card.MOST_SHOWN])
        key = f"pin:{chat_id}:{newest['message_id']}:{newest['time']}"
        ctx.send(chat_id, "interactive", card.announcement(shown, len(news)), key=key)


def next_audit(after: int, zone: ZoneInfo, day: str, time: str) -> int:
    """The first moment later than ``after`` at which it is ``time`` on that ``day`` of the week in ``zone``; ms UTC."""
    hour, minute = map(int, time.split(":"))
    moments = CronSim(f"{minute} {hour} * * {day.upper()}", datetime.fromtimestamp(after / 1000, zone))
    return round(next(moments).timestamp() * 1000)


def arm_audit(ctx: Context[Watching]) -> None:
    """Set the timer of the next audit, unless it is set for this day and time already."""
    config = ctx.config
    wanted = f"{config.audit_day} {config.audit_time} {ctx.timezone}"
    armed = ctx.state.get("audit") or {}
    if config.audit:
        before, due = ctx.armed("audit"), next_audit(ctx.now(), ctx.timezone, config.audit_day, config.audit_time)
        # Later than the next one only a wrong clock armed it.
        if armed.get("wanted") != wanted or before is None or before > due:
            ctx.state.set("audit", {"wanted": wanted, "due": due})
            ctx.schedule("audit", at=due)


async def audit(ctx: Context[Watching]) -> None:
    """Send each group the pins of the week that ended when this was due; nothing where there were none."""
    due = (ctx.state.get("audit") or {}).get("due", ctx.now())
    if not ctx.config.audit:
        return
    if ctx.now() - due > LATE:
        ctx.log.info("The audit of pins due {due} was missed and is left out.", due=local(due, ctx.timezone))
    else:
        for chat_id in dict.fromkeys(await ctx.groups()):
            await _audit_group(ctx, chat_id, due)
    ctx.state.set("audit", None)
    arm_audit(ctx)


async def _audit_group(ctx: Context[Watching], chat_id: str, until: int) -> None:
    week = [row for row in ctx.table(KNOWN).find(chat_id=chat_id) if until - WEEK <= row["time"] < until]
    if not week:
        return
    week.sort(key=lambda row: -row["time"])
    counts = Counter(row["operator"] for row in week).most_common()
    names = await _names(ctx, [operator for operator, _ in counts])
    standing = [row for row in week if row["removed"] is None]
    document = card.audit(
        await _shown(ctx, standing[: card.MOST_AUDITED]),
        [(names[operator], count) for operator, count in counts],
        standing=len(standing),
        since=local(until - WEEK, ctx.timezone),
        until=local(until, ctx.timezone),
    )
    ctx.send(chat_id, "interactive", document, key=f"audit:{chat_id}:{until}")


async def _shown(ctx: Context[Watching], rows: Sequence[Row]) -> list[card.Shown]:
    """Pins as cards show them."""
    pins = [ctx.table(PIN).get(row["message_id"]) or PIN.blank for row in rows]
    names = await _names(ctx, [*(pin["sender_id"] for pin in pins), *(row["operator"] for row in rows)])
    return [
        card.Shown(
            text=pin["content"],
            sender=names[pin["sender_id"]],
            operator=names[row["operator"]],
            pinned=local(row["time"], ctx.timezone),
            link=link_of(row["chat_id"], row["message_id"]),
            files=len(pin["files"]),
        )
        for row, pin in zip(rows, pins, strict=True)
    ]


async def _names(ctx: Context[Watching], ids: Iterable[str]) -> Mapping[str, str]:
    """What to call each of ``ids``; empty who is unknown."""
    wanted = dict.fromkeys(ids)
    people = [one for one in wanted if one.startswith("ou_")]
    known = await ctx.names(people) if people else {}
    return {one: card.BOT if one.startswith("cli_") else known.get(one, "") for one in wanted}


def _recalled(ctx: Context[Watching], row: Row) -> bool:
    pin = ctx.table(PIN).get(row["message_id"])
    return pin is not None and bool(pin["recalled"])

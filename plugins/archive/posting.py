"""Sending the digest: each one once, at its time or after a start that came too late for it."""

from __future__ import annotations

from datetime import datetime

from core import Context

from .digest import LATEST, card, chosen, following, latest
from .settings import ArchiveConfig
from .tables import NAMES, TOPICS

DIGEST = "digest"

Ctx = Context[ArchiveConfig]


def plan(ctx: Ctx) -> None:
    """Arm the timer for the next digest; one that was missed while the program was off is due now."""
    config = ctx.config
    plan = f"{config.digest} {config.digest_time} {config.digest_weekday} {ctx.timezone.key}"
    changed = ctx.state.get("digest", "") != plan
    ctx.state.set("digest", plan)
    if config.digest != "off":
        armed, at = ctx.armed(DIGEST), following(config, ctx.now(), ctx.timezone)
        if changed or armed is None or armed > at:  # Later than the next one only a wrong clock armed it.
            ctx.schedule(DIGEST, at=at)


async def send(ctx: Ctx) -> None:
    """Send the digest that is due, unless it is too late or there is nothing to tell."""
    config, now = ctx.config, ctx.now()
    if config.digest == "off":
        return
    ctx.schedule(DIGEST, at=following(config, now, ctx.timezone))
    start, end = latest(config, now, ctx.timezone)
    if now - end > LATEST:
        due = datetime.fromtimestamp(end / 1000, ctx.timezone)
        ctx.log.info("the digest of {due:%Y-%m-%d %H:%M} was missed", due=due)
        return
    by_group = chosen(ctx.table(TOPICS).scan(), start, end)
    people = {topic["starter_id"] for topics in by_group.values() for topic in topics if topic["person_id"]}
    names = await ctx.names(sorted(people)) if people else {}
    for chat_id, topics in sorted(by_group.items()):
        if ctx.chats and chat_id not in ctx.chats:
            continue
        group = (ctx.table(NAMES).get(chat_id) or {}).get("name") or chat_id
        told = card(
            config.digest,
            (start, end),
            topics,
            names,
            ctx.timezone,
            group=group if config.digest_chat else "",
        )
        ctx.send(config.digest_chat or chat_id, "interactive", told, key=f"digest:{end}:{chat_id}")

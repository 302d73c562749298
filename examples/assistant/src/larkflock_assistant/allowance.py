"""How much may be spent: the tokens of a day, the API calls of a month."""

from __future__ import annotations

from datetime import datetime

from core import Context

from .settings import AssistantConfig

Ctx = Context[AssistantConfig]


def resting(ctx: Ctx) -> str:
    """Why nothing is answered now, in words for whoever asks; empty = it is."""
    if spent(ctx) >= ctx.config.daily_tokens:
        return "今天的额度用完了，明天再问我吧。"
    if ctx.budget().left <= ctx.config.reserve:
        return "这个月的调用次数快用完了，下个月再问我吧。"
    return ""


def spent(ctx: Ctx) -> int:
    """Tokens spent since midnight, about."""
    known = ctx.state.get("spent", {})
    return int(known.get("tokens", 0)) if known.get("day") == today(ctx) else 0


def spend(tokens: int, ctx: Ctx) -> None:
    """Note that so many were spent."""
    ctx.state.set("spent", {"day": today(ctx), "tokens": spent(ctx) + tokens})


def today(ctx: Ctx) -> str:
    """The day (``TIMEZONE``), ``YYYY-MM-DD``."""
    return datetime.fromtimestamp(ctx.now() / 1000, ctx.timezone).date().isoformat()

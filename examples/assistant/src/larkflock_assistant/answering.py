"""From a question to an answer in a card: what is waiting is answered, a few at a time.

It is done in two steps, each stored before the next: first a card entity is made, then it is sent and filled. So a
restart in the middle goes on with the same card, and a message is answered once.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final

from core import ApiFailure, Context, QuotaExhausted, Row

from . import cards
from .memory import Turn, chat, tokens
from .model import Model, Unanswered
from .settings import AssistantConfig
from .tables import CONVERSATIONS, TURNS

AT_ONCE: Final = 4
"""Questions that are answered side by side."""
MOST_TRIES: Final = 3
"""Times a question is taken up when the platform fails."""
FIRST_GAP: Final = 1.0
"""Seconds until a card grows for the first time; each later gap is half as long again."""
GROWTH: Final = 1.5
AGAIN: Final = 5_000
"""ms until a question is taken up again."""

Ctx = Context[AssistantConfig]


async def work(ctx: Ctx, model: Model) -> None:
    """Answer what has a card, make cards for what has none, and come back while something is left."""
    turns = ctx.table(TURNS)
    ready = sorted(turns.find(state="card"), key=lambda row: row["asked"])[:AT_ONCE]
    fresh = sorted(turns.find(state="new"), key=lambda row: row["asked"])[:AT_ONCE]
    await asyncio.gather(*(_answer(row, ctx, model) for row in ready), *(_prepare(row, ctx) for row in fresh))
    left = [*turns.find(state="card"), *turns.find(state="new")]
    if left:
        failing = all(row["tries"] for row in left)
        ctx.schedule("answer", at=ctx.now() + (AGAIN if failing else 0))


def sequence(row: Row, now: int) -> int:
    """The next number of a card's changes: they have to grow, also after a restart, and a card takes ten a second."""
    return max(1, int(now - row["begun"]) // 100)


def gaps(updates: int) -> list[float]:
    """Seconds between the times a card grows."""
    return [FIRST_GAP * GROWTH**number for number in range(updates)]


async def _prepare(row: Row, ctx: Ctx) -> None:
    """Make the card."""
    key = row["message_id"]
    try:
        made = await ctx.call(cards.create(cards.growing()))
    except ApiFailure as error:
        _failed(row, error, ctx)
    else:
        ctx.table(TURNS).set(key, state="card", card_id=str(made["card_id"]), begun=ctx.now() - 1_000, tries=0)


async def _answer(row: Row, ctx: Ctx, model: Model) -> None:
    """Send the card and fill it."""
    key, card_id = row["message_id"], row["card_id"]
    try:
        if not row["answer"]:  # One that is answered anew has been sent already.
            await ctx.call(cards.reply(key, card_id, uuid=f"assistant-{key}"[:50]))
        text, state = await _grown(row, ctx, model)
        await ctx.call(cards.replace(card_id, cards.complete(text, key), sequence(row, ctx.now())))
    except ApiFailure as error:
        _failed(row, error, ctx)
    else:
        ctx.table(TURNS).set(key, state=state, answer=text, tries=0)


async def _grown(row: Row, ctx: Ctx, model: Model) -> tuple[str, str]:
    """The whole answer, shown as it grows, or in its place what went wrong; and the state of the turn then."""
    spent = spent_today(ctx)
    if spent >= ctx.config.daily_tokens:
        return "今天的额度用完了，明天再问我吧。", "failed"
    said = _conversation(row, ctx)
    text, shown = "", ""
    waits = iter(gaps(ctx.config.updates if ctx.budget().left > ctx.config.reserve else 0))
    loop = asyncio.get_running_loop()
    due = loop.time() + next(waits, float("inf"))
    try:
        async with asyncio.timeout(ctx.config.timeout):
            async for text in model.answer(said):
                if loop.time() >= due and text != shown:
                    await ctx.call(cards.grow(row["card_id"], text, sequence(row, ctx.now())))
                    shown, due = text, loop.time() + next(waits, float("inf"))
    except (Unanswered, TimeoutError) as error:
        reason = str(error) or "模型没有及时回答"
        ctx.log.warning("a question was not answered: {reason}", reason=reason)
        return f"{text}\n\n（{reason}，可以稍后再试。）".lstrip(), "failed"
    _count(row, sum(tokens(one["content"]) for one in said) + tokens(text), ctx)
    return text, "done"


def _conversation(row: Row, ctx: Ctx) -> list[Any]:
    """What the model is given: the turns of the thread before this one, since it was last made to forget."""
    conversation = ctx.table(CONVERSATIONS).get(row["conversation_id"])
    since = (conversation["since"] if conversation else None) or 0
    before = [
        one
        for one in ctx.table(TURNS).find(conversation_id=row["conversation_id"])
        if one["state"] == "done" and since <= one["asked"] < row["asked"]
    ]
    before.sort(key=lambda one: one["asked"])
    config = ctx.config
    return chat(
        config.system,
        [Turn(one["question"], one["answer"]) for one in before],
        row["question"],
        most_turns=config.memory_turns,
        most_tokens=config.memory_tokens,
    )


def spent_today(ctx: Ctx) -> int:
    """Tokens spent since midnight, about."""
    spent = ctx.state.get("spent", {})
    return int(spent.get("tokens", 0)) if spent.get("day") == _today(ctx) else 0


def _count(row: Row, count: int, ctx: Ctx) -> None:
    ctx.state.set("spent", {"day": _today(ctx), "tokens": spent_today(ctx) + count})
    ctx.table(CONVERSATIONS).add(row["conversation_id"], tokens=count)


def _today(ctx: Ctx) -> str:
    return datetime.fromtimestamp(ctx.now() / 1000, ctx.timezone).date().isoformat()


def _failed(row: Row, error: ApiFailure, ctx: Ctx) -> None:
    """The platform did not take it: once more, some times; not when the month's calls are spent."""
    tries = row["tries"] + 1
    over = tries >= MOST_TRIES or isinstance(error, QuotaExhausted)
    if over:
        ctx.log.error("{id} is not answered: {error}", id=row["message_id"], error=error)
    ctx.table(TURNS).set(row["message_id"], tries=tries, **({"state": "failed"} if over else {}))

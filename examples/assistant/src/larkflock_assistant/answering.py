"""From a question to an answer in a card: step by step, each stored before the next.

A card entity is made, it is sent, it grows, it is complete. So a restart in the middle goes on with the same card, and
a message is answered once. Each look is short: between two of them the plugin hears its events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from core import ApiError, ApiFailure, Context, Row, Unreachable

from . import allowance, cards
from .desk import Desk
from .draft import Draft
from .memory import Said, Turn, chat
from .settings import AssistantConfig
from .tables import CONVERSATIONS, OPEN, TURNS

LOOK: Final = 0.5
"""Seconds after which a card is looked at again while its answer is written."""
AGAIN: Final = 3_000
"""ms until a platform that cannot be reached is tried again."""
LATE: Final = 10 * 60 * 1000
"""ms after which nobody waits for an answer any more."""
SENT_BEFORE: Final = 18121
"""A message with the same ``uuid`` is there, or on its way."""
BUSY: Final = frozenset({230020, 230049})
"""Too much is sent to this chat; the message is still being sent (FEISHU.md §4.1)."""
UNSHOWN: Final = "（平台没有接受这个回答。）"
WORDS: Final = {"recalled": ("（问题已撤回。）", "gone"), "stopped": ("（已停下。）", "failed")}
"""What a card says whose answer is not to come, and the state of the turn then."""

Ctx = Context[AssistantConfig]


def waiting(ctx: Ctx) -> list[Row]:
    """The turns with which something is left to do, the oldest first."""
    turns = ctx.table(TURNS)
    return sorted((row for state in OPEN for row in turns.find(state=state)), key=lambda row: row["asked"])


async def look(ctx: Ctx, desk: Desk) -> None:
    """Take every open question a step further, and come back while some are left."""
    rows = waiting(ctx)
    for row in rows:
        if row["state"] in WORDS and (draft := desk.draft(row["message_id"])) is not None:
            _pay(row, draft, ctx)  # What is stopped has been asked for all the same.
    desk.keep({row["message_id"] for row in rows if row["state"] == "asked"})
    if rows and all(desk.draft(row["message_id"]) for row in rows):
        await desk.ended(LOOK)
    pause = 0
    for row in rows:
        try:
            await _step(row, ctx, desk)
        except ApiFailure as error:
            if isinstance(error, ApiError) and error.scopes:
                raise  # The kernel holds the plugin back until the scope is granted.
            pause = max(pause, _failed(row, error, ctx))
    if waiting(ctx):
        ctx.schedule("answer", at=ctx.now() + pause)


def _failed(row: Row, error: ApiFailure, ctx: Ctx) -> int:
    """Try it again in so many ms, or give it up."""
    if _passes(error):
        ctx.log.warning("The answer to {id} has to wait: {error}", id=row["message_id"], error=error)
        return AGAIN
    ctx.log.error("{id} is not answered: {error}", id=row["message_id"], error=error)
    ctx.table(TURNS).set(row["message_id"], state="failed")
    return 0


async def _step(row: Row, ctx: Ctx, desk: Desk) -> None:
    """The next step of one question. Raises ``ApiFailure``."""
    turns, key, state = ctx.table(TURNS), row["message_id"], row["state"]
    if state in WORDS:
        words, after = WORDS[state]
        if row["card_id"]:
            await _change(row, ctx, lambda number: cards.replace(row["card_id"], cards.complete(words, key), number))
        turns.set(key, state=after)
    elif state in ("new", "card") and ctx.now() - row["asked"] >= LATE:
        turns.set(key, state="failed")
    elif state == "new":
        made = await ctx.call(cards.create(cards.growing()))
        turns.set(key, state="card", card_id=str(made["card_id"]), begun=ctx.now())
    elif state == "card":
        await _send(row, ctx)
        turns.set(key, state="asked")
        desk.ask(key, _conversation(row, ctx))
    elif state == "again":
        await _change(row, ctx, lambda number: cards.replace(row["card_id"], cards.growing(), number))
        turns.set(key, state="asked")
        desk.ask(key, _conversation(row, ctx))
    else:
        draft = desk.draft(key) or desk.ask(key, _conversation(row, ctx))
        await (_complete(row, draft, ctx) if draft.over else _grow(row, draft, ctx))


async def _send(row: Row, ctx: Ctx) -> None:
    """Answer the message with its card; once, however often it is done."""
    key = row["message_id"]
    try:
        await ctx.call(cards.reply(key, row["card_id"], uuid=f"assistant-{key}"[:50]))
    except ApiError as error:
        if error.code != SENT_BEFORE:
            raise


async def _grow(row: Row, draft: Draft, ctx: Ctx) -> None:
    """Show the text so far, if it is time; when that fails the whole text comes all the same."""
    text = draft.growth(asyncio.get_running_loop().time())
    if text:
        try:
            await _change(row, ctx, lambda number: cards.grow(row["card_id"], text, number))
        except ApiFailure as error:
            ctx.log.info("A card did not grow: {error}", error=error)


async def _complete(row: Row, draft: Draft, ctx: Ctx) -> None:
    """Show the whole answer, or what went wrong."""
    key, text = row["message_id"], draft.text
    if draft.problem:
        log = ctx.log.opt(exception=draft.surprise)
        log.warning("The question {id} was not answered: {reason}", id=key, reason=draft.problem)
        text = f"{text}\n\n（{draft.problem}，可以稍后再试。）".lstrip()
    state = "failed" if draft.problem else "done"
    try:
        await _change(row, ctx, lambda number: cards.replace(row["card_id"], cards.complete(text, key), number))
    except ApiError as error:
        if _passes(error) or error.scopes:
            raise
        ctx.log.warning("The platform does not take the answer to {id}: {error}", id=key, error=error)
        await _change(row, ctx, lambda number: cards.replace(row["card_id"], cards.complete(UNSHOWN, key), number))
        state = "failed"
    _pay(row, draft, ctx)
    ctx.table(TURNS).set(key, state=state, answer=text)


def _pay(row: Row, draft: Draft, ctx: Ctx) -> None:
    """Count what an answer cost."""
    allowance.spend(draft.cost, ctx)
    ctx.table(CONVERSATIONS).add(row["conversation_id"], tokens=draft.cost)


async def _change(row: Row, ctx: Ctx, request: Callable[[int], Any]) -> None:
    """Change the card under the next number: numbers have to grow, also when a crash forgets the last one."""
    turns, key = ctx.table(TURNS), row["message_id"]
    before = turns.get(key) or row
    number = max(int(before["sequence"]) + 1, ctx.now() - (before["begun"] or 0))
    turns.set(key, sequence=number)
    await ctx.call(request(number))


def _passes(error: ApiFailure) -> bool:
    """Whether the same call may succeed later."""
    return isinstance(error, Unreachable) or (isinstance(error, ApiError) and (error.passing or error.code in BUSY))


def _conversation(row: Row, ctx: Ctx) -> list[Said]:
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

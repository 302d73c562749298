"""A plugin that does what a message tells it, good or bad: what the harness is tried on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

from core import (
    CardAction,
    Config,
    Context,
    Event,
    Json,
    Malformed,
    Manifest,
    Message,
    NotReady,
    Number,
    Reaction,
    Read,
    Recall,
    Retry,
    Schedule,
    Table,
    Text,
    Undeclared,
    hookimpl,
)

HEARD = Table("heard", (Text("what"), Number("times"), Json("detail", optional=True)), key=("what",))
BUTTON = {
    "tag": "button",
    "text": {"tag": "plain_text", "content": "OK"},
    "behaviors": [{"type": "callback", "value": {"op": "ok"}}],
}
CARD = {"schema": "2.0", "body": {"elements": [BUTTON]}}
HIDDEN = Table("hidden", (Text("what"),), key=("what",))


class Options(Config):
    ready_at: int = 0
    """ms UTC before which the plugin is not ready."""
    lingering: bool = False
    suffix: str = ""


manifest = Manifest(
    name="obedient",
    summary="Does what it is told.",
    permissions=(
        "im:chat:readonly",
        "im:message:send_as_bot",
        "im:message:readonly",
        "im:resource",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
    ),
    tables=(HEARD,),
    config=Options,
    events=("attachment.done", "obedient.done", "im.chat.member.user.added_v1", "im.chat.member.user.deleted_v1"),
    publishes=("obedient.done",),
    schedules=(Schedule("ring"),),
)

_forgetful: list[str] = []
"""What no plugin should keep in a global."""
_lingering: list[asyncio.Task[None]] = []


@hookimpl
async def startup(ctx: Context[Options]) -> None:
    if ctx.now() < ctx.config.ready_at:
        raise NotReady("too early")
    if ctx.config.lingering:
        _lingering.append(asyncio.create_task(asyncio.sleep(3600)))
    note(ctx, "startup")


@hookimpl
async def on_message(message: Message, ctx: Context[Options]) -> None:
    note(ctx, f"{message.message_type}{ctx.config.suffix}", [message.chat_type, message.parent_id, message.root_id])
    if message.message_type == "image":
        ctx.attach(message.id, message.content["image_key"], "image")
    if message.message_type != "text":
        return
    word, _, rest = message.content["text"].partition(" ")
    match word:
        case "raise":
            raise ValueError(rest)
        case "malformed":
            raise Malformed(rest)
        case "retry":
            if ctx.now() < message.create_time + 60_000:
                raise Retry("later", after=60)
            note(ctx, "tried again")
        case "block":
            time.sleep(float(rest))  # noqa: ASYNC251  # That is what is to be found.
        case "leave":
            _lingering.append(asyncio.create_task(asyncio.sleep(3600)))
        case "undeclared":
            ctx.table(HIDDEN)
        case "swallow":
            with contextlib.suppress(Undeclared):
                ctx.table(HEARD).set("x", colour="red")
        case "connect":
            socket.create_connection((rest, 80), timeout=1)
        case "look_up":
            await asyncio.get_running_loop().getaddrinfo(rest, 80)
        case "wait":
            await asyncio.Event().wait()
        case "sleep":
            async with asyncio.timeout(5):
                await pause(float(rest))
        case "call":
            await call(rest, ctx)
        case "send":
            ctx.send(message.chat_id, "text", {"text": rest}, key=f"{message.id}", reply_to=message.id)
        case "card":
            ctx.send(message.chat_id, "interactive", CARD, key=message.id)
        case "publish":
            ctx.publish("obedient.done", message.id, {"message_id": message.id})
        case "arm":
            ctx.schedule("ring", at=ctx.now() + int(rest) * 1000)
        case "remember":
            _forgetful.append(rest)
            ctx.state.set("remembered", len(_forgetful))
        case "names":
            ctx.state.set("names", await ctx.names([mention.open_id for mention in message.mentions]))
            ctx.state.set("groups", list(await ctx.groups()))


@hookimpl
async def on_reaction(reaction: Reaction, ctx: Context[Options]) -> None:
    note(ctx, f"{'+' if reaction.added else '-'}{reaction.emoji}")


@hookimpl
async def on_recall(recall: Recall, ctx: Context[Options]) -> None:
    note(ctx, "recall", recall.message_id)


@hookimpl
async def on_read(read: Read, ctx: Context[Options]) -> None:
    note(ctx, "read", list(read.message_ids))


@hookimpl
async def on_card(action: CardAction, ctx: Context[Options]) -> None:
    note(ctx, "card", [action.value, action.form, action.option, action.message_id, action.chat_id])
    ctx.answer("Done.", kind="success")


@hookimpl
async def on_event(event: Event, ctx: Context[Options]) -> None:
    note(ctx, event.type, event.event)


@hookimpl
async def on_schedule(schedule: str, ctx: Context[Options]) -> None:
    note(ctx, schedule, ctx.now())


async def pause(seconds: float) -> None:
    """Sleep two calls below the hook."""
    await asyncio.sleep(seconds)


async def call(chat_id: str, ctx: Context[Options]) -> None:
    """Ask for a chat's name."""
    from lark_oapi.api.im.v1 import GetChatRequest

    chat = await ctx.call(GetChatRequest.builder().chat_id(chat_id).build())
    ctx.state.set("name", chat["name"])


def note(ctx: Context[Options], what: str, detail: Any = None) -> None:
    """Count what happened."""
    ctx.table(HEARD).add(what, times=1)
    ctx.table(HEARD).set(what, detail=detail)

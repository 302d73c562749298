"""Answers commands such as ``/rank`` with what other plugins know; ``README.md`` says how to add one."""

from __future__ import annotations

from typing import Final

from core import CardAction, Context, Json, Manifest, Message, Table, Text, hookimpl

from .answering import Failed, answered
from .asked import Asked, asked
from .bot import myself
from .card import card
from .command import Answer, Call, Usage
from .pace import MINUTE, allowed
from .registry import registry
from .settings import CommandsConfig

REGISTRY: Final = registry()

ASKERS: Final = Table("askers", (Text("user_id"), Json("moments")), key=("user_id",))
"""When each person asked within a minute; private."""

LATE: Final = 10 * MINUTE
"""ms after which a message is not answered any more: it was read after an outage."""

manifest = Manifest(
    name="commands",
    summary="Answers /help, /rank, /topics, /pins and the commands that other packages add.",
    permissions=(
        "im:message.group_msg",
        "im:message.p2p_msg:readonly",
        "im:message:send_as_bot",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
    ),
    tables=(ASKERS,),
    config=CommandsConfig,
    reads=REGISTRY.reads,
    carried=("askers",),
)


@hookimpl
async def startup(ctx: Context[CommandsConfig]) -> None:
    """Tell once what is wrong with commands of other packages, and with aliases."""
    for problem in REGISTRY.problems:
        ctx.log.warning("{problem}; it is left out", problem=problem)
    for word, name in ctx.config.aliases.items():
        if not REGISTRY.has(name):
            ctx.log.warning("alias {word} stands for /{name}, and there is no such command", word=word, name=name)


@hookimpl
async def on_message(message: Message, ctx: Context[CommandsConfig]) -> None:
    """Answer a command."""
    if message.sender.is_bot or message.message_type != "text" or ctx.now() - message.create_time >= LATE:
        return
    text, mentions = str(message.content.get("text", "")), message.mentions
    wanted = asked(text, [one.key for one in mentions], ctx.config.aliases)
    if wanted is None or not (REGISTRY.has(wanted.name) or (wanted.slash and ctx.config.hint)):
        return
    if not await _meant(message, ctx) or not _in_pace(message.sender.open_id, ctx):
        return
    call = Call(wanted.arguments, message.chat_id, message.in_group, message.sender.open_id, ctx.now(), ctx.timezone)
    answer = await _answer(wanted, call, ctx)
    if answer is not None:
        shown = card(wanted.name, answer, in_group=message.in_group)
        ctx.send(message.chat_id, "interactive", shown, key=f"answer:{message.id}", reply_to=message.id)


@hookimpl
async def on_card(action: CardAction, ctx: Context[CommandsConfig]) -> None:
    """Show the answer to a button's arguments in the same card; other plugins' cards are none of ours."""
    name, arguments = action.value.get("commands"), action.value.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, str):
        return
    if not _in_pace(action.person.open_id, ctx):
        ctx.answer("请稍后再试。", kind="warning")
        return
    in_group = action.value.get("group") is True
    call = Call(tuple(arguments.split()), action.chat_id, in_group, action.person.open_id, ctx.now(), ctx.timezone)
    try:
        answer = await answered(name, call, ctx, REGISTRY)
    except (Usage, Failed) as problem:
        ctx.answer(str(problem), kind="warning")
    else:
        ctx.answer(card=card(name, answer, in_group=in_group))


async def _answer(wanted: Asked, call: Call, ctx: Context[CommandsConfig]) -> Answer | None:
    """What is answered to a message, also where the command has no answer; None for what was no command after all."""
    try:
        return await answered(wanted.name, call, ctx, REGISTRY)
    except Usage as problem:
        # Words that stand for a command are said for other reasons, too: 话题 真多.
        usage = REGISTRY.usage(wanted.name)
        return Answer(f"/{wanted.name}", (str(problem), f"用法：{usage}")) if wanted.slash else None
    except Failed as problem:
        return Answer(f"/{wanted.name}", (str(problem),))


async def _meant(message: Message, ctx: Context[CommandsConfig]) -> bool:
    """Whether it is said to this bot: privately always; in groups not when it is another one that is mentioned."""
    if not message.in_group:
        return True
    bots = [mention.open_id for mention in message.mentions if mention.is_bot]
    return await myself(ctx) in bots if bots else not ctx.config.needs_mention


def _in_pace(person: str, ctx: Context[CommandsConfig]) -> bool:
    askers = ctx.table(ASKERS)
    row = askers.get(person)
    moments = allowed(row["moments"] or () if row else (), ctx.now(), ctx.config.per_minute)
    if moments is None:
        return False
    askers.set(person, moments=moments)
    return True

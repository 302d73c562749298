"""Answers whoever mentions the bot, with a language model, in a card that grows; ``README.md`` says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import ApiFailure, CardAction, Context, Manifest, Message, Recall, Schedule, hookimpl, render

from .settings import AssistantConfig
from .tables import CONVERSATIONS, TURNS

if TYPE_CHECKING:
    from .model import Model

manifest = Manifest(
    name="assistant",
    summary="Answers whoever mentions the bot, with a language model.",
    permissions=(
        "im:message.group_at_msg:readonly",
        "im:message.p2p_msg:readonly",
        "im:message:readonly",  # recalls
        "im:message:send_as_bot",
        "cardkit:card:write",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
        "bitable:app",
    ),
    tables=(CONVERSATIONS, TURNS),
    config=AssistantConfig,
    schedules=(Schedule("answer", timeout=120.0),),
    commands="larkflock_assistant.commands:assistant",
)

LATE = 10 * 60 * 1000
"""ms after which a question is not answered any more: it was read after an outage."""

_models: dict[Context[AssistantConfig], Model] = {}
"""Open connections, nothing that has to be kept."""


@hookimpl
async def startup(ctx: Context[AssistantConfig]) -> None:
    """Go on with what was asked before."""
    if ctx.table(TURNS).find(state="new") or ctx.table(TURNS).find(state="card"):
        ctx.schedule("answer", at=ctx.now())


@hookimpl
async def on_message(message: Message, ctx: Context[AssistantConfig]) -> None:
    """Take down a question."""
    if message.sender.is_bot or message.message_type not in ("text", "post") or not await _meant(message, ctx):
        return
    turns = ctx.table(TURNS)
    if turns.get(message.id) is not None or ctx.now() - message.create_time >= LATE:
        return
    question = _question(message, ctx)
    conversation_id = (message.root_id or message.id) if message.in_group else message.chat_id
    conversations = ctx.table(CONVERSATIONS)
    if question in ctx.config.forget:
        if conversations.get(conversation_id) is not None:
            conversations.set(conversation_id, since=message.create_time)
        ctx.send(message.chat_id, "text", {"text": "好的，重新开始。"}, key=f"forgot:{message.id}", reply_to=message.id)
        return
    if not question:
        return
    if conversations.get(conversation_id) is None:
        conversations.set(
            conversation_id,
            title=question[:60],
            starter=message.sender.open_id,
            chat_id=message.chat_id,
            created=message.create_time,
        )
    conversations.add(conversation_id, turns=1)
    conversations.set(conversation_id, last=message.create_time)
    turns.set(
        message.id,
        conversation_id=conversation_id,
        chat_id=message.chat_id,
        asker=message.sender.open_id,
        question=question,
        state="new",
        asked=message.create_time,
    )
    ctx.schedule("answer", at=ctx.now())


@hookimpl
async def on_recall(recall: Recall, ctx: Context[AssistantConfig]) -> None:
    """Forget a question that was taken back, and its answer."""
    turns = ctx.table(TURNS)
    if turns.get(recall.message_id) is not None:
        turns.set(recall.message_id, state="gone", question="", answer="")


@hookimpl
async def on_card(action: CardAction, ctx: Context[AssistantConfig]) -> None:
    """Answer a question once more."""
    if action.value.get("assistant") != "again":
        return
    turn = ctx.table(TURNS).get(str(action.value.get("turn")))
    if turn is None or turn["chat_id"] != action.chat_id or turn["state"] == "gone":
        ctx.answer("这个问题已经不在了。", kind="warning")
    elif turn["state"] in ("new", "card"):
        ctx.answer("正在回答…")
    else:
        ctx.table(TURNS).set(turn["message_id"], state="card", tries=0)
        ctx.schedule("answer", at=ctx.now())
        ctx.answer("好的，重新回答。")


@hookimpl
async def on_schedule(schedule: str, ctx: Context[AssistantConfig]) -> None:
    """Answer what waits."""
    from .answering import work
    from .model import Model

    if ctx not in _models:
        _models[ctx] = Model(ctx.config)
    await work(ctx, _models[ctx])


@hookimpl
async def shutdown(ctx: Context[AssistantConfig]) -> None:
    """Let go of the connections to the model."""
    model = _models.pop(ctx, None)
    if model is not None:
        await model.close()


async def _meant(message: Message, ctx: Context[AssistantConfig]) -> bool:
    """Whether the bot is spoken to: privately always, in groups when it, and not another bot, is mentioned."""
    if not message.in_group:
        return True
    bots = [mention.open_id for mention in message.mentions if mention.is_bot]
    return bool(bots) and await _myself(ctx) in bots


async def _myself(ctx: Context[AssistantConfig]) -> str:
    """The bot's open_id, asked for once. Raises ``ApiFailure``."""
    from .cards import bot_info

    known = str(ctx.state.get("myself", ""))
    if not known:
        answer = await ctx.call(bot_info())
        known = str((answer.get("bot") or {}).get("open_id") or "")
        if not known:
            raise ApiFailure("the platform does not say who the bot is")
        ctx.state.set("myself", known)
    return known


def _question(message: Message, ctx: Context[AssistantConfig]) -> str:
    """What was asked: mentions of bots left out, those of people as names."""
    said = render(message.message_type, message.content, message.mentions, zone=ctx.timezone).text
    for mention in message.mentions:
        if mention.is_bot:
            said = said.replace(f"@{mention.name}", " ")
    return " ".join(said.split(" ")).strip()

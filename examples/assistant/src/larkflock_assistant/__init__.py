"""Answers whoever mentions the bot, with a language model, in a card that grows; ``README.md`` says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import ApiFailure, CardAction, Context, Manifest, Message, NotReady, Recall, Schedule, hookimpl, render

from .settings import AssistantConfig
from .tables import CONVERSATIONS, OPEN, TURNS

if TYPE_CHECKING:
    from .desk import Desk

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
    carried=("conversations", "turns", "state"),
    commands="larkflock_assistant.commands:assistant",
)

PRIVATE = "（私聊）"
"""The title of a private conversation: its table may be read by others."""
TAKEN_BACK = "（已撤回）"

_desks: dict[Context[AssistantConfig], Desk] = {}
"""What is being written; nothing that has to be kept."""


@hookimpl
async def startup(ctx: Context[AssistantConfig]) -> None:
    """Learn who the bot is, and go on with what was asked before."""
    from .answering import waiting
    from .desk import Desk

    await _learn_who_i_am(ctx)
    _desks[ctx] = Desk(ctx.config)
    if waiting(ctx):
        ctx.schedule("answer", at=ctx.now())


@hookimpl
async def on_message(message: Message, ctx: Context[AssistantConfig]) -> None:
    """Take down a question."""
    from .allowance import resting, today
    from .answering import LATE

    turns = ctx.table(TURNS)
    if turns.get(message.id) is not None or not _is_meant(message, ctx) or ctx.now() - message.create_time >= LATE:
        return
    question = _question(message, ctx)
    conversation_id = (message.root_id or message.id) if message.in_group else message.chat_id
    if question in ctx.config.forget:
        _forget(conversation_id, message.create_time, ctx)
        ctx.send(message.chat_id, "text", {"text": "好的，重新开始。"}, key=f"forgot:{message.id}", reply_to=message.id)
    elif question and (reason := resting(ctx)):
        ctx.send(message.chat_id, "text", {"text": reason}, key=f"rest:{message.chat_id}:{today(ctx)}")
    elif question:
        _note(conversation_id, question, message, ctx)
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
    """Forget a question that was taken back, and its answer, also in the card."""
    turns, conversations = ctx.table(TURNS), ctx.table(CONVERSATIONS)
    turn = turns.get(recall.message_id)
    if turn is None:
        return
    conversation = conversations.get(turn["conversation_id"])
    if conversation is not None and conversation["title"] == _title(turn["question"]):
        conversations.set(turn["conversation_id"], title=TAKEN_BACK)
    turns.set(recall.message_id, state="recalled", question="", answer="")
    ctx.schedule("answer", at=ctx.now())


@hookimpl
async def on_card(action: CardAction, ctx: Context[AssistantConfig]) -> None:
    """Answer a question once more; what other plugins' cards hold is none of ours."""
    from .allowance import resting

    if action.value.get("assistant") != "again":
        return
    turn = ctx.table(TURNS).get(str(action.value.get("turn")))
    if turn is None or turn["chat_id"] != action.chat_id or turn["state"] in ("recalled", "gone"):
        ctx.answer("这个问题已经不在了。", kind="warning")
    elif turn["state"] in OPEN:
        ctx.answer("正在回答…")
    elif reason := resting(ctx):
        ctx.answer(reason, kind="warning")
    else:
        ctx.table(TURNS).set(turn["message_id"], state="again")
        ctx.schedule("answer", at=ctx.now())
        ctx.answer("好的，重新回答。")


@hookimpl
async def on_schedule(schedule: str, ctx: Context[AssistantConfig]) -> None:
    """Take the open questions a step further."""
    from .answering import look

    await look(ctx, _desks[ctx])


@hookimpl
async def shutdown(ctx: Context[AssistantConfig]) -> None:
    """Stop writing; what is not answered yet is asked again at the next start."""
    desk = _desks.pop(ctx, None)
    if desk is not None:
        await desk.close()


async def _learn_who_i_am(ctx: Context[AssistantConfig]) -> None:
    """Keep the bot's open_id. Raises ``ApiFailure`` or ``NotReady`` when it cannot be known."""
    from .cards import bot_info

    try:
        answer = await ctx.call(bot_info())
    except ApiFailure:
        if not ctx.state.get("myself"):
            raise
        return
    myself = (answer.get("bot") or {}).get("open_id")
    if not myself:
        raise NotReady("the platform does not say who the bot is; is its bot switched on?")
    ctx.state.set("myself", str(myself))


def _is_meant(message: Message, ctx: Context[AssistantConfig]) -> bool:
    """Whether the bot is spoken to: privately always, in groups when it, and not another bot, is mentioned."""
    if message.sender.is_bot or message.message_type not in ("text", "post"):
        return False
    myself = ctx.state.get("myself")
    return not message.in_group or any(mention.open_id == myself for mention in message.mentions)


def _question(message: Message, ctx: Context[AssistantConfig]) -> str:
    """What was asked: the mention of the bot left out, those of people as names."""
    myself = ctx.state.get("myself")
    said = render(message.message_type, message.content, message.mentions, zone=ctx.timezone).text
    for mention in message.mentions:
        if mention.open_id == myself:
            said = said.replace(f"@{mention.name}", "")
    return said.strip()


def _note(conversation_id: str, question: str, message: Message, ctx: Context[AssistantConfig]) -> None:
    """Count the question in its conversation."""
    conversations = ctx.table(CONVERSATIONS)
    before = conversations.get(conversation_id)
    if before is None:
        conversations.set(
            conversation_id,
            title=_title(question) if message.in_group else PRIVATE,
            starter=message.sender.open_id,
            chat_id=message.chat_id,
            created=message.create_time,
        )
    last = max(message.create_time, (before["last"] if before else None) or 0)
    conversations.set(conversation_id, last=last)
    conversations.add(conversation_id, turns=1)


def _forget(conversation_id: str, time: int, ctx: Context[AssistantConfig]) -> None:
    """Begin the conversation anew at ``time`` (ms UTC), and write no answers in it that were asked for before."""
    turns, conversations = ctx.table(TURNS), ctx.table(CONVERSATIONS)
    if conversations.get(conversation_id) is None:
        return
    conversations.set(conversation_id, since=time)
    for turn in turns.find(conversation_id=conversation_id):
        if turn["state"] in ("new", "card", "asked", "again"):
            turns.set(turn["message_id"], state="stopped")
            ctx.schedule("answer", at=ctx.now())


def _title(question: str) -> str:
    return question[:60]

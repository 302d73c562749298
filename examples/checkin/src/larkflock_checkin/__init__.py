"""A daily check-in game: say 签到, earn more for each day in a row; ``README.md`` says how."""

from __future__ import annotations

from core import CardAction, Context, Manifest, Message, Schedule, hookimpl

from . import board
from .checking import DONE, Outcome, check_in, day_of
from .settings import CheckinConfig
from .tables import CHECKINS, STANDINGS

manifest = Manifest(
    name="checkin",
    summary="A daily check-in game: say 签到, earn more for each day in a row.",
    permissions=(
        "im:message.group_msg",
        "im:message:send_as_bot",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
        "bitable:app",
    ),
    tables=(CHECKINS, STANDINGS),
    config=CheckinConfig,
    publishes=(DONE,),
    schedules=(Schedule(board.SCHEDULE, timeout=60.0),),
)

LATE = 10 * 60 * 1000
"""ms after which a message is not answered any more: it was read after an outage."""


@hookimpl
async def startup(ctx: Context[CheckinConfig]) -> None:
    """Plan the next leaderboard, if there is to be one."""
    if not board.missed(ctx):
        board.plan(ctx)


@hookimpl
async def on_message(message: Message, ctx: Context[CheckinConfig]) -> None:
    """Check somebody in, or show the leaderboard."""
    if not message.in_group or message.sender.is_bot or message.message_type != "text":
        return
    said = _without_mentions(message)
    fresh = ctx.now() - message.create_time < LATE
    if said in ctx.config.words:
        outcome = check_in(message.chat_id, message.sender.open_id, message.create_time, ctx)
        if fresh and ctx.config.replies:
            ctx.send(message.chat_id, "text", {"text": told(outcome)}, key=f"said:{message.id}", reply_to=message.id)
    elif said in ctx.config.board_words and fresh:
        await board.send(message.chat_id, ctx, key=f"asked:{message.id}")


@hookimpl
async def on_card(action: CardAction, ctx: Context[CheckinConfig]) -> None:
    """Answer the leaderboard's buttons; what other plugins' cards hold is none of ours."""
    match action.value.get("checkin") if action.chat_id else None:
        case "join":
            outcome = check_in(action.chat_id, action.person.open_id, action.received_at, ctx)
            ctx.answer(
                told(outcome),
                kind="info" if outcome.before else "success",
                card=await board.card_of(action.chat_id, ctx),
            )
        case "refresh":
            ctx.answer(card=await board.card_of(action.chat_id, ctx))


@hookimpl
async def on_schedule(schedule: str, ctx: Context[CheckinConfig]) -> None:
    """Send the day's leaderboard to every group in which somebody checked in today."""
    for chat_id in board.lively(ctx) if ctx.config.board_time else ():
        await board.send(chat_id, ctx, key=f"daily:{chat_id}:{day_of(ctx.now(), chat_id, ctx)}")
    board.plan(ctx)


def told(outcome: Outcome) -> str:
    """What the person who checked in is told."""
    if outcome.before:
        return f"今天已经签到过了，连续 {outcome.streak} 天，共 {outcome.total} 灵芝。"
    return f"签到成功！连续 {outcome.streak} 天，获得 {outcome.earned} 灵芝，共 {outcome.total} 灵芝。"


def _without_mentions(message: Message) -> str:
    text = str(message.content.get("text", ""))
    for key in sorted({"@_all", *(one.key for one in message.mentions)} - {""}, key=len, reverse=True):
        text = text.replace(key, "")  # The longest first: @_user_1 begins @_user_10.
    return text.strip()

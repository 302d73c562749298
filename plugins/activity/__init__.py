"""Scores how active each member of the group is; ``README.md`` says how."""

from __future__ import annotations

from core import Context, Event, Malformed, Manifest, Message, Reaction, Recall, Row, hookimpl

from .credits import Credits, answers_root, liked, people_mentioned, period_of, pinned, replied_author, said
from .score import Weights, score
from .tables import ACTIVITY, CREDITS, LIKES, WAITING
from .text import visible_length

manifest = Manifest(
    name="activity",
    summary="Scores how active each member of the group is.",
    permissions=(
        "im:message.group_msg",
        "im:message:readonly",  # reactions, recalls
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
        "bitable:app",
    ),
    tables=(ACTIVITY, CREDITS, LIKES, WAITING),
    config=Weights,
    events=("pin.added", "pin.removed"),
    commands="plugins.activity.commands:activity",
)


@hookimpl
async def startup(ctx: Context[Weights]) -> None:
    """Recompute every score when the weights are not those it was computed with."""
    weights = ctx.config.model_dump()
    if ctx.state.get("weights") == weights:
        return
    activity = ctx.table(ACTIVITY)
    changed = 0
    for row in activity.scan():
        points = score(row, ctx.config)
        if points != row["score"]:
            activity.set(row["user_id"], row["period"], score=points, updated=max(row["updated"] or 0, ctx.now()))
            changed += 1
    ctx.state.set("weights", weights)
    if changed:
        ctx.log.info("the weights changed: {count} scores recomputed", count=changed)


@hookimpl
async def on_message(message: Message, ctx: Context[Weights]) -> None:
    """Count the message, and what was waiting for it."""
    if not message.in_group:
        return
    known = ctx.table(CREDITS)
    before = known.get(message.id)
    if before is not None and before["author"]:
        return
    row = known.set(message.id, **_facts(message, ctx))
    _count(ctx, message, row, said(row))
    if before is not None:
        _count_what_waited(message, ctx, row)


@hookimpl
async def on_recall(recall: Recall, ctx: Context[Weights]) -> None:
    """Take back what the message itself had credited; likes and pins stay."""
    known = ctx.table(CREDITS)
    before = known.get(recall.message_id)
    if before is None or not before["recalled"]:
        known.set(recall.message_id, recalled=1)
        if before is not None:
            _count(ctx, recall, before, said(before), -1)


@hookimpl
async def on_reaction(reaction: Reaction, ctx: Context[Weights]) -> None:
    """Count a like, or take it back; the later action wins, and of two at once the removal."""
    if reaction.person.is_bot:
        return
    likes = ctx.table(LIKES)
    like = (reaction.message_id, reaction.person.open_id, reaction.emoji)
    before = likes.get(*like)
    if before is not None and not _later(reaction.action_time, reaction.added, before["action_time"], before["added"]):
        return
    likes.set(*like, added=int(reaction.added), action_time=reaction.action_time)
    row = _known_or_expected(ctx, reaction.message_id)
    change = reaction.added - (before["added"] if before is not None else 0)
    if change:
        _count(ctx, reaction, row, liked(row, reaction.person.open_id), change)


@hookimpl
async def on_event(event: Event, ctx: Context[Weights]) -> None:
    """Count a pin, or take it back; the later one wins, and of two at once the removal."""
    added = event.type == "pin.added"
    message_id, pin_time = event.event.get("message_id"), event.event.get("pin_time")
    if not (isinstance(message_id, str) and isinstance(pin_time, str) and pin_time.isdecimal() and len(pin_time) < 16):
        raise Malformed(f"{event.type}: message_id or pin_time is missing or of the wrong type")
    before = _known_or_expected(ctx, message_id)
    if _later(int(pin_time), added, before["pin_time"], before["pinned"]):
        row = ctx.table(CREDITS).set(message_id, pinned=int(added), pin_time=int(pin_time))
        if row["pinned"] != before["pinned"]:
            _count(ctx, event, row, pinned(row), 1 if added else -1)


def _facts(message: Message, ctx: Context[Weights]) -> Row:
    """All that ``CREDITS`` holds about a message that has just become known."""
    sender = message.sender
    facts: Row = {
        "chat_id": message.chat_id,
        "author": sender.open_id,
        "period": period_of(message.create_time, ctx.timezone),
        "created": message.create_time,
    }
    if sender.is_bot:
        facts["bot"] = 1
        return facts
    facts["topic"] = int(not message.root_id)
    if message.message_type in ("text", "post"):
        keys = [mention.key for mention in message.mentions]
        facts["characters"] = visible_length(message.message_type, message.content, keys)
    people = people_mentioned(message) if message.mentions else []
    if people:
        facts["mentioned"] = people
    if people and answers_root(message):
        facts["replied"] = people[0]
    elif message.parent_id:
        facts["replied"] = _author_replied_to(message, ctx)
    return facts


def _author_replied_to(message: Message, ctx: Context[Weights]) -> str:
    """The author of the parent; while that is unknown nobody, and the reply waits."""
    parent = _known_or_expected(ctx, message.parent_id)
    if not parent["author"]:
        ctx.table(WAITING).set(message.parent_id, message.id)
    return replied_author(parent)


def _count_what_waited(message: Message, ctx: Context[Weights], row: Row) -> None:
    """Count the likes, the pin and the replies that arrived before their message did."""
    for like in ctx.table(LIKES).find(message_id=message.id):
        if like["added"]:
            _count(ctx, message, row, liked(row, like["user_id"]))
    if row["pinned"]:
        _count(ctx, message, row, pinned(row))
    known, waiting = ctx.table(CREDITS), ctx.table(WAITING)
    for entry in waiting.find(parent_id=message.id):
        waiting.delete(message.id, entry["reply_id"])
        reply = _known_or_expected(ctx, entry["reply_id"])
        _count(ctx, message, reply, said(reply), -1)
        reply = known.set(entry["reply_id"], replied=replied_author(row))
        _count(ctx, message, reply, said(reply))


def _known_or_expected(ctx: Context[Weights], message_id: str) -> Row:
    """What is known about a message; a row without an author is made for one that may still arrive."""
    known = ctx.table(CREDITS)
    return known.get(message_id) or known.set(message_id)


def _later(time: int, added: bool, than: int, than_added: int) -> bool:
    """Whether an action comes after another one."""
    return (time, not added) > (than, not than_added)


def _count(ctx: Context[Weights], cause: Event, row: Row, earned: Credits, times: int = 1) -> None:
    """Add ``times`` what a message credits to the rows of its month."""
    activity, period = ctx.table(ACTIVITY), row["period"]
    for user, amounts in earned.items():
        change = amounts if times == 1 else {counter: times * amount for counter, amount in amounts.items()}
        now = activity.add(user, period, **change)
        updated = max(now["updated"] or 0, cause.received_at)
        activity.set(user, period, score=score(now, ctx.config), updated=updated)

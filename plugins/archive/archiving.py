"""The archive kept up to date: messages, edits, recalls, attachments and forwards, in whatever order they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from core import Context, Malformed, Message, Row, render_forward

from . import threads
from .entries import UNREADABLE, Content, edited, entry, fetched, recalled, refusals, said, wanted, written
from .fetching import GROUP, MESSAGE, Answer, ask, fetch, items
from .placing import forget, topic_of
from .settings import ArchiveConfig
from .tables import ARCHIVE, EARLY, NAMES, RECALLED

Ctx = Context[ArchiveConfig]

FORWARD: Final = "merge_forward"
NAME_LIFETIME: Final = 7 * 86_400_000
"""ms for which the name of a group is believed."""


def keep(message: Message, ctx: Ctx) -> None:
    """A message becomes a row; what was heard of it before is applied."""
    content = Content.of(message)
    before = ctx.table(ARCHIVE).get(message.id)
    if before is not None and before["chat_id"]:
        _revise(before, content, ctx)
        return
    row = entry(message, ctx.timezone) | said(content, ctx.timezone)
    in_bitable = before is not None  # Taken over: its topic counts it, and its files are there.
    uploaded = before["files"] if before is not None else []
    if uploaded:
        row["files"] = uploaded
    row["topic_id"] = topic_of(message, row, ctx)
    row = _write(message.id, ctx, **row)
    early = ctx.table(EARLY).get(message.id)
    if early is not None:
        ctx.table(EARLY).delete(message.id)
        row = _catch_up(row, early, ctx)
    if not uploaded:
        _attach(row, (), ctx)
    if message.message_type == FORWARD and row["status"] != RECALLED:
        ask(ctx, MESSAGE, message.id, at=ctx.now())
    if row["status"] == RECALLED:
        forget(row, ctx)
        threads.left(row, ctx)
    elif in_bitable:
        threads.recounted(row, ctx)
    else:
        threads.joined(row, ctx)
    _learn_names(message, content, ctx)


def take_back(message_id: str, ctx: Ctx) -> None:
    """A message was recalled."""
    before = ctx.table(ARCHIVE).get(message_id)
    if before is None:
        ctx.table(EARLY).set(message_id, recalled=1)
    elif before["status"] != RECALLED:
        row = _write(message_id, ctx, **recalled(blank=_blank(ctx)))
        forget(row, ctx)
        threads.left(row, ctx)


def reword(message: Any, ctx: Ctx) -> None:
    """A message was edited; what it says now is asked for unless the event tells it (FEISHU.md §2.7)."""
    if not isinstance(message, dict) or not isinstance(message.get("message_id"), str) or not message["message_id"]:
        raise Malformed("im.message.updated_v1: message.message_id is missing or of the wrong type")
    message_id, chat_id = message["message_id"], message.get("chat_id")
    if message.get("chat_type") == "p2p" or (ctx.chats and isinstance(chat_id, str) and chat_id not in ctx.chats):
        return
    content = Content.of_edit(message)
    before = ctx.table(ARCHIVE).get(message_id)
    if before is None:
        _remember(message_id, content, ctx)
    elif content is not None:
        _revise(before, content, ctx)
    else:
        ask(ctx, MESSAGE, message_id, at=ctx.now())


def receive(outcome: Mapping[str, Any], ctx: Ctx) -> None:
    """An attachment was fetched, or cannot be."""
    message_id = outcome.get("message_id")
    row = ctx.table(ARCHIVE).get(message_id) if isinstance(message_id, str) else None
    changes = fetched(row, outcome) if row is not None else None
    if row is not None and changes is not None:
        _write(row["message_id"], ctx, **changes)


async def ask_now(subject: str, ctx: Ctx) -> int | None:
    """Ask the platform what was put off; when to ask again (ms UTC), or None."""
    return await fetch(subject, ctx, found, given_up)


async def found(kind: str, subject: str, answer: Answer, ctx: Ctx) -> None:
    """The platform told a group's name, or what a message says now."""
    if kind == GROUP:
        name = answer.get("name")
        ctx.table(NAMES).set(subject, name=name if isinstance(name, str) else "", known=ctx.now())
        return
    row = ctx.table(ARCHIVE).get(subject)
    messages = items(answer)
    if row is None or not messages or (row["status"] == RECALLED and _blank(ctx)):
        return
    if messages[0].get("deleted"):
        take_back(subject, ctx)
    elif row["message_type"] == FORWARD:
        senders = [one.get("sender") for one in messages[1:]]
        people = {str(one["id"]) for one in senders if isinstance(one, dict) and one.get("id_type") == "open_id"}
        names = await ctx.names(sorted(people)) if people else {}
        forward = render_forward(messages, names=names, zone=ctx.timezone)
        threads.reworded(_write(subject, ctx, **written(forward.text, row["files"], refusals(forward))), ctx)
    else:
        try:
            _revise(row, Content.of_item(messages[0]), ctx)
        except Malformed as problem:
            ctx.log.warning("the edit of {message} is left out: {problem}", message=subject, problem=problem)


def given_up(kind: str, subject: str, why: str, ctx: Ctx) -> None:
    """The platform does not tell it."""
    row = ctx.table(ARCHIVE).get(subject)
    if kind == GROUP:
        ctx.table(NAMES).set(subject, known=ctx.now())
    elif row is not None and row["message_type"] == FORWARD and row["status"] != RECALLED:
        text = row["content"][: row["length"]]
        _write(subject, ctx, **written(text, row["files"], f"\n{UNREADABLE.format(why)}"))


def erase_recalled(ctx: Ctx) -> int:
    """Blank what was recalled while it was to be kept; how many messages that were."""
    erased = [row for row in ctx.table(ARCHIVE).scan() if row["status"] == RECALLED and row["content"]]
    for row in erased:
        threads.left(_write(row["message_id"], ctx, **recalled(blank=True)), ctx)
    return len(erased)


def _write(message_id: str, ctx: Ctx, **values: Any) -> Row:
    revision = ctx.state.get("revision", 0) + 1
    ctx.state.set("revision", revision)
    return ctx.table(ARCHIVE).set(message_id, revision=revision, **values)


def _revise(row: Row, content: Content, ctx: Ctx) -> None:
    """The newest content counts, whenever it comes."""
    if content.version <= (row["version"] or 0):
        return
    before = row["files"]
    row = _write(row["message_id"], ctx, **edited(row, content, ctx.timezone, blank=_blank(ctx)))
    _attach(row, before, ctx)
    threads.reworded(row, ctx)


def _catch_up(row: Row, early: Row, ctx: Ctx) -> Row:
    message_id = row["message_id"]
    if early["content"]:
        content = Content.of_json(early["content"])
        if content.version > row["version"]:
            row = _write(message_id, ctx, **edited(row, content, ctx.timezone, blank=_blank(ctx)))
    if early["edited"] and not early["recalled"]:
        ask(ctx, MESSAGE, message_id, at=ctx.now())
    return _write(message_id, ctx, **recalled(blank=_blank(ctx))) if early["recalled"] else row


def _remember(message_id: str, content: Content | None, ctx: Ctx) -> None:
    """An edit came before its message."""
    early = ctx.table(EARLY)
    if content is None:
        early.set(message_id, edited=1)
        return
    before = early.get(message_id)
    if before is None or not before["content"] or before["content"]["version"] < content.version:
        early.set(message_id, content=content.as_json())


def _attach(row: Row, before: Iterable[Row], ctx: Ctx) -> None:
    for file in wanted(row, before):
        ctx.attach(row["message_id"], file["file_key"], file["kind"], file["name"])


def _learn_names(message: Message, content: Content, ctx: Ctx) -> None:
    names = ctx.table(NAMES)
    group = names.get(message.chat_id)
    if group is None or (group["known"] or 0) + NAME_LIFETIME <= ctx.now():
        names.set(message.chat_id, known=ctx.now())
        ask(ctx, GROUP, message.chat_id, at=ctx.now())
    for one in content.mentions:
        if one.is_bot and one.open_id and one.name and (names.get(one.open_id) or {}).get("name") != one.name:
            names.set(one.open_id, name=one.name)


def _blank(ctx: Ctx) -> bool:
    return ctx.config.recalled == "blank"

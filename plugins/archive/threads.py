"""Topics kept up to date: every message, edit and recall goes into the row of its topic."""

from __future__ import annotations

from typing import Any, Final

from core import Context, Row

from .agenda import Agenda
from .settings import ArchiveConfig
from .tables import ARCHIVE, MEMORY, STATUS_AGENDA, SUMMARY_AGENDA, THREADS, TOPICS
from .topics import Replies, shown, status

STATUS: Final = Agenda(STATUS_AGENDA, "status")
SUMMARY: Final = Agenda(SUMMARY_AGENDA, "summaries")

MINUTE: Final = 60_000
SETTLING: Final = 15_000
"""ms after which messages that are older than they arrive are taken to have arrived all."""


def take_over(ctx: Context[ArchiveConfig]) -> None:
    """Go on with topics that were in Bitable before: their replies count, and their status moves."""
    threads, messages = ctx.table(THREADS), ctx.table(ARCHIVE)
    for topic in ctx.table(TOPICS).scan():
        topic_id, last, count = topic["topic_id"], topic["last_reply"], round(topic["replies"])
        if topic["chat_id"] or last is None or threads.get(topic_id) is not None:  # A row of ours tells its group.
            continue
        unseen = max(0, count - Replies.of(messages.find(topic_id=topic_id), topic_id).count)
        threads.set(topic_id, replies=count, unseen=unseen, unseen_until=last, first_reply=last, last_reply=last)
        STATUS.put(ctx, topic_id, last)
        threads.set(topic_id, status_at=last)


def joined(row: Row, ctx: Context[ArchiveConfig]) -> None:
    """A message is new in its topic; ``row`` is of ``ARCHIVE``."""
    threads, topic_id = ctx.table(THREADS), row["topic_id"]
    thread = threads.get(topic_id)
    if row["message_id"] != topic_id:
        replies = (_replies(thread) if thread is not None else Replies()).plus(row)
        _changed(topic_id, row["chat_id"], replies, ctx)
    elif thread is not None:
        _changed(topic_id, row["chat_id"], _replies(thread), ctx)


def reworded(row: Row, ctx: Context[ArchiveConfig]) -> None:
    """A message of a topic says something else."""
    thread = ctx.table(THREADS).get(row["topic_id"])
    if thread is not None:
        _changed(row["topic_id"], row["chat_id"], _replies(thread), ctx)


def left(row: Row, ctx: Context[ArchiveConfig]) -> None:
    """A message was recalled. Summaries made with it are forgotten with it."""
    topic_id = row["topic_id"]
    thread = ctx.table(THREADS).get(topic_id)
    if thread is None:
        return
    if ctx.config.recalled == "blank":
        answers = ctx.table(MEMORY)
        for answer in answers.find(topic_id=topic_id):
            answers.delete(answer["name"])
        ctx.table(THREADS).set(topic_id, summarized="")
        if ctx.table(TOPICS).get(topic_id) is not None:
            ctx.table(TOPICS).set(topic_id, summary="", keywords="")
    recounted(row, ctx)


def recounted(row: Row, ctx: Context[ArchiveConfig]) -> None:
    """Replies of the topic of ``row`` are others than before, and some of them may have been in Bitable only."""
    topic_id = row["topic_id"]
    thread = ctx.table(THREADS).get(topic_id)
    replies = Replies.of(ctx.table(ARCHIVE).find(topic_id=topic_id), topic_id)
    if thread is not None and thread["unseen"]:
        replies = replies.after(thread["unseen"], thread["unseen_until"])
    if thread is not None or replies.count:
        _changed(topic_id, row["chat_id"], replies, ctx)


async def move_on(topic_id: str, ctx: Context[ArchiveConfig]) -> int | None:
    """Time has passed: the status, and when it changes next."""
    topics = ctx.table(TOPICS)
    topic = topics.get(topic_id)
    now, following = status(topic["last_reply"], ctx.now()) if topic is not None else ("", None)
    ctx.table(THREADS).set(topic_id, status_at=following)
    if topic is not None and topic["status"] != now:
        topics.set(topic_id, status=now)
    return following


def _changed(topic_id: str, chat_id: str, replies: Replies, ctx: Context[ArchiveConfig]) -> None:
    threads, topics = ctx.table(THREADS), ctx.table(TOPICS)
    values: dict[str, Any] = {"replies": replies.count, "first_reply": replies.first, "last_reply": replies.last}
    thread = threads.set(topic_id, repliers=dict(replies.people), **values)
    before = topics.get(topic_id)
    if replies.last is None or replies.count < ctx.config.topic_min_replies:
        if before is not None:
            topics.delete(topic_id)
        return
    alive, until = status(replies.last, ctx.now())
    root = ctx.table(ARCHIVE).get(topic_id)
    row = shown(topic_id, chat_id, replies, root, ctx.timezone) | {"status": alive}
    if not chat_id:  # It was in Bitable before, where only the link tells the group.
        del row["chat_id"], row["link"]
    if before is None or any(before[name] != value for name, value in row.items()):
        topics.set(topic_id, **row)
    planned = thread["status_at"]
    if until is not None and (planned is None or until < planned):
        threads.set(topic_id, status_at=STATUS.put(ctx, topic_id, until, planned))
    _summarize_later(topic_id, thread, ctx)


def _summarize_later(topic_id: str, thread: Row, ctx: Context[ArchiveConfig]) -> None:
    if not ctx.config.summaries:
        return
    now = ctx.now()
    changes: dict[str, Any] = {"changed": now}
    if thread["waiting_since"] is None:
        changes["waiting_since"] = now
    if thread["summary_at"] is None:
        changes["summary_at"] = SUMMARY.put(ctx, topic_id, quiet_at(now, thread["last_reply"], ctx.config))
    ctx.table(THREADS).set(topic_id, **changes)


def quiet_at(changed: int, last_reply: int | None, config: ArchiveConfig) -> int:
    """When a topic that last ``changed`` then has gone quiet (ms UTC); one of the past has, once all of it arrived."""
    quiet = config.summary_quiet_minutes * MINUTE
    said = changed if last_reply is None else min(last_reply, changed)
    return max(said + quiet, changed + min(quiet, SETTLING))


def _replies(thread: Row) -> Replies:
    return Replies(thread["replies"], thread["first_reply"], thread["last_reply"], thread["repliers"] or {})

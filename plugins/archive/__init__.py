"""Keeps every message, the topics they make and what those are about; ``README.md`` says how.

Its rules are imported by the hooks that need them: commands read the manifest only, and should not wait for more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import Context, Event, Manifest, Message, Recall, Schedule, hookimpl

from .settings import ArchiveConfig
from .tables import (
    ARCHIVE,
    EARLY,
    FETCH_AGENDA,
    FETCHES,
    MEMORY,
    NAMES,
    RECENT,
    STATUS_AGENDA,
    SUMMARY_AGENDA,
    THREADS,
    TOPICS,
)

if TYPE_CHECKING:
    from .summarizing import Summaries

EDIT = "im.message.updated_v1"
ATTACHMENT = "attachment.done"

manifest = Manifest(
    name="archive",
    summary="Keeps every message, its attachments, and a summary of each topic.",
    permissions=(
        "im:message.group_msg",
        "im:message:readonly",  # recalls, edits, forwarded messages and attachments
        "im:message:send_as_bot",  # the digest
        "im:chat:read",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
        "bitable:app",
    ),
    tables=(
        ARCHIVE,
        TOPICS,
        THREADS,
        EARLY,
        STATUS_AGENDA,
        SUMMARY_AGENDA,
        FETCH_AGENDA,
        FETCHES,
        NAMES,
        MEMORY,
        RECENT,
    ),
    carried=("names", "memory", "state"),  # what the platform and models answered, and the count of revisions
    config=ArchiveConfig,
    events=(EDIT, ATTACHMENT),
    schedules=(
        Schedule("status", replayed=True),
        Schedule("fetch", timeout=60.0),
        Schedule("summaries", timeout=300.0),
        Schedule("digest", timeout=60.0),
    ),
    commands="plugins.archive.commands:archive",
)

_summaries: dict[Context[ArchiveConfig], Summaries] = {}
"""What makes summaries now: pace and open connections, nothing that has to be kept."""


@hookimpl
async def startup(ctx: Context[ArchiveConfig]) -> None:
    """Follow a changed configuration, and go on with what was under way."""
    from . import archiving, posting, threads

    threads.take_over(ctx)
    before = ctx.state.get("recalled", ctx.config.recalled)
    if before != ctx.config.recalled and ctx.config.recalled == "blank":
        count = archiving.erase_recalled(ctx)
        ctx.log.info("recalled messages are blanked now: {count}", count=count)
    ctx.state.set("recalled", ctx.config.recalled)
    posting.plan(ctx)


@hookimpl
async def on_message(message: Message, ctx: Context[ArchiveConfig]) -> None:
    """Keep the message."""
    from . import archiving

    if message.in_group:
        archiving.keep(message, ctx)


@hookimpl
async def on_recall(recall: Recall, ctx: Context[ArchiveConfig]) -> None:
    """Mark the message, and blank it unless it is to be kept."""
    from . import archiving

    archiving.take_back(recall.message_id, ctx)


@hookimpl
async def on_event(event: Event, ctx: Context[ArchiveConfig]) -> None:
    """A message was edited, or an attachment fetched."""
    from . import archiving

    if event.type == ATTACHMENT:
        archiving.receive(event.event, ctx)
    else:
        archiving.reword(event.event.get("message"), ctx)


@hookimpl
async def on_schedule(schedule: str, ctx: Context[ArchiveConfig]) -> None:
    """What time brings: other statuses, answers, summaries, the digest."""
    from . import archiving, fetching, posting, threads

    match schedule:
        case "status":
            await threads.STATUS.work(ctx, threads.move_on)
        case "fetch":
            await fetching.FETCH.work(ctx, archiving.ask_now)
        case "summaries":
            await threads.SUMMARY.work(ctx, _summarizing(ctx).summarize)
        case "digest":
            await posting.send(ctx)


@hookimpl
async def shutdown(ctx: Context[ArchiveConfig]) -> None:
    """Let go of the connections to language models."""
    summaries = _summaries.pop(ctx, None)
    if summaries is not None:
        await summaries.close()


def _summarizing(ctx: Context[ArchiveConfig]) -> Summaries:
    if ctx not in _summaries:
        from .summarizing import Summaries

        _summaries[ctx] = Summaries(ctx)
    return _summaries[ctx]

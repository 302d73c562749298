"""What is written into the row of a pinned message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core import Context

from .content import RECALLED_TEXT, Content, local, with_notes
from .settings import Watching
from .tables import PIN, UNPINNED

OUTCOME: Final = ("name", "size", "media_type", "file_token", "path", "problem")
"""What is kept of an ``attachment.done``."""


def note_content(ctx: Context[Watching], message_id: str, content: Content) -> None:
    """Archive what the message says, and ask for its attachments; not when it was taken back meanwhile."""
    row = ctx.table(PIN).get(message_id)
    if row is not None and row["recalled"]:
        return
    ctx.table(PIN).set(
        message_id,
        content=with_notes(content.text, content.problems),
        message_type=content.message_type,
        sender_id=content.sender_id,
        sent="" if content.sent is None else local(content.sent, ctx.timezone),
        files=[{"file_key": one.file_key, "name": one.name} for one in content.resources],
        recalled=int(content.recalled),
    )
    for resource in content.resources:
        ctx.attach(message_id, resource.file_key, resource.kind, resource.name)


def note_attachment(ctx: Context[Watching], event: Mapping[str, Any]) -> None:
    """Put what became of an attachment into the row, if that still waits for it."""
    message_id, file_key = str(event.get("message_id")), event.get("file_key")
    row = ctx.table(PIN).get(message_id)
    if row is None or row["recalled"] or all(one.get("file_key") != file_key for one in row["files"]):
        return
    outcome = {name: event[name] for name in OUTCOME if name in event}
    files = [{**one, **outcome} if one.get("file_key") == file_key else one for one in row["files"]]
    told = any(one.get("problem") for one in row["files"] if one.get("file_key") == file_key)
    problem = [f"{outcome.get('name') or file_key}，{outcome['problem']}"] if outcome.get("problem") else []
    content = row["content"] if told else with_notes(row["content"], problem)
    ctx.table(PIN).set(message_id, files=files, content=content)


def note_recall(ctx: Context[Watching], message_id: str) -> None:
    """The message was taken back: so are its words and files."""
    row = ctx.table(PIN).get(message_id)
    if row is not None and not row["recalled"]:
        ctx.table(PIN).set(message_id, content=RECALLED_TEXT, files=[], recalled=1)


def note_unpinned(ctx: Context[Watching], message_id: str) -> None:
    """The pin was taken off: its row goes, or says so, as the operator chose."""
    pins = ctx.table(PIN)
    if ctx.config.unpinned == "delete":
        pins.delete(message_id)
    elif pins.get(message_id) is not None:
        pins.set(message_id, status=UNPINNED, unpinned=local(ctx.now(), ctx.timezone))

"""What the archive says of one message: rows of ``ARCHIVE`` from messages, edits, recalls and attachments; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeGuard
from zoneinfo import ZoneInfo

from core import Malformed, Mention, Message, Rendered, Resource, Row, as_received, render

from .tables import EDITED, RECALLED
from .topics import LINK, month_of

MISSING: Final = "［附件无法下载：{}］"
UNREADABLE: Final = "［合并转发的内容无法读取：{}］"
EVERYBODY: Final = "所有人"

Sent = dict[str, Any]
"""What ``EARLY`` keeps of an edit: the fields of ``Content`` as JSON."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says since ``version`` (ms UTC, its ``update_time``)."""

    version: int
    message_type: str
    text: str
    """``content`` as it came, JSON as a rule."""
    mentions: tuple[Mention, ...] = ()

    @classmethod
    def of(cls, message: Message) -> Self:
        """As it was said."""
        try:
            mentions = message.mentions
        except Malformed:  # A message is never dropped for what is beside its text.
            mentions = ()
        return cls(message.update_time, message.message_type, message.message["content"], mentions)

    @classmethod
    def of_item(cls, item: Mapping[str, Any]) -> Self:
        """As ``GET message`` answers (FEISHU.md §4.2). Raises ``Malformed`` when it is no such thing."""
        version, body = item.get("update_time"), item.get("body")
        message_type, _, mentions = as_received(item)
        text = body.get("content") if isinstance(body, dict) else None
        if not (_is_time(version) and isinstance(text, str) and message_type):
            raise Malformed("message: update_time, msg_type or body.content is missing or of the wrong type")
        return cls(int(version), message_type, text, mentions)

    @classmethod
    def of_edit(cls, message: Mapping[str, Any]) -> Self | None:
        """As an edit event carries it, if it does: its form is not documented (FEISHU.md §2.7)."""
        given = message.get("content"), message.get("message_type"), message.get("update_time")
        text, message_type, version = given
        if not (isinstance(text, str) and isinstance(message_type, str) and _is_time(version)):
            return None
        if not (text and message_type):
            return None
        mentions = message.get("mentions")
        ids = [_plain(each) for each in (mentions if isinstance(mentions, list) else ()) if isinstance(each, dict)]
        return cls(int(version), message_type, text, as_received({"mentions": ids})[2])

    def as_json(self) -> Sent:
        """For keeping."""
        mentions = [[one.key, one.open_id, one.name, one.is_bot] for one in self.mentions]
        return {"version": self.version, "type": self.message_type, "text": self.text, "mentions": mentions}

    @classmethod
    def of_json(cls, kept: Sent) -> Self:
        """What was kept."""
        mentions = tuple(Mention(key, who, name, is_bot=bot) for key, who, name, bot in kept["mentions"])
        return cls(kept["version"], kept["type"], kept["text"], mentions)

    def rendered(self, timezone: ZoneInfo) -> Rendered:
        """As readable text."""
        return render(self.message_type, self.text, self.mentions, zone=timezone)


def _is_time(value: Any) -> TypeGuard[str]:
    """Whether it is ms UTC as digits, of a year that a calendar has."""
    return isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 13


def entry(message: Message, timezone: ZoneInfo) -> Row:
    """All that does not change with the content of a message that has just become known."""
    sender = message.sender
    return {
        "topic_id": message.root_id or message.parent_id or message.id,
        "parent_id": message.parent_id,
        "created": message.create_time,
        "month": month_of(message.create_time, timezone),
        "link": LINK.format(message.chat_id, message.id),
        "chat_id": message.chat_id,
        "sender_id": sender.open_id,
        "person_id": "" if sender.is_bot else sender.open_id,
    }


def said(content: Content, timezone: ZoneInfo, before: Iterable[Row] = ()) -> Row:
    """What the content of a message makes of its row; of attachments it had ``before`` the outcome is known."""
    rendered = content.rendered(timezone)
    known = {file.get("file_key"): file for file in before}
    files = [known.get(one.file_key) or _file(one) for one in rendered.resources]
    names = (EVERYBODY if one.is_all else one.name for one in content.mentions)
    return {
        "message_type": content.message_type,
        "version": content.version,
        "mentioned": ", ".join(dict.fromkeys(filter(None, names))),
        **written(rendered.text, files, refusals(rendered)),
    }


def refusals(rendered: Rendered) -> str:
    """What is to be said of attachments that nobody can ever have, a line each."""
    return "".join(f"\n{MISSING.format(why)}" for why in rendered.problems)


def written(text: str, files: Sequence[Row], refused: str = "") -> Row:
    """A message's text, and below it what is to be said of its attachments: ``refused``, and what became of others."""
    return {"content": f"{text}{refused}{_notes(files)}", "length": len(text), "files": list(files)}


def edited(row: Row, content: Content, timezone: ZoneInfo, *, blank: bool) -> Row:
    """What an edit changes; with ``blank`` a message that was recalled stays without content."""
    if row["status"] == RECALLED and blank:
        return {"message_type": content.message_type, "version": content.version, "edited": content.version}
    status = row["status"] or EDITED
    return {**said(content, timezone, row["files"]), "edited": content.version, "status": status}


def recalled(*, blank: bool) -> Row:
    """What a recall changes."""
    erased: Row = {"content": "", "length": 0, "mentioned": "", "files": []}
    return {"status": RECALLED, **(erased if blank else {})}


def fetched(row: Row, outcome: Mapping[str, Any]) -> Row | None:
    """What the outcome of a download changes (``attachment.done``), or None when the message has no such file."""
    files = [dict(file) for file in row["files"]]
    text, below = row["content"][: row["length"]], row["content"][row["length"] :]
    for file in files:
        if file.get("file_key") == outcome.get("file_key"):
            found = {
                name: outcome.get(name) for name in ("name", "size", "media_type", "file_token", "path", "problem")
            }
            file.update({name: value for name, value in found.items() if value})
            return written(text, files, below.removesuffix(_notes(row["files"])))
    return None


def wanted(row: Row, before: Iterable[Row]) -> list[Row]:
    """The attachments that nobody has asked for; of those it had ``before`` somebody has."""
    known = {file.get("file_key") for file in before}
    return [file for file in row["files"] if file["file_key"] not in known]


def _file(resource: Resource) -> Row:
    return {"file_key": resource.file_key, "kind": resource.kind, "name": resource.name}


def _notes(files: Iterable[Row]) -> str:
    """What became of attachments that cannot be had, a line each."""
    told = (
        "，".join(filter(None, (str(file.get("name") or ""), file["problem"]))) for file in files if file.get("problem")
    )
    return "".join(f"\n{MISSING.format(why)}" for why in told)


def _plain(mention: Mapping[str, Any]) -> dict[str, Any]:
    """A mention of an event in the form of the API: its ID is a string there."""
    given = mention.get("id")
    return {**mention, "id": given.get("open_id") if isinstance(given, dict) else given}

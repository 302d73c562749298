"""What commands read with, and how a row of the archive is told to people outside Bitable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, Self
from zoneinfo import ZoneInfo

from core import Row, Table

from .settings import ArchiveConfig
from .tables import EDITED, NAMES, RECALLED

_CHAT: Final = re.compile(r"[?&]openChatId=([^&#]+)")
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_-]")
_STATUS: Final = {"": "", EDITED: "edited", RECALLED: "recalled"}


Format = Literal["jsonl", "csv", "html"]
UNKNOWN: Final = "unknown"


class Stored(Protocol):
    """What the command line hands in."""

    @property
    def config(self) -> ArchiveConfig: ...

    @property
    def timezone(self) -> ZoneInfo: ...

    @property
    def data_dir(self) -> Path: ...

    def rows(self, table: Table) -> Iterator[Row]: ...

    def get(self, table: Table, *key: Any) -> Row | None: ...

    def select(
        self,
        table: Table,
        *,
        equals: Mapping[str, Any] = ...,
        between: tuple[str, Any, Any] | None = ...,
        limit: int | None = ...,
    ) -> Iterator[Row]: ...

    def search(
        self,
        table: Table,
        words: str,
        *,
        equals: Mapping[str, Any] = ...,
        between: tuple[str, Any, Any] | None = ...,
        limit: int = ...,
    ) -> list[Row]: ...

    def names(self) -> dict[str, str]: ...


class Part(NamedTuple):
    """What goes into one file: a month, with HTML of one group."""

    chat_id: str
    month: str

    @classmethod
    def of(cls, row: Row, form: Format) -> Self:
        """Where a message goes."""
        return cls((chat_of(row) or UNKNOWN) if form == "html" else "", row["month"])

    @property
    def name(self) -> str:
        """The file without its ending, below the directory; safe whatever Bitable said of the month."""
        month = _STRANGE.sub("_", self.month) or UNKNOWN
        return f"{_STRANGE.sub('_', self.chat_id)}/{month}" if self.chat_id else month


def names_of(stored: Stored) -> dict[str, str]:
    """Everybody's name by open_id, bots too, and every group's by chat ID."""
    named = {row["id"]: row["name"] for row in stored.rows(NAMES) if row["name"]}
    return named | {one: name for one, name in stored.names().items() if name}


def chat_of(row: Row) -> str:
    """The group; of a row that was in Bitable before only the link tells it."""
    found = _CHAT.search(row["link"]) if not row["chat_id"] else None
    return found[1] if found else str(row["chat_id"])


def local(moment: int | None, timezone: ZoneInfo) -> datetime | None:
    """A time (ms UTC) where the group lives."""
    return None if moment is None else datetime.fromtimestamp(moment / 1000, timezone)


def as_json(row: Row, names: Mapping[str, str], timezone: ZoneInfo) -> dict[str, Any]:
    """A row of ``ARCHIVE`` for programs; times are ISO 8601 with their offset."""
    sent, edited = local(row["created"], timezone), local(row["edited"], timezone)
    chat_id = chat_of(row)
    return {
        "message_id": row["message_id"],
        "chat_id": chat_id,
        "group": names.get(chat_id, ""),
        "topic_id": row["topic_id"],
        "parent_id": row["parent_id"],
        "sender_id": row["sender_id"],
        "sender": names.get(row["sender_id"], ""),
        "type": row["message_type"],
        "content": row["content"],
        "sent": sent.isoformat() if sent else None,
        "mentioned": row["mentioned"],
        "status": _STATUS.get(row["status"], row["status"]),
        "edited": edited.isoformat() if edited else None,
        "attachments": [
            {name: file.get(name) or "" for name in ("name", "media_type", "file_token", "path", "problem")}
            for file in row["files"]
        ],
        "link": row["link"],
    }

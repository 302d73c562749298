"""The SQL of attachments: who asked for which resource of which message, and how far each resource has come."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

import orjson

from ...events import ATTACHMENT_DONE
from ..values import Attachment, AttachmentCount, AttachmentRequest
from .dead import LONGEST_DELAY
from .handle import SqliteHandle

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS attachment (
  file_key TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  due INTEGER NOT NULL,            -- when to try next, ms
  done INTEGER NOT NULL DEFAULT 0,
  size INTEGER NOT NULL DEFAULT 0, checksum INTEGER NOT NULL DEFAULT 0, media_type TEXT NOT NULL DEFAULT '',
  base TEXT NOT NULL DEFAULT '', file_token TEXT NOT NULL DEFAULT '',
  path TEXT NOT NULL DEFAULT '',
  parts TEXT                       -- the upload under way, JSON
);
CREATE TABLE IF NOT EXISTS attachment_request (
  plugin TEXT NOT NULL, message_id TEXT NOT NULL, file_key TEXT NOT NULL,
  asked INTEGER NOT NULL DEFAULT 1,    -- how often; an answer is for all until then
  waiting INTEGER NOT NULL DEFAULT 1,
  problem TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (plugin, message_id, file_key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attachment_waiting ON attachment_request(file_key) WHERE waiting = 1;
CREATE INDEX IF NOT EXISTS attachment_problem ON attachment_request(waiting) WHERE problem != '';
"""

_NAMES: Final = tuple(field.name for field in fields(Attachment))
_COLUMNS: Final = ", ".join(_NAMES)
_UPDATE: Final = f"UPDATE attachment SET {', '.join(f'{name} = :{name}' for name in _NAMES)} WHERE file_key = :file_key"
_WAITING: Final = "file_key IN (SELECT file_key FROM attachment_request WHERE waiting = 1)"


def ask_for(database: sqlite3.Connection, plugin: str, requests: Iterable[AttachmentRequest], now: int) -> None:
    """Part of a commit; a request that is waiting already is not made twice."""
    for message_id, file_key, kind, name in requests:
        database.execute(
            "INSERT INTO attachment(file_key, kind, name, due) VALUES (?,?,?,?) ON CONFLICT(file_key) DO UPDATE"
            " SET name = excluded.name WHERE name = ''",
            (file_key, kind, name, now),
        )
        database.execute(
            "INSERT INTO attachment_request(plugin, message_id, file_key) VALUES (?,?,?)"
            " ON CONFLICT(plugin, message_id, file_key) DO UPDATE SET asked = asked + 1, waiting = 1 WHERE waiting = 0",
            (plugin, message_id, file_key),
        )


class SqliteAttachmentSide(SqliteHandle):
    """The part of ``SqliteStore`` that the fetching of attachments uses."""

    def attachments(self, now: int, limit: int, *, done: bool | None = None) -> list[Attachment]:
        rows = self.read(
            f"SELECT {_COLUMNS} FROM attachment WHERE {_WAITING} AND (due <= ? OR due > ?)"
            " AND (? IS NULL OR done = ?) ORDER BY due, rowid LIMIT ?",
            (now, now + LONGEST_DELAY, done, done, limit),
        )
        return [_attachment(row) for row in rows]

    def attachment_messages(self, file_key: str) -> list[str]:
        rows = self.read(
            "SELECT DISTINCT message_id FROM attachment_request WHERE file_key = ? AND waiting = 1 ORDER BY message_id",
            (file_key,),
        )
        return [row[0] for row in rows]

    def partial_attachments(self) -> list[str]:
        return [row[0] for row in self.read("SELECT file_key FROM attachment WHERE parts IS NOT NULL")]

    def save_attachment(self, attachment: Attachment) -> None:
        with self.write() as database:
            _save(database, attachment)

    def postpone_attachment(self, file_key: str, attempts: int, due: int, *, keep_parts: bool) -> None:
        with self.write() as database:
            database.execute(
                "UPDATE attachment SET attempts = ?, due = ?, parts = CASE WHEN ? THEN parts END WHERE file_key = ?",
                (attempts, due, keep_parts, file_key),
            )

    def settle_attachment(
        self, attachment: Attachment, outcome: Mapping[str, Any], *, message_id: str | None = None
    ) -> None:
        where, problem = "file_key = ? AND waiting = 1 AND (? IS NULL OR message_id = ?)", outcome.get("problem", "")
        with self.write() as database:
            _save(database, attachment)
            asking = (attachment.file_key, message_id, message_id)
            for plugin, message, asked in database.execute(
                f"SELECT plugin, message_id, asked FROM attachment_request WHERE {where}", asking
            ).fetchall():
                event_id = f"{plugin}:{message}:{attachment.file_key}{f':{asked}' if asked > 1 else ''}"
                event = {"plugin": plugin, "message_id": message, "file_key": attachment.file_key, **outcome}
                database.execute(
                    "INSERT INTO published(plugin, type, event_id, event) VALUES (?,?,?,?)",
                    (plugin, ATTACHMENT_DONE, event_id, orjson.dumps(event)),
                )
            database.execute(
                f"UPDATE attachment_request SET waiting = 0, problem = ? WHERE {where}", (problem, *asking)
            )

    def attachment_count(self) -> AttachmentCount:
        ((waiting,),) = self.read("SELECT count(DISTINCT file_key) FROM attachment_request WHERE waiting = 1")
        ((failed,),) = self.read("SELECT count(*) FROM attachment_request WHERE waiting = 0 AND problem != ''")
        ((done, size),) = self.read("SELECT count(*), coalesce(sum(size), 0) FROM attachment WHERE done = 1")
        return AttachmentCount(waiting, failed, done, size)


def _attachment(row: tuple[Any, ...]) -> Attachment:
    values = dict(zip(_NAMES, row, strict=True))
    values["done"] = bool(values["done"])
    if values["parts"] is not None:
        values["parts"] = orjson.loads(values["parts"])
    return Attachment(**values)


def _save(database: sqlite3.Connection, attachment: Attachment) -> None:
    values = {name: getattr(attachment, name) for name in _NAMES}
    if attachment.parts is not None:
        values["parts"] = orjson.dumps(attachment.parts).decode()
    database.execute(_UPDATE, values)

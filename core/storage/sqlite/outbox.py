"""The SQL of the outbox: messages that plugins want sent, kept until the platform took or refused them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ..values import OutboxCount, Outgoing, Unsent
from .dead import LONGEST_DELAY
from .handle import SqliteHandle


def put_in_outbox(database: sqlite3.Connection, plugin: str, messages: Iterable[Outgoing], now: int) -> None:
    """Part of a commit; a message whose key was used before is dropped."""
    database.executemany(
        "INSERT OR IGNORE INTO outbox(plugin, key, chat_id, reply_to, msg_type, content, due) VALUES (?,?,?,?,?,?,?)",
        ((plugin, *message, now) for message in messages),
    )


class SqliteOutboxSide(SqliteHandle):
    """The part of ``SqliteStore`` that the outbox uses."""

    def unsent(self, now: int, limit: int) -> list[Unsent]:
        rows = self.read(
            "SELECT id, plugin, key, chat_id, reply_to, msg_type, content, attempts FROM outbox WHERE id IN"
            " (SELECT min(id) FROM outbox WHERE due IS NOT NULL GROUP BY chat_id) AND (due <= ? OR due > ?)"
            " ORDER BY id LIMIT ?",
            (now, now + LONGEST_DELAY, limit),
        )
        return [Unsent(row[0], row[1], Outgoing(*row[2:7]), row[7]) for row in rows]

    def sent(self, message: int, message_id: str, now: int) -> None:
        with self.write() as database:
            database.execute(
                "UPDATE outbox SET due = NULL, done = ?, message_id = ?, error = '' WHERE id = ?",
                (now, message_id, message),
            )

    def unsendable(self, message: int, error: str, attempts: int, due: int | None, now: int) -> None:
        with self.write() as database:
            database.execute(
                "UPDATE outbox SET due = ?, done = ?, attempts = ?, error = ? WHERE id = ?",
                (due, now if due is None else None, attempts, error, message),
            )

    def outbox(self) -> list[OutboxCount]:
        rows = self.read(
            "SELECT plugin, count(due), count(*) - count(due) - count(nullif(message_id, '')),"
            " coalesce(max(CASE WHEN error != '' THEN printf('%019d', id) || error END), '')"
            " FROM outbox GROUP BY plugin ORDER BY plugin"
        )
        return [OutboxCount(plugin, waiting, failed, problem[19:]) for plugin, waiting, failed, problem in rows]

    def forget_sent(self, before: int) -> None:
        with self.write() as database:
            database.execute("DELETE FROM outbox WHERE due IS NULL AND done < ?", (before,))

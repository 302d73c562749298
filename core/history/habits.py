"""What the journal tells of each group: when something was last said, its rhythm, its topics, and who is a bot.

It reads the journal once, position by position, and remembers where it was over restarts. It never asks the platform.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from ..events import MESSAGE
from ..storage.protocol import JournalHandle, StoreHandle
from ..storage.values import Stored
from .as_pushed import ORIGIN
from .rhythm import Rhythm

NOTE: Final = "habits"
AT_ONCE: Final = 500
"""Events looked at between two rests."""
AT_FIRST: Final = 50_000
"""Events at the end of an existing journal from which one begins to learn."""
MOST_TOPICS: Final = 100
"""Remembered of a group, those in which something was said last."""
MOST_BOTS: Final = 500


@dataclass(slots=True)
class Habit:
    """One group."""

    rhythm: Rhythm
    last: int = 0
    """When something was last said as far as the journal knows, ms UTC."""
    topics: dict[str, int] = field(default_factory=dict)
    """When something was last said in each topic, by thread ID, the latest last."""


class Habits:
    """Those of ``chats``, all when that is empty, for the thread that owns the two handles."""

    def __init__(self, journal: JournalHandle, store: StoreHandle, zone: ZoneInfo, chats: Collection[str]) -> None:
        self._journal = journal
        self._store = store
        self._zone = zone
        self._chats = frozenset(chats)
        self.groups: dict[str, Habit] = {}
        self.bots: dict[str, None] = {}
        """open_ids that were mentioned as bots."""
        self._position = -1
        self._kept = ""

    def catch_up(self, before: int | None = None) -> bool:
        """Look at what has come since, ``before`` then (ms), some at a time; whether there may be more.

        Raises ``StorageError``.
        """
        if self._position < 0:
            self._restore()
        found, reached = self._journal.read_after(self._position, [MESSAGE], AT_ONCE)
        for stored in found:
            if before is not None and stored.received >= before:
                return False
            self._learn(stored)
            self._position = stored.seq
        self._position = reached
        return len(found) == AT_ONCE

    def spend(self, start: int, end: int) -> None:
        """From ``start`` to ``end`` (ms) everything said was heard."""
        for habit in self.groups.values():
            habit.rhythm.spend(start, end)

    def topics(self, chat_id: str, since: int) -> list[str]:
        """The topics of a group in which something was said since ``since`` (ms), the latest first."""
        habit = self.groups.get(chat_id)
        return [topic for topic, last in reversed(habit.topics.items()) if last >= since] if habit else []

    def keep(self) -> None:
        """Remember it over a restart. Raises ``StorageError``."""
        if self._position >= 0:
            groups = {
                chat: {"last": one.last, "topics": one.topics, "rhythm": one.rhythm.as_json()}
                for chat, one in self.groups.items()
            }
            document = {"position": self._position, "bots": list(self.bots), "groups": groups}
            text = orjson.dumps(document).decode()
            if text != self._kept:
                self._store.set_note(NOTE, text)
                self._kept = text

    def _restore(self) -> None:
        self._kept = self._store.note(NOTE) or ""
        kept: dict[str, Any] = orjson.loads(self._kept) if self._kept else {}
        for chat, one in kept.get("groups", {}).items():
            if self._chats and chat not in self._chats:  # CHAT_ID was changed.
                continue
            self.groups[chat] = Habit(Rhythm(self._zone, **one["rhythm"]), one["last"], one["topics"])
        self.bots = dict.fromkeys(kept.get("bots", ()))
        head = self._journal.head()
        self._position = min(head, kept.get("position", max(0, head - AT_FIRST)))

    def _learn(self, stored: Stored) -> None:
        try:
            document = orjson.loads(stored.body)
            message = document["event"]["message"]
            at = min(int(message["create_time"]), stored.received)  # Some times are given in µs (FEISHU.md §2.1).
            chat, topic, mentions = message["chat_id"], message.get("thread_id"), message.get("mentions")
            pushed = not document["header"]["event_id"].startswith(ORIGIN)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            return  # Damaged, or of an older schema; it is others who say so.
        if message.get("chat_type") != "group" or (self._chats and chat not in self._chats):
            return
        habit = self.groups.get(chat)
        if habit is None:
            habit = self.groups[chat] = Habit(Rhythm(self._zone))
        habit.last = max(habit.last, at)
        if pushed:  # What was not heard when it was said tells nothing about listening.
            habit.rhythm.hear(at)
        if isinstance(topic, str) and topic:
            at = max(at, habit.topics.pop(topic, 0))
            habit.topics[topic] = at
            if len(habit.topics) > MOST_TOPICS:
                del habit.topics[next(iter(habit.topics))]
        for mention in mentions if isinstance(mentions, list) else ():
            self._learn_bot(mention)

    def _learn_bot(self, mention: Mapping[str, Any]) -> None:
        if isinstance(mention, dict) and mention.get("mentioned_type") == "bot":
            ids = mention.get("id")
            who = ids.get("open_id") if isinstance(ids, dict) else None
            if isinstance(who, str) and len(self.bots) < MOST_BOTS:
                self.bots[who] = None

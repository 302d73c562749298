"""What a topic is: a root message and everything under it; pure rules on plain values.

The order in which messages arrive does not matter: adding them one by one gives what counting them all gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self
from zoneinfo import ZoneInfo

from core import Row

from .tables import RECALLED

ACTIVE: Final = "活跃"
SILENT: Final = "沉默"
COLD: Final = "冷却"

DAY: Final = 86_400_000
ACTIVE_FOR: Final = 7 * DAY
SILENT_FOR: Final = 30 * DAY
TITLE: Final = 80
"""Code points of a title at the most."""
FENCE: Final = "```"
"""Begins and ends code; the line says at most which language."""

NO_ROOT: Final = "（首条消息不在归档中）"
ROOT_RECALLED: Final = "（首条消息已撤回）"
NO_TITLE: Final = "（无文字）"

_CITED: Final = re.compile(r"[ \t]*(https?://applink\.\S+messageId=([^\s&#]+))")
"""The link to a message at the end of a line of a summary."""

LINK: Final = "https://applink.feishu.cn/client/chat/open?openChatId={}&messageId={}"


@dataclass(frozen=True, slots=True)
class Replies:
    """The replies of one topic that were not recalled."""

    count: int = 0
    first: int | None = None
    """When the first one was sent, ms UTC."""
    last: int | None = None
    people: Mapping[str, int] = field(default_factory=dict)
    """When each person first replied, by open_id; bots are nobody."""

    def plus(self, row: Row) -> Self:
        """With one more; ``row`` is of ``ARCHIVE``."""
        at, person = row["created"], row["person_id"]
        people = self.people
        if at is None:  # It was in Bitable before, without a time.
            return type(self)(self.count + 1, self.first, self.last, people)
        if person and people.get(person, at + 1) > at:
            people = {**people, person: at}
        first = at if self.first is None else min(self.first, at)
        last = at if self.last is None else max(self.last, at)
        return type(self)(self.count + 1, first, last, people)

    def after(self, count: int, last: int) -> Self:
        """With ``count`` more, of which nothing is known but when the ``last`` was sent."""
        first = last if self.first is None else min(self.first, last)
        return type(self)(self.count + count, first, max(last, self.last or last), self.people)

    @classmethod
    def of(cls, rows: Iterable[Row], topic_id: str) -> Self:
        """Those among ``rows``, all messages of the topic."""
        replies = cls()
        for row in rows:
            if row["message_id"] != topic_id and row["status"] != RECALLED:
                replies = replies.plus(row)
        return replies


def shown(topic_id: str, chat_id: str, replies: Replies, root: Row | None, timezone: ZoneInfo) -> Row:
    """What ``TOPICS`` says of a topic with replies, but its status and summary; ``root`` is of ``ARCHIVE``."""
    people = dict(replies.people)
    created = None
    if root is not None:
        created = root["created"]
        starter = root["person_id"]
        if starter and root["status"] != RECALLED:
            at = created if created is not None else replies.first or 0
            people[starter] = min(people.get(starter, at), at)
    begun = created if created is not None else replies.first
    return {
        "title": title(root),
        "created": created,
        "last_reply": replies.last,
        "replies": replies.count,
        "people": len(people),
        "participants": sorted(people, key=lambda person: (people[person], person)),
        "month": month_of(begun or 0, timezone),
        "link": LINK.format(chat_id, topic_id),
        "chat_id": chat_id,
        "starter_id": root["sender_id"] if root is not None else "",
        "person_id": root["person_id"] if root is not None else "",
    }


def title(root: Row | None) -> str:
    """The first line of the root that says something."""
    if root is None:
        return NO_ROOT
    if not root["content"] and root["status"] == RECALLED:
        return ROOT_RECALLED
    lines = (line.strip() for line in text_of(root).splitlines())
    line = next((line for line in lines if line and not line.startswith(FENCE)), NO_TITLE)
    return line if len(line) <= TITLE else f"{line[: TITLE - 1].rstrip()}…"


def text_of(row: Row) -> str:
    """What the message itself says, without the notes on attachments; ``row`` is of ``ARCHIVE``."""
    content: str = row["content"]
    return content[: row["length"]] if row["length"] else content


def status(last_reply: int, now: int) -> tuple[str, int | None]:
    """How alive a topic is at ``now``, and when that changes by itself (ms UTC; None = never)."""
    if now <= last_reply + ACTIVE_FOR:
        return ACTIVE, last_reply + ACTIVE_FOR + 1
    if now <= last_reply + SILENT_FOR:
        return SILENT, last_reply + SILENT_FOR + 1
    return COLD, None


def cited(summary: str) -> list[tuple[str, str, str]]:
    """Each line of a summary without its link, that link, and the message it opens; both empty where there is none."""
    lines = []
    for line in summary.splitlines():
        found = _CITED.search(line)
        lines.append((_CITED.sub("", line), *((found[1], found[2]) if found else ("", ""))))
    return lines


def month_of(moment: int, timezone: ZoneInfo) -> str:
    """The month, ``YYYY-MM``, of ``moment`` (ms UTC) where the group lives."""
    local = datetime.fromtimestamp(moment / 1000, timezone)
    return f"{local.year:04}-{local.month:02}"

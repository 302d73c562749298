"""What the activity table has to say, folded from the distinct events in plain Python.

Written from the table of counters alone. It holds everything in memory, looks at the whole history at once and imports
nothing of the project, so that it can only agree with the program by both being right.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

WEIGHTS = {
    "发言次数": "1.0",
    "发言字数": "0.01",
    "被回复数": "1.5",
    "单独被@次数": "1.5",
    "发起话题数": "1.0",
    "点赞数": "1.0",
    "被点赞数": "1.0",
    "被Pin次数": "5.0",
}

Table = dict[tuple[str, str], dict[str, int]]


def fold(events: Iterable[dict[str, Any]], timezone: str = "Asia/Shanghai") -> Table:
    """Counters by (open_id, month) of every row that is not all zeros; ``events`` in any order, with duplicates."""
    messages: dict[str, dict[str, Any]] = {}
    recalled: set[str] = set()
    likes: dict[tuple[str, str, str], tuple[int, int]] = {}
    pins: dict[str, tuple[int, int]] = {}
    for pushed in events:
        kind, event = pushed["header"]["event_type"], pushed["event"]
        if kind == "im.message.receive_v1":
            if event["message"]["chat_type"] == "group":
                messages.setdefault(event["message"]["message_id"], event)
        elif kind == "im.message.recalled_v1":
            recalled.add(event["message_id"])
        elif kind.startswith("im.message.reaction."):
            if event["operator_type"] == "user":
                like = (event["message_id"], event["user_id"]["open_id"], event["reaction_type"]["emoji_type"])
                action = (int(event["action_time"]), int("deleted" in kind))
                likes[like] = max(likes.get(like, action), action)
        elif kind in ("pin.added", "pin.removed"):
            action = (int(event["pin_time"]), int(kind == "pin.removed"))
            pins[event["message_id"]] = max(pins.get(event["message_id"], action), action)

    table: Table = defaultdict(lambda: dict.fromkeys(WEIGHTS, 0))
    zone = ZoneInfo(timezone)

    def row(message_id: str, user: str) -> dict[str, int]:
        sent = int(messages[message_id]["message"]["create_time"])
        month = datetime.fromtimestamp(sent // 1000, UTC).astimezone(zone).strftime("%Y-%m")
        return table[user, month]

    for message_id in messages.keys() - recalled:
        if not _is_bot(messages[message_id]):
            _count_message(messages, message_id, lambda user, message_id=message_id: row(message_id, user))
    for (message_id, user, _), (_, removed) in likes.items():
        if message_id in messages and not removed:
            row(message_id, user)["点赞数"] += 1
            author = _author(messages[message_id])
            if author != user and not _is_bot(messages[message_id]):
                row(message_id, author)["被点赞数"] += 1
    for message_id, (_, removed) in pins.items():
        if message_id in messages and not removed and not _is_bot(messages[message_id]):
            row(message_id, _author(messages[message_id]))["被Pin次数"] += 1
    return {key: counters for key, counters in table.items() if any(counters.values())}


def score(counters: dict[str, int]) -> float:
    """活跃度分数 of one row, with the default weights."""
    exact = sum((Decimal(weight) * counters[name] for name, weight in WEIGHTS.items()), Decimal(0))
    return float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))


def _count_message(messages: dict[str, dict[str, Any]], message_id: str, row: Any) -> None:
    event = messages[message_id]
    message, author = event["message"], _author(event)
    row(author)["发言次数"] += 1
    row(author)["发言字数"] += _typed(message)
    if not message.get("root_id"):
        row(author)["发起话题数"] += 1
    people = [
        mention["id"]["open_id"]
        for mention in message.get("mentions", [])
        if mention["mentioned_type"] != "bot" and mention["key"] != "@_all"
    ]
    parent = message.get("parent_id")
    replied_to = None
    if parent and message.get("thread_id") and parent == message["root_id"] and people:
        replied_to = people[0]
    elif parent in messages and not _is_bot(messages[parent]):
        replied_to = _author(messages[parent])
    if replied_to is not None and replied_to != author:
        row(replied_to)["被回复数"] += 1
    for person in set(people) - {author, replied_to}:
        row(person)["单独被@次数"] += 1


def _typed(message: dict[str, Any]) -> int:
    if message["message_type"] not in ("text", "post"):
        return 0
    content = json.loads(message["content"])
    if message["message_type"] == "text":
        text = content["text"]
    else:
        text = content.get("title", "")
        for line in content["content"]:
            for part in line:
                if part["tag"] in ("text", "a", "code_block"):
                    text += part["text"]
    # From the back, so that @_user_1 does not eat the beginning of @_user_10.
    for mention in reversed(message.get("mentions", [])):
        text = text.replace(mention["key"], "")
    return len(text.replace("@_all", "").strip())


def _author(event: dict[str, Any]) -> str:
    return str(event["sender"]["sender_id"]["open_id"])


def _is_bot(event: dict[str, Any]) -> bool:
    return bool(event["sender"]["sender_type"] != "user")

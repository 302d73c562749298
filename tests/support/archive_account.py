"""What the archive and the topic table have to say, worked out from the distinct events in plain Python.

Written from the description of the tables alone. It holds everything in memory, looks at the whole history at once and
imports nothing of the project, so that it can only agree with the program by both being right. Of what people wrote it
reads ``text`` only; the text of other types is checked elsewhere.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

DAY = 86_400_000
LINK = "https://applink.feishu.cn/client/chat/open?openChatId={}&messageId={}"

Row = dict[str, Any]


@dataclass(frozen=True)
class _Said:
    """One message as it is in the end."""

    event: Mapping[str, Any]
    text: str | None
    """None for other types than text."""
    kind: str
    mentioned: str
    edited: int | None
    recalled: bool

    @property
    def message(self) -> Mapping[str, Any]:
        return self.event["message"]

    @property
    def at(self) -> int:
        return int(self.message["create_time"])

    @property
    def author(self) -> str:
        return self.event["sender"]["sender_id"]["open_id"]

    @property
    def person(self) -> str:
        return self.author if self.event["sender"]["sender_type"] == "user" else ""

    @property
    def topic(self) -> str:
        return self.message.get("root_id") or self.message["message_id"]


def archive(
    events: Iterable[Mapping[str, Any]], *, keep: bool = False, timezone: str = "Asia/Shanghai"
) -> dict[str, Row]:
    """One row per message by 消息ID; ``events`` as pushed, in any order. 消息内容 is None where it was not read."""
    zone = ZoneInfo(timezone)
    rows = {}
    for message_id, said in _final(events).items():
        blank = said.recalled and not keep
        message = said.message
        rows[message_id] = {
            "话题ID": said.topic,
            "父消息ID": message.get("parent_id", ""),
            "发送者": said.person,
            "发送者姓名": said.author,
            "消息内容": "" if blank else said.text,
            "消息类型": said.kind,
            "发送时间": said.at,
            "统计月份": _month(said.at, zone),
            "消息链接": LINK.format(message["chat_id"], message_id),
            "@的人": "" if blank else said.mentioned,
            "消息状态": "已撤回" if said.recalled else "已编辑" if said.edited else "",
            "编辑时间": said.edited,
        }
    return rows


def topics(
    events: Iterable[Mapping[str, Any]],
    now: int,
    *,
    at_least: int = 1,
    keep: bool = False,
    timezone: str = "Asia/Shanghai",
) -> dict[str, Row]:
    """One row per topic by 话题ID, as it is at ``now``; 参与者 are open_ids. 话题标题 is None where it was not read."""
    zone = ZoneInfo(timezone)
    messages = _final(events)
    below: dict[str, list[_Said]] = defaultdict(list)
    for message_id, said in messages.items():
        if message_id != said.topic and not said.recalled:
            below[said.topic].append(said)
    rows: dict[str, Row] = {}
    for topic_id, replies in below.items():
        root = messages.get(topic_id)
        if len(replies) < at_least:
            continue
        spoken = [*replies, *([root] if root is not None and not root.recalled else [])]
        people: dict[str, int] = {}
        for said in sorted(spoken, key=lambda said: said.at):
            people.setdefault(said.person, said.at)
        people.pop("", None)
        last = max(said.at for said in replies)
        begun = root.at if root is not None else min(said.at for said in replies)
        chat_id = replies[0].message["chat_id"]
        rows[topic_id] = {
            "话题标题": _title(root, keep=keep),
            "发起人": root.person if root is not None else "",
            "创建时间": root.at if root is not None else None,
            "最后回复时间": last,
            "回复数": len(replies),
            "参与人数": len(people),
            "参与者": sorted(people, key=lambda person: (people[person], person)),
            "话题状态": "活跃" if now - last <= 7 * DAY else "沉默" if now - last <= 30 * DAY else "冷却",
            "统计月份": _month(begun, zone),
            "话题链接": LINK.format(chat_id, topic_id),
        }
    return rows


def named(rows: Mapping[str, Row], names: Mapping[str, str], *, of: str = "") -> dict[str, Row]:
    """The rows with names in place of open_ids where people read names; a topic's are those ``of`` its starter too."""
    shown = {}
    for key, row in rows.items():
        changes: Row = {}
        if "发送者姓名" in row:
            changes["发送者姓名"] = names.get(row["发送者姓名"], "")
        if of:
            changes[f"{of}姓名"] = names.get(row[of], "")
            changes["参与者"] = ", ".join(name for one in row["参与者"] if (name := names.get(one)))
        shown[key] = row | changes
    return shown


def _final(events: Iterable[Mapping[str, Any]]) -> dict[str, _Said]:
    said: dict[str, Mapping[str, Any]] = {}
    recalled: set[str] = set()
    edits: dict[str, Mapping[str, Any]] = {}
    for pushed in events:
        kind, event = pushed["header"]["event_type"], pushed["event"]
        if kind == "im.message.receive_v1":
            if event["message"]["chat_type"] == "group":
                said.setdefault(event["message"]["message_id"], event)
        elif kind == "im.message.recalled_v1":
            recalled.add(event["message_id"])
        elif kind == "im.message.updated_v1":
            edit = event["message"]
            before = edits.setdefault(edit["message_id"], edit)
            if int(edit["update_time"]) > int(before["update_time"]):
                edits[edit["message_id"]] = edit
    final = {}
    for message_id, event in said.items():
        message = event["message"]
        edit = edits.get(message_id)
        edited = None
        if edit is not None and int(edit["update_time"]) > int(message["update_time"]):
            edited = int(edit["update_time"])
        shown = edit if edit is not None and edited else message
        final[message_id] = _Said(
            event,
            _text(shown),
            shown["message_type"],
            ", ".join(dict.fromkeys(_name(mention) for mention in shown.get("mentions", ()))),
            edited,
            message_id in recalled,
        )
    return final


def _text(message: Mapping[str, Any]) -> str | None:
    if message["message_type"] != "text":
        return None
    text: str = json.loads(message["content"])["text"]
    mentions = sorted(message.get("mentions", ()), key=lambda mention: -len(mention["key"]))
    for mention in mentions:
        text = text.replace(mention["key"], f"@{_name(mention)}")
    return text.replace("@_all", "@所有人")


def _name(mention: Mapping[str, Any]) -> str:
    return "所有人" if mention["key"] == "@_all" else mention["name"]


def _title(root: _Said | None, *, keep: bool) -> str | None:
    if root is None:
        return "（首条消息不在归档中）"
    if root.recalled and (not keep or root.text == ""):
        return "（首条消息已撤回）"
    if root.text is None:
        return None
    line = next(
        (line.strip() for line in root.text.splitlines() if line.strip() and not line.strip().startswith("```")),
        "（无文字）",
    )
    return line if len(line) <= 80 else line[:79].rstrip() + "…"


def _month(moment: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(moment // 1000, UTC).astimezone(zone).strftime("%Y-%m")

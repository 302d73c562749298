"""What a pinned message says, from the API's answer for it (FEISHU.md §4.2); rules only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from core import Resource, as_received, render, render_forward

from .changes import moment_of

RECALLED_TEXT: Final = "［已撤回］"
LINK: Final = "https://applink.feishu.cn/client/chat/open?openChatId={}&messageId={}"


@dataclass(frozen=True, slots=True)
class Content:
    """A message as it is archived."""

    message_type: str
    text: str
    sender_id: str
    """The open_id, or the app_id; empty when the platform itself speaks."""
    sent: int | None
    """ms UTC."""
    resources: tuple[Resource, ...] = ()
    problems: tuple[str, ...] = ()
    recalled: bool = False


def content_of(items: Sequence[Mapping[str, Any]], names: Mapping[str, str], zone: ZoneInfo) -> Content:
    """The first of ``items``; the others are the children of a merged forward, whose ``names`` are by open_id."""
    message = items[0]
    message_type, sender, sent = message.get("msg_type"), _sender(message), message.get("create_time")
    message_type = message_type if isinstance(message_type, str) else ""
    at = moment_of(sent)
    if message.get("deleted") is True:
        return Content(message_type, RECALLED_TEXT, sender, at, recalled=True)
    if message_type == "merge_forward":
        shown = render_forward(items, names=names, zone=zone)
    else:
        received_type, content, mentions = as_received(message)
        shown = render(received_type, content, mentions, zone=zone)
    return Content(message_type, shown.text, sender, at, shown.resources, shown.problems)


def people_in(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """The open_ids of who wrote ``items``, each once."""
    return [one for one in dict.fromkeys(map(_sender, items)) if one.startswith("ou_")]


def with_notes(text: str, problems: Iterable[str]) -> str:
    """The text, and below it why attachments cannot be had."""
    return "\n".join((text, *(f"［附件无法下载：{problem}］" for problem in problems)))


def link_of(chat_id: str, message_id: str) -> str:
    """Opens the message in Feishu."""
    return LINK.format(chat_id, message_id)


def local(moment: int, zone: ZoneInfo) -> str:
    """``moment`` (ms UTC) as ``YYYY-MM-DD HH:MM:SS`` in ``zone``."""
    return datetime.fromtimestamp(moment / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")


def _sender(item: Mapping[str, Any]) -> str:
    sender = item.get("sender")
    who = sender.get("id") if isinstance(sender, dict) else None
    return who if isinstance(who, str) else ""

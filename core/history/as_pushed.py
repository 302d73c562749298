"""Messages and reactions as the API shows them, turned into the events that were pushed, or would have been; pure.

The two forms differ in names, nesting and in what they leave out (FEISHU.md §4.2). The natural keys are the same, so
what arrived anyway is dropped as a duplicate; only of an edit both may be there, as a pushed one does not say when it
was made (§2.7).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson

from ..errors import Malformed
from ..events import EDIT, MESSAGE, REACTION_ADDED, RECALL

ORIGIN: Final = "history:"
"""What the event IDs of events begin with that were made here."""
BY_APP: Final = "said by a bot"
BY_PLATFORM: Final = "said by the platform"

_PARAGRAPHS: Final = re.compile(r"(?:<p>.*?</p>\s*)+", re.DOTALL)
_PARAGRAPH: Final = re.compile(r"<p>(.*?)</p>", re.DOTALL)
_BLANK: Final[Mapping[str, dict[str, Any]]] = {"text": {"text": ""}, "post": {"title": "", "content": []}}


def left_out(item: Mapping[str, Any]) -> str:
    """Why a message is not pushed either, or empty: what bots and the platform say is only in the history (§2.2)."""
    sender = item.get("sender")
    kind = sender.get("sender_type") if isinstance(sender, Mapping) else None
    if kind == "app":
        return BY_APP
    return "" if kind == "user" and item.get("msg_type") != "system" else BY_PLATFORM


def as_pushed(item: Mapping[str, Any], bots: Collection[str] = ()) -> list[bytes]:
    """The events behind one message of a group, in their order; ``bots`` are the open_ids known to be bots.

    A recalled message is its message without content, for who wrote it counts, and its recall. An edited one is the
    message as it is now, and its edit: what it said before is not to be had. Raises ``Malformed``.
    """
    message_id, sent = _text(item, "message_id"), _time(item, "create_time")
    changed = _time(item, "update_time") if item.get("update_time") else sent
    sender, chat_id = _object(item, "sender"), _text(item, "chat_id")
    author, tenant = {"open_id": _text(sender, "id")}, str(sender.get("tenant_key") or "")
    deleted, updated = item.get("deleted") is True, item.get("updated") is True
    kind = _text(item, "msg_type")
    message: dict[str, Any] = {"message_id": message_id}
    for name in ("root_id", "parent_id", "thread_id"):  # Absent or empty where a push has none.
        if item.get(name):
            message[name] = _text(item, name)
    message |= {
        "create_time": sent,
        "update_time": sent,
        "chat_id": chat_id,
        "chat_type": "group",
        "message_type": kind,
        "content": orjson.dumps(_BLANK.get(kind, {})).decode() if deleted else _content(item, kind, edited=updated),
    }
    mentions = [] if deleted else _mentions(item, bots)
    if mentions:
        message["mentions"] = mentions
    said = {"sender": {"sender_id": author, "sender_type": "user", "tenant_key": tenant}, "message": message}
    events = [_event(MESSAGE, f"message:{message_id}", sent, tenant, said)]
    if deleted:
        recall = {"message_id": message_id, "chat_id": chat_id, "recall_time": changed}
        events.append(_event(RECALL, f"recall:{message_id}", changed, tenant, recall))
    elif updated:
        edit = {"operator_id": author, "message": {**message, "update_time": changed}}
        events.append(_event(EDIT, f"edit:{message_id}:{changed}", changed, tenant, edit))
    return events


def reaction_as_pushed(message_id: str, item: Mapping[str, Any], tenant: str = "") -> bytes:
    """The event of an emoji that is on a message. Raises ``Malformed``."""
    operator, at = _object(item, "operator"), _time(item, "action_time")
    who, by_app = _text(operator, "operator_id"), operator.get("operator_type") == "app"
    nested = item.get("reaction_type")  # One operation shows it flat, the other as in the event (§4.4).
    emoji = _text(nested if isinstance(nested, Mapping) else item, "emoji_type")
    event = {
        "message_id": message_id,
        "reaction_type": {"emoji_type": emoji},
        "operator_type": "app" if by_app else "user",
        **({"app_id": who} if by_app else {"user_id": {"open_id": who}, "app_id": ""}),
        "action_time": at,
    }
    return _event(REACTION_ADDED, f"reaction:{message_id}:{who}:{emoji}:{at}", at, tenant, event)


def happened(event: bytes) -> int:
    """When what one of these events tells of happened, ms UTC."""
    return int(orjson.loads(event)["header"]["create_time"])


def _event(kind: str, name: str, at: str, tenant: str, event: Mapping[str, Any]) -> bytes:
    header = {"event_id": f"{ORIGIN}{name}", "event_type": kind, "create_time": at, "tenant_key": tenant}
    return orjson.dumps({"schema": "2.0", "header": header, "event": event})


def _content(item: Mapping[str, Any], kind: str, *, edited: bool) -> str:
    """``content`` as a push has it: the JSON of an object."""
    text = _object(item, "body").get("content")
    if not isinstance(text, str):
        raise Malformed("body.content is missing or of the wrong type")
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):  # A merged forward, for one, is shown as plain words.
        return orjson.dumps({"content" if kind == "merge_forward" else "text": text}).decode()
    words = content.get("text")
    if edited and kind == "text" and isinstance(words, str) and _PARAGRAPHS.fullmatch(words):  # Unconfirmed (§2.3).
        return orjson.dumps({**content, "text": "\n".join(_PARAGRAPH.findall(words))}).decode()
    return text


def _mentions(item: Mapping[str, Any], bots: Collection[str]) -> list[dict[str, Any]]:
    given = item.get("mentions") or []
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise Malformed("mentions is of the wrong type")
    return [_mention(each, bots) for each in given]


def _mention(each: Mapping[str, Any], bots: Collection[str]) -> dict[str, Any]:
    who = str(each.get("id") or "")
    is_bot = who in bots or each.get("id_type") == "app_id"
    return {
        "key": str(each.get("key") or ""),
        "id": {"open_id": who},
        "mentioned_type": "bot" if is_bot else "user",
        "name": str(each.get("name") or ""),
        "tenant_key": str(each.get("tenant_key") or ""),
    }


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, Mapping):
        raise Malformed(f"{name} is missing or of the wrong type")
    return value


def _text(parent: Mapping[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is missing or of the wrong type")
    return value


def _time(parent: Mapping[str, Any], name: str) -> str:
    """ms UTC as digits, which the API gives as a string or as a number."""
    value = str(parent.get(name))
    if not value.isascii() or not value.isdecimal() or len(value) > 13:
        raise Malformed(f"{name} is missing or of the wrong type")
    return value

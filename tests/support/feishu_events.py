"""Events as the bytes that Feishu pushes (FEISHU.md §2), with ids of their own."""

from __future__ import annotations

import itertools
from typing import Any

import orjson

APP = "cli_9f3d5e7a1b2c4d6e"
TENANT = "7c1e9a5b3d2f4860"
GROUP = "oc_7d3b1f0e5a9c4826b1d7e3f5a9c0b2d4"
PRIVATE = "oc_0a1b2c3d4e5f60718293a4b5c6d7e8f9"
LI = "ou_3c5e7a9b1d2f40618293a4b5c6d7e8f0"
WANG = "ou_6b8d0f2a4c6e80917253a4b5c6d7e8f1"

SENT = 1_793_500_000_000
"""2026-11-01 10:26:40 in Shanghai, ms UTC."""

_numbers = itertools.count(1)


def pushed(event_type: str, event: dict[str, Any], *, event_id: str = "", time: int = SENT) -> bytes:
    """Any event in its schema 2.0 envelope; with an event_id of its own unless one is given."""
    header = {
        "event_id": event_id or f"ev{next(_numbers):030d}",
        "event_type": event_type,
        "create_time": str(time),
        "token": "vTkn0000000000000000000000000009",
        "app_id": APP,
        "tenant_key": TENANT,
    }
    return orjson.dumps({"schema": "2.0", "header": header, "event": event})


def person(open_id: str) -> dict[str, str]:
    """A user id object."""
    return {"union_id": open_id.replace("ou_", "on_"), "user_id": "", "open_id": open_id}


def message_event(message_id: str, sender: str = LI, text: str = "你好", **fields: Any) -> dict[str, Any]:
    """The ``event`` object of a message; ``fields`` replace those of its message, None removes one."""
    message: dict[str, Any] = {
        "message_id": message_id,
        "create_time": str(SENT),
        "update_time": str(SENT),
        "chat_id": GROUP,
        "chat_type": "group",
        "message_type": "text",
        "content": orjson.dumps({"text": text}).decode(),
    } | fields
    return {
        "sender": {"sender_id": person(sender), "sender_type": "user", "tenant_key": TENANT},
        "message": {name: value for name, value in message.items() if value is not None},
    }


def message(message_id: str, sender: str = LI, text: str = "你好", *, event_id: str = "", **fields: Any) -> bytes:
    """``im.message.receive_v1``."""
    return pushed("im.message.receive_v1", message_event(message_id, sender, text, **fields), event_id=event_id)


def reaction(
    message_id: str, who: str = WANG, emoji: str = "DONE", *, added: bool = True, time: int = SENT, event_id: str = ""
) -> bytes:
    """``im.message.reaction.created_v1`` or ``.deleted_v1``; who is called ``cli_…`` is an app."""
    event: dict[str, Any] = {
        "message_id": message_id,
        "reaction_type": {"emoji_type": emoji},
        "action_time": str(time),
    }
    if who.startswith("cli_"):
        event |= {"operator_type": "app", "app_id": who}
    else:
        event |= {"operator_type": "user", "user_id": person(who), "app_id": ""}
    kind = "created" if added else "deleted"
    return pushed(f"im.message.reaction.{kind}_v1", event, event_id=event_id)


def recall(message_id: str, *, chat_id: str = GROUP, event_id: str = "") -> bytes:
    """``im.message.recalled_v1``."""
    event = {"message_id": message_id, "chat_id": chat_id, "recall_time": str(SENT), "recall_type": "message_owner"}
    return pushed("im.message.recalled_v1", event, event_id=event_id)


def read(*message_ids: str, reader: str = LI) -> bytes:
    """``im.message.message_read_v1``."""
    who = {"reader_id": person(reader), "read_time": str(SENT), "tenant_key": TENANT}
    return pushed("im.message.message_read_v1", {"reader": who, "message_id_list": list(message_ids)})


def card_action(
    value: Any = None,
    *,
    who: str = LI,
    event_id: str = "",
    chat_id: str = GROUP,
    message_id: str = "om_card",
    **action: Any,
) -> bytes:
    """``card.action.trigger`` of a button, unless ``action`` says otherwise; its time is in µs."""
    event = {
        "operator": {"tenant_key": TENANT, **person(who)},
        "token": "c-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "action": {"value": {} if value is None else value, "tag": "button", "name": "ok", **action},
        "host": "im_message",
        "context": {"open_message_id": message_id, "open_chat_id": chat_id},
    }
    return pushed("card.action.trigger", event, event_id=event_id, time=SENT * 1000)


def legacy(event_type: str, uuid: str, **event: Any) -> bytes:
    """An event in the old schema 1.0 (FEISHU.md §2.1)."""
    body = {"type": event_type, "tenant_key": TENANT, **event}
    return orjson.dumps({"ts": "1793500000.123", "uuid": uuid, "token": "v", "type": "event_callback", "event": body})

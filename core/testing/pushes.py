"""Events as the bytes that Feishu pushes (FEISHU.md §2); it knows forms, nothing of who is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from ..events import CARD_ACTION, MESSAGE, REACTION_ADDED, REACTION_REMOVED, READ, RECALL

APP: Final = "cli_00000000000000aa"
TENANT: Final = "0000000000000001"
BOT: Final = "ou_bot"
"""Who a message mentions that mentions the bot."""
MEMBER_ADDED: Final = "im.chat.member.user.added_v1"
MEMBER_REMOVED: Final = "im.chat.member.user.deleted_v1"


def pushed(event_type: str, event_id: str, at: int, event: Mapping[str, Any]) -> bytes:
    """Any event in its envelope of schema 2.0 (FEISHU.md §2.1)."""
    header = {
        "event_id": event_id,
        "event_type": event_type,
        "create_time": str(at),
        "token": "",
        "app_id": APP,
        "tenant_key": TENANT,
    }
    return orjson.dumps({"schema": "2.0", "header": header, "event": event})


def message(
    event_id: str,
    at: int,
    *,
    message_id: str,
    sender: str,
    chat_id: str,
    private: bool,
    kind: str,
    content: Mapping[str, Any],
    parent_id: str,
    root_id: str,
    thread_id: str,
    mentions: Sequence[Mapping[str, Any]],
) -> bytes:
    """``im.message.receive_v1`` (FEISHU.md §2.2); a sender called ``cli_…`` is an app."""
    body: dict[str, Any] = {
        "message_id": message_id,
        "create_time": str(at),
        "update_time": str(at),
        "chat_id": chat_id,
        "chat_type": "p2p" if private else "group",
        "message_type": kind,
        "content": orjson.dumps(content).decode(),
    }
    parts = {"parent_id": parent_id, "root_id": root_id, "thread_id": thread_id, "mentions": list(mentions)}
    body |= {name: part for name, part in parts.items() if part}
    kind_of_sender = "app" if sender.startswith("cli_") else "user"
    who = {"sender_id": person(sender), "sender_type": kind_of_sender, "tenant_key": TENANT}
    return pushed(MESSAGE, event_id, at, {"sender": who, "message": body})


def mention(number: int, open_id: str, name: str) -> dict[str, Any]:
    """One entry of ``mentions``; ``all`` is everybody, ``ou_bot`` the bot (FEISHU.md §2.2)."""
    if open_id == "all":
        return {"key": "@_all", "id": {"open_id": ""}, "name": "所有人", "mentioned_type": "user", "tenant_key": ""}
    kind = "bot" if open_id == BOT else "user"
    return {
        "key": f"@_user_{number}",
        "id": person(open_id),
        "name": name,
        "mentioned_type": kind,
        "tenant_key": TENANT,
    }


def reaction(event_id: str, at: int, *, message_id: str, who: str, emoji: str, added: bool) -> bytes:
    """``im.message.reaction.created_v1`` or ``.deleted_v1`` (FEISHU.md §2.4); who is called ``cli_…`` is an app."""
    event: dict[str, Any] = {
        "message_id": message_id,
        "reaction_type": {"emoji_type": emoji},
        "action_time": str(at),
    }
    if who.startswith("cli_"):
        event |= {"operator_type": "app", "app_id": who}
    else:
        event |= {"operator_type": "user", "user_id": person(who), "app_id": ""}
    return pushed(REACTION_ADDED if added else REACTION_REMOVED, event_id, at, event)


def recall(event_id: str, at: int, *, message_id: str, chat_id: str) -> bytes:
    """``im.message.recalled_v1`` (FEISHU.md §2.5)."""
    event = {"message_id": message_id, "chat_id": chat_id, "recall_time": str(at), "recall_type": "message_owner"}
    return pushed(RECALL, event_id, at, event)


def read(event_id: str, at: int, *, message_ids: Sequence[str], who: str) -> bytes:
    """``im.message.message_read_v1`` (FEISHU.md §2.6)."""
    reader = {"reader_id": person(who), "read_time": str(at), "tenant_key": TENANT}
    return pushed(READ, event_id, at, {"reader": reader, "message_id_list": list(message_ids)})


def members(event_id: str, at: int, *, chat_id: str, who: Mapping[str, str], joined: bool) -> bytes:
    """``im.chat.member.user.added_v1`` or ``.deleted_v1`` (FEISHU.md §2.9); ``who``: names by open_id."""
    users = [{"name": name, "tenant_key": TENANT, "user_id": person(one)} for one, name in who.items()]
    operator = person(next(iter(who)))
    event = {"chat_id": chat_id, "operator_id": operator, "external": False, "operator_tenant_key": TENANT}
    event |= {"users": users}
    return pushed(MEMBER_ADDED if joined else MEMBER_REMOVED, event_id, at, event)


def press(event_id: str, at: int, *, who: str, message_id: str, chat_id: str, action: Mapping[str, Any]) -> bytes:
    """``card.action.trigger`` (FEISHU.md §2.10)."""
    event = {
        "operator": {"tenant_key": TENANT, **person(who)},
        "token": f"c-{event_id}",
        "action": dict(action),
        "host": "im_message",
        "context": {"open_message_id": message_id, "open_chat_id": chat_id},
    }
    return pushed(CARD_ACTION, event_id, at, event)


def person(open_id: str) -> dict[str, str]:
    """A user id object, as an app without the scopes for other ids gets it."""
    return {"open_id": open_id, "union_id": open_id.replace("ou_", "on_", 1), "user_id": ""}

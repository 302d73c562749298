"""The events the platform announces, as bytes; it never decides what happened (FEISHU.md §2, Appendix A)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from . import permissions
from .chat import Chat, Message, Reaction
from .ids import Ids
from .people import App, People
from .scenario.act import EVERYONE

USER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Lark/7.50"


class Events:
    """Builds the schema 2.0 document of each event the app is subscribed to and has a scope for.

    Every builder returns None where the platform would stay silent.
    """

    def __init__(self, app: App, people: People, ids: Ids) -> None:
        self._app = app
        self._people = people
        self._ids = ids

    def said(self, message: Message) -> bytes | None:
        """``im.message.receive_v1`` of a person's message; the platform's own words are only in the history."""
        if not message.sender or message.by_app or not self._hears(message):
            return None
        chat = message.chat
        shown: dict[str, Any] = {"message_id": message.message_id}
        if message.parent:
            shown["root_id"] = message.root
            shown["parent_id"] = message.parent
        created = str(message.at)
        shown["create_time"] = created
        shown["update_time"] = created
        shown["chat_id"] = chat.chat_id
        if message.thread:
            shown["thread_id"] = message.thread
        shown["chat_type"] = chat.type
        shown["message_type"] = message.type
        shown["content"] = message.content
        if message.mentions:
            shown["mentions"] = [
                {
                    "key": mention.key,
                    "id": self._people.ids(mention.open_id),
                    "mentioned_type": "bot" if mention.open_id == self._app.open_id else "user",
                    "name": mention.name,
                    "tenant_key": self._app.tenant_key,
                }
                for mention in message.mentions
            ]
        if permissions.USER_AGENT in self._app.scopes:
            shown["user_agent"] = USER_AGENT
        sender = {
            "sender_id": self._people.ids(message.sender),
            "sender_type": "user",
            "tenant_key": self._app.tenant_key,
        }
        return self._wrap("im.message.receive_v1", message.at, {"sender": sender, "message": shown})

    def reacted(self, reaction: Reaction, message: Message, at: int, *, removed: bool) -> bytes | None:
        """``im.message.reaction.created_v1`` or ``.deleted_v1``."""
        name = "im.message.reaction.deleted_v1" if removed else "im.message.reaction.created_v1"
        if not self._announces(name, message.chat):
            return None
        event: dict[str, Any] = {
            "message_id": message.message_id,
            "reaction_type": {"emoji_type": reaction.emoji},
            "operator_type": "app" if reaction.by_app else "user",
        }
        if reaction.by_app:
            event["app_id"] = reaction.operator
        else:
            event["user_id"] = self._people.ids(reaction.operator)
            event["app_id"] = ""
        event["action_time"] = str(at)
        return self._wrap(name, at, event)

    def recalled(self, message: Message, at: int, *, by_owner_of_chat: bool) -> bytes | None:
        """``im.message.recalled_v1``."""
        if not self._announces("im.message.recalled_v1", message.chat):
            return None
        event = {
            "message_id": message.message_id,
            "chat_id": message.chat.chat_id,
            "recall_time": str(at),
            "recall_type": "group_owner" if by_owner_of_chat else "message_owner",
        }
        return self._wrap("im.message.recalled_v1", at, event)

    def edited(self, message: Message, at: int) -> bytes | None:
        """``im.message.updated_v1``, whose existence and shape are unconfirmed (FEISHU.md §2.7)."""
        if not self._announces("im.message.updated_v1", message.chat):
            return None
        event = {
            "operator_id": {"open_id": message.sender},
            "message": {"message_id": message.message_id, "chat_id": message.chat.chat_id},
        }
        return self._wrap("im.message.updated_v1", at, event)

    def moved(self, chat: Chat, open_id: str, by: str, at: int, *, joined: bool) -> bytes | None:
        """``im.chat.member.user.added_v1`` or ``.deleted_v1``."""
        name = "im.chat.member.user.added_v1" if joined else "im.chat.member.user.deleted_v1"
        if not self._announces(name, chat):
            return None
        person = self._people.get(open_id)
        event = {
            "chat_id": chat.chat_id,
            "operator_id": self._people.ids(by or open_id),
            "external": False,
            "operator_tenant_key": self._app.tenant_key,
            "users": [
                {
                    "name": person.name if person else "",
                    "tenant_key": self._app.tenant_key,
                    "user_id": self._people.ids(open_id),
                }
            ],
            "name": chat.name,
            "i18n_names": {"zh_cn": chat.name, "en_us": "", "ja_jp": ""},
        }
        return self._wrap(name, at, event)

    def clicked(self, message: Message, open_id: str, action: Mapping[str, Any], at: int) -> bytes | None:
        """``card.action.trigger``, a callback: its ``create_time`` is in µs (FEISHU.md §2.10)."""
        if not self._announces("card.action.trigger", message.chat):
            return None
        event = {
            "operator": {"tenant_key": self._app.tenant_key, **self._people.ids(open_id)},
            "token": f"c-{self._ids.hex(40)}",
            "action": dict(action),
            "host": "im_message",
            "context": {"open_message_id": message.message_id, "open_chat_id": message.chat.chat_id},
        }
        return self._wrap("card.action.trigger", at * 1000, event)

    def _hears(self, message: Message) -> bool:
        app = self._app
        if "im.message.receive_v1" not in app.events or not message.chat.has_bot:
            return False
        if message.chat.mode == "p2p":
            return app.may(permissions.PRIVATE_MESSAGES)
        if app.may(permissions.GROUP_MESSAGES):
            return True
        return app.may(permissions.GROUP_MENTIONS) and (
            any(mention.open_id == app.open_id for mention in message.mentions)
            or (message.type in {"text", "post"} and EVERYONE in message.content)
        )

    def _announces(self, name: str, chat: Chat) -> bool:
        return chat.has_bot and name in self._app.events and self._app.may(permissions.ANNOUNCED[name])

    def _wrap(self, name: str, create_time: int, event: Mapping[str, Any]) -> bytes:
        app = self._app
        return orjson.dumps(
            {
                "schema": "2.0",
                "header": {
                    "event_id": self._ids.hex(),
                    "event_type": name,
                    "create_time": str(create_time),
                    "token": app.verification_token,
                    "app_id": app.app_id,
                    "tenant_key": app.tenant_key,
                },
                "event": event,
            }
        )

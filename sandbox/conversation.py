"""Chats and messages in the form the page shows them; it changes nothing and knows no requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from . import card_view
from .chat import Chat, Message, Timeline
from .people import People
from .scenario.act import Person
from .world import World

SNIPPET: Final = 80
"""Code points of a message in lists and quotes."""
CHILDREN: Final = 20
"""Of a merged forward, that are shown."""


class Conversation:
    """What is said in one world, as documents."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def _people(self) -> People:
        return self._world.people

    def name(self, open_id: str) -> str:
        """What somebody, or the bot, is called; empty when nobody knows."""
        if open_id in (self._world.app.app_id, self._world.app.open_id):
            return self._world.app.name
        person = self._people.get(open_id)
        return person.name if person is not None else ""

    def cast(self) -> dict[str, Any]:
        """The bot and all people."""
        app = self._world.app
        return {
            "bot": {"id": app.app_id, "open_id": app.open_id, "name": app.name},
            "people": [_person(person) for person in self._people.everybody()],
        }

    def chats(self) -> list[dict[str, Any]]:
        """Every chat, in the order they were opened."""
        return [self.chat(chat) for chat in self._world.chats.values()]

    def chat(self, chat: Chat) -> dict[str, Any]:
        """A chat and its last message."""
        last = chat.timeline.slice(len(chat.timeline) - 1, len(chat.timeline)) if len(chat.timeline) else []
        return {
            "id": chat.chat_id,
            "name": chat.name,
            "mode": chat.mode,
            "owner": chat.owner,
            "with": next(iter(chat.members), "") if chat.mode == "p2p" else "",
            "members": len(chat.members),
            "messages": len(chat.timeline),
            "pins": len(chat.pins),
            "has_bot": chat.has_bot,
            "at": chat.active_at or chat.created_at,
            "last": self.quote(last[0]) if last else None,
        }

    def members(self, chat: Chat) -> list[str]:
        """The open_ids of a chat's members."""
        return list(chat.members)

    def pinned(self, chat: Chat) -> list[dict[str, Any]]:
        """The pinned messages of a chat, the latest pin first."""
        found = (self._world.messages.get(message_id) for message_id in reversed(chat.pins))
        return [self.message(message) for message in found if message is not None]

    def quote(self, message: Message) -> dict[str, Any]:
        """A message in one line."""
        return {
            "id": message.message_id,
            "sender": message.sender,
            "name": self.name(message.sender),
            "type": message.type,
            "text": "" if message.recalled else self._line(message)[:SNIPPET],
            "recalled": message.recalled,
            "at": message.at,
        }

    def message(self, message: Message) -> dict[str, Any]:
        """A message as it is shown."""
        shown: dict[str, Any] = {
            "id": message.message_id,
            "chat": message.chat.chat_id,
            "sender": message.sender,
            "name": self.name(message.sender),
            "type": message.type,
            "at": message.at,
            "edited": message.edits > 0 and not message.card,
            "recalled": message.recalled,
            "pinned": message.message_id in message.chat.pins,
            "thread": message.thread,
            "root": message.root,
        }
        if message.thread and not message.root:
            topic = self._world.topic(message.thread)
            shown["replies"] = max(0, len(topic) - 1) if topic is not None else 0
        if message.parent and not (message.thread and message.parent == message.root):
            parent = self._world.messages.get(message.parent)
            shown["parent"] = self.quote(parent) if parent is not None else {"id": message.parent}
        if message.recalled:
            return shown
        shown["content"] = orjson.loads(message.content)
        shown["mentions"] = [
            {"key": each.key, "id": each.open_id, "name": self.name(each.open_id) or each.name}
            for each in message.mentions
        ]
        if message.forwarded:
            shown["content"] = {"items": [self._child(each) for each in message.forwarded[:CHILDREN]]}
        if message.card:
            shown["card"] = card_view.live(message, self.name)
        if message.reactions:
            emojis: dict[str, list[str]] = {}
            for operator, emoji in message.reactions:
                emojis.setdefault(emoji, []).append(operator)
            shown["reactions"] = [{"emoji": emoji, "who": who} for emoji, who in emojis.items()]
        return shown

    def page(
        self, timeline: Timeline, *, before: str = "", after: str = "", around: str = "", limit: int
    ) -> dict[str, Any]:
        """Up to ``limit`` messages before, after or around a message, otherwise the latest; the oldest first."""
        end = len(timeline)
        if before:
            last = self._place(timeline, before)
            first = max(0, last - limit)
        elif after:
            first = min(self._place(timeline, after) + 1, end)
            last = min(end, first + limit)
        elif around:
            middle = self._place(timeline, around)
            last = min(end, middle + limit // 2)
            first = max(0, last - limit)
        else:
            first, last = max(0, end - limit), end
        items: Sequence[Message] = timeline.slice(first, last)
        return {"items": [self.message(each) for each in items], "older": first, "newer": end - last}

    def _place(self, timeline: Timeline, message_id: str) -> int:
        """The position of a message; of one that is not here, the end."""
        message = self._world.messages.get(message_id)
        if message is None:
            return len(timeline)
        first, last = timeline.between(message.at, message.at)
        same = timeline.slice(first, last)
        return first + next((number for number, each in enumerate(same) if each is message), len(same))

    def _child(self, child: Any) -> dict[str, Any]:
        words = _words(child.type, child.content)[:SNIPPET]
        return {"name": self.name(child.sender), "type": child.type, "text": words}

    def _line(self, message: Message) -> str:
        text = _words(message.type, orjson.loads(message.content))
        for each in reversed(message.mentions):  # @_user_11 before @_user_1.
            text = text.replace(each.key, f"@{self.name(each.open_id) or each.name}")
        return text


def _words(kind: str, content: Any) -> str:
    """The words of a message in one line; empty where there are none, as in an image."""
    if not isinstance(content, dict):
        return ""
    match kind:
        case "text":
            return " ".join(str(content.get("text", "")).split())
        case "post":
            lines = content.get("content")
            paragraphs = [each for each in lines if isinstance(each, list)] if isinstance(lines, list) else []
            runs = [run for paragraph in paragraphs for run in paragraph if isinstance(run, dict)]
            words = [str(content.get("title", "")), *map(_run, runs)]
            return " ".join(each for each in words if each)
        case "system":
            return _filled(content)
        case _:
            names = (content.get(name) for name in ("file_name", "title", "name", "topic", "summary"))
            return next((name for name in names if isinstance(name, str) and name), "")


def _run(run: dict[str, Any]) -> str:
    return f"@{run.get('user_name', '')}" if run.get("tag") == "at" else str(run.get("text", ""))


def _filled(content: dict[str, Any]) -> str:
    """The platform's own words with their names put in."""
    text = str(content.get("template", ""))
    for key, value in content.items():
        if isinstance(value, list):
            text = text.replace(f"{{{key}}}", "、".join(map(str, value)))
    return text


def _person(person: Person) -> dict[str, str]:
    return {"id": person.open_id, "name": person.name, "en_name": person.en_name}

"""What people do, told to the sandbox: a test's events become acts, and the sandbox makes events of its own of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from ..events import CARD_ACTION, MESSAGE, REACTION_ADDED, REACTION_REMOVED, RECALL
from .failures import HarnessFailure
from .pushes import BOT, MEMBER_ADDED, MEMBER_REMOVED

Ask = Callable[[str, str, Any], Awaitable[Any]]


class Acts:
    """The acts of one test; it remembers where messages are and whose."""

    def __init__(self, ask: Ask) -> None:
        """``ask`` sends a method, a path below ``/sandbox`` and a body, and gives the answer."""
        self._ask = ask
        self._where: dict[str, tuple[str, str]] = {}

    def noted(self, message_id: str, chat_id: str, sender: str) -> None:
        """A message is in this chat."""
        self._where[message_id] = (chat_id, sender)

    async def play(self, pushed: Mapping[str, Any]) -> dict[str, Any] | None:
        """Have done what an event tells; the answer to a use of a card."""
        kind, event = pushed["header"]["event_type"], pushed["event"]
        if kind == MESSAGE:
            await self._act(await self._say(event))
        elif kind in (REACTION_ADDED, REACTION_REMOVED):
            act, who = "react" if kind == REACTION_ADDED else "unreact", event["user_id"]["open_id"]
            where = self._message(event["message_id"])
            await self._act({"kind": act, **where, "person": who, "emoji": event["reaction_type"]["emoji_type"]})
        elif kind == RECALL:
            where = self._message(event["message_id"])
            await self._act({"kind": "recall", **where, "by": self._where[event["message_id"]][1]})
        elif kind in (MEMBER_ADDED, MEMBER_REMOVED):
            act = "join" if kind == MEMBER_ADDED else "leave"
            for user in event["users"]:
                await self._act({"kind": act, "chat": event["chat_id"], "person": user["user_id"]["open_id"]})
        elif kind == CARD_ACTION:
            use = {"message": event["context"]["open_message_id"], "person": event["operator"]["open_id"]}
            answer = await self._ask("POST", "clicks", {**use, "action": event["action"]})
            return dict(answer.get("answer") or {})
        else:
            raise HarnessFailure(f"nobody can do {kind} in the sandbox; leave sandbox=True out for this test")
        return None

    async def _act(self, act: Mapping[str, Any]) -> None:
        await self._ask("POST", "acts", {"at": 0, **act})

    def _message(self, message_id: str) -> dict[str, str]:
        if message_id not in self._where:
            raise HarnessFailure(f"there is no message {message_id!r}")
        return {"message": message_id, "chat": self._where[message_id][0]}

    async def _say(self, event: Mapping[str, Any]) -> dict[str, Any]:
        message, sender = event["message"], event["sender"]["sender_id"]["open_id"]
        chat_id = message["chat_id"]
        if message["chat_type"] == "p2p":
            chat_id = (await self._ask("POST", "chats", {"person": sender}))["id"]
        self.noted(message["message_id"], chat_id, sender)
        content = orjson.loads(message["content"])
        return {
            "kind": "say",
            "chat": chat_id,
            "message": message["message_id"],
            "sender": sender,
            "type": message["message_type"],
            "content": content,
            "parent": message.get("parent_id", ""),
            "thread": bool(message.get("thread_id")),
            "mentions": [_mention(one) for one in message.get("mentions", ()) if one["key"] != "@_all"],
            "resources": _resources(content),
        }


def _mention(entry: Mapping[str, Any]) -> dict[str, str]:
    open_id = entry["id"]["open_id"]
    return {"key": entry["key"], "open_id": "bot" if open_id == BOT else open_id, "name": entry["name"]}


def _resources(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What can be downloaded of an image or a file."""
    keys = {"image_key": "image", "file_key": "file"}
    return [
        {"key": content[name], "name": content.get("file_name", ""), "kind": kind, "size": 256, "seed": 1}
        for name, kind in keys.items()
        if content.get(name)
    ]

"""The platform as the pin plugin sees it: groups with pins, on which anything may happen between two calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core import ApiError, Budget

APP = "cli_0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Pinned:
    """One pin that once was."""

    message_id: str
    time: int


class PinPlatform:
    """Answers as FEISHU.md §4.2, §4.6 say, ``size`` pins a page; ``failing`` may raise instead.

    ``meanwhile`` is called before each call, with what is called: ``pins <chat>`` or ``message <id>``.
    """

    def __init__(self, *, size: int = 50, inclusive: bool = True) -> None:
        self.size = size
        self.inclusive = inclusive
        self.now = 0
        self.pins: dict[str, dict[str, tuple[int, str]]] = {}
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.ever: set[Pinned] = set()
        self.calls: list[str] = []
        self.meanwhile: Callable[[str], None] = lambda call: None
        self.failing: dict[str, Exception] = {}
        self.people: dict[str, str] = {}
        self.asked: list[str] = []
        self.month = Budget(10_000, 0, 20 * 86_400.0)

    def say(self, message_id: str, content: Any = None, *, kind: str = "text", by: str = "ou_li", **more: Any) -> None:
        """A message that can be pinned."""
        self.messages[message_id] = [item(message_id, content or {"text": f"说 {message_id}"}, kind, by, **more)]

    def pin(self, chat: str, message_id: str, by: str = "ou_wang", *, at: int | None = None) -> Pinned:
        """Somebody pins a message; it exists already, or says something now."""
        if message_id not in self.messages:
            self.say(message_id)
        time = self.now if at is None else at
        self.pins.setdefault(chat, {})[message_id] = (time, by)
        pinned = Pinned(message_id, time)
        self.ever.add(pinned)
        return pinned

    def unpin(self, chat: str, message_id: str) -> None:
        """Somebody takes the pin off, if there is one."""
        self.pins.get(chat, {}).pop(message_id, None)

    def standing(self, chat: str) -> set[Pinned]:
        """What is pinned now."""
        return {Pinned(message_id, time) for message_id, (time, _) in self.pins.get(chat, {}).items()}

    async def call(self, request: Any) -> dict[str, Any]:
        query = dict(request.queries)
        wanted = (
            f"pins {query['chat_id']}" if request.uri.endswith("/pins") else f"message {request.paths['message_id']}"
        )
        self.calls.append(wanted)
        self.meanwhile(wanted)
        if wanted in self.failing:
            raise self.failing[wanted]
        kind, key = wanted.split(" ")
        return self._list(key, query) if kind == "pins" else self._get(key)

    async def groups(self) -> tuple[str, ...]:
        if "groups" in self.failing:
            raise self.failing["groups"]
        return tuple(self.pins)

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        self.asked += open_ids
        return {one: self.people[one] for one in open_ids if one in self.people}

    def budget(self) -> Budget:
        return self.month

    def _list(self, chat: str, query: dict[str, Any]) -> dict[str, Any]:
        end = int(query["end_time"]) + self.inclusive if "end_time" in query else None
        found = sorted(self.pins[chat].items(), key=lambda pin: -pin[1][0])
        found = [pin for pin in found if end is None or pin[1][0] < end]
        shown = found[: min(self.size, int(query["page_size"]))]
        items = [
            {
                "message_id": message_id,
                "chat_id": chat,
                "operator_id": by,
                "operator_id_type": "app_id" if by.startswith("cli_") else "open_id",
                "create_time": str(time),
            }
            for message_id, (time, by) in shown
        ]
        return {"items": items, "has_more": len(found) > len(shown), "page_token": "PT_1"}

    def _get(self, message_id: str) -> dict[str, Any]:
        if message_id not in self.messages:
            raise refusal(99992354)
        return {"items": self.messages[message_id]}


def item(message_id: str, content: Any, kind: str, by: str, **more: Any) -> dict[str, Any]:
    """A message as the API shows it."""
    return {
        "message_id": message_id,
        "msg_type": kind,
        "create_time": "1793500000000",
        "update_time": "1793500000000",
        "deleted": False,
        "sender": {"id": by, "id_type": "open_id", "sender_type": "user"},
        "body": {"content": content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)},
        **more,
    }


def refusal(code: int, status: int = 400) -> ApiError:
    """The platform says no."""
    return ApiError("test", code, "no", status=status)

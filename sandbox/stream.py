"""What changes in the sandbox, as server-sent events for the page; whoever falls behind is told less, not later.

A slow viewer, or a fast scenario, makes many changes one: of a chat in which more than ``MOST`` messages
changed between two looks only that is told, and the page fetches what it shows.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from . import loopback
from .calls import Made
from .chat import Chat, Message
from .conversation import Conversation
from .delivery import Push

if TYPE_CHECKING:
    from .server import Sandbox

LOOK: Final = 0.1
"""Seconds between two looks at what changed."""
QUIET_LOOKS: Final = 10
"""After so many looks without a change the time is told."""
MOST: Final = 60
"""Messages of a chat, pushes and calls told at once."""


class Stream:
    """The page's live side of one sandbox."""

    def __init__(self, sandbox: Sandbox, conversation: Conversation) -> None:
        self._sandbox = sandbox
        self._conversation = conversation
        self._open = True

    def close(self) -> None:
        """Ends every stream soon."""
        self._open = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """``GET /sandbox/stream``: until the page leaves or the sandbox ends."""
        loopback.check(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        viewer = Viewer(self._sandbox, self._conversation)
        self._sandbox.world.watchers.append(viewer.saw)
        try:
            # Told by the page itself, too: but a browser waits for the first byte.
            await response.write(b"retry: 1000\n\n")
            while self._open:
                if (update := viewer.look()) is not None:
                    await response.write(b"data: " + orjson.dumps(update) + b"\n\n")
                await asyncio.sleep(LOOK)
        except ConnectionError:
            pass
        finally:
            self._sandbox.world.watchers.remove(viewer.saw)
        return response


class Viewer:
    """What one page has been told."""

    def __init__(self, sandbox: Sandbox, conversation: Conversation) -> None:
        self._sandbox = sandbox
        self._conversation = conversation
        self._chats: dict[str, Chat] = {}
        self._messages: dict[str, dict[str, Message]] = {}
        self._overtaken: set[str] = set()
        self._pushes = self._calls = self._tables = -1
        self._state: dict[str, Any] = {}
        self._quiet = QUIET_LOOKS

    def saw(self, chat: Chat, message: Message | None) -> None:
        """Something changed in a chat."""
        self._chats[chat.chat_id] = chat
        if message is None or chat.chat_id in self._overtaken:
            return
        changed = self._messages.setdefault(chat.chat_id, {})
        changed[message.message_id] = message
        if message.thread and message.root:
            opener = self._sandbox.world.messages.get(message.root)
            if opener is not None:  # It shows how many answers it has.
                changed[opener.message_id] = opener
        if len(changed) > MOST:
            del self._messages[chat.chat_id]
            self._overtaken.add(chat.chat_id)

    def look(self) -> dict[str, Any] | None:
        """What changed since the last look; None when there is nothing to tell."""
        update = {**self._talk(), **self._traffic()}
        state = state_of(self._sandbox)
        if state != self._state:
            update["state"] = self._state = state
        if not update and self._quiet < QUIET_LOOKS:
            self._quiet += 1
            return None
        self._quiet = 0
        return {"now": self._sandbox.world.now(), **update}

    def _talk(self) -> dict[str, Any]:
        if not self._chats:
            return {}
        show = self._conversation
        update = {
            "chats": [show.chat(chat) for chat in self._chats.values()],
            "messages": [show.message(each) for changed in self._messages.values() for each in changed.values()],
            "overtaken": sorted(self._overtaken),
        }
        self._chats, self._messages, self._overtaken = {}, {}, set()
        return update

    def _traffic(self) -> dict[str, Any]:
        update: dict[str, Any] = {}
        pushes, calls = self._sandbox.gateway.delivery, self._sandbox.calls
        if pushes.recent.version != self._pushes:
            changed = pushes.recent.since(self._pushes, MOST)
            self._pushes = pushes.recent.version
            update["pushes"] = [push_document(each) for each in changed]
            update["push_counts"] = pushes.document()
        if calls.recent.version != self._calls:
            made = calls.recent.since(self._calls, MOST)
            self._calls = calls.recent.version
            update["calls"] = [call_document(each) for each in made]
            update["call_counts"] = counts(self._sandbox)
        bases = self._sandbox.bases
        if bases.revision() != self._tables:
            self._tables = bases.revision()
            update["tables"] = tables(self._sandbox)
        return update


def state_of(sandbox: Sandbox) -> dict[str, Any]:
    """How the sandbox is: connections, and how far the scenario got."""
    return {"connections": sandbox.gateway.connections, "scenario": sandbox.player.document()}


def push_document(push: Push) -> dict[str, Any]:
    """A push in one line."""
    header = orjson.loads(push.payload)["header"]
    return {
        "id": push.push_id,
        "number": push.number,
        "type": header["event_type"],
        "event_id": header["event_id"],
        "attempts": push.attempt,
        "state": push.state,
        "ms": round(push.ms, 1),
    }


def call_document(made: Made) -> dict[str, Any]:
    """A call in one line."""
    return {"number": made.number, "at": made.at, "name": made.name, "code": made.code, "ms": round(made.ms, 1)}


def counts(sandbox: Sandbox) -> dict[str, Any]:
    """How many calls were made, by name too."""
    calls = sandbox.calls
    by_name = [{"name": name, "count": count, "failed": failed} for name, count, failed in calls.by_name()]
    return {
        "total": calls.total,
        "month": calls.month(),
        "this_month": calls.this_month(),
        "quota": sandbox.config.monthly_quota,
        "by_name": by_name,
    }


def tables(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Every Bitable table, without its records."""
    return [
        {
            "app_token": table.base.app_token,
            "base": table.base.name,
            "id": table.table_id,
            "name": table.name,
            "revision": table.revision,
            "records": len(table.records),
        }
        for table in sandbox.bases.tables()
    ]

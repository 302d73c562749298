"""What stands around the assistant in tests: a model on this machine, and a platform that keeps cards."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import larkflock_assistant as assistant
import pytest
from aiohttp import web

from core import ApiError
from core.testing import Call, Harness

KEY = "sk-canary-0123456789"
SLOW = 5.0
"""Seconds a hook may keep its loop: the machine that tests may be busy."""
PATIENCE = 60.0
"""Seconds a test waits for something."""
CREATE = "POST /open-apis/cardkit/v1/cards"
REPLY = "POST /open-apis/im/v1/messages/:message_id/reply"
REPLACE = "PUT /open-apis/cardkit/v1/cards/:card_id"
GROW = "PUT /open-apis/cardkit/v1/cards/:card_id/elements/:element_id/content"
INFO = "GET /open-apis/bot/v3/info"

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Model:
    """An endpoint that speaks chat completions: ``plan`` one after the other, then "好的" for ever."""

    key = KEY

    def __init__(self) -> None:
        self.url = ""
        self.plan: list[Behaviour] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.strayed = 0
        """Requests that followed a redirect."""

    @property
    def chats(self) -> list[list[str]]:
        """What was said in each conversation that it was given, without what the system says."""
        return [[one["content"] for one in body["messages"] if one["role"] != "system"] for body in self.asked]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.keys.append(request.headers["Authorization"])
        return await (self.plan.pop(0) if self.plan else self.saying("好", "的"))(request)

    def saying(self, *parts: str, tokens: int = 0, before_last: asyncio.Event | None = None) -> Behaviour:
        """These parts, one event each; with ``before_last`` the last one waits for that."""

        async def behave(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for number, part in enumerate(parts, start=1):
                if before_last is not None and number == len(parts):
                    await before_last.wait()
                await response.write(_event({"choices": [{"index": 0, "delta": {"content": part}}]}))
            if tokens:
                usage = {"prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens}
                await response.write(_event({"choices": [], "usage": usage}))
            await response.write(b"data: [DONE]\n\n")
            return response

        return behave

    def elsewhere(self) -> Behaviour:
        """A redirect, which nobody should follow with a conversation."""

        async def behave(_: web.Request) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": "/elsewhere"})

        return behave

    async def stray(self, _: web.Request) -> web.StreamResponse:
        """Where a redirect leads."""
        self.strayed += 1
        return web.Response()

    def failing(self, status: int) -> Behaviour:
        """An HTTP error that repeats the key, as some do."""

        async def behave(_: web.Request) -> web.StreamResponse:
            return web.json_response({"error": {"message": f"Incorrect API key: {KEY}"}}, status=status)

        return behave

    def raw(self, body: str, kind: str = "text/event-stream") -> Behaviour:
        """These bytes."""

        async def behave(_: web.Request) -> web.StreamResponse:
            return web.Response(text=body, content_type=kind)

        return behave

    def cut_off(self, part: str) -> Behaviour:
        """A part of an answer, then the connection is gone."""

        async def behave(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(_event({"choices": [{"index": 0, "delta": {"content": part}}]}))
            assert request.transport is not None
            request.transport.abort()
            return response

        return behave


class Platform:
    """CardKit in memory: cards by ID, changed in the order of their numbers; ``trouble`` is answered first, by API."""

    def __init__(self) -> None:
        self.cards: dict[str, dict[str, Any]] = {}
        self.replies: list[Call] = []
        self.trouble: dict[str, list[Any]] = {}
        self._numbers: dict[str, int] = {}

    @property
    def answers(self) -> dict[str, Any]:
        """As a harness takes them."""
        apis = {CREATE: self._create, REPLY: self._reply, REPLACE: self._replace, GROW: self._grow, INFO: self._info}
        return {name: self._met(name, does) for name, does in apis.items()}

    @property
    def texts(self) -> list[str]:
        """What each card shows."""
        return [card["body"]["elements"][0]["content"] for card in self.cards.values()]

    def _met(self, name: str, does: Callable[[Call], Any]) -> Callable[[Call], Any]:
        def answer(call: Call) -> Any:
            waiting = self.trouble.get(name)
            return waiting.pop(0) if waiting else does(call)

        return answer

    def _info(self, _: Call) -> Any:
        return {"bot": {"open_id": "ou_bot"}}

    def _create(self, call: Call) -> Any:
        card_id = f"card_{len(self.cards) + 1}"
        self.cards[card_id] = json.loads(call.body["data"])
        return {"card_id": card_id}

    def _reply(self, call: Call) -> Any:
        self.replies.append(call)
        return {"message_id": f"om_card_{len(self.replies)}"}

    def _replace(self, call: Call) -> Any:
        return self._change(call, json.loads(call.body["card"]["data"]))

    def _grow(self, call: Call) -> Any:
        card = json.loads(json.dumps(self.cards[call.path["card_id"]]))
        if not card["config"]["streaming_mode"]:
            return ApiError(call.name, 300309, "streaming mode is closed")
        card["body"]["elements"][0]["content"] = call.body["content"]
        return self._change(call, card)

    def _change(self, call: Call, card: dict[str, Any]) -> Any:
        card_id, number = call.path["card_id"], call.body["sequence"]
        if number <= self._numbers.get(card_id, 0):
            return ApiError(call.name, 300317, "sequence number compare failed")
        self._numbers[card_id] = number
        self.cards[card_id] = card
        return {}


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    """One that listens on this machine."""
    stub = Model()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", stub.answer)
    app.router.add_post("/elsewhere", stub.stray)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield stub
    finally:
        await runner.cleanup()


@pytest.fixture
def platform() -> Platform:
    """One without any cards yet."""
    return Platform()


@pytest.fixture
def start(model: Model, platform: Platform) -> Callable[..., Harness]:
    """Makes the harness: ``async with start(memory_turns=2) as lark``."""

    def make(**config: Any) -> Harness:
        return Harness(
            assistant,
            config={"base_url": model.url, "api_key": KEY, **config},
            people={"ou_li": "李雷", "ou_wang": "王芳", "ou_bot": "小助手"},
            clock="2026-11-22 09:00",
            answers=platform.answers,
            most_blocked=SLOW,
        )

    return make


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Awaitable[None]]:
    """Returns when something holds: ``await until(lambda: model.asked)``."""

    async def wait(holds: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, "waited too long"
            await asyncio.sleep(0.01)

    return wait


def _event(chunk: dict[str, Any]) -> bytes:
    base = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
    return f"data: {json.dumps(base | chunk)}\n\n".encode()

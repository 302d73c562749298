"""A small client of the sandbox for tests: the open API over HTTP, and one long connection, frame by frame."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from sandbox.chat import Message
from sandbox.config import SandboxConfig
from sandbox.frame_pb2 import Frame, Header
from sandbox.scenario.act import Person, Scenario
from sandbox.server import Sandbox

SECONDS = 10.0
"""How long a test waits for something before it fails."""


class Client:
    """An app that uses one sandbox."""

    def __init__(self, sandbox: Sandbox, session: ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.token = ""
        self.headers: dict[str, str] = {}
        """Of the last answer."""
        self.status = 0

    @property
    def chat_id(self) -> str:
        """The group."""
        return next(iter(self.sandbox.world.chats))

    @property
    def people(self) -> list[Person]:
        """Its members, as they were at first."""
        return self.sandbox.world.people.everybody()

    def say(self, text: str = "你好", **given: Any) -> Message:
        """The first of them says something in the group."""
        world = self.sandbox.world
        content = orjson.dumps(given.pop("content", {"text": text})).decode()
        return world.say(world.chat(self.chat_id), self.people[0].open_id, given.pop("type", "text"), content, **given)

    async def send(self, content: Any = None, msg_type: str = "text", **given: Any) -> dict[str, Any]:
        """The whole answer to a message the app sends to the group."""
        text = content if isinstance(content, str) else orjson.dumps(content or {"text": "你好"}).decode()
        body = {"receive_id": self.chat_id, "msg_type": msg_type, "content": text, **given}
        return await self.call("POST", "/im/v1/messages", query={"receive_id_type": "chat_id"}, body=body)

    async def sent(self, content: Any = None, msg_type: str = "text", **given: Any) -> dict[str, Any]:
        """The message the app sent to the group."""
        answer = await self.send(content, msg_type, **given)
        assert answer["code"] == 0, answer
        return answer["data"]

    async def call(
        self, method: str, path: str, *, query: Any = None, body: Any = None, **request: Any
    ) -> dict[str, Any]:
        """The whole JSON answer of an operation below ``/open-apis``; logs in first when there is no token yet."""
        if not self.token:
            self.token = (await self.log_in())["tenant_access_token"]
        headers = {"Authorization": f"Bearer {self.token}", **request.pop("headers", {})}
        if body is not None:
            request["data"] = orjson.dumps(body)
        async with self.session.request(
            method, f"{self.sandbox.url}/open-apis{path}", params=query, headers=headers, **request
        ) as answer:
            self.headers, self.status = dict(answer.headers), answer.status
            return orjson.loads(await answer.read())

    async def data(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The ``data`` of an operation that must succeed."""
        answer = await self.call(method, path, **request)
        assert answer["code"] == 0, answer
        return answer["data"]

    async def code(self, method: str, path: str, **request: Any) -> int:
        """The code of an operation."""
        return (await self.call(method, path, **request))["code"]

    async def log_in(self, **given: Any) -> dict[str, Any]:
        """The answer of the token operation."""
        app = self.sandbox.world.app
        body = {"app_id": app.app_id, "app_secret": app.secret, **given}
        url = f"{self.sandbox.url}/open-apis/auth/v3/tenant_access_token/internal"
        async with self.session.post(url, data=orjson.dumps(body)) as answer:
            return orjson.loads(await answer.read())

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """An operation below ``/sandbox``."""
        data = None if body is None else orjson.dumps(body)
        async with self.session.request(method, f"{self.sandbox.url}/sandbox/{path}", data=data) as answer:
            self.status = answer.status
            return orjson.loads(await answer.read())

    async def discover(self, **given: Any) -> dict[str, Any]:
        """The answer of endpoint discovery."""
        app = self.sandbox.world.app
        body = {"AppID": app.app_id, "AppSecret": app.secret, **given}
        async with self.session.post(f"{self.sandbox.url}/callback/ws/endpoint", json=body) as answer:
            return orjson.loads(await answer.read())

    async def connect(self) -> Link:
        """A long connection."""
        discovered = await self.discover()
        assert discovered["code"] == 0, discovered
        return Link(await self.session.ws_connect(discovered["data"]["URL"], compress=0, max_msg_size=0))


class Link:
    """One long connection. Nothing is acknowledged unless the test says so."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.socket.close()

    async def frame(self) -> Frame:
        """The next frame."""
        message = await self.socket.receive(timeout=SECONDS)
        assert message.type is WSMsgType.BINARY, message
        return Frame.FromString(message.data)

    async def ack(self, frame: Frame, payload: bytes = b'{"code":200}') -> None:
        """Answers a push as clients do: the same frame with another payload."""
        frame.payload = payload
        frame.headers.append(Header(key="biz_rt", value="1"))
        await self.socket.send_bytes(frame.SerializeToString())

    async def ping(self) -> Frame:
        """Pings and returns what comes back."""
        frame = Frame(SeqID=0, LogID=0, service=7, method=0, headers=[Header(key="type", value="ping")])
        await self.socket.send_bytes(frame.SerializeToString())
        return await self.frame()

    async def event(self) -> dict[str, Any]:
        """The next event, acknowledged."""
        frame = await self.frame()
        event = orjson.loads(frame.payload)
        await self.ack(frame)
        return event


def header(frame: Frame, key: str) -> str:
    """The value of a frame's header."""
    return next(each.value for each in frame.headers if each.key == key)


@asynccontextmanager
async def running(config: SandboxConfig | None = None, scenario: Scenario | None = None) -> AsyncIterator[Client]:
    """A sandbox with a quiet group unless told otherwise, and a client for it."""
    sandbox = Sandbox(config or SandboxConfig(scenario="quiet"), scenario=scenario)
    async with sandbox, ClientSession() as session:
        yield Client(sandbox, session)


async def until(true: Callable[[], bool]) -> None:
    """Returns when the condition holds; fails when it does not for too long."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.002)

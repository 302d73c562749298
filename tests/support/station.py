"""The platform's end of the long connection, as badly behaved as a test wants it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import WSMsgType, web

from sandbox.frame_pb2 import Frame, Header

Discovery = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


class Station:
    """Discoveries, handshakes and sockets each follow their script; when it is over, all goes well.

    Then every ping is answered with a pong, and ``acks`` holds what was acknowledged.
    """

    def __init__(self, *, ping_interval: float = 0.05) -> None:
        self.client_config = {"PingInterval": ping_interval}
        self.discoveries: deque[Discovery] = deque()
        self.handshakes: deque[Discovery] = deque()
        self.talks: deque[Talk] = deque()
        self.discovered = 0
        self.opened = 0
        self.pings = 0
        self.acks: list[dict[str, str]] = []
        self.url = ""
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/callback/ws/endpoint", self._discover)
        app.router.add_get("/ws/v2", self._connect)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._ended.set()
        await self._runner.cleanup()

    def address(self, service: int = 7) -> str:
        """Where discovery sends its client."""
        query = f"fpid=493&device_id=1&access_key=canary-access-key&service_id={service}&ticket=canary-ticket"
        return f"{self.url.replace('http', 'ws')}/ws/v2?{query}"

    async def hang(self, _: web.Request) -> web.StreamResponse:
        """No answer until the test is over."""
        await self._ended.wait()
        return web.Response()

    async def silence(self, _: web.WebSocketResponse) -> None:
        """A socket on which nothing is said and nothing is read."""
        await self._ended.wait()

    async def _discover(self, request: web.Request) -> web.StreamResponse:
        self.discovered += 1
        if self.discoveries:
            return await self.discoveries.popleft()(request)
        return found(self.address(), self.client_config)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if self.handshakes:
            return await self.handshakes.popleft()(request)
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.opened += 1
        if self.talks:
            await self.talks.popleft()(socket)
        else:
            await self.answer(socket)
        return socket

    async def answer(self, socket: web.WebSocketResponse) -> None:
        """Pongs for pings; everything else is an acknowledgement."""
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                continue
            frame = Frame.FromString(message.data)
            headers = {header.key: header.value for header in frame.headers}
            if headers.get("type") == "ping":
                self.pings += 1
                await socket.send_bytes(pong(self.client_config))
            else:
                self.acks.append(headers)


def found(url: Any, config: Any = None) -> web.Response:
    """Discovery's good answer, with whatever address."""
    return web.json_response({"code": 0, "msg": "", "data": {"URL": url, "ClientConfig": config}})


def finds(url: Any, config: Any = None) -> Discovery:
    """A discovery that leads to ``url``."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return found(url, config)

    return answer


def answers(body: bytes, status: int = 200, **headers: str) -> Discovery:
    """Always this."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def pong(config: dict[str, Any]) -> bytes:
    """The control frame that answers a ping."""
    return _bytes(0, orjson.dumps(config), {"type": "pong"})


def push(payload: bytes, **headers: str) -> bytes:
    """A data frame of one part, unless ``headers`` say otherwise."""
    usual = {"type": "event", "message_id": "p1", "sum": "1", "seq": "0", "trace_id": "t"}
    return _bytes(1, payload, {**usual, **headers})


def _bytes(method: int, payload: bytes, headers: dict[str, str]) -> bytes:
    listed = [Header(key=key, value=value) for key, value in headers.items()]
    return Frame(SeqID=1, LogID=1, service=7, method=method, headers=listed, payload=payload).SerializeToString()

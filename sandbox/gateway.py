"""The long connection's other end: discovery, handshake, ping and pong, frames (FEISHU.md §1).

Which connection gets a push and when it comes again is ``Delivery``'s; what is pushed, the world's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from . import bodies, frames
from .config import SandboxConfig
from .delivery import Delivery, Push
from .faults.discovery import discovered
from .faults.disorder import Disorder
from .faults.fault import Fault
from .faults.faults import Faults
from .faults.framing import frame
from .faults.hanging import LOOK_AGAIN, cut, hang, here
from .faults.lines import Line, Lines
from .ids import Ids
from .people import App
from .reply import document

OK, BUSY, FORBIDDEN, AUTH_FAILED = 0, 1, 403, 514
TICKET_INVALID = 1000040343
OVER_LIMIT = 1000040350
LARGEST_SERVICE = 2**31 - 1
"""What a frame has room for."""

BACKLOG = 1 << 20
"""Bytes a client may leave unread before nothing more is written to it."""
BACKLOG_PAUSE = 0.01
GOODBYE_SECONDS = 1.0
SETTLING_SECONDS = 0.1
"""How long a new connection gets no pushes unless its first ping comes sooner: the Node SDK loses what arrives together
with the handshake's answer, because it listens only after that."""

ENDED = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})

log = logging.getLogger(__name__)


class Offline(Exception):
    """Nobody is connected, or nobody answered the callback in time."""


class Failed(Offline):
    """The app answered the callback with a failure, or with what is no JSON."""


class Connection:
    """One client: frames are sent in the order they were put in."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        service: int,
        part_size: int,
        line: Line,
        faults: Faults,
    ) -> None:
        self.socket = socket
        self.line = line
        self._transport = transport
        self._service = service
        self._part_size = part_size
        self._faults = faults
        self._frames: deque[bytes] = deque()
        self._filled = asyncio.Event()

    def send(self, push: Push) -> None:
        """Puts the push's frames at the end of what is to be sent."""
        if self.line.mute:
            return
        framed = frame(
            self._faults,
            push.push_id,
            push.payload,
            service=self._service,
            number=push.number,
            at=int(time.time() * 1000),
            part_size=self._part_size,
        )
        if framed.fault is not None:
            self.line.suffer(framed.fault)
        self._frames.extend(framed.frames)
        self._filled.set()

    def drop(self) -> None:
        """Cuts the line without a goodbye."""
        self._transport.abort()

    async def write(self) -> None:
        """Sends until cancelled or the client is gone.

        Whatever has gathered goes out in one write: a write for each frame costs a third of the throughput.
        """
        transport = self._transport
        while not transport.is_closing():
            await self._filled.wait()
            self._filled.clear()
            data = b"".join(map(frames.wrap, self._frames))
            self._frames.clear()
            if data:
                await self.line.write(data)
            while transport.get_write_buffer_size() > BACKLOG:  # noqa: ASYNC110 — a transport has no public drain
                await asyncio.sleep(BACKLOG_PAUSE)


class Gateway:
    """Endpoint discovery and the WebSocket of one app."""

    def __init__(
        self,
        app: App,
        config: SandboxConfig,
        ids: Ids,
        *,
        faults: Faults,
        clock: Callable[[], int],
        acknowledged: Callable[[bytes], None],
    ) -> None:
        self._app = app
        self._config = config
        self._ids = ids
        self._client_config = orjson.dumps(config.client.document())
        self._tickets: dict[str, float] = {}
        self._faults = faults
        self.lines = Lines(faults)
        self._callbacks: dict[str, asyncio.Future[frames.Ack]] = {}
        self._connections: set[Connection] = set()
        self._connected = asyncio.Event()
        self.base = ""
        """``ws://host:port``, known when the server listens."""
        self.accepted = 0
        self.malformed = 0
        self.pings = 0
        self.delivery = Delivery(
            window=config.window,
            ack_timeout=config.ack_timeout,
            retry_delays=tuple(delay * config.retry_factor for delay in config.retry_schedule),
            duplicate_rate=config.duplicate_rate,
            chance=random.Random(f"gateway {config.seed}"),  # noqa: S311 — ids and choices, not secrets
            disorder=Disorder(faults, clock, factor=config.retry_factor),
            acknowledged=acknowledged,
        )
        faults.watch(self.delivery.calm)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    async def connected(self) -> None:
        """Returns once there has been a first connection."""
        await self._connected.wait()

    def refuse(self, code: int, times: int) -> None:
        """Makes discoveries answer ``code`` so often; one of 200…599 except 403 and 514 becomes the HTTP status."""
        if times < 1:
            return
        if 200 <= code < 600 and code not in (FORBIDDEN, AUTH_FAILED):
            self._faults.add(Fault(kind="discovery-failed", statuses=(code,), times=times))
        else:
            self._faults.add(Fault(kind="discovery-refused", codes=(code,), times=times))

    async def discover(self, request: web.Request) -> web.Response:
        """``POST /callback/ws/endpoint``: where to connect, with a ticket for one connection (FEISHU.md §1.1)."""
        if (fault := await discovered(self._faults, request)) is not None:
            return fault
        try:
            body = orjson.loads(await request.read())
            app_id, secret = body["AppID"], body["AppSecret"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return self._undiscovered(AUTH_FAILED, "AppID and AppSecret are required")
        if (app_id, secret) != (self._app.app_id, self._app.secret):
            return self._undiscovered(AUTH_FAILED, "AppID or AppSecret is wrong")
        if not self._app.enabled:
            return self._undiscovered(FORBIDDEN, "the app is not enabled")
        if len(self._connections) >= self._config.connection_limit:
            return self._undiscovered(OVER_LIMIT, "the number of connections exceeded the limit")
        ticket, now = self._ids.hex(), time.monotonic()
        self._tickets = {known: end for known, end in self._tickets.items() if end > now}
        self._tickets[ticket] = now + self._config.ticket_lifetime
        # device_id and service_id must not come first: one SDK reads the whole address as a query string.
        url = (
            f"{self.base}/ws/v2?fpid=493&aid=552564&device_id={self._ids.number(19)}"
            f"&access_key={self._ids.hex()}&service_id={self._ids.number(8)}&ticket={ticket}"
        )
        data = {"URL": url, "ClientConfig": self._config.client.document()}
        return document({"code": OK, "msg": "", "data": data})

    def _undiscovered(self, code: int, msg: str) -> web.Response:
        # ``data`` has to be an object even now: one SDK takes it apart before it looks at the code.
        return document({"code": code, "msg": msg, "data": {}})

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """``GET /ws/v2``: the handshake and then the connection until it ends (FEISHU.md §1.2)."""
        if len(self._connections) >= self._config.connection_limit:
            return _rejected(AUTH_FAILED, OVER_LIMIT, "the number of connections exceeded the limit")
        if not self._app.enabled:
            return _rejected(FORBIDDEN, FORBIDDEN, "the app is not enabled")
        if self._tickets.pop(request.query.get("ticket", ""), 0.0) < time.monotonic():
            return _rejected(AUTH_FAILED, TICKET_INVALID, "the ticket is unknown, used or expired")
        service = bodies.whole(request.query.get("service_id", ""))
        if service is None or service > LARGEST_SERVICE:
            return _rejected(AUTH_FAILED, TICKET_INVALID, "service_id is not the one of the ticket")
        if (fault := self._faults.strike("handshake", "handshake")) is not None:
            if fault.codes:
                return _rejected(AUTH_FAILED, self._faults.chance("handshake").choice(fault.codes), "refused on demand")
            await hang(self._faults, fault, request)
            return cut(request)
        socket = web.WebSocketResponse(
            timeout=GOODBYE_SECONDS, compress=False, max_msg_size=0, autoping=False, autoclose=False
        )
        await socket.prepare(request)
        if request.transport is None:  # The client left during the handshake.
            return socket
        line = self.lines.open(request.transport)
        connection = Connection(socket, request.transport, service, self._config.part_size, line, self._faults)
        self._connections.add(connection)
        self.accepted += 1
        self._connected.set()
        log.info("connection %d opened, %d now", self.accepted, len(self._connections))
        writer = asyncio.create_task(connection.write())
        settling = asyncio.get_running_loop().call_later(SETTLING_SECONDS, self.delivery.attach, connection)
        try:
            while (message := await socket.receive()).type not in ENDED:
                if line.half_open:
                    continue
                if message.type is WSMsgType.BINARY:
                    await self._received(message.data, connection)
                elif message.type is WSMsgType.PING:
                    with contextlib.suppress(ConnectionError):
                        async with line.speaking:
                            await socket.pong(message.data)
            while line.half_open and here(request):  # noqa: ASYNC110 — a goodbye is not answered either
                await asyncio.sleep(LOOK_AGAIN)
        finally:
            settling.cancel()
            writer.cancel()
            self._connections.discard(connection)
            self.lines.close(line)
            self.delivery.detach(connection)
            log.info("connection closed, %d left", len(self._connections))
        return socket

    async def _received(self, raw: bytes, connection: Connection) -> None:
        try:
            frame = frames.read(raw)
        except frames.Malformed as error:
            self.malformed += 1
            log.warning("ignored a frame: %s", error)
            return
        if isinstance(frame, frames.Ping):
            self.pings += 1
            with contextlib.suppress(ConnectionError):
                async with connection.line.speaking:
                    await connection.socket.send_bytes(frames.pong(frame.service, self._client_config))
            self.delivery.attach(connection)
        elif (callback := self._callbacks.get(frame.push_id)) is not None:
            if not callback.done():
                callback.set_result(frame)
        else:
            self.delivery.answered(frame.push_id, frame.code)

    async def call(self, payload: bytes) -> Any:
        """Pushes a callback and returns what the app answered; None when it answered nothing.

        Raises ``Offline`` when nobody is connected, nobody answers in time, or the answer is a failure. It is never
        pushed again (FEISHU.md §1.6).
        """
        connection = self.delivery.choose()
        if connection is None:
            raise Offline("app not online")
        push = Push(self._ids.hex(), 0, payload)
        push.attempt, push.sent_at = 1, time.monotonic()
        self.delivery.note(push, "sent")
        answer = asyncio.get_running_loop().create_future()
        self._callbacks[push.push_id] = answer
        try:
            connection.send(push)
            ack = await asyncio.wait_for(answer, self._config.ack_timeout)
        except TimeoutError:
            self.delivery.note(push, "late")
            raise Offline(f"no answer within {self._config.ack_timeout:g} s") from None
        finally:
            del self._callbacks[push.push_id]
        push.ms, push.answer = (time.monotonic() - push.sent_at) * 1000, ack.data
        self.delivery.note(push, "acked" if ack.code == 200 else "refused")
        if ack.code != 200:
            raise Failed(f"the app answered {ack.code}")
        try:
            return bodies.parse(ack.data) if ack.data else None
        except orjson.JSONDecodeError as problem:
            raise Failed(f"the app's answer is no JSON: {problem}") from problem

    def disconnect(self) -> int:
        """Drops every connection without a closing handshake; says how many there were."""
        for connection in self._connections:
            connection.drop()
            self.delivery.detach(connection)
        return len(self._connections)

    async def close(self) -> None:
        """Says goodbye to every client; who does not answer within a second is cut off."""
        self.delivery.close()
        goodbyes = (connection.socket.close(code=WSCloseCode.GOING_AWAY) for connection in self._connections)
        await asyncio.gather(*goodbyes)

    def document(self) -> dict[str, Any]:
        """Connections and pushes, for the control page."""
        return {
            "connections": len(self._connections),
            "accepted": self.accepted,
            "pings": self.pings,
            "malformed": self.malformed,
            "pushes": self.delivery.document(),
        }


def _rejected(status: int, autherrcode: int, msg: str) -> web.Response:
    headers = {
        "Handshake-Status": str(status),
        "Handshake-Msg": msg,
        "Handshake-Autherrcode": str(autherrcode),
    }
    return web.Response(status=403, headers=headers, text=msg)

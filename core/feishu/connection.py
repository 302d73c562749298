"""The long connection: receives frames, puts each event into the journal, acknowledges it once it is durable.

It runs in its own thread with its own event loop, so that nothing a plugin does can delay an acknowledgement; it
reconnects for ever unless told otherwise. It never looks at what an event means.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from socket import SHUT_RDWR
from typing import Any, Final, NamedTuple

import aiohttp
import orjson
from loguru import logger

from ..errors import Malformed, StorageError
from ..status import ConnectionStatus, Phase
from . import frames
from .discovery import ClientConfig, Refused, discover, refusal
from .frame_pb2 import Frame
from .reasons import reason_of

LONGEST_WAIT: Final = 60.0
LONGEST_WAIT_FOR_PERSON: Final = 600.0
MOST_FRAME_BYTES: Final = 16 * 1024 * 1024
OPENING: Final = 15.0
"""Seconds for discovery and handshake together."""
GRACE: Final = 3.0
"""Seconds in which events already received are stored and acknowledged when stopping; the platform's own deadline."""
CLOSING: Final = 1.0
"""Seconds for the goodbye to a peer that may read nothing any more."""
SILENT_FOR: Final = 2
"""Ping intervals without any frame after which a socket counts as dead."""
UNHEARD_FOR: Final = 3
"""Ping intervals without a pong, though other frames come, after which our side counts as not heard."""


Confirm = Callable[[Sequence[Any], StorageError | None], None]
Submit = Callable[[bytes, Any, Confirm], None]
"""Hands an event to the journal; ``Confirm`` is called with the tickets of what is durable, or with the error."""
Expect = Callable[[bytes], asyncio.Future[bytes] | None]
"""What the acknowledgement of an event has to carry, a future that is sure to be done in time; None = nothing."""


class _Ticket(NamedTuple):
    socket: aiohttp.ClientWebSocketResponse
    frame: Frame
    arrived: float
    reply: asyncio.Future[bytes] | None


class Replaced(Exception):
    """The socket is given up although TCP still holds it; the message says why."""


class LongConnection:
    """One connection of one app, supervised."""

    def __init__(
        self,
        base_url: str,
        app_id: str,
        app_secret: str,
        submit: Submit,
        *,
        clock: Callable[[], int],
        on_given_up: Callable[[], None],
        expect: Expect = lambda body: None,
        max_retries: int | None = None,
        retry_delay: float | None = None,
        opening: float = OPENING,
    ) -> None:
        self._base_url = base_url
        self._app_id = app_id
        self._app_secret = app_secret
        self._submit = submit
        self._clock = clock
        self._on_given_up = on_given_up
        self._expect = expect
        self._max_retries = max_retries
        self._retry_delay = retry_delay
        self._opening = opening
        self._config = ClientConfig()
        self._thread = threading.Thread(target=self._run, name="connection", daemon=True)
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._unacknowledged = 0
        self._drained = asyncio.Event()
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._phase: Phase = "starting"
        self._problem = ""
        self._since: int | None = None
        self._heard = 0.0
        self._ponged = 0.0
        self._began = 0.0
        self._proven = False
        """Whether the connection is of use: it has brought an event, or lives for a ping interval."""
        self._unwanted = ""
        self._nudged = asyncio.Event()
        self._last_frame: int | None = None
        self._last_pong: int | None = None
        self._last_event: int | None = None
        self._reconnects = 0
        self._rejected: dict[str, int] = {}

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more frames, acknowledge what is stored within ``GRACE``, close. Returns when the thread ended."""
        if self._thread.ident is None:
            self._loop.close()
            return
        with contextlib.suppress(RuntimeError):  # Its loop may have ended by itself.
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def reconnect(self, reason: str) -> None:
        """Replace the socket, if there is one, because of ``reason``; callable from any thread."""
        with contextlib.suppress(RuntimeError):  # Its loop may have ended by itself.
            self._loop.call_soon_threadsafe(self._replace, reason)

    def status(self) -> ConnectionStatus:
        """The clocks, as they are now."""
        return ConnectionStatus(
            self._phase,
            self._since,
            self._last_frame,
            self._last_pong,
            self._last_event,
            self._reconnects,
            dict(self._rejected),
            self._problem,
        )

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._supervise())
            self._loop.run_until_complete(_end(*self._acknowledging))
        finally:
            self._loop.close()
            self._phase = "stopped"
            self._since = None

    async def _supervise(self) -> None:
        failures = brief = 0
        guard = aiohttp.TraceConfig()
        guard.on_request_redirect.append(_led_away)
        async with aiohttp.ClientSession(trace_configs=[guard]) as session:
            while not self._stopping.is_set():
                self._phase = "connecting"
                needs_person = False
                try:
                    await self._connect(session)
                    if not self._stopping.is_set():
                        self._problem = "the platform closed the connection"
                except Refused as error:
                    self._problem, needs_person = str(error), error.needs_person
                except Replaced as why:
                    self._problem = str(why)
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    self._problem = f"no connection to {self._base_url}: {reason_of(error)}"
                except Exception as error:  # Whatever the other side made us do, events must be received again.
                    self._problem = f"unexpected {type(error).__name__}"
                    logger.opt(exception=error).error("The connection broke down.")
                if self._stopping.is_set():
                    break
                failures = 1 if self._since is not None else failures + 1
                if self._since is not None:
                    brief = 0 if self._proven else brief + 1
                self._phase, self._since = "waiting", None
                if self._max_retries is not None and failures > self._max_retries:
                    self._problem += f"; gave up after MAX_RETRIES={self._max_retries} retries"
                    logger.error("{}", self._problem)
                    self._on_given_up()
                    return
                delay = self._delay(failures + max(0, brief - 1), needs_person=needs_person)
                logger.opt(colors=False).log(
                    "ERROR" if needs_person else "WARNING", "{}; next attempt in {:.1f} s", self._problem, delay
                )
                self._reconnects += 1
                await self._sleep(delay)

    def _delay(self, failures: int, *, needs_person: bool) -> float:
        if self._retry_delay is not None:
            return self._retry_delay
        longest = LONGEST_WAIT_FOR_PERSON if needs_person else LONGEST_WAIT
        return float(random.uniform(0.5, 1.0) * min(longest, 0.5 * 2 ** min(failures, 20)))  # noqa: S311

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _connect(self, session: aiohttp.ClientSession) -> None:
        """One session of the socket, from discovery to its end; ``stop`` is heard at any time."""
        stopping = asyncio.create_task(self._stopping.wait())
        opening = asyncio.create_task(self._open(session))
        try:
            await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                socket, service = opening.result()
                await self._converse(socket, service, stopping)
        finally:
            await _end(opening, stopping)

    async def _open(self, session: aiohttp.ClientSession) -> tuple[aiohttp.ClientWebSocketResponse, int]:
        """The socket and the service number that pings carry."""
        try:
            async with asyncio.timeout(self._opening):
                address = await discover(session, self._base_url, self._app_id, self._app_secret, self._config)
                socket = await session.ws_connect(
                    address.url, max_msg_size=MOST_FRAME_BYTES, timeout=aiohttp.ClientWSTimeout(ws_close=2.0)
                )
        except aiohttp.WSServerHandshakeError as error:
            headers: Mapping[str, str] = error.headers or {}
            code = headers.get("Handshake-Autherrcode") or headers.get("Handshake-Status") or ""
            if code.isdecimal():
                raise refusal(int(code), headers.get("Handshake-Msg", "")) from error
            raise
        return socket, address.service

    async def _converse(
        self, socket: aiohttp.ClientWebSocketResponse, service: int, stopping: asyncio.Task[Any]
    ) -> None:
        self._began = self._heard = self._ponged = time.monotonic()
        self._unwanted = ""
        self._proven = False
        pinging = asyncio.create_task(self._ping(socket, service))
        watching = asyncio.create_task(self._watch())
        receiving = asyncio.create_task(self._receive(socket))
        try:
            done, _ = await asyncio.wait({pinging, watching, receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping not in done:
                for task in done:
                    task.result()
            else:
                receiving.cancel()
                await self._finish_acknowledging()
        finally:
            await _end(pinging, watching, receiving)
            await _part(socket)

    async def _ping(self, socket: aiohttp.ClientWebSocketResponse, service: int) -> None:
        while True:
            await socket.send_bytes(frames.ping(service))
            began = time.monotonic()
            while (left := began + self._config.ping_interval - time.monotonic()) > 0:
                await self._rest(left)

    async def _watch(self) -> None:
        """Raise ``Replaced`` once the socket is dead; a task of its own, as sending to a dead socket may never end."""
        while not self._unwanted:
            now, interval = time.monotonic(), self._config.ping_interval
            if now >= self._heard + SILENT_FOR * interval:
                raise Replaced("no frame for two ping intervals")
            if now >= self._ponged + UNHEARD_FOR * interval:
                raise Replaced("no pong for three ping intervals")
            await self._rest(min(self._heard + SILENT_FOR * interval, self._ponged + UNHEARD_FOR * interval) - now)
        raise Replaced(self._unwanted)

    async def _rest(self, seconds: float) -> None:
        """Wait, but not when the ping interval changes or the socket is no longer wanted."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._nudged.wait(), seconds)

    def _nudge(self) -> None:
        self._nudged.set()
        self._nudged = asyncio.Event()

    def _replace(self, reason: str) -> None:
        self._unwanted = reason
        self._nudge()

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        parts = frames.Reassembly(time.monotonic)
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                continue
            self._heard = time.monotonic()
            self._last_frame = self._clock()
            if self._since is None:
                self._phase, self._since, self._problem = "connected", self._last_frame, ""
                logger.info("Connected to the long connection.")
            try:
                self._take(socket, message.data, parts)
            except Malformed as problem:
                reason = str(problem)
                self._rejected[reason] = self._rejected.get(reason, 0) + 1
                logger.warning("A frame was dropped: {}.", reason)
        if socket.exception() is not None:
            raise aiohttp.ClientConnectionError(str(socket.exception()))

    def _take(self, socket: aiohttp.ClientWebSocketResponse, data: bytes, parts: frames.Reassembly) -> None:
        frame, headers = frames.read(data)
        if frame.method == frames.CONTROL:
            if headers.get("type") == "pong":
                self._last_pong = self._last_frame
                self._proven |= self._ponged > self._began
                self._ponged = self._heard
                self._take_config(frame.payload)
            return
        payload = parts.add(frame.payload, headers)
        if payload is None:
            return
        self._last_event = self._last_frame
        self._proven = True
        self._unacknowledged += 1
        self._submit(payload, _Ticket(socket, frame, self._heard, self._expect(payload)), self._durable)

    def _take_config(self, payload: bytes) -> None:
        if payload:
            before = self._config.ping_interval
            try:
                self._config.update(orjson.loads(payload))
            except orjson.JSONDecodeError as error:
                raise Malformed("pong with something else than JSON") from error
            if self._config.ping_interval != before:
                self._nudge()

    def _durable(self, tickets: Sequence[Any], error: StorageError | None) -> None:
        """Called in the journal's thread."""
        self._loop.call_soon_threadsafe(self._confirmed, tickets, error)

    def _confirmed(self, tickets: Sequence[_Ticket], error: StorageError | None) -> None:
        if error is not None:  # Not stored, so not acknowledged: the platform will push them again.
            self._answered(len(tickets))
            return
        self._begin(self._acknowledge([ticket for ticket in tickets if ticket.reply is None]))
        for ticket in tickets:
            if ticket.reply is not None:  # Each by itself: nothing else waits for what somebody may answer.
                self._begin(self._reply(ticket, ticket.reply))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _reply(self, ticket: _Ticket, reply: asyncio.Future[bytes]) -> None:
        await self._acknowledge([ticket], await reply)

    async def _acknowledge(self, tickets: Sequence[_Ticket], reply: bytes | None = None) -> None:
        now = time.monotonic()
        for socket, frame, arrived, _ in tickets:
            self._answered(1)
            try:
                await socket.send_bytes(frames.ack(frame, now - arrived, reply))
            except Malformed as problem:
                self._rejected[str(problem)] = self._rejected.get(str(problem), 0) + 1
            except (ConnectionError, aiohttp.ClientError) as error:
                logger.debug("An acknowledgement was not sent, the event will come again: {}", error)

    def _answered(self, count: int) -> None:
        self._unacknowledged -= count
        if not self._unacknowledged:
            self._drained.set()

    async def _finish_acknowledging(self) -> None:
        self._drained.clear()
        if self._unacknowledged:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), GRACE)
        if self._acknowledging:
            await asyncio.wait(self._acknowledging, timeout=GRACE)


async def _led_away(*_: object) -> None:
    """A handshake follows redirections, and nobody would check where to."""
    raise Refused("the platform's address leads to another one", needs_person=False)


async def _part(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Say goodbye; a peer that does not even read that is cut off, for what waits to be sent would wait for ever."""
    line = socket.get_extra_info("socket")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(socket.close(), CLOSING)
    if line is not None:
        with contextlib.suppress(OSError):  # It is gone already, as a rule.
            line.shutdown(SHUT_RDWR)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""Which connection gets a push, and when it is pushed again; it knows nothing of frames or sockets.

Every push goes to one random connection. It is done when it is acknowledged with 200 within the time allowed; any other
outcome (late, another code, connection gone) puts it on the retry schedule, and again to a random connection
(FEISHU.md §1.6). After the last retry it is given up.

Unconfirmed about the real platform, and decided here: a push that comes, or comes again, while nobody is connected
waits for the next connection, without using up a retry, for as long as that takes.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from .faults.disorder import Disorder
from .latency import Latency
from .recent import Recent

State = Literal["waiting", "sent", "acked", "refused", "late", "cut", "lost"]
"""What became of the last attempt; ``lost`` = given up."""
RECENT = 1000
"""Pushes that can still be looked at."""


class Receiver(Protocol):
    """The sandbox's end of one connection."""

    def send(self, push: Push) -> None:
        """Puts the push on its way; never blocks."""


class Push:
    """One document on its way to the app."""

    __slots__ = ("answer", "attempt", "ms", "number", "payload", "push_id", "receiver", "sent_at", "state")

    def __init__(self, push_id: str, number: int, payload: bytes) -> None:
        self.push_id = push_id
        self.number = number
        self.payload = payload
        self.attempt = 0
        """How often it was sent."""
        self.receiver: Receiver | None = None
        self.sent_at = 0.0
        self.state: State = "waiting"
        self.ms = 0.0
        """From sending to the answer, in ms."""
        self.answer = b""
        """What a callback was answered with."""


class Delivery:
    """The queue of pushes of one app, and what became of them."""

    def __init__(
        self,
        *,
        window: int,
        ack_timeout: float,
        retry_delays: Sequence[float],
        duplicate_rate: float,
        chance: random.Random,
        disorder: Disorder,
        acknowledged: Callable[[bytes], None],
    ) -> None:
        self._window = window
        self._ack_timeout = ack_timeout
        self._retry_delays = tuple(retry_delays)
        self._duplicate_rate = duplicate_rate
        self._chance = chance
        self._disorder = disorder
        self._held = disorder.held
        self._acknowledged = acknowledged
        self._receivers: list[Receiver] = []
        self._waiting: deque[Push] = deque()
        self._in_flight: dict[str, Push] = {}
        """Oldest sending first: a push that is sent again goes to the end."""
        self._retries: list[tuple[float, int, Push]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.latency = Latency()
        self.recent: Recent[Push] = Recent(RECENT)
        self.events = 0
        self.sent = 0
        self.acked = 0
        self.repushed = 0
        self.refused = 0
        self.timed_out = 0
        self.given_up = 0
        self.duplicated = 0
        self._first_sent = 0.0
        self._last_acked = 0.0

    def push(self, payload: bytes) -> None:
        """Takes an event; it is sent when there is a connection and room in the window."""
        self.events += 1
        self._empty.clear()
        push = self._new(payload)
        self.note(push, "waiting")
        self._waiting.extend(self._disorder.arrange(push, lambda: self._copy(push)))
        if self._held:
            self._watch(sooner=self._held.next_look())
        if len(self._in_flight) < self._window:
            self._fill()
        if len(self._waiting) >= self._window:
            self._room.clear()

    @property
    def has_room(self) -> bool:
        """False while a window of pushes waits."""
        return self._room.is_set()

    async def room(self) -> None:
        """Returns as soon as no more than half a window of pushes waits."""
        await self._room.wait()

    async def emptied(self) -> None:
        """Returns when every push was acknowledged or given up."""
        await self._empty.wait()

    def attach(self, receiver: Receiver) -> None:
        """A connection more. Fine when it is there already."""
        if receiver in self._receivers:
            return
        self._receivers.append(receiver)
        self._fill()

    def detach(self, receiver: Receiver) -> None:
        """A connection less: nothing that it was sent can be acknowledged any more. Fine when it is gone already."""
        if receiver not in self._receivers:
            return
        self._receivers.remove(receiver)
        for push in [push for push in self._in_flight.values() if push.receiver is receiver]:
            self._failed(push, "cut")
        self._fill()

    def choose(self) -> Receiver | None:
        """A random connection; None while there is none."""
        return self._chance.choice(self._receivers) if self._receivers else None

    def answered(self, push_id: str, code: int) -> None:
        """An acknowledgement; one that comes too late, or for nothing that was sent, changes nothing."""
        push = self._in_flight.get(push_id)
        if push is None:
            return
        if code != 200:
            self.refused += 1
            self._failed(push, "refused")
        else:
            self._acknowledged(push.payload)  # First: where it cannot be noted the push comes again.
            del self._in_flight[push_id]
            now = time.monotonic()
            self.latency.record(now - push.sent_at)
            push.ms = (now - push.sent_at) * 1000
            self.note(push, "acked")
            self.acked += 1
            self._last_acked = now
            if self._duplicate_rate and self._chance.random() < self._duplicate_rate:
                self._waiting.append(self._copy(push))
        self._fill()

    def note(self, push: Push, state: State) -> None:
        """Something happened to the push."""
        push.state = state
        self.recent.note(push.push_id, push)

    def calm(self) -> None:
        """Other faults are in force: sends what no fault holds back any more."""
        if freed := self._disorder.calm():
            self._waiting.extend(freed)
            self._fill()

    def close(self) -> None:
        """Stops the clocks; nothing is sent any more."""
        self._receivers.clear()
        if self._timer is not None:
            self._timer.cancel()

    def document(self) -> dict[str, Any]:
        """What became of the pushes, for the control page."""
        span = self._last_acked - self._first_sent
        return {
            "events": self.events,
            "sent": self.sent,
            "acked": self.acked,
            "repushed": self.repushed,
            "refused": self.refused,
            "timed_out": self.timed_out,
            "given_up": self.given_up,
            "duplicated": self.duplicated,
            "waiting": len(self._waiting),
            "scheduled": len(self._retries),
            "held": len(self._held),
            "in_flight": len(self._in_flight),
            "ack_ms": self.latency.document(),
            "events_per_second": round(self.acked / span, 1) if span > 0 else 0.0,
        }

    def _new(self, payload: bytes) -> Push:
        return Push(f"{self._chance.getrandbits(128):032x}", self.events + self.duplicated, payload)

    def _copy(self, push: Push) -> Push:
        self.duplicated += 1
        return self._new(push.payload)

    def _fill(self) -> None:
        waiting, in_flight = self._waiting, self._in_flight
        while waiting and self._receivers and len(in_flight) < self._window:
            self._send(waiting.popleft())
        if len(waiting) <= self._window // 2:
            self._room.set()
        if not waiting and not in_flight and not self._retries and not self._held:
            self._empty.set()

    def _send(self, push: Push) -> None:
        push.receiver = self._chance.choice(self._receivers)
        push.sent_at = time.monotonic()
        if push.attempt:
            self.repushed += 1
        push.attempt += 1
        self.sent += 1
        self._first_sent = self._first_sent or push.sent_at
        self._in_flight[push.push_id] = push
        self.note(push, "sent")
        push.receiver.send(push)
        if self._held:
            self._waiting.extendleft(reversed(self._held.passed()))
        self._watch()

    def _failed(self, push: Push, state: State) -> None:
        del self._in_flight[push.push_id]
        push.receiver = None
        if push.attempt > len(self._retry_delays):
            self.given_up += 1
            self.note(push, "lost")
            return
        self.note(push, state)
        due = push.sent_at + self._retry_delays[push.attempt - 1]
        heapq.heappush(self._retries, (due, push.number, push))
        self._watch(sooner=due)

    def _watch(self, *, sooner: float = float("inf")) -> None:
        """Keeps one timer for the next thing that can become due; moving it at every push would cost more."""
        if self._timer is not None:
            if sooner >= self._timer.when():
                return
            self._timer.cancel()
        due = self._retries[0][0] if self._retries else float("inf")
        if self._in_flight:
            due = min(due, next(iter(self._in_flight.values())).sent_at + self._ack_timeout)
        if self._held:
            due = min(due, self._held.next_look())
        if due < float("inf"):
            self._timer = asyncio.get_running_loop().call_at(due, self._due)

    def _due(self) -> None:
        self._timer = None
        now = time.monotonic()
        late = []
        for push in self._in_flight.values():
            if push.sent_at + self._ack_timeout > now:
                break
            late.append(push)
        for push in late:
            self.timed_out += 1
            self._failed(push, "late")
        while self._retries and self._retries[0][0] <= now:
            self._waiting.append(heapq.heappop(self._retries)[2])
        if self._held:
            self._waiting.extend(self._held.due())
        self._fill()
        self._watch()

"""The long connections as faults leave them: dropped, half-open, silent; which push they carry is not their concern."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .fault import Fault
from .faults import Faults

LAST_WRITE = 0.25
"""Seconds a connection about to be dropped waits for something to be cut within."""
FLUSHED = 1.0
"""Seconds for what was written before a cut to leave this machine."""


class Line:
    """One connection on its way down."""

    def __init__(self, transport: asyncio.Transport, faults: Faults) -> None:
        self._transport = transport
        self._faults = faults
        self.half_open = False
        """Nothing is said and nothing is heard."""
        self.pongs_only = False
        """Pings are answered, events are not sent."""
        self.speaking = asyncio.Lock()
        """Held while bytes dribble: a pong between two of them would be no fault of the network's."""
        self._cut = False
        self._dribble: Fault | None = None

    @property
    def mute(self) -> bool:
        """Whether pushes vanish."""
        return self.half_open or self.pongs_only

    def suffer(self, fault: Fault) -> None:
        """The fault happens to this connection: at once, or to the next bytes it sends."""
        match fault.kind:
            case "half-open":
                self.half_open = True
                self._later(fault, self.recover)
            case "pongs-only":
                self.pongs_only = True
                self._later(fault, self.recover)
            case "cut":
                self._cut = True
            case "dribble":
                self._dribble = fault

    def drop(self) -> None:
        """Cuts the line without a goodbye: now, or within the next bytes if there are some soon."""
        if self._faults.chance("line").random() < 0.5:
            self._transport.abort()
        else:
            self._cut = True
            asyncio.get_running_loop().call_later(LAST_WRITE, self._transport.abort)

    async def write(self, data: bytes) -> None:
        """Sends, or what a fault makes of it."""
        transport = self._transport
        if self.half_open:
            return
        if self._cut:
            transport.write(data[: self._faults.chance("line").randrange(len(data))])
            transport.close()
            asyncio.get_running_loop().call_later(FLUSHED, transport.abort)
        elif self._dribble is not None:
            fault, self._dribble = self._dribble, None
            step = max(1, -(-len(data) // (fault.count or 1)))
            pause = self._faults.draw(fault) / (fault.count or 1)
            async with self.speaking:
                for start in range(0, len(data), step):
                    transport.write(data[start : start + step])
                    await asyncio.sleep(pause)
        else:
            transport.write(data)

    def _later(self, fault: Fault, then: Callable[[], None]) -> None:
        if seconds := self._faults.draw(fault):
            asyncio.get_running_loop().call_later(seconds, then)

    def recover(self) -> None:
        """Nothing keeps it from speaking any more."""
        self.half_open = self.pongs_only = False


class Lines:
    """The connections that are open now, and the faults that come over them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._open: list[Line] = []
        faults.watch(self._calm)

    def open(self, transport: asyncio.Transport) -> Line:
        """A new connection; a fault may strike it at once."""
        line = Line(transport, self._faults)
        self._open.append(line)
        fault = self._faults.strike("line", "") if self._faults.any("line") else None
        if fault is not None and fault.kind == "drop":
            asyncio.get_running_loop().call_later(self._faults.draw(fault), line.drop)
        elif fault is not None:
            line.suffer(fault)
        return line

    def _calm(self) -> None:
        if not self._faults.any("line"):
            for line in self._open:
                line.recover()

    def close(self, line: Line) -> None:
        """The connection has ended."""
        self._open.remove(line)

    def strike(self, fault: Fault) -> None:
        """A recurring fault happens to one of them; to none while there is none."""
        if self._open and self._faults.recur(fault, "connection"):
            line = self._faults.chance("line").choice(self._open)
            if fault.kind == "drop":
                line.drop()
            else:
                line.suffer(fault)

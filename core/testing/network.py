"""The guard: while a harness runs, nothing in this process reaches a host that is not this machine.

It is an audit hook of the interpreter, which replaces nothing; it does nothing while no harness runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from .failures import NetworkReached

_ADDRESSED: Final = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0}
"""Which argument of an audit event says where it goes; ``socket.getaddrinfo`` asks for a name."""

Listener = Callable[[NetworkReached], None]


class _Guard:
    """The listeners of the harnesses that run; the hook is put in once, as it can never be taken out."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self._there = False

    def add(self, listener: Listener) -> None:
        """From now on ``listener`` hears of every attempt."""
        if not self._there:
            self._there = True
            sys.addaudithook(self._audit)
        self.listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """``listener`` hears no more."""
        self.listeners.remove(listener)

    def _audit(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.listeners or event not in _ADDRESSED:
            return
        address = given[_ADDRESSED[event]]
        host = address[0] if isinstance(address, tuple) and address else address
        if _is_here(host, unix=event != "socket.getaddrinfo" and not isinstance(address, tuple)):
            return
        failure = NetworkReached(
            f"something tried to reach {host!r}: a test answers for everybody else.\n"
            "Call the platform with ctx.call and hand in answers={…}; let other services listen on 127.0.0.1."
        )
        for listener in self.listeners:
            listener(failure)
        raise failure


GUARD: Final = _Guard()


def _is_here(host: Any, *, unix: bool) -> bool:
    if unix or host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False

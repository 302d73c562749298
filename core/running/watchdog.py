"""Notices when nothing in the process could run for a while, and says which plugin was at work then.

Only a call into C code that keeps the interpreter's lock does that, or a machine that has no time for the process:
whatever a plugin does in Python, and every call that gives the lock back while it waits, delays that plugin alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from loguru import logger

EVERY: Final = 0.5
"""Seconds between two looks at the clock."""
NOTICED: Final = 1.0
"""Seconds too late from which on it is said."""


class Watchdog:
    """A thread that sleeps, and looks whether it was woken in time.

    ``at_work`` tells the plugins, each with its hook, that were being called all the time between two moments
    (monotonic s).
    """

    def __init__(
        self, at_work: Callable[[float, float], Sequence[str]], *, every: float = EVERY, noticed: float = NOTICED
    ) -> None:
        self._at_work = at_work
        self._every = every
        self._noticed = noticed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        expected = time.monotonic() + self._every
        while not self._stopping.wait(self._every):
            now = time.monotonic()
            if now - expected >= self._noticed:
                self._tell(expected, now)
            expected = time.monotonic() + self._every

    def _tell(self, start: float, end: float) -> None:
        names = " or ".join(self._at_work(start, end))
        why = f"plugin {names} held the interpreter, or the machine is overloaded" if names else "no plugin was at work"
        logger.warning(
            "Nothing could run for {:.1f} s: {}. Events pushed meanwhile were acknowledged late; those that come twice "
            "are dropped, none is lost.",
            end - start,
            why,
        )

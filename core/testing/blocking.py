"""Whether a hook keeps its event loop from going on, and at which line: a thread asks the loop to answer, and waits."""

from __future__ import annotations

import asyncio
import linecache
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

LOOK: Final = 0.01
"""Seconds between two looks."""


@dataclass
class _Call:
    """One call of a hook that is under way."""

    hook: str
    loop: asyncio.AbstractEventLoop
    thread: int
    package: str
    """The modules of the plugin are below it."""
    asked: bool = False
    looks: int = 0
    """Looks in a row at which the loop had not answered; a look that comes late counts once, as the machine is busy."""
    spent: float = 0.0
    """The processor's time of the thread when the loop was asked."""
    told: bool = False
    answered: threading.Event = field(default_factory=threading.Event)


class BlockWatch:
    """The watching thread of one harness; ``tell`` is called in it, with the hook, the seconds and the line."""

    def __init__(self, limit: float, tell: Callable[[str, float, str], None]) -> None:
        self._limit = limit
        self._tell = tell
        self._calls: dict[int, _Call] = {}
        self._lock = threading.Lock()
        """No hook returns while it is looked at: asking for the time of a thread that has ended is fatal."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="harness:blocking", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def begin(self, hook: str, package: str) -> None:
        """The calling thread's loop begins a hook."""
        thread = threading.get_ident()
        with self._lock:
            self._calls[thread] = _Call(hook, asyncio.get_running_loop(), thread, package)

    def end(self) -> None:
        """The calling thread's hook has returned."""
        with self._lock:
            self._calls.pop(threading.get_ident(), None)

    def _run(self) -> None:
        while not self._ended.wait(LOOK):
            with self._lock:
                for call in self._calls.values():
                    self._look(call)

    def _look(self, call: _Call) -> None:
        if not call.asked or call.answered.is_set():
            call.asked, call.looks, call.spent = True, 0, _spent(call.thread)
            call.answered.clear()
            call.loop.call_soon_threadsafe(call.answered.set)
            return
        call.looks += 1
        blocked = max(call.looks * LOOK, _spent(call.thread) - call.spent)
        if blocked >= self._limit and not call.told:
            frame = sys._current_frames().get(call.thread)  # noqa: SLF001  # There is no other way to another thread.
            if frame is None:
                return
            if _imports(frame):  # That happens once, and makes start-up quick.
                call.asked = False
                return
            call.told = True
            self._tell(call.hook, blocked, _line(frame, call.package))


def _imports(innermost: FrameType) -> bool:
    """Whether a module is being imported."""
    frame: FrameType | None = innermost
    while frame is not None and frame.f_globals.get("__name__") != "importlib._bootstrap":
        frame = frame.f_back
    return frame is not None


def _spent(thread: int) -> float:
    """The processor's time of a thread, s; 0 where the system does not tell."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return 0.0
    return time.clock_gettime(time.pthread_getcpuclockid(thread))


def _line(innermost: FrameType, package: str) -> str:
    """The plugin's own line that is being executed, or the innermost of all."""
    frame: FrameType | None = innermost
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name == package or name.startswith(f"{package}."):
            break
        frame = frame.f_back
    return line_of(frame or innermost)


def line_of(frame: FrameType) -> str:
    """Where a frame stands: file, line and what it says."""
    file, number = frame.f_code.co_filename, frame.f_lineno
    return f"{file}:{number}  {linecache.getline(file, number).strip()}"

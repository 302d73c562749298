"""Calling one plugin's hooks: one at a time, each with its time; it never decides what a failure means."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..loading.fitness import Hook

GRACE: Final = 5.0
"""Seconds a hook has to end after it was cancelled."""
WATCH: Final = 1.0
"""Seconds between two looks at whether a call takes too long; each costs an idle program some of its CPU."""
LONG: Final = 0.5
"""Seconds after which a call that has ended is remembered, for ``at_work``."""


class HookCalls:
    """The hooks of one plugin, called by ``caller``, the task that ``watch`` cancels when a call takes too long."""

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self._hooks = hooks
        self._name = ""
        self._thread = 0
        self._since: float | None = None
        self._long = ("", 0.0, 0.0)
        """The last call that took long: the hook, from when, until when."""
        self._timeout = 0.0
        self._timed_out = False
        self._caller: asyncio.Task[None] | None = None

    @property
    def busy_for(self) -> float:
        """Seconds the current call has been running, 0 when there is none; callable from any thread."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def at_work(self, start: float, end: float) -> str:
        """The hook that was being called all the time from ``start`` to ``end`` (monotonic s), or empty.

        ``end`` lies in the last moments; callable from any thread.
        """
        since = self._since
        if since is not None and since <= start:
            return self._name
        name, began, ended = self._long
        return name if began <= start and ended >= end - LONG else ""

    def overdue(self) -> str:
        """The hook that does not come back although it was cancelled, and where it is; empty while all is well.

        It blocks its thread, or ignores that it is cancelled: nobody can end it. Callable from any thread.
        """
        if self.busy_for <= self._timeout + GRACE:
            return ""
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - The only way to see where a thread is.
        while frame is not None and _is_standard(frame.f_code.co_filename):
            frame = frame.f_back
        return f"{self._name} ({Path(frame.f_code.co_filename).name}, line {frame.f_lineno})" if frame else self._name

    def cut_short(self, name: str) -> None:
        """Cancel the call under way if it is one of ``name``; callable from any thread."""
        if self._name == name:
            self._timeout = 0.0

    async def call(self, name: str, timeout: float, **values: Any) -> None:
        """Call the hook, if there is one, with those of ``values`` it wants.

        Raises what the hook raises; ``TimeoutError`` after ``timeout`` s, ``RuntimeError`` for ``sys.exit()``.
        """
        hook = self._hooks.get(name)
        if hook is None:
            return
        self._name, self._timeout, self._thread = name, timeout, threading.get_ident()
        self._since = since = time.monotonic()
        try:
            await hook.call(**{argument: values[argument] for argument in hook.arguments})
        except asyncio.CancelledError as error:
            if self._timed_out:
                raise TimeoutError(f"{name} did not return within {timeout:g} s") from error
            raise
        except SystemExit as error:
            raise RuntimeError(f"{name} called sys.exit({error.code!r})") from error
        finally:
            now = time.monotonic()
            if now - since >= LONG:
                self._long = name, since, now
            self._since = None
            if self._timed_out and self._caller is not None:
                self._timed_out = False
                self._caller.uncancel()

    async def watch(self, caller: asyncio.Task[None]) -> None:
        """Cancel a call that takes too long; one timer for all calls, as a timer per event costs too much."""
        self._caller = caller
        while True:
            await asyncio.sleep(WATCH)
            if not self._timed_out and self.busy_for > self._timeout:
                self._timed_out = True
                caller.cancel()


def _is_standard(file: str) -> bool:
    """Whether a source file is of the standard library, which is never what an author has to mend."""
    return Path(file).is_relative_to(Path(asyncio.__file__).parents[1]) and "site-packages" not in file

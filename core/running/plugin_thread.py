"""The thread of one plugin, with an event loop of its own: what blocks, hangs or exits there delays nobody else.

It never calls a hook; it knows nothing of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ..loading.prints import speak_as
from .calling import HookCalls

BEGIN_TIMEOUT: Final = 5.0
"""Seconds a thread has to begin; it goes on by itself after them."""
LEFT_TIMEOUT: Final = 1.0
"""Seconds that the tasks a plugin left running have to end when they are cancelled."""


class PluginThread:
    """Runs ``work`` to its end; ``on_end`` is told how it ended, None = well."""

    def __init__(
        self,
        name: str,
        hooks: HookCalls,
        work: Callable[[], Coroutine[Any, Any, None]],
        on_end: Callable[[BaseException | None], None],
        *,
        clock: Callable[[], int],
        tick: float,
    ) -> None:
        self._name = name
        self._hooks = hooks
        self._work = work
        self._on_end = on_end
        self._clock = clock
        self._tick = tick
        self._thread = threading.Thread(target=self._run, name=f"plugin:{name}", daemon=True)
        self._begun = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self.stopping = False
        """Whether the end was asked for."""

    def start(self) -> None:
        """Begin; returns when the thread runs."""
        self._thread.start()
        self._begun.wait(BEGIN_TIMEOUT)  # CPython 3.11 cannot trace (coverage, debuggers) threads that begin at once.

    def wake(self) -> None:
        """End a ``pause``; callable from any thread, also before the start and after the end."""
        if self._thread.ident is None:
            return
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake.set)

    def stop(self, timeout: float) -> bool:
        """Ask for the end and wait for it; False when it did not come within ``timeout`` s."""
        self.stopping = True
        self._hooks.cut_short("startup")
        self.wake()
        if self._thread.ident is None:
            self._loop.close()
        else:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def look(self) -> None:
        """What was told until now is seen; a ``wake`` from here on ends the next ``pause``."""
        self._wake.clear()

    async def pause(self, seconds: float) -> None:
        """Wait until there is a ``wake``, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def rest(self, until: int) -> None:
        """Wait until then (ms UTC), whatever arrives; the end of the program and a clock that is set back end it."""
        longest = until - self._clock()
        while not self.stopping and 0 < (left := until - self._clock()) <= longest:
            self.look()
            await self.pause(min(self._tick, left / 1000))

    def _run(self) -> None:
        self._begun.set()
        asyncio.set_event_loop(self._loop)
        speak_as(self._name)
        main = self._loop.create_task(self._watched())
        try:
            while not main.done():
                with contextlib.suppress(SystemExit, KeyboardInterrupt):  # It interrupts the loop whichever task exits.
                    self._loop.run_until_complete(main)
            main.result()
            self._on_end(None)
        except BaseException as error:  # Whatever a plugin's tasks raise ends this thread and nothing else.
            self._on_end(error)
        finally:
            self._loop.close()

    async def _watched(self) -> None:
        working = asyncio.create_task(self._work())
        watching = asyncio.create_task(self._hooks.watch(working))
        try:
            await working
        finally:
            left = {watching, *asyncio.all_tasks()} - {asyncio.current_task()}  # A plugin may have left some.
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=LEFT_TIMEOUT)

"""Calling one plugin's hooks: one at a time, each with its time; it never decides what a failure means."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from .plugins import Hook

WATCH: Final = 0.25
"""Seconds between two looks at whether a call takes too long."""


class HookCalls:
    """The hooks of one plugin, called by ``caller``, the task that ``watch`` cancels when a call takes too long."""

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self._hooks = hooks
        self._since: float | None = None
        self._timeout = 0.0
        self._timed_out = False
        self._caller: asyncio.Task[None] | None = None

    @property
    def busy_for(self) -> float:
        """Seconds the current call has been running, 0 when there is none; callable from any thread."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    async def call(self, name: str, timeout: float, **values: Any) -> None:
        """Call the hook, if there is one, with those of ``values`` it wants.

        Raises what the hook raises; ``TimeoutError`` after ``timeout`` s, ``RuntimeError`` for ``sys.exit()``.
        """
        hook = self._hooks.get(name)
        if hook is None:
            return
        self._since = time.monotonic()
        self._timeout = timeout
        try:
            await hook.call(**{argument: values[argument] for argument in hook.arguments})
        except asyncio.CancelledError as error:
            if self._timed_out:
                raise TimeoutError(f"{name} did not return within {timeout:g} s") from error
            raise
        except SystemExit as error:
            raise RuntimeError(f"{name} called sys.exit({error.code!r})") from error
        finally:
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

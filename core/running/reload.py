"""``plugins.toml`` under a running program: looked at twice a second, and what it wants told to the roster.

A file, or a plugin, that is wrong changes nothing of what runs. Modules are imported once: what a plugin is, as
opposed to how it is configured, changes with a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from loguru import logger

from ..errors import ConfigurationError
from ..loading.packages import available
from ..loading.plugins import Loaded
from .roster import Roster

LOOK_EVERY: Final = 0.5
PATIENCE: Final = 60.0
"""Seconds in which the enabled plugins have to be imported."""


class PluginsFile:
    """The bytes of the file, and whether they are others than before."""

    def __init__(self, path: Path) -> None:
        """What it says now is known."""
        self.path = path
        self._known = self._last = self._read()

    def changed(self) -> bool:
        """Whether it says something new, once: only when two looks saw the same, as an editor may be in the middle."""
        before, self._last = self._last, self._read()
        if self._last != before or self._last == self._known:
            return False
        self._known = self._last
        return True

    def _read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except OSError:
            return None


class Reload:
    """What is enabled, and how, as the file says now."""

    def __init__(self, file: PluginsFile, load: Callable[[], Loaded], *, every: float = LOOK_EVERY) -> None:
        """``load`` raises ``ConfigurationError``; it is called in a thread, and may take its time importing."""
        self._file = file
        self._load = load
        self._every = every
        self._asked = asyncio.Event()
        self._sources = {name: origin.source for name, origin in available().items()}
        """Where the code that runs, or would, is from."""
        self._outdated: dict[str, str] = {}
        """What is installed now of plugins whose code is from elsewhere, once it was told."""
        self.problem = ""
        """Why the file as it is now is not in force, or empty."""

    def ask(self) -> None:
        """Read it at once, changed or not; from the event loop's thread."""
        self._asked.set()

    async def run(self, roster: Roster) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._every)
            if self._file.changed() or self._asked.is_set():
                self._asked.clear()
                await self._take(roster)

    async def _take(self, roster: Roster) -> None:
        path, told_before = self._file.path, {str(one) for one in roster.unfit}
        try:
            loaded = await _aside(self._read)
        except ConfigurationError as error:
            self._hold("; ".join(f"{one.where}: {one.what} ({one.fix})" for one in error.problems))
            return
        except TimeoutError:
            self._hold(f"An enabled plugin could not be imported within {PATIENCE:.0f} s")
            return
        except Exception as error:  # Whatever it is, what runs is not at fault.
            logger.opt(exception=error).debug("Reading {} failed.", path)
            self._hold(f"{type(error).__name__}: {error}")
            return
        self.problem = ""
        for plugin in loaded.plugins:
            if plugin.name not in {one.name for one in roster.plugins}:
                for remark in plugin.remarks:
                    logger.warning("{}: {} ({})", remark.where, remark.what, remark.fix)
        change = roster.want(loaded)
        logger.info("{} was read again: {}.", path, change or "nothing is different")
        for one in loaded.unfit:
            if str(one) not in told_before:
                there = one.name in {plugin.name for plugin in roster.plugins}
                now = "goes on as it was" if there else "is set aside, the others run"
                logger.error("Plugin {} ({}) {}. {}", one.name, one.source, now, one)

    def _read(self) -> Loaded:
        """What is enabled now; from whatever thread. What was imported once stays as it was then, which is said."""
        importlib.invalidate_caches()  # A package may have been installed meanwhile.
        there = available()
        old = {name for name, origin in there.items() if origin.module in sys.modules}
        loaded = self._load()
        for name in there.keys() & {plugin.name for plugin in loaded.plugins}:
            installed = there[name].source
            runs = self._sources.get(name, installed) if name in old else installed
            if runs != installed != self._outdated.get(name):
                logger.warning("Plugin {}: {} is installed, and {} runs until the next start.", name, installed, runs)
                self._outdated[name] = installed
            self._sources[name] = runs
        return loaded

    def _hold(self, problem: str) -> None:
        self.problem = problem
        logger.error("{} was changed and everything goes on as before. {}", self._file.path, problem)


async def _aside(work: Callable[[], Loaded]) -> Loaded:
    """What ``work`` returns, from a thread of its own: an import that never ends keeps nothing from ending."""
    done: Future[Loaded] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except Exception as error:  # Told by whoever waits.
            done.set_exception(error)
        except BaseException as error:  # It must not end the main loop.
            done.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))

    threading.Thread(target=run, name="reload", daemon=True).start()
    async with asyncio.timeout(PATIENCE):
        return await asyncio.wrap_future(done)

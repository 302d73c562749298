"""Parts of the program without their threads, on handles that fate can cut off: for a loop with a time of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fate import Fate, Fateful

from core.journal import Journal
from core.running.bus import PluginConsumer
from core.storage.sqlite import SqliteEngine


class SteppedJournal(Journal):
    """The journal without its thread: what was submitted is stored when ``step`` is called."""

    def step(self) -> None:
        self._queue.put(None)
        self._run()


class SteppedConsumer(PluginConsumer):
    """A consumer on the loop of the simulation instead of its own."""

    def wake(self) -> None:
        self._thread._wake.set()

    async def run(self) -> None:
        await self._consume()


class Handles:
    """The engine as the process sees it: handles that fate can cut off."""

    def __init__(self, engine: SqliteEngine, fate: Fate) -> None:
        self._engine = engine
        self._fate = fate
        self._opened: list[Any] = []

    def store(self, *, durable: bool = True) -> Any:
        return Fateful(self._kept(self._engine.store(durable=durable)), self._fate)

    def journal(self) -> Any:
        return Fateful(self._kept(self._engine.journal()), self._fate)

    def drop(self) -> None:
        """As the end of a process does it."""
        for handle in self._opened:
            handle._database.close()

    def _kept(self, handle: Any) -> Any:
        self._opened.append(handle)
        return handle


class Doorway:
    """An engine that gives the journal's thread the same handle every time."""

    def __init__(self, handles: Handles) -> None:
        self._journal = handles.journal()

    def journal(self) -> Any:
        return self._journal


@contextmanager
def files() -> Iterator[Path]:
    """A directory in memory where there is such a thing; gone at the end."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)

"""What is done about the disk by itself: checks, retention and room. It has a thread of its own and never reads events.

At the start, when the last end was no clean one or a day has passed, and daily from then on: the pages are checked,
every event's CRC is compared, events past their time are trimmed, and unused room is given back. Unused memory is given
back every minute.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from loguru import logger

from .. import memory
from ..errors import Damaged, StorageError
from ..status import DiskStatus
from ..storage.protocol import Engine, JournalHandle, StoreHandle
from .integrity import hurt_pages

DAY: Final = 86_400_000
"""ms. The least that is kept, and more than the 8 h in which an event may be pushed again (FEISHU.md §1.6)."""
SCARCE: Final = 200 * 2**20
"""Bytes; with less on the disk an operator is warned."""
LOOK_EVERY: Final = 60.0
"""Seconds between two looks at the room on the disk and at whether the day is over."""
BREATH: Final = 0.02
"""Seconds between two steps of a long piece of work, so that appends come in between."""
SCRUBBED: Final = 500
TRIMMED: Final = 200
RELEASED: Final = 64
"""Events, events, pages at a time."""
UNUSED_SHARE: Final = 0.2
UNUSED_LEAST: Final = 8 * 2**20
"""Bytes; less than that, or than that share of the file, stays in it: it will be used again soon."""

CHECKED: Final = "upkeep.checked"
RUNNING: Final = "upkeep.running"


class Upkeep:
    """The upkeep of one data directory; ``readers`` says whose cursors count; called from its thread."""

    def __init__(
        self,
        engine: Engine,
        directory: Path,
        readers: Callable[[], Sequence[str]],
        *,
        keep_days: int,
        clock: Callable[[], int],
        look_every: float = LOOK_EVERY,
        breath: float = BREATH,
        free_space: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        """``keep_days`` 0 means for ever."""
        self._engine = engine
        self._directory = directory
        self._readers = readers
        self._keep = keep_days * DAY
        self._clock = clock
        self._look_every = look_every
        self._breath = breath
        self._free_space = free_space
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._stopping = threading.Event()
        self._checked = threading.Event()
        self._damage = ""
        self._problem = ""
        self._trimmed = 0
        self._last_check: int | None = None
        self._unclean = False

    def start(self, store: StoreHandle) -> None:
        """Begin, and note that the program runs; ``store`` is the caller's. Raises ``StorageError``."""
        self._unclean = bool(store.note(RUNNING))
        store.set_note(RUNNING, str(self._clock()))
        last = store.note(CHECKED)
        self._last_check = int(last) if last else None
        self._thread.start()

    def wait_checked(self, seconds: float) -> None:
        """Wait for the check of the start, if there is one, but not longer. Raises ``Damaged``."""
        self._checked.wait(seconds)
        if self._damage:
            raise Damaged(self._damage)

    def stop(self, store: StoreHandle | None = None) -> None:
        """End; with ``store`` this was a clean end, which is noted. A check under way is left, but stays owed."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(5)
        if store is not None and not self._damage and not self._unclean:
            store.set_note(RUNNING, "")

    def status(self, unread: str = "") -> DiskStatus:
        """What is known about the disk; callable from any thread. ``unread`` is why something could not be read."""
        try:
            free = self._free_space(self._directory)
        except OSError as error:
            return DiskStatus(problem=f"{self._directory} cannot be read: {error}; put it back, then restart")
        warning = self._problem
        if free < SCARCE:
            warning = f"only {free / 2**20:.0f} MB are left on the disk of {self._directory}: free some space"
        journal, store = self._on_disk("journal.db"), self._on_disk("store.db")
        problem = self._damage or unread
        return DiskStatus(free, journal, store, self._trimmed, self._last_check, problem, warning)

    def _on_disk(self, name: str) -> int:
        size = 0
        for ending in ("", "-wal"):
            with suppress(OSError):  # There is no write-ahead log when nobody has the database open.
                size += (self._directory / f"{name}{ending}").stat().st_size
        return size

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except Exception as error:  # Upkeep that fails is told, and tried again; the program goes on without it.
                if not isinstance(error, StorageError):
                    logger.exception("Upkeep failed.")
                elif self._problem != str(error):
                    logger.warning("Upkeep failed and is tried again: {}", error)
                self._problem = str(error) or repr(error)
            else:
                self._problem = ""
            self._checked.set()
            memory.give_back()
            self._stopping.wait(self._look_every)

    def _look(self) -> None:
        now = self._clock()
        last = self._last_check
        if not self._unclean and last is not None and 0 <= now - last < DAY:
            return
        self._check_pages()
        self._checked.set()
        with closing(self._engine.journal()) as journal, closing(self._engine.store()) as store:
            if not self._damage:
                self._scrub(journal)
                if self._keep:
                    self._trim(journal, store)
                for handle in (journal, store):
                    self._give_back(handle)
            if not self._stopping.is_set():
                if not self._damage:
                    store.set_note(CHECKED, str(now))
                self._last_check, self._unclean = now, False

    def _check_pages(self) -> None:
        problems = hurt_pages(self._directory)
        damage = "; ".join(f"{problem.where}: {problem.what}. {problem.fix}" for problem in problems)
        if damage and damage != self._damage:
            logger.error("Stored data is damaged. {}", damage)
        self._damage = damage

    def _scrub(self, journal: JournalHandle) -> None:
        damaged, reached = journal.scrub(0, SCRUBBED)
        while reached and not self._rest():
            if damaged:
                journal.quarantine(damaged, self._clock())
                logger.error("{} stored events are damaged (CRC) and in quarantine: {}", len(damaged), damaged[:10])
            damaged, reached = journal.scrub(reached, SCRUBBED)

    def _trim(self, journal: JournalHandle, store: StoreHandle) -> None:
        newest = journal.fetch(journal.head())
        before = self._clock() - self._keep
        if newest is not None:  # What may be pushed again stays known, whatever the clock says.
            before = min(before, newest.received - DAY)
        old, reached = journal.expired(0, before, TRIMMED)
        count = 0
        while reached and not self._rest():
            gone = self._unneeded(old, store) if old else []
            if gone:
                journal.trim(gone)
                store.forget_discarded(gone)
                count += len(gone)
            old, reached = journal.expired(reached, before, TRIMMED)
        self._trimmed += count
        if count:
            logger.info("{} events past their time were trimmed from the journal.", count)

    def _unneeded(self, old: Sequence[int], store: StoreHandle) -> list[int]:
        needed = store.needed(self._readers())
        return [seq for seq in old if (needed.beyond is None or seq <= needed.beyond) and seq not in needed.events]

    def _give_back(self, handle: JournalHandle | StoreHandle) -> None:
        total, unused = handle.size()
        if unused < max(UNUSED_LEAST, UNUSED_SHARE * total):
            return
        while not self._rest():
            handle.release(RELEASED)
            left = handle.size().unused
            if left == 0 or left >= unused:  # Nothing more to give, or a file of an older version, which keeps it.
                return
            unused = left

    def _rest(self) -> bool:
        """Let others in; whether the program is to end."""
        return self._stopping.wait(self._breath)

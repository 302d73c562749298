"""The door: what arrives is keyed, checked, stored durably together with whatever else has arrived, then confirmed.

One thread owns the journal's write handle (group commit); producers of any thread submit and are told when their
events are on disk. It never hands events to plugins, it only says that there are new ones.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from loguru import logger

from .errors import Malformed, StorageError
from .events import decode
from .status import JournalStatus
from .storage.protocol import Engine, JournalHandle
from .storage.values import Record, checksum

MOST_PER_COMMIT: Final = 512
MALFORMED: Final = "malformed"
PROBE_EVERY: Final = 1.0
"""Seconds between attempts to write while that is not possible, so that it is known when it is again."""

Confirm = Callable[[Sequence[Any], StorageError | None], None]
"""Called in the journal's thread with the tickets of one commit: all durable, or none and why."""


class _Submission(NamedTuple):
    record: Record
    ticket: Any
    confirm: Confirm


def admit(body: bytes, now: int) -> Record:
    """The journal record of one event; what cannot be read is kept too, with the reason, under a key of its bytes."""
    try:
        event = decode(body)
    except Malformed as problem:
        reason = str(problem).split(":", 1)[0]
        key = blake2b(body, digest_size=16, person=b"malformed").digest()  # Never the key of an event that can be read.
        return Record(0, key, MALFORMED, now, checksum(0, key, MALFORMED, now, reason, body), reason, body)
    key = blake2b(event.key.encode(), digest_size=16).digest()
    crc = checksum(event.lane, key, event.type, now, None, body)
    return Record(event.lane, key, event.type, now, crc, None, body)


class Journal:
    """The append side of the journal and its thread."""

    def __init__(self, engine: Engine, *, clock: Callable[[], int], on_fresh: Callable[[], None]) -> None:
        self._engine = engine
        self._clock = clock
        self._on_fresh = on_fresh
        self._queue: queue.SimpleQueue[_Submission | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._opened = threading.Event()
        self._unopened: BaseException | None = None
        self._received = 0
        self._duplicates = 0
        self._problem = ""
        self._head = 0

    def start(self) -> None:
        """Open the journal; raises ``StorageError`` when that fails."""
        self._thread.start()
        self._opened.wait()
        if self._unopened is not None:
            raise self._unopened

    def stop(self) -> None:
        """Store what was submitted before, then end the thread."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def submit(self, body: bytes, ticket: Any, confirm: Confirm) -> None:
        """Hand over one event; ``confirm`` is called once it is durable, or could not be stored."""
        self._queue.put(_Submission(admit(body, self._clock()), ticket, confirm))

    async def append(self, bodies: Sequence[bytes]) -> None:
        """Store ``bodies`` and return when they are durable. Raises ``StorageError``."""
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in bodies]

        def settle(done: Sequence[asyncio.Future[None]], error: StorageError | None) -> None:
            for future in done:
                if not future.done():
                    future.set_result(None) if error is None else future.set_exception(error)

        def confirm(done: Sequence[Any], error: StorageError | None) -> None:
            loop.call_soon_threadsafe(settle, done, error)

        for body, future in zip(bodies, futures, strict=True):
            self.submit(body, future, confirm)
        for outcome in await asyncio.gather(*futures, return_exceptions=True):
            if outcome is not None:
                raise outcome

    @property
    def head(self) -> int:
        """The last position, as of the last commit."""
        return self._head

    def status(self, rejected: dict[str, int]) -> JournalStatus:
        """The counts since the start; ``rejected`` is read by the caller with a handle of its own."""
        return JournalStatus(self._head, self._received, self._duplicates, rejected, self._problem)

    def _run(self) -> None:
        try:
            handle = self._engine.journal()
            self._head = handle.head()
        except BaseException as problem:  # Raised where it was started.
            self._unopened = problem
            return
        finally:
            self._opened.set()
        open_ = True
        while open_:
            batch: list[_Submission] = []
            try:
                item = self._queue.get(timeout=PROBE_EVERY if self._problem else None)
            except queue.Empty:
                self._probe(handle)
                continue
            while item is not None:
                batch.append(item)
                if len(batch) >= MOST_PER_COMMIT:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            open_ = item is not None
            if not batch:
                break
            error: StorageError | None = None
            fresh = 0
            try:
                outcome = handle.append([submission.record for submission in batch])
            except Exception as problem:  # Whatever it is, this thread must live: without it nothing is stored.
                error = problem if isinstance(problem, StorageError) else StorageError(repr(problem))
                self._failed(error)
            else:
                self._works()
                fresh = outcome.fresh
                self._received += outcome.fresh
                self._duplicates += outcome.duplicates
                self._head = outcome.head
            self._confirm(batch, error)
            if fresh:
                self._on_fresh()
        handle.close()

    def _probe(self, handle: JournalHandle) -> None:
        """Events may be a long time coming; whether they could be stored is to be known before."""
        try:
            handle.probe(self._clock())
        except StorageError as error:
            self._failed(error)
        else:
            self._works()

    def _failed(self, error: StorageError) -> None:
        if self._problem != str(error):
            logger.error("Nothing is acknowledged: the journal cannot be written. {}", error)
        self._problem = str(error)

    def _works(self) -> None:
        if self._problem:
            logger.info("The journal can be written again.")
        self._problem = ""

    @staticmethod
    def _confirm(batch: Sequence[_Submission], error: StorageError | None) -> None:
        by_producer: dict[Confirm, list[Any]] = {}
        for submission in batch:
            by_producer.setdefault(submission.confirm, []).append(submission.ticket)
        for confirm, tickets in by_producer.items():
            try:
                confirm(tickets, error)
            except RuntimeError:  # Its event loop has ended: nobody waits for the answer any more.
                logger.debug("A producer left before {} events were confirmed.", len(tickets))

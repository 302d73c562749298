"""The power fails: the real storage works on a recording disk, and every image a cut may leave is opened and judged.

An append is acknowledged when it returns, as the journal's thread does it; a commit is final when it returns. Beside
the storage stands an account of what was promised when, which knows nothing of databases.
"""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from crash_images import Image, SimulatedDisk
from recording_disk import RecordingDisk

from core.events import envelope
from core.journal import admit
from core.storage.protocol import JournalHandle, StoreHandle
from core.storage.sqlite import SqliteEngine
from core.storage.sqlite.journal import SqliteJournal
from core.storage.sqlite.store import SqliteStore
from core.storage.values import Commit, Failure, Publication, Record
from core.table import Number, Table, Text

PLUGIN = "tally"
TABLE = Table(
    "users",
    (Text("user", "用户"), Number("times", "次数"), Text("last", "最后")),
    key=("user",),
    setting="TALLY_TABLE_ID",
    search=("last",),
)
TYPE = "test.said"
USERS = 7
ROUNDS = 25
NEVER_DUE = 10**15

MakeEngine = Callable[[Path, Any], SqliteEngine]
"""Makes the engine under test from a directory and a way to connect."""


class State(NamedTuple):
    """What the store must hold while the cursor is somewhere."""

    rows: dict[str, tuple[int, str]]
    retrying: frozenset[int]
    published: int
    handled: int


class Acknowledged(NamedTuple):
    """From here on these events (key by number) must be in the journal."""

    events: dict[int, bytes]


class Trimming(NamedTuple):
    """From here on the events of these numbers may be gone."""

    numbers: frozenset[int]


class Committed(NamedTuple):
    """From here on the cursor is at least here."""

    cursor: int


@dataclass
class Run:
    """One run: the disk's steps with marks between them, and what each cursor stands for."""

    trace: list[Any]
    states: dict[int, State]


@dataclass
class Verdict:
    """What was found in the images looked at so far."""

    runs: int = 0
    images: int = 0
    distinct: int = 0
    corrupt: int = 0
    lost: int = 0
    apart: int = 0
    seconds: float = 0.0
    first: str = ""
    """The first thing that was wrong, with its seed."""
    first_after: float = 0.0
    """Seconds until then."""

    @property
    def bad(self) -> int:
        return self.corrupt + self.lost + self.apart

    def add(self, other: Verdict) -> None:
        if other.first and not self.first:
            self.first, self.first_after = other.first, self.seconds + other.first_after
        for name in ("runs", "images", "distinct", "corrupt", "lost", "apart", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __str__(self) -> str:
        return (
            f"{self.images} crash images of {self.runs} runs ({self.distinct} different ones): {self.corrupt} corrupt, "
            f"{self.lost} without an acknowledged event or a finished commit, {self.apart} with cursor and state apart"
        )


def work(engine: SqliteEngine, disk: RecordingDisk, chance: random.Random) -> Run:
    """Events arrive and are handled, trimmed and repeated, as in the program."""
    mark, states = disk.trace.append, {0: State({}, frozenset(), 0, 0)}
    journal, store = engine.journal(), engine.store()
    store.prepare(PLUGIN, (TABLE,))
    store.cursor(PLUGIN, 0)
    numbers, cursor, seen = itertools.count(), 0, []
    for round_ in range(ROUNDS):
        for _ in range(chance.randrange(1, 4)):
            records = [_record(next(numbers), chance) for _ in range(chance.choice((1, 1, 2, 5)))]
            again = [chance.choice(seen)] if seen and chance.random() < 0.2 else []
            journal.append([*records, *again])
            seen += records
            mark(Acknowledged({record.received: record.key for record in records}))
        cursor = _handle(journal, store, cursor, states, chance, mark)
        if round_ % 9 == 8:
            needed = store.needed((PLUGIN,))
            old, _ = journal.expired(0, NEVER_DUE, chance.randrange(1, 20))
            gone = [seq for seq in old if seq <= (needed.beyond or 0) and seq not in needed.events]
            mark(Trimming(frozenset(stored.received for stored in map(journal.fetch, gone) if stored)))
            journal.trim(gone)
            journal.release(4)
    journal.close()
    store.close()
    return Run(disk.trace, states)


def _record(number: int, chance: random.Random) -> Record:
    """An event that arrives at ``number``."""
    event = {"user": f"u{chance.randrange(USERS)}", "text": "早" * chance.randrange(1, 400)}
    return admit(envelope(TYPE, f"e{number}", event), number)


def _handle(
    journal: JournalHandle,
    store: StoreHandle,
    cursor: int,
    states: dict[int, State],
    chance: random.Random,
    mark: Callable[[Any], None],
) -> int:
    events, reached = journal.read_after(cursor, (TYPE,), chance.randrange(1, 30))
    if reached == cursor:
        return cursor
    before = states[cursor]
    rows, failures, settled = dict(before.rows), [], sorted(before.retrying)[:1]
    for event in events:
        said = orjson.loads(event.body)["event"]
        if event.seq % 11 == 0:
            failures.append(Failure(event.seq, 1, "not now", NEVER_DUE))
        else:
            rows[said["user"]] = (rows.get(said["user"], (0, ""))[0] + 1, said["text"])
    after = State(
        rows,
        before.retrying - {*settled} | {failure.seq for failure in failures},
        before.published + 1,
        before.handled + len(events),
    )
    states[reached] = after  # Before it is tried: a cut in the middle may leave the new or the old state.
    changed = {(user,): {"user": user, "times": times, "last": last} for user, (times, last) in rows.items()}
    store.commit(
        Commit(
            plugin=PLUGIN,
            expected=cursor,
            cursor=reached,
            now=1,
            handled=len(events),
            rows={TABLE: changed},
            published=[Publication("test.done", f"p{reached}", {"cursor": reached})],
            settled=settled,
            failures=failures,
        )
    )
    mark(Committed(reached))
    return reached


@dataclass
class Promises:
    """What has been promised so far."""

    acknowledged: dict[int, bytes] = field(default_factory=dict)
    trimmed: set[int] = field(default_factory=set)
    cursor: int = 0

    def take(self, mark: Any) -> None:
        match mark:
            case Acknowledged(events):
                self.acknowledged |= events
            case Trimming(numbers):
                self.trimmed |= numbers
            case Committed(cursor):
                self.cursor = cursor


class Found(NamedTuple):
    """What one database of an image holds; ``problem`` when it cannot be used."""

    problem: str
    content: Any = None


class Judge:
    """Opens images with Python's own SQLite and the project's own handles. What it has seen before it remembers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[int, Found] = {}
        self._images: set[tuple[int, int]] = set()

    @property
    def distinct(self) -> int:
        return len(self._images)

    def judge(self, image: Image, promises: Promises, states: dict[int, State]) -> tuple[str, str]:
        """What is wrong, if anything: ("corrupt" | "lost" | "apart" | "", in words)."""
        (journal_digest, journal), (store_digest, store) = (
            self._found(image, name, read) for name, read in (("journal.db", _read_journal), ("store.db", _read_store))
        )
        self._images.add((journal_digest, store_digest))
        for found in (journal, store):
            if found.problem:
                return "corrupt", found.problem
        kept, head = journal.content or ({}, 0)
        lost = [number for number, key in promises.acknowledged.items() if kept.get(number, (0, b""))[1] != key]
        if not promises.trimmed.issuperset(lost):
            return "lost", f"events were acknowledged and are not there: {sorted({*lost} - promises.trimmed)}"
        cursor, state = store.content or (0, states[0])
        if cursor < promises.cursor:
            return "lost", f"the cursor is at {cursor} and was at {promises.cursor}"
        if cursor > head:
            return "apart", f"the cursor is at {cursor}, the journal ends at {head}"
        if states.get(cursor) != state:
            return "apart", f"the state is not that of cursor {cursor}"
        if not state.retrying <= {seq for seq, _ in kept.values()}:
            return "apart", "an event to be tried again is not in the journal"
        return "", ""

    def _found(self, image: Image, name: str, read: Callable[[sqlite3.Connection], Any]) -> tuple[int, Found]:
        parts = {part: image[part] for part in (name, f"{name}-wal", f"{name}-journal") if part in image}
        digest = hash(tuple(parts.items()))
        if digest not in self._known:
            for ending in ("", "-wal", "-shm", "-journal"):
                (self._directory / f"{name}{ending}").unlink(missing_ok=True)
            for part, content in parts.items():
                (self._directory / part).write_bytes(content)
            self._known[digest] = self._opened(self._directory / name, read)
        return digest, self._known[digest]

    def _opened(self, path: Path, read: Callable[[sqlite3.Connection], Any]) -> Found:
        if not path.exists():
            return Found("")
        database = sqlite3.connect(path, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous=OFF")  # Nobody cuts the power of the judge.
            findings = [text for (text,) in database.execute("PRAGMA quick_check")]
            if findings != ["ok"]:
                return Found(f"{path.name}: {findings[0]}")
            empty = not database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            return Found("", None if empty else read(database))
        except Exception as error:  # Whatever it is, this image cannot be used.
            return Found(f"{path.name}: {error!r}")
        finally:
            database.close()


def _read_journal(database: sqlite3.Connection) -> Any:
    """The events by their number, (position, key) each; the head."""
    journal = SqliteJournal(database, threading.Lock())
    present = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
    if not {"event", "mark", "damaged"} <= present:
        return None  # The power failed while the tables were made.
    kept = {}
    for seq, record in journal.records(journal.positions(0, 10**9)):
        if record is None or not record.intact:
            raise AssertionError(f"event {seq} is damaged")
        kept[record.received] = (seq, record.key)
    return kept, journal.head()


def _read_store(database: sqlite3.Connection) -> tuple[int, State] | None:
    present = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
    if not {"consumer", f"{PLUGIN}.{TABLE.name}"} <= present:
        return None
    store = SqliteStore(database, threading.Lock())
    consumers = store.consumers()
    if not consumers:
        return None
    (consumer,) = consumers
    rows = {row["user"]: (row["times"], row["last"]) for row in store.scan(PLUGIN, TABLE)}
    retrying = frozenset(due.seq for due in store.due(PLUGIN, NEVER_DUE, 1000))
    return consumer.cursor, State(rows, retrying, len(store.publications(10**6)), consumer.handled)


def cuts(run: Run, images: int, chance: random.Random) -> Iterator[tuple[Image, Promises]]:
    """So many power cuts during a run, wherever something was not synced, with what was promised by then."""
    disk, places = SimulatedDisk(), []
    for place, step in enumerate(run.trace):
        if not isinstance(step, Acknowledged | Trimming | Committed):
            disk.take(step)
        if disk.uncertain or isinstance(step, Acknowledged | Committed):
            places.append(place)
    often: dict[int, int] = {}
    for place in chance.choices(places, k=images):
        often[place] = often.get(place, 0) + 1
    disk, promises = SimulatedDisk(), Promises()
    for place, step in enumerate(run.trace):
        if isinstance(step, Acknowledged | Trimming | Committed):
            promises.take(step)
        else:
            disk.take(step)
        for _ in range(often.get(place, 0)):
            yield disk.power_cut(chance), promises


def one_seed(make: MakeEngine, seed: int, images: int, *, stop_at_first: bool = False) -> Verdict:
    """One run and its power cuts."""
    started, verdict, chance = time.monotonic(), Verdict(runs=1), random.Random(seed)
    with tempfile.TemporaryDirectory(dir=_quick_place()) as place:
        disk = RecordingDisk(f"recording-{os.getpid()}-{seed}")
        try:
            run = work(make(Path(place) / "data", disk.connect), disk, chance)
        finally:
            disk.unregister()
        judge = Judge(Path(place))
        for image, promises in cuts(run, images, chance):
            verdict.images += 1
            kind, problem = judge.judge(image, promises, run.states)
            if kind:
                setattr(verdict, kind, getattr(verdict, kind) + 1)
                if not verdict.first:
                    verdict.first, verdict.first_after = f"seed {seed}: {problem}", time.monotonic() - started
                if stop_at_first:
                    break
        verdict.distinct = judge.distinct
    verdict.seconds = time.monotonic() - started
    return verdict


def many_seeds(make: MakeEngine, images: int, *, per_seed: int = 600, seed: int = 1, processes: int = 2) -> Verdict:
    """``images`` power cuts over as many runs as that takes, on several processors."""
    seeds = range(seed, seed + -(-images // per_seed))
    total = Verdict()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for verdict in pool.map(one_seed, itertools.repeat(make), seeds, itertools.repeat(per_seed)):
            total.add(verdict)
    return total


def _quick_place() -> str | None:
    """Where files are memory, if the system has such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

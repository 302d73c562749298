"""Flipped bits in stored events: where the bytes of each lie in the file, and what the journal makes of them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from core.events import envelope
from core.journal import admit
from core.storage.sqlite import SqliteEngine
from core.storage.sqlite.engine import connect
from core.storage.sqlite.journal import SqliteJournal
from core.storage.values import Record

PAGE = 4096
LEAF = 0x0D
TYPES = ("test.said", "test.done")
EVENTS = 60
AT_ONCE = 20
"""Events that are hit in one round; the others have to be read as if nothing had happened."""


@dataclass
class Outcome:
    """What became of the flips so far."""

    flips: int = 0
    by_checksum: int = 0
    unreadable: int = 0
    """Rows that the database itself could not read any more."""
    harmless: int = 0
    """Flips in bits that mean nothing: every column reads as before."""
    silent: int = 0
    neighbours_hurt: int = 0
    quarantined: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.flips} flipped bits: {self.by_checksum} noticed by the checksum, {self.unreadable} by the database,"
            f" {self.harmless} in bits that mean nothing, {self.silent} unnoticed; {self.quarantined} events in"
            f" quarantine, {self.neighbours_hurt} neighbours hurt; {self.seconds:.1f} s"
        )


def flip(directory: Path, flips: int, seed: int = 1) -> Outcome:
    """Flip so many bits in the stored bytes of events, some at a time, and look what the journal makes of it."""
    started, outcome, chance = time.monotonic(), Outcome(), random.Random(seed)
    _fill(directory, chance)
    path = directory / "journal.db"
    sound = path.read_bytes()
    places = dict(_payloads(sound))
    assert set(places) == set(range(1, EVENTS + 1)), "not every event was found in the file"
    with closing(SqliteJournal(connect(path), threading.Lock())) as journal:
        before = _read(journal)
        records = dict(journal.records(sorted(places)))
    while outcome.flips < flips:
        hit = chance.sample(sorted(places), min(AT_ONCE, flips - outcome.flips))
        content = bytearray(sound)
        for seq in hit:
            content[chance.choice(places[seq])] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        _judge(path, set(hit), before, records, outcome)
    outcome.seconds = time.monotonic() - started
    return outcome


def _fill(directory: Path, chance: random.Random) -> None:
    with SqliteEngine(directory) as engine, closing(engine.journal()) as journal:
        for number in range(EVENTS):
            size = chance.choice((10, 200, 900, 3000))  # The last go beyond their page.
            event = {"text": "".join(chance.choice("早上好，hello") for _ in range(size))}
            journal.append([admit(envelope(TYPES[number % 2], f"e{number}", event), 1_800_000_000_000 + number)])


def _read(journal: SqliteJournal) -> dict[int, bytes]:
    """What a plugin would be handed."""
    events, _ = journal.read_after(0, TYPES, 10_000)
    return {event.seq: event.body for event in events if event.intact}


def _judge(
    path: Path, hit: set[int], before: dict[int, bytes], records: dict[int, Record | None], outcome: Outcome
) -> None:
    with closing(SqliteJournal(connect(path), threading.Lock())) as journal:
        handed = _read(journal)
        noticed = set(journal.scrub(0, 10_000)[0])
        now = dict(journal.records(sorted(noticed | hit)))
        harmless = {seq for seq in hit - noticed if now[seq] == records[seq]}
        readable = {seq for seq in noticed if now[seq] is not None}
        journal.quarantine(sorted(noticed), 1)
        after, _ = journal.read_after(0, TYPES, 10_000)
        outcome.quarantined += sum(journal.rejected().values())
    outcome.flips += len(hit)
    outcome.harmless += len(harmless)
    hit -= harmless
    expected = {seq: body for seq, body in before.items() if seq not in hit}
    outcome.by_checksum += len(hit & readable)
    outcome.unreadable += len(hit & noticed - readable)
    outcome.silent += len(hit - noticed) + len(hit & handed.keys())
    outcome.neighbours_hurt += len(noticed - hit) + len(expected.items() - handed.items())
    outcome.neighbours_hurt += len(expected.keys() ^ {event.seq for event in after})


def _payloads(content: bytes) -> Iterator[tuple[int, list[int]]]:
    """(position, file offsets of the stored bytes) of every event, read from the leaf pages of the table.

    See https://sqlite.org/fileformat2.html: a cell is the length of its payload, the row's number and the payload, of
    which what has no room stands on a chain of overflow pages.
    """
    for start in range(PAGE, len(content), PAGE):
        if content[start] != LEAF:
            continue
        for number in range(int.from_bytes(content[start + 3 : start + 5])):
            pointer = start + 8 + 2 * number
            at = start + int.from_bytes(content[pointer : pointer + 2])
            length, at = _varint(content, at)
            seq, at = _varint(content, at)
            offsets = list(_offsets(content, at, length))
            if any(bytes(content[o] for o in offsets).count(kind.encode()) for kind in TYPES):
                yield seq, offsets


def _offsets(content: bytes, at: int, length: int) -> Iterator[int]:
    most, least = PAGE - 35, (PAGE - 12) * 32 // 255 - 23
    local = length
    if length > most:
        local = least + (length - least) % (PAGE - 4)
        local = least if local > most else local
    yield from range(at, at + local)
    left, page = length - local, int.from_bytes(content[at + local : at + local + 4]) if length > local else 0
    while left:
        start = (page - 1) * PAGE
        here = min(left, PAGE - 4)
        yield from range(start + 4, start + 4 + here)
        left, page = left - here, int.from_bytes(content[start : start + 4])


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count in range(9):
        byte = content[at + count]
        if count == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + count + 1
    raise AssertionError("unreachable")

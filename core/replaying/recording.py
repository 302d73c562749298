"""A stretch of the journal as a file: a header, then one JSON object a line for each event.

``{"larkflock": "journal", "version": 1, "anonymized": false}``, then ``{"received": ms, "event": {…}}``; what is not
JSON stands as ``"base64"``. A recording is loaded through the same door that events come in by.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from ..disk.replacing import replacing
from ..errors import LarkflockError
from ..events import LATEST
from ..journal import admit
from ..storage.protocol import Engine, JournalHandle

VERSION: Final = 1
AT_ONCE: Final = 500

Disguise = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes of an event one that tells of nobody."""


class Unusable(LarkflockError):
    """A file that is no recording this version can read; the message says where and why."""


class Written(NamedTuple):
    """What became of a stretch of the journal."""

    events: int
    left_out: int
    """Events nobody can read: there is no telling whom they name."""


class Loaded(NamedTuple):
    """What became of a recording."""

    fresh: int
    duplicates: int


def write(path: Path, journal: JournalHandle, after: int, until: int, disguise: Disguise | None = None) -> Written:
    """Write the events beyond ``after`` up to ``until``; the file, 0600, is there only when it is whole."""
    events = left_out = 0
    try:
        with (
            replacing(path) as partial,
            os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream,
        ):
            header = {"larkflock": "journal", "version": VERSION, "anonymized": disguise is not None}
            stream.write(orjson.dumps(header) + b"\n")
            while stretch := journal.stretch(after, until, AT_ONCE):
                after = stretch[-1].seq
                for stored in stretch:
                    line = _line(stored.received, stored.body, disguise)
                    if line is None:
                        left_out += 1
                        continue
                    stream.write(line + b"\n")
                    events += 1
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror or error}") from error
    return Written(events, left_out)


def read(path: Path) -> Iterator[tuple[int, bytes]]:
    """(received, body) of each event of a recording. Raises ``Unusable``."""
    try:
        with path.open("rb") as stream:
            header = _object(stream.readline(), path, 1)
            if header.get("larkflock") != "journal":
                raise Unusable(f"{path}: is no recording of a journal; `core record` makes one")
            if header.get("version") != VERSION:
                raise Unusable(f"{path}: is of version {header.get('version')}, this larkflock reads {VERSION}")
            for number, line in enumerate(stream, 2):
                yield _event(_object(line, path, number), path, number)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror or error}") from error


def load(path: Path, engine: Engine, plugins: Iterable[str]) -> Loaded:
    """Put a recording into the journal; ``plugins`` are to handle all of it, also those that never ran.

    Raises ``Unusable`` before anything is loaded.
    """
    for _ in read(path):  # A file with a fault in the middle is not loaded half.
        pass
    journal, store = engine.journal(), engine.store()
    try:
        head = journal.head()
        for plugin in plugins:
            store.cursor(plugin, head)
        fresh = duplicates = 0
        records = []
        for received, body in read(path):
            records.append(admit(body, received))
            if len(records) == AT_ONCE:
                fresh, duplicates = _append(journal, records, fresh, duplicates)
        fresh, duplicates = _append(journal, records, fresh, duplicates)
    finally:
        store.close()
        journal.close()
    return Loaded(fresh, duplicates)


def _append(journal: JournalHandle, records: list[Any], fresh: int, duplicates: int) -> tuple[int, int]:
    outcome = journal.append(records)
    records.clear()
    return fresh + outcome.fresh, duplicates + outcome.duplicates


def _line(received: int, body: bytes, disguise: Disguise | None) -> bytes | None:
    try:
        event = orjson.loads(body)
        if disguise is None and event is not None:
            return orjson.dumps({"received": received, "event": event})
        if disguise is not None and isinstance(event, dict):
            return orjson.dumps({"received": received, "event": disguise(event)})
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):  # The last two: nested too deep.
        pass
    if disguise is not None:
        return None
    return orjson.dumps({"received": received, "base64": base64.b64encode(body).decode()})


def _object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unusable(f"{path}, line {number}: {error}") from error
    if not isinstance(value, dict):
        raise Unusable(f"{path}, line {number}: is no JSON object")
    return value


def _event(entry: dict[str, Any], path: Path, number: int) -> tuple[int, bytes]:
    received = entry.get("received")
    if not isinstance(received, int) or isinstance(received, bool) or not 0 <= received <= LATEST:
        raise Unusable(f"{path}, line {number}: received is no time in ms")
    if "event" in entry:
        return received, orjson.dumps(entry["event"])
    try:
        return received, base64.b64decode(entry["base64"], validate=True)
    except (KeyError, TypeError, binascii.Error, ValueError) as error:
        raise Unusable(f"{path}, line {number}: has neither event nor base64") from error

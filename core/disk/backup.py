"""Copies of what is stored, made while the program runs, and the way back from one.

A copy is a directory with ``store.db``, ``journal.db`` and ``backup.json``. The store is copied first: whatever it has
handled or published is in the journal that is copied after it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from ..errors import StorageError
from ..history.gaps import HEARD, NOTED_EVERY
from ..storage.sqlite.engine import sync
from ..storage.sqlite.files import copy, findings, insert, last_given, open_journal, open_store, salvage, skip_to
from .integrity import NAMES, hurt_pages, inspect

FORMAT: Final = 1
MANIFEST: Final = "backup.json"
ATTEMPTS: Final = 3
MOST_SINCE: Final = 1_000_000
"""Positions after a backup among which events are looked for, where the journal cannot say how far it went."""
COMPARED: Final = 100
"""Positions at which two journals are compared to see whether they are of the same data."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What ``backup.json`` says about the two files beside it."""

    made: str
    """UTC, ISO 8601."""
    app: str
    head: int
    """The last position in the journal."""
    cursor: int
    """The furthest position any plugin had handled."""
    sums: dict[str, str]
    """SHA-256 by file name."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Restored:
    """What ``restore`` did."""

    taken: tuple[str, ...]
    """Files that were taken from the backup."""
    salvaged: int
    """Events that the backup does not have and that could be read from what was there."""
    aside: Path | None
    """Where the replaced files are now."""


def back_up(data: Path, to: Path, *, now: int) -> Backup:
    """Copy what is stored below ``data`` to the new directory ``to``, and check the copy. Raises ``StorageError``.

    It may run beside the program. ``to`` appears when everything in it is on disk and was found sound.
    """
    if os.path.lexists(to):  # Of a name that is too long it is the writing that tells.
        raise StorageError(f"{to} exists; name a new directory, for example {to}/{_stamp(now)}")
    missing = [name for name in NAMES if not (data / name).exists()]
    if missing:
        raise StorageError(f"{data}: {' and '.join(missing)} is not there; set DATA_DIR to where the program keeps it")
    part = to.with_name(f"{to.name}.{secrets.token_hex(4)}.part")  # Another backup may be under way, or have been.
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        _copy_pair(data, part)
        backup = _described(part, now)
        _write(part / MANIFEST, orjson.dumps(asdict(backup), option=orjson.OPT_INDENT_2))
        sync(part)
        part.rename(to)
        sync(to.parent)
    except OSError as error:
        raise StorageError(f"{to}: {error}; is there room, and may this user write there?") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return backup


def _copy_pair(data: Path, part: Path) -> None:
    for _ in range(ATTEMPTS):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        trimmed = _trimmed(data / "journal.db")
        for name in ("store.db", "journal.db"):
            copy(data / name, part / name, in_use=True)
        if trimmed == _trimmed(part / "journal.db"):  # Else the copied store may need what was just trimmed.
            break
    else:
        raise StorageError(f"{data}: the journal is being trimmed all the time; try again later")
    problems = hurt_pages(part, thorough=True)
    if problems:
        raise StorageError(f"the copy is not sound: {'; '.join(map(str, problems))}")


def _trimmed(path: Path) -> int:
    with closing(open_journal(path)) as journal:
        return journal.trimmed()


def _described(part: Path, now: int) -> Backup:
    with closing(open_store(part / "store.db")) as store, closing(open_journal(part / "journal.db")) as journal:
        app, head = store.note("app") or "", journal.head()
        cursor = max((one.cursor for one in store.consumers()), default=0)
    if cursor > head:
        raise StorageError(f"a plugin has handled event {cursor} but the journal ends at {head}: see `check --data`")
    return Backup(_moment(now).isoformat(), app, head, cursor, {name: _sum(part / name) for name in NAMES})


def read_backup(directory: Path) -> Backup:
    """What ``directory`` holds, compared byte by byte with what was written. Raises ``StorageError``."""
    try:
        told = dict(orjson.loads((directory / MANIFEST).read_bytes()))
        if told.get("format") != FORMAT:  # Before anything else: another format may have other fields and files.
            which = f"(format {told.get('format')})"
            raise StorageError(f"{directory} was written by another version {which}; use that version")
        backup = Backup(**told | {"sums": dict(told["sums"])})
        sums = {name: _sum(directory / name) for name in NAMES}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{directory} is no backup of this program: {error}") from error
    wrong = [name for name in NAMES if backup.sums.get(name) != sums[name]]
    if wrong:
        raise StorageError(f"{directory}: {' and '.join(wrong)} changed since it was written; take another backup")
    return backup


def restore(
    data: Path,
    directory: Path,
    *,
    whole: bool = False,
    now: int,
    tell: Callable[[str], None] = lambda line: None,
) -> Restored:
    """Take from the backup in ``directory`` what is damaged or gone in ``data``; nothing may use ``data`` meanwhile.

    What is sound stays. Of a damaged journal every event is kept that can be read, so what arrived since the backup is
    not lost with it, and a store that is replaced catches up by itself. With ``whole`` both files become what they were
    in the backup, whatever is there. Replaced files are put aside, never deleted. Raises ``StorageError``.
    """
    tell(f"Reading {directory}")
    read_backup(directory)
    tell(f"Looking at {data}")
    replaced = [name for name in NAMES if whole or not _sound(data / name)]
    if not replaced:
        raise StorageError(
            f"nothing in {data} is damaged; with --whole it goes back to the backup all the same, and what was stored"
            " since is put aside"
        )
    stage, salvaged = data / "restoring", 0
    try:
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True, mode=0o700)
        for name in replaced:
            copy(directory / name, stage / name, in_use=False)
        store = stage if "store.db" in replaced else data
        if not whole:
            tell("Bringing together the events of both journals")
            salvaged = _unite(data, directory, stage if "journal.db" in replaced else data, store)
        problems = hurt_pages(stage, thorough=True)
        if problems:
            raise StorageError(f"what was restored is not sound: {'; '.join(map(str, problems))}")
        aside = _exchange(data, stage, replaced, now)
    except OSError as error:
        raise StorageError(f"{data}: {error}; is there room, and may this user write there?") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    problems = inspect(data)
    if problems:
        tell(f"Still to be looked at: {'; '.join(map(str, problems))}")
    return Restored(tuple(replaced), salvaged, aside)


def _sound(path: Path) -> bool:
    return path.exists() and not findings(path, thorough=True)


def _unite(data: Path, directory: Path, target: Path, store: Path) -> int:
    """Bring the events of both journals into the one in ``target``; how many came from a damaged one."""
    present, backup, journal = data / "journal.db", directory / "journal.db", target / "journal.db"
    lowest, furthest, heard = _standing(store)
    known, salvaged = max(furthest, _head(backup)), 0
    if present.exists():
        _same_origin(present, backup)
    if target == data:
        insert(journal, salvage(backup, lowest, known))  # The store will ask again for what was trimmed since.
    elif present.exists():
        most = known + MOST_SINCE
        last = last_given(present)  # A damaged file may claim any number.
        salvaged = insert(journal, salvage(present, _head(backup), most if last is None else min(last, most)))
    if _head(journal) < furthest:
        skip_to(journal, furthest, heard)  # New events must come after what was handled.
    return salvaged


def _standing(store: Path) -> tuple[int, int, int]:
    """Up to where nothing will be asked for, the highest cursor, and until when anything was heard, ms UTC."""
    with closing(open_store(store / "store.db")) as handle:
        cursors, heard = [one.cursor for one in handle.consumers()], handle.note(HEARD)
        owed = handle.needed(()).events  # Tried again, or dead letters.
    lowest, furthest = min([*cursors, *(seq - 1 for seq in owed)], default=0), max(cursors, default=0)
    return lowest, furthest, int(heard) + NOTED_EVERY if heard else 0


def _head(path: Path) -> int:
    with closing(open_journal(path)) as journal:
        return journal.head()


def _same_origin(present: Path, backup: Path) -> None:
    """Positions mean the same in both. Raises ``StorageError``."""
    highest = _head(backup)
    ours = dict(salvage(present, highest - COMPARED, highest))
    theirs = dict(salvage(backup, highest - COMPARED, highest))
    if any(ours[seq].key != theirs[seq].key for seq in ours.keys() & theirs.keys()):
        raise StorageError(
            f"{backup.parent} is a backup of other data than {present.parent}: the same positions hold different events"
        )


def _exchange(data: Path, stage: Path, replaced: list[str], now: int) -> Path | None:
    """Put the staged files in place; where those that were there are now."""
    aside = data / f"replaced-{_stamp(now)}"
    for name in replaced:
        for ending in ("-wal", "-shm", ""):  # A write-ahead log must not meet a database that is not its own.
            path = data / f"{name}{ending}"
            if path.exists():
                aside.mkdir(mode=0o700, exist_ok=True)
                os.replace(path, aside / path.name)
        os.replace(stage / name, data / name)
    sync(data)
    return aside if aside.exists() else None


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _moment(now: int) -> datetime:
    return datetime.fromtimestamp(now / 1000, UTC)


def _stamp(now: int) -> str:
    return _moment(now).strftime("%Y%m%d-%H%M%S")

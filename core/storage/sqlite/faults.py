"""What SQLite's errors mean to an operator: what happened, and what to do about it."""

from __future__ import annotations

import sqlite3
from typing import Final

from ...errors import Damaged, StorageError

RESTORE: Final = (
    "stop the program, see what is hurt with `python -m core check --data`, and put it right with"
    " `python -m core restore DIR` from the last backup"
)

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "free space on the disk of DATA_DIR; it goes on by itself then",
    sqlite3.SQLITE_READONLY: "make the disk and the files of DATA_DIR writable; it goes on by itself then",
    sqlite3.SQLITE_IOERR: "the disk of DATA_DIR does not read or write: see the log of the machine; it is tried again",
    sqlite3.SQLITE_BUSY: "another process holds the database; end it; it is tried again",
    sqlite3.SQLITE_CANTOPEN: "is DATA_DIR there, readable, and its disk not full?",
    sqlite3.SQLITE_CORRUPT: RESTORE,
    sqlite3.SQLITE_NOTADB: RESTORE,
}
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def storage_error(error: sqlite3.Error, place: str = "") -> StorageError:
    """The error to raise for ``error``; ``Damaged`` when the file itself is hurt."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # The rest of an extended code says more than is needed.
    if str(error).startswith("Could not decode"):  # Text that is not UTF-8 was never written.
        code = sqlite3.SQLITE_CORRUPT
    advice = f": {_ADVICE[code]}" if code in _ADVICE else ""
    kind = Damaged if code in _DAMAGE else StorageError
    return kind(f"{place or 'SQLite'}: {error}{advice}")

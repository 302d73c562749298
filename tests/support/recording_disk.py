"""A disk that writes down, in order, everything SQLite asks of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

import apsw
from apsw_connection import ApswConnection

KEPT = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class Write(NamedTuple):
    """Bytes that were handed to the operating system; on disk only after a sync."""

    file: str
    offset: int
    data: bytes


class Truncate(NamedTuple):
    file: str
    size: int


class Sync(NamedTuple):
    file: str


class Delete(NamedTuple):
    """Gone at once and for good: SQLite syncs the directory."""

    file: str


Step = Write | Truncate | Sync | Delete


class RecordingDisk(apsw.VFS):
    """The operating system's files, and the ``trace`` of what was done to them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.trace: list[Any] = []
        """The steps; whoever drives the run may put marks of its own between them."""
        super().__init__(name, "")

    def connect(self, path: Path) -> Any:
        """A connection for ``SqliteEngine``."""
        return ApswConnection(path, self.name)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if flags[0] & KEPT:
            return _RecordedFile(cast("str | apsw.URIFilename", name), flags, self.trace)
        return apsw.VFSFile("", cast("Any", name), flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        self.trace.append(Delete(Path(name).name))
        super().xDelete(name, syncdir)


class _RecordedFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename, flags: list[int], trace: list[Any]) -> None:
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name
        self._trace = trace
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._trace.append(Write(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._trace.append(Truncate(self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._trace.append(Sync(self._name))  # The file of the run itself may stay where it is.

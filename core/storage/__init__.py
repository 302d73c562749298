"""The durable side: one protocol, and one implementation of it per database engine."""

from __future__ import annotations

from pathlib import Path

from .protocol import Engine


def open_engine(directory: Path) -> Engine:
    """The storage below ``directory``, made where it is missing. Raises ``StorageError``."""
    from .sqlite import SqliteEngine

    return SqliteEngine(directory)

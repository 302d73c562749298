"""One program a data directory: a lock that lets go when its process dies, however it dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from ..errors import InstanceLocked, StorageError

LOCK: Final = "larkflock.lock"
PATIENCE: Final = 0.5
"""Seconds in which somebody who only looks lets go again."""


def in_use(directory: Path) -> bool:
    """Whether a program works on ``directory`` now."""
    if not (directory / LOCK).exists():
        return False
    try:
        with FileLock(directory / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


@contextmanager
def sole_instance(directory: Path) -> Iterator[None]:
    """Keep every other process out of ``directory``. Raises ``InstanceLocked``."""
    lock = FileLock(directory / LOCK, timeout=PATIENCE)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire()
    except Timeout as error:
        raise InstanceLocked(
            f"another larkflock uses {directory.resolve()}; stop it first, or set DATA_DIR to another directory"
        ) from error
    except OSError as error:
        raise StorageError(f"{directory}: {error}; set DATA_DIR to a directory that can be written") from error
    try:
        yield
    finally:
        lock.release()

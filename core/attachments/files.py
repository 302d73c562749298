"""Attachments on this disk, below ``DATA_DIR/attachments``: those on their way, and the copies that are kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final

from ..errors import StorageError
from ..storage.sqlite.engine import sync
from .filename import safe_name

FOLDER: Final = "attachments"


class AttachmentFiles:
    """The files; every method may block, and raises ``StorageError``."""

    def __init__(self, data_dir: Path) -> None:
        self._data = data_dir
        self._partial = data_dir / FOLDER / ".partial"

    def partial(self, file_key: str) -> Path:
        """Where a resource is put while it is on its way."""
        return self._partial / _mark(file_key)

    def tidy(self, wanted: Iterable[str]) -> None:
        """Make the folders; remove what is on its way except the resources ``wanted``."""
        keep = {_mark(file_key) for file_key in wanted}
        with _refusals():
            self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in self._partial.iterdir():
                if path.name not in keep:
                    path.unlink()

    def complete(self, file_key: str, size: int) -> bool:
        """Whether all ``size`` bytes of what is on its way are here."""
        with _refusals():
            path = self.partial(file_key)
            return path.is_file() and path.stat().st_size == size

    def discard(self, file_key: str) -> None:
        """Remove what is on its way, if it is there."""
        with _refusals():
            self.partial(file_key).unlink(missing_ok=True)

    def keep(self, file_key: str, name: str, folder: str) -> str:
        """Give what is on its way its place for good: the path below the data directory, unlike any other's."""
        path = Path(FOLDER, folder, safe_name(name, mark=_mark(file_key)[:16]))
        with _refusals():
            (self._data / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.replace(self.partial(file_key), self._data / path)
            for changed in (self._data / path).parents[:2]:
                sync(changed)  # Once it is told where the copy is, it is there, also after a power cut.
        return path.as_posix()

    def has(self, path: str) -> bool:
        """Whether the copy at ``path`` is still there."""
        with _refusals():
            return bool(path) and (self._data / path).is_file()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"attachments cannot be stored: {error}") from error


def _mark(file_key: str) -> str:
    return blake2b(file_key.encode(), digest_size=16).hexdigest()

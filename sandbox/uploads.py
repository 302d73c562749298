"""Images and files the app uploaded for its messages, kept on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from .ids import Ids


@dataclass(slots=True)
class Upload:
    """One uploaded image or file."""

    key: str
    path: Path
    size: int
    head: bytes
    """The first bytes, which tell the format."""
    name: str = ""


class Uploads:
    """The app's own images and files, by key. A file counts as the app's once it has a name."""

    def __init__(self, directory: Path, ids: Ids) -> None:
        self._directory = directory
        self._ids = ids
        self._uploads: dict[str, Upload] = {}

    def get(self, key: str) -> Upload | None:
        """The upload with this key."""
        upload = self._uploads.get(key)
        return upload if upload is not None and upload.name else None

    def owns(self, key: str) -> bool:
        """True when the app uploaded it."""
        return self.get(key) is not None

    async def keep(self, chunks: AsyncIterator[bytes], *, image: bool, most: int) -> Upload | None:
        """Stores what ``chunks`` bring; None, and nothing stored, when that is more than ``most`` bytes."""
        key = self._ids.image() if image else self._ids.file()
        path = self._directory / key
        size, head = 0, b""
        try:
            with path.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    head = head or chunk[:16]
                    if size <= most:
                        file.write(chunk)
        except BaseException:  # Whoever sends it is gone: a part of it is no use to anybody.
            path.unlink(missing_ok=True)
            raise
        if size > most:
            path.unlink()
            return None
        upload = self._uploads[key] = Upload(key, path, size, head)
        return upload

    def forget(self, key: str) -> None:
        """Removes a stored upload."""
        self._uploads.pop(key).path.unlink(missing_ok=True)

    def name(self, key: str, name: str) -> None:
        """Gives a stored upload its name."""
        self._uploads[key].name = name

"""Bytes on their way between the platform and a file, chunk by chunk: never a whole file in memory."""

from __future__ import annotations

import asyncio
import os
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from ..errors import StorageError, TooLarge

CHUNK: Final = 256 * 1024
SLOWEST: Final = 50_000
"""Bytes a second that a transfer may be slow; below that it is given up."""
ANY_TYPE: Final = "application/octet-stream"

T = TypeVar("T")

_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Download:
    """What was saved."""

    size: int
    checksum: int
    """Adler-32."""
    media_type: str
    name: str
    """As the sender's side named it, or empty; not fit to be a path."""


class FilePart(NamedTuple):
    """A part of a file to send; it is opened anew for every attempt."""

    path: Path
    start: int
    length: int


class FilePayload(aiohttp.Payload):
    """A part of a file as the body of a multipart field, with its length known beforehand."""

    def __init__(self, part: FilePart) -> None:
        super().__init__(part, content_type=ANY_TYPE)
        self._part = part
        self._size = part.length

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("a part of a file is bytes")

    async def write(self, writer: AbstractStreamWriter) -> None:
        path, start, length = self._part
        for done in range(0, length, CHUNK):
            await writer.write(await asyncio.to_thread(_piece, path, start + done, min(CHUNK, length - done)))


def allowed_time(size: int) -> aiohttp.ClientTimeout:
    """The patience for ``size`` bytes at most."""
    return aiohttp.ClientTimeout(total=60 + size / SLOWEST, connect=10, sock_read=30)


def is_file(response: aiohttp.ClientResponse) -> bool:
    """Whether the body is what was asked for, not a refusal in JSON (FEISHU.md §4.3)."""
    return response.status == 200 and (
        response.content_disposition is not None or response.content_type != "application/json"
    )


async def whole(response: aiohttp.ClientResponse, most: int, *, of: str) -> bytes:
    """The body of the answer ``of`` something. Raises ``TooLarge`` when it has more than ``most`` bytes."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most:
            raise TooLarge(f"{of}: an answer of more than {most} bytes")
    return bytes(body)


async def save(response: aiohttp.ClientResponse, to: Path, most: int) -> Download:
    """Write the body to ``to``; on any failure nothing stays there. Raises ``TooLarge`` and ``StorageError``."""
    if (response.content_length or 0) > most:
        raise TooLarge(f"{response.content_length} bytes are more than {most}")
    size, checksum = 0, zlib.adler32(b"")
    try:
        await _to_disk(_created, to)
        async for chunk in response.content.iter_chunked(CHUNK):
            size += len(chunk)
            if size > most:
                raise TooLarge(f"more than {most} bytes")
            checksum = await _to_disk(_written, to, chunk, checksum)
        await _to_disk(_synced, to)
    except BaseException:
        with suppress(OSError):
            os.unlink(to)  # On a full disk it would be in the way of everything else.
        raise
    disposition = response.content_disposition
    media_type = response.content_type.lower()
    return Download(
        size,
        checksum,
        media_type if _MEDIA_TYPE.fullmatch(media_type) else ANY_TYPE,
        (disposition.filename or "") if disposition else "",
    )


async def _to_disk(work: Callable[..., T], *given: object) -> T:
    """``work`` in a thread; what the disk refuses is no failure of the network."""
    try:
        return await asyncio.to_thread(work, *given)
    except OSError as error:
        raise StorageError(f"a download cannot be stored: {error}") from error


# Each of these opens the file anew: a thread that outlives its cancelled task must not hold one that is closed.


def _created(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))


def _written(path: Path, chunk: bytes, checksum: int) -> int:
    with FileIO(os.open(path, os.O_WRONLY | os.O_APPEND), "w") as file:
        left = memoryview(chunk)
        while left:
            left = left[file.write(left) or 0 :]
    return zlib.adler32(chunk, checksum)


def _synced(path: Path) -> None:
    with FileIO(path, "r+") as file:
        os.fsync(file.fileno())


def _piece(path: Path, start: int, length: int) -> bytes:
    with FileIO(path) as file:
        file.seek(start)
        piece = file.read(length)
    if len(piece) < length:
        raise OSError(f"{path.name} has become shorter")
    return piece

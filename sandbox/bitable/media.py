"""Files uploaded for attachments: whole or in blocks, kept on disk, bound to one base (FEISHU.md §6)."""

from __future__ import annotations

import mimetypes
import random
import string
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ..reply import ApiError

BLOCK_SIZE = 4_194_304
WHOLE_SIZE = 20_971_520
NAME_LENGTH = 250
UPLOAD_SECONDS = LINK_SECONDS = 24 * 3600
PARENT_TYPES = frozenset(
    {
        "bitable_image",
        "bitable_file",
        "doc_image",
        "doc_file",
        "docx_image",
        "docx_file",
        "sheet_image",
        "sheet_file",
        "vc_virtual_background",
        "moments",
        "ccm_import_open",
        "calendar",
    }
)
_ALPHABET = string.ascii_letters + string.digits
_NAMES = {
    1061002: ("params error.", 400),
    1061003: ("not found.", 404),
    1061004: ("forbidden.", 403),
    1061008: ("file name invalid.", 400),
    1061021: ("upload id expire.", 400),
    1061043: ("file size beyond limit.", 400),
    1061044: ("parent node not exist.", 400),
    1061045: ("can retry.", 400),
    1062008: ("checksum param Invalid.", 400),
    1062009: ("the actual size is inconsistent with the parameter declaration size.", 400),
    1062010: ("block missing, please upload all blocks.", 400),
    1062011: ("block num out of bounds.", 400),
}


def refuse(code: int, culprit: str = "") -> ApiError:
    """The refusal ``code`` of the media API; ``culprit`` names the parameter in ``error.message``."""
    msg, status = _NAMES[code]
    return ApiError(code, msg, status=status, error={"message": culprit} if culprit else None)


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file. ``base`` is the app_token (or other parent node) it may be used in."""

    token: str
    name: str
    size: int
    media_type: str
    parent_type: str
    base: str
    path: Path


@dataclass(slots=True)
class Upload:
    """An upload in blocks that is not finished."""

    upload_id: str
    name: str
    parent_type: str
    parent_node: str
    size: int
    expires: float
    blocks: dict[int, Path] = field(default_factory=dict)

    @property
    def block_num(self) -> int:
        """How many blocks it takes."""
        return -(-self.size // BLOCK_SIZE)

    def block_length(self, seq: int) -> int:
        """How long the block ``seq`` has to be: all are full but the last."""
        return BLOCK_SIZE if seq < self.block_num - 1 else self.size - BLOCK_SIZE * (self.block_num - 1)


class Spool:
    """Bytes on their way to disk; deleted at the end unless they were kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.checksum = zlib.adler32(b"")
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Appends ``data``."""
        self._file.write(data)
        self.size += len(data)
        self.checksum = zlib.adler32(data, self.checksum)

    def close(self) -> Path:
        """Completes the file on disk."""
        self._file.close()
        return self.path


class Media:
    """Every uploaded file, in ``directory`` or else as long as this lives. ``clock`` gives seconds since 1970."""

    def __init__(self, *, seed: int = 0, clock: Callable[[], float] = time.time, directory: Path | None = None) -> None:
        self._clock = clock
        self._random = random.Random(f"media {seed}")  # noqa: S311 - ids, not secrets
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="larkflock-media-")
        self._directory = directory or Path(self._temporary.name if self._temporary else "")
        self._files: dict[str, File] = {}
        self._uploads: dict[str, Upload] = {}
        self._links: dict[str, tuple[str, float]] = {}
        self._spooled = 0

    def close(self) -> None:
        """Deletes the files of a temporary directory."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def spool(self) -> Spool:
        """A place to put bytes that arrive."""
        self._spooled += 1
        return Spool(self._directory / f"{self._spooled}.part")

    def find(self, token: str, base: str = "") -> File | None:
        """The file, if there is one and it belongs to ``base`` (when that is asked)."""
        file = self._files.get(token)
        return file if file is not None and base in ("", file.base) else None

    def keep(self, spool: Spool, name: str, parent_type: str, parent_node: str) -> File:
        """Makes the bytes of ``spool`` a file."""
        size = spool.size
        token = "boxcn" + "".join(self._random.choices(_ALPHABET, k=22))
        path = spool.close().rename(self._directory / token)
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = self._files[token] = File(token, name, size, media_type, parent_type, parent_node, path)
        return file

    def prepare(self, name: str, parent_type: str, parent_node: str, size: int) -> Upload:
        """Opens an upload in blocks, for 24 h."""
        for expired in [one for one in self._uploads.values() if one.expires <= self._clock()]:
            self._drop(expired)
        upload_id = str(self._random.randrange(7 * 10**18, 8 * 10**18))
        upload = Upload(upload_id, name, parent_type, parent_node, size, self._clock() + UPLOAD_SECONDS)
        self._uploads[upload_id] = upload
        return upload

    def upload(self, upload_id: str) -> Upload:
        """The upload in progress. Raises 1061021 when it is unknown, finished or older than 24 h."""
        upload = self._uploads.get(upload_id)
        if upload is None or upload.expires <= self._clock():
            raise refuse(1061021, "upload_id")
        return upload

    def put(self, upload: Upload, seq: int, spool: Spool) -> None:
        """Keeps one block; a block sent again replaces the first. Raises 1061002 and 1062009."""
        if not 0 <= seq < upload.block_num:
            raise refuse(1061002, "seq")
        if spool.size != upload.block_length(seq):
            raise refuse(1062009, "size")
        upload.blocks[seq] = spool.close().replace(self._directory / f"{upload.upload_id}.{seq}")

    def finish(self, upload: Upload, block_num: int) -> File:
        """Joins the blocks to a file. Raises 1062011 (wrong number) and 1062010 (a block is missing)."""
        if block_num != upload.block_num:
            raise refuse(1062011, "block_num")
        if len(upload.blocks) < upload.block_num:
            raise refuse(1062010)
        with self.spool() as whole:
            for seq in range(upload.block_num):
                whole.write(upload.blocks[seq].read_bytes())
            file = self.keep(whole, upload.name, upload.parent_type, upload.parent_node)
        self._drop(upload)
        return file

    def link(self, token: str) -> str:
        """A code that opens the file for 24 h without a token."""
        now = self._clock()
        while self._links and (oldest := next(iter(self._links.items())))[1][1] <= now:
            del self._links[oldest[0]]
        code = "".join(self._random.choices(_ALPHABET, k=32))
        self._links[code] = (token, now + LINK_SECONDS)
        return code

    def follow(self, code: str) -> File:
        """The file behind a code. Raises 1061004 when the code is unknown or older than 24 h."""
        token, expires = self._links.get(code, ("", 0.0))
        if expires <= self._clock() or (file := self._files.get(token)) is None:
            self._links.pop(code, None)
            raise refuse(1061004, "code")
        return file

    def _drop(self, upload: Upload) -> None:
        del self._uploads[upload.upload_id]
        for block in upload.blocks.values():
            block.unlink(missing_ok=True)

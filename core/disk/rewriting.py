"""Replacing a file that an operator edits: at once and whole, with the mode and the owner it has."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def rewrite(path: Path, text: str) -> None:
    """Put ``text`` in the place of the file, on disk when it returns; a new file is for this user only.

    Raises ``OSError``; then the file is as it was.
    """
    target = Path(os.path.realpath(path))
    before = target.stat() if target.exists() else None
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(number, "w", encoding="utf-8", newline="") as file:
            if before is not None:
                os.fchmod(number, before.st_mode & 0o7777)
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(number, before.st_uid, before.st_gid)
            file.write(text)
            file.flush()
            os.fsync(number)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

"""Names of files that others chose, made fit for every file system and for showing; it never touches the disk."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 150
"""Bytes of UTF-8 at most."""
LONGEST_EXTENSION: Final = 20

_SEPARATING: Final = re.compile(r'[<>:"/\\|?*%]')
_DEVICES: Final = r"con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]"
_RESERVED: Final = re.compile(rf"(?:{_DEVICES}) *(?:\.|$)", re.IGNORECASE)


def safe_name(name: str, *, mark: str = "") -> str:
    """``name`` without separators, control and invisible characters, NFC, not reserved, at most 150 bytes.

    Its extension is kept. ``mark`` (letters and digits) goes before the extension, to make it unlike other names.
    """
    cleaned = "".join(_shown(one) for one in unicodedata.normalize("NFC", name))
    cleaned = _SEPARATING.sub("_", cleaned).strip(" .")
    stem, dot, extension = cleaned.rpartition(".")
    if not stem or not extension.isalnum() or len(extension.encode()) > LONGEST_EXTENSION:
        stem, dot, extension = cleaned, "", ""
    end = f"{f'-{mark}' if mark else ''}{dot}{extension}"
    stem = _cut(stem, LONGEST - len(end.encode()) - 1).rstrip(" .") or "file"
    if _RESERVED.match(stem):
        stem = f"_{stem}"
    return stem + end


def extension_of(name: str) -> str:
    """What stands after the last full stop, in lower case; empty where there is nothing of the kind."""
    stem, _, extension = name.strip().rpartition(".")
    return extension.lower() if stem and extension.isalnum() else ""


def _shown(character: str) -> str:
    """The character, or what stands for it: categories C* do not show or turn the text around, Z* are spaces."""
    category = unicodedata.category(character)
    return "_" if category[0] == "C" else " " if category[0] == "Z" else character


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")

"""How much a person wrote: the visible text of a message (FEISHU.md §2.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

EVERYBODY: Final = "@_all"
WRITTEN: Final = ("text", "a", "code_block")
"""The elements of a post whose ``text`` somebody typed."""


def visible_length(message_type: str, content: Mapping[str, Any], placeholders: Iterable[str] = ()) -> int:
    """The Unicode code points of the visible text, its ends trimmed; 0 for types other than ``text`` and ``post``.

    ``placeholders`` are the keys of the mentions; they and ``@_all`` are not text. The pieces of a post are taken
    together without separators: its line breaks are layout.
    """
    if message_type == "text":
        pieces: Iterable[Any] = (content.get("text"),)
    elif message_type == "post":
        pieces = _pieces(content)
    else:
        return 0
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    if "@_" in text:
        longest_first = sorted({EVERYBODY, *filter(None, placeholders)}, key=len, reverse=True)
        text = re.sub("|".join(map(re.escape, longest_first)), "", text)
    return len(text.strip())


def _pieces(post: Mapping[str, Any]) -> Iterator[Any]:
    yield post.get("title")
    for line in _list(post.get("content")):
        for element in _list(line):
            if isinstance(element, dict) and element.get("tag") in WRITTEN:
                yield element.get("text")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

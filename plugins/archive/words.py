"""The words of a text, to compare what messages are about: no dictionary, any language."""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import Final

MOST: Final = 64
"""Different words of one message, the first ones written."""
LONGEST: Final = 32
"""Code points of one word."""

_UNSPACED: Final = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
"""Ideographs and kana, which are written without spaces between words."""
_PIECE: Final = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}](?:(?:[^\W{_UNSPACED}]|[.+'’-])*[^\W_{_UNSPACED}])?")
_IS_UNSPACED: Final = re.compile(f"[{_UNSPACED}]")
_LINK: Final = re.compile(r"https?://\S+")
_QUESTION: Final = re.compile(r"[?？]|[吗呢么](?=[\s。.！!，,～~…]|$)")


def words_of(text: str) -> frozenset[str]:
    """Lower-cased words of two characters or more; of text written without spaces, every two neighbours."""
    found: dict[str, None] = {}
    for match in _PIECE.finditer(unicodedata.normalize("NFKC", text).lower()):
        piece = match[0]
        if _IS_UNSPACED.match(piece):
            found.update(dict.fromkeys(map("".join, itertools.pairwise(piece))))
        elif len(piece) > 1:
            found[piece[:LONGEST]] = None
        if len(found) >= MOST:
            break
    return frozenset(list(found)[:MOST])


def asks(text: str) -> bool:
    """Whether the text puts a question: a question mark, not one in a link, or a particle that ends a sentence."""
    return bool(_QUESTION.search(_LINK.sub("", text)))

"""JSON and numbers that came from outside, as far as they can be passed on again; it never decides what they mean."""

from __future__ import annotations

from typing import Any, Final

import orjson

ROOM: Final = 32
"""Levels that what is passed on may be wrapped in."""
WRITABLE: Final = 200
"""Levels that can be written with room to spare: orjson reads 1024 and writes 254."""
DIGITS: Final = 18


def parse(raw: bytes | str) -> Any:
    """The value of a JSON text. Raises ``orjson.JSONDecodeError``, also for one nested too deep to be told on."""
    value = orjson.loads(raw)
    opened = raw.count("[") + raw.count("{") if isinstance(raw, str) else raw.count(b"[") + raw.count(b"{")
    if opened > WRITABLE:
        wrapped = value
        for _ in range(ROOM):
            wrapped = [wrapped]
        try:
            orjson.dumps(wrapped)
        except TypeError:
            raise orjson.JSONDecodeError("nested too deep", "", 0) from None
    return value


def whole(text: str) -> int | None:
    """The number that up to 18 ASCII digits spell; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else None

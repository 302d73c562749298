"""What the program logs while a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loguru import logger


@contextmanager
def logged() -> Iterator[list[str]]:
    """Every line of every level, exceptions included."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), level=0, format="{level} {message}\n{exception}")
    try:
        yield lines
    finally:
        logger.remove(sink)

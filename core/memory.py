"""What becomes of memory that C code has freed: glibc is told to keep little; other C libraries are left alone."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

M_ARENA_MAX: Final = -8
"""The parameter's number in glibc's malloc.h."""


def share() -> None:
    """Let all threads take memory from one heap: one of its own for each keeps the most that thread ever needed.

    For threads that are started from now on.
    """
    with suppress(OSError, TypeError, AttributeError):  # As where there is no such function, or no way to ask for it.
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def give_back() -> None:
    """Let the operating system have what is unused, in a few milliseconds."""
    with suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

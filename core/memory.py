"""What becomes of memory that C code has freed: glibc is told to keep little; other C libraries are left alone."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""The parameters' numbers in glibc's malloc.h."""
LARGE: Final = 128 << 10
"""Bytes from which memory is taken from the operating system by itself, and given back when it is freed."""


def share() -> None:
    """Let all threads that start from now on take memory from one heap: one each keeps the most it ever needed.

    What is large stands beside the heap, for good: glibc would come to put ever larger pieces into it, where what is
    small and stays keeps them from being given back.
    """
    with suppress(OSError, TypeError, AttributeError):  # As where there is no such function, or no way to ask for it.
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, 1)
        library.mallopt(M_MMAP_THRESHOLD, LARGE)
        library.mallopt(M_TRIM_THRESHOLD, 2 * LARGE)


def give_back() -> None:
    """Let the operating system have what is unused, in a few milliseconds."""
    with suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

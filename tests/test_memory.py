"""Memory that was freed does not stay with the program."""

from __future__ import annotations

import platform
import threading
from pathlib import Path

import pytest

from core.memory import give_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give memory back by themselves")
def test_memory_that_a_thread_has_freed_is_given_back_though_something_is_left_in_between() -> None:
    def fill(pieces: list[bytes]) -> None:
        pieces.extend(bytes(8000) for _ in range(5000))

    pieces: list[bytes] = []
    thread = threading.Thread(target=fill, args=(pieces,))
    thread.start()
    thread.join()
    del pieces[:-1]
    before = anonymous_memory()
    give_back()
    assert anonymous_memory() <= before - 30_000_000
    assert pieces


def anonymous_memory() -> int:
    """Bytes this process has for itself."""
    told = Path("/proc/self/status").read_text()
    return int(told.split("RssAnon:")[1].split()[0]) * 1024

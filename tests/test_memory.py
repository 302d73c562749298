"""Memory that was freed does not stay with the program."""

from __future__ import annotations

import platform
import subprocess
import sys
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


LARGE_AFTER_LARGER = """\
import ctypes
from pathlib import Path
from core.memory import share

share()
library = ctypes.CDLL(None)
library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
library.free(library.malloc(ctypes.c_size_t(16 << 20)))
place = library.malloc(ctypes.c_size_t(1 << 20))
(heap,) = [line.split()[0] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("[heap]")]
start, end = (int(one, 16) for one in heap.split("-"))
print("in the heap" if start <= place < end else "beside it")
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give memory back by themselves")
def test_what_is_large_stands_beside_the_heap_also_after_something_larger_was_freed() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE_AFTER_LARGER], capture_output=True, text=True, check=True)
    assert done.stdout == "beside it\n"

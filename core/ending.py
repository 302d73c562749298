"""How the process ends: tidily when it is told to, and at all when a plugin left a thread that never does."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

PATIENCE: Final = 2.0
"""Seconds for threads of plugins to come to their end."""
TERMINATED: Final = 128 + signal.SIGTERM


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """SIGTERM takes away what is half done, as Ctrl+C does; nobody waits for ever for what a plugin left running."""
    signal.signal(signal.SIGTERM, _told_to_end)
    try:
        yield
    except SystemExit as end:
        if end.code == TERMINATED:  # Whoever sent it sees that it was obeyed.
            _flush()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        _leave_behind(end.code)
        raise


def _told_to_end(*_: Any) -> None:
    sys.exit(TERMINATED)


def _leave_behind(code: Any) -> None:
    """End now where Python would wait without end for threads: those in a call that never returns."""
    deadline = time.monotonic() + PATIENCE
    pools = sys.modules.get("concurrent.futures.thread")
    pooled = getattr(pools, "_threads_queues", ())  # Python waits for these also where they are daemons.
    others = [one for one in threading.enumerate() if one in pooled or not one.daemon]
    others.remove(threading.main_thread())
    for one in others:
        one.join(max(0.0, deadline - time.monotonic()))
    if left := [one.name for one in others if one.is_alive()]:
        print(f"Left behind, as they do not end: threads {', '.join(left)}", file=sys.stderr)
        _flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # Closed, gone, or none.
            stream.flush()

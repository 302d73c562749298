"""What the program does when the operating system sends it a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .app import Application


def obey_signals(application: Application) -> None:
    """SIGINT and SIGTERM end the program gracefully; a second one at once.

    SIGHUP has ``plugins.toml`` read again; on a terminal it says that the terminal is gone, and ends the program too.
    """
    loop = asyncio.get_running_loop()

    def second() -> None:
        raise KeyboardInterrupt

    def first() -> None:
        application.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # As below.
                loop.add_signal_handler(number, second)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Event loops on Windows have no signal handlers.
            loop.add_signal_handler(number, first)
    with contextlib.suppress(NotImplementedError, AttributeError):  # There is no SIGHUP on Windows.
        loop.add_signal_handler(signal.SIGHUP, first if _on_terminal() else application.read_plugins_file)


def _on_terminal() -> bool:
    """Whether the program hears a terminal; its input may be closed, or none at all."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()

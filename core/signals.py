"""What the program does when the operating system sends it a signal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .app import Application

STANDARD: Final = (0, 1, 2)
"""The descriptors of input, output and errors."""


def obey_signals(application: Application) -> None:
    """SIGINT and SIGTERM end the program gracefully; a second one at once.

    SIGHUP has ``plugins.toml`` read again; on a terminal it says that the terminal is gone, and ends the program too.
    """
    loop = asyncio.get_running_loop()
    terminals = [descriptor for descriptor in STANDARD if os.isatty(descriptor)]

    def second() -> None:
        raise KeyboardInterrupt

    def first() -> None:
        application.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # As below.
                loop.add_signal_handler(number, second)

    def gone() -> None:
        _let_go(terminals)
        first()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Event loops on Windows have no signal handlers.
            loop.add_signal_handler(number, first)
    with contextlib.suppress(NotImplementedError, AttributeError):  # There is no SIGHUP on Windows.
        loop.add_signal_handler(signal.SIGHUP, gone if 0 in terminals else application.read_plugins_file)


def _let_go(terminals: Sequence[int]) -> None:
    """Have what is still printed go nowhere: writing to a terminal that is gone is an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in terminals:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)

"""Standard output belongs to the program: what a plugin prints becomes log lines. It never judges what is printed."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final, TextIO, cast

MOST: Final = 2000
"""Characters of a line that are logged."""

_NUMBER: Final = re.compile(r"\d+")
"""A plugin may start a thread for every event: they are one to whoever reads the log."""
_speaker: ContextVar[str] = ContextVar("speaker", default="")
_told: set[str] = set()
"""The plugins about which it was said once that they print."""


def speak_as(plugin: str) -> None:
    """What this thread, its tasks and the threads they wait for print from now on is the plugin's."""
    _speaker.set(plugin)


class Stdout:
    """Stands for ``sys.stdout``: the main thread prints as ever, unless it speaks as a plugin; others never do.

    What is written to ``sys.stdout.buffer``, to file descriptor 1 or by a child process passes it by.
    """

    def __init__(self, real: TextIO) -> None:
        self._real = real
        self._begun: dict[str, str] = {}

    def write(self, text: str) -> int:
        """Print, or log the lines that are whole."""
        plugin = _speaker.get()
        if not plugin and threading.current_thread() is threading.main_thread():
            return self._real.write(text)
        speaker = plugin or _NUMBER.sub("", threading.current_thread().name)
        *lines, rest = (self._begun.pop(speaker, "") + text).split("\n")
        if rest:
            self._begun[speaker] = rest[:MOST]
        for line in lines:
            self.take(speaker, line[:MOST])
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Each of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """What is printed; log lines are whole lines."""
        self._real.flush()

    def take(self, plugin: str, line: str) -> None:
        """Log a line that a plugin printed, and say once that it prints."""
        from loguru import logger  # Most commands print nothing but what they are asked for.

        its = logger.bind(plugin=plugin)
        if plugin not in _told:
            _told.add(plugin)
            its.warning("prints to standard output: see it with LOG_LEVEL=DEBUG; the author has to use ctx.log")
        its.debug(f"Printed: {line!r}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Overheard(Stdout):
    """Keeps what one plugin prints while its module is imported: nobody may be listening to the log yet."""

    def __init__(self, real: TextIO, plugin: str) -> None:
        super().__init__(real)
        self._plugin = plugin
        self._over = False
        self.lines: list[str] = []

    def finish(self) -> None:
        """There is no more to come: what was begun is a line."""
        begun, self._begun = self._begun, {}
        for plugin, line in tuple(begun.items()):
            self.take(plugin, line)
        self._over = True  # Where two imports overlap it may stay in place of the real one.

    def take(self, plugin: str, line: str) -> None:
        """Keep it, and count it as told: whoever imports tells."""
        if plugin == self._plugin and not self._over:
            _told.add(plugin)
            self.lines.append(line)
        else:
            super().take(plugin, line)


@contextlib.contextmanager
def only_the_program_prints() -> Iterator[None]:
    """Until the end of the block what plugins print is logged."""
    real = sys.stdout
    sys.stdout = cast("TextIO", Stdout(real))
    try:
        yield
    finally:
        sys.stdout = real


@contextlib.contextmanager
def overheard(plugin: str) -> Iterator[list[str]]:
    """The lines that ``plugin`` prints in the block, in this thread."""
    real = sys.stdout
    stdout = Overheard(real, plugin)
    sys.stdout = cast("TextIO", stdout)
    token = _speaker.set(plugin)
    try:
        yield stdout.lines
    finally:
        stdout.finish()
        _speaker.reset(token)
        sys.stdout = real

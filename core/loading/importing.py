"""Importing a stranger's module: within a time, leaving the process as it was. It never judges the module.

What no one can guard against in one process: ``os._exit``, a crash of compiled code, and compiled code that never
comes back.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

from .prints import overheard

LIMIT: Final = 30.0
"""Seconds an import may take; large libraries need several on a slow disk."""
AGAIN: Final = 1.0
"""Seconds after which a module that swallowed the interruption is interrupted again."""
SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@dataclass(frozen=True, slots=True)
class Imported:
    """A module, and what its import did beside making it, each as a sentence without its subject."""

    module: ModuleType
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the process that no import may change."""

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object]


class _TooLong(BaseException):
    """Not an ``Exception``: a module that catches those is interrupted all the same."""


def imported(name: str, plugin: str, *, limit: float = LIMIT) -> Imported:
    """The module ``name``; what the process is, is put back to what it was.

    Raises whatever the module raises, ``TimeoutError`` after ``limit`` s (in the main thread only, elsewhere there is
    no limit).
    """
    changed: list[str] = []
    with overheard(plugin) as printed, _undisturbed(changed), _all_or_nothing(name), _within(limit):
        module = importlib.import_module(name)
    remarks = [f"changes {part} when it is imported; that was put back" for part in changed]
    if printed:
        remarks.append(f"prints to standard output when it is imported: {printed[0][:80]!r}")
    return Imported(module, tuple(remarks))


def place_of(error: BaseException) -> str:
    """The file and line where it was raised, outside of the import machinery; empty where there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    frames = [frame for frame in frames if Path(frame.filename).parent != Path(__file__).parent]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Interrupt the block after ``seconds``. Only the main thread can be interrupted, and only between instructions."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise _TooLong

    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    except _TooLong as error:
        raise TimeoutError(f"it takes longer than {seconds:g} s").with_traceback(error.__traceback__) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # Somebody else's alarm.
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)), interval)


@contextlib.contextmanager
def _all_or_nothing(name: str) -> Iterator[None]:
    """If the block fails, forget what it imported of ``name``: once that is repaired, all of it is read anew."""
    before = set(sys.modules)
    try:
        yield
    except BaseException:
        for one in sys.modules.keys() - before:
            if one == name or one.startswith(f"{name}."):
                sys.modules.pop(one, None)
        raise


@contextlib.contextmanager
def _undisturbed(changed: list[str]) -> Iterator[None]:
    """Put back what the block changes of the process, and name it in ``changed``."""
    before = [(part, part.read()) for part in _parts()]
    try:
        yield
    finally:
        for part, value in before:
            if part.read() != value:
                part.restore(value)
                changed.append(part.name)


def _parts() -> Iterator[_Part]:
    for stream in ("stdout", "stderr"):
        yield _Part(f"sys.{stream}", partial(getattr, sys, stream), partial(setattr, sys, stream))
    yield _Part("the working directory", _directory, os.chdir)
    yield _Part("the handlers of logging", _logging, _restore_logging)
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not None:  # One that C code installed cannot be put back.
                name = signal.Signals(number).name
                read, restore = partial(signal.getsignal, number), partial(signal.signal, number)
                yield _Part(f"the handler of {name}", read, restore)


def _directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # It was deleted, and there is nothing to go back to.
        return "/"


def _logging() -> tuple[int, list[logging.Handler]]:
    return logging.root.level, list(logging.root.handlers)


def _restore_logging(before: tuple[int, list[logging.Handler]]) -> None:
    level, handlers = before
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers

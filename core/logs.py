"""Where log lines go: the console, and ``LOG_DIR``/larkflock.log, rotated at 10 MB, 10 files kept.

Only the application calls this; everybody else just logs. Lines never contain secrets, message text or variables.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loguru import logger

from .errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from loguru import Record

CONSOLE: Final = "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> {extra[who]}{message}"
FILE: Final = "{time:YYYY-MM-DD HH:mm:ss.SSS ZZ} {level: <7} {thread.name} {extra[who]}{message}"

_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
"""What ends a line, or has a terminal do something."""


class _ToLoguru(logging.Handler):
    """Hands records of the standard library's logging on."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:  # A level that only this library has.
            level = record.levelno
        try:
            message = record.getMessage()
        except Exception:  # Who logs what cannot be formatted must not fail for it.
            message = f"{record.msg} {record.args!r}"
        logger.opt(exception=record.exc_info).log(level, "{}", message)


def set_up(directory: Path | None, level: str, *, console: Callable[[str], None] | None = None) -> Callable[[], bool]:
    """Start logging; ``console`` takes the lines instead of standard error (the live view prints above itself).

    What is returned sets it up again where something else in the process took it down, and says whether it did.
    Raises ``ConfigurationError`` when ``directory`` cannot be written.
    """
    sinks = _start(directory, level, console)

    def restored() -> bool:
        nonlocal sinks
        if sinks <= _sinks() and any(isinstance(handler, _ToLoguru) for handler in logging.root.handlers):
            return False
        sinks = _start(directory, level, console)
        return True

    return restored


def _start(directory: Path | None, level: str, console: Callable[[str], None] | None) -> frozenset[int]:
    """The sinks it makes."""
    logger.remove()
    logger.configure(patcher=_one_line)
    if console is None:
        logger.add(sys.stderr, level=level, format=_format(CONSOLE), diagnose=False, backtrace=False)
    else:
        logger.add(lambda line: console(str(line)), level=level, format=_format(CONSOLE), colorize=True, diagnose=False)
    if directory is not None:
        _add_file(directory, level)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
    return _sinks()


def _sinks() -> frozenset[int]:
    return frozenset(logger._core.handlers)  # type: ignore[attr-defined]  # noqa: SLF001 - There is no public way.


def _add_file(directory: Path, level: str) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        logger.add(
            directory / "larkflock.log",
            level=level,
            format=_format(FILE),
            rotation="10 MB",
            retention=10,
            encoding="utf-8",
            diagnose=False,
            backtrace=False,
        )
    except OSError as error:
        problem = Problem("setting LOG_DIR", str(error), "set it to a directory that can be written")
        raise ConfigurationError([problem]) from error


def _one_line(record: Record) -> None:
    """What came from outside cannot fake a line of its own."""
    record["message"] = _clean(record["message"])
    plugin = record["extra"].get("plugin")
    record["extra"]["who"] = f"[{plugin}] " if plugin else ""


def _format(line: str) -> Callable[[Record], str]:
    def template(record: Record) -> str:
        error = record["exception"]
        if error is None:
            return line + "\n"
        text = "".join(traceback.format_exception(error.type, error.value, error.traceback))
        record["extra"]["trace"] = "\n".join(f"    {_clean(one)}" for one in text.rstrip("\n").split("\n"))
        return line + "\n{extra[trace]}\n"

    return template


def _clean(text: str) -> str:
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)

"""Writing names into ``.env``: what stands there keeps its place, its comments and its owner."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

from ..errors import ConfigurationError, Problem
from .rewriting import rewrite

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


def fill_in(path: Path, values: Mapping[str, str]) -> None:
    """Give names a value: where they stand empty, else where they are commented out, else at the end.

    The file is replaced at once and whole; a new one is for this user only. Raises ``ConfigurationError`` when a name
    has another value already, or the file cannot be written; then nothing is changed.
    """
    try:
        before = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
        rewrite(path, filled_in(before, values, str(path)))
    except (OSError, UnicodeDecodeError) as error:
        lines = " ".join(f"{name}={value}" for name, value in values.items())
        raise ConfigurationError([Problem(str(path), f"cannot be written: {error}", f"write {lines} there")]) from error


def filled_in(text: str, values: Mapping[str, str], where: str) -> str:
    """The text of a ``.env`` with ``values`` in it. Raises ``ConfigurationError`` as of ``fill_in``."""
    lines = [(binding.key, binding.value, binding.original.string) for binding in parse_stream(io.StringIO(text))]
    for name, value in values.items():
        if not _PLAIN.match(value):
            raise ConfigurationError(
                [Problem(where, f"{name}: {value!r} is no ID", "look at what the platform answers")]
            )
        there = next((had for key, had, _ in reversed(lines) if key == name and had), value)
        if there != value:
            what = f"{name} is {there} there, and not {value}"
            raise ConfigurationError([Problem(where, what, f"decide which of the two {name} is to be")])
        at = _place(lines, name)
        if at is not None:
            lines[at] = (name, value, _set(lines[at][2], name, value))
        elif (name, value) not in [(key, had) for key, had, _ in lines]:
            before = "" if not lines or lines[-1][2].endswith("\n") else "\n"
            lines.append((name, value, f"{before}{name}={value}\n"))
    return "".join(line for _, _, line in lines)


def _place(lines: Sequence[tuple[str | None, str | None, str]], name: str) -> int | None:
    """Where ``name`` stands empty or, when it does not stand at all, commented out."""
    places = [i for i, (key, _, _) in enumerate(lines) if key == name]
    if places:
        return None if lines[places[-1]][1] else places[-1]
    return next((i for i, (key, _, line) in enumerate(lines) if key is None and _commented(name).search(line)), None)


def _commented(name: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*#[ \t]*{name}=(?=\s*\Z)", re.MULTILINE)


def _set(line: str, name: str, value: str) -> str:
    """The line with the value in it; what is said behind it stays."""
    if _commented(name).search(line):
        return _commented(name).sub(f"{name}={value}", line)
    return re.sub(rf"{name}[ \t]*=?(?:[ \t]*(?:''|\"\"))?", f"{name}={value}", line, count=1)

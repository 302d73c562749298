"""The tutorial as a list of steps: what its page tells a reader to do, and what it says will be seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEW_FILE: Final = re.compile(r"# ([\w./-]+)\n(.*)", re.DOTALL)
STOP: Final = "Ctrl+C"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a reader does or sees."""

    kind: str
    """``sh`` commands, ``text`` to be seen, ``file`` to be written, ``diff`` to be applied, ``excerpt`` of a file that
    is there, ``say`` on the page, ``stop`` the program."""
    text: str
    section: str
    file: str = ""


def steps(page: str) -> list[Step]:
    """The steps of a page, in order."""
    found: list[Step] = []
    for section in re.split(r"^## ", (DOCS / page).read_text("utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        found += _of(title, body)
    return found


def _of(title: str, body: str) -> Iterator[Step]:
    end, named = 0, ""
    for block in FENCE.finditer(body):
        prose, end = body[end : block.start()], block.end()
        named = next(iter(re.findall(r"`([\w./-]+/[\w.-]+\.py)`", prose)[::-1]), named)
        yield from _prose(title, prose)
        yield _block(title, block[1], block[2], named)
    yield from _prose(title, body[end:])


def _prose(title: str, prose: str) -> Iterator[Step]:
    for line in prose.splitlines():
        if line.startswith("> "):
            yield Step("say", line[2:], title)
        elif STOP in line:
            yield Step("stop", STOP, title)


def _block(title: str, language: str, text: str, named: str) -> Step:
    if language == "python":
        new = NEW_FILE.fullmatch(text)
        return Step("file", new[2], title, new[1]) if new else Step("excerpt", text, title, named)
    if language == "diff":
        first, _, rest = text.partition("\n")
        return Step("diff", rest, title, first.removeprefix("--- "))
    return Step(language, text, title)


def apply(step: Step, folder: Path) -> None:
    """Do what a ``file`` or ``diff`` says; check an ``excerpt``. Raises ``AssertionError`` where it does not fit."""
    file = folder / step.file
    if step.kind == "file":
        file.write_text(step.text, "utf-8")
        return
    text = file.read_text("utf-8")
    if step.kind == "excerpt":
        assert step.text in text, f"{step.file} has no such lines:\n{step.text}"
        return
    lines = step.text.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] != "+")
    after = "".join(line[1:] for line in lines if line[0] != "-")
    assert text.count(before) == 1, f"{step.file} does not have these lines once:\n{before}"
    file.write_text(text.replace(before, after), "utf-8")


def missing(expected: str, seen: str) -> str:
    """The first line of ``expected`` that is nowhere in ``seen``, or ""; widths of blanks do not matter."""
    flat = [" ".join(line.split()) for line in seen.splitlines()]
    for line in expected.splitlines():
        pattern = ".*".join(re.escape(part.strip()) for part in " ".join(line.split()).split("…"))
        if not any(re.search(pattern, each) for each in flat):
            return line
    return ""

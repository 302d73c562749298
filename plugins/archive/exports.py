"""The archive as files: one a month, for programs (JSONL), spreadsheets (CSV) and reading (HTML).

Incremental by whole files: a run writes anew the months in which anything is new or changed since the last run of that
format to that directory, and leaves the others alone. So an edit or a recall also changes what was exported before. How
far a run came stands in ``POSITION`` beside the files, written last: a run that ends early is simply done again.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final, TextIO

import orjson
from pydantic import TypeAdapter, ValidationError

from core import Row

from . import pages
from .stored import Format, Part, Stored, as_json, names_of
from .tables import ARCHIVE

Progress = Callable[[int, int], None]
"""Told after each file how many are done, and how many there are to do."""

POSITION: Final = ".archive-export.json"
COLUMNS: Final = {
    "message_id": "消息ID",
    "chat_id": "群ID",
    "group": "群名称",
    "topic_id": "话题ID",
    "parent_id": "父消息ID",
    "sender_id": "发送者ID",
    "sender": "发送者姓名",
    "type": "消息类型",
    "content": "消息内容",
    "sent": "发送时间",
    "mentioned": "@的人",
    "status": "消息状态",
    "edited": "编辑时间",
    "attachments": "附件信息",
    "link": "消息链接",
}
FORMULA: Final = (*"=+-@", *"＝＋－＠", "\t", "\r", "\n")
Message = dict[str, Any]
"""One as ``as_json`` gives it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What a run did."""

    messages: int
    """New or changed since the last one."""
    written: int
    """Months written anew; with HTML each group has its own."""
    of: int
    """Months there are."""


@dataclass(slots=True)
class Position:
    """How far the last run of one format came."""

    archive: str = ""
    """Which one was exported, as a fingerprint."""
    since: int | None = None
    revision: int = -1
    parts: list[tuple[str, str, str]] = field(default_factory=list)
    """Every file: group, month, and the fingerprint of what it says beside its messages."""
    newest: str = ""
    """The message that has ``revision``."""

    def is_ahead_of(self, stored: Stored) -> bool:
        """Whether the archive went back since, as to a backup: a revision of a message never falls otherwise."""
        row = stored.get(ARCHIVE, self.newest) if self.newest else None
        return bool(self.newest) and (row is None or row["revision"] < self.revision)


def export(
    stored: Stored,
    directory: Path,
    form: Format,
    *,
    everything: bool = False,
    since: int | None = None,
    progress: Progress = lambda done, of: None,
) -> Exported:
    """Bring the files of ``form`` in ``directory`` up to date; messages sent before ``since`` (ms UTC) are left out.

    With ``everything``, and where the last run had another ``since``, another archive or a later state of this one, all
    of them are written.
    """
    positions = _positions(directory)
    archive = hashlib.blake2b(str(stored.data_dir.resolve()).encode(), digest_size=8).hexdigest()
    position = positions.get(form, Position())
    if everything or (position.archive, position.since) != (archive, since) or position.is_ahead_of(stored):
        position = Position(archive, since)
    changed, count, revision, newest = _changes(stored, form, position)
    topics = pages.topics_by_part(stored) if form == "html" else {}
    before = {Part(chat_id, month): beside for chat_id, month, beside in position.parts}
    beside = {part: pages.fingerprint(topics.get(part, [])) for part in sorted({*before, *changed})}
    wanted = [part for part, told in beside.items() if part in changed or before[part] != told]
    names = names_of(stored)
    directory.mkdir(parents=True, exist_ok=True)
    for done, part in enumerate(wanted):
        progress(done, len(wanted))
        path = directory / f"{part.name}.{form}"
        with replacing(path, form) as file:
            rows = _rows(stored, form, part, since)
            if form == "html":
                pages.write_month(file, path, stored, names, part, list(rows), topics.get(part, []))
            else:
                _WRITERS[form](file, (as_json(row, names, stored.timezone) for row in rows))
    if form == "html" and wanted:
        with replacing(directory / "index.html", form) as file:
            pages.write_index(file, list(beside), names)
    progress(len(wanted), len(wanted))
    parts = [(*part, told) for part, told in beside.items()]
    positions[form] = Position(archive, since, revision, parts, newest)
    with replacing(directory / POSITION, "json") as file:
        file.write(orjson.dumps(positions, option=orjson.OPT_INDENT_2).decode())
    return Exported(count, len(wanted), len(beside))


@contextmanager
def replacing(path: Path, form: str) -> Iterator[TextIO]:
    """A file that takes the place of ``path`` when it is written to its end, and otherwise leaves no trace.

    A CSV begins with a byte-order mark, so that spreadsheet programs show Chinese rightly.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    encoding = "utf-8-sig" if form == "csv" else "utf-8"
    try:
        with partial.open("w", encoding=encoding, newline="" if form == "csv" else "\n") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _changes(stored: Stored, form: Format, position: Position) -> tuple[set[Part], int, int, str]:
    """Where something is new or changed, how many messages that are, up to which revision, and which message has it."""
    changed: set[Part] = set()
    count, last, newest = 0, position.revision, position.newest
    quoted: set[str] = set()
    for row in stored.select(ARCHIVE, between=("revision", position.revision + 1, None)):
        if row["revision"] > last:
            last, newest = row["revision"], row["message_id"]
        quoted.add(row["message_id"])
        if _wanted(row, position):
            changed.add(Part.of(row, form))
            count += 1
    if form == "html" and quoted and position.revision >= 0:  # Pages repeat what their messages reply to.
        replies = (row for row in stored.rows(ARCHIVE) if row["parent_id"] in quoted)
        changed.update(Part.of(row, form) for row in replies if _wanted(row, position))
    return changed, count, last, newest


def _wanted(row: Row, position: Position) -> bool:
    return position.since is None or (row["created"] or 0) >= position.since


def _rows(stored: Stored, form: Format, part: Part, since: int | None) -> Iterator[Row]:
    """The messages of one file, oldest first."""
    month = {"month": part.month}
    timeless = stored.select(ARCHIVE, equals={**month, "created": None}) if since is None else ()
    for row in chain(timeless, stored.select(ARCHIVE, equals=month, between=("created", since, None))):
        if Part.of(row, form) == part:
            yield row


def _positions(directory: Path) -> dict[str, Position]:
    """How far each format came; none where nobody can tell."""
    try:
        given = orjson.loads((directory / POSITION).read_bytes())
        return _POSITIONS.validate_python(given)
    except (FileNotFoundError, orjson.JSONDecodeError, ValidationError):
        return {}


_POSITIONS: Final = TypeAdapter(dict[str, Position])


def _write_jsonl(file: TextIO, messages: Iterable[Message]) -> None:
    file.writelines(orjson.dumps(message).decode() + "\n" for message in messages)


def _write_csv(file: TextIO, messages: Iterable[Message]) -> None:
    writer = csv.writer(file)
    writer.writerow(COLUMNS.values())
    for message in messages:
        files = (file["name"] or file["file_token"] or file["path"] for file in message["attachments"])
        cells = message | {"attachments": ", ".join(filter(None, files))}
        writer.writerow(_harmless(cells[name]) for name in COLUMNS)


def _harmless(value: Any) -> str:
    """Text that a spreadsheet would run as a formula is none any more."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


_WRITERS: Final[Mapping[Format, Callable[[TextIO, Iterable[Message]], None]]] = {
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}

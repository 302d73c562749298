"""How a declared column is written to a Bitable cell and read from one (FEISHU.md §5.3, §5.4)."""

from __future__ import annotations

from typing import Any, Final

from ..table import Attachments, Choice, Column, Link, Number, PersonCell, PersonName, PersonNames, Text, Timestamp
from .contact import PERSON_ID

TEXT, NUMBER, SINGLE_SELECT, DATE_TIME, PERSON, PHONE, URL, ATTACHMENT = 1, 2, 3, 5, 11, 13, 15, 17
MOST: Final = 2**53
"""Numbers beyond are nothing this program wrote, and no integer a database holds; they read as empty."""
LONGEST_TEXT: Final = 100_000
"""Characters of a text cell."""
MOST_FILES: Final = 100
"""Attachments of a cell."""

FILE_FACTS: Final = ("file_token", "name", "size", "type")


def accepted(column: Column) -> tuple[int, ...]:
    """The Bitable field types a column may be mirrored to, the one to create first."""
    match column:
        case Choice():
            return (SINGLE_SELECT, TEXT)
        case Link():
            return (URL, TEXT)
        case Text() | PersonName():
            return (TEXT, SINGLE_SELECT)
        case PersonNames():
            return (TEXT,)
        case Number():
            return (NUMBER,)
        case Timestamp():
            return (DATE_TIME, NUMBER)
        case PersonCell():
            return (PERSON,)
        case Attachments():
            return (ATTACHMENT,)
        case _:
            return ()


def type_name(kind: int) -> str:
    """The field type as the Bitable page calls it."""
    names = {
        TEXT: "文本 (text)",
        NUMBER: "数字 (number)",
        SINGLE_SELECT: "单选 (single select)",
        DATE_TIME: "日期 (date)",
        PERSON: "人员 (person)",
        URL: "超链接 (link)",
        ATTACHMENT: "附件 (attachment)",
    }
    return names.get(kind, f"type {kind}")


def written(column: Column, value: Any, kind: int) -> Any:
    """The cell for ``value`` in a field of type ``kind``; None clears it. Text that is too long ends with "…"."""
    match column:
        case PersonCell():
            return [{"id": value}] if value.startswith(PERSON_ID) else None  # An app is nobody's colleague.
        case Link() if value and kind == URL:
            return {"link": value, "text": value}
        case Text() | PersonName() | PersonNames():
            return _shortened(value) or None
        case Attachments():
            tokens = [entry["file_token"] for entry in value if entry.get("file_token")]
            return [{"file_token": token} for token in tokens[:MOST_FILES]] or None
        case Number(places=places) if places:
            return round(value, places)
        case _:
            return value


def read(column: Column, cell: Any) -> Any:
    """The value of a cell as search gives it; an empty cell is absent there, so None is the column's default.

    Of a ``PersonCell`` it is the open_id, empty where there is none.
    """
    match column:
        case Link() if isinstance(cell, dict):
            return str(cell.get("link") or "")
        case Link() if isinstance(cell, list):
            links = [str(part["link"]) for part in cell if isinstance(part, dict) and part.get("link")]
            return links[0] if links else _joined(cell)
        case Text() if isinstance(cell, list):
            return _joined(cell)
        case Text():
            return "" if cell is None else str(cell)
        case Number(places=places):
            number = cell if isinstance(cell, int | float) and abs(cell) <= MOST else 0
            return round(float(number), places) if places else round(number)
        case Timestamp():
            return int(cell) if isinstance(cell, int | float) and abs(cell) <= MOST else None
        case PersonCell():
            people = [person for person in _listed(cell) if isinstance(person, dict)]
            return str(people[0].get("id") or "") if people else ""
        case Attachments():
            files = [file for file in _listed(cell) if isinstance(file, dict) and file.get("file_token")]
            return [{fact: file[fact] for fact in FILE_FACTS if fact in file} for file in files]
        case _:
            return column.default


def plain(column: Column, cell: Any) -> Any:
    """What a cell says, the same whether it is to be written or was read."""
    match column:
        case PersonName() | PersonNames():
            return _joined(cell) if isinstance(cell, list) else str(cell or "")
        case Attachments():
            return [str(file["file_token"]) for file in read(column, cell)]
        case _:
            return read(column, cell)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _listed(cell: Any) -> list[Any]:
    return cell if isinstance(cell, list) else []


def _joined(segments: list[Any]) -> str:
    return "".join(str(part.get("text", "")) for part in segments if isinstance(part, dict))

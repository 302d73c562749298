"""How a declared column is written to a Bitable cell and read from one (FEISHU.md §5.4)."""

from __future__ import annotations

from typing import Any

from ..table import Column, Number, PersonCell, PersonName, Text, Timestamp

TEXT, NUMBER, SINGLE_SELECT, DATE_TIME, PERSON, PHONE, URL = 1, 2, 3, 5, 11, 13, 15
MOST = 2**53
"""Numbers beyond are nothing this program wrote, and no integer a database holds; they read as empty."""


def accepted(column: Column) -> tuple[int, ...]:
    """The Bitable field types a column may be mirrored to, the one to create first."""
    match column:
        case Text() | PersonName():
            return (TEXT, SINGLE_SELECT)
        case Number():
            return (NUMBER,)
        case Timestamp():
            return (DATE_TIME, NUMBER)
        case PersonCell():
            return (PERSON,)
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
    }
    return names.get(kind, f"type {kind}")


def written(column: Column, value: Any) -> Any:
    """The cell for ``value``; None clears it."""
    match column:
        case PersonCell():
            return [{"id": value}] if value else None
        case Text() | PersonName():
            return value or None
        case Number(places=places) if places:
            return round(value, places)
        case _:
            return value


def read(column: Column, cell: Any) -> Any:
    """The value of a cell as search gives it; an empty cell is absent there, so None is the column's default."""
    match column:
        case Text() if isinstance(cell, list):
            return "".join(str(part.get("text", "")) for part in cell if isinstance(part, dict))
        case Text():
            return "" if cell is None else str(cell)
        case Number(places=places):
            number = cell if isinstance(cell, int | float) and abs(cell) <= MOST else 0
            return round(float(number), places) if places else round(number)
        case Timestamp():
            return int(cell) if isinstance(cell, int | float) and abs(cell) <= MOST else None
        case _:
            return column.default

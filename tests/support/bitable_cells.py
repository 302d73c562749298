"""The records of a Bitable table beside what an account says of them: every cell of every row, in plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Row = dict[str, Any]
"""Plain values by column title. A value that can be called says itself whether a cell is right."""


def rows_of(records: Iterable[Mapping[str, Any]], *key: str) -> tuple[dict[str, Row], list[str]]:
    """The plain rows by the values of ``key``, joined by a space, and a line for each row that is there twice."""
    rows: dict[str, Row] = {}
    twice = []
    for record in records:
        row = {title: plain(cell) for title, cell in record["fields"].items()}
        name = " ".join(str(row.get(title, "")) for title in key)
        if name in rows:
            twice.append(f"{name}: there twice")
        rows[name] = row
    return rows, twice


def differences(
    expected: Mapping[str, Mapping[str, Any]], records: Iterable[Mapping[str, Any]], *key: str
) -> list[str]:
    """A line for every row that is missing, too many or there twice, and for every cell that is not as it should be.

    Empty, 0 and not there are the same. The columns of ``key`` need not be in ``expected``.
    """
    found, lines = rows_of(records, *key)
    lines += [f"{name}: missing" for name in expected.keys() - found.keys()]
    lines += [f"{name}: too many" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        wanted, row = expected[name], found[name]
        for title in sorted((wanted.keys() | row.keys()) - set(key)):
            value, cell = wanted.get(title, ""), row.get(title, "")
            right = value(cell) if isinstance(value, Callable) else (value or "") == (cell or "")
            if not right:
                shown = "what its rule says" if isinstance(value, Callable) else repr(value)
                lines.append(f"{name}: {title} is {cell!r}, should be {shown}")
    return sorted(lines)


def plain(cell: Any) -> Any:
    """Text as a string, a link as its URL, a person as an open_id, files as (name, size) each; others as they are."""
    if isinstance(cell, dict):
        return cell["link"]
    if not isinstance(cell, list):
        return cell
    if all("file_token" in part for part in cell):
        return [(part["name"], part["size"]) for part in cell if part["file_token"]]
    if all("text" in part for part in cell):
        return "".join(part["text"] for part in cell)
    return ", ".join(part["id"] for part in cell)

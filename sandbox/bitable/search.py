"""Searching a table: which records, in which order, which of their cells, one page at a time (FEISHU.md §5.5)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from ..bodies import whole
from .conditions import Match, compile_filter, sort_key
from .fields import Field
from .kinds import Terms
from .refusals import refuse
from .table import Record, Table

SORTS = 100
FIELD_NAMES = 200


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, checked against the table."""

    match: Match | None
    order: tuple[tuple[Field, bool], ...]
    """Fields to sort by and whether the largest comes first."""
    fields: tuple[Field, ...] | None
    automatic: bool

    @classmethod
    def parse(cls, body: Mapping[str, Any], table: Table, terms: Terms) -> Query:
        """A search body. Raises 1254005, 1254016, 1254018, 1254024, 1254042, 1254107 and 1254108."""
        spec, sort = body.get("filter"), body.get("sort")
        if body.get("view_id") and not spec and not sort:
            table.views.check(body["view_id"])
        names = body.get("field_names")
        if names is not None and (not isinstance(names, list) or len(names) > FIELD_NAMES):
            raise refuse(1254024, "field_names")
        return cls(
            match=compile_filter(spec, table, terms) if spec else None,
            order=_order(sort or [], table),
            fields=tuple(table.named(name, 1254024) for name in names) if names else None,
            automatic=body.get("automatic_fields") is True,
        )

    def run(self, table: Table) -> list[Record]:
        """The matching records; without a sort in the order of their creation. Empty cells come last."""
        match = self.match
        found = list(table.records.values())
        if match is not None:
            found = [record for record in found if match(record)]
        for field, descending in reversed(self.order):
            key = sort_key(field)
            filled = [record for record in found if table.cell(record, field) is not None]
            empty = [record for record in found if table.cell(record, field) is None]
            filled.sort(key=lambda record, key=key, field=field: key(table.cell(record, field)), reverse=descending)  # type: ignore[misc]
            found = filled + empty
        return found


def _order(sort: Any, table: Table) -> tuple[tuple[Field, bool], ...]:
    if not isinstance(sort, list):
        raise refuse(1254016, "sort")
    if len(sort) > SORTS:
        raise refuse(1254108)
    order = []
    for entry in sort:
        if not isinstance(entry, dict) or not isinstance(entry.get("desc", False), bool | None):
            raise refuse(1254016, "sort")
        order.append((table.named(entry.get("field_name"), 1254016), bool(entry.get("desc"))))
    return tuple(order)


def show(record: Record, table: Table, terms: Terms, query: Query) -> dict[str, Any]:
    """A record as search, get and batch_get answer it."""
    shown: dict[str, Any] = {"fields": table.read(record, terms, query.fields), "record_id": record.record_id}
    if query.automatic:
        editor = terms.show(table.base.editor)
        shown |= {
            "created_by": editor,
            "created_time": record.created,
            "last_modified_by": editor,
            "last_modified_time": record.modified,
        }
    return shown


class Pages:
    """Hands out the results of searches page by page.

    The result of the latest query of each table is remembered until the table changes, so that walking through the
    pages of a large table filters and sorts it once.
    """

    def __init__(self) -> None:
        self._latest: WeakKeyDictionary[Table, tuple[bytes, list[Record]]] = WeakKeyDictionary()

    def page(self, table: Table, query: Query, asked: Any, size: int, page_token: str) -> tuple[list[Record], int, str]:
        """The records of a page, the total, and the token of the next page ("" after the last).

        ``asked`` identifies the query. Raises 1254002 for a token that was not handed out for it.
        """
        hour = table.base.now_ms() // 3_600_000  # "Today" is another day after midnight.
        key = orjson.dumps([table.revision, hour, asked], option=orjson.OPT_SORT_KEYS)
        latest = self._latest.get(table)
        found = latest[1] if latest is not None and latest[0] == key else query.run(table)
        self._latest[table] = (key, found)
        start = _start(page_token)
        end = start + size
        return found[start:end], len(found), _token(end) if end < len(found) else ""


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"from:{start}".encode()).decode()


def _start(page_token: str) -> int:
    if not page_token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(page_token.encode()).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        word, number = "", ""
    start = whole(number) if word == "from" else None
    if start is None:
        raise refuse(1254002, "page_token")
    return start

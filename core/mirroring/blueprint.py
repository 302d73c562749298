"""How a declared table is laid out in Bitable, and how one that exists differs from that. It asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import LarkflockError
from ..feishu import cells
from ..feishu.bitable import Field
from ..table import Choice, Column, Number, Table

VIEW: Final = "全部"
"""The view a new table has: a grid of everything. The API can neither sort a view nor group it."""
MINUTES: Final = "yyyy-MM-dd HH:mm"
MOST_PLACES: Final = 4
"""Decimals that a number column shows at most; the cell holds all of them."""
TITLE_KINDS: Final = frozenset({cells.TEXT, cells.NUMBER, cells.DATE_TIME, cells.PHONE, cells.URL})
"""Of those this project uses, what the first column may be (FEISHU.md §5.4)."""


class TableMismatch(LarkflockError):
    """The Bitable table is not what the plugin declares; the message names the columns and what to do."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a Bitable table lacks of the declaration. Further columns are people's and are not mentioned."""

    missing: tuple[Column, ...]
    """Without these it is not mirrored."""
    optional: tuple[Column, ...]
    """Absent as well, and not needed."""
    wrong: tuple[tuple[Column, int], ...]
    """Columns of a type that cannot hold the values, and that type."""
    options: Mapping[str, tuple[str, ...]]
    """Options a select does not have yet, by title: the platform makes them when they are first written."""

    @property
    def absent(self) -> tuple[Column, ...]:
        """Every column that is not there."""
        return self.missing + self.optional


def compare(table: Table, there: Sequence[Field]) -> Comparison:
    """How the columns ``there`` differ from the declaration."""
    by_title = {field.name: field for field in there}
    absent = [column for column in table.mirrored if column.title not in by_title]
    present = [(column, by_title[column.title]) for column in table.mirrored if column.title in by_title]
    return Comparison(
        tuple(column for column in absent if not column.optional),
        tuple(column for column in absent if column.optional),
        tuple((column, field.type) for column, field in present if field.type not in cells.accepted(column)),
        {column.title: unknown for column, field in present if (unknown := _unknown_options(column, field))},
    )


def check_fields(table: Table, table_id: str, there: Sequence[Field]) -> tuple[Column, ...]:
    """The columns that can be mirrored. Raises ``TableMismatch`` when a needed one is missing or of another type."""
    found = compare(table, there)
    wrong = [f"column {column.title} is missing: add it as {wanted(column)}" for column in found.missing]
    wrong += [
        f"column {column.title} is {cells.type_name(kind)}: change it to {wanted(column)}"
        for column, kind in found.wrong
    ]
    if wrong:
        hint = "; `python -m core tables check --add` adds what is missing" if found.missing else ""
        raise TableMismatch(f"Bitable table {table_id} ({table.setting}): {'; '.join(wrong)}{hint}")
    return tuple(column for column in table.mirrored if column not in found.optional)


def wanted(column: Column) -> str:
    """The types a column may have, as the Bitable page calls them."""
    return " or ".join(cells.type_name(kind) for kind in cells.accepted(column))


def fields(table: Table) -> list[dict[str, Any]]:
    """The columns of a new table, as the API takes them: in their order, but first one that can be the title column."""
    first, kind = next(
        (column, kind)
        for column in (*table.mirrored[:1], *(table.by_name[name] for name in table.key))
        for kind in cells.accepted(column)
        if kind in TITLE_KINDS
    )
    return [field(first, kind), *(field(column) for column in table.mirrored if column is not first)]


def field(column: Column, kind: int | None = None) -> dict[str, Any]:
    """A column as the API takes it, of the type to prefer unless another one is given."""
    chosen = kind or cells.accepted(column)[0]
    spec: dict[str, Any] = {"field_name": column.title, "type": chosen}
    if chosen == cells.NUMBER:
        places = min(column.places, MOST_PLACES) if isinstance(column, Number) else 0
        spec["property"] = {"formatter": f"0.{'0' * places}" if places else "0"}
    elif chosen == cells.DATE_TIME:
        spec["property"] = {"date_formatter": MINUTES}
    elif chosen == cells.PERSON:
        spec["property"] = {"multiple": False}
    elif chosen == cells.SINGLE_SELECT and isinstance(column, Choice) and column.options:
        spec["property"] = {"options": [{"name": option} for option in column.options]}
    return spec


def _unknown_options(column: Column, there: Field) -> tuple[str, ...]:
    if not isinstance(column, Choice) or there.type != cells.SINGLE_SELECT:
        return ()
    return tuple(option for option in column.options if option not in there.options)

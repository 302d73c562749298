"""A table as a plugin declares it: columns, key, and the setting that holds its Bitable table ID.

From one declaration follow the local schema, the check of the Bitable table and the mirror. It never reads or writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final

import orjson

Row = dict[str, Any]
"""A row by column name, as a plugin reads it."""

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NUMBERS: Final = (int, float)
_BITS_63: Final = 2**63


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``name`` in Python and in the local database, ``title`` in Bitable (empty = not mirrored)."""

    name: str
    title: str = ""
    optional: bool = field(default=False, kw_only=True)
    """A Bitable table without this column is accepted; the column is then not mirrored."""

    default: ClassVar[Any] = None

    def holds(self, value: Any) -> bool:
        """Whether ``value`` can be stored."""
        return False


@dataclass(frozen=True, slots=True)
class Text(Column):
    """Text; empty where not set."""

    default: ClassVar[Any] = ""

    def holds(self, value: Any) -> bool:
        """Text that UTF-8 can carry."""
        return isinstance(value, str) and (value.isascii() or not _SURROGATE.search(value))


@dataclass(frozen=True, slots=True)
class Number(Column):
    """A number, ``places`` decimals; 0 where not set."""

    places: int = field(default=0, kw_only=True)
    default: ClassVar[Any] = 0

    def holds(self, value: Any) -> bool:
        """A finite number of 64 bits."""
        return isinstance(value, _NUMBERS) and -_BITS_63 <= value < _BITS_63


@dataclass(frozen=True, slots=True)
class Timestamp(Column):
    """A moment in ms UTC; none where not set. Mirrored to a date column, or to a number column as ms."""

    def holds(self, value: Any) -> bool:
        """Whole ms, or None."""
        return value is None or (isinstance(value, int) and -_BITS_63 <= value < _BITS_63)


@dataclass(frozen=True, slots=True)
class Json(Column):
    """A list or an object, kept as JSON; for private columns, never mirrored."""

    def holds(self, value: Any) -> bool:
        """What JSON can carry."""
        try:
            orjson.dumps(value)
        except TypeError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PersonName(Column):
    """The name of the person whose open_id is in column ``of``; looked up in batches when the row is mirrored."""

    of: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class PersonCell(Column):
    """The person (Bitable's person field) whose open_id is in column ``of``."""

    of: str = field(kw_only=True)


VIRTUAL: Final = (PersonName, PersonCell)
"""Columns that are not stored locally but derived from another column when a row is shown or mirrored."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a plugin, equal only to itself. Without ``setting`` it is private: stored locally, never mirrored."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    setting: str = ""
    """The environment name that holds the Bitable table ID, e.g. ``BITABLE_TABLE_ID``."""
    indexes: tuple[tuple[str, ...], ...] = ()
    """Column groups that ``find`` may be asked for."""
    by_message: bool = False
    """The key is a message ID; the rows of all messages that a batch of events is about are then read at once."""
    ranked_by: tuple[str, ...] = ()
    """Columns that order the table for people, greatest first; its first rows are shown while the program runs."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        wrong = [name for name in (self.name, *names) if not NAME.match(name)]
        if wrong:
            raise ValueError(f"table {self.name!r}: names are lower-case ASCII identifiers, not {', '.join(wrong)}")
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name!r}: a column name is given twice")
        stored = {column.name for column in self.stored}
        used = {*self.key, *self.ranked_by, *(name for index in self.indexes for name in index)}
        used |= {column.of for column in self.columns if isinstance(column, VIRTUAL)}
        if self.by_message and len(self.key) != 1:
            raise ValueError(f"table {self.name!r}: by_message needs a key of one column")
        if not self.key or not used <= stored:
            unknown = sorted(used - stored)
            raise ValueError(f"table {self.name!r}: key, indexes and `of` name stored columns; {unknown} are not")
        json = [column.name for column in self.stored if isinstance(column, Json)]
        if any(self.by_name[name].title or name in used for name in json):
            raise ValueError(f"table {self.name!r}: {json} are JSON; such columns have no title and no index")
        if self.setting and not all(self.by_name[name].title for name in self.key):
            raise ValueError(f"table {self.name!r}: it is mirrored, so the columns of its key need titles")

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that the local table has."""
        return tuple(column for column in self.columns if not isinstance(column, VIRTUAL))

    @cached_property
    def mirrored(self) -> tuple[Column, ...]:
        """The columns that the Bitable table has."""
        return tuple(column for column in self.columns if column.title)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Stored columns by name."""
        return {column.name: column for column in self.stored}

    @cached_property
    def changeable(self) -> dict[str, Column]:
        """Stored columns that are not of the key, by name."""
        return {name: column for name, column in self.by_name.items() if name not in self.key}

    @cached_property
    def blank(self) -> Row:
        """A row in which nothing is set."""
        return {column.name: column.default for column in self.stored}

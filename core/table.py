"""A table as a plugin declares it: columns, key, and the setting that holds its Bitable table ID.

From one declaration follow the local schema, the check of the Bitable table and the mirror. It never reads or writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final

import orjson

Row = dict[str, Any]
"""A row by column name, as a plugin reads it."""

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")

LONGEST_TITLE: Final = 60
NO_TITLE: Final = frozenset("[]/\\?*:")
"""What Bitable takes in no table's name."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NUMBERS: Final = (int, float)
_BITS_63: Final = 2**63
_EARLIEST: Final = -62_000_000_000_000
_LATEST: Final = 250_000_000_000_000
"""ms UTC, in the years 5 and 9892: earlier and later moments have no day in a calendar."""


def _is_json(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


@dataclass(frozen=True)
class Column:
    """A column: ``name`` in Python and in the local database, ``title`` in Bitable (empty = not mirrored)."""

    name: str
    title: str = ""
    optional: bool = field(default=False, kw_only=True)
    """A Bitable table without this column is accepted; the column is then not mirrored."""
    carried: bool = field(default=False, kw_only=True)
    """It holds what no event tells, such as a summary: a replay leaves it as it is in rows that stay."""

    default: ClassVar[Any] = None

    def holds(self, value: Any) -> bool:
        """Whether ``value`` can be stored."""
        return False


class Text(Column):
    """Text; empty where not set."""

    default: ClassVar[Any] = ""

    def holds(self, value: Any) -> bool:
        """Text that UTF-8 can carry."""
        return isinstance(value, str) and (value.isascii() or not _SURROGATE.search(value))


@dataclass(frozen=True)
class Choice(Text):
    """Text that is one of ``options``, or empty; without options any text. Mirrored to single select, or to text."""

    options: tuple[str, ...] = field(default=(), kw_only=True)

    def holds(self, value: Any) -> bool:
        """One of the options, or nothing."""
        return Text.holds(self, value) and (not value or not self.options or value in self.options)


class Link(Text):
    """A URL; empty where not set. Mirrored to a link column, or to text."""


@dataclass(frozen=True)
class Number(Column):
    """A number, ``places`` decimals; 0 where not set."""

    places: int = field(default=0, kw_only=True)
    default: ClassVar[Any] = 0

    def holds(self, value: Any) -> bool:
        """A finite number of 64 bits."""
        return isinstance(value, _NUMBERS) and -_BITS_63 <= value < _BITS_63


class Timestamp(Column):
    """A moment in ms UTC; none where not set. Mirrored to a date column, or to a number column as ms."""

    def holds(self, value: Any) -> bool:
        """Whole ms of a moment that calendars have, or None."""
        return value is None or (isinstance(value, int) and _EARLIEST <= value <= _LATEST)


class Json(Column):
    """A list or an object, kept as JSON; for private columns, never mirrored."""

    def holds(self, value: Any) -> bool:
        """What JSON can carry."""
        return _is_json(value)


class Attachments(Column):
    """Files as a list of ``{"file_token", "name", …}``; empty where not set. One without a token is not mirrored."""

    default: ClassVar[Any] = ()  # Not a list: all blank rows share it.

    def holds(self, value: Any) -> bool:
        """A list of objects that JSON can carry."""
        return isinstance(value, list | tuple) and all(isinstance(one, dict) for one in value) and _is_json(value)


@dataclass(frozen=True)
class PersonName(Column):
    """The name of the person whose open_id is in column ``of``; looked up in batches when the row is mirrored."""

    of: str = field(kw_only=True)

    def people(self, row: Row) -> list[str]:
        """The open_ids whose names this column shows."""
        return [row[self.of]] if row[self.of] else []


@dataclass(frozen=True)
class PersonNames(Column):
    """The names, joined by ", ", of the people whose open_ids the ``Json`` column ``of`` lists; looked up likewise."""

    of: str = field(kw_only=True)

    def people(self, row: Row) -> list[str]:
        """The open_ids whose names this column shows."""
        listed = row[self.of]
        return [one for one in listed if one and isinstance(one, str)] if isinstance(listed, list) else []


@dataclass(frozen=True)
class PersonCell(Column):
    """The person (Bitable's person field) whose open_id is in column ``of``."""

    of: str = field(kw_only=True)


NAMING: Final = (PersonName, PersonNames)
"""Columns that show names of people."""
VIRTUAL: Final = (*NAMING, PersonCell)
"""Columns that are not stored locally but derived from another column when a row is shown or mirrored."""
STRUCTURED: Final = (Json, Attachments)
"""Columns that are kept as JSON."""


def joined_names(column: PersonName | PersonNames, row: Row, names: Mapping[str, str]) -> str:
    """What ``column`` shows for ``row``: the names that are known, in the order of the open_ids."""
    return ", ".join(name for one in column.people(row) if (name := names.get(one)))


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
    search: tuple[str, ...] = ()
    """Text columns whose words are kept in a full-text index, in the transaction that stores the row."""
    title: str = ""
    """The name ``tables create`` gives the Bitable table; empty = ``name``."""

    def __post_init__(self) -> None:
        texts = [use for use in ("key", "ranked_by", "search") if isinstance(getattr(self, use), str)]
        if texts:
            raise ValueError(f"table {self.name!r}: {texts} are tuples of names, like ('user',), not texts")
        names = [column.name for column in self.columns]
        wrong = [name for name in (self.name, *names) if not NAME.match(name)]
        if wrong:
            raise ValueError(f"table {self.name!r}: names are lower-case ASCII identifiers, not {', '.join(wrong)}")
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name!r}: a column name is given twice")
        if len(self.title) > LONGEST_TITLE or NO_TITLE & set(self.title):
            raise ValueError(f"table {self.name!r}: a title has at most {LONGEST_TITLE} characters and no []/\\?*:")
        if self.by_message and len(self.key) != 1:
            raise ValueError(f"table {self.name!r}: by_message needs a key of one column")
        self._check_uses()
        if self.setting and not all(self.by_name[name].title for name in self.key):
            raise ValueError(f"table {self.name!r}: it is mirrored, so the columns of its key need titles")

    def _check_uses(self) -> None:
        """Columns named elsewhere exist and are of a kind that can be used so."""
        used = {*self.key, *self.ranked_by, *(name for index in self.indexes for name in index)}
        one_each = {column.of for column in self.columns if isinstance(column, PersonName | PersonCell)}
        used |= one_each
        lists = {column.of for column in self.columns if isinstance(column, PersonNames)}
        unknown = sorted((used | lists) - self.by_name.keys())
        if not self.key or unknown:
            raise ValueError(f"table {self.name!r}: key, indexes and `of` name stored columns; {unknown} are not")
        json = [
            column.name for column in self.stored if isinstance(column, Json) and (column.title or column.name in used)
        ]
        if json:
            raise ValueError(f"table {self.name!r}: {json} are JSON; such columns have no title and no index")
        files = [column.name for column in self.stored if isinstance(column, Attachments) and column.name in used]
        if files:
            raise ValueError(f"table {self.name!r}: {files} are attachments; such columns have no index")
        single = sorted(name for name in lists if not isinstance(self.by_name[name], Json))
        if single:
            raise ValueError(f"table {self.name!r}: PersonNames are `of` Json columns; {single} are not")
        nobody = sorted(name for name in one_each if not isinstance(self.by_name[name], Text))
        if nobody:
            raise ValueError(f"table {self.name!r}: PersonName and PersonCell are `of` Text columns; {nobody} are not")
        titles = [column.title for column in self.mirrored]
        if len(set(titles)) != len(titles):
            raise ValueError(f"table {self.name!r}: a title is given twice")
        wordless = [name for name in self.search if not isinstance(self.by_name.get(name), Text)]
        if wordless or len(set(self.search)) != len(self.search):
            raise ValueError(f"table {self.name!r}: search names Text columns, each once; {wordless} are not")

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that the local table has."""
        return tuple(column for column in self.columns if not isinstance(column, VIRTUAL))

    @cached_property
    def mirrored(self) -> tuple[Column, ...]:
        """The columns that the Bitable table has."""
        return tuple(column for column in self.columns if column.title)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The stored columns that people see, or of whom they see the name; of a private table all."""
        seen = {column.name for column in self.stored if column.title or not self.setting}
        seen |= {column.of for column in self.columns if column.title and isinstance(column, VIRTUAL)}
        return tuple(column.name for column in self.stored if column.name in seen)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """The columns of open_ids whose names the table shows, each once."""
        return tuple(dict.fromkeys(column.of for column in self.columns if isinstance(column, NAMING)))

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

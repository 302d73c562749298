"""What this program made in Bitable itself, as a note in the store: what it may go on with, and what it may extend.

A table that a person made is never changed unasked; one that is noted here gets the columns of a new version by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Self

import orjson

from ..storage.protocol import StoreHandle


@dataclass(frozen=True, slots=True)
class MadeBase:
    """A base that is not quite ready: until all is done, the next attempt goes on with it."""

    token: str
    default_table: str
    """The table every new base has; it goes when it was not used."""
    url: str

    @classmethod
    def noted(cls, store: StoreHandle) -> Self | None:
        """The base under way, if there is one."""
        note = store.note("base under way")
        return cls(**orjson.loads(note)) if note else None

    def note(self, store: StoreHandle) -> None:
        """Remember it."""
        store.set_note("base under way", orjson.dumps(asdict(self)).decode())

    @staticmethod
    def forget(store: StoreHandle) -> None:
        """It is ready."""
        store.set_note("base under way", "")


@dataclass(frozen=True, slots=True)
class MadeTable:
    """A table that the program made, or was about to make: then ``table_id`` is empty."""

    base: str
    name: str
    columns: tuple[str, ...]
    """Titles of the columns it was given; one of them that is missing now was deleted by a person."""
    table_id: str = ""

    @classmethod
    def noted(cls, store: StoreHandle, table: str) -> Self | None:
        """What was made for ``<plugin>.<table>``, if anything."""
        note = store.note(f"made {table}")
        if not note:
            return None
        found = orjson.loads(note)
        return cls(found["base"], found["name"], tuple(found["columns"]), found["table_id"])

    def with_columns(self, titles: Iterable[str]) -> Self:
        """The same table with further columns."""
        return replace(self, columns=(*self.columns, *titles))

    def note(self, store: StoreHandle, table: str) -> None:
        """Remember it."""
        store.set_note(f"made {table}", orjson.dumps(asdict(self)).decode())

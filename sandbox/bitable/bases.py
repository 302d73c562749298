"""The bases of the offline platform and the tables in them; the same seed gives the same ids."""

from __future__ import annotations

import random
import re
import string
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import links
from .gate import Gate, Replay
from .media import File, Media
from .properties import ATTACHMENT, DATE_TIME, SINGLE_SELECT, TEXT
from .refusals import refuse
from .table import Table

TABLES_PER_BASE = 100
NAME_LENGTH = 100
_ALPHABET = string.ascii_letters + string.digits
_LENGTHS = {"bascn": 22, "tbl": 13, "vew": 7, "fld": 7, "rec": 10, "opt": 7}
_APP_TOKEN = re.compile(r"[0-9A-Za-z]{16,40}")
_TABLE_ID = re.compile(r"tbl[0-9A-Za-z]{3,30}")
DEFAULT_FIELDS: tuple[dict[str, Any], ...] = (
    {"field_name": "文本", "type": TEXT},
    {"field_name": "单选", "type": SINGLE_SELECT},
    {"field_name": "日期", "type": DATE_TIME},
    {"field_name": "附件", "type": ATTACHMENT},
)


class Base:
    """A base: some tables, and the files uploaded for them."""

    def __init__(self, bases: Bases, app_token: str, name: str, folder_token: str, time_zone: str) -> None:
        self.app_token = app_token
        self.name = name
        self.folder_token = folder_token
        self.time_zone = time_zone
        self.tables: dict[str, Table] = {}
        self.members: dict[str, str] = {}
        """What those may do who were given access, by their ID or address."""
        self.revision = 1
        self.default_table_id = ""
        self._bases = bases
        self.new_id = bases.new_id
        self.editor = bases.editor

    def now_ms(self) -> int:
        """The time of the platform in ms."""
        return round(self._bases.clock() * 1000)

    def file(self, token: str) -> File | None:
        """The file uploaded to this base, None for a foreign token."""
        return self._bases.media.find(token, self.app_token)

    def create_table(
        self, name: Any, fields: Sequence[Any] = DEFAULT_FIELDS, *, view_name: Any = "表格", table_id: str = ""
    ) -> Table:
        """A new table with at least a primary field. Raises 1254001, 1254013, 1254100 and the field refusals."""
        self.check_name(name)
        if len(self.tables) >= TABLES_PER_BASE:
            raise refuse(1254100)
        if not isinstance(fields, list | tuple) or not fields:
            raise refuse(1254001, "fields")
        bases = self._bases
        gate = Gate(bases.write_seconds, bases.replay)
        table = Table(self, table_id or self.new_id("tbl"), name, gate, bases.records_per_table)
        # Known to the base first: a link may point to its own table.
        self.tables[table.table_id] = table
        try:
            for field in fields:
                table.add_field(field)
            table.views.add(view_name)
        except Exception:
            self.delete_tables([table.table_id])
            raise
        return table

    def table(self, table_id: Any) -> Table:
        """The table. Raises 1254004 for what is no table id and 1254041 for one of no table here."""
        if not isinstance(table_id, str) or _TABLE_ID.fullmatch(table_id) is None:
            raise refuse(1254004, "table_id")
        if (table := self.tables.get(table_id)) is None:
            raise refuse(1254041, table_id)
        return table

    def rename_table(self, table: Table, name: Any) -> None:
        """Raises 1254001 and 1254013."""
        if name != table.name:
            self.check_name(name)
            table.name = name
        table.touch()

    def delete_tables(self, table_ids: Iterable[Any]) -> None:
        """Removes tables, and the two-way links to them. Raises 1254004 and 1254041 before anything is gone."""
        tables = {table.table_id: table for table in map(self.table, table_ids)}
        for table in tables.values():
            table.delete(list(table.records))
            del self.tables[table.table_id]
            for field in table.fields:
                links.unpair(table, field)
        self.revision += 1

    def check_name(self, name: Any) -> None:
        """Raises 1254001 for a name that is empty, over 100 characters or not allowed, 1254013 for a known one."""
        if not isinstance(name, str) or not name.strip() or len(name) > NAME_LENGTH or set(name) & set("[]/\\?*:"):
            raise refuse(1254001, "name")
        if any(table.name == name for table in self.tables.values()):
            raise refuse(1254013, name)


class Bases:
    """Every base the app can reach.

    ``clock`` gives seconds since 1970; ``write_seconds`` is how long a write keeps its table; ``editor`` is the
    open_id that records are created and changed by; ``replay`` is explained in ``gate``.
    """

    def __init__(
        self,
        media: Media,
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        write_seconds: float = 0.002,
        replay: Replay = "same",
        records_per_table: int = 50_000,
        time_zone: str = "Asia/Shanghai",
        editor: str = "",
    ) -> None:
        self.media = media
        self.clock = clock
        self.write_seconds = write_seconds
        self.replay: Replay = replay
        self.records_per_table = records_per_table
        self.time_zone = time_zone
        self.editor = editor
        self._bases: dict[str, Base] = {}
        self._random = random.Random(f"bases {seed}")  # noqa: S311 - ids, not secrets

    def create(self, name: str, *, app_token: str = "", folder_token: str = "", time_zone: str = "") -> Base:
        """A new base without tables."""
        token = app_token or self.new_id("bascn")
        base = self._bases[token] = Base(self, token, name, folder_token, time_zone or self.time_zone)
        return base

    def find(self, app_token: str) -> Base:
        """The base. Raises 1254003 for what is no app_token and 1254040 for one of no base."""
        if _APP_TOKEN.fullmatch(app_token) is None:
            raise refuse(1254003, "app_token")
        if (base := self._bases.get(app_token)) is None:
            raise refuse(1254040, app_token)
        return base

    def tables(self) -> Iterator[Table]:
        """Every table of every base."""
        return (table for base in self._bases.values() for table in base.tables.values())

    def revision(self) -> int:
        """Another number after every change of any table."""
        return sum(base.revision for base in self._bases.values())

    def knows(self, app_token: str) -> bool:
        """Whether there is such a base."""
        return app_token in self._bases

    def new_id(self, prefix: str) -> str:
        """A fresh id: ``bascn…``, ``tbl…``, ``vew…``, ``fld…``, ``rec…``, ``opt…``."""
        return prefix + "".join(self._random.choices(_ALPHABET, k=_LENGTHS[prefix]))

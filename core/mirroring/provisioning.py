"""Making in Bitable what the enabled plugins declare: a base, and a table for each that has none yet.

Whatever interrupts it, the next attempt goes on: what is about to be made is noted first, what was made is found again,
and its ID is written where it belongs before the next one is made. It never changes a table that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ..errors import ApiError, ConfigurationError, Problem
from ..feishu import cells
from ..feishu.bases import NOT_THERE, RemoteBase
from ..feishu.bitable import NAME_TAKEN, RemoteTable
from ..feishu.transport import Api
from ..storage.protocol import StoreHandle
from ..table import Table
from . import blueprint
from .made import MadeBase, MadeTable

UNTOUCHED: Final = 500
"""Records of a new base's first table that are looked at before it is taken for unused."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table that can be mirrored."""

    plugin: str
    table: Table
    table_id: str
    """Empty = it has none yet."""
    in_plugins_file: bool = False
    """The operator keeps the IDs of this plugin's tables in ``plugins.toml``, not in the environment."""

    @property
    def full(self) -> str:
        """``<plugin>.<table>``."""
        return f"{self.plugin}.{self.table.name}"


class Step(NamedTuple):
    """What is to be done about a table."""

    wanted: Wanted
    what: Literal["keep", "use", "make"]
    name: str
    table_id: str = ""
    lacking: tuple[str, ...] = ()
    """Titles of columns that a table to use does not have."""


class Provisioning:
    """One attempt. ``keep_base`` and ``keep_table`` write an ID where it belongs, ``say`` tells what was done."""

    def __init__(
        self,
        api: Api,
        store: StoreHandle,
        *,
        keep_base: Callable[[str], None],
        keep_table: Callable[[Wanted, str], None],
        say: Callable[[str], None],
    ) -> None:
        self._api = api
        self._store = store
        self._keep_base = keep_base
        self._keep_table = keep_table
        self._say = say

    async def found_base(self, token: str) -> RemoteBase | None:
        """The base to use: ``token``, else one that an earlier attempt made, else None. Raises ``ApiFailure``."""
        if token:
            return RemoteBase(self._api, token)
        under_way = MadeBase.noted(self._store)
        if under_way is None:
            return None
        base = RemoteBase(self._api, under_way.token, address=under_way.url)
        try:
            await base.tables()
        except ApiError as error:
            if error.code not in NOT_THERE:
                raise
            return None
        return base

    async def plan(
        self, base: RemoteBase | None, chosen: Sequence[Wanted], others: Sequence[Wanted], *, adopt: bool
    ) -> list[Step]:
        """What is to be done, decided before anything is. ``others`` are tables that are not to be touched.

        A table of the right name that nobody here made is used only with ``adopt``. Raises ``ConfigurationError`` with
        every problem, ``ApiFailure``.
        """
        there = await base.tables() if base else {}
        problems = _shared_settings([*chosen, *others])
        taken = {there[one.table_id] for one in [*chosen, *others] if one.table_id in there}
        steps: list[Step] = []
        for one in chosen:
            try:
                step = await self._step(base, one, there, taken, adopt=adopt)
            except ConfigurationError as error:
                problems += error.problems
            else:
                taken.add(step.name)
                steps.append(step)
        if problems:
            raise ConfigurationError(problems)
        return steps

    async def make_base(self, name: str, folder: str, zone: str) -> RemoteBase:
        """A new base. Raises ``ApiFailure``; without an answer there may be one all the same, empty and unused."""
        made = MadeBase(*await RemoteBase.create(self._api, name, folder, zone))
        made.note(self._store)
        return RemoteBase(self._api, made.token, address=made.url, fresh=True)

    async def carry_out(self, base: RemoteBase, steps: Sequence[Step]) -> None:
        """Do what was planned. Raises ``ApiFailure``, ``ConfigurationError`` where an ID cannot be written."""
        self._keep_base(base.token)
        for step in steps:
            if step.what == "keep":
                self._say(f"{step.wanted.full}: {step.name} is there, {step.table_id}")
                continue
            table_id = step.table_id or await self._make(base, step)
            self._keep_table(step.wanted, table_id)
            self._say(f"{step.wanted.full}: {step.name} was {'made' if step.what == 'make' else 'found'}, {table_id}")
            if step.lacking:
                columns = ", ".join(step.lacking)
                self._say(f"  it has no {columns}: `python -m core tables check --add` adds what is missing")
        await self._tidy(base, {step.table_id for step in steps})

    async def _step(
        self, base: RemoteBase | None, one: Wanted, there: dict[str, str], taken: set[str], *, adopt: bool
    ) -> Step:
        if one.table_id:
            if one.table_id in there:
                return Step(one, "keep", there[one.table_id], one.table_id)
            fix = f"correct {one.table.setting}, or empty it to have a new table made"
            raise ConfigurationError([Problem(one.full, f"the base has no table {one.table_id}", fix)])
        title = one.table.title or one.table.name
        free = (each for each in (title, f"{title} ({one.plugin})") if each not in taken)
        name = next(free, f"{title} ({one.full})")
        table_id = next((each for each, called in there.items() if called == name), "")
        if base is None or not table_id:
            return Step(one, "make", name)
        made = MadeTable.noted(self._store, one.full)
        ours = made is not None and (made.base, made.name) == (base.token, name) and made.table_id in ("", table_id)
        if not ours and not adopt:
            what = f"the base has a table {name} already, which this program did not make"
            raise ConfigurationError(
                [Problem(one.full, what, "use it with --adopt, or give it another name in Bitable")]
            )
        return await self._use(base, one, name, table_id)

    async def _use(self, base: RemoteBase, one: Wanted, name: str, table_id: str) -> Step:
        found = blueprint.compare(one.table, await RemoteTable(self._api, base.token, table_id).fields())
        if found.wrong:
            column, kind = found.wrong[0]
            what = f"column {column.title} of table {name} is {cells.type_name(kind)}"
            fix = f"change it to {blueprint.wanted(column)}, or give the table another name in Bitable"
            raise ConfigurationError([Problem(one.full, what, fix)])
        return Step(one, "use", name, table_id, tuple(column.title for column in found.absent))

    async def _make(self, base: RemoteBase, step: Step) -> str:
        table = step.wanted.table
        about = MadeTable(base.token, step.name, tuple(column.title for column in table.mirrored))
        about.note(self._store, step.wanted.full)
        try:
            table_id = await base.create_table(step.name, blueprint.VIEW, blueprint.fields(table))
        except ApiError as error:
            if error.code not in NAME_TAKEN:
                raise
            # There was none a moment ago: of an attempt before this one the answer was lost.
            table_id = {name: each for each, name in (await base.tables()).items()}[step.name]
        MadeTable(about.base, about.name, about.columns, table_id).note(self._store, step.wanted.full)
        return table_id

    async def _tidy(self, base: RemoteBase, used: set[str]) -> None:
        """Remove the table that every new base begins with, unless somebody has used it meanwhile."""
        made = MadeBase.noted(self._store)
        if made is None or made.token != base.token:
            return
        there = await base.tables()
        name = there.get(made.default_table)
        if name is not None and len(there) > 1 and made.default_table not in used:
            if await self._is_blank(base, made.default_table):
                await base.delete_table(made.default_table)
            else:
                self._say(f"The base's first table, {name}, is in use already and stays.")
        MadeBase.forget(self._store)

    async def _is_blank(self, base: RemoteBase, table_id: str) -> bool:
        table = RemoteTable(self._api, base.token, table_id)
        columns = [field.name for field in await table.fields()]
        async for page in table.records(columns):
            return len(page) < UNTOUCHED and not any(filled for _, filled in page)
        return True


def _shared_settings(tables: Sequence[Wanted]) -> list[Problem]:
    """A place that would hold the IDs of two tables."""
    return [
        Problem(one.full, f"{one.table.setting} is the place of another table's ID too", "an author has to rename it")
        for i, one in enumerate(tables)
        if not one.table_id
        and not one.in_plugins_file
        and one.table.setting in {before.table.setting for before in tables[:i]}
    ]

"""One table: its fields and records, kept in memory as compactly as they can be read back (FEISHU.md §5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..reply import ApiError
from . import links, properties
from .fields import Field, declare
from .gate import Gate
from .kinds import Terms
from .properties import Option
from .refusals import refuse
from .views import Views

if TYPE_CHECKING:
    from .bases import Base
    from .media import File

FIELDS_PER_TABLE = 300
FORMULAS_PER_TABLE = 100
_RECORD_ID = re.compile(r"rec[0-9A-Za-z]{3,30}")
_FIELD_ID = re.compile(r"fld[0-9A-Za-z]{3,30}")


class Record:
    """A row: one stored value per field, None where the cell is empty. Times are in ms."""

    __slots__ = ("created", "modified", "number", "record_id", "values")

    def __init__(self, record_id: str, values: tuple[Any, ...], now: int, number: int) -> None:
        self.record_id = record_id
        self.values = values
        self.created = now
        self.modified = now
        self.number = number


class Table:
    """A table. Every change is made by one of the methods below, and is made completely or not at all.

    Callers that come from outside pass their changes through ``gate``.
    """

    def __init__(self, base: Base, table_id: str, name: str, gate: Gate, most_records: int) -> None:
        self.base = base
        self.table_id = table_id
        self.name = name
        self.gate = gate
        self.most_records = most_records
        self.revision = 0
        self.fields: list[Field] = []
        self.by_name: dict[str, Field] = {}
        self.records: dict[str, Record] = {}
        self.views = Views(base.new_id)
        self._numbered = 0
        self._new_options: list[tuple[Field, str]] = []

    # What cells may refer to (kinds.Surroundings).

    def file(self, token: str) -> File | None:
        """The file uploaded to this base, None for a foreign token."""
        return self.base.file(token)

    def has_record(self, table_id: str, record_id: str) -> bool:
        """Whether a link can point there."""
        table = self.base.tables.get(table_id)
        return table is not None and record_id in table.records

    def new_option(self, field: Field, name: str) -> Option:
        """Adds the option ``name`` to ``field``; taken back when the write fails."""
        options = field.options if field.options is not None else {}
        option = options[name] = Option(self.base.new_id("opt"), name, len(options) % 55)
        self._new_options.append((field, name))
        return option

    # Records.

    def create(self, rows: Sequence[Any], terms: Terms) -> list[str]:
        """Adds a record for each mapping of field names to written values; returns the new ids.

        Raises 1254001, 1254045, 1254103 and the refusals of the field types.
        """
        if len(self.records) + len(rows) > self.most_records:
            raise refuse(1254103)
        now = self.base.now_ms()
        empty: tuple[Any, ...] = tuple(self._filled_in(field, now) for field in self.fields)
        values = self._converted(((empty, row) for row in rows), terms)
        ids = []
        for row in values:
            self._numbered += 1
            record = Record(self.base.new_id("rec"), row, now, self._numbered)
            self.records[record.record_id] = record
            ids.append(record.record_id)
            links.mirror(self, record.record_id, empty, row)
        self.touch()
        return ids

    def update(self, changes: Sequence[tuple[str, Any]], terms: Terms) -> list[str]:
        """Changes the given fields of the given records, None empties a cell; returns the record ids.

        Raises what ``create`` raises, 1254006 and 1254043.
        """
        records = [self.record(record_id) for record_id, _ in changes]
        now = self.base.now_ms()
        pending = {record.record_id: record.values for record in records}
        for record, (_, row) in zip(records, changes, strict=True):
            pending[record.record_id] = self._converted([(pending[record.record_id], row)], terms)[0]
        before = {record.record_id: record.values for record in records}
        for record in records:
            record.values, record.modified = pending[record.record_id], now
        for record_id, values in pending.items():
            links.mirror(self, record_id, before[record_id], values)
        self.touch()
        return [record.record_id for record in records]

    def delete(self, record_ids: Sequence[Any]) -> list[str]:
        """Removes records and every link to them; returns their ids. Raises 1254006 and 1254043."""
        ids = list(dict.fromkeys(self.record(record_id).record_id for record_id in record_ids))
        for record_id in ids:
            del self.records[record_id]
        links.forget(self, frozenset(ids))
        self.touch()
        return ids

    def record(self, record_id: Any) -> Record:
        """The record. Raises 1254006 for what is no record id and 1254043 for one of no record here."""
        found = self.records.get(record_id) if isinstance(record_id, str) else None
        if found is not None:
            return found
        if not isinstance(record_id, str) or _RECORD_ID.fullmatch(record_id) is None:
            raise refuse(1254006, "record_id")
        raise refuse(1254043, record_id)

    def cell(self, record: Record, field: Field) -> Any:
        """The stored value of a cell, None when it is empty; automatic fields get theirs from the record."""
        match field.type:
            case properties.CREATED_TIME:
                return record.created
            case properties.MODIFIED_TIME:
                return record.modified
            case properties.CREATED_USER | properties.MODIFIED_USER:
                return (self.base.editor,)
            case properties.AUTO_NUMBER:
                return str(record.number)
        return record.values[field.column]

    def read(self, record: Record, terms: Terms, fields: Iterable[Field] | None = None) -> dict[str, Any]:
        """The read form of a record's cells by field name, without the empty ones."""
        cells = ((field, self.cell(record, field)) for field in (self.fields if fields is None else fields))
        return {field.name: field.kind.read(value, terms, self) for field, value in cells if value is not None}

    def echo(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The form in which a create or update answers the accepted ``row``."""
        by_name = self.by_name
        return {
            name: by_name[name].kind.echo(value) if name in by_name else value
            for name, value in row.items()
            if value is not None
        }

    def touch(self) -> None:
        """Counts a change of the table and of its base."""
        self.revision += 1
        self.base.revision += 1
        self._new_options.clear()

    def _filled_in(self, field: Field, now: int) -> int | None:
        return now if field.type == properties.DATE_TIME and (field.property or {}).get("auto_fill") else None

    def _converted(self, pairs: Iterable[tuple[tuple[Any, ...], Any]], terms: Terms) -> list[tuple[Any, ...]]:
        by_name = self.by_name
        converted = []
        try:
            for before, row in pairs:
                if not isinstance(row, dict):
                    raise refuse(1254001, "fields")
                values = list(before)
                for name, value in row.items():
                    field = by_name.get(name)
                    if field is None:
                        raise refuse(1254045, f"fields.{name}")
                    values[field.column] = None if value is None else field.kind.store(value, field, terms, self)
                converted.append(tuple(values))
        except ApiError:
            self._take_back_options()
            raise
        return converted

    def _take_back_options(self) -> None:
        for field, name in self._new_options:
            if field.options:
                field.options.pop(name, None)
        self._new_options.clear()

    # Fields.

    def field(self, field_id: Any) -> Field:
        """The field. Raises 1254009 for what is no field id and 1254044 for one of no field here."""
        if not isinstance(field_id, str) or _FIELD_ID.fullmatch(field_id) is None:
            raise refuse(1254009, "field_id")
        for field in self.fields:
            if field.field_id == field_id:
                return field
        raise refuse(1254044, field_id)

    def named(self, name: Any, code: int) -> Field:
        """The field called ``name``, or the refusal ``code``."""
        field = self.by_name.get(name) if isinstance(name, str) else None
        if field is None:
            raise refuse(code, str(name))
        return field

    def add_field(self, spec: Any) -> list[str]:
        """Adds the field ``spec`` describes; the first one becomes the primary field. Returns its id.

        Raises 1254012 (a primary field of another type than 1, 2, 5, 13, 15, 20, 22), 1254014, 1254105 and the
        refusals of ``declare``.
        """
        field = declare(spec, self.base.new_id)
        field.is_primary = not self.fields
        self._check(field, None)
        links.check(self, field)
        self.attach(field)
        links.pair(self, field, back_name=(field.property or {}).get("back_field_name"))
        self.touch()
        return [field.field_id]

    def attach(self, field: Field) -> None:
        """Puts a checked field after the others, with an empty cell in every record."""
        field.column = len(self.fields)
        self.fields.append(field)
        self.by_name[field.name] = field
        for record in self.records.values():
            record.values = (*record.values, None)

    def change_field(self, field_id: Any, spec: Any, terms: Terms) -> list[str]:
        """Replaces a field's definition by ``spec``. Cells the new type cannot hold are emptied."""
        old = self.field(field_id)
        new = declare(spec, self.base.new_id, known=old.options)
        new.field_id, new.column, new.is_primary = old.field_id, old.column, old.is_primary
        self._check(new, old)
        if new.type in (properties.SINGLE_LINK, properties.DUPLEX_LINK):
            links.check(self, new)
        if old.type == new.type == properties.DUPLEX_LINK:
            new.property = {**(old.property or {}), "multiple": (new.property or {})["multiple"]}
        elif properties.DUPLEX_LINK in (old.type, new.type):
            raise refuse(properties.refused(new.type), "type")
        self.fields[old.column] = new
        del self.by_name[old.name]
        self.by_name[new.name] = new
        self._convert_cells(old, new, terms)
        self.touch()
        return [new.field_id]

    def delete_field(self, field_id: Any) -> list[str]:
        """Removes a field and its cells, a two-way link on both sides. The primary field stays: 1254012."""
        field = self.field(field_id)
        if field.is_primary:
            raise refuse(1254012, field_id)
        links.unpair(self, field)
        self.detach(field)
        self.touch()
        return [field.field_id]

    def detach(self, field: Field) -> None:
        """Takes a field and its cells away."""
        at = field.column
        del self.fields[at]
        del self.by_name[field.name]
        for later in self.fields[at:]:
            later.column -= 1
        for record in self.records.values():
            record.values = record.values[:at] + record.values[at + 1 :]

    def _check(self, field: Field, old: Field | None) -> None:
        known = self.by_name.get(field.name)
        if known is not None and known is not old:
            raise refuse(1254014, field.name)
        if field.is_primary and field.type not in properties.PRIMARY_TYPES:
            raise refuse(1254012, field.name)
        formulas = sum(other.type == properties.FORMULA for other in self.fields if other is not old)
        if old is None and len(self.fields) >= FIELDS_PER_TABLE:
            raise refuse(1254105)
        if field.type == properties.FORMULA and formulas >= FORMULAS_PER_TABLE:
            raise refuse(1254105)

    def _convert_cells(self, old: Field, new: Field, terms: Terms) -> None:
        kept = {option.option_id: option for option in (new.options or {}).values()}
        for record in self.records.values():
            stored = record.values[old.column]
            if stored is None:
                continue
            if old.type != new.type:
                stored = self._rewritten(old, new, stored, terms)
            elif old.type == properties.SINGLE_SELECT:
                stored = kept.get(stored.option_id)
            elif old.type == properties.MULTI_SELECT:
                stored = tuple(kept[option.option_id] for option in stored if option.option_id in kept) or None
            record.values = (*record.values[: old.column], stored, *record.values[old.column + 1 :])

    def _rewritten(self, old: Field, new: Field, stored: Any, terms: Terms) -> Any:
        try:
            return new.kind.store(old.kind.written(stored), new, terms, self)
        except ApiError:
            return None

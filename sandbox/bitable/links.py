"""Links between records: a two-way link is a pair of fields that always say the same (FEISHU.md §5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import properties
from .fields import Field, declare
from .refusals import refuse

if TYPE_CHECKING:
    from .table import Table

_LINKS = (properties.SINGLE_LINK, properties.DUPLEX_LINK)


def check(table: Table, field: Field) -> None:
    """Refuses a link to a table that is not in the base (1254089, 1254092)."""
    if field.type in _LINKS and (field.property or {})["table_id"] not in table.base.tables:
        raise refuse(properties.refused(field.type), "property.table_id")


def pair(table: Table, field: Field, back_name: str | None) -> None:
    """Gives a new two-way link its other side, named ``back_name`` or after the table."""
    if field.type != properties.DUPLEX_LINK:
        return
    partner_table = table.base.tables[(field.property or {})["table_id"]]
    name = unique = (back_name or f"{table.name}-{field.name}")[:90]
    number = 1
    while unique in partner_table.by_name:
        number += 1
        unique = f"{name} {number}"
    back = declare(
        {"field_name": unique, "type": properties.DUPLEX_LINK, "property": {"table_id": table.table_id}},
        table.base.new_id,
    )
    partner_table.attach(back)
    back.property = {**(back.property or {}), "back_field_id": field.field_id, "back_field_name": field.name}
    field.property = {**(field.property or {}), "back_field_id": back.field_id, "back_field_name": unique}


def unpair(table: Table, field: Field) -> None:
    """Removes the other side of a two-way link that goes away."""
    if (partner := _partner(table, field)) is not None:
        partner_table, back = partner
        partner_table.detach(back)


def mirror(table: Table, record_id: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> None:
    """Writes what changed in the two-way links of a record into the records at their other end."""
    for field in table.fields:
        if field.type != properties.DUPLEX_LINK or (partner := _partner(table, field)) is None:
            continue
        partner_table, back = partner
        old, new = set(before[field.column] or ()), set(after[field.column] or ())
        for linked in old ^ new:
            record = partner_table.records[linked]
            others = tuple(other for other in record.values[back.column] or () if other != record_id)
            _put(partner_table, linked, back, (*others, record_id) if linked in new else others)


def forget(table: Table, record_ids: frozenset[str]) -> None:
    """Takes deleted records out of every link that points to them."""
    for other in table.base.tables.values():
        for field in other.fields:
            if field.type not in _LINKS or (field.property or {})["table_id"] != table.table_id:
                continue
            for record in other.records.values():
                linked = record.values[field.column]
                if linked and not record_ids.isdisjoint(linked):
                    _put(other, record.record_id, field, tuple(one for one in linked if one not in record_ids))


def _partner(table: Table, field: Field) -> tuple[Table, Field] | None:
    settings = field.property or {}
    partner_table = table.base.tables.get(settings.get("table_id", ""))
    if field.type != properties.DUPLEX_LINK or partner_table is None:
        return None
    for back in partner_table.fields:
        if back.field_id == settings.get("back_field_id"):
            return partner_table, back
    return None


def _put(table: Table, record_id: str, field: Field, linked: tuple[str, ...]) -> None:
    record = table.records[record_id]
    record.values = (*record.values[: field.column], linked or None, *record.values[field.column + 1 :])

"""What people do to a table while the app is not looking."""

from __future__ import annotations

import random

from ..bitable.bases import Base


def delete(what: str, base: Base, table_id: str, chance: random.Random) -> None:
    """Deletes the table, or a record or a column of it, drawn by ``chance``; nothing where there is none to delete.

    The primary column stays: nobody can delete it. Raises the refusals of ``Base.table``.
    """
    table = base.table(table_id)
    match what:
        case "record-deleted" if table.records:
            table.delete([chance.choice(list(table.records))])
        case "column-deleted":
            if columns := [field.field_id for field in table.fields if not field.is_primary]:
                table.delete_field(chance.choice(columns))
        case "table-deleted":
            base.delete_tables([table_id])

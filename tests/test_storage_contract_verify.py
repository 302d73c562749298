"""What every storage engine promises those who compare a table with Bitable (``core/storage/protocol.py``)."""

from __future__ import annotations

import storage_contract as contract
from storage_contract import PLUGIN, SCORES, create, delete, pending, score

from core.storage.protocol import StoreHandle

reopen, engine, store = contract.reopen, contract.engine, contract.store


def test_every_row_is_told_with_its_record_also_when_it_waits_for_nothing(store: StoreHandle) -> None:
    for user in ("u", "v", "w"):
        score(store, user, 1)
    store.end_batch(PLUGIN, SCORES, create(store, ["u", "v"]), ["rec_u", "rec_v"])
    delete(store, SCORES, "v")
    assert {row.row["user"]: row.record for row in store.mirrored(PLUGIN, SCORES)} == {"u": "rec_u", "w": None}


def test_only_the_rows_with_the_records_named_are_touched(store: StoreHandle) -> None:
    for user in ("u", "v"):
        score(store, user, 1)
    store.end_batch(PLUGIN, SCORES, create(store, ["u", "v"]), ["rec_u", "rec_v"])
    store.touch(PLUGIN, SCORES, ["rec_v", "rec_unknown"])
    assert pending(store).keys() == {"v"}
    store.touch(PLUGIN, SCORES)
    assert pending(store).keys() == {"u", "v"}

"""What every storage engine promises the mirror and the kernel (``core/storage/protocol.py``)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import storage_contract as contract
from storage_contract import NOTES, PLUGIN, SCORES, create, delete, mirrored, pending, score

from core.errors import Replaced, StorageError
from core.storage.protocol import Engine, StoreHandle
from core.storage.values import Batch, Commit, Publication

reopen, engine, store = contract.reopen, contract.engine, contract.store


# What Bitable does not show yet


def test_a_changed_row_waits_once_with_its_last_values(store: StoreHandle) -> None:
    assert store.count_pending(PLUGIN, SCORES) == (0, 0)
    for points in range(1, 101):
        score(store, "u", points)
    score(store, "v", 1)
    waiting = pending(store)
    assert waiting.keys() == {"u", "v"}
    assert waiting["u"].row == {"user": "u", "points": 100, "at": None}
    assert (waiting["u"].record, waiting["u"].deleted) == (None, False)
    assert store.count_pending(PLUGIN, SCORES) == (2, 2)
    assert len(store.pending(PLUGIN, SCORES, 1)) == 1


def test_a_created_row_has_a_record_and_waits_no_longer(store: StoreHandle) -> None:
    score(store, "u", 1)
    score(store, "v", 2)
    batch = create(store, ["u", "v"])
    assert store.batch(PLUGIN, SCORES) == batch
    assert store.count_pending(PLUGIN, SCORES) == (2, 2)
    store.end_batch(PLUGIN, SCORES, batch, ["rec_u", "rec_v"])
    assert store.batch(PLUGIN, SCORES) is None
    assert store.count_pending(PLUGIN, SCORES) == (0, 2)
    score(store, "v", 3)
    assert pending(store).keys() == {"v"}
    assert pending(store)["v"].record == "rec_v"
    store.settle(PLUGIN, SCORES, updated=[(pending(store)["v"].rowid, pending(store)["v"].version)])
    assert store.count_pending(PLUGIN, SCORES) == (0, 2)


def test_a_batch_is_kept_over_a_restart_until_it_is_ended(store: StoreHandle, reopen: Callable[[], Engine]) -> None:
    score(store, "u", 1)
    batch = Batch("token-1", "深".encode(), create(store, ["u"]).rows)
    with pytest.raises(StorageError):  # One creation at a time.
        store.begin_batch(PLUGIN, SCORES, batch)
    with reopen() as engine:
        other = engine.store()
        kept = other.batch(PLUGIN, SCORES)
        assert kept == Batch("t", b"{}", batch.rows)
        assert other.batch(PLUGIN, NOTES) is None
        other.end_batch(PLUGIN, SCORES, kept, None)
        assert other.batch(PLUGIN, SCORES) is None
        assert pending(other)["u"].record is None
        other.begin_batch(PLUGIN, SCORES, batch)
        assert other.batch(PLUGIN, SCORES) == batch
        other.close()


def test_a_row_changed_while_its_flush_is_under_way_waits_again(store: StoreHandle) -> None:
    score(store, "u", 1)
    batch = create(store, ["u"])
    score(store, "u", 2)
    store.end_batch(PLUGIN, SCORES, batch, ["rec_u"])
    sent = pending(store)["u"]
    assert (sent.record, sent.row["points"]) == ("rec_u", 2)
    score(store, "u", 3)
    store.settle(PLUGIN, SCORES, updated=[(sent.rowid, sent.version)])
    assert pending(store)["u"].row["points"] == 3


def test_an_old_answer_never_takes_a_newer_one_back(store: StoreHandle) -> None:
    score(store, "u", 1)
    mirrored(store, "u")
    score(store, "u", 2)
    old = pending(store)["u"]
    score(store, "u", 3)
    new = pending(store)["u"]
    store.settle(PLUGIN, SCORES, updated=[(new.rowid, new.version)])
    store.settle(PLUGIN, SCORES, updated=[(old.rowid, old.version)])
    assert pending(store) == {}


def test_a_deleted_row_waits_until_its_record_is_gone(store: StoreHandle) -> None:
    score(store, "u", 1)
    mirrored(store, "u")
    delete(store, SCORES, "u")
    assert store.count_pending(PLUGIN, SCORES) == (1, 0)
    waiting = pending(store)["u"]
    assert (waiting.record, waiting.deleted) == ("rec_u", True)
    store.settle(PLUGIN, SCORES, deleted=[waiting.rowid])
    assert store.count_pending(PLUGIN, SCORES) == (0, 0)


def test_a_row_made_anew_after_its_delete_keeps_its_record(store: StoreHandle) -> None:
    score(store, "u", 1)
    mirrored(store, "u")
    delete(store, SCORES, "u")
    score(store, "u", 5)
    waiting = pending(store)["u"]
    assert (waiting.record, waiting.deleted, waiting.row["points"]) == ("rec_u", False, 5)


def test_a_row_made_anew_while_its_record_is_being_deleted_gets_a_new_record(store: StoreHandle) -> None:
    score(store, "u", 1)
    mirrored(store, "u")
    delete(store, SCORES, "u")
    leaving = pending(store)["u"]
    score(store, "u", 5)
    store.settle(PLUGIN, SCORES, deleted=[leaving.rowid])
    waiting = pending(store)["u"]
    assert (waiting.record, waiting.deleted, waiting.row["points"]) == (None, False, 5)


def test_a_row_deleted_while_it_is_being_created_is_deleted_there_too(store: StoreHandle) -> None:
    score(store, "u", 1)
    batch = create(store, ["u"])
    delete(store, SCORES, "u")
    store.end_batch(PLUGIN, SCORES, batch, ["rec_u"])
    waiting = pending(store)["u"]
    assert (waiting.record, waiting.deleted) == ("rec_u", True)


def test_a_row_deleted_while_it_is_being_created_survives_a_restart_in_between(
    store: StoreHandle, reopen: Callable[[], Engine]
) -> None:
    """Its record may exist already: forgetting the row would leave the record in Bitable for ever, or hand it on."""
    score(store, "u", 1)
    batch = create(store, ["u"])
    delete(store, SCORES, "u")
    with reopen() as engine:
        other = engine.store()
        other.prepare(PLUGIN, (SCORES, NOTES))
        score(other, "v", 7)
        other.end_batch(PLUGIN, SCORES, batch, ["rec_u"])
        waiting = pending(other)
        assert (waiting["u"].record, waiting["u"].deleted) == ("rec_u", True)
        assert (waiting["v"].record, waiting["v"].deleted) == (None, False)
        other.close()


def test_a_row_deleted_before_it_was_ever_sent_is_forgotten_at_the_next_start(store: StoreHandle) -> None:
    score(store, "u", 1)
    delete(store, SCORES, "u")
    store.prepare(PLUGIN, (SCORES, NOTES))
    assert store.count_pending(PLUGIN, SCORES) == (0, 0)


def test_a_record_that_is_gone_is_made_again(store: StoreHandle) -> None:
    for user in ("u", "v", "w"):
        score(store, user, 1)
    mirrored(store, "u", "v", "w")
    store.forget_records(PLUGIN, SCORES, ["rec_u", "rec_unknown"])
    assert {user: row.record for user, row in pending(store).items()} == {"u": None}
    create(store, ["u"])
    store.forget_records(PLUGIN, SCORES, None)
    assert {user: row.record for user, row in pending(store).items()} == {"u": None, "v": None, "w": None}
    assert store.batch(PLUGIN, SCORES) is None


def test_what_bitable_holds_already_is_adopted(store: StoreHandle) -> None:
    score(store, "known", 5)
    mirrored(store, "known")
    score(store, "waiting", 6)
    found = [
        ("rec_1", {"user": "known", "points": 1.0, "at": None}),
        ("rec_2", {"user": "waiting", "points": 2.0, "at": None}),
        ("rec_3", {"user": "unknown", "points": 3.5, "at": 9}),
        ("rec_4", {"user": "unknown", "points": 4.0, "at": None}),
    ]
    assert store.adopt(PLUGIN, SCORES, found) == 2
    assert {row["user"]: row["points"] for row in store.scan(PLUGIN, SCORES)} == {
        "known": 5,
        "waiting": 6,
        "unknown": 3.5,
    }
    assert {user: row.record for user, row in pending(store).items()} == {"waiting": "rec_2"}
    score(store, "known", 7)
    score(store, "unknown", 8)
    records = {user: row.record for user, row in pending(store).items()}
    assert records == {"waiting": "rec_2", "known": "rec_known", "unknown": "rec_3"}


def test_rows_that_are_taken_over_have_a_batch_that_did_not_see_them_done_again(store: StoreHandle) -> None:
    found = [("rec_1", {"user": "u", "points": 3.5, "at": None})]
    cursor = store.cursor(PLUGIN, 0)
    counted = Commit(
        PLUGIN, cursor, cursor + 1, now=1, rows={SCORES: {("u",): {"user": "u", "points": 1.0, "at": None}}}
    )
    store.adopt(PLUGIN, SCORES, found)
    with pytest.raises(Replaced):
        store.commit(counted)
    assert [row["points"] for row in store.scan(PLUGIN, SCORES)] == [3.5]
    assert store.cursor(PLUGIN, 0) == cursor
    store.adopt(PLUGIN, SCORES, found)
    store.commit(counted)
    assert [row["points"] for row in store.scan(PLUGIN, SCORES)] == [1.0]


def test_a_lost_record_found_again_is_not_made_twice(store: StoreHandle) -> None:
    score(store, "u", 1)
    batch = create(store, ["u"])
    assert store.adopt(PLUGIN, SCORES, [("rec_u", {"user": "u", "points": 1.0, "at": None})]) == 1
    store.end_batch(PLUGIN, SCORES, batch, None)
    assert pending(store)["u"].record == "rec_u"


# People, calls, notes, publications


def test_names_are_kept_with_the_time_they_were_looked_up(store: StoreHandle) -> None:
    store.save_people({"u": "李", "v": ""}, 100, [])
    store.save_people({"u": "李四"}, 200, [])
    assert store.people(["u", "v", "w"]) == {"u": ("李四", 200), "v": ("", 100)}
    assert store.all_people() == {"u": "李四"}
    many = {f"p{number}": str(number) for number in range(1200)}
    store.save_people(many, 300, [])
    assert store.people(list(many)) == {who: (name, 300) for who, name in many.items()}
    assert store.people([]) == {}


def test_rows_that_show_a_changed_name_wait_to_be_mirrored(store: StoreHandle) -> None:
    for user in ("u", "v"):
        score(store, user, 1)
    mirrored(store, "u", "v")
    uses = [(PLUGIN, SCORES, "user")]
    store.save_people({"u": "李", "v": ""}, 1, uses)
    assert pending(store).keys() == {"u"}
    sent = pending(store)["u"]
    store.settle(PLUGIN, SCORES, updated=[(sent.rowid, sent.version)])
    store.save_people({"u": "李", "v": ""}, 2, uses)
    assert pending(store) == {}
    store.save_people({"u": "李四"}, 3, uses)
    assert pending(store).keys() == {"u"}


def test_strangers_are_those_nobody_ever_asked_for(store: StoreHandle) -> None:
    for user in ("u", "v", "w"):
        score(store, user, 1)
    store.save_people({"u": "李", "v": ""}, 1, [])
    assert store.strangers(PLUGIN, SCORES, "user") == ["w"]
    for number in range(60):
        score(store, f"p{number}", 1)
    assert len(store.strangers(PLUGIN, SCORES, "user")) == 50


def test_calls_are_counted_by_day_and_name(store: StoreHandle) -> None:
    for day, name in (("10-31", "search"), ("11-01", "search"), ("11-30", "create"), ("11-30", "search")):
        store.count_call(f"2026-{day}", name)
    assert store.calls_since("2026-11-01") == {"2026-11-01": 1, "2026-11-30": 2}
    assert store.calls("2026-11") == {"search": 2, "create": 1}
    assert store.calls("2026-10") == {"search": 1}
    assert store.calls("2026-12") == {}


def test_notes_are_kept_by_name(store: StoreHandle) -> None:
    assert store.note("a") is None
    store.set_note("a", "1")
    store.set_note("a", "二")
    assert store.note("a") == "二"


def test_publications_wait_in_order_until_they_are_relayed(store: StoreHandle) -> None:
    store.commit(Commit(PLUGIN, 0, 1, now=1, published=[Publication("c.a", str(n), {"n": n}) for n in range(3)]))
    store.commit(Commit(PLUGIN, 1, 2, now=1, published=[Publication("c.a", "3", {"n": 3})]))
    waiting = store.publications(3)
    assert [one.event["n"] for _, one in waiting] == [0, 1, 2]
    store.relayed([number for number, _ in waiting])
    assert [one.event_id for _, one in store.publications(3)] == ["3"]
    store.relayed([])

"""What every engine promises about attachments: asked for and answered once, with the commit or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import storage_contract as contract
from storage_contract import PLUGIN

from core.errors import Fenced
from core.storage.protocol import StoreHandle
from core.storage.values import Attachment, AttachmentCount, AttachmentRequest, Commit

reopen, engine, store = contract.reopen, contract.engine, contract.store

DONE = {"name": "a.pdf", "size": 3, "file_token": "boxcn1", "problem": ""}


def ask(store: StoreHandle, *asked: tuple[str, str], now: int = 100, name: str = "a.pdf", plugin: str = PLUGIN) -> None:
    requests = [AttachmentRequest(message, key, "file", name) for message, key in asked]
    cursor = store.cursor(plugin, 0)
    store.commit(Commit(plugin, cursor, cursor + 1, now=now, attachments=requests))


def told(store: StoreHandle) -> list[tuple[str, dict[str, Any]]]:
    return [(publication.event_id, dict(publication.event)) for _, publication in store.publications(100)]


def one(store: StoreHandle) -> Attachment:
    (attachment,) = store.attachments(1_000, 10)
    return attachment


def test_what_is_asked_for_waits_from_then_on(store: StoreHandle) -> None:
    ask(store, ("m1", "k1"), ("m1", "k2"), now=200)
    ask(store, ("m2", "k3"), now=100)
    assert store.attachments(99, 10) == []
    assert [each.file_key for each in store.attachments(200, 10)] == ["k3", "k1", "k2"]
    assert [each.file_key for each in store.attachments(200, 2)] == ["k3", "k1"]
    assert store.attachments(200, 10)[0] == Attachment("k3", "file", "a.pdf", due=100)
    assert store.attachment_count() == AttachmentCount(3, 0, 0, 0)


def test_what_is_due_much_later_was_noted_by_a_wrong_clock(store: StoreHandle) -> None:
    ask(store, ("m1", "k1"), now=10**12)
    assert len(store.attachments(100, 10)) == 1


def test_a_commit_that_is_not_stored_asks_for_nothing(store: StoreHandle) -> None:
    asked = [AttachmentRequest("m1", "k1", "file", "")]
    with pytest.raises(Fenced):
        store.commit(Commit(PLUGIN, 7, 8, now=1, attachments=asked))
    assert store.attachment_count().waiting == 0


def test_a_resource_is_one_for_all_and_everyone_is_told(store: StoreHandle) -> None:
    ask(store, ("m1", "k"), ("m2", "k"), name="")
    ask(store, ("m1", "k"), ("m1", "k"))
    ask(store, ("m1", "k"), plugin="other", name="later.pdf")
    assert (one(store).name, store.attachment_messages("k")) == ("a.pdf", ["m1", "m2"])
    store.settle_attachment(replace(one(store), done=True, size=3), DONE)
    assert told(store) == [
        (f"{plugin}:{message}:k", {"plugin": plugin, "message_id": message, "file_key": "k", **DONE})
        for plugin, message in ((PLUGIN, "m1"), (PLUGIN, "m2"), ("other", "m1"))
    ]
    assert store.attachments(1_000, 10) == []
    assert store.attachment_count() == AttachmentCount(0, 0, 1, 3)


def test_asking_again_is_answered_again_and_under_another_name(store: StoreHandle) -> None:
    for _ in range(2):
        ask(store, ("m1", "k"))
        assert store.attachments(1_000, 10, done=False) == store.attachments(1_000, 10)
        store.settle_attachment(one(store), DONE)
    assert [event_id for event_id, _ in told(store)] == [f"{PLUGIN}:m1:k", f"{PLUGIN}:m1:k:2"]


def test_a_problem_of_one_message_leaves_the_others_waiting(store: StoreHandle) -> None:
    ask(store, ("m1", "k"), ("m2", "k"))
    store.settle_attachment(one(store), {**DONE, "problem": "gone"}, message_id="m1")
    assert [event["message_id"] for _, event in told(store)] == ["m1"]
    assert store.attachment_messages("k") == ["m2"]
    assert store.attachment_count() == AttachmentCount(1, 1, 0, 0)


def test_progress_is_kept_and_found_by_what_is_done(store: StoreHandle) -> None:
    ask(store, ("m1", "k"))
    parts = {"upload_id": "7", "done": 3}
    changed = replace(
        one(store), size=9, checksum=2**32 - 1, media_type="a/b", base="b", path="p", parts=parts, name="safe.pdf"
    )
    store.save_attachment(changed)
    assert one(store) == changed
    assert store.partial_attachments() == ["k"]
    store.postpone_attachment("k", 2, 500, keep_parts=True)
    assert one(store) == replace(changed, attempts=2, due=500)
    assert store.attachments(499, 10) == []
    store.postpone_attachment("k", 3, 600, keep_parts=False)
    assert one(store) == replace(changed, attempts=3, due=600, parts=None)
    store.save_attachment(replace(changed, done=True))
    assert (store.attachments(900, 10, done=False), len(store.attachments(900, 10, done=True))) == ([], 1)

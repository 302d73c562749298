"""What the API shows of a message, turned into the event that was pushed: the same for all that differs (§4.2)."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Malformed
from core.events import EDIT, Event, Message, Reaction, Recall, decode
from core.history.as_pushed import BY_APP, BY_PLATFORM, ORIGIN, as_pushed, left_out, reaction_as_pushed
from sandbox.api.history import Documents
from sandbox.config import SandboxConfig
from sandbox.ids import Ids
from sandbox.people import App
from sandbox.scenario import catalogue
from sandbox.scenario.act import Act
from sandbox.world import World

ITEM: dict[str, Any] = {
    "message_id": "om_1",
    "root_id": "",
    "parent_id": "",
    "thread_id": "omt_1",
    "msg_type": "text",
    "create_time": "1763805600000",
    "update_time": "1763805600000",
    "deleted": False,
    "updated": False,
    "chat_id": "oc_1",
    "sender": {"id": "ou_1", "id_type": "open_id", "sender_type": "user", "tenant_key": "t1"},
    "body": {"content": '{"text":"@_user_1 please add a row"}'},
    "mentions": [{"key": "@_user_1", "id": "ou_b", "id_type": "open_id", "name": "Recorder", "tenant_key": "t1"}],
}
"""The documented sample of the list."""


def item(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(ITEM), **changes}


def views(given: dict[str, Any], bots: frozenset[str] = frozenset()) -> list[Event]:
    return [decode(body) for body in as_pushed(given, bots)]


def message(given: dict[str, Any], bots: frozenset[str] = frozenset()) -> Message:
    (view,) = views(given, bots)
    assert isinstance(view, Message)
    return view


def facts(view: Message) -> dict[str, Any]:
    """All that plugins can see of a message, but the ids that only pushes have."""
    sender = view.sender
    mentions = [(m.key, m.open_id, m.name, m.is_bot) for m in view.mentions]
    names = ("key", "lane", "type", "id", "chat_id", "chat_type", "message_type", "create_time", "update_time")
    places = ("root_id", "parent_id", "thread_id", "tenant_key", "content")
    return {
        **{name: getattr(view, name) for name in (*names, *places)},
        "sender": (sender.open_id, sender.is_bot),
        "mentions": mentions,
    }


def test_every_message_of_the_bundled_group_is_as_it_was_pushed() -> None:
    scenario = catalogue.load("bundled", seed=1)
    ids, now = Ids(1), 0
    app = App.make(SandboxConfig(), ids)
    compared = 0

    def compare(event: bytes) -> None:
        nonlocal compared
        pushed = decode(event)
        if isinstance(pushed, Message) and pushed.in_group:
            shown = documents.message(world.messages[pushed.id])
            assert not left_out(shown)
            ours = message(orjson.loads(orjson.dumps(shown)), frozenset({app.open_id}))
            assert facts(ours) == facts(pushed)
            compared += 1

    world = World(app, ids, lambda: now, compare)
    documents = Documents(world)
    world.settle(scenario.people, scenario.chats)
    acts: list[Act] = list(scenario.acts())
    for act in acts:
        now = act.at
        world.play(act)
    assert compared > 3000


def test_the_types_and_the_content_have_other_names() -> None:
    view = message(item())
    assert (view.message_type, view.content) == ("text", {"text": "@_user_1 please add a row"})


def test_what_is_empty_is_absent() -> None:
    view = message(item())
    assert (view.root_id, view.parent_id, view.thread_id) == ("", "", "omt_1")
    assert {"root_id", "parent_id"}.isdisjoint(view.message)


def test_a_mention_is_of_a_person_unless_it_is_known_to_be_a_bot() -> None:
    assert [m.is_bot for m in message(item()).mentions] == [False]
    assert [m.is_bot for m in message(item(), frozenset({"ou_b"})).mentions] == [True]
    by_app_id = [{"key": "@_user_1", "id": "cli_b", "id_type": "app_id", "name": "Recorder"}]
    assert [m.is_bot for m in message(item(mentions=by_app_id)).mentions] == [True]
    assert message(item(mentions=[])).mentions == ()


def test_what_bots_and_the_platform_say_is_not_pushed() -> None:
    sender = {"id": "cli_1", "id_type": "app_id", "sender_type": "app"}
    assert left_out(item(sender=sender)) == BY_APP
    for kind in ("anonymous", "unknown", None):
        assert left_out(item(sender={"id": "", "id_type": "", "sender_type": kind})) == BY_PLATFORM
    assert left_out(item(sender=None)) == BY_PLATFORM
    assert left_out(item(msg_type="system")) == BY_PLATFORM
    assert left_out(item()) == ""


@pytest.mark.parametrize(
    ("kind", "blank"), [("text", {"text": ""}), ("post", {"title": "", "content": []}), ("image", {})]
)
def test_a_recalled_message_is_its_author_without_content_and_a_recall(kind: str, blank: Any) -> None:
    words = {"content": "This message was recalled"}
    said, recall = views(item(deleted=True, msg_type=kind, update_time="1763805900000", body=words))
    assert isinstance(said, Message)
    assert isinstance(recall, Recall)
    assert (said.key, said.content, said.mentions, said.sender.open_id) == ("message:om_1", blank, (), "ou_1")
    assert (recall.key, recall.chat_id, recall.recall_time) == ("recall:om_1", "oc_1", 1763805900000)


def test_an_edited_message_is_the_message_as_it_is_now_and_its_edit() -> None:
    said, edit = views(item(updated=True, update_time="1763805900000"))
    assert isinstance(said, Message)
    assert (said.create_time, said.update_time) == (1763805600000, 1763805600000)
    assert edit.event["message"]["update_time"] == "1763805900000"
    assert (edit.type, edit.event["message"]["content"]) == (EDIT, said.message["content"])
    again = views(item(updated=True, update_time="1763805900000"))[1]
    later = views(item(updated=True, update_time="1763806000000"))[1]
    assert edit.key == again.key != later.key


def test_a_message_that_was_only_touched_is_not_edited() -> None:
    assert message(item(update_time="1763805900000")).update_time == 1763805600000


def test_the_paragraphs_around_an_edited_text_are_no_text() -> None:
    body = {"content": '{"text":"<p>一</p>\\n<p>二</p>"}'}
    assert views(item(updated=True, body=body))[0].content == {"text": "一\n二"}
    assert message(item(body=body)).content == {"text": "<p>一</p>\n<p>二</p>"}  # Somebody has typed that.


def test_a_merged_forward_is_shown_as_words_and_pushed_as_an_object() -> None:
    words = {"content": "Merged and Forwarded Message"}
    assert message(item(msg_type="merge_forward", body=words)).content == {"content": "Merged and Forwarded Message"}
    assert message(item(msg_type="odd", body=words)).content == {"text": "Merged and Forwarded Message"}


def test_a_time_may_be_a_number() -> None:
    assert message(item(create_time=1763805600000)).create_time == 1763805600000


@pytest.mark.parametrize("missing", ["message_id", "create_time", "chat_id", "msg_type", "sender", "body"])
def test_what_lacks_a_field_is_malformed(missing: str) -> None:
    given = item()
    del given[missing]
    with pytest.raises(Malformed, match=missing):
        as_pushed(given)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(ITEM, JSON)))
def test_whatever_is_shown_is_an_event_or_malformed(changes: dict[str, Any]) -> None:
    given = item(**changes)
    left_out(given)
    try:
        bodies = as_pushed(given)
    except Malformed:
        return
    assert all(decode(body).event_id.startswith(ORIGIN) for body in bodies)


OPERATOR = {"operator_id": "ou_1", "operator_type": "user"}


def test_a_reaction_has_the_key_of_the_pushed_one() -> None:
    flat = {"operator": OPERATOR, "action_time": "1763805601000", "emoji_type": "DONE"}
    nested = {"operator": OPERATOR, "action_time": 1763805601000, "reaction_type": {"emoji_type": "DONE"}}
    for shown in (flat, nested):
        view = decode(reaction_as_pushed("om_1", shown, "t1"))
        assert isinstance(view, Reaction)
        assert view.added
        assert view.key == "reaction:added:om_1:ou_1:DONE:1763805601000"
        assert view.tenant_key == "t1"


def test_a_reaction_of_an_app_is_of_a_bot() -> None:
    operator = {"operator_id": "cli_1", "operator_type": "app"}
    view = decode(reaction_as_pushed("om_1", {"operator": operator, "action_time": "1", "emoji_type": "OK"}))
    assert isinstance(view, Reaction)
    assert (view.person.open_id, view.person.is_bot) == ("cli_1", True)


@given(st.dictionaries(st.sampled_from(["operator", "action_time", "emoji_type", "reaction_type"]), JSON))
def test_a_senseless_reaction_is_malformed(given: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        reaction_as_pushed("om_1", given)

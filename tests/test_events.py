"""Decoding what Feishu pushes: every payload of FEISHU.md §2 and Appendix A, and whatever else may arrive."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from feishu_events import (
    APP,
    GROUP,
    LI,
    PRIVATE,
    SENT,
    TENANT,
    WANG,
    card_action,
    legacy,
    message,
    message_event,
    person,
    pushed,
    reaction,
    read,
    recall,
)
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Malformed
from core.events import LANES, CardAction, Event, Message, Reaction, Read, Recall, decode, envelope


def as_message(body: bytes) -> Message:
    event = decode(body)
    assert isinstance(event, Message)
    return event


def test_a_text_message() -> None:
    event = as_message(message("om_1", LI, "@_user_1 早"))
    assert (event.id, event.key, event.type) == ("om_1", "message:om_1", "im.message.receive_v1")
    assert (event.chat_id, event.chat_type, event.in_group) == (GROUP, "group", True)
    assert (event.create_time, event.update_time) == (SENT, SENT)
    assert (event.root_id, event.parent_id, event.thread_id) == ("", "", "")
    assert event.content == {"text": "@_user_1 早"}
    assert (event.sender.open_id, event.sender.union_id, event.sender.is_bot) == (LI, LI.replace("ou_", "on_"), False)
    assert event.mentions == ()
    assert event.tenant_key == TENANT
    assert event.refers_to == ("om_1",)


def test_a_reply_in_a_topic() -> None:
    event = as_message(message("om_2", root_id="om_1", parent_id="om_1", thread_id="omt_1"))
    assert (event.root_id, event.parent_id, event.thread_id) == ("om_1", "om_1", "omt_1")
    assert event.refers_to == ("om_2", "om_1")


def test_an_edited_message_has_two_times() -> None:
    assert as_message(message("om_1", update_time=str(SENT + 5))).update_time == SENT + 5
    assert as_message(message("om_1", update_time=None)).update_time == SENT


def test_a_message_by_a_bot_and_one_in_a_private_chat() -> None:
    event = message_event("om_1")
    event["sender"]["sender_type"] = "bot"
    assert as_message(pushed("im.message.receive_v1", event)).sender.is_bot
    assert not as_message(message("om_1", chat_id=PRIVATE, chat_type="p2p")).in_group


def test_mentions() -> None:
    event = as_message(
        message(
            "om_1",
            text="@_user_1 @_user_2 @_all",
            mentions=[
                {"key": "@_user_1", "id": person(WANG), "mentioned_type": "user", "name": "王", "tenant_key": TENANT},
                {"key": "@_user_2", "id": person("ou_bot"), "mentioned_type": "bot", "name": "助手"},
                {"key": "@_all", "id": person(""), "mentioned_type": "user", "name": "所有人"},
                {"key": "@_user_3", "id": "ou_plain", "name": "旧"},
            ],
        )
    )
    told = [(one.key, one.open_id, one.name, one.is_bot, one.is_all) for one in event.mentions]
    assert told == [
        ("@_user_1", WANG, "王", False, False),
        ("@_user_2", "ou_bot", "助手", True, False),
        ("@_all", "", "所有人", False, True),
        ("@_user_3", "ou_plain", "旧", False, False),
    ]


@pytest.mark.parametrize("mentions", [7, True, "me", {"key": "@_all"}, [1], [None]])
def test_mentions_of_another_shape_are_malformed_not_a_crash(mentions: Any) -> None:
    event = as_message(message("om_1", mentions=mentions))
    with pytest.raises(Malformed, match="mentions"):
        _ = event.mentions


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("post", {"title": "周报", "content": [[{"tag": "text", "text": "a", "style": ["bold"]}]]}),
        ("image", {"image_key": "img_v3_x"}),
        ("file", {"file_key": "file_v3_x", "file_name": "报告.pdf"}),
        ("audio", {"file_key": "file_v3_x", "duration": 2000}),
        ("media", {"file_key": "file_v3_x", "image_key": "img_v3_x", "file_name": "v.mp4", "duration": 61000}),
        ("sticker", {"file_key": "v3_x"}),
        ("share_chat", {"chat_id": GROUP}),
        ("share_user", {"user_id": LI}),
        ("location", {"name": "上海", "longitude": "121.47", "latitude": "31.23"}),
        ("system", {"template": "{from_user} invited {to_chatters}", "from_user": ["A"], "to_chatters": ["B"]}),
        ("merge_forward", {"content": "Merged and Forwarded Message"}),
        ("vote", {"topic": "午饭", "options": ["a", "b"]}),
    ],
)
def test_content_of_every_kind(kind: str, content: dict[str, Any]) -> None:
    event = as_message(message("om_1", message_type=kind, content=orjson.dumps(content).decode()))
    assert event.message_type == kind
    assert event.content == content


@pytest.mark.parametrize("content", ["not json", "[1]", "null", '"text"', "7"])
def test_content_of_another_shape_is_malformed_when_it_is_asked_for(content: str) -> None:
    event = as_message(message("om_1", content=content))
    with pytest.raises(Malformed, match=r"message\.content"):
        _ = event.content


def test_a_reaction_is_keyed_by_who_did_what_when() -> None:
    event = decode(reaction("om_1", WANG, "DONE"))
    assert isinstance(event, Reaction)
    assert event.key == f"reaction:added:om_1:{WANG}:DONE:{SENT}"
    assert (event.added, event.emoji, event.message_id, event.action_time) == (True, "DONE", "om_1", SENT)
    assert (event.person.open_id, event.person.is_bot, event.chat_id) == (WANG, False, "")
    assert event.refers_to == ("om_1",)
    assert decode(reaction("om_1", WANG, "DONE")).key == event.key
    others = [
        reaction("om_1", WANG, "DONE", added=False),
        reaction("om_1", WANG, "OK"),
        reaction("om_1", LI, "DONE"),
        reaction("om_2", WANG, "DONE"),
        reaction("om_1", WANG, "DONE", time=SENT + 1),
    ]
    assert len({event.key, *(decode(other).key for other in others)}) == 6


def test_a_reaction_by_an_app() -> None:
    event = decode(reaction("om_1", APP, "OneSecond"))
    assert isinstance(event, Reaction)
    assert (event.person.open_id, event.person.is_bot) == (APP, True)


def test_a_reaction_by_an_app_without_its_id_is_malformed() -> None:
    nobody = {
        "message_id": "om_1",
        "reaction_type": {"emoji_type": "OK"},
        "operator_type": "app",
        "action_time": str(SENT),
    }
    with pytest.raises(Malformed, match="app_id"):
        decode(pushed("im.message.reaction.created_v1", nobody))


def test_a_recall_is_keyed_by_its_message() -> None:
    event = decode(recall("om_1"))
    assert isinstance(event, Recall)
    assert (event.key, event.message_id, event.recall_time, event.chat_id) == ("recall:om_1", "om_1", SENT, GROUP)
    assert event.refers_to == ("om_1",)
    assert decode(recall("om_1")).key == event.key


def test_a_read_receipt() -> None:
    event = decode(read("om_1", "om_2"))
    assert isinstance(event, Read)
    assert (event.reader.open_id, event.message_ids) == (LI, ("om_1", "om_2"))
    assert event.key == f"im.message.message_read_v1:{event.event_id}"
    assert event.refers_to == ()


def test_a_card_action() -> None:
    filled = {"qty": "12", "kind": ["a", "b"]}
    event = decode(card_action({"op": "ok"}, who=WANG, event_id="cb1", form_value=filled, option="a"))
    assert isinstance(event, CardAction)
    assert (event.person.open_id, event.message_id, event.chat_id) == (WANG, "om_card", GROUP)
    assert (event.value, event.tag, event.name, event.option, event.form) == ({"op": "ok"}, "button", "ok", "a", filled)
    assert event.token.startswith("c-")
    assert (event.key, event.refers_to) == ("card.action.trigger:cb1", ("om_card",))


def test_a_card_action_without_what_may_be_missing_is_one_all_the_same() -> None:
    event = decode(pushed("card.action.trigger", {"operator": person(LI), "action": {"value": "text"}}))
    assert isinstance(event, CardAction)
    assert (event.message_id, event.chat_id, event.value, event.form, event.token) == ("", "", {}, {}, "")
    assert (event.tag, event.name, event.option, event.refers_to) == ("", "", "", ())


@pytest.mark.parametrize(("field", "named"), [("operator", "operator"), ("action", "action")])
def test_a_card_action_of_nobody_or_of_nothing_is_malformed(field: str, named: str) -> None:
    event = {"operator": person(LI), "action": {"tag": "button"}} | {field: None}
    with pytest.raises(Malformed, match=named):
        decode(pushed("card.action.trigger", event))


OTHERS: dict[str, dict[str, Any]] = {
    "im.chat.member.user.added_v1": {"chat_id": GROUP, "operator_id": person(LI), "users": [{"name": "王"}]},
    "im.chat.member.user.deleted_v1": {"chat_id": GROUP, "operator_id": person(LI), "users": [{"name": "王"}]},
    "im.chat.member.bot.added_v1": {"chat_id": GROUP, "operator_id": person(LI), "name": "组"},
    "im.chat.updated_v1": {"chat_id": GROUP, "after_change": {"name": "新"}, "before_change": {"name": "旧"}},
    "im.chat.disbanded_v1": {"chat_id": GROUP, "operator_id": person(LI)},
    "im.chat.access_event.bot_p2p_chat_entered_v1": {"chat_id": PRIVATE, "operator_id": person(LI)},
    "application.bot.menu_v6": {"operator": {"operator_id": person(LI)}, "event_key": "sync", "timestamp": 1793500},
    "im.message.updated_v1": {"operator_id": {"open_id": LI}, "message": {"message_id": "om_1", "chat_id": GROUP}},
    "drive.file.bitable_record_changed_v1": {"file_type": "bitable", "table_id": "tblX", "update_time": 1793500000},
    "nobody.has.heard_of_v9": {"chat_id": 7},
}


@pytest.mark.parametrize("event_type", OTHERS)
def test_any_other_event_is_kept_as_it_is_under_its_event_id(event_type: str) -> None:
    event = decode(pushed(event_type, OTHERS[event_type], event_id="ev1", time=SENT * 1000))
    assert type(event) is Event
    assert (event.type, event.key, event.event) == (event_type, f"{event_type}:ev1", OTHERS[event_type])
    chat = OTHERS[event_type].get("chat_id", "")
    assert event.chat_id == (chat if isinstance(chat, str) else "")


def test_schema_1() -> None:
    event = decode(legacy("app_open", "u-1", chat_id=GROUP))
    assert (event.type, event.event_id, event.key) == ("app_open", "u-1", "app_open:u-1")
    assert (event.tenant_key, event.chat_id) == (TENANT, GROUP)


@pytest.mark.parametrize("field", ["create_time", "update_time"])
def test_microseconds_are_told_by_their_length(field: str) -> None:
    event = as_message(message("om_1", **{field: str((SENT + 7) * 1000 + 999)}))
    assert getattr(event, field) == SENT + 7


@pytest.mark.parametrize("time", ["", "soon", "-1", "1.5", "１７９３", "1" * 17, 1793500000000, None])
def test_a_time_that_is_none_is_malformed(time: Any) -> None:
    with pytest.raises(Malformed, match="create_time"):
        decode(message("om_1", create_time=time))


def test_events_of_one_group_share_a_lane_and_groups_spread_over_all() -> None:
    assert decode(message("om_1")).lane == decode(message("om_2")).lane == decode(recall("om_1")).lane
    lanes = {decode(message("om_1", chat_id=f"oc_{number}")).lane for number in range(2000)}
    assert lanes == set(range(LANES))


@pytest.mark.parametrize("field", ["message_id", "chat_id", "chat_type", "message_type", "create_time", "content"])
@pytest.mark.parametrize("value", [None, "", 5, {}, []])
def test_a_message_without_what_the_kernel_relies_on_names_the_field(field: str, value: Any) -> None:
    event = message_event("om_1")
    event["message"] |= {field: value}
    with pytest.raises(Malformed, match=field):
        decode(pushed("im.message.receive_v1", event))
    del event["message"][field]
    with pytest.raises(Malformed, match=field):
        decode(pushed("im.message.receive_v1", event))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a":"\\ud800"}', "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "event is missing"),
        (b'{"event":{},"header":[]}', "header is missing"),
        (b'{"event":{},"header":{}}', "event_type is missing"),
        (b'{"event":{},"header":{"event_type":"a"}}', "event_id is missing"),
        (b'{"event":[],"header":{"event_type":"a","event_id":"b"}}', "event is missing"),
        (b'{"event":{"type":"a"}}', "uuid is missing"),
        (pushed("im.message.receive_v1", {}), "message is missing"),
        (pushed("im.message.receive_v1", {"message": {}}), "sender is missing"),
        (pushed("im.message.receive_v1", {"message": {}, "sender": {}}), "message_id is missing"),
        (pushed("im.message.recalled_v1", {}), "message_id is missing"),
        (pushed("im.message.message_read_v1", {"reader": {"reader_id": person(LI)}}), "message_id_list is missing"),
        (pushed("im.message.message_read_v1", {}), "reader is missing"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        decode(body)


def test_an_event_made_here_is_read_back() -> None:
    event = decode(envelope("pin.added", "p1", {"message_id": "om_1", "chat_id": GROUP}))
    assert (event.type, event.key, event.chat_id) == ("pin.added", "pin.added:p1", GROUP)
    assert event.event == {"message_id": "om_1", "chat_id": GROUP}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
TYPES = ["im.message.receive_v1", "im.message.recalled_v1", "im.message.message_read_v1", "x.y"]
TYPES += ["im.message.reaction.created_v1", "im.message.reaction.deleted_v1", "card.action.trigger"]


def read_everything(body: bytes) -> None:
    """Decode, and touch what is decoded only when asked for; nothing but ``Malformed`` may come out."""
    try:
        event = decode(body)
        assert 0 <= event.lane < LANES
        assert event.key
        assert all(isinstance(one, str) for one in event.refers_to)
    except Malformed:
        return
    if isinstance(event, Message):
        for name in ("content", "mentions"):
            try:
                getattr(event, name)
            except Malformed:
                continue


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_decoded_or_malformed(body: bytes) -> None:
    read_everything(body)


@given(JSON)
def test_arbitrary_json_is_decoded_or_malformed(document: Any) -> None:
    read_everything(orjson.dumps(document))


@given(st.sampled_from(TYPES), st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_arbitrary_events_are_decoded_or_malformed(event_type: str, event: dict[str, Any]) -> None:
    read_everything(pushed(event_type, event))


@given(
    st.sampled_from(["message_id", "create_time", "update_time", "mentions", "content", "root_id", "parent_id"]), JSON
)
def test_one_arbitrary_field_is_decoded_or_malformed(field: str, value: Any) -> None:
    event = message_event("om_1")
    event["message"][field] = value
    read_everything(pushed("im.message.receive_v1", event))


@given(
    st.lists(st.sampled_from(["event", "sender", "sender_id", "message", "user_id", "reaction_type", "header"])),
    JSON,
    st.sampled_from([message("om_1"), reaction("om_1"), recall("om_1"), read("om_1"), legacy("a", "b")]),
)
def test_a_broken_part_is_decoded_or_malformed(path: list[str], value: Any, body: bytes) -> None:
    document = orjson.loads(body)
    part = document
    for name in path:
        if isinstance(part.get(name), dict):
            part = part[name]
    for name, before in list(part.items()):
        part[name] = value
        read_everything(orjson.dumps(document))
        part[name] = before

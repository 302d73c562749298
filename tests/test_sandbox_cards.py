"""The sandbox takes the cards the platform takes and refuses the others with the platform's codes (FEISHU.md §10.1)."""

from __future__ import annotations

import contextlib
import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_client import running

from sandbox.cards import COLOURS, check
from sandbox.config import SandboxConfig
from sandbox.reply import ApiError

Card = dict[str, Any]


def plain(content: str = "好", **more: Any) -> Card:
    return {"tag": "plain_text", "content": content, **more}


def card2(*elements: Any, **more: Any) -> Card:
    return {"schema": "2.0", "body": {"elements": list(elements)}, **more}


def button(**more: Any) -> Card:
    return {"tag": "button", "text": plain(), **more}


SKELETON = {
    "schema": "2.0",
    "config": {"update_multi": True, "summary": {"content": "preview"}, "enable_forward": True, "width_mode": "fill"},
    "card_link": {"url": "https://example.com"},
    "header": {
        "title": plain("Daily report"),
        "subtitle": plain(""),
        "text_tag_list": [{"tag": "text_tag", "text": plain("OK"), "color": "green"}],
        "template": "blue",
        "icon": {"tag": "standard_icon", "token": "chat_outlined"},
        "padding": "12px",
    },
    "body": {
        "direction": "vertical",
        "padding": "12px",
        "vertical_spacing": "8px",
        "elements": [
            {"tag": "markdown", "element_id": "md_1", "content": '**hi** <at id="ou_1"></at>'},
            button(element_id="btn_1", name="ok", type="primary", behaviors=[{"type": "callback", "value": {"a": 1}}]),
            button(behaviors=[{"type": "open_url", "default_url": "https://example.com", "pc_url": ""}]),
            {
                "tag": "form",
                "name": "f1",
                "elements": [
                    {"tag": "input", "name": "qty"},
                    {"tag": "select_static", "name": "kind", "options": [{"text": plain("A"), "value": "a"}]},
                    button(name="submit", form_action_type="submit"),
                ],
            },
            {
                "tag": "column_set",
                "flex_mode": "none",
                "columns": [{"tag": "column", "width": "weighted", "weight": 1, "elements": [{"tag": "hr"}]}],
            },
            {
                "tag": "collapsible_panel",
                "expanded": False,
                "header": {"title": {"tag": "markdown", "content": "更多"}},
                "elements": [{"tag": "div", "text": plain(text_size="notation"), "fields": [{"text": plain()}]}],
            },
            {"tag": "chart", "chart_spec": {"type": "bar"}},
            {"tag": "table", "columns": [{"name": "a", "data_type": "text"}], "rows": [{"a": "1"}], "page_size": 5},
            {"tag": "img", "img_key": "img_v3_x", "alt": plain("")},
        ],
    },
}

OLD = {
    "config": {"wide_screen_mode": True, "update_multi": True},
    "header": {"title": {"tag": "plain_text", "i18n": {"zh_cn": "旧"}}, "template": "red"},
    "elements": [
        {"tag": "div", "text": {"tag": "lark_md", "content": "**好**"}, "extra": button(), "colour": "passed over"},
        {"tag": "note", "elements": [plain(), {"tag": "img", "img_key": "img_v3_x", "alt": plain()}]},
        {"tag": "action", "actions": [button(url="https://x"), {"tag": "overflow", "options": [{"text": plain()}]}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    "card",
    [
        SKELETON,
        OLD,
        {},
        {"schema": "2.0"},
        card2(),
        {"i18n_elements": {"zh_cn": [{"tag": "hr"}], "en_us": [{"tag": "hr"}]}},
        {"type": "template", "data": {"template_id": "t1", "template_variable": {}}},
        {"type": "card", "data": {"card_id": "7355"}},
        card2(button(text=None, icon={"tag": "standard_icon"}) | {"text": plain("")}),
    ],
)
def test_a_card_of_the_platform_s_form_is_taken(card: Card) -> None:
    check(card)


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_of_a_header_is_known(colour: str) -> None:
    check(card2(header={"title": plain(), "template": colour}))


@pytest.mark.parametrize(
    ("card", "code", "place"),
    [
        ({"schema": "3.0"}, 200621, "ROOT -> schema"),
        ({"type": "template", "data": {}}, 200621, "ROOT -> data"),
        (card2(elements=[]), 200621, "ROOT; ErrMsg: unknown property; ErrorValue: elements"),
        (card2(config={"update_multi": False}), 200621, "ROOT -> config"),
        (card2(config={"wide_screen_mode": True}), 200621, "ErrorValue: wide_screen_mode"),
        (card2(config={"width_mode": "huge"}), 200621, "ErrorValue: huge"),
        (card2(config=7), 200621, "ROOT -> config"),
        (card2(card_link={"href": "https://x"}), 200621, "ROOT -> card_link"),
        (card2(header={"template": "blue"}), 200621, "ROOT -> header -> title"),
        (card2(header={"title": "好"}), 200621, "ROOT -> header -> title"),
        (card2(header={"title": plain(), "template": "pink"}), 200621, "ErrorValue: pink"),
        (card2(header={"title": plain(), "template": ["blue"]}), 200621, "ROOT -> header -> template"),
        (card2(header={"title": plain(), "text_tag_list": [{}] * 4}), 200621, "at most 3 tags"),
        ({"schema": "2.0", "body": {"elements": {}}}, 200621, "ROOT -> body -> elements"),
        (card2({"tag": "hr"}, {"tag": "action", "actions": []}), 200861,
         "ROOT -> body -> elements -> [1](tag: action); ErrMsg: cards of schema V2 no longer support"),
        (card2({"tag": "note", "elements": []}), 200861, "unsupported tag note"),
        (card2({"tag": "hologram"}), 200861, "not support tag"),
        ({"elements": [{"tag": "hologram"}]}, 200621, "not support tag"),
        (card2({"tag": "column", "elements": []}), 200861, "not support tag"),
        (card2({"tag": ["hr"]}), 200861, "not support tag"),
        (card2("text"), 200621, "[0](tag: None); ErrMsg: an object is required"),
        (card2({"tag": "markdown"}), 200621, "content is required"),
        (card2({"tag": "markdown", "content": 7}), 200621, "a string is required"),
        (card2({"tag": "markdown", "content": "", "contents": ""}), 200621, "ErrorValue: contents"),
        (card2({"tag": "div"}), 200621, "text or fields is required"),
        (card2({"tag": "div", "text": {"tag": "text", "content": ""}}), 200621, "tag is one of plain_text, lark_md"),
        (card2({"tag": "div", "text": {"tag": "lark_md"}}), 200621, "content is required"),
        (card2({"tag": "div", "text": plain(bold=True)}), 200621, "ErrorValue: bold"),
        (card2({"tag": "img", "img_key": "img_v3_x"}), 200621, "alt is required"),
        (card2({"tag": "button"}), 200621, "text is required"),
        (card2(button(type="giant")), 200621, "ErrorValue: giant"),
        (card2(button(behaviors=[{"type": "callback"}])), 200621, "-> behaviors; ErrMsg: a behavior is callback"),
        (card2(button(behaviors=[{"type": "open_url"}])), 200621, "ErrorValue: open_url"),
        (card2(button(behaviors={"type": "open_url"})), 200621, "a list is required"),
        (card2(button(element_id="1st")), 200621, "ErrorValue: 1st"),
        (card2(button(element_id="a"), button(element_id="a")), 200621, "element_id is used twice"),
        (card2({"tag": "chart", "chart_spec": {}}), 200550, "chart spec is invalid"),
        (card2({"tag": "select_static", "options": [{"text": plain()}]}), 200621, "value is required"),
        (card2(*[{"tag": "table", "columns": [], "rows": []}] * 6), 11310, "table number over limit"),
        (card2({"tag": "column_set", "columns": [
            {"tag": "column", "elements": [{"tag": "table", "columns": [], "rows": []}]}]}), 200621, "tag: table"),
        (card2({"tag": "form", "name": "f", "elements": [{"tag": "input"}]}), 200621, "name is required inside a form"),
        (card2({"tag": "form", "name": "f", "elements": [{"tag": "input", "name": "a"}]}), 200621, "submits it"),
        (card2({"tag": "form", "name": "f", "elements": [
            {"tag": "input", "name": "a"}, button(name="a", form_action_type="submit")]}), 200621, "are unique"),
        ({"elements": [{"tag": "note", "elements": [button()]}]}, 200621, "a note holds text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(card: Card, code: int, place: str) -> None:
    with pytest.raises(ApiError, match=re.escape(place)) as refused:
        check(card)
    assert refused.value.code == 230099
    assert refused.value.msg.startswith(f"Failed to create card content, ext=ErrCode: {code}; ErrPath: ROOT")


def test_an_attribute_1_0_does_not_know_is_passed_over() -> None:
    check({"elements": [{"tag": "div", "text": plain(bold=True), "columns": 7, "behaviors": 7}], "colour": "red"})


def test_every_tag_counts_towards_200_elements() -> None:
    check(card2(*[{"tag": "hr"}] * 200))
    check(card2(*[{"tag": "div", "text": plain()}] * 100))
    for elements in ([{"tag": "hr"}] * 201, [{"tag": "div", "text": plain()}] * 101):
        with pytest.raises(ApiError, match="ErrCode: 11310"):
            check(card2(*elements))


def test_nesting_without_end_is_refused() -> None:
    inner: Card = {"tag": "hr"}
    for _ in range(100):
        inner = {"tag": "interactive_container", "elements": [inner], "behaviors": []}
    with pytest.raises(ApiError, match="is not supported"):
        check(card2(inner))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))][1 if not path else 0 :]


@given(st.data())
def test_a_broken_card_is_refused_and_never_breaks_the_check(data: st.DataObject) -> None:
    card = copy.deepcopy(data.draw(st.sampled_from([SKELETON, OLD])))
    *path, last = data.draw(st.sampled_from(places(card)))
    holder: Any = card
    for key in path:
        holder = holder[key]
    objects = st.dictionaries(st.sampled_from(["tag", "elements", "text", "type"]), st.text(max_size=3))
    scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3))
    holder[last] = data.draw(st.one_of(scalars, objects, st.lists(scalars, max_size=2)))
    with contextlib.suppress(ApiError):
        check(card)


async def test_a_card_is_checked_when_sent_and_when_patched() -> None:
    async with running(SandboxConfig(scenario="quiet", rate_limits=False)) as client:
        refused = await client.send(card2({"tag": "note", "elements": []}), "interactive")
        assert (refused["code"], client.status) == (230099, 400)
        assert "ErrCode: 200861" in refused["msg"]
        assert not client.sandbox.world.messages
        assert (await client.send(card2({"tag": "markdown", "content": "x" * 30 * 1024}), "interactive"))[
            "code"
        ] == 230025
        sent = await client.sent(SKELETON, "interactive")
        body = {"content": '{"schema":"2.0","body":{"elements":[{"tag":"div"}]}}'}
        assert await client.code("PATCH", f"/im/v1/messages/{sent['message_id']}", body=body) == 230099

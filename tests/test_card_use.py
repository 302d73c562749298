"""Using a part of a card by its name tells the app what the platform would (FEISHU.md §2.10)."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.card_use import Unusable, action
from sandbox.cards import check

Card = dict[str, Any]


def plain(content: str) -> Card:
    return {"tag": "plain_text", "content": content}


def callback(**value: Any) -> list[Card]:
    return [{"type": "callback", "value": value}]


def options(*values: str) -> list[Card]:
    return [{"text": plain(value.upper()), "value": value} for value in values]


def card2(*elements: Card) -> Card:
    card = {"schema": "2.0", "body": {"elements": list(elements)}}
    check(card)
    return card


FORM = card2(
    {
        "tag": "form",
        "name": "order",
        "elements": [
            {"tag": "input", "name": "qty", "required": True},
            {"tag": "input", "name": "note", "default_value": "快"},
            {"tag": "select_static", "name": "kind", "options": options("a", "b"), "initial_option": "b"},
            {"tag": "multi_select_static", "name": "extras", "options": options("x", "y"), "selected_values": ["y"]},
            {"tag": "date_picker", "name": "due"},
            {"tag": "checker", "name": "gift", "checked": True},
            {"tag": "button", "name": "send", "text": plain("下单"), "form_action_type": "submit",
             "behaviors": callback(op="order")},
            {"tag": "button", "name": "help", "text": plain("帮助"), "behaviors": callback(op="help")},
        ],
    }
)  # fmt: skip


def test_a_form_is_sent_with_what_was_filled_in_and_what_the_card_says() -> None:
    assert action(FORM, "send", form={"qty": "12", "extras": ["x"], "gift": False}) == {
        "tag": "button",
        "name": "send",
        "timezone": "Asia/Shanghai",
        "value": {"op": "order"},
        "form_value": {"qty": "12", "note": "快", "kind": "b", "extras": ["x"], "due": "", "gift": False},
    }


def test_another_button_in_a_form_sends_no_form() -> None:
    used = action(FORM, "帮助")
    assert (used["value"], "form_value" in used) == ({"op": "help"}, False)


@pytest.mark.parametrize(
    ("element", "given", "told"),
    [
        ({"tag": "button", "text": plain("好"), "behaviors": callback(a=1)}, "", {"value": {"a": 1}}),
        ({"tag": "input", "behaviors": callback()}, "12", {"input_value": "12"}),
        ({"tag": "select_static", "options": options("a"), "behaviors": callback()}, "a", {"option": "a"}),
        ({"tag": "multi_select_static", "options": options("a", "b"), "behaviors": callback()}, ["b"],
         {"options": ["b"]}),
        ({"tag": "select_person", "behaviors": callback()}, "ou_1", {"option": "ou_1"}),
        ({"tag": "overflow", "options": options("a"), "behaviors": callback()}, "a", {"option": "a"}),
        ({"tag": "date_picker", "behaviors": callback()}, "2026-11-30 +0800", {"option": "2026-11-30 +0800"}),
        ({"tag": "checker", "behaviors": callback()}, True, {"checked": True}),
        ({"tag": "interactive_container", "elements": [], "behaviors": callback(a=2)}, "", {"value": {"a": 2}}),
    ],
)  # fmt: skip
def test_each_part_tells_what_it_holds(element: Card, given: Any, told: Card) -> None:
    card = card2({"tag": "hr"}, {"tag": "column_set", "columns": [{"tag": "column", "elements": [element]}]})
    used = action(card, 0, given)
    assert used | told == used
    assert used["tag"] == element["tag"]


def test_a_card_of_1_0_has_its_parts_in_other_places() -> None:
    card = {
        "elements": [
            {"tag": "div", "text": plain("问"), "extra": {"tag": "button", "text": plain("一"), "value": {"n": 1}}},
            {"tag": "action", "actions": [{"tag": "button", "text": plain("二"), "value": {"n": 2}}]},
        ]
    }
    assert action(card, "一")["value"] == {"n": 1}
    assert action(card, "二")["value"] == {"n": 2}
    assert action({"i18n_elements": {"en_us": [], "zh_cn": card["elements"]}}, 1)["value"] == {"n": 2}


@pytest.mark.parametrize(
    ("card", "wanted", "given", "form", "why"),
    [
        (FORM, "nothing", "", None, "no part 'nothing'; it has: 0 qty, 1 note, 2 kind, 3 extras, 4 due, 5 gift"),
        (FORM, 8, "", None, "no part 8"),
        (FORM, -1, "", None, "no part -1"),
        (card2(), "好", "", None, "none that can be used"),
        (card2(*[{"tag": "button", "text": plain("好")}] * 2), "好", "", None, "more than one part"),
        (card2({"tag": "button", "text": plain("好")}), "好", "", None, "no behavior of type callback"),
        (card2({"tag": "button", "text": plain("好"), "behaviors": [{"type": "open_url", "default_url": "https://x"}]}),
         "好", "", None, "no behavior of type callback"),
        (card2({"tag": "button", "text": plain("好"), "disabled": True, "behaviors": callback()}),
         0, "", None, "disabled"),
        (card2({"tag": "button", "text": plain("好"), "behaviors": callback()}), 0, "", {"a": "b"}, "sends no form"),
        (FORM, "qty", "12", None, "a field of a form"),
        (FORM, "send", "", {}, "'qty' has to be filled in"),
        (FORM, "send", "", {"qty": "1", "kind": "c"}, "no option c; it has: a, b"),
        (FORM, "send", "", {"qty": 12}, "input holds str, not 12"),
        (FORM, "send", "", {"qty": "1", "size": "big"}, "no field size; it has: qty, note, kind, extras, due, gift"),
        (card2({"tag": "select_static", "options": options("a"), "behaviors": callback()}),
         0, "z", None, "no option z"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_so_says_why(card: Card, wanted: Any, given: Any, form: Any, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        action(card, wanted, given, form)

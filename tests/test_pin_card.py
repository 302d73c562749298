"""The cards of the pin plugin: nothing people write gets out of its text, and they always fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from plugins.pin.card import MOST_AUDITED, MOST_SHOWN, Shown, announcement, audit, excerpt
from sandbox.cards import check as accepted

HOSTILE = '<at id=all></at> **大** [点我](https://evil.example) <font color="red">x</font>\u202e\x00 @所有人'
LINK = "https://applink.feishu.cn/client/chat/open?openChatId=oc_1&messageId=om_1"
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=3000)


def shown(text: str = "周报", sender: str = "李雷", operator: str = "王芳", files: int = 0) -> Shown:
    return Shown(text, sender, operator, "2026-11-22 14:30:05", LINK, files)


def elements(card: Any) -> Iterator[dict[str, Any]]:
    """Everything in the card that has a tag."""
    if isinstance(card, dict):
        if "tag" in card:
            yield card
        for value in card.values():
            yield from elements(value)
    elif isinstance(card, list):
        for value in card:
            yield from elements(value)


def check(card: dict[str, Any]) -> None:
    """It is a card the platform takes (FEISHU.md §10.1), in which text is nothing but text."""
    accepted(card)
    assert len(orjson.dumps(card)) < 30 * 1024
    found = list(elements(card))
    assert len(found) <= 200
    assert {each["tag"] for each in found} <= {"plain_text", "div", "button", "hr"}
    links = [each["default_url"] for one in found for each in one.get("behaviors", ())]
    assert set(links) <= {LINK}


def test_one_pin_is_shown_with_who_when_and_where() -> None:
    card = announcement([shown(files=2)], 1)
    check(card)
    texts = [each["content"] for each in elements(card) if each["tag"] == "plain_text"]
    assert texts == [
        *("📌 新的 Pin 消息", "周报", "王芳 于 2026-11-22 14:30 Pin · 发送者 李雷 · 附件 2 个", "查看消息")
    ]
    assert card["config"]["summary"]["content"] == "新的 Pin 消息：周报"


def test_many_pins_are_counted_beyond_those_shown() -> None:
    card = announcement([shown()] * MOST_SHOWN, 25)
    check(card)
    assert "另有 15 条" in str(card)


def test_unknown_people_and_messages_without_words_have_words_of_their_own() -> None:
    card = announcement([shown("", "", "")], 1)
    assert "（没有文字）" in str(card)
    assert "某位成员" in str(card)


def test_what_people_write_cannot_mention_link_or_format() -> None:
    for card in (
        announcement([shown(HOSTILE, HOSTILE, HOSTILE)], 1),
        audit([shown(HOSTILE)], [(HOSTILE, 1)], standing=1, since="2026-11-16 09:00:00", until="2026-11-23 09:00:00"),
    ):
        check(card)
        assert "\x00" not in str(card)
        assert "\u202e" not in str(card)


@given(st.lists(TEXTS, min_size=1, max_size=MOST_SHOWN), TEXTS)
def test_an_announcement_always_fits(texts: list[str], name: str) -> None:
    check(announcement([shown(text, name, name) for text in texts], len(texts)))


@given(st.lists(TEXTS, max_size=MOST_AUDITED), st.lists(st.tuples(TEXTS, st.integers(1, 999)), max_size=50))
def test_an_audit_always_fits(texts: list[str], counts: list[tuple[str, int]]) -> None:
    total = sum(count for _, count in counts)
    check(audit([shown(text) for text in texts], counts, standing=total, since="2026-11-16", until="2026-11-23"))


def test_the_worst_cards_fit_too() -> None:
    worst = "\n".join("🀄\\" * 400 for _ in range(40))
    check(announcement([shown(worst, worst, worst)] * MOST_SHOWN, 500))
    check(announcement([shown(worst, worst, worst)], 1))
    check(audit([shown(worst, worst, worst)] * MOST_AUDITED, [(worst, 9)] * 99, standing=800, since="a", until="b"))


@given(TEXTS, st.integers(1, 100), st.integers(1, 10))
def test_an_excerpt_is_as_short_as_wanted(text: str, characters: int, lines: int) -> None:
    cut = excerpt(text, characters, lines)
    assert len(cut) <= characters + 1
    assert cut.count("\n") < lines


def test_an_excerpt_says_that_something_was_left_out() -> None:
    assert excerpt("一二三\n\n四", 10, 2) == "一二三\n四"
    assert excerpt("一二三\n四", 10, 1) == "一二三…"
    assert excerpt("一二三四", 3, 1) == "一二三…"

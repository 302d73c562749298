"""Which message a message is found to belong to, where nobody uses the reply button."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.archive.grouping import (
    MINUTE,
    POINTS,
    RULE,
    Recent,
    Rule,
    Said,
    candidates,
    packed,
    place,
    unpacked,
    without,
)
from plugins.archive.words import asks, words_of

SMALL = Rule(window=6, horizon=30 * MINUTE)


def said(
    message_id: str, sender: str, minute: float, text: str, *mentions: str, parent: str = "", root: str = ""
) -> Said:
    time = int(minute * MINUTE)
    return Said(message_id, sender, time, words_of(text), frozenset(mentions), asks(text), parent, root)


def conversations(*messages: Said, rule: Rule = RULE) -> list[str]:
    """The root each message is given, one placed after the other."""
    recent: Recent = ()
    roots = []
    for message in messages:
        recent, placed = place(recent, message, rule)
        roots.append(placed.root)
    return roots


def test_two_conversations_at_the_same_time_are_told_apart() -> None:
    assert conversations(
        said("1", "ann", 0, "测试环境的数据库连不上，有人知道吗？"),
        said("2", "bob", 0.2, "Is anybody coming to lunch today?"),
        said("3", "cas", 0.5, "重启一下试试", "ann"),
        said("4", "dee", 0.7, "I am, in ten minutes", "bob"),
        said("5", "ann", 1, "重启了还是不行", "cas"),
        said("6", "bob", 1.2, "great, see you there", "dee"),
        said("7", "cas", 1.5, "把日志发我看看", "ann"),
    ) == ["1", "2", "1", "2", "1", "2", "1"]


def test_the_next_message_of_the_same_person_goes_on() -> None:
    assert conversations(said("1", "ann", 0, "大家好"), said("2", "ann", 0.3, "今天的会改到三点")) == ["1", "1"]


def test_an_answer_without_a_name_goes_to_whom_named_its_sender() -> None:
    assert conversations(
        said("1", "ann", 0, "报表好了吗", "bob"),
        said("2", "cas", 0.1, "下周谁值班？"),
        said("3", "bob", 0.5, "快了"),
    ) == ["1", "2", "1"]


def test_rare_words_in_common_join_what_would_else_begin_something() -> None:
    question = said("1", "ann", 0, "打印机怎么连不上？")
    assert conversations(question, said("2", "cas", 0.8, "打印机连不上就换根线")) == ["1", "1"]
    assert conversations(question, said("2", "cas", 0.8, "周五下午茶改到四点")) == ["1", "2"]


def test_a_question_of_somebody_not_heard_before_begins_something_new() -> None:
    assert conversations(
        said("1", "ann", 0, "报表发你了", "bob"),
        said("2", "bob", 0.5, "收到，谢谢", "ann"),
        said("3", "eve", 1, "请问wifi密码是多少？"),
    ) == ["1", "1", "3"]


def test_nothing_is_taken_up_again_beyond_the_horizon() -> None:
    ask, answer = said("1", "ann", 0, "报表好了吗？", "bob"), said("2", "bob", 30, "好了", "ann")
    assert conversations(ask, answer, rule=SMALL) == ["1", "1"]
    assert conversations(ask, replace(answer, time=answer.time + 1), rule=SMALL) == ["1", "2"]


def test_a_reply_to_a_message_that_was_grouped_joins_its_conversation() -> None:
    assert conversations(
        said("1", "ann", 0, "大家好"),
        said("2", "ann", 0.3, "今天的会改到三点"),
        said("3", "bob", 90, "知道了", parent="2", root="2"),
    ) == ["1", "1", "1"]


def test_a_reply_to_what_is_no_longer_remembered_keeps_the_root_it_says() -> None:
    _, placed = place((), said("9", "ann", 0, "同意", parent="5", root="1"))
    assert (placed.parent, placed.root) == ("5", "1")
    _, placed = place((), said("9", "ann", 0, "同意", parent="5"))
    assert (placed.parent, placed.root) == ("5", "5")


def test_a_recalled_message_is_forgotten() -> None:
    recent, _ = place((), said("1", "ann", 0, "报表好了吗？", "bob"))
    recent, placed = place(without(recent, "1"), said("2", "bob", 1, "好了", "ann"))
    assert placed.root == "2"
    assert "报表" not in json.dumps(packed(recent), ensure_ascii=False)


def test_a_message_that_arrives_late_belongs_to_what_was_before_it() -> None:
    recent, _ = place((), said("1", "ann", 0, "报表好了吗？", "bob"))
    recent, _ = place(recent, said("3", "bob", 10, "报表发你了，看看？", "ann"))
    recent, placed = place(recent, said("2", "bob", 5, "快了", "ann"))
    assert placed.parent == "1"
    assert [message.message_id for message in recent] == ["1", "2", "3"]


@pytest.mark.parametrize(("window", "horizon"), [(0, 1), (-1, 1), (1, -1)])
def test_a_rule_that_cannot_work_is_refused(window: int, horizon: int) -> None:
    with pytest.raises(ValueError, match="a window of at least 1"):
        Rule(window=window, horizon=horizon)


PEOPLE = st.sampled_from(["ann", "bob", "cas", "dee"])
MESSAGES = st.lists(
    st.builds(
        Said,
        message_id=st.integers(0, 30).map(str),
        sender=PEOPLE,
        time=st.integers(0, 60).map(lambda minute: minute * MINUTE),
        words=st.frozensets(st.sampled_from(["部署", "失败", "lunch", "the"])),
        mentions=st.frozensets(PEOPLE, max_size=2),
        asks=st.booleans(),
        parent=st.one_of(st.just(""), st.integers(0, 30).map(str)),
        root=st.just(""),
    ),
    max_size=25,
)


@given(MESSAGES)
def test_the_state_stays_small_ordered_and_without_doubles(messages: list[Said]) -> None:
    recent: Recent = ()
    for message in messages:
        recent, _ = place(recent, message, SMALL)
        times = [one.time for one in recent]
        assert len(recent) <= SMALL.window
        assert times == sorted(times)
        assert len({one.message_id for one in recent}) == len(recent)


@given(MESSAGES)
def test_a_state_read_back_places_the_same(messages: list[Said]) -> None:
    kept: Recent = ()
    read: Recent = ()
    for message in messages:
        kept, placed = place(kept, message, SMALL)
        read, again = place(unpacked(json.loads(json.dumps(packed(read)))), message, SMALL)
        assert again == placed
        assert read == kept


@given(MESSAGES)
def test_a_reply_always_wins_and_what_is_found_came_before(messages: list[Said]) -> None:
    recent: Recent = ()
    for message in messages:
        before = {one.message_id: one for one in without(recent, message.message_id)}
        recent, placed = place(recent, message, SMALL)
        assert placed.root
        if message.parent:
            assert placed.parent == message.parent
        elif placed.parent:
            assert 0 <= message.time - before[placed.parent].time <= SMALL.horizon
        else:
            assert placed.root == message.message_id
        if placed.parent in before:
            assert placed.root == before[placed.parent].root


@given(MESSAGES)
def test_every_trait_has_points_and_every_message_in_reach_is_a_candidate_once(messages: list[Said]) -> None:
    recent: Recent = ()
    for message in messages:
        found = list(candidates(message, recent, SMALL))
        reach = [one.message_id for one in recent if 0 <= message.time - one.time <= SMALL.horizon]
        assert [candidate for candidate, _ in found] == ["", *reversed(reach)]
        assert {trait for _, traits in found for trait in traits} <= POINTS.keys()
        recent, _ = place(recent, message, SMALL)

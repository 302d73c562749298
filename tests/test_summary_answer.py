"""Answers of a language model: what is accepted, what is refused, and what is cut out of it."""

from __future__ import annotations

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.archive.llm.answer import KEYWORDS, Unusable, harmless, read_answer
from plugins.archive.llm.prompt import about_messages, about_parts, batches, tokens_of

QUESTION = about_messages(
    "发布", [("m1", "张三", "看 https://wiki.example/a?b=1 再发布 example.com/x"), ("m2", "李四", "好")], length=100
)


def answer(**given: object) -> str:
    return orjson.dumps({"summary": "发布推迟", "keywords": ["发布"], "citations": ["m1"], **given}).decode()


def test_a_valid_answer_is_accepted() -> None:
    made = read_answer(answer(), QUESTION, length=100)
    assert (made.summary, made.keywords, made.citations) == ("发布推迟", ["发布"], ["m1"])


def test_a_fence_around_the_object_is_no_reason_to_ask_again() -> None:
    assert read_answer(f"```json\n{answer()}\n```", QUESTION, length=100).summary == "发布推迟"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSON"),
        ("发布推迟了。", "JSON"),
        (answer()[:-1], "JSON"),
        (f"Here it is: {answer()}", "JSON"),
        ("[]", "JSON object"),
        ('{"error": {"message": "overloaded"}}', "summary"),
        (answer(summary=""), "summary"),
        (answer(summary=None), "summary"),
        (answer(summary=["发布"]), "summary"),
        (answer(keywords="发布"), "keywords"),
        (answer(keywords=[1]), "keywords"),
        (answer(citations=[]), "citations"),
        (answer(citations=[1]), "citations"),
        (answer(citations=["m1", "m3"]), "no id that was given"),
        (answer(citations=["om_1"]), "no id that was given"),
        (answer(note="x"), "note"),
        (answer(summary="<at id=all></at> @all"), "nothing is left"),
        (answer(summary="抱歉，我无法总结这些内容。"), "there is none"),
        (answer(summary="I'm sorry, but I can't help with that."), "there is none"),
        (answer(summary="作为一个AI语言模型，我不能"), "there is none"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        read_answer(text, QUESTION, length=100)


def test_the_reason_repeats_nothing_of_the_answer() -> None:
    with pytest.raises(Unusable) as refused:
        read_answer(answer(citations=["m1", "ignore previous instructions"]), QUESTION, length=100)
    assert "ignore" not in str(refused.value)


def test_a_long_summary_is_cut() -> None:
    made = read_answer(answer(summary="发" * 300), QUESTION, length=100)
    assert made.summary == "发" * 99 + "…"


def test_keywords_are_few_short_and_different() -> None:
    words = ["发布", "发布", "", "  ", "x" * 50, *"abcdefg"]
    made = read_answer(answer(keywords=words), QUESTION, length=100)
    assert len(made.keywords) == KEYWORDS
    assert len(made.keywords[1]) == 30
    assert made.keywords[:1] == ["发布"]


def test_ids_may_be_those_of_the_parts() -> None:
    question = about_parts("发布", [(("m1", "m2"), "一"), (("m3",), "二")], length=100)
    assert read_answer(answer(citations=["m3", "m3"]), question, length=100).citations == ["m3"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("看 https://wiki.example/a?b=1 。", "看 https://wiki.example/a?b=1 。"),
        ("看 example.com/x", "看 example.com/x"),
        ("看 https://evil.example/a", "看"),
        ("看 HTTP://EVIL.example", "看"),
        ("看 www.evil.example", "看"),
        ("看 evil.com，快", "看 ，快"),
        ("看evil.cn/pay", "看"),
        ("[点这里](https://evil.example)", "点这里"),
        ("![x](https://evil.example/i.png)", "x"),
        ("[wiki](https://wiki.example/a?b=1)", "wiki https://wiki.example/a?b=1"),
        ('<a href="https://evil.example">x</a>', "x"),
        ("<https://evil.example>", "<>"),
        ("javascript://evil 与 mailto:a", "与"),
        ("@所有人 请看 <at id=all></at>@all", "请看"),
        ("用 Node.js 与 v2.3，README.md", "用 Node.js 与 v2.3，README.md"),
        ("第一行\n\n第二行\t\u202e反\x00", "第一行 第二行 反"),
        ("👩\u200d💻 好", "👩\u200d💻 好"),
        ("https://ev<b>il.example/x", ""),
    ],
)
def test_links_that_nobody_sent_markup_and_calls_are_cut_out(text: str, left: str) -> None:
    assert harmless(text, QUESTION.content) == left


@pytest.mark.parametrize("piece", ["<b", "<a>", "[", "[](", "a.", "a.com", "@", "@ all", "http://", " ", "x"])
def test_no_long_answer_takes_long(piece: str) -> None:
    started = time.perf_counter()
    for text in (piece * 2000, "<a" * 2000 + ">" * 2000, "@ " * 2000 + "all" * 2000):
        harmless(text[:8000], QUESTION.content)
    assert time.perf_counter() - started < 5


@given(st.text(alphabet=st.sampled_from("@<>all[]()/:.com evilhtps w所有人"), max_size=60))
def test_what_is_cut_out_leaves_nothing_to_cut(text: str) -> None:
    once = harmless(text, "")
    assert harmless(once, "") == once
    assert "://e" not in once


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 100))
def test_batches_hold_everything_once_in_order_within_the_limit(sizes: list[int], limit: int) -> None:
    made = list(batches(sizes, limit))
    assert [position for batch in made for position in batch] == list(range(len(sizes)))
    assert all(sum(sizes[position] for position in batch) <= limit or len(batch) == 1 for batch in made)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=40), st.integers(1, 100))
def test_batches_of_at_least_two_become_fewer(sizes: list[int], limit: int) -> None:
    assert len(list(batches(sizes, limit, at_least=2))) < len(sizes)


@given(st.lists(st.integers(1, 50), max_size=40), st.lists(st.integers(1, 50), max_size=10), st.integers(1, 100))
def test_what_follows_leaves_full_batches_as_they_were(sizes: list[int], more: list[int], limit: int) -> None:
    before, after = list(batches(sizes, limit)), list(batches(sizes + more, limit))
    assert before[:-1] == after[: max(len(before) - 1, 0)]


def test_tokens_are_estimated_high() -> None:
    assert tokens_of("") == 0
    assert tokens_of("hello world!") == 4
    assert tokens_of("发布推迟") == 4


def test_the_digest_is_of_the_content_and_the_wording() -> None:
    same = about_messages("发布", [tuple(row) for row in QUESTION.data["messages"]], length=100)
    assert same.digest == QUESTION.digest
    others = [
        about_messages("发布2", QUESTION.data["messages"], length=100),
        about_messages("发布", QUESTION.data["messages"][:1], length=100),
        about_messages("发布", QUESTION.data["messages"], length=101),
    ]
    assert len({QUESTION.digest, *(other.digest for other in others)}) == 4

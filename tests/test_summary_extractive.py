"""The extractive summary: what it picks, in any language, of any length, always the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_stub import topic

from plugins.archive.extractive import QUOTE, Extractive, summary_of, words
from plugins.archive.summary import Line, calling_nobody

CHINESE = topic(
    ("张三", "今天发布推迟了，Redis 连接池耗尽，线上大量超时"),
    ("李四", "收到"),
    ("王五", "连接池最大连接数是多少？我怀疑是慢查询占着连接不放"),
    ("赵六", "中午吃什么"),
    ("李四", "我把慢查询的索引加上了，连接池也调到 500，超时已经恢复"),
    ("王五", "👍"),
    ("张三", "好的，发布改到明天下午三点，发布前再看一次连接池监控"),
)
ENGLISH = topic(
    ("Ann", "Deploy failed: the migration of the users table timed out on staging"),
    ("Bob", "lol"),
    ("Cy", "the users table has 40M rows, the migration needs a concurrent index"),
    ("Ann", "I'll rewrite the migration with a concurrent index and retry the deploy"),
    ("Cy", "what's for lunch?"),
)
MIXED = topic(
    ("张三", "k8s 集群升级到 1.31 之后 ingress 报 502"),
    ("Bob", "is it only the ingress controller, or the pods too?"),
    ("张三", "只有 ingress controller，pods 正常，集群升级回滚也没用"),
    ("李四", "哈哈哈哈"),
    ("Bob", "then pin the ingress image, the 集群升级 changed the default class"),
)


def test_chinese_quotes_the_messages_about_what_most_is_about() -> None:
    made = summary_of(CHINESE)
    assert set(made.cited) <= {"om_1", "om_3", "om_5", "om_7"}
    assert len(made.cited) == 3
    assert made.keywords[0] == "连接池"
    assert not {"收到", "好的", "吃", "什么"} & set(made.keywords)


def test_english_quotes_the_messages_about_what_most_is_about() -> None:
    made = summary_of(ENGLISH)
    assert made.cited == ("om_1", "om_3", "om_4")
    assert made.keywords[:2] == ("migration", "deploy") or set(made.keywords[:2]) <= {"migration", "users", "table"}
    assert not {"lunch", "lol", "the"} & set(made.keywords)


def test_mixed_text_counts_words_of_both_languages() -> None:
    made = summary_of(MIXED)
    assert "om_4" not in made.cited
    assert {"ingress", "集群"} <= set(made.keywords)


def test_each_quote_has_who_said_it_and_its_link_in_the_order_of_the_topic() -> None:
    made = summary_of(CHINESE)
    by_id = {line.message_id: line for line in CHINESE}
    assert list(made.cited) == sorted(made.cited)
    for quote, cited in zip(made.text.splitlines(), made.cited, strict=True):
        line = by_id[cited]
        assert quote == f"{line.sender}：{line.text} {line.link}"
    assert made.by == "extractive"


def test_one_line_is_its_own_summary() -> None:
    made = summary_of(CHINESE[:1])
    assert made.cited == ("om_1",)
    assert "连接池" in made.keywords


def test_emoji_only_quotes_the_first_and_has_no_keywords() -> None:
    made = summary_of(topic(("甲", " "), ("乙", "😀👍"), ("丙", "🎉")))
    assert (made.text, made.cited, made.keywords) == ("乙：😀👍 https://chat.example/2", ("om_2",), ())


@pytest.mark.parametrize("lines", [[], topic(("甲", "")), topic(("甲", " \n "))])
def test_nothing_said_is_an_empty_summary(lines: Sequence[Line]) -> None:
    made = summary_of(lines)
    assert (made.text, made.cited, made.keywords) == ("", (), ())


def test_the_same_said_twice_is_quoted_once() -> None:
    made = summary_of(topic(*[("甲", "数据库连接池已经打满，请扩容数据库")] * 5, ("乙", "数据库扩容需要审批流程")))
    assert made.cited == ("om_1", "om_6")


def test_a_long_message_is_quoted_in_part() -> None:
    made = summary_of([Line("om_1", "甲", 0, "数据库迁移方案 " * 400)])
    assert len(made.text) <= QUOTE + len("甲：")
    assert made.text.endswith("…")


def test_a_quote_calls_nobody_and_carries_no_markup() -> None:
    said = '数据库迁移完成 @所有人 <at id=all></at> <at user_id="all">所有人</at> @all <font color="red">红</font>'
    made = summary_of([Line("om_1", "<at id=all></at>甲", 0, said)])
    assert made.text == "甲：数据库迁移完成 所有人 红"


@pytest.mark.parametrize(
    "text", ["@<b>all", "@@all all", "@all大家", "<<at id=all>at id=all>", "＠所有人", "@_all", "@ all"]
)
def test_no_nesting_calls_everybody(text: str) -> None:
    plain = calling_nobody(text)
    assert plain == calling_nobody(plain)
    assert "@all" not in plain.replace(" ", "").replace("＠", "@")
    assert "<at" not in plain


def test_words_leave_out_links_mentions_numbers_and_fillers() -> None:
    assert words("请 @张三 看 https://x.example/a?b=1 的资料库 [赞] 2024 谢谢") == ["资料库"]


def test_scripts_the_segmenter_does_not_know_stay_whole_words() -> None:
    assert words("Привет мир 안녕하세요 여러분 k8s C++") == ["привет", "мир", "안녕하세요", "여러분", "k8s", "c++"]


def test_five_thousand_messages_take_a_moment() -> None:
    def lines(count: int) -> list[Line]:
        return [
            Line(f"om_{n}", f"人{n % 50}", n, f"第{n}次发布 release{n % 300} 的数据库 {words_of[n % 7]} 监控 task{n}")
            for n in range(count)
        ]

    words_of = ("连接池", "索引", "timeout", "migration", "缓存", "回滚", "部署")
    summary_of(lines(10))  # The dictionary is loaded.
    started = time.perf_counter()
    made = summary_of(lines(5_000))
    assert time.perf_counter() - started < 5
    assert len(made.cited) == 3


def test_it_is_the_same_in_every_process() -> None:
    topics = [CHINESE, ENGLISH, MIXED]
    program = (
        "from plugins.archive.extractive import summary_of\n"
        "from plugins.archive.summary import Line\n"
        f"print([summary_of(lines) for lines in {topics!r}])"
    )
    made = [
        subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            check=True,
            text=True,
            encoding="utf-8",
        ).stdout
        for seed in ("1", "2")
    ]
    assert made == [f"{[summary_of(lines) for lines in topics]}\n"] * 2


@settings(max_examples=40)
@given(st.lists(st.text(max_size=60), max_size=12))
def test_whatever_people_write_there_is_a_summary_of_their_messages(texts: list[str]) -> None:
    lines = topic(*(("甲", text) for text in texts))
    made = summary_of(lines)
    assert set(made.cited) <= {line.message_id for line in lines}
    assert len(made.cited) <= 3
    assert bool(made.cited) == any(text.strip() for text in texts)
    assert made == summary_of(lines)


async def test_the_summarizer_answers_what_the_function_does() -> None:
    assert await Extractive(messages=2).summarize("发布", CHINESE) == summary_of(CHINESE, messages=2)

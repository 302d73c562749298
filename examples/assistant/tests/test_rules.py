"""The pure rules: memory, the dialects of providers, what a card may show, when it grows, what may be configured."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
from larkflock_assistant import cards
from larkflock_assistant.dialect import options
from larkflock_assistant.draft import Draft, gaps
from larkflock_assistant.memory import Turn, chat, tokens
from larkflock_assistant.settings import AssistantConfig
from pydantic import SecretStr, ValidationError

KEY = SecretStr("sk-1")


@pytest.mark.parametrize(("text", "count"), [("", 0), ("你好", 2), ("hello", 2), ("你好 world!", 4)])
def test_tokens_are_about_one_for_a_character_and_one_for_four_letters(text, count):
    assert tokens(text) == count


def test_memory_is_the_latest_turns_and_the_question_comes_last():
    before = [Turn(f"问{number}", f"答{number}") for number in range(5)]
    said = chat("系统", before, "现在", most_turns=2, most_tokens=1000)
    assert [one["content"] for one in said] == ["系统", "问3", "答3", "问4", "答4", "现在"]
    assert [one["role"] for one in said] == ["system", "user", "assistant", "user", "assistant", "user"]


def test_the_oldest_turns_go_when_tokens_run_out():
    before = [Turn("一" * 50, "二" * 50), Turn("三" * 10, "四" * 10)]
    assert [one["content"][0] for one in chat("", before, "五", most_turns=9, most_tokens=100)] == ["三", "四", "五"]
    assert [one["content"] for one in chat("", before, "五", most_turns=0, most_tokens=100)] == ["五"]


def test_a_question_that_is_too_long_is_cut_and_stands_alone():
    (only,) = chat("", [Turn("前", "后")], "长" * 500, most_turns=9, most_tokens=200)
    assert only["content"] == "长" * 200


@pytest.mark.parametrize(
    ("host", "off", "on"),
    [
        ("api.deepseek.com", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
        ("dashscope.aliyuncs.com", {"enable_thinking": False}, {"enable_thinking": True}),
        ("generativelanguage.googleapis.com", {"reasoning_effort": "low"}, {"reasoning_effort": "medium"}),
        ("notopenai.com", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
    ],
)
def test_thinking_is_asked_for_as_the_provider_takes_it(host, off, on):
    assert options(host, max_tokens=9, thinking="off") == {"max_tokens": 9} | off
    assert options(host, max_tokens=9, thinking="on") == {"max_tokens": 9} | on
    assert options(host, max_tokens=9, thinking="default") == {"max_tokens": 9}


def test_openai_bounds_an_answer_by_another_name():
    assert options("api.openai.com", max_tokens=9, thinking="default") == {"max_completion_tokens": 9}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<at id=all></at> 注意", "&#60;at id=all>&#60;/at> 注意"),
        ("<AT user_id='ou_1'>李雷</AT>", "&#60;AT user_id='ou_1'>李雷&#60;/AT>"),
        ("<person id='ou_1'/>", "&#60;person id='ou_1'/>"),
        ("![图](https://example.com/x.png)", "[图](https://example.com/x.png)"),
        ("!!![图](x)", "[图](x)"),
        ("`a < b`，`vec![1]`，<b>粗</b>", "`a < b`，`vec![1]`，<b>粗</b>"),
        ("  ", cards.THINKING),
    ],
)
def test_what_a_model_writes_mentions_nobody_and_fetches_no_image(written, shown):
    assert cards.shown(written) == shown


def test_a_card_never_grows_beyond_what_the_platform_takes():
    card = cards.complete("长" * 50_000, "om_1")
    assert len(json.dumps(card, ensure_ascii=False).encode()) < 30_000
    assert card["body"]["elements"][0]["content"].endswith("长…")


def test_the_list_of_chats_shows_the_beginning_as_plain_text():
    card = cards.complete("## 答案\n\n**对**，用 `ls`。" + "长" * 100, "om_1")
    assert card["config"]["summary"]["content"] == "答案 对，用 ls。" + "长" * 50


def test_a_card_grows_less_and_less_often_and_then_no_more():
    assert list(islice(gaps(3), 5)) == [1.0, 1.5, 2.25, float("inf"), float("inf")]


def test_a_draft_is_shown_when_it_is_time_and_there_is_something_new():
    draft = Draft([], begun=100.0, updates=2)
    assert draft.growth(101.0) == ""
    draft.text = "一"
    assert draft.growth(100.9) == ""
    assert draft.growth(101.0) == "一"
    assert draft.growth(110.0) == ""
    draft.text = "一二"
    assert draft.growth(110.0) == "一二"
    draft.text = "一二三"
    assert draft.growth(10_000.0) == ""


def test_what_an_answer_costs_is_what_the_provider_says_or_about_as_much():
    draft = Draft([{"role": "user", "content": "四个字吧"}], begun=0.0, updates=0)
    draft.text = "好的"
    assert draft.cost == 6
    draft.counted = 123
    assert draft.cost == 123


@pytest.mark.parametrize(
    "base_url",
    [
        "http://example.com/v1",
        "ftp://example.com",
        "https://",
        "https://user:secret@example.com",
        "https://example.com/v1?key=1",
        "http://localhost.example.com",
        "https://[",
    ],
)
def test_a_model_is_reached_safely_or_not_at_all(base_url):
    with pytest.raises(ValidationError, match=r"is an https URL|is no URL"):
        AssistantConfig(base_url=base_url, api_key=KEY)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000/v1", "http://[::1]:8000", "http://localhost:11434/v1"])
def test_a_model_on_this_machine_needs_neither_tls_nor_a_key(base_url):
    assert AssistantConfig(base_url=base_url).base_url == base_url


def test_every_option_is_in_the_readme():
    page = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert [name for name in AssistantConfig.model_fields if name != "api_key" and f"`{name}`" not in page] == []


def test_a_model_elsewhere_needs_a_key_which_is_never_shown():
    with pytest.raises(ValidationError, match=r"no key for api\.deepseek\.com; set ASSISTANT_API_KEY"):
        AssistantConfig()
    assert "sk-1" not in repr(AssistantConfig(api_key=KEY))

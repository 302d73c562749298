"""When a topic is summarised, with what, and that nothing recalled outlives its recall."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archive_driver import HOUR, MINUTE, Driver, attachment, edit
from group_events import NOVEMBER, message, recall
from llm_stub import LlmStub, failing, llm_stub
from pydantic import ValidationError

from plugins.archive.settings import ArchiveConfig
from plugins.archive.tables import MEMORY, SUMMARY_AGENDA, THREADS

TALK = (
    message("om_1", "a", "数据库连接池耗尽 今天的发布推迟"),
    message("om_2", "b", "我把数据库连接池调到 500，发布可以继续", at=NOVEMBER + 1, parent="om_1"),
    message("om_3", "c", "收到", at=NOVEMBER + 2, parent="om_1"),
)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Driver]:
    with Driver(tmp_path) as driver:
        driver.platform.people = {"a": "阿梅", "b": "小李"}
        yield driver


def test_a_topic_is_summarised_when_it_has_gone_quiet(group: Driver) -> None:
    group.deliver(*TALK).pass_time(10 * MINUTE - 1)
    assert group.topics()["om_1"]["summary"] == ""
    group.pass_time(1)
    topic = group.topics()["om_1"]
    assert "阿梅：数据库连接池耗尽" in topic["summary"]
    assert "小李：" in topic["summary"]
    assert "连接池" in topic["keywords"]
    assert list(group.store.scan("archive", SUMMARY_AGENDA)) == []


def test_a_topic_of_the_past_is_summarised_once_all_of_it_has_arrived(group: Driver) -> None:
    """It went quiet long ago: there is nothing to wait for but the rest of what is being read."""
    group.now = NOVEMBER + 30 * 24 * HOUR
    group.deliver(*TALK).pass_time(14_999)
    assert group.topics()["om_1"]["summary"] == ""
    group.pass_time(1)
    assert "阿梅：数据库连接池耗尽" in group.topics()["om_1"]["summary"]


def test_a_busy_topic_is_summarised_every_so_often(group: Driver) -> None:
    group.deliver(*TALK)
    for number in range(25):
        group.pass_time(5 * MINUTE)
        group.deliver(message(f"om_r{number}", "b", "发布", at=group.now, parent="om_1"))
    assert group.topics()["om_1"]["summary"] != ""
    assert group.now - NOVEMBER == 125 * MINUTE


def test_what_did_not_change_is_not_summarised_again(group: Driver) -> None:
    group.deliver(*TALK).pass_time(HOUR)
    group.context.table(THREADS).set("om_1", waiting_since=group.now, changed=group.now)
    before = group.topics()["om_1"]
    group.deliver(edit("om_3", "收到", at=NOVEMBER + HOUR)).pass_time(HOUR)
    assert group.topics()["om_1"] == before


def test_a_recall_takes_the_summary_back_at_once_and_a_new_one_is_made_without_it(group: Driver) -> None:
    group.deliver(*TALK).pass_time(HOUR)
    assert "500" in group.topics()["om_1"]["summary"]
    group.deliver(recall("om_2"))
    topic = group.topics()["om_1"]
    assert (topic["summary"], topic["keywords"]) == ("", "")
    group.pass_time(HOUR)
    assert "阿梅" in group.topics()["om_1"]["summary"]
    assert "500" not in group.topics()["om_1"]["summary"]


def test_what_is_noted_of_attachments_is_no_part_of_what_was_said(group: Driver) -> None:
    """Notes stand below the text in the row; a summary, and what goes to a model, has the text alone."""
    sticker = message("om_s", "b", kind="sticker", content={"file_key": "file_v3_1"}, at=NOVEMBER + 3, parent="om_1")
    picture = {"image_key": "img_v3_1"}
    image = message("om_i", "b", kind="image", content=picture, at=NOVEMBER + 4, parent="om_1")
    group.deliver(message("om_1", "a", "好"), sticker, image)
    group.deliver(attachment("om_i", "img_v3_1", problem="消息已撤回，无法下载")).pass_time(10 * MINUTE)
    assert "表情包无法下载" in group.row("om_s")["content"]
    assert "消息已撤回，无法下载" in group.row("om_i")["content"]
    topic = group.topics()["om_1"]
    assert "下载" not in topic["summary"] + topic["keywords"]


def test_a_restart_forgets_no_topic_that_waits(group: Driver) -> None:
    group.deliver(*TALK)
    group.restart()
    group.pass_time(HOUR)
    assert group.topics()["om_1"]["summary"] != ""


def test_no_summary_is_made_when_they_are_off(tmp_path: Path) -> None:
    with Driver(tmp_path, summaries=False) as driver:
        driver.deliver(*TALK).pass_time(HOUR)
        assert driver.topics()["om_1"]["summary"] == ""


def test_many_topics_are_summarised_one_after_the_other(group: Driver) -> None:
    for number in range(30):
        group.deliver(message(f"q{number}", "a", "发布"), message(f"r{number}", "b", "发布", parent=f"q{number}"))
    group.pass_time(HOUR)
    assert all(topic["summary"] for topic in group.topics().values())
    assert len(group.topics()) == 30


# A language model


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def stub(runner: asyncio.Runner) -> Iterator[LlmStub]:
    serving = llm_stub()
    yield runner.run(serving.__aenter__())
    runner.run(serving.__aexit__(None, None, None))


def config(stub: LlmStub) -> dict[str, Any]:
    endpoint = {"base_url": stub.url, "model": "test-model"}
    llm = {"enabled": True, "providers": ["local"], "endpoints": {"local": endpoint}, "attempts": 1}
    return {"llm": llm, "llm_api_key": "sk-canary-0123456789abcdef"}


def test_a_language_model_is_asked_once_for_the_same_content(
    runner: asyncio.Runner, stub: LlmStub, tmp_path: Path
) -> None:
    with Driver(tmp_path, runner=runner, **config(stub)) as driver:
        driver.deliver(*TALK).pass_time(HOUR)
        assert driver.topics()["om_1"]["summary"] == "数据库连接池耗尽 今天的发布推迟（3 messages）"
        assert driver.topics()["om_1"]["keywords"] == "发布, 连接池"
        kept = {name.split(":")[0] for name in driver.rows(MEMORY)}
        assert kept == {"answer", "budget"}
        driver.restart()
        driver.context.table(THREADS).set("om_1", summarized="")
        driver.deliver(edit("om_3", "收到", at=NOVEMBER + HOUR)).pass_time(HOUR)
        assert len(stub.bodies) == 1
        driver.deliver(recall("om_2"))
        assert {name.split(":")[0] for name in driver.rows(MEMORY)} == {"budget"}
        driver.pass_time(HOUR)
        assert driver.topics()["om_1"]["summary"] == "数据库连接池耗尽 今天的发布推迟（2 messages）"
        assert len(stub.bodies) == 2


def test_a_recalled_message_is_sent_to_no_model_even_when_it_is_kept(
    runner: asyncio.Runner, stub: LlmStub, tmp_path: Path
) -> None:
    with Driver(tmp_path, runner=runner, recalled="keep", **config(stub)) as driver:
        driver.deliver(*TALK, recall("om_1")).pass_time(HOUR)
        assert driver.row("om_1")["content"].startswith("数据库连接池耗尽")
        assert driver.topics()["om_1"]["summary"]
        assert len(stub.bodies) == 1
        assert "耗尽" not in stub.text


def test_a_language_model_that_fails_gives_way_to_the_local_summary(
    runner: asyncio.Runner, stub: LlmStub, tmp_path: Path
) -> None:
    stub.default = failing(401)
    with Driver(tmp_path, runner=runner, **config(stub)) as driver:
        driver.deliver(*TALK).pass_time(HOUR)
        assert "数据库连接池" in driver.topics()["om_1"]["summary"]
        assert "canary" not in driver.topics()["om_1"]["summary"]


def test_a_model_may_not_take_longer_than_its_schedule() -> None:
    with pytest.raises(ValidationError, match="patience"):
        ArchiveConfig.model_validate({"llm": {"patience": 241}})

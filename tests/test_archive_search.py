"""``archive search`` and ``archive topics``: what is kept is found by words, person, time, group and type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archive_driver import DAY, HOUR, Driver, Offline, edit
from click.testing import CliRunner, Result
from group_events import NOVEMBER, message, recall

from plugins.archive.commands import archive

NAMES = {"ou_a": "阿梅", "ou_b": "小李", "ou_c": "小李"}


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Driver]:
    with Driver(tmp_path) as driver:
        driver.platform.people = NAMES
        driver.platform.groups_by_id = {"oc_group": "项目群", "oc_other": "闲聊群"}
        other = message("om_5", "ou_a", "上线以后聚餐", at=NOVEMBER + 2 * DAY)
        other["event"]["message"]["chat_id"] = "oc_other"
        driver.deliver(
            message("om_1", "ou_a", "今晚上线新版本", at=NOVEMBER),
            message("om_2", "ou_b", "Deploy the release tonight", at=NOVEMBER + HOUR, parent="om_1"),
            message("om_3", "ou_b", kind="file", content={"file_key": "file_1", "file_name": "上线清单.xlsx"}),
            message("om_4", "bot1", "上线成功", at=NOVEMBER + DAY),
            message("om_6", "ou_b", "@_user_1 看", mentions=["bot1"], at=NOVEMBER + 3 * DAY),
            other,
        )
        driver.pass_time(4 * DAY)
        yield driver


def run(driver: Driver, *words: str) -> Result:
    return CliRunner().invoke(archive, list(words), obj=Offline(driver, NAMES))


def lines(driver: Driver, *words: str) -> list[dict[str, Any]]:
    result = run(driver, *words, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def found(driver: Driver, *words: str) -> set[str]:
    return {line["message_id"] for line in lines(driver, "search", *words)}


def test_any_part_of_a_chinese_sentence_is_found(group: Driver) -> None:
    assert found(group, "上线") == {"om_1", "om_3", "om_4", "om_5"}
    assert found(group, "线新版") == {"om_1"}
    assert found(group, "上线", "版本") == {"om_1"}


def test_words_are_found_whole_or_by_their_beginning(group: Driver) -> None:
    assert found(group, "release") == {"om_2"}
    assert found(group, "rel*") == {"om_2"}
    assert found(group, "rele") == set()


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["--person", "阿梅"], {"om_1", "om_5"}),
        (["--person", "ou_a"], {"om_1", "om_5"}),
        (["--person", "BOT1"], {"om_4"}),
        (["--since", "2026-11-02"], {"om_4", "om_5"}),
        (["--until", "2026-11-01"], {"om_1", "om_3"}),
        (["--since", "2026-11-02T10:00", "--until", "2026-11-02 10:27"], {"om_4"}),
        (["--group", "闲聊群"], {"om_5"}),
        (["--group", "oc_group", "--type", "file"], {"om_3"}),
    ],
)
def test_filters_narrow_what_is_found(group: Driver, options: list[str], messages: set[str]) -> None:
    assert found(group, "上线", *options) == messages


def test_no_more_than_asked_for(group: Driver) -> None:
    assert len(found(group, "上线", "--limit", "2")) == 2


def test_people_read_a_line_for_each_message(group: Driver) -> None:
    result = run(group, "search", "新版本")
    assert result.stdout == (
        "2026-11-01 10:26  阿梅 [项目群]  今晚上线新版本  "
        "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=om_1\n"
    )


def test_an_edit_is_found_by_its_new_words_only(group: Driver) -> None:
    group.deliver(edit("om_1", "改到明天", at=NOVEMBER + DAY))
    assert found(group, "版本") == set()
    assert found(group, "改到明天") == {"om_1"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["没有的词"], "nothing was found"),
        (["上线", "--person", "小李"], "2 are called 小李: ou_b, ou_c"),
        (["上线", "--person", "阿妹"], "did you mean 阿梅?"),
        (["上线", "--group", "没有"], "no group called 没有"),
        (["\x1b[2J"], "nothing was found"),
    ],
)
def test_what_cannot_be_found_is_said(group: Driver, options: list[str], says: str) -> None:
    result = run(group, "search", *options)
    assert result.exit_code == 1
    assert says in result.stderr


def test_a_message_cannot_move_the_cursor(group: Driver) -> None:
    group.deliver(message("om_7", "ou_a", "清屏\x1b[2J\n第二行 [red]不是标记[/red]"))
    line = run(group, "search", "清屏").stdout
    assert "\x1b" not in line
    assert "清屏 [2J 第二行 [red]不是标记[/red]" in line


def test_topics_are_listed_with_their_summaries(group: Driver) -> None:
    (topic,) = lines(group, "topics")
    assert (topic["title"], topic["starter"], topic["replies"], topic["people"]) == ("今晚上线新版本", "阿梅", 1, 2)
    assert topic["participants"] == ["阿梅", "小李"]
    shown = run(group, "topics", "--group", "项目群").stdout
    assert shown.startswith("2026-11-01 11:26  今晚上线新版本  活跃 · 1 条回复 · 2 人 · 阿梅")
    assert topic["summary"].splitlines()[0][:5] in shown
    assert lines(group, "topics", "--status", "冷却") == []
    assert lines(group, "topics", "--group", "oc_other") == []


def test_a_topic_that_lost_its_replies_is_not_listed(group: Driver) -> None:
    group.deliver(recall("om_2"))
    assert lines(group, "topics") == []

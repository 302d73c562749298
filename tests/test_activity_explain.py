"""``activity explain``: every point can be traced to the message it came from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from activity_driver import Driver, Offline
from click.testing import CliRunner, Result
from group_events import NOVEMBER, message, pin, reaction, recall

from plugins.activity.commands import activity
from plugins.activity.score import Weights
from plugins.activity.tables import ACTIVITY

NAMES = {"a": "阿梅", "b": "小李", "c": "小李", "d": "老王"}
OCTOBER = NOVEMBER - 15 * 86_400_000


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Driver]:
    with Driver(tmp_path) as driver:
        driver.deliver(
            message("om_old", "a", "十月", at=OCTOBER),
            message("om_1", "a", "你好世界"),
            message("om_2", "b", "好", at=NOVEMBER + 60_000, parent="om_1"),
            message("om_3", "c", "看 @_user_1", at=NOVEMBER + 120_000, mentions=["a"]),
            message("om_4", "a", "撤回", at=NOVEMBER + 180_000),
            recall("om_4"),
            reaction("om_1", "b"),
            reaction("om_1", "c", added=False),
            reaction("om_3", "a", emoji="DONE"),
            pin("om_1"),
        )
        yield driver


def run(driver: Driver, *words: str) -> Result:
    return CliRunner().invoke(activity, ["explain", *words], obj=Offline(driver, NAMES))


def as_json(driver: Driver, *words: str) -> dict[str, Any]:
    result = run(driver, *words, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def test_each_month_shows_its_counters_and_entries(group: Driver) -> None:
    result = run(group, "阿梅")
    assert result.exit_code == 0
    november, october = result.stdout.split("\n\n")[:2]
    assert november.startswith("阿梅 · 2026-11 · 活跃度分数 12.04  a\n")
    assert re.search(r"发言字数 +4 × 0.01 = 0.04\n", november)
    assert re.search(r"被Pin次数 +1 × +5 = 5.00\n", november)
    assert (
        "  2026-11-01 10:26  om_1  发言次数 +1, 发言字数 +4, 发起话题数 +1  "
        "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=om_1\n"
    ) in november
    assert "2026-11-01 10:27  om_2  被回复数 +1 ← 小李  https" in november
    assert "2026-11-01 10:28  om_3  单独被@次数 +1 ← 小李  https" in november
    assert "om_3  点赞数 +1 → 小李 [DONE]" in november
    assert "om_1  被点赞数 +1 ← 小李 [OK]" in november
    assert "om_4" not in november
    assert october.startswith("阿梅 · 2026-10 · 活跃度分数 2.02")


def test_json_adds_up_to_the_score(group: Driver) -> None:
    document = as_json(group, "a")
    assert (document["user"], document["name"]) == ("a", "阿梅")
    for month in document["months"]:
        assert sum(counter["points"] for counter in month["counters"]) == pytest.approx(month["score"])
        for counter in month["counters"]:
            entries = (entry["amounts"].get(counter["name"], 0) for entry in month["entries"])
            assert sum(entries) == counter["amount"]
        assert month["without_entries"] == {}
    newest = document["months"][0]["entries"][0]
    assert newest["time"] == "2026-11-01T10:28:40+08:00"
    assert newest["link"].endswith("openChatId=oc_group&messageId=om_3")


def test_a_like_of_ones_own_message_is_one_entry(group: Driver) -> None:
    group.deliver(reaction("om_2", "b"))
    entries = as_json(group, "b")["months"][0]["entries"]
    assert [(one["kind"], one["message_id"]) for one in entries] == [
        ("said", "om_2"),
        ("liking", "om_2"),
        ("liking", "om_1"),
    ]


def test_period_and_limit_narrow_it_down(group: Driver) -> None:
    (month,) = as_json(group, "a", "--period", "2026-11", "--limit", "2")["months"]
    assert (month["period"], len(month["entries"]), month["entries_left_out"]) == ("2026-11", 2, 4)
    assert "… 4 more; --limit 0 lists all" in run(group, "a", "--period", "2026-11", "--limit", "2").stdout
    (month,) = as_json(group, "a", "--period", "2026-11", "--limit", "0")["months"]
    assert (len(month["entries"]), month["entries_left_out"]) == (6, 0)


def test_counts_taken_over_with_the_table_are_named(group: Driver) -> None:
    group.context.table(ACTIVITY).add("a", "2026-11", message=7)
    assert as_json(group, "a")["months"][0]["without_entries"] == {"message": 7}
    assert "taken over with the table: 发言次数 +7" in run(group, "a").stdout


def test_a_score_from_other_weights_says_so(group: Driver) -> None:
    offline = Offline(group, NAMES)
    offline.config = Weights(message=2.0)
    result = CliRunner().invoke(activity, ["explain", "a"], obj=offline)
    assert "from other weights" in result.stdout
    assert "from other weights" not in run(group, "a").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["小李"], "2 people are called 小李: b, c"),
        (["阿美"], "did you mean 阿梅?"),
        (["zzz"], "nobody called zzz is known; give an open_id"),
        (["老王"], "nothing is counted for 老王"),
        (["a", "--period", "2025-01"], "nothing is counted for a in 2025-01"),
        (["a", "--period", "2026-13"], "'2026-13' is not a month like 2026-11"),
    ],
)
def test_what_cannot_be_explained_says_why(group: Driver, words: list[str], says: str) -> None:
    result = run(group, *words)
    assert result.exit_code != 0
    assert says in result.stderr

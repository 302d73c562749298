"""Every rule of the table of counters, and that the order in which events arrive does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from activity_driver import Counters, Driver
from group_events import NOVEMBER, message, pin, reaction, recall
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Malformed
from plugins.activity.tables import ACTIVITY, CREDITS, WAITING

DAY = 86_400_000


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Driver]:
    with Driver(tmp_path) as driver:
        yield driver


def counted(driver: Driver, user: str, period: str = "2026-11") -> dict[str, int]:
    """Counters of one person that are not 0, by field."""
    return {name: count for name, count in driver.counters().get((user, period), {}).items() if count}


# 发言次数, 发言字数


def test_a_message_counts_for_its_sender(group: Driver) -> None:
    group.deliver(message("m", "a", "早"), message("n", "a", kind="image", content={"image_key": "img_v3_x"}))
    assert counted(group, "a") == {"发言次数": 2, "发言字数": 1, "发起话题数": 2}


def test_messages_of_bots_and_private_chats_count_for_nobody(group: Driver) -> None:
    group.deliver(message("m", "bot1", "@_user_1 早", mentions=["a"]), message("n", "a", "早", chat_type="p2p"))
    assert group.counters() == {}


def test_a_message_counts_once_however_often_it_comes(group: Driver) -> None:
    group.deliver(message("m", "a", "早"), message("m", "a", "早"))
    group.restart()
    group.deliver(message("m", "a", "早"))
    assert counted(group, "a") == {"发言次数": 1, "发言字数": 1, "发起话题数": 1}


def test_unreadable_content_is_refused_and_leaves_no_trace(group: Driver) -> None:
    broken = message("m", "a")
    broken["event"]["message"]["content"] = "{"
    with pytest.raises(Malformed):
        group.deliver(broken)
    assert group.rows() == []


# 被回复数


def test_a_reply_counts_for_the_author_of_the_parent(group: Driver) -> None:
    group.deliver(message("m", "a"), message("r", "b", parent="m"), message("s", "c", parent="r", root="m"))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1, "被回复数": 1}
    assert counted(group, "b") == {"发言次数": 1, "被回复数": 1}
    assert counted(group, "c") == {"发言次数": 1}


def test_replying_to_oneself_or_to_a_bot_counts_for_nobody(group: Driver) -> None:
    group.deliver(message("m", "a"), message("r", "a", parent="m"))
    group.deliver(message("w", "bot1"), message("s", "b", parent="w"))
    assert counted(group, "a") == {"发言次数": 2, "发起话题数": 1}
    assert counted(group, "b") == {"发言次数": 1}
    assert counted(group, "bot1") == {}


def test_a_bots_reply_counts_for_nobody(group: Driver) -> None:
    group.deliver(message("m", "a"), message("r", "bot1", parent="m"))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1}


def test_a_reply_waits_for_its_parent(group: Driver) -> None:
    group.deliver(message("r", "b", "@_user_1", parent="m", mentions=["a"]), message("s", "c", parent="m"))
    assert counted(group, "a") == {"单独被@次数": 1}
    group.restart()
    group.deliver(message("m", "a"))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1, "被回复数": 2}
    assert group.rows(WAITING) == []


def test_in_a_topic_the_first_person_mentioned_is_replied_to(group: Driver) -> None:
    group.deliver(message("m", "a", thread="t"))
    group.deliver(message("r", "b", parent="m", thread="t", mentions=["all", "bot1", "c", "d"]))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1}
    assert counted(group, "c") == {"被回复数": 1}
    assert counted(group, "d") == {"单独被@次数": 1}


def test_in_a_topic_mentioning_oneself_first_is_replying_to_oneself(group: Driver) -> None:
    group.deliver(message("m", "a", thread="t"), message("r", "b", parent="m", thread="t", mentions=["b", "c"]))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1}
    assert counted(group, "b") == {"发言次数": 1}
    assert counted(group, "c") == {"单独被@次数": 1}


def test_in_a_topic_without_people_mentioned_the_root_is_replied_to(group: Driver) -> None:
    group.deliver(message("m", "a", thread="t"), message("r", "b", parent="m", thread="t", mentions=["all", "bot1"]))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1, "被回复数": 1}


def test_in_a_topic_a_reply_to_another_message_than_the_root_is_a_plain_one(group: Driver) -> None:
    group.deliver(message("m", "a", thread="t"), message("r", "b", parent="m", thread="t"))
    group.deliver(message("s", "c", parent="r", root="m", thread="t", mentions=["d"]))
    assert counted(group, "b") == {"发言次数": 1, "被回复数": 1}
    assert counted(group, "d") == {"单独被@次数": 1}


# 单独被@次数


def test_each_person_mentioned_counts_once_a_message(group: Driver) -> None:
    group.deliver(message("m", "a", mentions=["b", "c", "b"]), message("n", "a", mentions=["b"]))
    assert counted(group, "b") == {"单独被@次数": 2}
    assert counted(group, "c") == {"单独被@次数": 1}


def test_everybody_bots_and_oneself_do_not_count_as_mentioned(group: Driver) -> None:
    group.deliver(message("m", "a", "@_all 早", mentions=["all", "bot1", "a"]))
    assert group.counters().keys() == {("a", "2026-11")}
    assert counted(group, "a") == {"发言次数": 1, "发言字数": 1, "发起话题数": 1}


# 点赞数, 被点赞数


def test_each_emoji_counts_for_who_gives_and_who_gets_it(group: Driver) -> None:
    group.deliver(message("m", "a"), reaction("m", "b"), reaction("m", "b", emoji="DONE"), reaction("m", "c"))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1, "被点赞数": 3}
    assert counted(group, "b") == {"点赞数": 2}
    assert counted(group, "c") == {"点赞数": 1}


def test_an_emoji_taken_off_is_taken_back(group: Driver) -> None:
    group.deliver(message("m", "a"), reaction("m", "b"), reaction("m", "b", added=False, at=2))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1}
    assert counted(group, "b") == {}


def test_the_later_action_wins_and_of_two_at_once_the_removal(group: Driver) -> None:
    group.deliver(message("m", "a"))
    group.deliver(reaction("m", "b", added=False, at=5), reaction("m", "b", at=4), reaction("m", "b", at=5))
    assert counted(group, "b") == {}
    group.deliver(reaction("m", "b", at=6), reaction("m", "b", at=6))
    assert counted(group, "b") == {"点赞数": 1}
    group.deliver(reaction("m", "b", added=False, at=6))
    assert counted(group, "b") == {}


def test_emojis_of_apps_do_not_count_and_those_on_bots_messages_are_only_given(group: Driver) -> None:
    group.deliver(message("m", "a"), reaction("m", "bot1"), message("w", "bot1"), reaction("w", "a"))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1, "点赞数": 1}
    assert group.counters().keys() == {("a", "2026-11")}


def test_an_emoji_counts_only_once_its_message_is_known(group: Driver) -> None:
    group.deliver(reaction("m", "b"), reaction("m", "c"), reaction("m", "c", added=False, at=2))
    assert group.counters() == {}
    group.restart()
    group.deliver(message("m", "a"))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1, "被点赞数": 1}
    assert counted(group, "b") == {"点赞数": 1}
    assert counted(group, "c") == {}


# 被Pin次数


def test_a_pin_counts_while_it_is_there(group: Driver) -> None:
    group.deliver(message("m", "a"), pin("m"), pin("m"))
    assert counted(group, "a")["被Pin次数"] == 1
    group.deliver(pin("m", added=False, at=1), pin("m"))
    assert "被Pin次数" not in counted(group, "a")
    group.deliver(pin("m", at=2))
    assert counted(group, "a")["被Pin次数"] == 1


def test_a_pin_waits_for_its_message_and_one_on_a_bots_message_counts_for_nobody(group: Driver) -> None:
    group.deliver(pin("m"), pin("w"), message("m", "a"), message("w", "bot1"))
    assert group.counters().keys() == {("a", "2026-11")}
    assert counted(group, "a")["被Pin次数"] == 1


@pytest.mark.parametrize("change", [{"message_id": None}, {"pin_time": 5}, {"pin_time": "soon"}])
def test_a_pin_that_lacks_something_is_refused(group: Driver, change: dict[str, Any]) -> None:
    event = pin("m")
    event["event"] |= change
    with pytest.raises(Malformed, match=r"pin\.added"):
        group.deliver(event)


# recall


def test_a_recall_takes_back_what_the_message_itself_had_contributed(group: Driver) -> None:
    group.deliver(message("m", "a"), message("r", "b", "好 @_user_1", parent="m", mentions=["c"]))
    group.deliver(reaction("r", "a"), pin("r"), message("s", "d", parent="r", root="m"))
    group.restart()
    group.deliver(recall("r"), recall("r"))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1, "点赞数": 1}
    assert counted(group, "b") == {"被点赞数": 1, "被Pin次数": 1, "被回复数": 1}
    assert counted(group, "c") == {}


def test_a_recall_before_its_message_and_a_reply_recalled_while_it_waits(group: Driver) -> None:
    group.deliver(recall("m"), message("m", "a", mentions=["c"]))
    group.deliver(message("r", "b", parent="p"), recall("r"), message("p", "a"))
    assert counted(group, "a") == {"发言次数": 1, "发起话题数": 1}
    assert counted(group, "c") == {}


# 统计周期


def test_the_month_is_that_of_the_message_where_the_group_lives(tmp_path: Path) -> None:
    last_evening = 1_793_462_400_000 - 1  # 2026-10-31 23:59:59.999 in Shanghai
    events = message("m", "a", at=last_evening), message("n", "a", at=last_evening + 1)
    with Driver(tmp_path / "shanghai") as driver:
        assert driver.deliver(*events).counters().keys() == {("a", "2026-10"), ("a", "2026-11")}
    with Driver(tmp_path / "utc", timezone=ZoneInfo("UTC")) as driver:
        assert driver.deliver(*events).counters().keys() == {("a", "2026-10")}


def test_everything_belongs_to_the_month_of_the_message_that_causes_it(group: Driver) -> None:
    group.deliver(message("m", "a", at=NOVEMBER - 5 * DAY))
    group.deliver(reaction("m", "b"), pin("m"), message("r", "b", parent="m"))
    assert counted(group, "a", "2026-10") == {"发言次数": 1, "发起话题数": 1, "被点赞数": 1, "被Pin次数": 1}
    assert counted(group, "a") == {"被回复数": 1}
    assert counted(group, "b", "2026-10") == {"点赞数": 1}


def test_updated_never_goes_back(group: Driver) -> None:
    group.deliver(message("m", "a"))
    group.context.table(ACTIVITY).set("a", "2026-11", updated=NOVEMBER + DAY)
    group.deliver(message("n", "a"))
    assert group.row("a")["updated"] == NOVEMBER + DAY


# order

HISTORY = [
    message("m", "a", "你好", thread="t"),
    message("r", "b", "@_user_1 好", parent="m", mentions=["a"]),
    message("s", "c", parent="r", root="m", mentions=["a", "d"]),
    message("x", "d", parent="m", thread="t", mentions=["c", "b"]),
    message("w", "bot1", parent="m"),
    message("y", "a", parent="w", root="m"),
    recall("m"),
    recall("x"),
    reaction("m", "b"),
    reaction("m", "b", added=False, at=2),
    reaction("m", "b", at=3),
    reaction("r", "b"),
    reaction("w", "c"),
    reaction("s", "a", at=4),
    reaction("s", "a", added=False, at=4),
    pin("r"),
    pin("m", at=2),
    pin("m", added=False, at=3),
]
EXPECTED: Counters = {
    ("a", "2026-11"): {"发言次数": 1, "被回复数": 1, "单独被@次数": 1, "被点赞数": 1},
    ("b", "2026-11"): {"发言次数": 1, "发言字数": 1, "被回复数": 1, "点赞数": 2, "被Pin次数": 1},
    ("c", "2026-11"): {"发言次数": 1, "点赞数": 1},
    ("d", "2026-11"): {"单独被@次数": 1},
}


@pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.
@settings(max_examples=60, deadline=None)
@given(events=st.permutations(HISTORY), stop=st.integers(0, len(HISTORY)))
def test_the_order_of_arrival_does_not_matter(events: list[dict[str, Any]], stop: int) -> None:
    with TemporaryDirectory() as directory, Driver(Path(directory)) as driver:
        driver.deliver(*events[:stop])
        driver.restart()
        driver.deliver(*events[stop:])
        found = {key: {name: count for name, count in row.items() if count} for key, row in driver.counters().items()}
        assert found == EXPECTED
        assert driver.rows(WAITING) == []
        assert all(row["author"] for row in driver.rows(CREDITS))

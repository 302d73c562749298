"""What the pin plugin makes of refusals, silence and messages that are gone: no group or message stops another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from log_lines import logged
from pin_driver import Driver, words
from pin_platform import PinPlatform, refusal

from core import Budget, QuotaExhausted, Unreachable
from plugins.pin.rounds import FIRST_PAUSE, MOST_TRIES, RARELY
from plugins.pin.tables import GROUPS

HOUR = 3600.0


@pytest.fixture
def platform() -> PinPlatform:
    platform = PinPlatform()
    platform.pins["oc_1"] = {}
    platform.people = {"ou_li": "李雷", "ou_wang": "王芳"}
    return platform


@pytest.fixture
def driver(tmp_path: Path, platform: PinPlatform) -> Iterator[Driver]:
    with Driver(tmp_path, platform) as driver:
        yield driver


def test_a_recalled_message_is_blanked_in_whatever_order_it_is_learned(driver: Driver, platform: PinPlatform) -> None:
    platform.say("om_1", {"image_key": "img_1"}, kind="image")
    platform.pin("oc_1", "om_1")
    platform.say("om_2", "This message was recalled", deleted=True)
    platform.pin("oc_1", "om_2")
    platform.pin("oc_1", "om_3")
    platform.failing["message om_3"] = refusal(230011)
    driver.finish()
    driver.recall("om_1")
    driver.recall("om_unpinned")
    driver.attached("om_1", "img_1", file_token="box1")
    assert [(row["content"], row["files"]) for row in driver.rows()] == [("［已撤回］", [])] * 3


def test_a_recall_that_is_heard_before_the_message_is_read_blanks_it_too(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.pin("oc_1", "om_1")
    platform.failing["message om_1"] = Unreachable("no answer")
    driver.round()
    driver.recall("om_1")
    del platform.failing["message om_1"]
    driver.round()
    assert driver.row("om_1")["content"] == "［已撤回］"
    assert driver.sent == []


def test_without_the_list_of_groups_the_round_is_tried_again(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.pin("oc_1", "om_1")
    platform.failing["groups"] = Unreachable("no answer")
    with pytest.raises(Unreachable):
        driver.round()
    assert driver.rows() == []
    del platform.failing["groups"]
    driver.finish()
    assert len(driver.rows()) == 1


def test_a_message_nobody_may_read_is_archived_without_its_content(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.pin("oc_1", "om_1")
    platform.failing["message om_1"] = refusal(230050)
    driver.round()
    assert driver.row("om_1")["content"] == "［内容无法读取：230050］"
    assert len(driver.sent) == 1
    platform.calls.clear()
    driver.round()
    assert platform.calls == ["pins oc_1"]


def test_a_message_that_fails_holds_up_no_other_and_is_given_up_at_last(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.failing["message om_1"] = refusal(190_001)
    platform.pin("oc_1", "om_1", at=driver.now + 1)
    platform.pin("oc_1", "om_2")
    driver.round()
    assert driver.row("om_2")["content"] == "说 om_2"
    assert driver.row("om_1")["content"] == ""
    assert "说 om_2" in words(driver.cards()[0])
    for _ in range(MOST_TRIES - 1):
        driver.round()
    assert driver.row("om_1")["content"] == "［内容无法读取：190001］"
    assert platform.calls.count("message om_1") == MOST_TRIES


def test_no_answer_for_a_message_is_tried_again_in_the_next_round(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.pin("oc_1", "om_1")
    platform.failing["message om_1"] = Unreachable("no answer")
    driver.round()
    assert driver.sent == []
    del platform.failing["message om_1"]
    driver.round()
    assert driver.row("om_1")["content"] == "说 om_1"
    assert len(driver.sent) == 1


def test_a_group_the_bot_left_keeps_its_pins_and_is_asked_rarely(driver: Driver, platform: PinPlatform) -> None:
    platform.pin("oc_1", "om_1")
    platform.pin("oc_2", "om_2")
    driver.finish()
    platform.failing["pins oc_1"] = refusal(230002)
    platform.calls.clear()
    with logged() as lines:
        started = driver.now
        while driver.now - started < RARELY - 2 * HOUR * 1000:
            driver.round()
    assert len([line for line in lines if "oc_1" in str(line)]) == 1
    assert platform.calls.count("pins oc_1") == 1
    assert platform.calls.count("pins oc_2") > 3
    assert len(driver.rows()) == 2
    del platform.failing["pins oc_1"]
    platform.unpin("oc_1", "om_1")
    driver.restart()
    driver.finish()
    assert [row["message_id"] for row in driver.rows()] == ["om_2"]
    assert {row["problem"] for row in driver.rows(GROUPS)} == {""}


@pytest.mark.parametrize("error", [Unreachable("no answer"), refusal(190_001), refusal(99991672)], ids=repr)
def test_an_error_is_never_taken_for_no_pins_and_stops_no_other_group(
    driver: Driver, platform: PinPlatform, error: Exception
) -> None:
    platform.pin("oc_1", "om_1")
    platform.pin("oc_2", "om_2")
    driver.finish()
    platform.failing["pins oc_1"] = error
    platform.unpin("oc_1", "om_1")
    platform.unpin("oc_2", "om_2")
    driver.round()
    assert [row["message_id"] for row in driver.rows()] == ["om_1"]
    del platform.failing["pins oc_1"]
    driver.round()
    assert driver.rows() == []


@pytest.mark.parametrize("error", [refusal(230048), refusal(99991400, 429)], ids=repr)
def test_when_called_too_often_the_round_waits_longer_each_time(
    driver: Driver, platform: PinPlatform, error: Exception
) -> None:
    platform.pins["oc_2"] = {}
    driver.finish()
    platform.failing["pins oc_2"] = error
    driver.round()
    waits = []
    for _ in range(3):
        due = driver.due()
        assert due is not None
        waits.append(due - driver.now)
        driver.round()
    assert waits == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    del platform.failing["pins oc_2"]
    platform.calls.clear()
    driver.round()
    assert platform.calls == ["pins oc_2"], "the round goes on where it stopped"


def test_without_calls_left_it_waits(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.failing["pins oc_1"] = QuotaExhausted("all are used")
    platform.month = Budget(10_000, 10_000, 7_200.0)
    driver.round()
    assert driver.due() == driver.now + 7_200_000

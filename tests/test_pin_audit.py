"""The weekly audit of pins: when it comes, and what it says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pin_driver import Driver, words
from pin_platform import PinPlatform

from plugins.pin.announcing import next_audit

HOUR = 3600.0
DAY = 86_400.0


@pytest.fixture
def platform() -> PinPlatform:
    platform = PinPlatform()
    platform.pins["oc_1"] = {}
    platform.people = {"ou_li": "李雷", "ou_wang": "王芳"}
    return platform


def audits(tmp_path: Path, platform: PinPlatform, **config: Any) -> Driver:
    return Driver(tmp_path, platform, announce=False, audit=True, audit_day="mon", audit_time="09:00", **config)


def test_the_weekly_audit_says_who_pinned_what(tmp_path: Path, platform: PinPlatform) -> None:
    with audits(tmp_path, platform) as driver:
        driver.finish()
        for number in range(3):
            platform.pin("oc_1", f"om_{number}", at=driver.now + number)
        platform.pin("oc_1", "om_li", "ou_li")
        driver.round()
        platform.unpin("oc_1", "om_0")
        driver.round()
        platform.pins["oc_quiet"] = {}
        driver.ring("audit")
        (card,) = driver.cards()
        assert driver.sent[0].chat_id == "oc_1"
        shown = words(card)
        assert "2026-10-26 09:00 至 2026-11-02 09:00，共 4 条 Pin，其中 1 条已取消。" in shown
        assert "王芳　3 条\\n李雷　1 条" in shown
        assert "说 om_1" in shown
        assert "说 om_0" not in shown
        driver.ring("audit")
        assert len(driver.sent) == 1, "in the week after nothing was pinned"


def test_an_audit_missed_for_long_is_left_out_and_one_missed_just_now_is_not(
    tmp_path: Path, platform: PinPlatform
) -> None:
    with audits(tmp_path, platform) as driver:
        platform.pin("oc_1", "om_1")
        driver.finish()
        due = driver.due("audit")
        assert due is not None
        driver.advance((due - driver.now) / 1000 + 20 * HOUR)
        driver.restart(audit=True)
        driver.ring("audit")
        assert len(driver.sent) == 1
        driver.advance(9 * DAY)
        driver.ring("audit")
        assert len(driver.sent) == 1
        assert driver.due("audit") is not None


def test_another_time_for_the_audit_counts_at_once(tmp_path: Path, platform: PinPlatform) -> None:
    with audits(tmp_path, platform) as driver:
        before = driver.due("audit")
        driver.restart(audit=True, audit_day="tue")
        after = driver.due("audit")
        assert before is not None
        assert after == before + DAY * 1000
        driver.restart(audit=False)
        platform.pin("oc_1", "om_1")
        driver.finish()
        driver.ring("audit")
        assert driver.sent == []
        assert driver.due("audit") == after


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        ("Asia/Shanghai", "2026-11-22T14:30:00", "2026-11-23T09:00:00+08:00"),
        ("Asia/Shanghai", "2026-11-23T09:00:00", "2026-11-30T09:00:00+08:00"),
        ("Europe/Berlin", "2026-10-20T09:00:00", "2026-10-26T09:00:00+01:00"),  # Clocks went back on the 25th.
        ("America/New_York", "2026-03-03T12:00:00", "2026-03-09T09:00:00-04:00"),  # And forward on the 8th.
    ],
)
def test_the_next_audit_is_at_the_time_of_the_day_whatever_the_clocks_do(zone: str, after: str, expected: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone)).timestamp()
    due = next_audit(round(moment * 1000), ZoneInfo(zone), "mon", "09:00")
    assert datetime.fromtimestamp(due / 1000, ZoneInfo(zone)).isoformat() == expected


def test_an_audit_at_a_time_that_a_day_does_not_have_comes_all_the_same() -> None:
    zone = ZoneInfo("Europe/Berlin")
    moment = datetime(2026, 3, 28, 12, tzinfo=zone).timestamp()
    due = next_audit(round(moment * 1000), zone, "sun", "02:30")
    assert datetime.fromtimestamp(due / 1000, zone).isoformat() == "2026-03-29T03:00:00+02:00"

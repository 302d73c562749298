"""When a silence is unusual for a group: its rhythm, learned hour by hour, and how often one may ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.history.habits import MOST_TOPICS, Habit, Habits
from core.history.rhythm import HOUR, LONGEST, Rhythm
from core.history.silence import DAY, MOST_A_DAY, SHORTEST, Silence
from core.journal import admit
from core.storage import open_engine

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 2, tzinfo=ZONE)


def at(day: int, hour: float) -> int:
    """ms UTC, from the first Monday on."""
    return int((MONDAY + timedelta(days=day, hours=hour)).timestamp() * 1000)


def office(weeks: int = 2, an_hour: int = 20) -> Rhythm:
    """A group that talks from 9 to 18 on working days."""
    rhythm = Rhythm(ZONE)
    for day in range(7 * weeks):
        rhythm.spend(at(day, 0), at(day + 1, 0))
        if day % 7 < 5:
            for hour in range(9, 18):
                for n in range(an_hour):
                    rhythm.hear(at(day, hour + n / an_hour))
    return rhythm


def test_what_is_expected_follows_the_hour_and_the_kind_of_day() -> None:
    rhythm = office()
    assert rhythm.expected(at(14, 10), at(14, 11)) == pytest.approx(20)
    assert rhythm.expected(at(14, 10), at(14, 10.25)) == pytest.approx(5)
    assert rhythm.expected(at(14, 20), at(15, 8)) == 0
    assert rhythm.expected(at(18, 18), at(21, 9)) == 0  # A weekend.
    assert rhythm.expected(at(18, 17), at(21, 10)) == pytest.approx(40)


def test_nothing_is_expected_of_hours_that_are_not_known() -> None:
    rhythm = Rhythm(ZONE)
    rhythm.spend(at(0, 9), at(0, 10))
    rhythm.hear(at(0, 9.5))
    assert rhythm.expected(at(1, 9), at(1, 10)) == 0
    rhythm.spend(at(1, 9), at(1, 10))
    assert rhythm.expected(at(2, 9), at(2, 10)) == pytest.approx(0.5)


def test_a_group_that_falls_quiet_is_expected_to_be_quiet_after_a_while() -> None:
    rhythm = office()
    for day in range(14, 14 + 60):
        rhythm.spend(at(day, 0), at(day + 1, 0))
    assert rhythm.expected(at(77, 10), at(77, 11)) < 4


def test_a_rhythm_survives_being_kept() -> None:
    rhythm = office()
    again = Rhythm(ZONE, **orjson.loads(orjson.dumps(rhythm.as_json())))
    assert again.expected(at(14, 0), at(21, 0)) == pytest.approx(rhythm.expected(at(14, 0), at(21, 0)), rel=0.01)
    assert Rhythm(ZONE, [1.0], [2.0]).expected(at(0, 0), at(7, 0)) == 0  # Kept by another version.


@given(st.integers(0, 10**12), st.integers(0, LONGEST), st.integers(0, LONGEST))
def test_expectations_add_up(start: int, one: int, other: int) -> None:
    rhythm = office(1)
    one, other = one // 2, other // 2
    whole = rhythm.expected(start, start + one + other)
    parts = rhythm.expected(start, start + one) + rhythm.expected(start + one, start + one + other)
    assert whole == pytest.approx(parts)


def silent(hours: float) -> tuple[dict[str, Habit], int]:
    """An office group whose last message was on a Monday at ten."""
    return {"oc_a": Habit(office(), last=at(14, 10))}, at(14, 10 + hours)


def test_a_silence_is_unusual_once_much_should_have_been_said() -> None:
    silence = Silence()
    assert silence.suspicious(*silent(0.25)) is None
    assert silence.suspicious(*silent(0.5)) is None
    assert silence.suspicious(*silent(0.7)) == "oc_a"


def test_nights_and_weekends_are_quiet() -> None:
    groups = {"oc_a": Habit(office(), last=at(18, 17.9))}
    assert Silence().suspicious(groups, at(21, 9)) is None
    assert Silence().suspicious(groups, at(21, 10)) == "oc_a"


def test_however_busy_a_group_is_a_quarter_of_an_hour_is_not_unusual() -> None:
    groups = {"oc_a": Habit(office(an_hour=600), last=at(14, 10))}
    assert Silence().suspicious(groups, at(14, 10) + SHORTEST - 1) is None
    assert Silence().suspicious(groups, at(14, 10) + SHORTEST) == "oc_a"


def test_a_silence_found_to_be_real_is_doubted_half_as_often_each_time() -> None:
    silence = Silence()
    groups, now = silent(0.7)
    silence.checked("oc_a", groups["oc_a"], now, missed=False)
    assert silence.suspicious(groups, silent(1.1)[1]) is None
    assert silence.suspicious(groups, silent(1.3)[1]) == "oc_a"
    groups["oc_a"].last = at(14, 11.5)  # Somebody spoke: it begins anew.
    assert silence.suspicious(groups, at(14, 12.2)) == "oc_a"


def test_the_strangest_silence_is_asked_about() -> None:
    groups = {"oc_a": Habit(office(an_hour=20), last=at(14, 10)), "oc_b": Habit(office(an_hour=60), last=at(14, 10))}
    assert Silence().suspicious(groups, at(14, 11)) == "oc_b"


def test_there_are_only_a_few_checks_a_day() -> None:
    silence = Silence()
    groups, now = silent(6)
    for n in range(MOST_A_DAY):
        assert silence.suspicious(groups, now) == "oc_a"
        silence.checked("oc_a", groups["oc_a"], now + n, missed=True)
    assert silence.suspicious(groups, now) is None
    assert silence.suspicious(groups, now + DAY) == "oc_a"
    assert silence.suspicious(groups, now - DAY) is not None or now - DAY < groups["oc_a"].last + SHORTEST


def said(n: int, moment: int, chat: str = "oc_a", event_id: str = "", **more: object) -> bytes:
    sender = {"sender_id": {"open_id": "ou_1"}, "sender_type": "user"}
    message = {
        "message_id": f"om_{n}",
        "chat_id": chat,
        "chat_type": "group",
        "message_type": "text",
        "create_time": str(moment),
        "content": "{}",
        **more,
    }
    header = {"event_id": event_id or f"e{n}", "event_type": "im.message.receive_v1", "tenant_key": "t"}
    return orjson.dumps({"schema": "2.0", "header": header, "event": {"sender": sender, "message": message}})


def habits_of(directory: Path, bodies: list[bytes], *chats: str, received: int = at(1, 0)) -> Habits:
    """What is known after ``bodies``, by one who goes on where the last one was."""
    engine = open_engine(directory)
    journal, store = engine.journal(), engine.store()
    journal.append([admit(body, received) for body in bodies])
    habits = Habits(journal, store, ZONE, chats)
    while habits.catch_up():
        pass
    habits.keep()
    journal.close()
    store.close()
    return habits


def test_habits_are_learned_from_the_journal_and_go_on_after_a_restart(tmp_path: Path) -> None:
    first = [said(n, at(0, 9) + n, thread_id=f"omt_{n % 3}") for n in range(600)]
    habits_of(tmp_path, first)
    habits = habits_of(tmp_path, [said(700, at(0, 12), thread_id="omt_0"), said(701, at(0, 11), chat="oc_b")])
    assert habits.groups["oc_a"].last == at(0, 12)
    assert habits.groups["oc_b"].last == at(0, 11)
    assert habits.topics("oc_a", at(0, 9)) == ["omt_0", "omt_2", "omt_1"]
    assert habits.topics("oc_a", at(0, 10)) == ["omt_0"]
    assert habits.topics("oc_x", 0) == []
    habits.spend(at(0, 0), at(1, 0))
    habits.spend(at(1, 0), at(2, 0))
    assert habits.groups["oc_a"].rhythm.expected(at(2, 9), at(2, 10)) == pytest.approx(300)


def test_what_was_read_from_the_history_is_no_sign_of_being_heard(tmp_path: Path) -> None:
    habits = habits_of(tmp_path, [said(1, at(0, 9), event_id="history:message:om_1")])
    habits.spend(at(0, 0), at(2, 0))
    assert habits.groups["oc_a"].last == at(0, 9)
    assert habits.groups["oc_a"].rhythm.expected(at(2, 9), at(2, 10)) == 0


def test_a_message_from_the_future_does_not_end_a_silence(tmp_path: Path) -> None:
    assert habits_of(tmp_path, [said(1, at(5, 0))], received=at(1, 0)).groups["oc_a"].last == at(1, 0)


def test_private_chats_and_groups_that_are_not_watched_have_no_habits(tmp_path: Path) -> None:
    bodies = [said(1, 1, chat_type="p2p"), said(2, 2, chat="oc_b"), said(3, 3)]
    assert set(habits_of(tmp_path, bodies, "oc_b").groups) == {"oc_b"}


def test_bots_are_known_from_mentions(tmp_path: Path) -> None:
    mentions = [
        {"key": "@_user_1", "id": {"open_id": "ou_bot"}, "mentioned_type": "bot", "name": "机器人"},
        {"key": "@_user_2", "id": {"open_id": "ou_2"}, "mentioned_type": "user", "name": "人"},
    ]
    habits_of(tmp_path, [said(1, 1, mentions=mentions)])
    assert list(habits_of(tmp_path, []).bots) == ["ou_bot"]


def test_only_the_latest_topics_are_remembered(tmp_path: Path) -> None:
    habits = habits_of(tmp_path, [said(n, n, thread_id=f"omt_{n}") for n in range(1, MOST_TOPICS + 11)])
    assert habits.topics("oc_a", 0) == [f"omt_{n}" for n in range(MOST_TOPICS + 10, 10, -1)]


def test_hours_of_half_past_time_zones_are_told_apart() -> None:
    rhythm = Rhythm(ZoneInfo("Asia/Kolkata"))
    midnight = int(datetime(2026, 11, 2, tzinfo=ZoneInfo("Asia/Kolkata")).timestamp() * 1000)
    for day in range(2):
        rhythm.spend(midnight + day * DAY, midnight + (day + 1) * DAY)
        rhythm.hear(midnight + day * DAY + HOUR // 4)
    assert rhythm.expected(midnight + 2 * DAY, midnight + 2 * DAY + HOUR) == pytest.approx(1)
    assert rhythm.expected(midnight + 2 * DAY + HOUR, midnight + 2 * DAY + 2 * HOUR) == 0

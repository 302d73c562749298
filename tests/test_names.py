"""Names of people: looked up in batches, once a day, and never in the way of a row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from api_client import DAY
from mirror_stage import staged
from unruly import NAMES, UPDATE, refused

from core.people import LONGEST_PAUSE, PAUSE
from sandbox.endpoint import Answer, Call
from sandbox.reply import ApiError

NOW = "2026-11"


async def test_names_are_looked_up_fifty_at_a_time_and_once_a_day(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        people = stage.invite(120)
        stage.put(*people, count=1)
        await stage.flush()
        assert [len(call.many("user_ids")) for call in stage.sandbox.seen[NAMES]] == [50, 50, 20]
        stage.put(*people, count=2)
        stage.clock.now += DAY - 1
        await stage.flush()
        assert stage.calls(NAMES) == 3
        stage.clock.now += 1
        stage.put(*people, count=3)
        await stage.restart()
        await stage.flush()
        assert stage.calls(NAMES) == 6


async def test_a_call_that_is_made_anyway_looks_up_those_soon_due_too(tmp_path: Path) -> None:
    """Else everybody's day would end at another time, and cost a call of its own."""
    async with staged(tmp_path) as stage:
        people = stage.invite(30)
        for number, person in enumerate(people):
            stage.put(person, count=1)
            await stage.flush()
            stage.clock.now += DAY // 40 * (number < 29)
        assert stage.calls(NAMES) == 30
        for _ in range(120):
            stage.clock.now += DAY // 40
            stage.put(*people, count=1)
            await stage.flush()
        assert stage.calls(NAMES) <= 30 + 6


async def test_an_app_is_not_looked_up_among_people_and_has_no_person_cell(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, *_ = stage.people
        stage.put(one, "cli_a1b2c3d4e5f6a7b8", count=1)
        assert await stage.flush()
        assert [call.many("user_ids") for call in stage.sandbox.seen[NAMES]] == [[one]]
        row = stage.remote()["cli_a1b2c3d4e5f6a7b8", NOW]
        assert row["用户名称"] == "机器人"
        assert "人员" not in row


async def test_somebody_nobody_may_see_is_not_asked_for_again_and_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.put("ou_stranger", count=1)
        await stage.flush()
        stage.put("ou_stranger", count=2)
        await stage.flush()
        assert stage.calls(NAMES) == 1


async def test_ids_of_another_app_do_not_hide_the_names_of_those_beside_them(tmp_path: Path) -> None:
    """As in a base that was filled under another APP_ID; the platform refuses the whole call."""
    async with staged(tmp_path) as stage:

        async def strict(call: Call, answer: Answer) -> Any:
            if any(one.startswith("ou_foreign") for one in call.many("user_ids")):
                raise ApiError(99992361, "open_id cross app", status=400)
            return await answer(call)

        stage.sandbox.troubles[NAMES].extend([strict] * 1000)
        people = stage.invite(49)
        stage.put(*people[:30], "ou_foreign", *people[30:], count=1)
        assert await stage.flush()
        assert len(stage.directory.names([*people, "ou_foreign"])) == 49
        assert (stage.calls(NAMES), stage.directory.problem) == (13, "")
        stage.put(*(f"ou_foreign_{number}" for number in range(50)), count=1)
        assert await stage.flush()
        assert stage.calls(NAMES) <= 13 + 13
        calls = stage.calls(NAMES)
        stage.put(*(f"ou_foreign_{number}" for number in range(50)), count=2)
        assert await stage.flush()
        assert stage.calls(NAMES) == calls  # Not again before tomorrow.


async def test_names_that_are_refused_for_good_cost_next_to_nothing(tmp_path: Path) -> None:
    """A group of 20 for a day, looked at every 10 s as where there is no base."""
    async with staged(tmp_path) as stage:
        stage.put(*stage.invite(20), count=1)
        stage.sandbox.troubles[NAMES].extend([refused(99991672, 400, "Access denied")] * 1000)
        for _ in range(DAY // 10_000):
            await stage.directory.learn_strangers()
            stage.clock.now += 10_000
        assert 5 <= stage.calls(NAMES) <= 10
        stage.sandbox.troubles[NAMES].clear()
        stage.clock.now += LONGEST_PAUSE
        await stage.directory.learn_strangers()
        assert stage.directory.problem == ""
        stage.sandbox.troubles[NAMES].append(refused(99991672, 400, "Access denied"))
        stage.clock.now += DAY
        await stage.directory.learn(["ou_new"])
        calls = stage.calls(NAMES)
        stage.clock.now += PAUSE
        await stage.directory.learn(["ou_new"])  # The pause is as short again as at first.
        assert stage.calls(NAMES) == calls + 1


async def test_without_the_contact_api_rows_are_written_and_names_follow(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.sandbox.troubles[NAMES].append(refused(99991672, 400, "Access denied"))
        stage.put(one, count=1)
        assert await stage.flush()
        assert "用户名称" not in stage.remote()[one, NOW]
        assert "99991672" in stage.directory.problem
        stage.put(one, count=2)
        assert await stage.flush()
        assert stage.calls(NAMES) == 1  # Not again with every flush.
        stage.clock.now += DAY
        stage.put(two, count=1)
        assert await stage.flush()
        await stage.flush()
        assert {key[0]: row["用户名称"] for key, row in stage.remote().items()} == {one: "李雷", two: "韩梅梅"}
        assert stage.directory.problem == ""


async def test_a_changed_name_is_written_to_every_row_of_the_person(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, period="2026-10", count=1)
        stage.put(one, two, count=1)
        await stage.flush()
        people = stage.sandbox.world.people
        known = people.get(one)
        assert known is not None
        people.add(replace(known, name="李小雷"))
        stage.clock.now += DAY
        stage.put(one, count=2)
        await stage.flush()
        await stage.flush()
        names = {key: row["用户名称"] for key, row in stage.remote().items()}
        assert names == {(one, "2026-10"): "李小雷", (one, NOW): "李小雷", (two, NOW): "韩梅梅"}
        updated = [len(call.body["records"]) for call in stage.sandbox.seen[UPDATE]]
        assert sum(updated) == 2


async def test_names_missed_by_a_failed_call_are_made_up_for(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.sandbox.troubles[NAMES].append(refused(40004, 403))
        stage.put(one, count=1)
        assert await stage.flush()
        stage.clock.now += DAY
        stage.put(two, count=1)
        assert await stage.flush()
        assert await stage.flush()
        assert {row["用户名称"] for row in stage.remote().values()} == {"李雷", "韩梅梅"}

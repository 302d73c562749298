"""Pushes under faults: more of them, late ones, none, frames spoiled; and the truth about what was acknowledged."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import WSMsgType
from google.protobuf.message import DecodeError
from sandbox_client import SECONDS, Client, Link, header, running, until

from sandbox import quiet as quiet_scenario
from sandbox.config import SandboxConfig
from sandbox.faults.fault import Fault
from sandbox.frame_pb2 import Frame
from sandbox.scenario.act import React, Recall, Say, Scenario

HOUR = 3_600_000
NOON = 1_793_505_600_000


def quiet(*faults: Fault, **given: Any) -> SandboxConfig:
    return SandboxConfig(scenario="quiet", faults=faults, **given)


def said(event: dict[str, Any]) -> str:
    return event["event"]["message"]["message_id"]


async def hear(link: Link, count: int) -> list[str]:
    return [said(await link.event()) for _ in range(count)]


async def emptied(client: Client) -> None:
    await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)


def say(client: Client, count: int) -> list[str]:
    return [client.say(str(number)).message_id for number in range(count)]


async def test_a_duplicate_is_the_same_event_in_another_push() -> None:
    async with running(quiet(Fault(kind="duplicate", times=1, count=2))) as client, await client.connect() as link:
        [first, second] = say(client, 2)
        frames = [await link.frame() for _ in range(4)]
        assert [said(orjson.loads(frame.payload)) for frame in frames] == [first, first, first, second]
        assert len({orjson.loads(frame.payload)["header"]["event_id"] for frame in frames[:3]}) == 1
        assert len({header(frame, "message_id") for frame in frames}) == 4
        for frame in frames:
            await link.ack(frame)
        await emptied(client)
        stats = client.sandbox.gateway.delivery.document()
        assert (stats["events"], stats["duplicated"], stats["acked"]) == (2, 2, 4)


async def test_a_reordered_push_lets_others_go_first() -> None:
    fault = Fault(kind="reorder", times=1, count=2, seconds=SECONDS)
    async with running(quiet(fault)) as client, await client.connect() as link:
        sent = say(client, 4)
        assert await hear(link, 4) == [sent[1], sent[2], sent[0], sent[3]]


async def test_a_reordered_push_that_nothing_follows_comes_all_the_same() -> None:
    fault = Fault(kind="reorder", times=1, seconds=0.05)
    async with running(quiet(fault)) as client, await client.connect() as link:
        sent = say(client, 1)
        assert await hear(link, 1) == sent
        await emptied(client)


async def test_a_delayed_push_comes_after_those_that_are_not() -> None:
    async with running(quiet(Fault(kind="delay", times=1, seconds=0.1))) as client, await client.connect() as link:
        sent = say(client, 2)
        assert await hear(link, 2) == sent[::-1]


async def test_hours_are_shortened_like_the_re_push_schedule() -> None:
    config = quiet(Fault(kind="late", times=1, seconds=21_600.0), retry_factor=1e-5)
    async with running(config) as client, await client.connect() as link:
        await link.ping()
        began = asyncio.get_running_loop().time()
        sent = say(client, 2)
        assert await hear(link, 2) == sent[::-1]
        assert asyncio.get_running_loop().time() - began >= 0.216


async def test_an_acknowledged_event_can_come_again_hours_later() -> None:
    config = quiet(Fault(kind="repush", times=1), retry_factor=1e-5)
    async with running(config) as client, await client.connect() as link:
        [sent] = say(client, 1)
        assert await hear(link, 2) == [sent, sent]
        await emptied(client)
        assert [each.times for each in client.sandbox.acknowledged.after(0, 10)] == [2]


async def test_a_late_push_waits_in_the_time_of_the_world() -> None:
    cast = quiet_scenario.load(seed=1)
    chat, sender = cast.chats[0].chat_id, cast.people[0].open_id
    talk = [Say(NOON + hour * HOUR, chat, f"om_{hour}", sender, "text", {"text": str(hour)}) for hour in range(9)]
    scenario = Scenario("talk", cast.people, cast.chats, lambda: iter(talk), len(talk))
    config = SandboxConfig(faults=(Fault(kind="late", times=1, seconds=21_600.0, world=True),), window=1)
    async with running(config, scenario) as client, await client.connect() as link:
        heard = await hear(link, 9)
        assert set(heard) == {f"om_{hour}" for hour in range(9)}
        assert heard.index("om_0") >= 5, "six hours of the world are over, whatever this machine's clock says"


async def test_clearing_sends_what_is_held_back_at_once() -> None:
    async with running(quiet(Fault(kind="late"))) as client, await client.connect() as link:
        await link.ping()
        sent = say(client, 3)
        assert client.sandbox.gateway.delivery.document()["held"] == 3
        await client.control("POST", "faults", {"clear": True})
        assert await hear(link, 3) == sent


async def test_what_is_held_back_survives_a_change_to_other_faults_of_pushes() -> None:
    async with running(quiet(Fault(kind="late"))) as client:
        say(client, 3)
        client.sandbox.faults.add(Fault(kind="delay"))
        assert client.sandbox.gateway.delivery.document()["held"] == 3


async def test_a_lost_event_never_comes_and_is_not_acknowledged() -> None:
    async with running(quiet(Fault(kind="lost", times=1))) as client, await client.connect() as link:
        sent = say(client, 2)
        assert await hear(link, 1) == sent[1:]
        await emptied(client)
        assert sent[0] in client.sandbox.world.messages, "the history has it"
        assert len(client.sandbox.acknowledged) == 1


async def test_nobody_waits_for_an_event_that_is_lost() -> None:
    async with running(quiet(Fault(kind="lost"))) as client:
        say(client, 1)
        await emptied(client)


async def test_a_fault_can_be_for_one_type_of_event() -> None:
    fault = Fault(kind="lost", on="im.message.reaction.*")
    async with running(quiet(fault)) as client, await client.connect() as link:
        message = client.say()
        client.sandbox.world.react(message, client.people[0].open_id, "OK")
        client.sandbox.world.recall(message, message.sender)
        heard = [(await link.event())["header"]["event_type"] for _ in range(2)]
        assert heard == ["im.message.receive_v1", "im.message.recalled_v1"]


class TestFrames:
    async def test_a_torn_frame_cannot_be_read_or_lacks_something(self) -> None:
        async with running(quiet(Fault(kind="torn", times=20), seed=4)) as client, await client.connect() as link:
            whole = 0
            for number in range(20):
                client.say(str(number))
                raw = (await link.socket.receive(timeout=SECONDS)).data
                try:
                    orjson.loads(Frame.FromString(raw).payload)
                    whole += 1
                except (DecodeError, orjson.JSONDecodeError):
                    pass
            assert whole == 0

    async def test_a_headless_frame_has_a_type_and_no_more(self) -> None:
        async with running(quiet(Fault(kind="headless"))) as client, await client.connect() as link:
            client.say()
            assert [(each.key, each.value) for each in (await link.frame()).headers] == [("type", "event")]

    async def test_garbage_comes_before_the_push(self) -> None:
        async with running(quiet(Fault(kind="garbage", size=10))) as client, await client.connect() as link:
            sent = say(client, 1)
            assert len((await link.socket.receive(timeout=SECONDS)).data) == 10
            assert await hear(link, 1) == sent

    async def test_an_oversized_frame_still_has_the_event(self) -> None:
        config = quiet(Fault(kind="oversized", size=3 << 20), part_size=8 << 20)
        async with running(config) as client, await client.connect() as link:
            sent = say(client, 1)
            frame = await link.frame()
            assert len(frame.payload) > 3 << 20
            assert said(orjson.loads(frame.payload)) == sent[0]

    @pytest.mark.parametrize(
        ("kind", "order"),
        [("split", [0, 1, 2, 3]), ("parts-disordered", None), ("part-missing", None), ("part-twice", None)],
    )
    async def test_parts_are_spoiled_as_their_kind_says(self, kind: str, order: list[int] | None) -> None:
        async with running(quiet(Fault(kind=kind, count=4))) as client, await client.connect() as link:
            client.say()
            count = {"part-missing": 3, "part-twice": 5}.get(kind, 4)
            frames = [await link.frame() for _ in range(count)]
            assert {header(frame, "sum") for frame in frames} == {"4"}
            numbers = [int(header(frame, "seq")) for frame in frames]
            if order is not None:
                assert numbers == order
            if kind == "parts-disordered":
                assert numbers != [0, 1, 2, 3]
                assert sorted(numbers) == [0, 1, 2, 3]
            if kind == "part-missing":
                assert len(set(numbers)) == 3
            else:
                parts = {int(header(frame, "seq")): frame.payload for frame in frames}
                assert said(orjson.loads(b"".join(parts[number] for number in range(4))))

    async def test_bytes_that_dribble_make_the_same_frame(self) -> None:
        fault = Fault(kind="dribble", count=20, seconds=0.05)
        async with running(quiet(fault)) as client, await client.connect() as link:
            await link.ping()
            sent = say(client, 2)
            frames = await link.ping(), await link.frame(), await link.frame()
            heard = [said(orjson.loads(frame.payload)) for frame in frames if frame.method == 1]
            assert heard == sent, "the pong does not come between the bytes"

    async def test_a_cut_ends_the_connection_within_a_frame_and_the_event_comes_again(self) -> None:
        config = quiet(Fault(kind="cut", times=1), retry_factor=1e-3, seed=2)
        async with running(config) as client:
            async with await client.connect() as link:
                await link.ping()
                [sent] = say(client, 1)
                message = await link.socket.receive(timeout=SECONDS)
                assert message.type in (WSMsgType.CLOSED, WSMsgType.ERROR), "no whole frame came"
            async with await client.connect() as link:
                assert await hear(link, 1) == [sent]


class TestAcknowledged:
    async def test_each_event_is_there_once_with_its_natural_key(self) -> None:
        async with running(quiet(Fault(kind="duplicate"))) as client, await client.connect() as link:
            message = client.say()
            person = client.people[1].open_id
            reaction = client.sandbox.world.react(message, person, "OK")
            client.sandbox.world.recall(message, message.sender)
            client.sandbox.world.join(client.sandbox.world.chat(client.chat_id), f"ou_{'0' * 32}")
            events = [await link.event() for _ in range(8)]
            await emptied(client)
            answer = await client.control("GET", "acknowledged")
        assert (answer["total"], answer["next"]) == (4, None)
        assert [each["key"] for each in answer["items"]] == [
            f"im.message.receive_v1/{message.message_id}",
            f"im.message.reaction.created_v1/{message.message_id}/{person}/OK/{reaction.at}",
            f"im.message.recalled_v1/{message.message_id}",
            f"im.chat.member.user.added_v1/{events[-1]['header']['event_id']}",
        ]
        assert [each["times"] for each in answer["items"]] == [2, 2, 2, 2]
        assert {each["event_id"] for each in answer["items"]} == {event["header"]["event_id"] for event in events}

    async def test_only_200_in_time_counts(self) -> None:
        async with running(quiet(ack_timeout=0.05)) as client, await client.connect() as link:
            say(client, 2)
            await link.ack(await link.frame(), b'{"code":500}')
            frame = await link.frame()
            await until(lambda: client.sandbox.gateway.delivery.timed_out == 1)
            await link.ack(frame)
            await link.ping()
            assert len(client.sandbox.acknowledged) == 0

    async def test_pages_lead_to_the_end(self) -> None:
        async with running() as client, await client.connect() as link:
            say(client, 5)
            await hear(link, 5)
            await emptied(client)
            numbers, after = [], 0
            while after is not None:
                page = await client.control("GET", f"acknowledged?after={after}&limit=2")
                numbers += [each["number"] for each in page["items"]]
                after = page["next"]
            assert numbers == [1, 2, 3, 4, 5]
            assert "limit" in (await client.control("GET", "acknowledged?limit=many"))["error"]

    async def test_the_file_survives_and_goes_on(self, tmp_path: Path) -> None:
        file = tmp_path / "acknowledged.jsonl"
        listed: list[str] = []
        for seed in (1, 2):
            async with running(quiet(acknowledged=file, seed=seed)) as client, await client.connect() as link:
                [sent] = say(client, 1)
                await hear(link, 1)
                await until(lambda: len(client.sandbox.acknowledged) == 1)
                listed.append(f"im.message.receive_v1/{sent}")
                assert [orjson.loads(line)["key"] for line in file.read_bytes().splitlines()] == listed


async def test_a_clock_that_jumps_shows_in_the_times_of_what_happens() -> None:
    cast = quiet_scenario.load(seed=1)
    chat, sender = cast.chats[0].chat_id, cast.people[0].open_id
    acts = [
        Say(NOON, chat, "om_1", sender, "text", {"text": "1"}),
        React(NOON + 1000, chat, "om_1", sender, "OK"),
        Recall(NOON + 2000, chat, "om_1", sender),
    ]
    scenario = Scenario("jump", cast.people, cast.chats, lambda: iter(acts), len(acts))
    async with running(SandboxConfig(start="told"), scenario) as client, await client.connect() as link:
        answer = await client.control("POST", "clock", {"by": -3600})
        assert answer == {"now": NOON - HOUR, "wrong_by": -HOUR}
        await client.control("POST", "play")
        times = [int((await link.event())["header"]["create_time"]) for _ in acts]
        assert times == [NOON - HOUR, NOON + 1000 - HOUR, NOON + 2000 - HOUR]
        await until(lambda: client.sandbox.player.done)
        assert 0 <= client.sandbox.world.now() - (NOON + 2000 - HOUR) < 60_000
        assert "by" in (await client.control("POST", "clock", {}))["error"]


async def test_the_clock_jumps_now_and_then() -> None:
    config = quiet(Fault(kind="clock-jump", every=0.005, times=3, seconds=(60.0, 60.0)))
    async with running(config) as client:
        await until(lambda: client.sandbox.clock.wrong_by == 180_000)
        assert client.sandbox.faults.injected == {"clock-jump": 3}

"""The sandbox as a program: scenario and speed, what it prints, how it stops, what it refuses."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from sandbox_client import SECONDS, running, until

from sandbox import quiet
from sandbox.config import SandboxConfig
from sandbox.scenario.act import Act, Pin, React, Say, Scenario

NOON = 1_793_505_600_000


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def environment(process: Process) -> dict[str, str]:
    assert process.stdout is not None
    return orjson.loads(await asyncio.wait_for(process.stdout.readline(), SECONDS))


async def test_json_is_one_line_and_nothing_else() -> None:
    async with program("--json", "--scenario", "quiet") as process:
        settings = await environment(process)
        assert list(settings) == [
            "FEISHU_BASE_URL",
            "APP_ID",
            "APP_SECRET",
            "CHAT_ID",
            "BITABLE_APP_TOKEN",
            "BITABLE_TABLE_ID",
            "ARCHIVE_TABLE_ID",
            "SUMMARY_TABLE_ID",
            "PIN_TABLE_ID",
        ]
        url = settings["FEISHU_BASE_URL"]
        table = f"{url}/sandbox/tables/{settings['BITABLE_APP_TOKEN']}/{settings['BITABLE_TABLE_ID']}"
        async with ClientSession() as session, session.get(table) as answer:
            assert await answer.json() == {"total": 0, "items": []}
        process.send_signal(signal.SIGTERM)
        output, errors = await asyncio.wait_for(process.communicate(), SECONDS)
        assert (process.returncode, output, errors) == (0, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_people_get_lines_to_paste_and_a_signal_stops_it(number: signal.Signals) -> None:
    async with program("--scenario", "quiet", "--app-secret", "s3cret") as process:
        assert process.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("PIN_TABLE_ID="):
            lines.append((await asyncio.wait_for(process.stdout.readline(), SECONDS)).decode().strip())
        assert lines[0].startswith("The sandbox is ready at http://127.0.0.1:")
        assert "APP_SECRET=s3cret" in lines
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0


async def test_it_ends_with_the_program_that_started_it() -> None:
    async with program("--json", "--scenario", "quiet", "--stdin-eof") as process:
        await environment(process)
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0


async def test_the_ready_file_is_there_while_it_runs(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    async with program("--json", "--scenario", "quiet", "--ready-file", str(ready)) as process:
        settings = await environment(process)
        await until(ready.exists)
        assert orjson.loads(ready.read_bytes()) == settings
        process.terminate()
        await asyncio.wait_for(process.wait(), SECONDS)
        assert not ready.exists()


async def test_the_bundled_scenario_with_a_seed_is_the_same_twice() -> None:
    ids = []
    for _ in range(2):
        async with program("--json", "--seed", "7") as process:
            settings = await environment(process)
            ids.append({name: value for name, value in settings.items() if name != "FEISHU_BASE_URL"})
    assert ids[0] == ids[1]


async def refused(*arguments: str) -> tuple[int | None, str]:
    async with program(*arguments) as process:
        _, errors = await asyncio.wait_for(process.communicate(), SECONDS)
        return process.returncode, errors.decode()


async def test_what_it_refuses_says_why() -> None:
    code, why = await refused("--scenario", "no-such-file.jsonl")
    assert (code, "no-such-file.jsonl" in why) == (2, True)
    code, why = await refused("--app-id", "cli_short")
    assert (code, "cli_short" in why) == (2, True)
    async with running() as client:
        port = client.sandbox.url.rpartition(":")[2]
        code, why = await refused("--scenario", "quiet", "--port", port)
    assert (code, f"127.0.0.1:{port}" in why) == (1, True)


async def test_help_teaches() -> None:
    async with program("--help") as process:
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    for word in (b"--scenario", b"--speed", b"/sandbox/acts", b"Examples", b".env"):
        assert word in output


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"host": "0.0.0.0"}, "host"),
        ({"app_id": "cli_XYZ"}, "app_id"),
        ({"window": 0}, "window"),
        ({"part_size": -1}, "part_size"),
        ({"speed": -1}, "speed"),
        ({"duplicate_rate": 1}, "duplicate_rate"),
    ],
)
def test_a_wrong_setting_is_named(given: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        SandboxConfig(**given)


def scenario(*performed: Act) -> Scenario:
    cast = quiet.load(seed=1)
    return Scenario("test", cast.people, cast.chats, lambda: iter(performed), len(performed))


def talk(count: int, *, every_ms: int) -> list[Act]:
    cast = quiet.load(seed=1)
    chat, sender = cast.chats[0].chat_id, cast.people[0].open_id
    return [
        Say(NOON + number * every_ms, chat, f"om_{number:032x}", sender, "text", {"text": str(number)})
        for number in range(count)
    ]


async def test_the_scenario_begins_with_the_first_connection_and_reports_its_progress() -> None:
    config = SandboxConfig(window=8)
    async with running(config, scenario(*talk(50, every_ms=86_400_000))) as client:
        assert (await client.control("GET", "stats"))["scenario"] == {
            "name": "test",
            "total": 50,
            "played": 0,
            "skipped": 0,
            "started": False,
            "done": False,
        }
        assert client.sandbox.world.now() == NOON, "the clock waits at the first act"
        async with await client.connect() as link:
            first = await link.frame()
            await until(lambda: client.sandbox.player.played == 16)
            assert not client.sandbox.player.done, "one window is in flight, another waits"
            await link.ack(first)
            heard = [await link.event() for _ in range(49)]
            await asyncio.wait_for(client.sandbox.played(), SECONDS)
        assert [event["event"]["message"]["content"] for event in heard][-1] == '{"text":"49"}'
        stats = await client.control("GET", "stats")
        assert (stats["scenario"]["played"], stats["scenario"]["done"], stats["messages"]) == (50, True, 50)
        assert stats["pushes"]["acked"] == 50
        assert NOON + 49 * 86_400_000 <= client.sandbox.world.now() < NOON + 50 * 86_400_000


async def test_the_scenario_begins_when_told_and_keeps_its_pace() -> None:
    config = SandboxConfig(start="told", speed=1000)
    async with running(config, scenario(*talk(3, every_ms=50_000))) as client, await client.connect() as link:
        await link.ping()
        assert not client.sandbox.player.started
        began = asyncio.get_running_loop().time()
        await client.control("POST", "play")
        for _ in range(3):
            await link.event()
        assert asyncio.get_running_loop().time() - began >= 0.1, "100 s of talk at 1000 times"


async def test_an_act_that_cannot_be_is_left_out() -> None:
    cast = quiet.load(seed=1)
    chat, person = cast.chats[0].chat_id, cast.people[0].open_id
    lost = React(NOON, chat, "om_lost", person, "OK")
    said = talk(1, every_ms=1)
    async with running(None, scenario(lost, *said, Pin(NOON, chat, "om_lost", person))) as client:
        client.sandbox.play()
        await until(lambda: client.sandbox.player.done)
        progress = client.sandbox.player.document()
        assert (progress["played"], progress["skipped"]) == (3, 2)
        assert len(client.sandbox.world.messages) == 1


class TestControl:
    async def test_every_record_of_a_table(self) -> None:
        async with running() as client:
            settings = client.sandbox.environment()
            app, table = settings["BITABLE_APP_TOKEN"], settings["BITABLE_TABLE_ID"]
            person = client.people[0]
            fields = {"用户ID": person.open_id, "人员": [{"id": person.open_id}], "活跃度分数": 2.04}
            path = f"/bitable/v1/apps/{app}/tables/{table}/records"
            made = (await client.data("POST", path, body={"fields": fields}))["record"]
            shown = await client.control("GET", f"tables/{app}/{table}")
            assert shown["total"] == 1
            assert shown["items"][0]["record_id"] == made["record_id"]
            assert shown["items"][0]["fields"]["活跃度分数"] == 2.04
            assert shown["items"][0]["fields"]["人员"][0]["name"] == person.name
            assert list((await client.control("GET", "stats"))["calls"]["by_name"]) == [
                "auth.v3.tenantAccessToken.internal",
                "bitable.v1.appTableRecord.create",
            ]

    async def test_acts_are_played_now(self) -> None:
        async with running() as client:
            world = client.sandbox.world
            chat, person = next(iter(world.chats)), world.people.everybody()[0].open_id
            said = {
                "kind": "say",
                "chat": chat,
                "message": f"om_{'b' * 32}",
                "sender": person,
                "type": "text",
                "content": {"text": "现在"},
            }
            liked = {
                "kind": "react",
                "chat": chat,
                "message": f"om_{'b' * 32}",
                "person": person,
                "emoji": "OK",
                "at": NOON,
            }
            assert await client.control("POST", "acts", [said, liked]) == {"played": 2}
            message = world.message(f"om_{'b' * 32}")
            assert abs(message.at - world.now()) < 60_000
            assert message.reactions is not None
            assert [reaction.at for reaction in message.reactions.values()] == [NOON]
            answer = await client.control("POST", "acts", [{**liked, "emoji": "DONE"}, said])
            assert (client.status, answer["played"]) == (400, 1)
            assert "already" in answer["error"]
            for wrong in ({"kind": "sing"}, {**said, "size": 1}, 7, {"kind": "say"}):
                assert (await client.control("POST", "acts", wrong))["error"]
                assert client.status == 400

    async def test_the_rest(self) -> None:
        async with running() as client:
            assert await client.control("GET", "info") == client.sandbox.environment()
            answer = await client.control("GET", "tables/bascnAAAAAAAAAAAAAAAAAAAAAA/tblAAAAAAAAAAAAA")
            assert (client.status, "1254040" in answer["error"]) == (400, True)
            for path in ("clicks", "refuse"):
                await client.control("POST", path, {"person": "x"})
                assert client.status == 400
            await client.control("PATCH", "scopes", [])
            assert client.status == 400
            client.sandbox.world.app.events.discard("card.action.trigger")
            chat = client.sandbox.world.chat(client.sandbox.environment()["CHAT_ID"])
            card = client.sandbox.world.say(chat, client.sandbox.world.app.app_id, "interactive", "{}")
            body = {"message": card.message_id, "person": "ou_x", "action": {}}
            answer = await client.control("POST", "clicks", body)
            assert "not subscribed" in answer["error"]

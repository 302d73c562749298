"""The long connection: acknowledged only when durable, and connected again after whatever the other side does."""

from __future__ import annotations

import json

import pytest
from aiohttp import web
from line import line_to, messages, pushes, sandboxed, say
from log_lines import logged
from sandbox_client import until
from station import Station, answers, finds, pong, push

from core.errors import StorageError
from core.feishu.connection import LongConnection
from sandbox.config import ClientConfig, SandboxConfig
from sandbox.server import Sandbox


async def test_it_connects_receives_and_acknowledges() -> None:
    async with sandboxed() as (sandbox, line):
        await until(lambda: line.connected)
        message = say(sandbox)
        await until(lambda: pushes(sandbox)["acked"] == 1)
        assert messages(line) == [message]
        status = line.connection.status()
        assert status.problem == ""
        assert None not in (status.last_frame, status.last_pong)
        assert status.connected_since is not None
        assert status.last_event is not None
        assert (status.reconnects, status.rejected) == (0, {})
        assert status.connected_since < status.last_event
        say(sandbox)
        await until(lambda: pushes(sandbox)["acked"] == 2)
        assert line.connection.status().connected_since == status.connected_since


async def test_an_event_is_acknowledged_only_once_it_is_durable() -> None:
    async with sandboxed() as (sandbox, line):
        line.inbox.hold = True
        say(sandbox)
        await until(lambda: len(line.inbox.bodies) == 1)
        say(sandbox)
        await until(lambda: len(line.inbox.bodies) == 2)
        assert (pushes(sandbox)["acked"], pushes(sandbox)["in_flight"]) == (0, 2)
        line.inbox.release()
        await until(lambda: pushes(sandbox)["acked"] == 2)


async def test_what_could_not_be_stored_is_not_acknowledged_and_comes_again() -> None:
    async with sandboxed(ack_timeout=0.1, retry_factor=0.001) as (sandbox, line):
        line.inbox.error = StorageError("disk full")
        message = say(sandbox)
        await until(lambda: pushes(sandbox)["timed_out"] >= 1)
        assert pushes(sandbox)["acked"] == 0
        line.inbox.error = None
        await until(lambda: pushes(sandbox)["acked"] == 1)
        assert set(messages(line)) == {message}
        assert len(line.inbox.bodies) >= 2


async def test_an_event_in_many_parts_is_put_together_and_acknowledged_once() -> None:
    async with sandboxed(part_size=50) as (sandbox, line):
        text = "很长的消息🎉" * 40
        say(sandbox, text)
        await until(lambda: pushes(sandbox)["acked"] == 1)
        content = json.loads(json.loads(line.inbox.bodies[0])["event"]["message"]["content"])
        assert content == {"text": text}
        assert sandbox.gateway.malformed == 0


async def test_a_dropped_connection_is_replaced_and_nothing_is_missed() -> None:
    async with sandboxed(retry_factor=0.001) as (sandbox, line):
        await until(lambda: line.connected)
        line.inbox.hold = True
        message = say(sandbox)
        await until(lambda: len(line.inbox.bodies) == 1)
        sandbox.gateway.disconnect()
        await until(lambda: sandbox.gateway.accepted == 2)
        line.inbox.hold = False
        line.inbox.release()  # The acknowledgement has no socket any more.
        await until(lambda: pushes(sandbox)["acked"] == 1)
        assert set(messages(line)) == {message}
        await until(lambda: line.connected)
        assert line.connection.status().reconnects >= 1


async def test_connections_that_are_dropped_at_once_are_made_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[int] = []

    def at_once(_: LongConnection, after: int, *, needs_person: bool) -> float:
        failures.append(after)
        return 0.0

    async def drop(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_bytes(pong({}))

    async def bring(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(push(b'{"header":{"event_id":"1"}}'))
        await socket.receive()

    monkeypatch.setattr(LongConnection, "_delay", at_once)
    async with Station(ping_interval=30) as station:
        station.talks.extend([drop, drop, drop, bring, drop, drop])
        async with line_to(station.url) as line:
            await until(lambda: station.opened == 7)
            await until(lambda: line.connected)
    assert failures[:6] == [1, 2, 3, 1, 1, 2]


@pytest.mark.parametrize(
    ("code", "reason", "level"),
    [
        (1, "the platform is busy", "WARNING"),
        (403, "may not use the long connection", "ERROR"),
        (514, "check APP_ID and APP_SECRET", "ERROR"),
        (1000040343, "internal error", "WARNING"),
        (1000040345, "code 1000040345", "WARNING"),
        (1000040350, "all 50 connections of this app are in use", "ERROR"),
        (1000040351, "FEISHU_BASE_URL", "ERROR"),
        (500, "HTTP 500", "WARNING"),
    ],
)
async def test_after_a_refusal_it_keeps_trying_and_recovers(code: int, reason: str, level: str) -> None:
    async with Sandbox(SandboxConfig(scenario="quiet")) as sandbox:
        sandbox.gateway.refuse(code, 3)
        app = sandbox.world.app
        with logged() as lines:
            async with line_to(sandbox.url, app.app_id, app.secret) as line:
                await until(lambda: line.connected)
                assert line.connection.status().reconnects == 3
                assert line.connection.status().problem == ""
        assert sum(reason in entry and entry.startswith(level) for entry in lines) == 3


async def test_a_refusal_during_a_reconnect_is_no_end_either() -> None:
    async with sandboxed() as (sandbox, line):
        await until(lambda: line.connected)
        for code in (403, 514, 1000040350, 1):
            sandbox.gateway.refuse(code, 1)
        sandbox.gateway.disconnect()
        await until(lambda: sandbox.gateway.accepted == 2)
        message = say(sandbox)
        await until(lambda: pushes(sandbox)["acked"] == 1)
        assert messages(line) == [message]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'"x"',
        b"{}",
        b'{"code":[]}',
        b'{"code":{}}',
        b'{"code":0}',
        b'{"code":0,"data":{"URL":7}}',
        b'{"code":0,"data":{"URL":"ws://[::1"}}',
        b'{"code":0,"data":{"URL":"ws://127.0.0.1/ws"}}',
        b'{"code":0,"data":{"URL":"ws://127.0.0.1/ws?service_id=x"}}',
        b'{"code":0,"data":{"URL":"ws://127.0.0.1/ws?service_id=99999999999"}}',
        b'{"code":0,"data":{"URL":"ws://127.0.0.1:99999/ws?service_id=1"}}',
        b'{"code":0,"data":{"URL":"ws://127.0.0.1:0/ws?service_id=1"}}',
        b'{"code":0,"msg":"' + b"x" * (1 << 20) + b'"}',
    ],
)
async def test_after_a_senseless_discovery_it_recovers(body: bytes) -> None:
    async with Station() as station:
        station.discoveries.append(answers(body))
        async with line_to(station.url) as line:
            await until(lambda: line.connected)
            assert line.connection.status().reconnects == 1


async def test_a_discovery_that_hangs_is_given_up_and_tried_again() -> None:
    async with Station() as station:
        station.discoveries.append(station.hang)
        async with line_to(station.url, opening=0.1) as line:
            await until(lambda: line.connected)
            assert station.discovered == 2


async def test_a_handshake_that_hangs_is_given_up_and_tried_again() -> None:
    async with Station() as station:
        station.handshakes.append(station.hang)
        async with line_to(station.url, opening=0.1) as line:
            await until(lambda: line.connected)
            assert station.discovered == 2


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Handshake_Status": "514", "Handshake_Autherrcode": "1000040350"}, "all 50 connections"),
        ({"Handshake_Status": "514", "Handshake_Autherrcode": "1000040343"}, "internal error"),
        ({"Handshake_Status": "403", "Handshake_Msg": "no"}, "403 no"),
        ({"Handshake_Status": "x"}, "HTTP 403"),
        ({}, "HTTP 403"),
    ],
)
async def test_a_refused_handshake_says_why_and_is_tried_again(headers: dict[str, str], reason: str) -> None:
    async with Station() as station:
        station.handshakes.append(answers(b"", 403, **headers))
        with logged() as lines:
            async with line_to(station.url) as line:
                await until(lambda: line.connected)
        everything = "".join(lines)
        assert reason in everything
        assert "canary" not in everything


async def test_frames_nobody_can_read_are_counted_and_the_connection_lives() -> None:
    async with Station(ping_interval=30) as station:

        async def babble(socket: web.WebSocketResponse) -> None:
            await socket.send_bytes(b"\xff\xff\xff")
            await socket.send_str("text")
            await socket.send_bytes(push(b"", sum="two"))
            await socket.send_bytes(push(b"a", message_id="m", sum="2", seq="0"))
            await socket.send_bytes(push(b"x", message_id="m", sum="9", seq="5"))
            await socket.send_bytes(push(b"b", message_id="m", sum="2", seq="1"))
            await station.answer(socket)

        station.talks.append(babble)
        async with line_to(station.url) as line:
            await until(lambda: len(station.acks) == 1)
            assert line.inbox.bodies == [b"ab"]
            assert sum(line.connection.status().rejected.values()) == 3
            assert station.opened == 1


async def test_an_acknowledgement_is_the_pushed_frame_with_the_time_taken() -> None:
    async with Station(ping_interval=30) as station:

        async def one(socket: web.WebSocketResponse) -> None:
            await socket.send_bytes(push(b"{}", instance_id="10.0.0.1:9000"))
            await station.answer(socket)

        station.talks.append(one)
        async with line_to(station.url):
            await until(lambda: len(station.acks) == 1)
            headers = station.acks[0]
            assert (headers["instance_id"], headers["message_id"], headers["type"]) == ("10.0.0.1:9000", "p1", "event")
            assert int(headers["biz_rt"]) >= 0


@pytest.mark.parametrize(
    "address",
    [
        "ws://attacker.example/ws/v2?a=1&service_id=1",
        "wss://attacker.example/ws/v2?a=1&service_id=1",
        "wss://feishu.cn.attacker.example/ws/v2?a=1&service_id=1",
        "wss://notfeishu.cn/ws/v2?a=1&service_id=1",
        "ws://msg-frontier.feishu.cn/ws/v2?a=1&service_id=1",
        "http://127.0.0.1/ws/v2?a=1&service_id=1",
    ],
)
async def test_a_foreign_address_is_refused(address: str) -> None:
    async with Station() as station:
        station.discoveries.append(finds(address))
        with logged() as lines:
            async with line_to(station.url) as line:
                await until(lambda: line.connected)
        assert any("names a foreign address" in entry for entry in lines)


async def test_two_connections_share_what_is_pushed() -> None:
    async with sandboxed(client=ClientConfig(ping_interval=1)) as (sandbox, first):
        app = sandbox.world.app
        async with line_to(sandbox.url, app.app_id, app.secret) as second:
            await until(lambda: first.connected and second.connected)
            said = [say(sandbox) for _ in range(40)]
            await until(lambda: pushes(sandbox)["acked"] == 40)
            assert sorted(messages(first) + messages(second)) == sorted(said)
            assert first.inbox.bodies
            assert second.inbox.bodies

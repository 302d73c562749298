"""When the long connection counts as alive, how often it is tried again, and how it ends."""

from __future__ import annotations

import asyncio
import functools

import pytest
from aiohttp import web
from line import PROMPT, Line, line_to, pushes, sandboxed, say
from log_lines import logged
from sandbox_client import until
from station import Station, finds, pong, push

from core.feishu.connection import GRACE, LONGEST_WAIT, LONGEST_WAIT_FOR_PERSON
from sandbox.server import Sandbox


async def test_connected_is_never_said_before_a_frame() -> None:
    async with Station(ping_interval=30) as station:
        speak = asyncio.Event()

        async def wait_and_answer(socket: web.WebSocketResponse) -> None:
            await speak.wait()
            await station.answer(socket)

        station.talks.append(wait_and_answer)
        async with line_to(station.url) as line:
            await until(lambda: station.opened == 1)
            assert line.connection.status().phase == "connecting"
            assert line.connection.status().connected_since is None
            speak.set()
            await until(lambda: line.connected)


async def test_a_socket_that_accepts_and_says_nothing_is_replaced() -> None:
    async with Station(ping_interval=0.2) as station:
        station.talks.extend([station.silence] * 2)
        with logged() as lines:
            async with line_to(station.url) as line:
                await until(lambda: line.connected)
                assert station.opened == 3
        assert [entry for entry in lines if "Connected" in entry] == lines[-1:]
        assert sum("no frame for two ping intervals" in entry for entry in lines) == 2


async def test_a_socket_that_falls_silent_is_replaced() -> None:
    async with Station(ping_interval=0.2) as station:

        async def one_pong(socket: web.WebSocketResponse) -> None:
            await socket.send_bytes(pong(station.client_config))
            await station.silence(socket)

        station.talks.append(one_pong)
        async with line_to(station.url) as line:
            await until(lambda: station.opened == 2)
            await until(lambda: station.pings >= 3)
            assert line.connected
            assert station.opened == 2


async def test_the_platforms_ping_interval_is_taken_from_the_pong() -> None:
    async with Station(ping_interval=3600) as station:

        async def hurry(socket: web.WebSocketResponse) -> None:
            await socket.send_bytes(pong({"PingInterval": "soon"}))
            await socket.send_bytes(pong({"PingInterval": -1}))
            await socket.send_bytes(pong({"PingInterval": 0.02}))
            await station.answer(socket)

        station.discoveries.append(finds(station.address(), {"PingInterval": 0.1}))
        station.client_config = {"PingInterval": 0.02}
        station.talks.append(hurry)
        async with line_to(station.url) as line:
            await until(lambda: station.pings >= 4)
            assert station.opened == 1
            assert line.connected


async def test_it_gives_up_after_max_retries_and_says_so() -> None:
    async with line_to("http://127.0.0.1:1", max_retries=2) as line:
        await until(line.gave_up.is_set)
        await until(lambda: line.connection.status().phase == "stopped")
        status = line.connection.status()
        assert status.problem.endswith("gave up after MAX_RETRIES=2 retries")
        assert status.reconnects == 2


def reconnected(sandbox: Sandbox, before: int) -> bool:
    return sandbox.gateway.accepted > before


async def test_a_success_begins_the_count_of_retries_anew() -> None:
    async with sandboxed(line={"max_retries": 1}) as (sandbox, line):
        for _ in range(3):
            await until(lambda: line.connected)
            accepted = sandbox.gateway.accepted
            sandbox.gateway.disconnect()
            await until(functools.partial(reconnected, sandbox, accepted))
        assert not line.gave_up.is_set()


def test_waits_grow_with_jitter_and_are_bounded() -> None:
    line = Line("http://127.0.0.1:1", "cli_x", "s", retry_delay=None)
    waits = [line.connection._delay(failures, needs_person=False) for failures in range(1, 40)]
    assert waits[0] <= 1
    assert max(waits) <= LONGEST_WAIT
    assert min(waits[10:]) >= LONGEST_WAIT / 2
    assert len(set(waits)) == len(waits)
    assert LONGEST_WAIT < line.connection._delay(40, needs_person=True) <= LONGEST_WAIT_FOR_PERSON
    line.connection.stop()


async def test_stop_before_the_start_is_fine() -> None:
    assert await Line("http://127.0.0.1:1", "cli_x", "s").stop() < PROMPT


async def test_stop_is_prompt_during_discovery() -> None:
    async with Station() as station:
        station.discoveries.append(station.hang)
        async with line_to(station.url) as line:
            await until(lambda: station.discovered == 1)
            assert await line.stop() < PROMPT
            assert line.connection.status().phase == "stopped"


async def test_stop_is_prompt_during_the_handshake() -> None:
    async with Station() as station:
        shaking = asyncio.Event()

        async def hang(request: web.Request) -> web.StreamResponse:
            shaking.set()
            return await station.hang(request)

        station.handshakes.append(hang)
        async with line_to(station.url) as line:
            await asyncio.wait_for(shaking.wait(), PROMPT)
            assert await line.stop() < PROMPT


async def test_stop_is_prompt_between_two_attempts() -> None:
    async with line_to("http://127.0.0.1:1", retry_delay=3600.0) as line:
        await until(lambda: line.connection.status().phase == "waiting")
        assert await line.stop() < PROMPT


async def test_stop_is_prompt_on_a_living_and_on_a_silent_socket() -> None:
    async with Station(ping_interval=30) as station:
        async with line_to(station.url) as line:
            await until(lambda: line.connected)
            assert await line.stop() < PROMPT
        station.talks.append(station.silence)
        async with line_to(station.url) as line:
            await until(lambda: station.opened == 2)
            assert await line.stop() < GRACE  # The closing handshake of a dead peer is not waited for long.


async def test_stop_acknowledges_what_is_being_stored() -> None:
    async with sandboxed() as (sandbox, line):
        line.inbox.hold = True
        say(sandbox)
        await until(lambda: len(line.inbox.bodies) == 1)
        stopping = asyncio.create_task(line.stop())
        await asyncio.sleep(0)
        line.inbox.release()
        assert await stopping < PROMPT
        await until(lambda: sandbox.gateway.connections == 0)
        assert pushes(sandbox)["acked"] == 1


async def test_a_confirmation_after_the_end_harms_nobody() -> None:
    async with Station(ping_interval=30) as station:

        async def one(socket: web.WebSocketResponse) -> None:
            await socket.send_bytes(push(b"{}"))
            await station.answer(socket)

        station.talks.append(one)
        async with line_to(station.url) as line:
            line.inbox.hold = True
            await until(lambda: len(line.inbox.bodies) == 1)
            assert await line.stop() < GRACE + PROMPT
            [(ticket, confirm)] = line.inbox.held
    with pytest.raises(RuntimeError, match="closed"):  # What the journal expects of a producer that has left.
        confirm([ticket], None)

"""The clocks of the long connection: a socket that is dead is replaced in time, and nothing ends the attempts."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web
from line import PROMPT, line_to
from log_lines import logged
from sandbox_client import until
from station import Station, answers, pong, push

INTERVAL = 0.4
SLACK = 0.35
"""Seconds that a busy machine may take for what is done at once."""


async def test_a_half_open_socket_is_replaced_within_two_ping_intervals_of_its_last_frame() -> None:
    async with Station(ping_interval=INTERVAL) as station:
        last = 0.0

        async def die_between_two_pings(socket: web.WebSocketResponse) -> None:
            nonlocal last
            await socket.send_bytes(pong(station.client_config))
            await asyncio.sleep(INTERVAL / 2)
            await socket.send_bytes(push(b"{}"))
            last = time.monotonic()
            await station.silence(socket)

        station.talks.append(die_between_two_pings)
        async with line_to(station.url) as line:
            await until(lambda: station.opened == 2)
            assert 2 * INTERVAL - 0.05 < time.monotonic() - last < 2 * INTERVAL + SLACK
            await until(lambda: line.connected)
            assert line.connection.status().reconnects == 1


async def test_a_peer_that_reads_nothing_any_more_is_replaced_although_sending_never_ends() -> None:
    async with Station(ping_interval=INTERVAL) as station:
        last = 0.0

        async def push_and_never_read(socket: web.WebSocketResponse) -> None:
            nonlocal last
            for n in range(150):  # Each acknowledgement carries its 60 kB back, more than all buffers hold.
                await socket.send_bytes(push(b"{}", message_id=f"p{n}", trace_id="x" * 60_000))
            last = time.monotonic()
            await station.silence(socket)

        station.talks.append(push_and_never_read)
        async with line_to(station.url) as line:
            await until(lambda: station.opened == 2)
            assert time.monotonic() - last < 2 * INTERVAL + 1 + SLACK  # And a second to say goodbye to nobody.
            assert len(line.inbox.bodies) == 150


async def test_frames_without_pongs_are_not_enough() -> None:
    async with Station(ping_interval=0.1) as station:

        async def never_answer(socket: web.WebSocketResponse) -> None:
            while not socket.closed:
                await socket.send_bytes(push(b"{}"))
                await asyncio.sleep(0.02)

        station.talks.append(never_answer)
        with logged() as lines:
            async with line_to(station.url):
                await until(lambda: station.opened == 2)
        assert sum("no pong for three ping intervals" in entry for entry in lines) == 1


async def test_pongs_without_events_keep_a_socket() -> None:
    async with Station(ping_interval=0.1) as station, line_to(station.url) as line:
        await until(lambda: station.pings >= 8)
        status = line.connection.status()
        assert (station.opened, status.reconnects, status.last_event) == (1, 0, None)
        assert status.last_pong == status.last_frame


async def test_a_shorter_ping_interval_counts_at_once() -> None:
    async with Station(ping_interval=3600) as station:

        async def hurry_and_die(socket: web.WebSocketResponse) -> None:
            await socket.send_bytes(pong({"PingInterval": 0.1}))
            await station.silence(socket)

        station.talks.append(hurry_and_die)
        async with line_to(station.url):
            await until(lambda: station.opened == 2)


async def test_it_connects_anew_when_told_and_says_why() -> None:
    async with Station(ping_interval=30) as station:
        with logged() as lines:
            async with line_to(station.url) as line:
                await until(lambda: line.connected)
                line.connection.reconnect("nothing is pushed")
                await until(lambda: station.opened == 2)
                await until(lambda: line.connected)
        assert sum("nothing is pushed; next attempt" in entry for entry in lines) == 1


async def test_telling_it_to_connect_anew_is_fine_at_any_time() -> None:
    async with Station(ping_interval=30) as station:
        station.discoveries.append(station.hang)
        async with line_to(station.url, opening=0.1) as line:
            await until(lambda: station.discovered == 1)
            line.connection.reconnect("there is none yet")
            await until(lambda: line.connected)
            assert station.opened == 1
            assert await line.stop() < PROMPT
            line.connection.reconnect("there is none any more")


async def test_no_refusal_and_no_hang_of_discovery_is_the_end() -> None:
    refusals = [b'{"code":%d,"msg":"x","data":{}}' % code for code in (403, 1, 514, 1000040343, 1000040350, 1000040351)]
    async with Station(ping_interval=30) as station:
        station.discoveries.extend(answers(body) for body in refusals)
        station.discoveries.extend([station.hang, answers(b"<html>"), answers(b"", 500), answers(b"", 403)])
        station.handshakes.extend([station.hang, answers(b"", 403), answers(b"", 502)])
        async with line_to(station.url, opening=0.1) as line:
            await until(lambda: line.connected)
            assert station.discovered == 10 + 3 + 1
            assert not line.gave_up.is_set()
            station.discoveries.extend([*(answers(body) for body in refusals), station.hang])
            line.connection.reconnect("once more, now that it has been connected")
            await until(lambda: station.opened == 2)
            await until(lambda: line.connected)

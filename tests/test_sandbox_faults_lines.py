"""Connections, handshakes and endpoint discovery under faults."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import ClientConnectorError, WSMsgType, WSServerHandshakeError
from sandbox_client import SECONDS, Client, Link, header, running, until

from sandbox.config import SandboxConfig
from sandbox.faults.discovery import GARBAGE
from sandbox.faults.fault import Fault
from sandbox.frame_pb2 import Frame

SOON = 0.15
"""Seconds of silence that are taken for silence."""


def quiet(*faults: Fault, **given: Any) -> SandboxConfig:
    return SandboxConfig(scenario="quiet", faults=faults, **given)


async def silent(link: Link) -> bool:
    try:
        await link.socket.receive(timeout=SOON)
    except TimeoutError:
        return True
    return False


async def ping(link: Link) -> None:
    """Sends a ping and reads nothing."""
    await link.socket.send_bytes(bytes.fromhex("0800100018072000 2a0c0a0474797065120470696e67"))


async def ended(link: Link) -> bool:
    """Whether the line breaks without a goodbye."""
    while True:
        message = await link.socket.receive(timeout=SECONDS)
        if message.type is WSMsgType.CLOSE:
            return False
        if message.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
            return True


async def test_connections_are_dropped_every_so_often_and_events_come_again() -> None:
    config = quiet(Fault(kind="drop", every=0.05), retry_factor=1e-3)
    async with running(config) as client:
        for _ in range(3):
            link = await client.connect()
            client.say()
            assert await ended(link)
            await link.socket.close()
        assert client.sandbox.faults.injected["drop"] >= 3
        client.sandbox.faults.clear()
        async with await client.connect() as link:
            heard = set()
            while len(heard) < 3:
                heard.add((await link.event())["event"]["message"]["message_id"])
            assert heard == set(client.sandbox.world.messages)


async def test_a_connection_can_be_dropped_soon_after_it_opened() -> None:
    async with running(quiet(Fault(kind="drop", times=1, seconds=0.01))) as client:
        async with await client.connect() as link:
            assert await ended(link)
        async with await client.connect() as link:
            assert header(await link.ping(), "type") == "pong"


@pytest.mark.parametrize("seed", range(8))
async def test_a_drop_may_come_at_any_byte_of_what_is_sent(seed: int) -> None:
    async with running(quiet(seed=seed)) as client, await client.connect() as link:
        await link.ping()
        client.sandbox.faults.add(Fault(kind="drop", every=0.001, times=1))
        await until(lambda: bool(client.sandbox.faults.injected))
        client.say()
        assert await ended(link)


async def test_a_half_open_connection_says_nothing_and_hears_nothing() -> None:
    config = quiet(Fault(kind="half-open", times=1), ack_timeout=0.05, retry_schedule=(0.01,) * 50)
    async with running(config) as client:
        link = await client.connect()
        await ping(link)
        await link.socket.ping()
        message = client.say()
        assert await silent(link)
        gateway = client.sandbox.gateway
        assert (gateway.connections, gateway.pings) == (1, 0)
        # What it did not acknowledge comes to another.
        async with await client.connect() as other:
            assert (await other.event())["event"]["message"]["message_id"] == message.message_id
        await link.socket.close()


async def test_a_half_open_connection_does_not_answer_a_goodbye() -> None:
    async with running(quiet(Fault(kind="half-open", times=1))) as client:
        link = await client.connect()
        closing = asyncio.create_task(link.socket.close())
        assert not (await asyncio.wait([closing], timeout=SOON))[0]
        client.sandbox.faults.clear()
        await asyncio.wait_for(closing, SECONDS)


async def test_a_connection_can_fall_silent_while_it_is_open_and_recover() -> None:
    async with running() as client, await client.connect() as link:
        await link.ping()
        client.sandbox.faults.add(Fault(kind="half-open", every=0.001, times=1))
        await until(lambda: bool(client.sandbox.faults.injected))
        await ping(link)
        assert await silent(link)
        client.sandbox.faults.clear()
        assert header(await link.ping(), "type") == "pong"


async def test_silence_can_have_an_end() -> None:
    async with running(quiet(Fault(kind="half-open", seconds=0.2))) as client, await client.connect() as link:
        await ping(link)
        assert await silent(link)
        deadline = asyncio.get_running_loop().time() + SECONDS
        while await silent(link):
            assert asyncio.get_running_loop().time() < deadline
            await ping(link)


async def test_pongs_come_and_events_do_not() -> None:
    config = quiet(Fault(kind="pongs-only", times=1), ack_timeout=0.05, retry_factor=1e-3)
    async with running(config) as client, await client.connect() as link:
        message = client.say()
        for _ in range(3):
            assert header(await link.ping(), "type") == "pong"
        assert await silent(link)
        await client.control("POST", "faults", {"clear": True})
        assert (await link.event())["event"]["message"]["message_id"] == message.message_id


async def test_a_sandbox_with_half_open_connections_stops() -> None:
    async with running(quiet(Fault(kind="half-open"))) as client:
        link = await client.connect()
        stopping = asyncio.create_task(client.sandbox.gateway.close())
        message = await link.socket.receive(timeout=SECONDS)
        assert message.data == 1001
        await asyncio.wait_for(stopping, SECONDS)


async def test_a_handshake_is_refused_with_the_documented_headers() -> None:
    async with running(quiet(Fault(kind="handshake-refused", times=1, codes=(1000040350,)))) as client:
        with pytest.raises(WSServerHandshakeError) as refusal:
            await client.connect()
        assert refusal.value.headers is not None
        assert refusal.value.headers["Handshake-Status"] == "514"
        assert refusal.value.headers["Handshake-Autherrcode"] == "1000040350"
        async with await client.connect() as link:
            await link.ping()


async def test_a_handshake_hangs_and_is_cut() -> None:
    async with running(quiet(Fault(kind="handshake-hangs", times=1, seconds=0.05))) as client:
        with pytest.raises(aiohttp.ClientError):
            await client.connect()
        async with await client.connect() as link:
            await link.ping()


class TestDiscovery:
    async def test_codes_are_answered_as_by_the_platform(self) -> None:
        faults = [Fault(kind="discovery-refused", codes=(code,), times=1) for code in (1, 403, 514)]
        async with running(quiet(*faults)) as client:
            answers = [await client.discover() for _ in range(4)]
            assert [answer["code"] for answer in answers] == [1, 403, 514, 0]
            assert [answer["data"] for answer in answers[:3]] == [{}, {}, {}]

    async def test_garbage_is_one_of_many_things(self) -> None:
        async with running(quiet(Fault(kind="discovery-garbage"))) as client:
            url = f"{client.sandbox.url}/callback/ws/endpoint"
            seen = set()
            for _ in range(120):
                async with client.session.post(url, json={}) as answer:
                    seen.add(await answer.read())
            assert seen == set(GARBAGE)

    async def test_an_http_status_is_answered(self) -> None:
        async with (
            running(quiet(Fault(kind="discovery-failed", statuses=(503,)))) as client,
            client.session.post(f"{client.sandbox.url}/callback/ws/endpoint", json={}) as answer,
        ):
            assert answer.status == 503

    async def test_it_may_hang_until_the_faults_are_cleared(self) -> None:
        async with running(quiet(Fault(kind="discovery-hangs"))) as client:
            asking = asyncio.create_task(client.discover())
            assert not (await asyncio.wait([asking], timeout=SOON))[0]
            await client.control("POST", "faults", {"clear": True})
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await asyncio.wait_for(asking, SECONDS)

    async def test_nobody_listens_where_it_leads_astray(self) -> None:
        async with running(quiet(Fault(kind="discovery-astray"))) as client:
            with pytest.raises(ClientConnectorError):
                await client.connect()


async def test_the_storm_keeps_every_promise_of_the_platform() -> None:
    """A client that acknowledges everything and reconnects hears every event, and all are known as acknowledged."""
    config = quiet(retry_schedule=(0.02,) * 10, ack_timeout=0.3, seed=5)
    async with running(config) as client:
        await client.control("POST", "faults", {"set": "storm"})
        await client.control("POST", "faults", {"add": [{"kind": "drop", "every": 0.1}]})
        heard: set[str] = set()
        listening = asyncio.create_task(_listen(client, heard))
        said = set()
        for number in range(300):
            said.add(client.say(str(number)).message_id)
            if number % 10 == 0:
                await asyncio.sleep(0.005)
        await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        listening.cancel()
        known = {each.key.partition("/")[2] for each in client.sandbox.acknowledged.after(0, 1000)}
        assert client.sandbox.gateway.delivery.given_up == 0
        assert known == said
        assert known <= heard
        injected = client.sandbox.faults.injected
        assert injected["duplicate"] > 30
        assert injected["reorder"] > 10
        assert injected["drop"] >= 1


async def _listen(client: Client, heard: set[str]) -> None:
    while True:
        try:
            async with await client.connect() as link:
                while True:
                    message = await link.socket.receive(timeout=SECONDS)
                    if message.type is not WSMsgType.BINARY:
                        break
                    frame = Frame.FromString(message.data)
                    heard.add(orjson.loads(frame.payload)["event"]["message"]["message_id"])
                    await link.ack(frame)
        except (aiohttp.ClientError, ConnectionError):
            continue

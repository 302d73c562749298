"""The sandbox's long connection: discovery, handshake, pushes, acknowledgements, re-pushes, callbacks."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from typing import Any

import orjson
import pytest
from aiohttp import WSServerHandshakeError
from sandbox_client import SECONDS, Client, Link, header, running, until

from sandbox.config import ClientConfig, SandboxConfig
from sandbox.frame_pb2 import Frame, Header


def quiet(**given: Any) -> SandboxConfig:
    return SandboxConfig(scenario="quiet", **given)


def pushes(client: Client) -> dict[str, Any]:
    return client.sandbox.gateway.delivery.document()


def said(frame: Frame) -> str:
    return orjson.loads(frame.payload)["event"]["message"]["message_id"]


async def rejected(client: Client, url: str) -> dict[str, str]:
    with pytest.raises(WSServerHandshakeError) as refusal:
        await client.session.ws_connect(url)
    assert refusal.value.headers is not None
    return {key: value for key, value in refusal.value.headers.items() if key.startswith("Handshake-")}


async def test_discovery_gives_an_address_and_the_client_configuration() -> None:
    config = ClientConfig(reconnect_count=3, reconnect_interval=2, reconnect_nonce=1, ping_interval=5)
    async with running(quiet(client=config)) as client:
        answer = await client.discover()
        assert answer["code"] == 0
        assert answer["data"]["ClientConfig"] == {
            "ReconnectCount": 3,
            "ReconnectInterval": 2,
            "ReconnectNonce": 1,
            "PingInterval": 5,
        }
        names = [pair.split("=")[0] for pair in answer["data"]["URL"].partition("?")[2].split("&")]
        assert {"device_id", "service_id", "ticket"} < set(names)
        assert names[0] not in {"device_id", "service_id"}


@pytest.mark.parametrize("given", [{"AppSecret": "wrong"}, {"AppID": "cli_0000000000000000"}, {"AppID": None}])
async def test_discovery_with_wrong_credentials_is_514(given: dict[str, Any]) -> None:
    async with running() as client:
        answer = await client.discover(**given)
        assert (answer["code"], answer["data"]) == (514, {})


async def test_discovery_of_a_disabled_app_is_403() -> None:
    async with running(quiet(app_enabled=False)) as client:
        assert (await client.discover())["code"] == 403


async def test_discovery_can_be_told_to_refuse() -> None:
    async with running() as client:
        await client.control("POST", "refuse", {"code": 1, "times": 2})
        assert [(await client.discover())["code"] for _ in range(3)] == [1, 1, 0]
        await client.control("POST", "refuse", {"code": 502})
        async with client.session.post(f"{client.sandbox.url}/callback/ws/endpoint", json={}) as answer:
            assert answer.status == 502
        assert "code is missing" in (await client.control("POST", "refuse", {}))["error"].replace("'", "")


async def test_a_ticket_is_good_for_one_connection() -> None:
    async with running() as client:
        url = (await client.discover())["data"]["URL"]
        async with Link(await client.session.ws_connect(url)):
            refusal = await rejected(client, url)
        assert refusal["Handshake-Status"] == "514"
        assert refusal["Handshake-Autherrcode"] == "1000040343"
        assert "ticket" in refusal["Handshake-Msg"]


async def test_a_ticket_expires() -> None:
    async with running(quiet(ticket_lifetime=1e-9)) as client:
        url = (await client.discover())["data"]["URL"]
        assert (await rejected(client, url))["Handshake-Status"] == "514"


async def test_the_connection_limit_holds_at_discovery_and_at_the_handshake() -> None:
    async with running(quiet(connection_limit=2)) as client:
        url = (await client.discover())["data"]["URL"]
        async with await client.connect(), await client.connect():
            assert (await client.discover())["code"] == 1000040350
            refusal = await rejected(client, url)
            assert (refusal["Handshake-Status"], refusal["Handshake-Autherrcode"]) == ("514", "1000040350")
        await until(lambda: client.sandbox.gateway.connections == 0)
        assert (await client.discover())["code"] == 0


async def test_an_app_disabled_after_discovery_is_forbidden_at_the_handshake() -> None:
    async with running() as client:
        url = (await client.discover())["data"]["URL"]
        client.sandbox.world.app.enabled = False
        assert (await rejected(client, url))["Handshake-Status"] == "403"


async def test_pong_carries_the_configuration() -> None:
    async with running(quiet(client=ClientConfig(ping_interval=9))) as client, await client.connect() as link:
        pong = await link.ping()
        assert (pong.method, pong.service, header(pong, "type")) == (0, 7, "pong")
        assert orjson.loads(pong.payload)["PingInterval"] == 9


async def test_a_push_has_every_header_the_clients_need() -> None:
    async with running() as client, await client.connect() as link:
        message_id = client.say().message_id
        frame = await link.frame()
        assert (frame.method, header(frame, "type"), header(frame, "sum"), header(frame, "seq")) == (
            1,
            "event",
            "1",
            "0",
        )
        assert header(frame, "message_id")
        assert header(frame, "trace_id")
        assert int(header(frame, "timestamp")) > 0
        event = orjson.loads(frame.payload)
        assert (event["schema"], event["header"]["event_type"]) == ("2.0", "im.message.receive_v1")
        assert event["event"]["message"]["message_id"] == message_id
        await link.ack(frame)
        await until(lambda: pushes(client)["acked"] == 1)
        latency = pushes(client)["ack_ms"]
        assert latency["count"] == 1
        assert 0 < latency["p50"] <= latency["max"]


async def test_a_large_event_comes_in_parts() -> None:
    async with running(quiet(part_size=100)) as client, await client.connect() as link:
        message_id = client.say("长" * 300).message_id
        first = await link.frame()
        rest = [await link.frame() for _ in range(int(header(first, "sum")) - 1)]
        parts = [first, *rest]
        assert len(parts) > 9
        assert [header(part, "seq") for part in parts] == [str(seq) for seq in range(len(parts))]
        assert len({header(part, "message_id") for part in parts}) == 1
        assert all(len(part.payload) <= 100 for part in parts)
        whole = orjson.loads(b"".join(part.payload for part in parts))
        assert whole["event"]["message"]["message_id"] == message_id
        await link.ack(parts[-1])
        await client.sandbox.gateway.delivery.emptied()
        assert pushes(client)["acked"] == 1


async def test_a_long_text_comes_in_one_part() -> None:
    async with running() as client, await client.connect() as link:
        client.say("长" * 40_000)
        event = await link.event()
        assert len(event["event"]["message"]["content"]) > 40_000


async def test_what_was_acknowledged_can_come_once_more() -> None:
    async with running(quiet(duplicate_rate=0.5)) as client, await client.connect() as link:
        for number in range(40):
            client.say(str(number))
        ids: list[str] = []

        async def listen() -> None:
            while True:
                ids.append((await link.event())["header"]["event_id"])

        listener = asyncio.create_task(listen())
        await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        listener.cancel()
        assert len(set(ids)) == 40
        assert len(ids) == 40 + pushes(client)["duplicated"] > 50


async def test_an_unacknowledged_push_follows_the_schedule_and_is_then_given_up() -> None:
    schedule = (0.03, 0.06, 0.12, 0.24)
    async with running(quiet(ack_timeout=0.01, retry_schedule=schedule)) as client, await client.connect() as link:
        client.say()
        times, ids = [], set()
        for _ in range(5):
            frame = await link.frame()
            times.append(time.monotonic())
            ids.add(said(frame))
        await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        waits = [later - sooner for sooner, later in itertools.pairwise(times)]
        assert all(wait > delay * 0.8 for wait, delay in zip(waits, schedule, strict=True)), waits
        assert len(ids) == 1
        done = pushes(client)
        assert (done["sent"], done["repushed"], done["timed_out"], done["given_up"]) == (5, 4, 5, 1)


async def test_the_factor_shortens_the_real_schedule() -> None:
    async with running(quiet(ack_timeout=0.01, retry_factor=1e-6)) as client, await client.connect() as link:
        client.say()
        for _ in range(4):
            await link.frame()
        await link.ack(await link.frame())
        await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        assert (pushes(client)["acked"], pushes(client)["given_up"]) == (1, 0)


async def test_code_500_is_pushed_again_at_once_on_its_schedule() -> None:
    async with running(quiet(retry_factor=1e-4)) as client, await client.connect() as link:
        client.say()
        await link.ack(await link.frame(), b'{"code":500}')
        await link.ack(await link.frame(), b'{"code":200,"headers":null,"data":null}')
        await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        done = pushes(client)
        assert (done["refused"], done["repushed"], done["acked"], done["timed_out"]) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"{}", b'{"code":"200"}', b'{"code":200,"data":"%"}', b'{"code":200,"data":1}']
)
async def test_an_incomplete_acknowledgement_counts_for_nothing(payload: bytes) -> None:
    async with running(quiet(ack_timeout=0.02, retry_factor=1e-4)) as client, await client.connect() as link:
        client.say()
        await link.ack(await link.frame(), payload)
        await link.ack(await link.frame())
        await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        assert client.sandbox.gateway.malformed == 1
        assert (pushes(client)["timed_out"], pushes(client)["acked"]) == (1, 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"no frame",
        Frame(SeqID=1, LogID=1, service=1, method=1, payload=b'{"code":200}').SerializeToString(),
        Frame(SeqID=1, LogID=1, service=1, method=0, headers=[Header(key="type", value="x")]).SerializeToString(),
    ],
)
async def test_nonsense_is_counted_and_the_connection_stays(raw: bytes) -> None:
    async with running() as client, await client.connect() as link:
        await link.socket.send_bytes(raw)
        assert header(await link.ping(), "type") == "pong"
        assert client.sandbox.gateway.malformed == 1


async def test_an_acknowledgement_of_nothing_changes_nothing() -> None:
    async with running() as client, await client.connect() as link:
        client.say()
        frame = await link.frame()
        again = Frame.FromString(frame.SerializeToString())
        await link.ack(frame)
        await link.ack(again)
        await link.ping()
        assert pushes(client)["acked"] == 1


async def test_each_push_goes_to_one_random_connection() -> None:
    async with (
        running() as client,
        await client.connect() as one,
        await client.connect() as two,
        await client.connect() as three,
    ):
        heard: dict[Link, list[str]] = {one: [], two: [], three: []}

        async def listen(link: Link) -> None:
            while True:
                heard[link].append((await link.event())["event"]["message"]["message_id"])

        for link in heard:
            await link.ping()  # A new connection gets pushes from its first ping on.
        listeners = [asyncio.create_task(listen(link)) for link in heard]
        sent = {client.say(str(number)).message_id for number in range(90)}
        await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        for listener in listeners:
            listener.cancel()
        everything = [message for messages in heard.values() for message in messages]
        assert len(everything) == 90
        assert set(everything) == sent
        assert all(len(messages) > 10 for messages in heard.values())


async def test_what_a_lost_connection_did_not_acknowledge_goes_to_another() -> None:
    async with running(quiet(retry_factor=1e-3)) as client:
        lost = await client.connect()
        message_id = client.say().message_id
        await lost.frame()
        assert (await client.control("POST", "disconnect"))["disconnected"] == 1
        async with await client.connect() as other:
            frame = await other.frame()
            assert said(frame) == message_id
            await other.ack(frame)
            await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        await lost.socket.close()


async def test_what_happens_while_nobody_is_connected_waits() -> None:
    async with running() as client:
        sent = [client.say(str(number)).message_id for number in range(3)]
        assert pushes(client)["waiting"] == 3
        async with await client.connect() as link:
            heard = [(await link.event())["event"]["message"]["message_id"] for _ in sent]
        assert heard == sent


async def test_the_window_bounds_what_is_not_acknowledged() -> None:
    async with running(quiet(window=3)) as client, await client.connect() as link:
        for number in range(5):
            client.say(str(number))
        frames = [await link.frame() for _ in range(3)]
        assert (pushes(client)["in_flight"], pushes(client)["waiting"]) == (3, 2)
        await link.ack(frames[0])
        frames.append(await link.frame())
        assert (pushes(client)["in_flight"], pushes(client)["waiting"]) == (3, 1)


def click(client: Client) -> dict[str, Any]:
    return {
        "message": client.say().message_id,
        "person": client.people[0].open_id,
        "action": {"tag": "button", "value": {"op": "go"}},
    }


async def test_a_callback_returns_the_app_s_answer() -> None:
    async with running() as client, await client.connect() as link:
        body = click(client)
        await link.event()
        clicked = asyncio.create_task(client.control("POST", "clicks", body))
        frame = await link.frame()
        callback = orjson.loads(frame.payload)
        assert callback["header"]["event_type"] == "card.action.trigger"
        assert len(callback["header"]["create_time"]) == 16, "µs"
        assert callback["event"]["action"] == body["action"]
        assert callback["event"]["context"]["open_message_id"] == body["message"]
        assert callback["event"]["operator"]["open_id"] == body["person"]
        data = base64.b64encode('{"toast":{"type":"info","content":"好"}}'.encode())
        await link.ack(frame, b'{"code":200,"data":"%b"}' % data)
        toast = {"type": "info", "content": "好"}
        assert await clicked == {"code": 0, "msg": "", "answer": {"toast": toast}, "toast": toast, "card": False}


async def test_a_callback_is_never_pushed_again() -> None:
    async with running(quiet(ack_timeout=0.02, retry_factor=0)) as client, await client.connect() as link:
        body = click(client)
        await link.event()
        seen = await client.control("POST", "clicks", body)
        assert (seen["code"], seen["msg"]) == (200341, "no answer within 0.02 s")
        await link.frame()
        assert header(await link.ping(), "type") == "pong", "nothing else came in between"
        assert pushes(client)["repushed"] == 0


async def test_a_callback_fails_when_the_app_is_not_online_or_fails() -> None:
    async with running() as client:
        body = click(client)
        seen = await client.control("POST", "clicks", body)
        assert (seen["code"], seen["msg"]) == (200341, "app not online")
        async with await client.connect() as link:
            await link.event()
            clicked = asyncio.create_task(client.control("POST", "clicks", body))
            await link.ack(await link.frame(), b'{"code":500}')
            seen = await clicked
            assert (seen["code"], seen["msg"]) == (200671, "the app answered 500")


async def test_stopping_says_goodbye() -> None:
    async with running() as client:
        link = await client.connect()
        stopping = asyncio.create_task(client.sandbox.gateway.close())
        message = await link.socket.receive(timeout=SECONDS)
        assert message.data == 1001
        await stopping

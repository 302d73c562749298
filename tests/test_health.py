"""The health endpoint over real HTTP."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from loguru import logger
from pydantic import ValidationError

from core import Context, NotReady
from core.manifest import Manifest
from core.status import ApiStatus, ConnectionStatus, JournalStatus, PluginStatus, State, Status, TableStatus
from core.storage import open_engine
from plugins import health
from plugins.health.server import Server

HEALTHY = Status(
    state="healthy",
    reasons=(),
    started=1_793_500_000_000,
    now=1_793_500_060_000,
    connection=ConnectionStatus(phase="connected", last_frame=1_793_500_059_000),
    journal=JournalStatus(head=7, received=9, duplicates=2, rejected={"not JSON": 1}),
    plugins=(PluginStatus(name="activity", summary="Scores.", phase="running", cursor=5, lag=2, dead=1),),
    tables=(TableStatus(plugin="activity", name="activity", table_id="tblx", rows=3, waiting=1),),
    api=ApiStatus(month="2026-11", quota=10_000, used=12, by_name={"record.batch_create": 12}),
)


class Told:
    """A status that tests change."""

    def __init__(self) -> None:
        self.status = HEALTHY

    def __call__(self) -> Status:
        return self.status


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def ask(told: Told) -> AsyncIterator[aiohttp.ClientSession]:
    server = Server(told)
    await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(server.url) as session:
        yield session
    await server.stop()


@pytest.mark.parametrize(("state", "code"), [("healthy", 200), ("degraded", 200), ("unhealthy", 503), ("unknown", 503)])
async def test_the_state_decides_the_code(ask: aiohttp.ClientSession, told: Told, state: State, code: int) -> None:
    told.status = replace(HEALTHY, state=state, reasons=("the disk is full",))
    async with ask.get("/health") as response:
        assert response.status == code
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {"status": state, "reasons": ["the disk is full"]}
    async with ask.head("/health") as response:
        assert response.status == code
        assert await response.read() == b""


def test_every_state_has_a_code_and_a_meaning_on_the_page() -> None:
    page = (Path(health.__file__).parent / "page.html").read_text(encoding="utf-8")
    for state in get_args(State):
        assert f'\n  {state}: "' in page
        assert f"--{state}:" in page


async def test_status_tells_everything(ask: aiohttp.ClientSession) -> None:
    async with ask.get("/status") as response:
        assert response.status == 200
        document = await response.json()
    assert document["state"] == "healthy"
    assert document["connection"]["last_frame"] == 1_793_500_059_000
    assert document["connection"]["last_pong"] is None
    assert document["journal"]["rejected"] == {"not JSON": 1}
    assert document["plugins"][0]["lag"] == 2
    assert document["tables"][0]["waiting"] == 1
    assert document["api"]["by_name"] == {"record.batch_create": 12}


async def test_a_state_that_cannot_be_read_is_not_a_good_one(ask: aiohttp.ClientSession, told: Told) -> None:
    del told.status
    for path in ("/health", "/status"):
        async with ask.get(path) as response:
            assert response.status == 503
            answer = await response.json()
        assert answer["status"] == "unknown"
        assert answer["reasons"][0].startswith("the state cannot be read: ")


async def test_elsewhere_there_is_nothing(ask: aiohttp.ClientSession) -> None:
    async with ask.get("/metrics") as response:
        assert response.status == 404
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {"error": "there is nothing at /metrics; ask /health and /status"}


OWN = ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "10.1.2.3"]
FOREIGN = ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "[evil]"]


@pytest.mark.parametrize("host", [*OWN, "status.example.com", "Status.Example.com:443"])
async def test_it_answers_to_its_own_names(told: Told, host: str) -> None:
    assert await asked_as(host, told, ("status.example.com",)) == 200


@pytest.mark.parametrize("host", FOREIGN)
async def test_a_name_that_was_made_to_point_here_reads_nothing(told: Told, host: str) -> None:
    assert await asked_as(host, told, ("status.example.com",)) == 421
    assert await asked_as(host, told, None) == 200  # Other machines may ask, under any name.


async def asked_as(host: str, told: Told, hosts: Sequence[str] | None) -> int:
    """The code of the answer to who asks under the name ``host``."""
    server = Server(told, hosts)
    await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(server.url) as session, session.get("/status", headers={"Host": host}) as response:
        text = await response.text()
        assert ("journal" in text) is (response.status == 200)
        code = response.status
    await server.stop()
    return code


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(ask: aiohttp.ClientSession, method: str) -> None:
    for path in ("/", "/health", "/status"):
        async with ask.request(method, path) as response:
            assert response.status == 405
            assert response.headers["Allow"] == "GET, HEAD"


async def test_the_page_needs_nothing_from_elsewhere_and_makes_no_markup(ask: aiohttp.ClientSession) -> None:
    async with ask.get("/") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        page = await response.text()
    assert re.findall(r"""(?:src|href)=["'](?!data:)""", page) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page) == []


# the plugin


def context(tmp_path: Path, listening: health.Listening, told: Told) -> Context[health.Listening]:
    return Context(
        health.manifest,
        listening,
        open_engine(tmp_path).store(),
        timezone=ZoneInfo("Asia/Shanghai"),
        clock=lambda: HEALTHY.now,
        status=told,
        log=logger,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_it_listens_from_start_up_to_shutdown(tmp_path: Path, told: Told) -> None:
    port = free_port()
    ctx = context(tmp_path, health.Listening(port=port), told)
    await health.startup(ctx)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.get("/health") as response:
            assert response.status == 200
        await health.shutdown(ctx)
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("/health")
    await health.shutdown(ctx)


async def test_a_port_in_use_is_said_and_start_up_can_be_tried_again(tmp_path: Path, told: Told) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ctx = context(tmp_path, health.Listening(port=port), told)
        with pytest.raises(NotReady) as refused:
            await health.startup(ctx)
    assert str(refused.value) == (
        f"port {port} on 127.0.0.1 is in use; set HEALTH_CHECK_PORT or stop the other program"
    )
    await health.startup(ctx)
    await health.shutdown(ctx)


async def test_an_address_of_another_machine_cannot_be_listened_on(told: Told) -> None:
    server = Server(told)
    with pytest.raises(NotReady, match=r"cannot listen on 192\.0\.2\.1, port 0: .*; set HEALTH_CHECK_HOST"):
        await server.start("192.0.2.1", 0)
    await server.stop()


def test_a_port_that_needs_rights_says_so() -> None:
    from plugins.health.server import _reason

    denied = PermissionError(errno.EACCES, "Permission denied")
    assert "set HEALTH_CHECK_PORT to 1024 or more" in _reason(denied, "127.0.0.1", 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_may_always_ask(host: str) -> None:
    assert health.Listening(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_other_machines_may_ask_only_when_that_is_meant(host: str) -> None:
    with pytest.raises(ValidationError, match="allow_remote = true"):
        health.Listening(host=host)
    assert health.Listening(host=host, allow_remote=True).host == host


@pytest.mark.parametrize("port", [-1, 65_536, "web"])
def test_a_port_is_a_port(port: Any) -> None:
    with pytest.raises(ValidationError):
        health.Listening(port=port)


def test_it_declares_what_it_needs_and_nothing_else() -> None:
    assert health.manifest == Manifest(
        name="health", summary=health.manifest.summary, config=health.Listening, permissions=(), tables=()
    )
    fields = health.Listening.model_fields
    assert fields["host"].json_schema_extra == {"env": "HEALTH_CHECK_HOST"}
    assert fields["port"].json_schema_extra == {"env": "HEALTH_CHECK_PORT"}

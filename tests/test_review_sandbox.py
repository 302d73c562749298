"""What a review found in the sandbox: each of these was a crash, a leak or a stall."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, WSServerHandshakeError
from aiohttp.test_utils import make_mocked_request
from browser import launched, visiting
from playwright.async_api import expect
from sandbox_client import Client, running, until
from yarl import URL

from sandbox import bodies, card_use, card_view, frames
from sandbox.api.cardkit import CardKit
from sandbox.api.history import Documents
from sandbox.bitable.bases import Bases
from sandbox.bitable.kinds import Terms
from sandbox.bitable.media import LINK_SECONDS, Media
from sandbox.bitable.search import Pages, Query
from sandbox.clock import WorldClock
from sandbox.config import SandboxConfig
from sandbox.delivery import Delivery, Push
from sandbox.endpoint import Call
from sandbox.entities import STREAMING_MS, Entities
from sandbox.faults.disorder import Disorder
from sandbox.faults.fault import Fault, FaultError
from sandbox.faults.faults import Faults
from sandbox.frame_pb2 import Frame, Header
from sandbox.ids import Ids
from sandbox.scenario.act import Act, Scenario
from sandbox.server import Sandbox
from sandbox.uploads import Uploads

DEEP = "[" * 300 + "]" * 300
BIG = "9" * 5000
SPLIT = "multipart/form-data; boundary=B"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(SandboxConfig(scenario="quiet", rate_limits=False)) as client:
        yield client


async def status(client: Client, method: str, path: str, **request: Any) -> int:
    """The HTTP status of any answer, JSON or not; ``path`` is below the sandbox's address."""
    if "json" in request:
        request["data"] = orjson.dumps(request.pop("json"))
    if not client.token:
        client.token = (await client.log_in())["tenant_access_token"]
    headers = {"Authorization": f"Bearer {client.token}", **request.pop("headers", {})}
    async with client.session.request(method, f"{client.sandbox.url}{path}", headers=headers, **request) as answer:
        await answer.read()
        return answer.status


@pytest.mark.parametrize("number", ["²", BIG, "-1", "１２", ""])
async def test_what_is_no_number_is_refused(client: Client, number: str) -> None:
    tables = client.sandbox.tables
    records = f"/open-apis/bitable/v1/apps/{tables.app_token}/tables/{tables.activity}/records"
    chats, pins = "/open-apis/im/v1/chats", "/open-apis/im/v1/pins"
    upload = {"file_name": "a", "parent_type": "bitable_file", "parent_node": tables.app_token, "size": number}
    answers = [
        await status(client, "GET", chats, params={"page_size": number}),
        await status(client, "GET", chats, params={"page_token": f"PT_{number}"}),
        await status(client, "GET", pins, params={"chat_id": client.chat_id, "start_time": number}),
        await status(client, "GET", records, params={"page_size": number}),
        await status(client, "POST", "/open-apis/drive/v1/medias/upload_prepare", json=upload),
        await status(client, "GET", "/sandbox/acknowledged", params={"after": number}),
    ]
    assert max(answers) == 400
    assert bodies.whole(number) is None


async def test_json_nested_too_deep_to_be_told_on_is_refused_and_leaves_no_trace(client: Client) -> None:
    tables = client.sandbox.tables
    fields = f"/open-apis/bitable/v1/apps/{tables.app_token}/tables/{tables.activity}/fields"
    spec = f'{{"field_name": "x", "type": 2, "property": {{"rating": {{"a": {DEEP}}}}}}}'.encode()
    assert await status(client, "POST", fields, data=spec) == 400
    assert await status(client, "GET", fields) == 200
    assert (await client.send(f'{{"text": "a", "x": {DEEP}}}'))["code"] == 230001


def test_json_that_can_be_told_on_is_read() -> None:
    nested = "[" * 200 + "]" * 200
    assert bodies.parse(nested) == bodies.parse(nested.encode()) == orjson.loads(nested)
    assert len(bodies.parse(orjson.dumps([{"a": [1]}] * 500))) == 500


@pytest.mark.parametrize(
    "card",
    [
        {"elements": [{"tag": "action", "actions": [], "columns": 5}]},
        {"elements": [{"tag": "note", "elements": [], "columns": 5}]},
        {"type": "template", "data": {"template_id": "x"}, "elements": 5},
    ],
)
async def test_names_that_mean_nothing_in_an_older_card_are_passed_over(client: Client, card: Any) -> None:
    assert (await client.send(card, "interactive"))["code"] == 0


def test_a_part_of_a_card_with_an_odd_tag_cannot_be_used() -> None:
    assert card_use.parts({"elements": [{"tag": ["button"]}]}) == []


async def test_odd_requests_to_bitable_are_refused(client: Client) -> None:
    tables = client.sandbox.tables
    base = f"/bitable/v1/apps/{tables.app_token}"
    table = f"{base}/tables/{tables.archive}"
    condition = {"field_name": "消息ID", "operator": ["is"], "value": ["1"]}
    states = {"field_name": "状态", "type": 3, "property": {"options": [{"name": "a"}]}}
    made = (await client.data("POST", f"{table}/fields", body=states))["field"]["field_id"]
    states["property"] = {"options": [{"name": "b", "id": ["x"]}]}
    answers = [
        await client.call("POST", f"{base}/tables/batch_delete", body={"table_ids": [["x"]]}),
        await client.call("POST", f"{table}/records/search", body={"filter": {"conditions": [condition]}}),
        await client.call("PUT", f"{table}/fields/{made}", body=states),
        *[
            await client.call("POST", "/bitable/v1/apps", body={"name": "a", "time_zone": zone})
            for zone in (5, "Foo/Bar", "../x", "Asia")
        ],
    ]
    assert [answer["code"] for answer in answers] == [1254004, 1254018, 1254082, *[1254001] * 4]


async def test_odd_questions_about_reactions_are_refused(client: Client) -> None:
    message = client.say().message_id
    await client.data("POST", f"/im/v1/messages/{message}/reactions", body={"reaction_type": {"emoji_type": "DONE"}})
    path = "/im/v1/messages/reactions/batch_query"
    for body in (
        {"queries": [{"message_id": message, "page_token": 5}]},
        {"queries": [{"message_id": message}], "reaction_type": ["DONE"]},
    ):
        assert (await client.call("POST", path, body=body))["code"] == 230001


@pytest.mark.parametrize("path", ["im/v1/files", "im/v1/images", "drive/v1/medias/upload_all"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        (SPLIT, b"garbage\r\n\r\n"),
        (SPLIT, b'--B\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc'),
        (SPLIT, b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--B--\r\n'),
        (
            SPLIT,
            b'--B\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=x\r\n\r\na\r\n--B--',
        ),
        (
            SPLIT,
            b'--B\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: x\r\n\r\na\r\n--B--\r\n',
        ),
    ],
    ids=["no boundary", "no part", "cut off", "no text", "no such charset", "no such encoding"],
)
async def test_a_form_that_is_none_is_refused(client: Client, path: str, kind: str, body: bytes) -> None:
    assert await status(client, "POST", f"/open-apis/{path}", data=body, headers={"Content-Type": kind}) == 400


async def test_a_body_that_cannot_be_unpacked_is_refused(client: Client) -> None:
    packed = {"Content-Encoding": "gzip"}
    assert await status(client, "POST", "/open-apis/im/v1/pins", data=b"abc", headers=packed) == 400


async def test_an_upload_that_is_refused_or_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ConnectionResetError

    async with running(SandboxConfig(scenario="quiet", directory=tmp_path)) as client:
        form = b'--B\r\nContent-Disposition: form-data; name="image"\r\n\r\nno image\r\n--B--\r\n'
        await status(client, "POST", "/open-apis/im/v1/images", data=form, headers={"Content-Type": SPLIT})
        await status(client, "POST", "/sandbox/uploads", params={"name": "a.png"}, data=b"no image")
        uploads: Uploads = client.sandbox._uploads
        with pytest.raises(ConnectionResetError):
            await uploads.keep(breaking(), image=False, most=100)
        assert [file for name in ("uploads", "people") for file in (tmp_path / name).iterdir()] == []


async def test_scopes_that_are_none_are_refused_and_do_no_harm(client: Client) -> None:
    for given in (5, [["x"]], [1], "im:message"):
        assert await status(client, "PATCH", "/sandbox/scopes", json={"grant": given}) == 400
    assert await status(client, "PATCH", "/sandbox/scopes", json={}) == 200


async def test_only_a_person_can_use_a_card(client: Client) -> None:
    click = {"message": client.say().message_id, "person": ["x"], "action": {}}
    assert await status(client, "POST", "/sandbox/clicks", json=click) == 400


async def test_the_clock_stays_in_the_calendar(client: Client) -> None:
    for by in (1e300, -1e300, 1e13):
        assert await status(client, "POST", "/sandbox/clock", json={"by": by}) == 400
    assert await status(client, "GET", "/open-apis/im/v1/chats") == 200
    clock = WorldClock(lambda: 0.0)
    for by in (float("nan"), float("inf"), -1.0):
        with pytest.raises(ValueError, match="1970"):
            clock.jump(by)
    assert clock() == 0


async def test_jumps_of_a_fault_that_leave_the_calendar_do_not_happen() -> None:
    jumps = (Fault(kind="clock-jump", every=0.001, seconds=1e300),)
    async with running(SandboxConfig(scenario="quiet", faults=jumps)) as client:
        await until(lambda: client.sandbox.faults.injected["clock-jump"] > 0)
        assert await status(client, "GET", "/open-apis/im/v1/chats") == 200


async def test_a_person_who_deletes_records_leaves_calls_about_no_table_alone() -> None:
    faults = (Fault(kind="record-deleted", on="im.*"),)
    async with running(SandboxConfig(scenario="quiet", faults=faults)) as client:
        assert await status(client, "GET", "/open-apis/im/v1/chats") == 200


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("failed", {"statuses": (99,)}),
        ("discovery-failed", {"statuses": (100,)}),
        ("slow", {"seconds": float("inf")}),
        ("drop", {"every": float("nan")}),
    ],
)
def test_faults_that_nobody_could_meet_are_refused(kind: str, given: dict[str, Any]) -> None:
    with pytest.raises(FaultError):
        Fault(kind=kind, **given)


async def test_a_post_without_paragraphs_does_not_hide_the_chat(client: Client) -> None:
    for odd in (5, [5], [[5]], {"a": 1}):
        client.say(type="post", content={"content": odd})
        assert await status(client, "GET", "/sandbox/overview") == 200


def test_an_acknowledgement_of_other_letters_is_malformed() -> None:
    frame = Frame(SeqID=1, LogID=1, service=1, method=1, payload='{"code":200,"data":"é"}'.encode())
    frame.headers.append(Header(key="message_id", value="x"))
    with pytest.raises(frames.Malformed):
        frames.read(frame.SerializeToString())


async def test_long_texts_do_not_hold_up_the_sandbox(client: Client) -> None:
    began = time.process_time()
    await client.sent({"text": "<at id=a>" * 15_000})
    for text in ("[" * 30_000, "![" * 15_000, "[a](" * 7_500):
        card_view.markdown(text, lambda open_id: "")
    assert time.process_time() - began < 5


async def test_messages_of_an_odd_form_do_not_hide_the_others() -> None:
    run = {"tag": "text", "text": 5, "style": 5}
    odd = {
        "text": {"text": 5},
        "post": {"content": [5, [None, run, {"tag": "a", "href": 5}]], "title": 5},
        "file": {"file_name": 5},
        "system": {"template": 5},
        "location": {"name": {"a": 1}, "summary": None},
    }
    async with running() as client, launched() as browser, visiting(browser, client.sandbox.url) as page:
        for kind, content in odd.items():
            client.say(type=kind, content=content)
        await client.sent({"zh_cn": {"content": [[run]]}}, "post")
        client.say("还在这里")
        await expect(page.locator("#log")).to_contain_text("还在这里")


async def test_a_connection_for_no_service_is_refused(client: Client) -> None:
    app = client.sandbox.world.app
    credentials = orjson.dumps({"AppID": app.app_id, "AppSecret": app.secret})
    for service in ("abc", "99999999999", ""):
        async with client.session.post(f"{client.sandbox.url}/callback/ws/endpoint", data=credentials) as answer:
            url = URL((await answer.json(content_type=None))["data"]["URL"])
        with pytest.raises(WSServerHandshakeError):
            await client.session.ws_connect(url.update_query(service_id=service))


async def test_an_acknowledgement_that_cannot_be_noted_does_not_count() -> None:
    def full(payload: bytes) -> None:
        raise OSError("no space left")

    faults = Faults()
    delivery = Delivery(
        window=1,
        ack_timeout=60,
        retry_delays=(60.0,),
        duplicate_rate=0,
        chance=Random(1),
        disorder=Disorder(faults, lambda: 0, factor=1),
        acknowledged=full,
    )
    sent: list[Push] = []
    receiver = _Receiver(sent)
    delivery.attach(receiver)
    delivery.push(b'{"header": {"event_type": "x"}}')
    with pytest.raises(OSError, match="no space"):
        delivery.answered(sent[0].push_id, 200)
    delivery.detach(receiver)
    assert delivery.document()["scheduled"] == 1
    delivery.close()


class _Receiver:
    def __init__(self, sent: list[Push]) -> None:
        self.send = sent.append


async def test_tickets_nobody_used_are_forgotten() -> None:
    config = SandboxConfig(scenario="quiet", ticket_lifetime=0.001)
    async with running(config) as client, ClientSession() as session:
        app = client.sandbox.world.app
        for _ in range(5):
            body = orjson.dumps({"AppID": app.app_id, "AppSecret": app.secret})
            async with session.post(f"{client.sandbox.url}/callback/ws/endpoint", data=body) as answer:
                assert (await answer.json(content_type=None))["code"] == 0
            await asyncio.sleep(0.002)
        assert len(client.sandbox.gateway._tickets) == 1


def test_links_to_files_are_forgotten_after_a_day(tmp_path: Path) -> None:
    now = 0.0
    media = Media(clock=lambda: now, directory=tmp_path)
    for _ in range(5):
        media.link("boxcn")
    now = LINK_SECONDS + 1.0
    media.link("boxcn")
    assert len(media._links) == 1


@pytest.mark.parametrize("token", ["", "t-unknown"])
async def test_a_failure_names_one_log_id(client: Client, token: str) -> None:
    refused = await client.call("GET", "/im/v1/chats", headers={"Authorization": f"Bearer {token}"})
    assert client.headers["X-Tt-Logid"] == refused["error"]["log_id"]
    client.sandbox.world.app.scopes.clear()
    refused = await client.call("GET", "/im/v1/chats")
    assert client.headers["X-Tt-Logid"] == refused["error"]["log_id"]


def test_results_of_a_search_go_with_their_table(tmp_path: Path) -> None:
    base, pages = Bases(Media(directory=tmp_path)).create("b"), Pages()
    for number in range(3):
        table, terms = base.create_table(f"T{number}"), Terms(lambda known: None)
        table.create([{}], terms)
        assert pages.page(table, Query.parse({}, table, terms), [], 10, "")[1] == 1
        base.delete_tables([table.table_id])
    del table
    gc.collect()
    assert len(pages._latest) == 0


async def test_what_is_remembered_of_changes_to_a_card_is_small(client: Client) -> None:
    world = client.sandbox.world
    kept = Entities(world, Ids(1))
    kit = CardKit(kept, Documents(world), client.sandbox.limits, world.app.app_id)
    element = {"tag": "markdown", "content": "a", "element_id": "a"}
    entity = kept.make({"schema": "2.0", "body": {"elements": [element]}})
    change = {"partial_element": {"content": "b" * 10_000}, "sequence": 1, "uuid": "u"}
    path = {"card_id": entity.card_id, "element_id": "a"}
    await kit.patch(Call(path, {}, change, make_mocked_request("PATCH", "/")))
    assert sum(map(len, entity.done.values())) < 100


async def test_streaming_ends_on_a_card_that_lost_its_config(client: Client) -> None:
    streaming = {
        "schema": "2.0",
        "config": {"streaming_mode": True},
        "body": {"elements": [{"tag": "markdown", "content": "a", "element_id": "a"}]},
    }
    given = {"type": "card_json", "data": orjson.dumps(streaming).decode()}
    card_id = (await client.data("POST", "/cardkit/v1/cards", body=given))["card_id"]
    sent = await client.sent({"type": "card", "data": {"card_id": card_id}}, "interactive")
    del streaming["config"]
    content = orjson.dumps(streaming).decode()
    await client.data("PATCH", f"/im/v1/messages/{sent['message_id']}", body={"content": content})
    client.sandbox.clock.jump(STREAMING_MS + 1000)
    change = {"partial_element": '{"content": "b"}', "sequence": 1}
    assert (await client.call("PATCH", f"/cardkit/v1/cards/{card_id}/elements/a", body=change))["code"] == 0


async def test_a_scenario_that_fails_leaves_nothing_open() -> None:
    def acts() -> Iterator[Act]:
        raise RuntimeError("no more")
        yield

    def none() -> Iterator[Act]:
        return acts() if playing else iter(())

    playing = False
    sandbox = await Sandbox(SandboxConfig(), scenario=Scenario("broken", (), (), none, 0)).start()
    playing = True
    sandbox.play()
    with pytest.raises(RuntimeError, match="no more"):
        await sandbox.played()
    with pytest.raises(RuntimeError, match="no more"):
        await sandbox.stop()
    assert not os.path.exists(sandbox._temporary.name)  # noqa: ASYNC240 — nothing else runs any more


@pytest.mark.parametrize("name", ["speed", "retry_factor", "token_lifetime", "ack_timeout"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_times_are_finite(name: str, value: float) -> None:
    given: Any = {name: value}
    with pytest.raises(ValueError, match=name):
        SandboxConfig(**given)

"""Calls of the open API under faults: refused, slow, unanswered, carried out or not; and what people delete."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from typing import Any

import aiohttp
import pytest
from sandbox_client import SECONDS, Client, running

from sandbox.config import SandboxConfig
from sandbox.faults.codes import EVERY_WRITERS
from sandbox.faults.fault import Fault

CREATE = "bitable.v1.appTableRecord.create"


def quiet(*faults: Fault, **given: Any) -> SandboxConfig:
    return SandboxConfig(scenario="quiet", faults=faults, rate_limits=False, **given)


def table(client: Client) -> tuple[str, str]:
    settings = client.sandbox.environment()
    return settings["BITABLE_APP_TOKEN"], settings["BITABLE_TABLE_ID"]


async def create(client: Client, token: str = "") -> dict[str, Any]:
    """The whole answer to a record being created."""
    base, table_id = table(client)
    query = {"client_token": token} if token else {}
    body = {"fields": {"用户ID": "ou_1"}}
    return await client.call("POST", f"/bitable/v1/apps/{base}/tables/{table_id}/records", query=query, body=body)


async def rows(client: Client) -> int:
    base, table_id = table(client)
    return (await client.control("GET", f"tables/{base}/{table_id}"))["total"]


def counted(client: Client, name: str = CREATE) -> dict[str, int]:
    return client.sandbox.calls.document()["by_name_and_code"].get(name, {})


async def test_a_limited_call_says_when_to_come_again() -> None:
    async with running(quiet(Fault(kind="limited", on=CREATE, times=1, seconds=7.0))) as client:
        assert (await create(client))["code"] == 99991400
        assert client.status == 429
        assert client.headers["x-ogw-ratelimit-reset"] == "7"
        assert int(client.headers["x-ogw-ratelimit-limit"]) > 0
        assert (await create(client))["code"] == 0
        assert counted(client) == {"0": 1, "99991400": 1}


async def test_older_apis_answer_400() -> None:
    async with running(quiet(Fault(kind="limited-400", on=CREATE))) as client:
        assert (await create(client))["code"] == 99991400
        assert client.status == 400


async def test_an_invalid_token_is_invalid_until_a_new_one_is_asked_for() -> None:
    async with running(quiet(Fault(kind="token-invalid", times=1))) as client:
        assert [(await create(client))["code"] for _ in range(2)] == [99991663, 99991663]
        old, client.token = client.token, ""
        assert (await create(client))["code"] == 0
        assert client.token != old


@pytest.mark.parametrize(("done", "made"), [(0.0, 0), (1.0, 1)])
async def test_a_proxy_fails_before_or_after_the_call_was_carried_out(done: float, made: int) -> None:
    async with running(quiet(Fault(kind="failed", on=CREATE, statuses=(502,), done=done))) as client:
        with pytest.raises(ValueError, match="character"):  # No JSON at all.
            await create(client)
        assert client.status == 502
        assert await rows(client) == made
        assert counted(client) == {"502": 1}


async def test_every_code_a_writer_can_meet_comes() -> None:
    async with running(quiet(Fault(kind="refused", on=CREATE, codes=EVERY_WRITERS), seed=7)) as client:
        seen = Counter([(await create(client))["code"] for _ in range(900)])
        assert set(seen) == set(EVERY_WRITERS)


@pytest.mark.parametrize(("code", "made"), [(1254291, 0), (1254606, 1), (1254608, 1)])
async def test_a_code_that_tells_of_something_done_tells_the_truth(code: int, made: int) -> None:
    async with running(quiet(Fault(kind="refused", codes=(code,), times=1))) as client:
        assert (await create(client))["code"] == code
        assert await rows(client) == made


async def test_a_code_of_another_family_can_be_asked_for() -> None:
    fault = Fault(kind="refused", on="im.v1.message.create", codes=(230020,), times=1)
    async with running(quiet(fault)) as client:
        assert (await client.send())["code"] == 230020
        assert (await client.send())["code"] == 0


async def test_a_slow_call_is_carried_out_all_the_same() -> None:
    async with running(quiet(Fault(kind="slow", on=CREATE, seconds=0.1))) as client:
        await client.log_in()
        began = time.monotonic()
        assert (await create(client))["code"] == 0
        assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize(("kind", "made"), [("answer-lost", 1), ("unreached", 0)])
async def test_a_line_that_is_cut_leaves_the_client_guessing(kind: str, made: int) -> None:
    async with running(quiet(Fault(kind=kind, on=CREATE, times=1))) as client:
        token = str(uuid.uuid4())
        with pytest.raises(aiohttp.ClientError):
            await create(client, token)
        assert await rows(client) == made
        assert counted(client) == {"0" if made else "-1": 1}
        assert (await create(client, token))["code"] == 0
        assert await rows(client) == 1, "the same client_token makes it once"


async def test_an_answer_is_cut_in_the_middle() -> None:
    async with running(quiet(Fault(kind="answer-cut", on=CREATE, times=3))) as client:
        for number in range(3):
            with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
                await create(client)
            assert await rows(client) == number + 1


async def test_a_refusal_is_cut_in_the_middle_too() -> None:
    async with running(quiet(Fault(kind="answer-cut", on=CREATE, times=1))) as client:
        await client.log_in()
        base, _ = table(client)
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
            await client.call("POST", f"/bitable/v1/apps/{base}/tables/tblAAAAAAAAAAAAA/records", body={"fields": {}})
        assert counted(client) == {"1254041": 1}


async def test_an_answer_can_be_a_page_for_people() -> None:
    async with running(quiet(Fault(kind="answer-garbage", on=CREATE))) as client:
        with pytest.raises(ValueError, match="character"):
            await create(client)
        assert client.status == 200
        assert await rows(client) == 1


async def test_a_stuck_call_lets_go_when_the_faults_are_cleared() -> None:
    async with running(quiet(Fault(kind="stuck", on=CREATE))) as client:
        await client.log_in()
        calling = asyncio.create_task(create(client))
        assert not (await asyncio.wait([calling], timeout=0.1))[0]
        client.sandbox.faults.clear()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await asyncio.wait_for(calling, SECONDS)
        assert await rows(client) == 0


async def test_a_stuck_call_does_not_keep_a_sandbox_from_stopping() -> None:
    async with running(quiet(Fault(kind="stuck", on=CREATE))) as client:
        await client.log_in()
        calling = asyncio.create_task(create(client))
        assert not (await asyncio.wait([calling], timeout=0.1))[0]
        began = time.monotonic()
    assert time.monotonic() - began < 2.0
    with pytest.raises(aiohttp.ClientError):
        await calling


async def test_logging_in_can_fail_too() -> None:
    async with running(quiet(Fault(kind="limited", on="auth.*", times=1))) as client:
        assert (await client.log_in())["code"] == 99991400
        assert (await client.log_in())["code"] == 0


class TestPeople:
    async def test_a_record_a_column_and_the_table_disappear_just_before_a_call(self) -> None:
        faults = [
            Fault(kind="record-deleted", on=CREATE, skip=2, times=1),
            Fault(kind="column-deleted", on=CREATE, times=1, skip=3),
            Fault(kind="table-deleted", on=CREATE, times=1, skip=4),
        ]
        async with running(quiet(*faults)) as client:
            base, table_id = table(client)
            found = client.sandbox.bases.find(base).table(table_id)
            columns = len(found.fields)
            for _ in range(3):
                assert (await create(client))["code"] == 0
            assert await rows(client) == 2, "one of the first two is gone"
            await create(client)
            assert len(found.fields) == columns - 1
            assert (await create(client))["code"] == 1254041

    async def test_a_record_a_column_and_the_table_are_deleted_on_demand(self) -> None:
        async with running(quiet()) as client:
            base, table_id = table(client)
            record_id = (await create(client))["data"]["record"]["record_id"]
            await create(client)
            path = f"tables/{base}/{table_id}"
            await client.control("DELETE", f"{path}/records/{record_id}")
            shown = await client.control("GET", path)
            assert [item["record_id"] != record_id for item in shown["items"]] == [True]
            await client.control("DELETE", f"{path}/fields/活跃度分数")
            assert "活跃度分数" not in client.sandbox.bases.find(base).table(table_id).by_name
            for gone in (f"records/{record_id}", "fields/活跃度分数"):
                assert "1254" in (await client.control("DELETE", f"{path}/{gone}"))["error"]
                assert client.status == 400
            await client.control("DELETE", path)
            assert (await create(client))["code"] == 1254041
            assert "1254041" in (await client.control("DELETE", path))["error"]


async def test_a_record_bears_the_time_of_the_world_in_ms() -> None:
    async with running(quiet()) as client:
        base, table_id = table(client)
        await client.control("POST", "clock", {"by": 86_400})
        record_id = (await create(client))["data"]["record"]["record_id"]
        record = client.sandbox.bases.find(base).table(table_id).record(record_id)
        assert abs(record.created - client.sandbox.world.now()) < 60_000


class TestControl:
    async def test_faults_are_set_added_inspected_and_cleared(self) -> None:
        async with running(quiet()) as client:
            assert await client.control("GET", "faults") == {"seed": 1, "faults": [], "injected": {}, "strikes": 0}
            limited = {"kind": "limited", "on": CREATE, "times": 1}
            shown = await client.control("POST", "faults", {"set": [limited]})
            assert shown["faults"] == [{**limited, "rate": 1.0, "seconds": 1.0, "met": 0, "struck": 0}]
            await create(client)
            await create(client)
            shown = await client.control("POST", "faults", {"add": "people"})
            assert [fault["kind"] for fault in shown["faults"]] == [
                "limited",
                "record-deleted",
                "column-deleted",
                "table-deleted",
            ]
            assert (shown["faults"][0]["met"], shown["faults"][0]["struck"]) == (2, 1)
            assert (shown["injected"], shown["strikes"]) == ({"limited": 1}, 1)
            [strike] = (await client.control("GET", "faults/strikes"))["items"]
            assert (strike["number"], strike["kind"], strike["to"]) == (1, "limited", CREATE)
            assert abs(strike["at"] / 1000 - time.time()) < 60
            shown = await client.control("POST", "faults", {"clear": True})
            assert (shown["faults"], shown["injected"]) == ([], {"limited": 1})
            stats = await client.control("GET", "stats")
            assert (stats["faults"], stats["acknowledged"]) == ({"limited": 1}, 0)

    @pytest.mark.parametrize(
        ("body", "word"),
        [
            ({"set": "calm"}, "calm"),
            ({"set": [{"kind": "x"}]}, "'x'"),
            ({"set": 7}, "preset"),
            ({"set": [], "add": []}, "body"),
            ([], "body"),
            ({"clear": False}, "body"),
        ],
    )
    async def test_what_is_wrong_is_said_and_nothing_changes(self, body: object, word: str) -> None:
        async with running(quiet(Fault(kind="lost"))) as client:
            assert word in (await client.control("POST", "faults", body))["error"]
            assert client.status == 400
            assert [fault["kind"] for fault in (await client.control("GET", "faults"))["faults"]] == ["lost"]

    async def test_refusing_discovery_is_a_fault_like_any_other(self) -> None:
        async with running(quiet()) as client:
            await client.control("POST", "refuse", {"code": 514, "times": 2})
            await client.control("POST", "refuse", {"code": 1, "times": 0})
            shown = (await client.control("GET", "faults"))["faults"]
            assert [(fault["kind"], fault["codes"], fault["times"]) for fault in shown] == [
                ("discovery-refused", [514], 2)
            ]

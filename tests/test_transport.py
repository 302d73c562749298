"""Calls of the open API: the token, what is repeated and what is not, the month's ledger, and no secret anywhere."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from api_client import DAY, NOVEMBER, SHANGHAI, Calls, Clock, client, client_of
from log_lines import logged
from served import served
from unruly import FIELDS, NAMES, UnrulySandbox, raw, refused

from core.errors import ApiError, ApiFailure, QuotaExhausted, TooLarge, Unreachable
from core.feishu import bitable, transport
from core.feishu.ledger import Ledger
from core.feishu.transport import ATTEMPTS, TOKEN_PATH, Api, Operation
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

TOKEN = "auth.v3.tenantAccessToken.internal"
SECRET = "canary-secret-0123456789abcdef"
PROBE = Operation("probe.v1.get", "GET", "/open-apis/probe/v1/{what}")


def quiet(**given: Any) -> SandboxConfig:
    return SandboxConfig(scenario="quiet", **given)


@asynccontextmanager
async def unruly(**given: Any) -> AsyncIterator[UnrulySandbox]:
    async with UnrulySandbox(quiet(**given)) as sandbox:
        yield sandbox


async def fields(api: Api, sandbox: Sandbox) -> dict[str, Any]:
    """Some call that succeeds."""
    path = {"app_token": sandbox.tables.app_token, "table_id": sandbox.tables.activity}
    return await api.call(bitable.FIELDS, path=path, query={"page_size": "100"})


def calls(sandbox: Sandbox) -> dict[str, int]:
    """How often each operation was called, as the sandbox counts."""
    counted: dict[str, int] = sandbox.calls.document()["by_name"]
    return counted


@asynccontextmanager
async def platform(token: Any, **answers: Any) -> AsyncIterator[tuple[str, list[str]]]:
    """A platform with fixed answers: its URL, and the paths asked for."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        answer = token if request.path == TOKEN_PATH else answers[request.match_info["path"].rsplit("/", 1)[-1]]
        if callable(answer):
            answer = answer(request)
        return answer if isinstance(answer, web.Response) else web.Response(body=orjson.dumps(answer))

    async with served(handle) as url:
        yield url, asked


GOOD_TOKEN = {"code": 0, "msg": "ok", "tenant_access_token": "t-canary-token", "expire": 7200}


async def test_a_token_is_used_for_many_calls() -> None:
    async with unruly() as sandbox, client_of(sandbox) as (api, _):
        await asyncio.gather(*(fields(api, sandbox) for _ in range(5)))
        assert calls(sandbox)[TOKEN] == 1
        assert api.ledger.by_name == {bitable.FIELDS.name: 5, TOKEN: 1}


async def test_a_token_is_renewed_before_its_end() -> None:
    short = {**GOOD_TOKEN, "expire": 0.2}
    async with platform(short, x={"code": 0}) as (url, asked), client(url, "cli_x", SECRET) as (api, _):
        await api.call(PROBE, path={"what": "x"})
        await api.call(PROBE, path={"what": "x"})
        assert asked.count(TOKEN_PATH) == 1
        await asyncio.sleep(0.11)  # The lifetime of a token is real time.
        await api.call(PROBE, path={"what": "x"})
        assert asked.count(TOKEN_PATH) == 2


async def test_a_refused_token_is_renewed_once_and_the_call_repeated() -> None:
    async with unruly() as sandbox, client_of(sandbox) as (api, sleep):
        await fields(api, sandbox)
        sandbox.tokens.revoke()
        assert (await fields(api, sandbox))["items"]
        assert calls(sandbox)[TOKEN] == 2
        assert sandbox.calls.document()["by_name_and_code"][FIELDS] == {"0": 2, "99991663": 1}
        assert sleep.slept == [0.0]


async def test_calls_under_way_together_renew_a_refused_token_once() -> None:
    async with unruly() as sandbox, client_of(sandbox) as (api, _):
        await fields(api, sandbox)
        sandbox.tokens.revoke()
        await asyncio.gather(*(fields(api, sandbox) for _ in range(4)))
        assert calls(sandbox)[TOKEN] == 2


async def test_an_api_that_refuses_every_token_is_not_asked_again_and_again() -> None:
    refusal = {"code": 99991663, "msg": "this API does not take a tenant token"}
    async with platform(GOOD_TOKEN, x=refusal) as (url, asked), client(url, "cli_x", SECRET) as (api, _):
        with pytest.raises(ApiError) as error:
            await api.call(PROBE, path={"what": "x"})
        assert error.value.code == 99991663
        assert asked.count("/open-apis/probe/v1/x") == 2
        assert asked.count(TOKEN_PATH) == 2


async def test_a_wrong_secret_is_said_with_what_to_do_and_not_repeated() -> None:
    async with unruly() as sandbox, client(sandbox.url, sandbox.world.app.app_id, SECRET) as (api, _):
        with pytest.raises(ApiError, match=r"10015 .*copy both again from the developer console") as error:
            await fields(api, sandbox)
        assert SECRET not in str(error.value)
        assert sandbox.calls.total == 1
        with pytest.raises(ApiError, match="10015"):
            await api.log_in()


@pytest.mark.parametrize(
    "answer",
    [{"code": 0}, {"code": 0, "tenant_access_token": 7, "expire": 7200}, {"code": "zero"}, [], "…", web.HTTPOk]
    + [{**GOOD_TOKEN, "expire": expire} for expire in (0, -1, None)],
)
async def test_a_token_answer_without_a_token_is_unreachable(answer: Any) -> None:
    given = (lambda _: web.Response(body=b"<html>")) if answer is web.HTTPOk else answer
    async with platform(given) as (url, _), client(url, "cli_x", SECRET) as (api, _):
        with pytest.raises(Unreachable, match="tenantAccessToken"):
            await api.call(PROBE, path={"what": "x"})


async def test_an_answer_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_ANSWER", 100_000)
    long = {"code": 0, "data": {"x": "x" * 100_000}}
    async with platform(GOOD_TOKEN, x=long) as (url, asked), client(url, "cli_x", SECRET) as (api, _):
        with pytest.raises(TooLarge, match=r"probe.*: an answer of more than 100000 bytes"):
            await api.call(PROBE, path={"what": "x"})
        assert asked.count("/open-apis/probe/v1/x") == 1


async def test_a_rate_limit_waits_as_long_as_the_platform_says() -> None:
    limit = raw(orjson.dumps({"code": 99991400, "msg": "slow down"}), 429, x_ogw_ratelimit_reset="7")
    older = raw(orjson.dumps({"code": 99991400, "msg": "slow down"}), 400, x_ogw_ratelimit_reset="3")
    async with unruly() as sandbox, client_of(sandbox) as (api, sleep):
        sandbox.troubles[FIELDS].extend([limit, older])
        assert (await fields(api, sandbox))["items"]
        assert sleep.slept == [7.0, 3.0]


async def test_a_rate_limit_without_a_time_backs_off() -> None:
    async with unruly() as sandbox, client_of(sandbox) as (api, sleep):
        sandbox.troubles[FIELDS].extend([refused(99991400, 429)] * (ATTEMPTS + 1))
        with pytest.raises(ApiError, match="99991400"):
            await fields(api, sandbox)
        assert len(sleep.slept) == ATTEMPTS - 1
        assert sleep.slept == sorted(sleep.slept)
        assert 0.5 < sleep.slept[0] < 2


@pytest.mark.parametrize("trouble", [raw(b"Bad Gateway", 502), raw(b"", 200), raw(b"[]", 200), raw(b"", 504)])
async def test_answers_that_are_none_are_repeated_and_then_unreachable(trouble: Any) -> None:
    async with unruly() as sandbox, client_of(sandbox) as (api, sleep):
        sandbox.troubles[FIELDS].append(trouble)
        assert (await fields(api, sandbox))["items"]
        sandbox.troubles[FIELDS].extend([trouble] * ATTEMPTS)
        with pytest.raises(Unreachable, match=r"appTableField.list: HTTP \d+ without a usable answer"):
            await fields(api, sandbox)
        assert len(sleep.slept) == ATTEMPTS


async def test_a_refusal_without_a_code_is_not_repeated() -> None:
    async with unruly() as sandbox, client_of(sandbox) as (api, sleep):
        sandbox.troubles[FIELDS].append(raw(b"forbidden by a proxy", 403))
        with pytest.raises(Unreachable, match="HTTP 403"):
            await fields(api, sandbox)
        assert not sleep.slept


async def test_a_network_error_is_repeated_and_then_unreachable() -> None:
    async with client("http://127.0.0.1:1", "cli_x", SECRET) as (api, sleep):
        with pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1:1"):
            await api.call(PROBE, path={"what": "x"})
        assert len(sleep.slept) == ATTEMPTS - 1
        assert api.ledger.by_name == {TOKEN: ATTEMPTS}
        with pytest.raises(Unreachable):
            await api.log_in()


async def test_another_code_is_raised_at_once_with_scope_and_log_id() -> None:
    async with unruly() as sandbox, client_of(sandbox) as (api, sleep):
        sandbox.world.app.scopes.clear()
        with pytest.raises(ApiError, match=r"99991672 Access denied.*grant the scope.*\[log id \w+\]") as error:
            await fields(api, sandbox)
        assert (error.value.code, error.value.name) == (99991672, FIELDS)
        assert error.value.log_id
        assert not sleep.slept


async def test_redirects_are_not_followed() -> None:
    def elsewhere(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/steal"})

    async with platform(GOOD_TOKEN, x=elsewhere) as (url, _), client(url, "cli_x", SECRET) as (api, _):
        with pytest.raises(Unreachable, match="HTTP 302"):
            await api.call(PROBE, path={"what": "x"})


async def test_the_ledger_refuses_beyond_the_quota_and_nothing_is_sent() -> None:
    async with unruly() as sandbox, client_of(sandbox, quota=3) as (api, _):
        await fields(api, sandbox)
        await fields(api, sandbox)
        with pytest.raises(QuotaExhausted, match=r"all 3 API calls of 2026-11 are used \(API_MONTHLY_QUOTA\)"):
            await fields(api, sandbox)
        assert sandbox.calls.total == api.ledger.used == 3
        assert api.ledger.left == 0


async def test_the_platforms_own_quota_is_not_tried_again() -> None:
    async with unruly(monthly_quota=1) as sandbox, client_of(sandbox) as (api, sleep):
        await fields(api, sandbox)
        with pytest.raises(QuotaExhausted, match="99991403"):
            await fields(api, sandbox)
        assert not sleep.slept


def test_the_ledger_begins_anew_with_the_month_of_its_time_zone() -> None:
    clock, calls = Clock(NOVEMBER + 29 * DAY), Calls()
    ledger = Ledger(calls, 2, SHANGHAI, clock)
    ledger.spend("a")
    ledger.spend("b")
    with pytest.raises(QuotaExhausted):
        ledger.spend("a")
    assert ledger.month == "2026-11"
    assert 0 < ledger.seconds_left < DAY / 1000
    clock.now += int(1000 * ledger.seconds_left) - 1
    assert ledger.left == 0
    clock.now += 1
    assert ledger.left == 2
    assert ledger.seconds_left == 31 * DAY / 1000
    ledger.spend("a")
    assert (ledger.month, ledger.by_name) == ("2026-12", {"a": 1})
    assert calls.calls("2026-11") == {"a": 1, "b": 1}


def test_the_ledger_goes_on_after_a_restart() -> None:
    calls = Calls()
    Ledger(calls, 10, SHANGHAI, Clock()).spend("a")
    ledger = Ledger(calls, 10, SHANGHAI, Clock())
    ledger.spend("a")
    assert (ledger.used, ledger.left) == (2, 8)


async def test_an_operation_is_called_no_faster_than_its_limit() -> None:
    slow = Operation(PROBE.name, PROBE.method, PROBE.path, per_second=10)
    async with platform(GOOD_TOKEN, x={"code": 0}) as (url, _), client(url, "cli_x", SECRET) as (api, _):
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(api.call(slow, path={"what": "x"}) for _ in range(13)))
        assert asyncio.get_running_loop().time() - began >= 0.25


async def test_no_secret_and_no_token_is_in_an_error_or_a_log_line() -> None:
    told: list[str] = []

    async def fail(api: Api, what: str) -> None:
        try:
            await api.call(PROBE, path={"what": what}, body={"q": 1})
        except ApiFailure as error:
            told.extend([str(error), repr(error), "".join(traceback.format_exception(error))])

    answers: dict[str, Any] = {
        "bad": {"code": 99991663, "msg": "bad token"},
        "limit": lambda _: web.Response(status=429, body=b'{"code":99991400,"msg":"slow"}'),
        "html": lambda _: web.Response(status=500, body=b"<html>"),
        "scope": {"code": 99991672, "msg": "Access denied"},
    }
    with logged() as lines:
        async with platform(GOOD_TOKEN, **answers) as (url, _), client(url, "cli_x", SECRET) as (api, _):
            for what in answers:
                await fail(api, what)
        refusal = {"code": 10015, "msg": "app secret invalid"}
        async with platform(refusal) as (url, _), client(url, "cli_x", SECRET) as (api, _):
            await fail(api, "x")
        async with client("http://127.0.0.1:1", "cli_x", SECRET) as (api, _):
            await fail(api, "x")
    everything = "\n".join([*told, *lines])
    assert len(told) == 18
    assert SECRET not in everything
    assert "t-canary-token" not in everything


async def test_names_are_asked_for_with_every_id_as_its_own_parameter() -> None:
    async with unruly() as sandbox, client_of(sandbox) as (api, _):
        people = [person.open_id for person in sandbox.world.people.everybody()]
        query = [("user_id_type", "open_id"), *(("user_ids", one) for one in people)]
        data = await api.call(Operation(NAMES, "GET", "/open-apis/contact/v3/users/batch"), query=query)
        assert {item["open_id"] for item in data["items"]} == set(people)


async def test_it_has_to_be_opened_before_it_is_used() -> None:
    api = Api("http://127.0.0.1:1", "cli_x", SECRET, Ledger(Calls(), 10, SHANGHAI, Clock()))
    with pytest.raises(RuntimeError, match="async with"):
        await api.log_in()

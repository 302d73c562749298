"""Who may call the sandbox's API, and how often: tokens, scopes, limits, and what every answer has."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_client import Client, running

from sandbox.auth import Tokens
from sandbox.config import SandboxConfig
from sandbox.ids import Ids
from sandbox.limits import Limits
from sandbox.people import App
from sandbox.reply import ApiError


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tokens(clock: Hand, **given: Any) -> tuple[Tokens, dict[str, str]]:
    app = App.make(SandboxConfig(**given), Ids(1))
    return Tokens(app, Ids(1), 7200.0, clock), {"app_id": app.app_id, "app_secret": app.secret}


def test_a_token_is_the_same_until_half_an_hour_is_left() -> None:
    clock = Hand()
    source, credentials = tokens(clock)
    first, left = source.issue(credentials)
    assert (first[:2], left) == ("t-", 7200)
    clock.now += 5400
    assert source.issue(credentials) == (first, 1800)
    clock.now += 1
    second, left = source.issue(credentials)
    assert second != first
    assert left == 7200
    for token in (first, second):
        source.check(f"Bearer {token}")
    clock.now += 1799
    with pytest.raises(ApiError) as refusal:
        source.check(f"Bearer {first}")
    assert refusal.value.code == 99991663
    source.check(f"Bearer {second}")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"app_secret": "wrong"}, 10015),
        ({"app_id": "cli_0"}, 10003),
        ({"app_id": None}, 10003),
        ({"app_secret": 1}, 10003),
    ],
)
def test_wrong_credentials(given: dict[str, Any], code: int) -> None:
    source, credentials = tokens(Hand())
    with pytest.raises(ApiError) as refusal:
        source.issue({**credentials, **given})
    assert refusal.value.code == code


def test_a_disabled_app_gets_no_token() -> None:
    source, credentials = tokens(Hand(), app_enabled=False)
    with pytest.raises(ApiError) as refusal:
        source.issue(credentials)
    assert refusal.value.code == 10014


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, 99991661),
        ("", 99991661),
        ("Basic t-1", 99991661),
        ("Bearer ", 99991661),
        ("Bearer x", 99991671),
        ("Bearer t-unknown", 99991663),
        ("Bearer u-1", 99991668),
        ("Bearer eyJ0", 99991668),
    ],
)
def test_what_is_no_valid_token(authorization: str | None, code: int) -> None:
    source, _ = tokens(Hand())
    with pytest.raises(ApiError) as refusal:
        source.check(authorization)
    assert refusal.value.code == code


async def test_tokens_are_top_level_and_need_no_content_type() -> None:
    async with running() as client:
        answer = await client.log_in()
        assert answer.keys() == {"code", "msg", "tenant_access_token", "expire"}
        app = client.sandbox.world.app
        url = f"{client.sandbox.url}/open-apis/auth/v3/app_access_token/internal"
        async with client.session.post(url, json={"app_id": app.app_id, "app_secret": app.secret}) as reply:
            both = await reply.json()
        assert both["tenant_access_token"] == both["app_access_token"] == answer["tenant_access_token"]
        assert (await client.log_in(app_secret="wrong"))["code"] == 10015


async def test_a_token_expires_and_can_be_revoked() -> None:
    async with running(SandboxConfig(scenario="quiet", token_lifetime=0.001)) as client:
        client.token = (await client.log_in())["tenant_access_token"]
        while (code := await client.code("GET", "/bot/v3/info")) == 0:
            pass
        assert (code, client.status) == (99991663, 400)
    async with running() as client:
        assert await client.code("GET", "/bot/v3/info") == 0
        await client.control("POST", "revoke")
        assert await client.code("GET", "/bot/v3/info") == 99991663
        client.token = ""
        assert await client.code("GET", "/bot/v3/info") == 0


async def test_a_missing_scope_says_which_and_where_to_ask() -> None:
    async with running(SandboxConfig(scenario="quiet", scopes=frozenset())) as client:
        answer = await client.call("GET", "/im/v1/chats")
        assert answer["code"] == 99991672
        assert answer["msg"] == (
            "Access denied. One of the following scopes is required: [im:chat:read, im:chat:readonly, im:chat]."
        )
        violations = answer["error"]["permission_violations"]
        assert [each["subject"] for each in violations] == ["im:chat:read", "im:chat:readonly", "im:chat"]
        assert client.sandbox.world.app.app_id in answer["error"]["helps"][0]["url"]
        assert answer["error"]["log_id"] in answer["error"]["troubleshooter"]


async def test_unknown_addresses_and_malformed_bodies() -> None:
    async with running() as client:
        assert (await client.code("GET", "/im/v9/nothing"), client.status) == (99991201, 404)
        assert (await client.code("DELETE", "/im/v1/chats"), client.status) == (99991201, 404)
        assert await client.code("POST", "/im/v1/pins", data=b"{") == 9499
        assert await client.code("POST", "/im/v1/pins", data=b"[]") == 9499


class TestLimits:
    def refused(self, limits: Limits, name: str = "x", per_second: int = 2, per_minute: int = 3) -> ApiError | None:
        try:
            limits.call(name, per_second, per_minute)
        except ApiError as problem:
            return problem
        return None

    def test_a_second_and_a_minute(self) -> None:
        clock = Hand()
        limits = Limits(clock)
        assert [self.refused(limits) is None for _ in range(3)] == [True, True, False]
        assert self.refused(limits, "y") is None, "each operation has windows of its own"
        clock.now += 1.0
        assert self.refused(limits) is None
        clock.now += 1.0
        problem = self.refused(limits)
        assert problem is not None
        assert (problem.code, problem.status) == (99991400, 429)
        assert problem.headers == {"x-ogw-ratelimit-limit": "3", "x-ogw-ratelimit-reset": "58"}
        clock.now += 58.0
        assert self.refused(limits) is None

    def test_they_can_be_switched_off(self) -> None:
        limits = Limits(Hand(), enabled=False)
        assert not any(self.refused(limits) for _ in range(100))
        for _ in range(100):
            limits.pace("chat", 230020)

    def test_the_quota_of_a_month(self) -> None:
        limits = Limits(Hand(), monthly_quota=2)
        codes = [problem.code if (problem := self.refused(limits)) else 0 for _ in range(3)]
        assert codes == [0, 0, 99991403]

    def test_five_writes_a_second_to_one_thing(self) -> None:
        clock = Hand()
        limits = Limits(clock)
        for number in range(20_000):
            limits.pace(f"thing {number}", 1)
            clock.now += 0.001
        for _ in range(5):
            limits.pace("chat", 230020)
        with pytest.raises(ApiError) as refusal:
            limits.pace("chat", 230020)
        assert refusal.value.code == 230020
        clock.now += 1.0
        limits.pace("chat", 230020)

    async def test_over_http(self) -> None:
        async with running() as client:
            body = {"user_ids": ["ou_1"]}
            codes = [await client.code("POST", "/contact/v3/users/basic_batch", body=body) for _ in range(6)]
            assert codes == [0, 0, 0, 0, 0, 99991400]
            assert (client.status, client.headers["x-ogw-ratelimit-limit"]) == (429, "5")
            assert client.headers["x-ogw-ratelimit-reset"] == "1"


async def test_every_call_is_counted_by_name_and_code() -> None:
    async with running() as client:
        await calls(client)
        counted = (await client.control("GET", "stats"))["calls"]
    assert counted["by_name_and_code"] == {
        "auth.v3.tenantAccessToken.internal": {"0": 1},
        "bot.v3.info": {"0": 2},
        "im.v1.chat.get": {"0": 1, "232006": 1},
        "unknown": {"99991201": 1},
    }
    assert counted["by_code"] == {"0": 4, "232006": 1, "99991201": 1}
    assert counted["total"] == 6


async def calls(client: Client) -> None:
    chat = client.sandbox.environment()["CHAT_ID"]
    for path in ("/bot/v3/info", "/bot/v3/info", f"/im/v1/chats/{chat}", "/im/v1/chats/oc_unknown", "/nowhere"):
        await client.call("GET", path)

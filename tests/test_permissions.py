"""What a plugin's manifest does not name it cannot ask of the platform, and the error names the line to add."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core import Budget, Config, Context, Manifest, Undeclared, Unreachable
from core.context import STATE
from core.storage import open_engine

CALENDAR = "/open-apis/calendar/v4/calendars/:calendar_id"


class Asked:
    """A platform that notes what reaches it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    async def call(self, request: Any) -> dict[str, Any]:
        self.calls.append(request.uri)
        return {}

    async def groups(self) -> tuple[str, ...]:
        self.calls.append("groups")
        return ("oc_1",)

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        self.calls.append("names")
        return {}

    def budget(self) -> Budget:
        return Budget(0, 0, 0.0)


def request(method: str, uri: str) -> Any:
    """As much of an SDK's request object as is looked at."""
    return SimpleNamespace(http_method=SimpleNamespace(name=method), uri=uri)


@contextmanager
def context(directory: Path, *permissions: str, platform: Asked | None = None, **more: Any) -> Iterator[Context[Any]]:
    store = open_engine(directory).store()
    store.prepare("probe", (STATE,))
    yield Context(
        Manifest("probe", "Tests.", permissions=permissions, **more),
        Config(),
        store,
        timezone=ZoneInfo("Asia/Shanghai"),
        clock=lambda: 0,
        status=lambda: pytest.fail("nobody asks for the status"),
        log=SimpleNamespace(),  # type: ignore[arg-type]
        platform=platform,
    )
    store.close()


async def send(ctx: Context[Any]) -> None:
    ctx.send("oc_1", "text", {"text": "hi"}, key="1")


async def attach(ctx: Context[Any]) -> None:
    ctx.attach("om_1", "file_1", "file")


async def groups(ctx: Context[Any]) -> None:
    await ctx.groups()


async def names(ctx: Context[Any]) -> None:
    await ctx.names(["ou_1"])


async def pins(ctx: Context[Any]) -> None:
    await ctx.call(request("GET", "/open-apis/im/v1/pins"))


@pytest.mark.parametrize(
    ("use", "line", "another"),
    [
        (send, 'permissions=(…, "im:message:send_as_bot")', "im:message"),
        (attach, 'permissions=(…, "im:message:readonly")', "im:message.history:readonly"),
        (groups, 'permissions=(…, "im:chat:read")', "im:chat:readonly"),
        (pins, 'permissions=(…, "im:message.pins:read")', "im:message:readonly"),
    ],
)
async def test_what_is_not_declared_is_refused_with_the_line_to_add_and_any_alternative_opens_it(
    tmp_path: Path, use: Callable[[Context[Any]], Any], line: str, another: str
) -> None:
    with context(tmp_path, "bitable:app") as ctx, pytest.raises(Undeclared) as error:
        await use(ctx)
    assert line in str(error.value)
    assert another in str(error.value)
    assert str(error.value).startswith("probe: ")
    with context(tmp_path, another, platform=Asked(), events=("attachment.done",)) as ctx:
        await use(ctx)


async def test_names_need_two_scopes_and_only_what_lacks_is_asked_for(tmp_path: Path) -> None:
    with context(tmp_path) as ctx, pytest.raises(Undeclared) as error:
        await names(ctx)
    assert 'permissions=(…, "contact:contact.base:readonly", "contact:user.base:readonly")' in str(error.value)
    with context(tmp_path, "contact:contact:readonly_as_app") as ctx, pytest.raises(Undeclared) as error:
        await names(ctx)
    assert 'permissions=(…, "contact:user.base:readonly")' in str(error.value)
    with context(tmp_path, "contact:contact.base:readonly", "contact:user.base:readonly", platform=Asked()) as ctx:
        await names(ctx)


async def test_an_undeclared_call_never_reaches_the_platform(tmp_path: Path) -> None:
    platform = Asked()
    with context(tmp_path, "im:message:send_as_bot", platform=platform) as ctx:
        for use in (pins, groups, names):
            with pytest.raises(Undeclared):
                await use(ctx)
        assert platform.calls == []
        assert ctx.unit.outgoing == []


async def test_an_api_that_is_not_known_has_to_be_named(tmp_path: Path) -> None:
    platform = Asked()
    with context(tmp_path, "calendar:calendar", platform=platform) as ctx, pytest.raises(Undeclared) as error:
        await ctx.call(request("GET", CALENDAR))
    line = f'apis=(…, "GET {CALENDAR}")'
    assert line in str(error.value)
    with context(tmp_path, apis=(f"GET {CALENDAR}",), platform=platform) as ctx:
        await ctx.call(request("GET", CALENDAR))
        with pytest.raises(Undeclared):
            await ctx.call(request("DELETE", CALENDAR))
    assert platform.calls == [CALENDAR]


async def test_what_needs_no_scope_needs_no_declaration(tmp_path: Path) -> None:
    platform = Asked()
    with context(tmp_path, platform=platform) as ctx:
        await ctx.call(request("GET", "/open-apis/bot/v3/info"))
    assert platform.calls == ["/open-apis/bot/v3/info"]


async def test_a_scope_newer_than_the_catalogue_is_used_by_naming_the_api(tmp_path: Path) -> None:
    platform = Asked()
    with context(tmp_path, "im:pin:list", apis=("GET /open-apis/im/v1/pins",), platform=platform) as ctx:
        await pins(ctx)
    assert platform.calls == ["/open-apis/im/v1/pins"]


async def test_without_a_connection_the_declaration_counts_all_the_same(tmp_path: Path) -> None:
    with context(tmp_path) as ctx, pytest.raises(Undeclared):
        await pins(ctx)
    with context(tmp_path, "im:message.pins:read") as ctx, pytest.raises(Unreachable):
        await pins(ctx)


@pytest.mark.parametrize(
    "api",
    ["/open-apis/im/v1/pins", "get /open-apis/im/v1/pins", "GET im/v1/pins", "GET  /open-apis/x", "GET /open-apis/"],
)
def test_an_api_is_named_with_method_and_path(api: str) -> None:
    with pytest.raises(ValueError, match="an API is named"):
        Manifest("probe", "Tests.", apis=(api,))

"""Which scope opens what: the catalogue against the official SDK, the sandbox and our own calls, and its rules."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path

import pytest

import core.feishu
from core.feishu import scopes
from core.feishu.scopes import APIS, EVENTS, covered, document, link, matches, named_in, opening
from core.feishu.transport import TOKEN_PATH, Operation
from core.loading.needs import PLATFORM_EVENT, needs, united
from core.loading.plugins import Plugin, load
from core.settings import PluginSettings
from sandbox.config import SandboxConfig
from sandbox.permissions import ANNOUNCED
from sandbox.server import Sandbox

NOT_IN_THE_SDK = {"GET /open-apis/bot/v3/info", "POST /open-apis/interactive/v1/card/update"}
"""Operations that only their own pages describe; those of sheets v2 are not in it either."""


def described() -> set[str]:
    """Every API that the official SDK has a request class for, as it spells it."""
    found = set()
    for file in files("lark-oapi") or ():
        if re.search(
            r"lark_oapi/api/(im|contact|bitable|drive|cardkit|docx|sheets|application)/.+_request\.py$", str(file)
        ):
            text = Path(str(file.locate())).read_text("utf-8")
            method = re.search(r"http_method = \(?\s*HttpMethod\.(\w+)", text)
            uri = re.search(r'uri = \(?\s*"([^"]+)"', text)
            if method and uri:
                found.add(f"{method[1]} {uri[1]}")
    return found


def kernel_operations() -> Iterator[Operation]:
    """Every operation that the core itself calls with a token."""
    for module in pkgutil.iter_modules(core.feishu.__path__):
        for value in vars(importlib.import_module(f"core.feishu.{module.name}")).values():
            if isinstance(value, Operation) and value.path != TOKEN_PATH:
                yield value


def bundled() -> list[Plugin]:
    enabled = {name: PluginSettings(enabled=True) for name in ("activity", "archive", "pin", "health")}
    return list(load(enabled, {}, Path("plugins.toml")))


def test_every_api_of_the_catalogue_is_spelled_as_the_sdk_spells_it() -> None:
    known = described()
    assert len(known) > 200
    assert sorted(api for api in APIS if api not in known and "/sheets/v2/" not in api) == sorted(NOT_IN_THE_SDK)


def test_every_call_of_the_core_is_in_the_catalogue() -> None:
    operations = list(kernel_operations())
    assert len(operations) > 15
    assert [one.name for one in operations if opening(one.method, one.path) is None] == []


async def test_the_sandbox_was_told_the_same_by_the_platforms_pages() -> None:
    """Both were written from them, apart from each other."""
    async with Sandbox(SandboxConfig(scenario="quiet")) as sandbox:
        endpoints = sandbox._endpoints()
    compared = 0
    for endpoint in endpoints:
        known = opening(endpoint.method, endpoint.path) if endpoint.path.startswith("/open-apis/") else None
        if known is not None:
            compared += 1
            assert set(known) == set(endpoint.scopes), endpoint.name
    assert compared > 50
    for event, alternatives in ANNOUNCED.items():
        if alternatives:
            assert set(EVENTS[event]) == set(alternatives), event


def test_an_api_is_found_by_template_by_braces_and_by_its_values() -> None:
    wanted = ("im:message:send_as_bot", "im:message:send", "im:message")
    for uri in ("/open-apis/im/v1/messages/:message_id/reply", "/open-apis/im/v1/messages/{id}/reply?a=b"):
        assert opening("POST", uri) == wanted
    assert opening("POST", "/open-apis/im/v1/messages/om_1/reply") == wanted
    assert opening("GET", "/open-apis/sheets/v2/spreadsheets/shtcn1/values/Q7PlXT!A1:B2") == scopes.SHEETS_READ


def test_a_word_of_the_path_comes_before_a_placeholder() -> None:
    assert opening("POST", "/open-apis/bitable/v1/apps/a/tables/b/records/search") == (
        "base:record:retrieve",
        "bitable:app:readonly",
        "bitable:app",
    )
    assert opening("PATCH", "/open-apis/docx/v1/documents/a/blocks/batch_update") == scopes.DOCX_WRITE


def test_what_is_not_in_the_catalogue_is_told_from_what_is_open_to_all() -> None:
    assert opening("GET", "/open-apis/bot/v3/info") == ()
    assert opening("GET", "/open-apis/calendar/v4/calendars/:calendar_id") is None
    assert opening("PUT", "/open-apis/im/v1/pins") is None


@pytest.mark.parametrize(
    ("api", "fits"),
    [
        ("GET /open-apis/calendar/v4/calendars/:calendar_id", True),
        ("GET /open-apis/calendar/v4/calendars/:id", True),
        ("POST /open-apis/calendar/v4/calendars/:calendar_id", False),
        ("GET /open-apis/calendar/v4/calendars", False),
        ("GET /open-apis/calendar/v4/calendars/primary", False),
    ],
)
def test_a_named_api_is_compared_by_method_and_parts(api: str, *, fits: bool) -> None:
    assert matches(api, "GET", "/open-apis/calendar/v4/calendars/:calendar_id") is fits


@pytest.mark.parametrize(
    ("scope", "granted", "is_covered"),
    [
        ("im:message.pins:read", {"im:message.pins:read"}, True),
        ("im:message.pins:read", {"im:message:readonly"}, True),
        ("im:message:readonly", {"im:message.pins:read", "im:message.reactions:read"}, False),
        ("im:chat:read", {"im:chat"}, True),
        ("im:chat:readonly", {"im:chat:read"}, False),
        ("im:chat:readonly", {"im:chat:read", "im:chat.members:read"}, True),
        ("im:message:send_as_bot", {"im:message"}, True),
        ("im:message:send_as_bot", {"im:message:send"}, False),
        ("im:message.group_msg", {"im:message.group_at_msg"}, False),
        ("im:message.group_at_msg:readonly", {"im:message.group_msg"}, True),
        ("im:message.p2p_msg:readonly", {"im:message.group_msg"}, False),
        ("contact:user.base:readonly", {"contact:contact.base:readonly"}, False),
        ("calendar:calendar:readonly", {"calendar:calendar"}, False),
        ("calendar:calendar:readonly", {"calendar:calendar:readonly"}, True),
    ],
)
def test_a_scope_is_made_up_for_when_all_it_opens_is_open(scope: str, granted: set[str], *, is_covered: bool) -> None:
    assert covered(scope, granted) is is_covered


def test_the_link_and_the_json_are_those_of_the_developer_console() -> None:
    assert link("https://open.feishu.cn", "cli_a1", ("im:chat:read", "im:message")) == (
        "https://open.feishu.cn/app/cli_a1/auth?q=im:chat:read,im:message&op_from=openapi"
    )
    assert json.loads(document(("im:chat:read",))) == {"scopes": {"tenant": ["im:chat:read"], "user": []}}


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"permission_violations": [{"type": "action_scope_required", "subject": "a:b"}, {"scope": "c:d"}]}},
        {"msg": "Access denied. One of the following scopes is required: [a:b, c:d]."},
        {"msg": "Access denied [a:b,c:d]", "error": {"permission_violations": "none"}},
    ],
)
def test_a_refusal_names_its_scopes_in_either_place(answer: dict[str, object]) -> None:
    assert named_in(answer) == ("a:b", "c:d")


@pytest.mark.parametrize("answer", [{}, {"msg": "no [1] x"}, {"error": {"permission_violations": [1, {}]}}])
def test_a_refusal_may_name_none(answer: dict[str, object]) -> None:
    assert named_in(answer) == ()


# What the app needs


@pytest.mark.parametrize("plugin", bundled(), ids=lambda plugin: plugin.name)
def test_a_bundled_plugin_declares_all_it_needs_and_nothing_twice(plugin: Plugin) -> None:
    declared = plugin.manifest.permissions
    (need, _) = needs([plugin], any_group=True)
    assert need.scopes == declared
    for scope in declared:
        assert not covered(scope, set(declared) - {scope}), f"{scope} opens nothing that the others do not"


def test_the_bundled_plugins_need_just_these() -> None:
    wanted = needs(bundled(), any_group=True)
    of_all = united(wanted)
    assert [need.who for need in wanted] == ["activity", "archive", "pin", "health", "the program itself"]
    assert wanted[3].scopes == ()
    assert set(of_all.scopes) == {
        "im:message.group_msg",
        "im:message:readonly",
        "im:message:send_as_bot",
        "im:chat:read",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
        "bitable:app",
    }
    assert set(of_all.events) == {
        "im.message.receive_v1",
        "im.message.reaction.created_v1",
        "im.message.reaction.deleted_v1",
        "im.message.recalled_v1",
        "im.message.updated_v1",
    }
    assert of_all.callbacks == ()


def test_every_event_of_the_catalogue_is_recognised_as_the_platforms() -> None:
    assert [event for event in EVENTS if not PLATFORM_EVENT.search(event)] == []


def test_without_plugins_the_program_needs_the_history_and_perhaps_the_list_of_groups() -> None:
    history = ("im:message.group_msg", "im:message:readonly")
    assert united(needs([], any_group=False)).scopes == history
    assert united(needs([], any_group=True)).scopes == (*history, "im:chat:read")

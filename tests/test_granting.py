"""What is granted is asked of the platform: ``core check --online`` and ``--apply``, and the running program."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from log_lines import logged
from sandbox_client import until

from core import Context, Message, Number, Table, Text
from core.app import Application
from core.cli import main
from core.loading.plugins import Hook, Plugin
from core.manifest import Config, Manifest
from core.settings import load_settings
from core.storage import open_engine
from sandbox.config import SandboxConfig
from sandbox.permissions import GRANTED, KNOWN, SUPER
from sandbox.server import Sandbox

ALL_FOUR = "".join(f"[plugins.{name}]\nenabled = true\n" for name in ("activity", "archive", "pin", "health"))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _here(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the commands start: with the four plugins, unless told otherwise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins.toml").write_text(getattr(request, "param", ALL_FOUR))


def environment(sandbox: Sandbox, **more: str) -> dict[str, str]:
    return {**sandbox.environment(), "CHAT_ID": "", "API_MONTHLY_QUOTA": "1000000", **more}


async def check(sandbox: Sandbox, *options: str) -> Result:
    """``core check`` in another thread, as its own loop has to run beside the sandbox's."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["check", *options], env=environment(sandbox))


def imported(output: str) -> list[str]:
    """The scopes of the JSON that is to be pasted."""
    document = json.loads(next(line for line in output.splitlines() if line.lstrip().startswith("{")))
    assert document["scopes"]["user"] == []
    return list(document["scopes"]["tenant"])


# check --online


async def test_with_every_scope_granted_the_check_is_content(sandbox: Sandbox) -> None:
    result = await check(sandbox, "--online")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "every scope is granted" in result.stdout
    assert "im:message:send_as_bot" in imported(result.stdout)
    assert "im.message.receive_v1" in result.stdout


async def test_what_is_missing_is_told_by_plugin_with_a_link_and_the_json_of_all(sandbox: Sandbox) -> None:
    scopes = sandbox.world.app.scopes
    scopes -= {"im:message:send_as_bot", "im:message", "contact:user.base:readonly"}
    result = await check(sandbox, "--online")
    assert result.exit_code == 2
    told = dict(re.findall(r"^  (.+): not granted: (.+)$", result.stderr, re.MULTILINE))
    assert told == {
        "plugin activity": "contact:user.base:readonly",
        "plugin archive": "im:message:send_as_bot, contact:user.base:readonly",
        "plugin pin": "im:message:send_as_bot, contact:user.base:readonly",
    }
    link = f"/app/{sandbox.world.app.app_id}/auth?q=im:message:send_as_bot,contact:user.base:readonly&op_from=openapi"
    assert link in result.stderr
    assert {"im:message:send_as_bot", "contact:user.base:readonly"} <= set(imported(result.stdout))


@pytest.mark.parametrize("_here", ["[plugins.health]\nenabled = true\n"], indirect=True)
async def test_what_the_program_itself_lacks_is_told_too(sandbox: Sandbox) -> None:
    sandbox.world.app.scopes.discard("im:message.group_msg")
    result = await check(sandbox, "--online")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == "1 problem:"
    assert "the program itself: not granted: im:message.group_msg" in result.stderr


@pytest.mark.parametrize(
    ("scope", "instead"),
    [
        ("im:message:send_as_bot", {"im:message"}),
        ("im:chat:read", {"im:chat:readonly"}),
        ("contact:contact.base:readonly", {"contact:contact:readonly_as_app"}),
    ],
)
async def test_a_scope_that_opens_as_much_will_do(sandbox: Sandbox, scope: str, instead: set[str]) -> None:
    sandbox.world.app.scopes -= {scope, "im:message"}
    assert (await check(sandbox, "--online")).exit_code == 2
    sandbox.world.app.scopes |= instead
    assert (await check(sandbox, "--online")).exit_code == 0


async def test_a_missing_scope_is_told_once_and_not_again_for_each_table(sandbox: Sandbox) -> None:
    sandbox.world.app.scopes.discard("bitable:app")
    result = await check(sandbox, "--online")
    assert result.stderr.count("not granted: bitable:app") == 3
    assert "99991672" not in result.stderr


def test_without_credentials_it_still_says_what_to_grant() -> None:
    result = CliRunner().invoke(main, ["check"], env={"APP_ID": "", "APP_SECRET": ""})
    assert result.exit_code == 2
    assert "APP_ID is not set" in result.stderr
    assert "bitable:app" in imported(result.stdout)


# check --apply


async def test_the_administrator_is_asked_once(sandbox: Sandbox) -> None:
    sandbox.world.app.scopes.discard("im:chat:read")
    first = await check(sandbox, "--apply")
    assert (first.exit_code, first.stderr) == (0, "")
    assert "plugin pin: not granted: im:chat:read" in first.stdout
    assert "The administrator is asked" in first.stdout
    again = await check(sandbox, "--apply")
    assert again.exit_code == 0
    assert "was asked before and has not answered" in again.stdout
    sandbox.world.app.scopes.add("im:chat:read")
    granted = await check(sandbox, "--apply")
    assert (granted.exit_code, "nothing to ask for" in granted.stdout) == (0, True)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (212001, "can be granted in the developer console only"),
        (212002, "import the JSON above"),
        (212003, "create and publish a new version"),
    ],
)
async def test_why_the_administrator_cannot_be_asked_is_explained(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    scopes = sandbox.world.app.scopes
    scopes.discard("im:chat:read")
    if code == 212003:  # Ten different wishes use up what one version of the app may ask for.
        for scope in sorted(GRANTED - {"im:chat:read"})[:10]:
            scopes.discard(scope)
            assert (await check(sandbox, "--apply")).exit_code == 0
            scopes.add(scope)
    else:  # The scope is not on the app's list; what else is on it, is granted.
        left = SUPER if code == 212001 else frozenset()
        scopes |= KNOWN - left - {"im:chat:read"}
        scopes -= {"im:chat", "im:chat:readonly"}
        monkeypatch.setattr("sandbox.api.application.KNOWN", KNOWN - {"im:chat:read", "im:chat", "im:chat:readonly"})
    result = await check(sandbox, "--apply")
    assert result.exit_code == 2
    assert str(code) in result.stderr
    assert advice in result.stderr
    assert imported(result.stdout)


async def test_an_app_that_is_not_installed_is_told(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = sandbox.tokens.issue({"app_id": sandbox.world.app.app_id, "app_secret": sandbox.world.app.secret})
    monkeypatch.setattr(sandbox.tokens, "issue", lambda body: tokens)
    sandbox.world.app.enabled = False
    for option in ("--online", "--apply"):
        result = await check(sandbox, option)
        assert result.exit_code == 2
        assert "212100" in result.stderr
        assert "create a version in the developer console and publish it" in result.stderr


# The running program

SEEN = Table("seen", (Text("message"), Number("times")), key=("message",))


def asking(name: str, *, asks: bool) -> Plugin:
    """A plugin that notes every message, and perhaps asks for the pins first."""

    async def on_message(message: Message, ctx: Context[Config]) -> None:
        from lark_oapi.api.im.v1 import ListPinRequest

        if asks:
            await ctx.call(ListPinRequest.builder().chat_id(message.chat_id).build())
        ctx.table(SEEN).add(message.id, times=1)

    manifest = Manifest(name, "Tests.", permissions=("im:message.pins:read",), tables=(SEEN,))
    return Plugin(manifest, Config(), {"on_message": Hook(on_message, ("message", "ctx"))}, {})


@asynccontextmanager
async def running(sandbox: Sandbox, directory: Path, *plugins: Plugin) -> AsyncIterator[Application]:
    """The program, connected; in the group of the sandbox nothing was said yet."""
    settings = load_settings(environment(sandbox, DATA_DIR=str(directory)), needs_credentials=True)
    application = Application(settings, plugins)
    ended = asyncio.create_task(application.run())
    try:
        await until(lambda: application.connection.status().phase == "connected")
        yield application
    finally:
        application.stop()
        await ended


def say(sandbox: Sandbox) -> str:
    chat = next(iter(sandbox.world.chats.values()))
    return sandbox.world.say(chat, next(iter(chat.members)), "text", '{"text":"hi"}').message_id


async def test_only_who_needs_the_scope_stops_and_goes_on_once_it_is_granted(sandbox: Sandbox, tmp_path: Path) -> None:
    scopes, pins = sandbox.world.app.scopes, {"im:message.pins:read", "im:message:readonly", "im:message"}
    scopes -= pins
    directory = tmp_path / "data"
    plugins = (asking("needs", asks=True), asking("plain", asks=False))
    with logged() as lines, open_engine(directory) as engine, closing(engine.store()) as store:
        for plugin in plugins:
            store.prepare(plugin.name, plugin.tables)

        def seen(name: str) -> list[str]:
            return sorted(row["message"] for row in store.scan(name, SEEN))

        async with running(sandbox, directory, *plugins) as application:
            said = sorted(say(sandbox) for _ in range(3))
            await until(lambda: seen("plain") == said)
            await until(lambda: {one.name: one.phase for one in application.status().plugins}["needs"] == "suspended")
            status = application.status()
            (reason,) = [one for one in status.reasons if "plugin needs" in one]
            assert status.state == "degraded"
            assert "im:message.pins:read or im:message:readonly or im:message is not granted" in reason
            assert f"/app/{sandbox.world.app.app_id}/auth?q=im:message.pins:read" in reason
            assert seen("needs") == []
            assert len([line for line in lines if "Plugin needs" in line and "is suspended" in line]) == 1

            scopes |= pins
            assert store.resume("needs")
            await until(lambda: seen("needs") == said)
            assert {one.dead for one in application.status().plugins} == {0}


async def test_a_message_that_no_scope_lets_out_waits_and_is_not_given_up(sandbox: Sandbox, tmp_path: Path) -> None:
    async def on_message(message: Message, ctx: Context[Config]) -> None:
        ctx.send(message.chat_id, "text", {"text": "hello"}, key=message.id)

    sandbox.world.app.scopes -= {"im:message:send_as_bot", "im:message"}
    manifest = Manifest("greets", "Tests.", permissions=("im:message:send_as_bot",))
    plugin = Plugin(manifest, Config(), {"on_message": Hook(on_message, ("message", "ctx"))}, {})
    async with running(sandbox, tmp_path / "data", plugin) as application:
        say(sandbox)
        await until(lambda: bool(application.status().outbox.problem))
        outbox = application.status().outbox
    assert (outbox.waiting, outbox.failed) == (1, 0)
    assert "grant the scope at" in outbox.problem

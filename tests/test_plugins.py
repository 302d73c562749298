"""Is a plugin fit to run: discovery, import, and each way to be broken told once, with what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plugin_package import GOOD, install, on_path

from core.context import STATE
from core.errors import ConfigurationError, Problem
from core.loading.packages import available
from core.loading.plugins import Plugin, command_of, load
from core.settings import PluginSettings

FILE = Path("plugins.toml")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    with on_path(tmp_path / "site") as site:
        yield site


def enabled(**parts: Any) -> PluginSettings:
    return PluginSettings(enabled=True, **parts)


def loaded(name: str, section: PluginSettings | None = None, env: dict[str, str] | None = None) -> Plugin:
    (plugin,) = load({name: section or enabled()}, env or {}, FILE)
    return plugin


def problems(name: str, section: PluginSettings | None = None, env: dict[str, str] | None = None) -> list[Problem]:
    with pytest.raises(ConfigurationError) as raised:
        load({name: section or enabled()}, env or {}, FILE)
    return list(raised.value.problems)


def test_the_bundled_plugins_are_there() -> None:
    origin = available()["activity"]
    assert (origin.name, origin.module, origin.source) == ("activity", "plugins.activity", "bundled")


def test_an_installed_package_is_there_but_not_imported(site: Path) -> None:
    install(site, "birthday", "raise SystemExit('imported')")
    origin = available()["birthday"]
    assert (origin.module, origin.source) == ("larkflock_birthday", "larkflock-birthday 1.2.3")
    assert load({"birthday": PluginSettings()}, {}, FILE) == []
    assert load({}, {}, FILE) == []
    assert "larkflock_birthday" not in sys.modules


def test_a_section_that_is_switched_off_may_name_a_plugin_that_is_not_installed() -> None:
    assert load({"birthday": PluginSettings(enabled=False, tables={"days": "tbl1"})}, {}, FILE) == []


def test_a_bundled_plugin_wins_over_an_installed_one_of_its_name(site: Path) -> None:
    install(site, "activity")
    assert available()["activity"].source == "bundled"


def test_an_enabled_package_is_loaded(site: Path) -> None:
    install(site, "birthday")
    plugin = loaded("birthday")
    assert plugin.name == "birthday"
    assert plugin.types == ("im.message.receive_v1",)
    assert plugin.hooks["on_message"].arguments == ("message",)
    assert plugin.tables == (STATE,)
    assert plugin.manifest.summary == "Wishes happy birthday."


def test_plugins_come_in_the_order_of_the_file(site: Path) -> None:
    for name in ("c", "a", "b"):
        install(site, name)
    sections = {"c": enabled(), "a": PluginSettings(), "b": enabled()}
    assert [plugin.name for plugin in load(sections, {}, FILE)] == ["c", "b"]


SUBSCRIBED = """\
from core import Manifest, hookimpl

manifest = Manifest(name="ears", summary="", events=("im.chat.updated_v1",))


@hookimpl
async def on_reaction(ctx, reaction): ...
@hookimpl
async def on_recall(recall): ...
@hookimpl
async def on_read(read): ...
@hookimpl
async def on_event(event): ...
@hookimpl
async def startup(): ...
async def on_message(message): "no hook without its mark"
"""


def test_subscriptions_follow_from_the_hooks(site: Path) -> None:
    install(site, "ears", SUBSCRIBED)
    plugin = loaded("ears")
    assert set(plugin.types) == {
        "im.message.reaction.created_v1",
        "im.message.reaction.deleted_v1",
        "im.message.recalled_v1",
        "im.message.message_read_v1",
        "im.chat.updated_v1",
    }
    assert plugin.hooks["on_reaction"].arguments == ("ctx", "reaction")
    assert plugin.hooks["startup"].arguments == ()


def good(*lines: str, **replaced: str) -> str:
    source = GOOD.format(name="bad")
    for old, new in replaced.items():
        assert old in source
        source = source.replace(old, new)
    return source + "\n".join(lines)


WRONG_DEFAULT = """\
from core import Config, Manifest, env

class Options(Config):
    hour: int = env("BAD_HOUR", 24, le=23)

manifest = Manifest(name="bad", summary="", config=Options)
"""
AUTHOR = "the author of larkflock-bad 1.2.3"
BROKEN: dict[str, tuple[str, str, str]] = {
    "an import error": (
        "import nothing_of_this_name",
        "larkflock_bad cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'",
        "repair the plugin (larkflock-bad 1.2.3), or set enabled = false",
    ),
    "a syntax error": ("def (", "larkflock_bad cannot be imported: SyntaxError", "repair the plugin"),
    "an exit while it is imported": (
        "raise SystemExit(0)",
        "larkflock_bad cannot be imported: SystemExit: 0",
        "set enabled = false",
    ),
    "a manifest that is refused": (
        "from core import Manifest\nmanifest = Manifest(name='Bad One', summary='')",
        "larkflock_bad cannot be imported: ValueError: plugin name 'Bad One'",
        "repair the plugin",
    ),
    "no manifest": ("x = 1", "larkflock_bad has no manifest", f"{AUTHOR} has to add `manifest = Manifest("),
    "a manifest of another kind": ("manifest = {}", "larkflock_bad has no manifest", f"{AUTHOR} has to add"),
    "a text where several are meant": (
        good(**{'birthday."': 'birthday.", permissions="im:chat:read"'}),
        "the manifest's permissions is 'im:chat:read'",
        f"{AUTHOR} has to give a tuple",
    ),
    "a configuration that is no model": (
        good(**{'birthday."': 'birthday.", config=dict'}),
        "the manifest's config is <class 'dict'>, no configuration model",
        f"{AUTHOR} has to derive it from core.Config",
    ),
    "a default that its own rule refuses": (
        WRONG_DEFAULT,
        "the default of hour: should be less than or equal to 23",
        f"{AUTHOR} has to mend it; until then set hour yourself",
    ),
    "another name": (
        GOOD.format(name="other"),
        "the manifest of larkflock_bad says its name is 'other'",
        "use [plugins.other]",
    ),
    "an unknown hook": (
        good(on_message="on_mesage"),
        "there is no hook on_mesage",
        f"{AUTHOR} has to name it on_message",
    ),
    "an unknown argument": (
        good(**{"message: Message)": "message: Message, chat: str)"}),
        "hook on_message wants chat",
        f"{AUTHOR} has to use the arguments it can have: message, ctx",
    ),
    "a hook that is not asynchronous": (
        good(**{"async def": "def"}),
        "hook on_message is not asynchronous",
        f"{AUTHOR} has to write `async def`",
    ),
    "a hook marked with options": (
        good(**{"@hookimpl": "@hookimpl(tryfirst=True)"}),
        "hook on_message is marked with options",
        f"{AUTHOR} has to write @hookimpl without any",
    ),
    "on_event without events": (
        good("@hookimpl", "async def on_event(event): ..."),
        "on_event and the manifest's events do not belong together",
        f"{AUTHOR} has to give both",
    ),
    "events without on_event": (
        good(**{'summary="Wishes happy birthday."': 'summary="", events=("a.b",)'}),
        "on_event and the manifest's events do not belong together",
        f"{AUTHOR} has to give both",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_one_clear_problem(site: Path, kind: str) -> None:
    source, what, fix = BROKEN[kind]
    install(site, "bad", source)
    (problem,) = problems("bad")
    assert problem.where == f"plugins.toml [plugins.bad]{' config' if 'default' in kind else ''}"
    assert what in problem.what
    assert fix in problem.fix


def test_an_unknown_plugin_names_those_there_are(site: Path) -> None:
    install(site, "birthday")
    (problem,) = problems("birthdya")
    assert problem.what == "there is no plugin 'birthdya'"
    assert "install it, or use one of: activity, archive, birthday" in problem.fix


CONFIGURED = """\
from core import Config, Manifest, Number, Table, Text, env
from pydantic import field_validator, model_validator


class Options(Config):
    greeting: str = "生日快乐"
    hour: int = env("BIRTHDAY_HOUR", 9, ge=0, le=23)

    @field_validator("greeting")
    @classmethod
    def _short(cls, value):
        if value == "crash":
            raise KeyError("the plugin's own mistake")
        if len(value) > 10:
            raise ValueError("at most 10 characters")
        return value

    @model_validator(mode="after")
    def _together(self):
        if self.greeting == "午安" and self.hour < 12:
            raise ValueError("too early for that greeting")
        return self


BIRTHDAYS = Table("birthdays", (Text("user", "用户"),), key=("user",), setting="BIRTHDAY_TABLE_ID")
PRIVATE = Table("private", (Text("user"),), key=("user",))
manifest = Manifest(name="birthday", summary="", config=Options, tables=(BIRTHDAYS, PRIVATE))
"""


@pytest.fixture
def birthday(site: Path) -> Path:
    return install(site, "birthday", CONFIGURED)


def options(plugin: Plugin) -> dict[str, Any]:
    return plugin.config.model_dump()


@pytest.mark.usefixtures("birthday")
def test_the_file_wins_over_the_environment_and_both_over_the_default() -> None:
    assert options(loaded("birthday"))["hour"] == 9
    assert options(loaded("birthday", env={"BIRTHDAY_HOUR": "17"}))["hour"] == 17
    both = loaded("birthday", enabled(config={"hour": 8}), {"BIRTHDAY_HOUR": "soon"})
    assert options(both) == {"greeting": "生日快乐", "hour": 8}


@pytest.mark.usefixtures("birthday")
def test_a_table_id_of_the_file_wins_over_the_environment() -> None:
    env = {"BIRTHDAY_TABLE_ID": "tblEnv"}
    assert list(loaded("birthday").table_ids.values()) == [""]
    assert list(loaded("birthday", env=env).table_ids.values()) == ["tblEnv"]
    plugin = loaded("birthday", enabled(tables={"birthdays": "tblFile"}), env)
    assert {table.name: table_id for table, table_id in plugin.table_ids.items()} == {"birthdays": "tblFile"}
    assert [table.name for table in plugin.tables] == ["birthdays", "private", "state"]


CONFIG = "plugins.toml [plugins.birthday] config"
WRONG: dict[str, tuple[dict[str, Any], dict[str, str], str, str, str]] = {
    "an unknown option": (
        {"config": {"greting": "hi"}},
        {},
        CONFIG,
        "greting: there is no such option",
        "remove greting, or correct its name",
    ),
    "a value of the wrong type": (
        {"config": {"greeting": 5}},
        {},
        CONFIG,
        "greeting: should be a valid string",
        "correct greeting",
    ),
    "a value out of its limits": (
        {"config": {"hour": 24}},
        {},
        CONFIG,
        "hour: should be less than or equal to 23",
        "correct hour",
    ),
    "a wrong value in the environment": (
        {},
        {"BIRTHDAY_HOUR": "soon"},
        "setting BIRTHDAY_HOUR (.env)",
        "hour: should be a valid integer",
        "correct BIRTHDAY_HOUR",
    ),
    "a value its own rule refuses": (
        {"config": {"greeting": "a" * 11}},
        {},
        CONFIG,
        "greeting: at most 10 characters",
        "correct greeting",
    ),
    "values that do not go together": (
        {"config": {"greeting": "午安"}},
        {},
        CONFIG,
        "too early for that greeting",
        "correct these options together",
    ),
    "a rule that crashes": (
        {"config": {"greeting": "crash"}},
        {},
        CONFIG,
        "cannot be checked: KeyError",
        "the author of larkflock-birthday 1.2.3 has to mend the configuration model",
    ),
    "an unknown table": (
        {"tables": {"birthday": "tblX"}},
        {},
        "plugins.toml [plugins.birthday]",
        "tables.birthday: the plugin mirrors no such table",
        "it mirrors: birthdays",
    ),
    "a table that is private": (
        {"tables": {"private": "tblX"}},
        {},
        "plugins.toml [plugins.birthday]",
        "tables.private: the plugin mirrors no such table",
        "it mirrors: birthdays",
    ),
}


@pytest.mark.usefixtures("birthday")
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_option_names_itself_and_its_file(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BIRTHDAY_HOUR", raising=False)
    section, env, where, what, fix = WRONG[kind]
    (problem,) = problems("birthday", enabled(**section), env)
    assert problem.where == where
    assert problem.what.startswith(what)
    assert problem.fix == fix


@pytest.mark.usefixtures("birthday")
def test_all_problems_of_all_plugins_are_told_at_once(site: Path) -> None:
    install(site, "bad", "raise SystemExit(0)")
    sections = {
        "birthday": enabled(config={"greting": "hi", "hour": -1}, tables={"x": "tblX", "a": "tblA"}),
        "bad": enabled(),
        "nobody": enabled(),
    }
    with pytest.raises(ConfigurationError) as raised:
        load(sections, {}, FILE)
    told = [problem.what.split(":")[0] for problem in raised.value.problems]
    assert told == [
        "hour",
        "greting",
        "tables.x",
        "tables.a",
        "larkflock_bad cannot be imported",
        "there is no plugin 'nobody'",
    ]
    assert str(raised.value).count("→") == 6


COMMANDED = """\
from core import Manifest

manifest = Manifest(name="{name}", summary="", commands="{commands}")
"""


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ("nothing_here:group", "ModuleNotFoundError: No module named 'nothing_here'"),
        ("larkflock_bad:group", "AttributeError: module 'larkflock_bad' has no attribute 'group'"),
        ("larkflock_bad:manifest", "it is no click command"),
        ("larkflock_bad_commands:group", "SystemExit: 1"),
    ],
)
def test_commands_that_cannot_be_had_are_one_clear_problem(site: Path, commands: str, reason: str) -> None:
    (site / "larkflock_bad_commands.py").write_text("raise SystemExit(1)")
    install(site, "bad", COMMANDED.format(name="bad", commands=commands))
    plugin = loaded("bad")
    with pytest.raises(ConfigurationError) as raised:
        command_of(plugin)
    (problem,) = raised.value.problems
    assert problem.where == "plugin bad"
    assert problem.what == f"commands={commands!r}: {reason}"


def test_the_command_of_a_bundled_plugin() -> None:
    assert command_of(loaded("activity")).name == "activity"

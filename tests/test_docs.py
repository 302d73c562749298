"""The documentation says what is so: commands, settings, hooks, options, dependencies, links and examples."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import orjson
import pytest
from group_events import NOVEMBER, message
from pydantic import BaseModel

import core
import core.hookspecs
import plugins
from core.cli import main as core_command
from core.context import STATE, Context
from core.events import CardAction, Event, Mention, Message, Person, Reaction, Read, Recall, decode
from core.loading.packages import GROUP, available
from core.loading.plugins import Plugin, command_of, load
from core.settings import PluginSettings, Settings, load_plugins_file
from core.storage import open_engine
from sandbox.cli import main as sandbox_command

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
DOCS = ROOT / "docs"
AUTHORS = ("plugins", "hooks", "manifest", "config", "tables", "context", "cards", "isolation", "testing")
"""The pages that explain to authors all there is."""
OWN = [page for page in sorted(DOCS.rglob("*.md")) if not page.is_symlink()]
BESIDE = [*sorted(ROOT.glob("plugins/*/README*.md")), *sorted(ROOT.glob("examples/*/README*.md"))]
PAGES = [README, CHINESE, ROOT / "CHANGELOG.md", *OWN, *BESIDE]
SETTINGS = [DOCS / "settings.md", DOCS / "settings.zh-CN.md"]
LANGUAGES = pytest.mark.parametrize("suffix", [".md", ".zh-CN.md"], ids=["English", "Chinese"])
FENCE = re.compile(r"^([ ]*)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
EVENTS = (Event, Message, Reaction, Recall, Read, CardAction, Person, Mention)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language, without their indentation."""
    found = FENCE.findall(page.read_text("utf-8"))
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, kind, text in found if kind == language]


def headings(page: Path) -> list[str]:
    """The lines of a page that are headings."""
    prose = FENCE.sub("", page.read_text("utf-8"))
    return [line for line in prose.splitlines() if re.match(r"#{1,4} ", line)]


def manual(suffix: str) -> str:
    """Everything an operator or an author reads in one language."""
    pages = (*ROOT.glob("README*.md"), *DOCS.glob("*.md"), *ROOT.glob("plugins/*/README*.md"))
    chosen = [page for page in pages if page.name.endswith(".zh-CN.md") == (suffix == ".zh-CN.md")]
    return "\n".join(page.read_text("utf-8") for page in chosen)


def for_authors(suffix: str) -> str:
    """What authors read in one language."""
    return "\n".join((DOCS / f"{name}{suffix}").read_text("utf-8") for name in AUTHORS)


def bundled() -> list[Plugin]:
    """The bundled plugins, all of them enabled."""
    names = [name for name, origin in available().items() if origin.source == "bundled"]
    return load({name: PluginSettings(enabled=True) for name in names}, {}, Path("plugins.toml"))


def setting_names() -> list[str]:
    """Every name that is read from the environment."""
    names = [name.upper() for name in Settings.model_fields]
    for plugin in bundled():
        names += [table.setting for table in plugin.manifest.tables if table.setting]
        for field in plugin.manifest.config.model_fields.values():
            extra = field.json_schema_extra
            names += [str(extra["env"])] if isinstance(extra, dict) and "env" in extra else []
    return names


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, by what one types."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            each = command.get_command(context, below)
            yield from commands(each, f"{name} {below}")


def every_command() -> list[tuple[str, click.Command]]:
    """The commands of the core, of the bundled plugins and of the sandbox."""
    found = [*commands(core_command, "core"), *commands(sandbox_command, "sandbox")]
    for plugin in bundled():
        if plugin.manifest.commands:
            found += commands(command_of(plugin), f"core {plugin.name}")
    return found


def hooks() -> dict[str, list[str]]:
    """Every hook and its arguments."""
    found = {name: member for name, member in vars(core.hookspecs).items() if hasattr(member, "larkflock_spec")}
    return {name: list(inspect.signature(member).parameters) for name, member in found.items()}


def options(config: type[BaseModel]) -> Iterator[str]:
    """The names of a plugin's options, those of its sections too."""
    for name, field in config.model_fields.items():
        yield name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from options(kind)


def test_both_readmes_have_the_same_commands_and_headings() -> None:
    assert blocks(README, "sh") == blocks(CHINESE, "sh")
    assert blocks(README, "json") == blocks(CHINESE, "json")
    assert blocks(README, "ini") == blocks(CHINESE, "ini")
    levels = [[line.split(" ")[0] for line in headings(page)] for page in (README, CHINESE)]
    assert levels[0] == levels[1]
    assert len(blocks(README, "sh")) > 5


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_the_test_command_can_be_extracted(page: Path) -> None:
    between = re.findall(
        r"^<!-- test -->\n```sh\n([^\n]+)\n```\n<!-- /test -->$", page.read_text("utf-8"), re.MULTILINE
    )
    assert len(between) == 1
    assert between[0].endswith("-m pytest")
    assert "requirements/dev.txt" in between[0]


def test_the_run_command_is_one_line() -> None:
    command = blocks(README, "sh")[0].strip()
    assert "\n" not in command
    assert command.endswith("-m core run --sandbox")


@pytest.mark.parametrize("page", [*SETTINGS, README, CHINESE, ROOT / ".env.example"], ids=lambda page: page.name)
def test_every_setting_is_documented(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [name for name in setting_names() if not re.search(rf"\b{name}\b", text)] == []


def test_every_name_in_the_example_env_is_known() -> None:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    names = [found[1] for line in lines if (found := re.match(r"(?:# )?([A-Z_]+)=", line))]
    unused = {"ARCHIVE_TABLE_ID", "SUMMARY_TABLE_ID", "PIN_TABLE_ID", "PIN_MONITOR_INTERVAL"}
    assert sorted(names) == sorted({*setting_names(), *unused})


@pytest.mark.parametrize("page", SETTINGS, ids=lambda page: page.name)
def test_the_defaults_in_the_settings_table_are_right(page: Path) -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", page.read_text("utf-8"), re.MULTILINE))
    fields = {name.upper(): field.default for name, field in Settings.model_fields.items()}
    for plugin in bundled():
        for field in plugin.manifest.config.model_fields.values():
            if isinstance(field.json_schema_extra, dict) and "env" in field.json_schema_extra:
                fields[str(field.json_schema_extra["env"])] = field.default
    assert {name: str(fields[name]) for name in rows} == rows
    assert len(rows) > 5


@LANGUAGES
def test_every_hook_and_argument_stands_in_the_table(suffix: str) -> None:
    text = (DOCS / f"hooks{suffix}").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:[,、] ?)?)+) \|", text, re.MULTILINE)
    documented = {name: re.findall(r"\w+", arguments) for name, arguments in rows}
    assert {name: documented.get(name) for name in hooks()} == hooks()
    (explained,) = re.findall(r"^\| `ctx` \|(?:.*\n)*?\n", text, re.MULTILINE)
    assert [one for one in {each for names in hooks().values() for each in names} if f"`{one}`" not in explained] == []


@LANGUAGES
def test_every_exported_name_is_mentioned(suffix: str) -> None:
    text = for_authors(suffix)
    assert [name for name in core.__all__ if not re.search(rf"\b{name}\b", text, re.ASCII)] == []


@LANGUAGES
@pytest.mark.parametrize("owner", [core.Manifest, core.Schedule, core.Table], ids=lambda owner: owner.__name__)
def test_every_field_of_a_declaration_is_mentioned(owner: Any, suffix: str) -> None:
    text = for_authors(suffix)
    assert [name for name in owner.__dataclass_fields__ if not re.search(rf"`{name}\b|\b{name}=", text)] == []


@LANGUAGES
@pytest.mark.parametrize("owner", EVENTS, ids=lambda owner: owner.__name__)
def test_every_field_of_an_event_is_mentioned(owner: type, suffix: str) -> None:
    text = (DOCS / f"hooks{suffix}").read_text("utf-8")
    own = {name for name, member in vars(owner).items() if name[0] != "_" and not inspect.isfunction(member)}
    assert [name for name in sorted(own - {"lane"}) if f"`{name}`" not in text] == []


@LANGUAGES
def test_every_part_of_the_context_is_mentioned(suffix: str) -> None:
    text = for_authors(suffix)
    methods = {name for name, member in vars(Context).items() if inspect.isfunction(member) and name[0] != "_"}
    values = {name for name, member in vars(Context).items() if isinstance(member, property)}
    assert [name for name in sorted(methods - {"begin"}) if f"ctx.{name}(" not in text] == []
    assert [name for name in sorted(values) if f"ctx.{name}" not in text] == []


@pytest.mark.parametrize("plugin", bundled(), ids=lambda plugin: plugin.name)
def test_every_option_of_a_bundled_plugin_is_mentioned(plugin: Plugin) -> None:
    for page in (ROOT / "plugins" / plugin.name).glob("README*.md"):
        text = page.read_text("utf-8")
        names = list(options(plugin.manifest.config))
        assert [name for name in names if not re.search(rf"[`.]{name}\b|^{name} =", text, re.MULTILINE)] == [], page


@LANGUAGES
def test_every_command_and_option_is_mentioned(suffix: str) -> None:
    text = manual(suffix)
    missing = []
    for name, command in every_command():
        if (
            name not in text
            and f"python -m {name}" not in text
            and name.replace("core ", "core --sandbox ", 1) not in text
        ):
            missing.append(name)
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                long = [option for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
                known = {"--help", "--version"}
                missing += [f"{name} {one}" for one in long if one not in known and not re.search(rf"{one}\b", text)]
    assert missing == []


def test_the_scopes_in_the_readme_are_those_that_are_declared() -> None:
    (given,) = blocks(README, "json")
    declared = {scope for plugin in bundled() for scope in plugin.manifest.permissions}
    assert json.loads(given)["scopes"] == {"tenant": list(_in_order(declared)), "user": []}


def _in_order(scopes: set[str]) -> list[str]:
    """As the plugins name them."""
    named = [scope for plugin in bundled() for scope in plugin.manifest.permissions]
    return [scope for scope in dict.fromkeys(named) if scope in scopes]


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_the_columns_in_the_readme_are_those_of_the_table(page: Path) -> None:
    text = page.read_text("utf-8")
    titles = [column.title for plugin in bundled() for table in plugin.tables for column in table.mirrored]
    assert len(titles) >= 14
    assert [title for title in titles if not re.search(rf"\| {re.escape(title)} \|", text)] == []


def test_every_dependency_earns_its_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    assert {"include-group": "docs"} in groups["dev"]
    wanted = [
        *project["project"]["dependencies"],
        *groups["docs"],
        *filter(lambda one: type(one) is str, groups["dev"]),
    ]
    names = [re.split(r"[<>=!~\[ ]", each)[0] for each in wanted]
    rows = re.findall(r"^\| `([\w-]+)` \| .+\. \|$", (DOCS / "dependencies.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(names)


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    titles = [line.lstrip("#").strip().lower() for line in headings(page)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        target, _, anchor = link.partition("#")
        if target.startswith(("https://", "http://")):
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in slugs(file)):
            broken.append(link)
    assert broken == []


@LANGUAGES
def test_every_decision_is_listed_in_the_architecture(suffix: str) -> None:
    text = (DOCS / f"architecture{suffix}").read_text("utf-8")
    listed = re.findall(r"^\d+\. \[.+\]\((adr/[\w-]+\.md)\)$", text, re.MULTILINE)
    assert listed == sorted(f"adr/{page.name}" for page in (DOCS / "adr").glob("*.md"))
    for page in (DOCS / "adr").glob("*.md"):
        text = page.read_text("utf-8")
        assert [part for part in ("**Context.**", "**Decision.**", "**Consequences.**") if part not in text] == []


def test_files_named_in_the_architecture_exist() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    named = re.findall(r"`((?:core|plugins|sandbox)/[\w/]+\.py)`", text)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", [page for page in OWN if blocks(page, "python")], ids=lambda page: page.name)
def test_python_examples_compile(page: Path) -> None:
    for number, example in enumerate(blocks(page, "python"), 1):
        compile(example, f"{page.name}, example {number}", "exec")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=lambda page: page.name)
def test_toml_examples_are_toml(page: Path) -> None:
    for example in blocks(page, "toml"):
        tomllib.loads(example)


def test_the_plugins_file_in_the_readme_is_one(tmp_path: Path) -> None:
    file = tmp_path / "plugins.toml"
    file.write_text(blocks(README, "toml")[0], encoding="utf-8")
    sections = load_plugins_file(file)
    del sections["birthday"]
    assert [plugin.name for plugin in load(sections, {}, file)] == ["activity", "health"]


def test_the_example_plugin_is_discovered_loaded_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = blocks(DOCS / "plugins.md", "python")[0]
    registration, section = blocks(DOCS / "plugins.md", "toml")
    ((name, module),) = tomllib.loads(registration)["project"]["entry-points"][GROUP].items()
    (tmp_path / f"{module}.py").write_text(whole, encoding="utf-8")
    information = tmp_path / f"{module}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    (information / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}\n", encoding="utf-8")
    file = tmp_path / "plugins.toml"
    file.write_text(section, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    (plugin,) = load(load_plugins_file(file), {"LINKS_DOMAIN": "example.org"}, file)

    assert available()[name].source == f"{module} 1.0"
    assert plugin.config.model_dump() == {"domain": "example.com"}
    assert list(plugin.table_ids.values()) == ["tbl…"]
    text = "https://docs.example.com/a and https://elsewhere.net and http://example.com"
    assert _counted(plugin, tmp_path / "data", message("om_1", "ou_a", text)) == [
        {"user_id": "ou_a", "period": "2026-11", "links": 2}
    ]


def _counted(plugin: Plugin, directory: Path, pushed: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows a plugin collects for one message."""
    event = decode(orjson.dumps(pushed))
    assert isinstance(event, Message)
    (table,) = plugin.manifest.tables
    with open_engine(directory) as engine:
        store = engine.store()
        store.prepare(plugin.name, (table, STATE))
        context: Context[Any] = Context(
            plugin.manifest,
            plugin.config,
            store,
            timezone=Settings().zone,
            clock=lambda: NOVEMBER,
            status=lambda: pytest.fail("the plugin does not ask for the status"),
            log=types.SimpleNamespace(),  # type: ignore[arg-type]
        )
        asyncio.run(plugin.hooks["on_message"].call(message=event, ctx=context))  # type: ignore[arg-type]
        store.close()
        return [row for row in context.unit.rows[table].values() if row is not None]


def test_no_page_names_a_place_of_somebodys_machine() -> None:
    for page in [*PAGES, ROOT / ".env.example", DOCS / "pictures" / "live-view.svg"]:
        found = re.findall(r"/(?:home|Users|tmp)/[\w/.]*", page.read_text("utf-8"))
        assert found == [], page


def test_bundled_plugins_have_a_page() -> None:
    folders = [folder for folder in Path(plugins.__path__[0]).iterdir() if (folder / "__init__.py").is_file()]
    assert len(folders) >= 2
    assert [folder.name for folder in folders if not (folder / "README.md").is_file()] == []

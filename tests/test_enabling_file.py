"""``plugins.toml`` under a program's eyes: what a change is, when it is one, and what an edit leaves as it is."""

from __future__ import annotations

import asyncio
import threading
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from log_lines import logged
from plugin_package import install, on_path
from sandbox_client import until

from core import Config, Manifest, env
from core.errors import ConfigurationError, Problem
from core.loading.plugins import Loaded, Plugin, Unfit, load_all
from core.running.reload import PluginsFile, Reload
from core.running.roster import change, described
from core.running.sections import switched
from core.settings import PluginSettings


class Options(Config):
    """Options of every kind."""

    number: int = 1


def plugin(name: str, number: int = 1) -> Plugin:
    return Plugin(Manifest(name, "A test.", config=Options), Options(number=number), {}, {})


sets = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 2)).map(
    lambda wanted: [plugin(name, number) for name, number in wanted.items()]
)


@given(sets, sets)
def test_step_by_step_what_runs_becomes_what_is_wanted(running: list[Plugin], wanted: list[Plugin]) -> None:
    untouched = [one for one in running if one in wanted]
    for _ in range(2):
        going, coming = change(running, wanted)
        assert not going & {one.name for one in untouched}
        running = [one for one in running if one.name not in going]
        assert not {one.name for one in coming} & {one.name for one in running}
        running += [one for one in coming if one.name not in going]
    assert {one.name: one.config for one in running} == {one.name: one.config for one in wanted}
    assert change(running, wanted) == (frozenset(), ())


@given(sets, sets)
def test_every_difference_is_named_and_nothing_else(before: list[Plugin], after: list[Plugin]) -> None:
    told = described(before, after)
    named = {part.split()[0] for part in told.split(", ") if part}
    then, now = ({one.name: one.config for one in some} for some in (before, after))
    assert named == {name for name in {*then, *now} if then.get(name) != now.get(name)}


def test_a_change_of_the_file_is_one_when_two_looks_see_the_same(tmp_path: Path) -> None:
    path = tmp_path / "plugins.toml"
    path.write_text("a")
    file = PluginsFile(path)
    assert not file.changed()
    path.write_text("ab")
    assert not file.changed()
    path.write_text("abc")
    assert not file.changed()
    assert file.changed()
    assert not file.changed()
    path.write_text("half")
    assert not file.changed()
    path.write_text("abc")
    assert [file.changed() for _ in range(3)] == [False, False, False]
    path.unlink()
    assert [file.changed() for _ in range(3)] == [False, True, False]
    path.write_text("abc")
    assert [file.changed() for _ in range(3)] == [False, True, False]


class Roster:
    """Remembers what was wanted."""

    def __init__(self) -> None:
        self.plugins: Sequence[Plugin] = ()
        self.unfit: Sequence[Unfit] = ()

    def want(self, loaded: Loaded) -> str:
        self.plugins, self.unfit = loaded.plugins, loaded.unfit
        return ""


async def test_reading_can_be_asked_for(tmp_path: Path) -> None:
    roster: Any = Roster()
    reload = Reload(PluginsFile(tmp_path / "plugins.toml"), lambda: Loaded((plugin("a"),)), every=3600)
    running = asyncio.create_task(reload.run(roster))
    await asyncio.sleep(0)
    assert roster.plugins == ()
    reload.ask()
    await until(lambda: len(roster.plugins) == 1)
    running.cancel()


async def test_an_import_that_never_ends_keeps_nothing_from_ending(tmp_path: Path) -> None:
    roster: Any = Roster()
    hanging, over = threading.Event(), threading.Event()

    def load() -> Loaded:
        hanging.set()
        over.wait(30)
        return Loaded(())

    reload = Reload(PluginsFile(tmp_path / "plugins.toml"), load, every=3600)
    running = asyncio.create_task(reload.run(roster))
    reload.ask()
    await until(hanging.is_set)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    over.set()


@pytest.mark.parametrize("error", [SystemExit(3), RuntimeError("what?"), RecursionError()])
async def test_whatever_loading_raises_changes_nothing(tmp_path: Path, error: BaseException) -> None:
    roster: Any = Roster()

    def load() -> Loaded:
        raise error

    reload = Reload(PluginsFile(tmp_path / "plugins.toml"), load, every=3600)
    running = asyncio.create_task(reload.run(roster))
    with logged() as lines:
        reload.ask()
        await until(lambda: bool(reload.problem))
    assert type(error).__name__ in reload.problem
    assert len([line for line in lines if line.startswith("ERROR")]) == 1
    running.cancel()


async def test_a_plugin_that_stays_broken_is_told_once(tmp_path: Path) -> None:
    roster: Any = Roster()
    broken = Unfit("a", "bundled", (Problem("here", "wrong", "mend it"),))
    reload = Reload(PluginsFile(tmp_path / "plugins.toml"), lambda: Loaded((), (broken,)), every=3600)
    running = asyncio.create_task(reload.run(roster))
    with logged() as lines:
        for times in range(1, 4):
            reload.ask()
            await until(lambda: len([line for line in lines if "read again" in line]) == times)  # noqa: B023
    assert len([line for line in lines if "wrong (mend it)" in line]) == 1
    running.cancel()


FILES = [
    "",
    "# only a remark",
    "# a\n\n[plugins.a]  # why\nenabled = true # on\ntables.x = 'y'\n\n[plugins.a.config]\nn = 1 # one\n[plugins.b]\n",
    "[plugins.a.config]\nx = 1\n",
    "[plugins]\na = {enabled = false} # in one line\n",
    "[plugins]\na.enabled = false # dotted\nb.enabled = true",
    "plugins.a.enabled = false\n",
    "plugins = {}\n",
    "[plugins]\na = {}\n",
    '[plugins."a"]\r\nenabled = false\r\n\r\n',
    "[plugins.a]\nenabled = 'yes'\n",
    "[plugins.b]\nenabled = true\n[plugins.'a'] # last",
    "[plugins.b.config]\ntext = '''\n[plugins.a]\n'''\n[plugins.a]\nx = 1\n",
]


@pytest.mark.parametrize("text", FILES)
@pytest.mark.parametrize("on", [True, False])
def test_an_edit_changes_the_one_thing_and_every_remark_stays(text: str, on: bool) -> None:
    after = switched(text, "a", on=on)
    wanted = tomllib.loads(text)
    wanted.setdefault("plugins", {}).setdefault("a", {})["enabled"] = on
    assert tomllib.loads(after) == wanted
    remarks = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert [remark for remark in remarks if f"#{remark}" not in after] == []
    lines = [line for line in text.splitlines() if "enabled" not in line and "a = {" not in line and "= {}" not in line]
    assert [line for line in after.splitlines() if line in lines] == lines
    assert switched(after, "a", on=on) == after


names = st.sampled_from(["a", "b", "archive"])
scalars = st.one_of(st.booleans(), st.integers(-5, 5), st.text("ab#=[]\"'\n", max_size=5))
sections = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "tables": st.dictionaries(names, scalars, max_size=2),
        "config": st.dictionaries(names, scalars),
    },
)


@given(st.dictionaries(names, sections, max_size=3), names, st.booleans())
def test_any_file_can_be_edited(plugins: dict[str, Any], name: str, on: bool) -> None:
    text = tomlkit.dumps({"plugins": plugins} if plugins else {})
    after = tomllib.loads(switched(text, name, on=on))
    assert after["plugins"].pop(name) == {**plugins.get(name, {}), "enabled": on}
    assert after["plugins"] == {other: section for other, section in plugins.items() if other != name}


@pytest.mark.parametrize("text", ["[plugins", "plugins = 3\n", "[plugins]\na = 3\n"])
def test_a_file_that_is_none_is_left_alone(text: str) -> None:
    with pytest.raises(ConfigurationError):
        switched(text, "a", on=True)


class Every(Config):
    """An option of every kind."""

    text: str = 'a"b'
    flag: bool = False
    share: float = env("SHARE", 0.5, description="Between 0 and 1.")
    names: tuple[str, ...] = ("x", "y")
    needed: int
    inner: Options = Options()


def test_a_new_section_shows_every_option_with_its_default() -> None:
    text = switched("", "a", on=True, config=Every)
    assert text == (
        "[plugins.a]\nenabled = true\n\n[plugins.a.config]\n"
        '# text = "a\\"b"\n# flag = false\n# share = 0.5  # Between 0 and 1.; also SHARE in .env\n'
        '# names = ["x", "y"]\n# needed = ""  # has to be given\n'
    )
    shown = tomllib.loads(text.replace("\n# ", "\n"))["plugins"]["a"]["config"]
    assert Every.model_validate({**shown, "needed": 1}) == Every(needed=1)


async def test_an_import_that_takes_too_long_is_told_and_the_next_change_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.running.reload.PATIENCE", 0.05)
    roster: Any = Roster()
    over = threading.Event()
    reload = Reload(
        PluginsFile(tmp_path / "plugins.toml"), lambda: over.wait(30) and Loaded((plugin("a"),)), every=3600
    )
    running = asyncio.create_task(reload.run(roster))
    reload.ask()
    await until(lambda: "could not be imported" in reload.problem)
    over.set()
    reload.ask()
    await until(lambda: len(roster.plugins) == 1)
    assert reload.problem == ""
    running.cancel()


async def test_a_new_version_of_what_was_imported_waits_for_the_next_start(tmp_path: Path) -> None:
    roster: Any = Roster()
    file = tmp_path / "plugins.toml"
    sections = {name: PluginSettings(enabled=True) for name in ("words", "later")}
    with on_path(tmp_path / "site") as site:
        install(site, "words")
        install(site, "later")
        wanted = {"words": sections["words"]}
        load_all(wanted, {}, file)
        reload = Reload(PluginsFile(file), lambda: load_all(wanted, {}, file), every=3600)
        running = asyncio.create_task(reload.run(roster))
        for name in ("words", "later"):
            (site / f"larkflock_{name}-1.2.3.dist-info").rename(site / f"larkflock_{name}-2.0.dist-info")
            metadata = site / f"larkflock_{name}-2.0.dist-info" / "METADATA"
            metadata.write_text(metadata.read_text().replace("1.2.3", "2.0"))
        wanted = sections
        with logged() as lines:
            for times in (1, 2):
                reload.ask()
                await until(lambda: len([line for line in lines if "read again" in line]) == times)  # noqa: B023
        told = [line for line in lines if "until the next start" in line]
        assert len(told) == 1
        assert "words: larkflock-words 2.0 is installed, and larkflock-words 1.2.3 runs until the next start" in told[0]
        running.cancel()

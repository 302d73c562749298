"""Commands of other packages: found by their entry points, the broken ones left out and told."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from larkflock_commands import Command
from larkflock_commands.registry import GROUP, OWN, registry

GOOD = """
from larkflock_commands import Answer, Command

async def answer(call, ctx):
    return Answer("天气", ("晴",))

WEATHER = Command("weather", "今天的天气", answer, usage="[城市]", reads=("sky.clouds",))
"""


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a module that can be imported by the name that is given back."""
    monkeypatch.syspath_prepend(tmp_path)
    number = 0

    def write(source: str) -> str:
        nonlocal number
        number += 1
        name = f"stranger_{number}"
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    yield write
    for known in range(1, number + 1):
        sys.modules.pop(f"stranger_{known}", None)


def test_a_command_of_another_package_is_there_with_what_it_reads(written):
    found = registry([point("weather", f"{written(GOOD)}:WEATHER")])
    assert list(found.commands) == ["rank", "topics", "pins", "weather"]
    assert found.usage("weather") == "/weather [城市]"
    assert found.reads == ("activity.activity", "archive.topics", "pin.known", "pin.pin", "sky.clouds")
    assert found.problems == ()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nothing_of_that_name", "cannot be imported: ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("", "cannot be imported: AttributeError"),
        ("WEATHER = 'sunny'", "is no larkflock_commands.Command"),
        (GOOD.replace('"weather"', '"help"'), "there is a command /help already"),
        (GOOD.replace('"weather"', '"rank"'), "there is a command /rank already"),
        (GOOD.replace('"weather"', '"天气"'), "lower-case ASCII"),
        (GOOD.replace('"今天的天气"', '""'), "its summary and usage are texts"),
        (GOOD.replace("async def", "def"), "answer is an async function"),
        (GOOD.replace('("sky.clouds",)', '"sky.clouds"'), "reads is a tuple of"),
        (GOOD.replace('("sky.clouds",)', '("clouds",)'), "reads is a tuple of"),
    ],
)
def test_a_broken_one_is_left_out_with_one_message_and_the_others_are_there(written, source, told):
    good = written(GOOD.replace("weather", "tides"))
    found = registry([point("weather", f"{written(source)}:WEATHER"), point("tides", f"{good}:WEATHER")])
    assert list(found.commands) == ["rank", "topics", "pins", "tides"]
    (problem,) = found.problems
    assert problem.startswith("command weather of a package (stranger_")
    assert told in problem


def test_of_two_packages_with_the_same_command_the_first_by_name_has_it(written):
    points = [point(name, f"{written(GOOD)}:WEATHER") for name in ("b", "a")]
    for found in (registry(points), registry(reversed(points))):
        (problem,) = found.problems
        assert problem.startswith("command b of")
        assert problem.endswith("there is a command /weather already")


def test_our_own_commands_are_sound():
    assert all(isinstance(command, Command) for command in OWN)
    assert registry([]).summaries == {**{one.name: one.summary for one in OWN}, "help": "这个列表"}


def test_a_command_can_be_imported_before_the_plugin_and_is_there_all_the_same(tmp_path):
    """Otherwise the tests of the package that adds it would take it away."""
    (tmp_path / "stranger.py").write_text(GOOD, "utf-8")
    metadata = tmp_path / "larkflock_stranger-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: larkflock-stranger\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nweather = stranger:WEATHER\n")
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, *{sys.path!r}]\n"
        "import stranger\n"
        "from larkflock_commands.plugin import manifest, REGISTRY\n"
        "assert REGISTRY.commands['weather'] is stranger.WEATHER, REGISTRY.problems\n"
        "assert 'sky.clouds' in manifest.reads\n"
    )
    subprocess.run([sys.executable, "-P", "-c", program], check=True, timeout=60)

"""``core new``: what it writes is a plugin that installs, passes its tests, is enabled, runs and has a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from core import __version__
from core.cli import main
from core.scaffold import LICENSES, NewPlugin, NoSuchName, checked_name

ROOT = Path(__file__).parents[1]
SAID = [
    {"id": "1", "chat": "运维群", "ts": 1_793_581_200_000, "user": "小李", "text": "谢谢，谢谢大家", "reply_to": None},
    {"id": "2", "chat": "运维群", "ts": 1_793_581_260_000, "user": "小王", "text": "不用谢", "reply_to": "1"},
    {"id": "3", "chat": "运维群", "ts": 1_793_581_320_000, "user": "小王", "text": "谢谢", "reply_to": None},
]


def new(*arguments: str) -> Result:
    """``core new`` with these arguments."""
    return CliRunner().invoke(main, ["new", *arguments])


def run(*command: str, cwd: Path, path: tuple[Path, ...] = (), **more: str) -> str:
    """What a command says; it has to succeed."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path))),
        "HOME": str(cwd),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **more,
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def outcome(package: Path) -> str:
    """What pytest says of a package; with the fixture that larkflock brings, and no other plugin of pytest."""
    return run(
        "-m", "pytest", "-q", "-p", "core.testing.pytest_plugin", cwd=package, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"
    )


@pytest.mark.timeout(300)  # It starts seven programs, one after another.
def test_a_new_plugin_installs_passes_its_tests_is_enabled_runs_and_has_a_table(tmp_path: Path) -> None:
    made = new("thank-you", "--into", str(tmp_path), "--author", "Ann <ann@example.com>")
    assert made.exit_code == 0, made.output
    package, site, here = tmp_path / "thank-you", tmp_path / "site", tmp_path / "operator"
    here.mkdir()

    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(site))
    run(*pip, str(package), cwd=tmp_path)
    assert "4 passed" in outcome(package)

    (here / "plugins.toml").write_text("# Mine.\n", "utf-8")
    (here / "said.jsonl").write_text("".join(json.dumps(line) + "\n" for line in SAID), "utf-8")
    run("-m", "core", "plugins", "enable", "thank_you", cwd=here, path=(site,))
    trial = ("run", "--sandbox", "--scenario", "said.jsonl", "--speed", "0", "--until-idle", "--plain")
    run("-m", "core", *trial, cwd=here, path=(site,), TIMEZONE="Asia/Shanghai")
    shown = run("-m", "core", "--sandbox", "tables", "show", "thank_you.counts", cwd=here, path=(site,))
    rows = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in shown.splitlines() if "2026-11" in line]
    assert sorted(row[-1] for row in rows) == ["1", "2"]
    assert all("2026-11" in row for row in rows)


def test_without_a_table_it_keeps_a_few_facts_and_its_tests_pass(tmp_path: Path) -> None:
    assert new("thank-you", "--into", str(tmp_path), "--no-table").exit_code == 0
    package = tmp_path / "thank-you"
    assert not (package / "src/larkflock_thank_you/tables.py").exists()
    assert "4 passed" in outcome(package)


@pytest.mark.parametrize("table", [True, False])
def test_what_is_written_is_well_formed(tmp_path: Path, table: bool) -> None:
    folder = NewPlugin("thank_you", table=table).write(tmp_path, version=__version__, year=2026)
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        ".gitignore",
        ".github/workflows/test.yml",
        "plugins.toml",
    } < files
    assert not [file for file in folder.rglob("*") if file.is_file() and "{%" in file.read_text("utf-8")]
    for check in (("format", "--check", "--isolated"), ("check", "--isolated", "--select", "E,F,I,W,UP,B")):
        run("-m", "ruff", *check, str(folder), cwd=tmp_path)


def test_the_next_three_commands_are_told(tmp_path: Path) -> None:
    told = new("thank-you", "--into", str(tmp_path)).output
    commands = [line.strip() for line in told.splitlines() if line.startswith("  ")]
    assert commands == [
        f"cd {tmp_path / 'thank-you'} && pip install -e '.[dev]'",
        "pytest",
        "python -m core run --sandbox",
    ]


def test_the_license_is_chosen(tmp_path: Path) -> None:
    for license_ in LICENSES:
        into = tmp_path / license_
        assert new("thank-you", "--into", str(into), "--license", license_, "--author", "Ann").exit_code == 0
        project = tomllib.loads((into / "thank-you/pyproject.toml").read_text("utf-8"))["project"]
        assert project["authors"] == [{"name": "Ann"}]
        assert project.get("license", "none") == license_
        text = into / "thank-you/LICENSE"
        assert text.exists() == (license_ != "none")
        assert license_ == "none" or "Ann" in text.read_text("utf-8")


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thank-you").mkdir()
    (tmp_path / "thank-you/mine.txt").write_text("mine", "utf-8")
    refused = new("thank-you", "--into", str(tmp_path))
    assert refused.exit_code == 2
    assert "is there already and is left as it is" in refused.output
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("CheckIn", "for example check-in"),
        ("check in", "for example check-in"),
        ("2fast", "for example fast"),
        ("签到", "Titles of tables and columns may be in any language"),
        ("check--in", "for example check-in"),
        ("x" * 41, "at most 40"),
        ("attachment", "the kernel's own name"),
        ("activity", "bundled"),
        ("run", "`python -m core run` is a command of the program; choose another, such as my-run"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(given: str, advice: str) -> None:
    with pytest.raises(NoSuchName, match=advice):
        checked_name(given, {"activity": "bundled"}, ["run"])


@pytest.mark.parametrize("given", ["check-in", "check_in", "a", "x" * 40])
def test_hyphens_and_underscores_are_the_same(given: str) -> None:
    assert checked_name(given, {}) == given.replace("-", "_")

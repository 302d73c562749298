"""Fifteen packages, each broken in another way: each gives one clear message, and the rest runs."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from bad_plugins import KINDS, enabling, install_bad
from click.testing import CliRunner
from consumer_bench import Bench, counting, until
from feishu_events import message
from log_lines import logged
from plugin_package import on_path
from reference_fold import WEIGHTS, fold

from core.cli import main
from core.loading.plugins import load_all
from core.loading.prints import only_the_program_prints
from core.settings import PluginSettings, Settings
from core.storage import open_engine
from plugins.activity.tables import ACTIVITY

ROOT = Path(__file__).parent.parent
BUNDLED = ("activity", "archive", "health", "pin")
CREDENTIALS = {"APP_ID": "cli_1", "APP_SECRET": "s3cret"}
SECONDS = 90.0
HASTY = """
from functools import partial
from core import app, cli

app.PluginConsumer = partial(app.PluginConsumer, hook_timeout=6.0)
cli.main(prog_name="core")
"""
"""The program, with less patience for a hook than the 30 s of ``HOOK_TIMEOUT``."""
EVENTS = (
    "im.message.receive_v1",
    "im.message.recalled_v1",
    "im.message.reaction.created_v1",
    "im.message.reaction.deleted_v1",
    "pin.added",
    "pin.removed",
)

UNFIT = {
    "bad_config_model": (
        "the manifest's config is <class 'larkflock_bad_bad_config_model.Options'>, no configuration model",
        "the author of larkflock-bad-bad-config-model 1.0 has to derive it from core.Config",
    ),
    "duplicate_entry_point": (
        "1.0) is registered as 'duplicate_entry_point_again' and as 'duplicate_entry_point', its name",
        "use [plugins.duplicate_entry_point] alone",
    ),
    "exit_at_import": (
        "larkflock_bad_exit_at_import cannot be imported: SystemExit: 0 (larkflock_bad_exit_at_import.py, line 11)",
        "repair the plugin (larkflock-bad-exit-at-import 1.0), or set enabled = false",
    ),
    "import_error": (
        "ModuleNotFoundError: No module named 'library_that_nobody_installed' (larkflock_bad_import_error.py, line 5)",
        "repair the plugin (larkflock-bad-import-error 1.0), or set enabled = false",
    ),
    "incompatible_version": (
        "larkflock-bad-incompatible-version 1.0 needs larkflock>=99, and this is larkflock",
        "install larkflock>=99, or a version of larkflock-bad-incompatible-version made for larkflock",
    ),
    "missing_manifest": (
        "larkflock_bad_missing_manifest has no manifest",
        "the author of larkflock-bad-missing-manifest 1.0 has to add `manifest = Manifest(name=…, summary=…)`",
    ),
    "name_clash": (
        "it is registered more than once: larkflock_bad_name_clash_o",
        "uninstall larkflock-bad-name-clash-o",
    ),
    "synchronous_hook": (
        "hook on_message is not asynchronous",
        "the author of larkflock-bad-synchronous-hook 1.0 has to write `async def`",
    ),
    "wrong_argument": (
        "hook on_message wants chat",
        "the author of larkflock-bad-wrong-argument 1.0 has to use the arguments it can have: message, ctx",
    ),
    "wrong_hook_name": (
        "there is no hook on_mesage",
        "the author of larkflock-bad-wrong-hook-name 1.0 has to name it on_message",
    ),
}
"""What is found before the plugin runs, by anybody who loads it: what it is, and what to do."""

TROUBLED = {
    "exception_at_startup": "ERROR Plugin exception_at_startup (larkflock-bad-exception-at-startup 1.0) ended: "
    "ValueError: the moon is not full. The others run, its events wait: mend it, then restart",
    "hang_at_startup": "WARNING Plugin hang_at_startup (larkflock-bad-hang-at-startup 1.0) is not ready, and is "
    "tried until it is: startup did not return within",
    "prints": "WARNING prints to standard output: see it with LOG_LEVEL=DEBUG; the author has to use ctx.log",
    "undeclared_scope": "ERROR Plugin undeclared_scope (larkflock-bad-undeclared-scope 1.0) is suspended: "
    "undeclared_scope: GET /open-apis/im/v1/chats/:chat_id needs a scope that is not in the manifest; "
    'add permissions=(…, "im:chat:read")',
    "undeclared_table": "ERROR Plugin undeclared_table (larkflock-bad-undeclared-table 1.0) is suspended: "
    "undeclared_table: table 'heard' is not in the manifest; add it to tables=(…)",
}
"""What is found when it runs."""


def test_there_are_fifteen_and_all_of_them_are_looked_at() -> None:
    assert len(KINDS) == 15
    assert set(KINDS) == {*UNFIT, *TROUBLED}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name in (*Settings.model_fields, *(field.upper() for field in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with on_path(tmp_path / "site") as site:
        yield site


@pytest.mark.parametrize("kind", UNFIT)
def test_check_tells_what_is_wrong_with_it_and_what_to_do(site: Path, kind: str) -> None:
    names = install_bad(site, kind)
    Path("plugins.toml").write_text(enabling("activity", *names))
    result = CliRunner().invoke(main, ["check"])
    what, fix = UNFIT[kind]
    assert result.exit_code == 2
    assert result.stderr.startswith("1 problem:\n")
    assert f"plugins.toml [plugins.{names[-1]}]: " in result.stderr
    assert what in result.stderr
    assert f"\n    → {fix}" in result.stderr


@pytest.mark.parametrize("kind", TROUBLED)
def test_check_finds_nothing_wrong_with_what_only_shows_at_work(site: Path, kind: str) -> None:
    Path("plugins.toml").write_text(enabling(*install_bad(site, kind)))
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 0, result.output
    assert ("prints to standard output when it is imported: 'hello from the import'" in result.stderr) == (
        kind == "prints"
    )
    assert "hello" not in result.stdout


def test_a_list_of_plugins_says_what_is_wrong_with_the_broken_ones_and_what_the_others_declare(site: Path) -> None:
    Path("plugins.toml").write_text(enabling("activity", *install_bad(site, "missing_manifest", "wrong_hook_name")))
    result = CliRunner().invoke(main, ["plugins"])
    assert result.exit_code == 0
    assert "Scores how active each member of the group is." in result.stdout
    for kind in ("missing_manifest", "wrong_hook_name"):
        what, fix = UNFIT[kind]
        assert f"{what}\n      → {fix}" in result.stdout


def test_a_broken_plugin_does_not_hide_the_tables_of_the_others(site: Path) -> None:
    Path("plugins.toml").write_text(enabling("activity", *install_bad(site, "import_error")))
    open_engine(Path("data")).store().close()
    result = CliRunner().invoke(main, ["tables"])
    assert (result.exit_code, "activity.activity: 0 rows" in result.stdout) == (0, True), result.output
    assert result.stderr == "import_error is left out: it is broken, see `python -m core check`\n"


def test_the_program_does_not_start_when_no_enabled_plugin_is_fit(site: Path) -> None:
    Path("plugins.toml").write_text(enabling(*install_bad(site, "import_error", "synchronous_hook"), "nobody"))
    result = CliRunner().invoke(main, ["run", "--plain"])
    assert result.exit_code == 2
    assert result.stderr.startswith("3 problems:\n")
    assert all(part in result.stderr for kind in ("import_error", "synchronous_hook") for part in UNFIT[kind])
    assert "there is no plugin 'nobody'" in result.stderr


def warnings(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(("WARNING", "ERROR", "CRITICAL"))]


@pytest.mark.parametrize("kind", TROUBLED)
def test_at_work_it_is_told_once_and_another_plugin_works_on(
    site: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = install_bad(site, kind)
    (bad,) = load_all({name: PluginSettings(enabled=True)}, {}, Path("plugins.toml")).plugins
    monkeypatch.setattr("core.loading.prints._told", set())  # As if it had not printed when it was imported.
    with Bench(tmp_path / "data") as bench, logged() as lines, only_the_program_prints():
        bench.arrive(*(message(f"om_{number}") for number in range(30)))
        consumer = bench.start(bad, hook_timeout=0.3)
        well = bench.run(counting("well"))
        until(lambda: warnings(lines) and consumer.idle_at > 0, "what is wrong to be told")
        if kind == "hang_at_startup":
            bench.pass_time(lambda: sum("is not ready" in line for line in lines) > 2, "some more attempts")
        assert consumer.stop(10)
        assert well.stop(10)
        assert bench.status(well).handled == 30
    (told,) = warnings(lines)
    assert told.startswith(TROUBLED[kind])
    assert sum("Printed: 'hello from prints: om_" in line for line in lines) == (30 if kind == "prints" else 0)
    assert capsys.readouterr().out == ""


async def test_all_of_them_at_once_beside_the_bundled_plugins(tmp_path: Path) -> None:
    with on_path(tmp_path / "site") as site:
        names = install_bad(site, *KINDS)
    settings = '[plugins.health.config]\nport = 0\n[plugins.archive.config]\ndigest = "off"\n'
    (tmp_path / "plugins.toml").write_text(enabling(*BUNDLED, *names) + settings)
    (tmp_path / "talk.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in talk()))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-W", "error", "-c", HASTY, "run", "--sandbox", "--until-idle", "--plain"),
        *("--scenario", "talk.jsonl", "--speed", "0"),
        cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}{os.pathsep}{site}"},
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, state = await followed(process)
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert (process.returncode, printed) == (0, b"")

    told = [re.sub(r"^\S+ (\S+) +(\[\w+\] )?", r"\1 ", line) for line in said if re.match(r"\S+ (WARNING|ERROR)", line)]
    for name, line in TROUBLED.items():
        if name != "prints":  # It has been told that it prints when it was imported.
            assert sum(one.startswith(line) for one in told) == 1, (name, told)
    for kind in KINDS:
        (line,) = (one for one in told if f"larkflock-bad-{kind.replace('_', '-')}" in one)
        if kind in UNFIT:
            assert re.match(r"ERROR Plugin \w+ \(larkflock-bad-[\w-]+ 1.0\) is set aside, the others run\. ", line)
            assert all(part in line for part in UNFIT[kind])
    assert len(told) == len(KINDS)

    assert state["state"] == "degraded"
    phases = {plugin["name"]: plugin["phase"] for plugin in state["plugins"]}
    unfit = {name for name in names if name in UNFIT} - {"duplicate_entry_point"} | {"duplicate_entry_point_again"}
    assert {name for name, phase in phases.items() if phase == "unfit"} == unfit
    assert {name for name, phase in phases.items() if phase == "running"} == {
        *BUNDLED,
        "duplicate_entry_point",
        "prints",
    }
    assert table(tmp_path / "data" / "sandbox") == folded(tmp_path / "data" / "sandbox")


def talk() -> Iterator[dict[str, Any]]:
    for number in range(60):
        who, to = f"p{number % 7}", f"p{number * 3 % 5}"
        answers = f"m{number - 2}" if number % 3 == 2 else None
        names = {"mentions": [to]} if number % 4 == 0 else {"mentions": []}
        yield {"id": f"m{number}", "chat": "c", "ts": 60_000 * number, "user": who, "text": "说" * number} | {
            "reply_to": answers,
            **names,
        }


async def followed(process: asyncio.subprocess.Process) -> tuple[list[str], dict[str, Any]]:
    """What the program says until it ends, and its state once the last of the fifteen has been told."""
    assert process.stderr is not None
    said: list[str] = []
    state: dict[str, Any] = {}
    address = ""
    async for raw in process.stderr:
        line = raw.decode().rstrip()
        said.append(line)
        address = line.rpartition(" ")[2] if "Health is told at" in line else address
        if "is not ready" in line:
            async with ClientSession() as session, session.get(f"{address}/status") as answer:
                state = orjson.loads(await answer.read())
    return said, state


def table(data: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The counters of the activity table."""
    titles = {column.title: column.name for column in ACTIVITY.columns}
    with open_engine(data) as engine, closing(engine.store()) as store:
        rows = [*store.scan("activity", ACTIVITY)]
    shown = {
        (row[titles["用户ID"]], row[titles["统计周期"]]): {title: row[titles[title]] for title in WEIGHTS}
        for row in rows
    }
    return {key: counters for key, counters in shown.items() if any(counters.values())}


def folded(data: Path) -> dict[tuple[str, str], dict[str, int]]:
    """The same from the events that were received."""
    with open_engine(data) as engine, closing(engine.journal()) as journal:
        stored, _ = journal.read_after(0, EVENTS, 10_000)
        return fold(orjson.loads(one.body) for one in stored)

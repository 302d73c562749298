"""The command line as operators meet it: what it prints, where, and how it exits."""

from __future__ import annotations

import codecs
import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from activity_driver import Driver
from click.testing import CliRunner, Result
from filelock import FileLock
from group_events import message
from plugin_package import install, on_path

import core
from core.cli import main
from core.disk.instance import LOCK
from core.feishu.lean_sdk import PACKAGES
from core.settings import Settings
from core.storage import open_engine
from core.storage.values import Commit
from core.table import Row
from plugins.activity.tables import ACTIVITY

ROOT = Path(core.__file__).parent.parent
ONLY_ACTIVITY = "[plugins.activity]\nenabled = true\n"
CREDENTIALS = "APP_ID=cli_1\nAPP_SECRET=s3cret\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory with a ``plugins.toml``, and an environment in which no setting is given."""
    monkeypatch.chdir(tmp_path)
    for name in (*Settings.model_fields, "bitable_table_id", "health_check_port"):
        monkeypatch.delenv(name.upper(), raising=False)
    Path("plugins.toml").write_text(ONLY_ACTIVITY)


def call(*arguments: str) -> Result:
    """Run a command inside this process."""
    return CliRunner().invoke(main, arguments, prog_name="core")


def program(*arguments: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -P -m core`` as a process of its own, in the current directory."""
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"} | environment
    started = ["-c", code] if code else ["-m", "core"]
    return subprocess.run(
        [sys.executable, "-P", *started, *arguments],
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What a run of the activity plugin left behind."""
    directory = tmp_path / "data"
    with Driver(directory) as driver:
        driver.deliver(message("om_1", "ou_li", "你好世界"), message("om_2", "ou_wang", "好", parent="om_1"))
        driver.commit()
    store = open_engine(directory).store()
    store.save_people({"ou_li": "李雷", "ou_wang": "[/red]王[bold]"}, 1, [])
    store.close()
    return directory


def change(directory: Path, **row: Any) -> None:
    """One row of the activity table more."""
    store = open_engine(directory).store()
    cursor = store.cursor("activity", 0)
    whole: Row = dict(ACTIVITY.blank) | {"period": "2026-11"} | row
    rows = {ACTIVITY: {(whole["user_id"], whole["period"]): whole}}
    store.commit(Commit("activity", cursor, cursor + 1, now=1, rows=rows))  # type: ignore[arg-type]
    store.close()


def test_help_names_every_command_and_the_first_steps() -> None:
    result = program("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for word in ("run", "check", "plugins", "tables", "python -m core run --sandbox", "Exit codes"):
        assert word in result.stdout


@pytest.mark.parametrize("command", ["run", "check", "plugins", "tables", "activity"])
def test_every_command_has_a_help_that_needs_no_data(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: core {command}")
    assert not Path("data").exists()


def test_the_version() -> None:
    result = program("--version")
    assert (result.returncode, result.stdout) == (0, f"larkflock {core.__version__}\n")


def test_an_unknown_command_is_a_usage_error() -> None:
    result = program("chekc")
    assert result.returncode == 2
    assert "No such command 'chekc'" in result.stderr
    assert result.stdout == ""


def test_a_plugin_that_is_not_enabled_brings_no_command() -> None:
    Path("plugins.toml").write_text("[plugins.activity]\nenabled = false\n")
    result = call("activity", "explain", "x")
    assert result.exit_code == 2
    assert "No such command 'activity'" in result.output


def test_what_is_for_the_sandbox_alone_is_refused_without_it() -> None:
    result = call("run", "--speed", "3")
    assert result.exit_code == 2
    assert "--speed is for the sandbox; add --sandbox" in result.output


# check


def test_check_lists_every_problem_at_once_on_standard_error() -> None:
    Path(".env").write_text("TIMEZONE=Mars\nMAX_RETRIES=x\nAPP_SECRET=hidden\n")
    Path("plugins.toml").write_text(
        "[plugins.activity]\nenabled = true\nconfig.messages = 1\n[plugins.nobody]\nenabled = true\n[other]\n"
    )
    result = program("check")
    assert (result.returncode, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert lines[0] == "6 problems:"
    assert [line.strip().split(": ")[0] for line in lines[1:] if "→" not in line] == [
        "setting TIMEZONE (.env)",
        "setting MAX_RETRIES (.env)",
        "setting APP_ID (.env)",
        "plugins.toml",
        "plugins.toml [plugins.activity] config",
        "plugins.toml [plugins.nobody]",
    ]
    assert result.stderr.count("→") == 6
    assert "Traceback" not in result.stderr
    assert "hidden" not in result.stderr


def test_a_problem_from_the_environment_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEZONE", "Mars")
    monkeypatch.setenv("APP_ID", "cli_1")
    monkeypatch.setenv("APP_SECRET", "s")
    result = call("check")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == "1 problem:"


def test_with_a_wrong_setting_the_right_plugins_file_is_checked_all_the_same() -> None:
    Path("plugins.toml").rename("other.toml")
    Path(".env").write_text(f"{CREDENTIALS}PLUGINS_FILE=other.toml\nTIMEZONE=Mars\n")
    assert call("check").stderr.splitlines()[0] == "1 problem:"


def test_check_without_problems() -> None:
    Path(".env").write_text(CREDENTIALS)
    result = program("check")
    assert (result.returncode, result.stderr) == (0, "")
    assert "The configuration is right." in result.stdout
    assert "Enabled plugins: activity" in result.stdout
    assert "activity.activity: stored locally only (BITABLE_TABLE_ID is not set)" in result.stdout
    assert not Path("data").exists()


def test_a_table_id_without_its_base_is_a_problem() -> None:
    Path(".env").write_text(f"{CREDENTIALS}BITABLE_TABLE_ID=tblX\n")
    result = call("check")
    assert result.exit_code == 2
    assert "a table ID is set, but not its base" in result.stderr
    Path(".env").write_text(f"{CREDENTIALS}BITABLE_TABLE_ID=tblX\nBITABLE_APP_TOKEN=bascn\n")
    assert "activity.activity: Bitable table tblX" in call("check").output


def test_run_without_credentials_names_the_sandbox() -> None:
    result = program("run")
    assert (result.returncode, result.stdout) == (2, "")
    assert "APP_ID is not set" in result.stderr
    assert "python -m core run --sandbox" in result.stderr
    assert not Path("data").exists()


def test_a_second_instance_exits_with_3_and_leaves_the_first_alone() -> None:
    Path(".env").write_text(CREDENTIALS)
    Path("data").mkdir()
    with FileLock(Path("data") / LOCK):
        result = program("run")
    assert result.returncode == 3
    assert f"another larkflock uses {Path('data').resolve()}" in result.stderr
    assert "DATA_DIR" in result.stderr
    assert [entry.name for entry in Path("data").iterdir()] in ([], [LOCK])


def test_an_env_file_in_another_encoding_is_told_without_a_traceback() -> None:
    Path(".env").write_bytes("APP_ID=cli_1 # 应用".encode("gbk"))
    result = program("plugins")
    assert result.returncode == 2
    assert ".env: cannot be read" in result.stderr
    assert "Traceback" not in result.stderr


# plugins


def test_plugins_tells_what_there_is_and_imports_only_what_is_enabled(tmp_path: Path) -> None:
    with on_path(tmp_path / "site") as site:
        install(site, "birthday", "raise SystemExit('imported')")
        install(site, "broken", "raise ValueError('[/] no markup')")
        Path("plugins.toml").write_text(f"{ONLY_ACTIVITY}[plugins.broken]\nenabled = true\n[plugins.gone]\n")
        result = call("plugins")
        assert "larkflock_birthday" not in sys.modules
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "activity enabled bundled Scores how active" in words
    assert "python -m core activity --help" in words
    assert "birthday off" in words
    assert "gone missing" in words
    assert "[/]" in words


# tables


@pytest.mark.usefixtures("data")
def test_tables_lists_every_table_with_its_rows() -> None:
    result = program("tables")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "activity.activity: 2 rows"
    assert "activity.credits: 2 rows, private" in lines
    Path(".env").write_text("BITABLE_TABLE_ID=tblX\n")
    assert call("tables").output.splitlines()[0] == "activity.activity: 2 rows, 2 waiting for Bitable"


def test_tables_before_the_first_run_says_what_to_do() -> None:
    result = program("tables")
    assert (result.returncode, result.stdout) == (2, "")
    assert "nothing is stored there yet" in result.stderr
    assert not Path("data").exists()


def test_the_sandboxes_data_is_read_with_its_own_option(data: Path) -> None:
    shutil.copytree(data, data / "sandbox")
    change(data / "sandbox", user_id="ou_sandbox")
    assert "activity.activity: 2 rows" in call("tables").output
    assert "activity.activity: 3 rows" in call("--sandbox", "tables").output


def test_show_ranks_rows_and_shows_names_as_they_are(data: Path) -> None:
    change(data, user_id="ou_last", score=-1.0)
    result = call("tables", "show", "activity.activity")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert words.index("李雷") < words.index("[/red]王[bold]")
    assert "ou_li" not in words
    result = call("tables", "show", "activity.activity", "--limit", "1")
    assert "李雷" in result.output
    assert "王" not in result.output
    assert "1 of 3 rows; --limit 0 shows all" in result.output


def test_show_lets_nothing_move_the_terminals_cursor(data: Path) -> None:
    store = open_engine(data).store()
    store.save_people({"ou_li": "\x1b[2J\x9b1A李\n雷\u202e"}, 2, [])
    store.close()
    output = call("tables", "show", "activity.activity").output
    assert "李 雷" in output
    assert not {"\x1b", "\x9b", "\u202e"} & set(output)


@pytest.mark.parametrize("name", ["nothing", "activity.nothing", "credits.activity"])
@pytest.mark.usefixtures("data")
def test_an_unknown_table_names_those_there_are(name: str) -> None:
    result = call("tables", "show", name)
    assert result.exit_code == 2
    assert f"there is no table {name!r}" in result.stderr
    assert "activity.activity, activity.credits" in result.stderr


def test_export_writes_what_spreadsheets_read_rightly_and_run_nothing(data: Path) -> None:
    store = open_engine(data).store()
    store.save_people({"ou_li": '=HYPERLINK("http://x","李")', "ou_wang": "@王", "ou_3": "＝1+1", "ou_4": "-2"}, 2, [])
    store.close()
    change(data, user_id="ou_3", score=-3.5, updated=1_793_500_000_000)
    change(data, user_id="ou_4")
    Path("out.csv").write_text("old")
    result = call("tables", "export", "activity.activity", "out.csv")
    assert (result.exit_code, result.output) == (0, "4 rows written to out.csv\n")
    raw = Path("out.csv").read_bytes()
    assert raw.startswith(codecs.BOM_UTF8 + "用户ID,用户名称,人员,统计周期".encode())
    rows = {row["用户ID"]: row for row in csv.DictReader(raw.decode("utf-8-sig").splitlines())}
    assert rows["ou_li"]["用户名称"] == rows["ou_li"]["人员"] == '\'=HYPERLINK("http://x","李")'
    assert rows["ou_wang"]["用户名称"] == "'@王"
    assert rows["ou_3"]["用户名称"] == "'＝1+1"
    assert rows["ou_4"]["用户名称"] == "'-2"
    assert rows["ou_3"]["活跃度分数"] == "-3.5"
    assert rows["ou_3"]["更新时间"] == "2026-11-01 10:26:40+08:00"
    assert rows["ou_4"]["更新时间"] == ""
    assert not list(Path().glob("*.part"))


@pytest.mark.usefixtures("data")
def test_export_to_standard_output() -> None:
    result = program("tables", "export", "credits")
    assert (result.returncode, result.stderr) == (0, "")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["message_id"] for row in rows] == ["om_1", "om_2"]


def test_an_export_that_fails_leaves_the_old_file(data: Path) -> None:
    Path("out.csv").write_text("old")
    (data / "store.db").write_bytes(b"damaged " * 4096)
    for entry in data.glob("store.db-*"):
        entry.unlink()
    result = program("tables", "export", "activity.activity", "out.csv")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert Path("out.csv").read_text() == "old"
    assert not list(Path().glob("*.part"))


@pytest.mark.usefixtures("data")
def test_an_export_to_where_nothing_can_be_written_says_so() -> None:
    result = program("tables", "export", "activity.activity", "nowhere/out.csv")
    assert result.returncode == 1
    assert "nowhere/out.csv" in result.stderr
    assert "No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


# activity explain


@pytest.mark.usefixtures("data")
def test_explain_tells_what_a_score_is_made_of() -> None:
    result = program("activity", "explain", "李雷", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    (month,) = document["months"]
    assert (document["user"], month["period"], month["score"]) == ("ou_li", "2026-11", 3.54)
    assert sum(counter["points"] for counter in month["counters"]) == pytest.approx(3.54)
    assert {entry["message_id"] for entry in month["entries"]} == {"om_1", "om_2"}
    assert "3.54" in program("activity", "explain", "ou_li", "--period", "2026-11").stdout


@pytest.mark.usefixtures("data")
def test_explaining_nobody_is_an_error_with_a_hint() -> None:
    result = program("activity", "explain", "李雪")
    assert (result.returncode, result.stdout) == (1, "")
    assert "nobody called 李雪 is known; did you mean 李雷?" in result.stderr


def test_explaining_before_the_first_run_says_what_to_do() -> None:
    result = call("activity", "explain", "ou_li")
    assert result.exit_code == 2
    assert "nothing is stored there yet" in result.stderr


# What starting costs

IMPORTED = """\
import sys
from core.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("check",),
        ("plugins",),
        ("tables",),
        ("tables", "show", "activity.activity"),
        ("tables", "export", "credits"),
        ("activity", "explain", "ou_li"),
    ],
)
@pytest.mark.usefixtures("data")
def test_commands_that_need_no_network_do_not_load_it(arguments: tuple[str, ...]) -> None:
    Path(".env").write_text(CREDENTIALS)
    Path("plugins.toml").write_text((ROOT / "plugins.toml").read_text("utf-8"), "utf-8")
    result = program(*arguments, code=IMPORTED)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stderr.splitlines()[-1].split())
    assert "core" in loaded
    heavy = {name for name in loaded if name.partition(".")[0] in ("lark_oapi", "aiohttp", "google", "requests")}
    assert heavy <= set(PACKAGES)  # Empty stand-ins, through which a plugin may import parts of the SDK.

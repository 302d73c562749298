"""``plugins enable`` and ``plugins disable``: what they write, what they refuse, what they say."""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from plugin_package import install, on_path

from core.cli import main
from core.disk.instance import sole_instance
from core.settings import load_plugins_file
from core.storage import open_engine

BUNDLED = Path(__file__).parents[1] / "plugins.toml"
FILE = Path("plugins.toml")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory, and nothing in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("PLUGINS_FILE", "DATA_DIR", "HEALTH_CHECK_PORT"):
        monkeypatch.delenv(name, raising=False)


def core(*words: str) -> Result:
    result = CliRunner().invoke(main, ["plugins", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_one_word_of_the_file_changes_and_its_mode_stays() -> None:
    FILE.write_bytes(BUNDLED.read_bytes())
    FILE.chmod(0o640)
    result = core("disable", "pin")
    assert result.output.splitlines() == [
        "pin is disabled in plugins.toml; what it stored is kept.",
        "No program works on data now; it counts from the next start.",
    ]
    before, after = BUNDLED.read_text("utf-8"), FILE.read_text("utf-8")
    assert after == before.replace("[plugins.pin]\nenabled = true", "[plugins.pin]\nenabled = false")
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o640
    assert core("enable", "pin").exit_code == 0
    assert FILE.read_text("utf-8") == before
    assert os.listdir() == ["plugins.toml"]


def test_the_file_is_made_where_there_is_none() -> None:
    assert core("enable", "health").exit_code == 0
    assert load_plugins_file(FILE)["health"].enabled
    assert "# port = 8080" in FILE.read_text("utf-8")


def test_what_is_so_already_is_said_and_nothing_is_written() -> None:
    FILE.write_text("[plugins.health]\nenabled = true\n")
    FILE.chmod(0o400)
    before = FILE.stat()
    assert "health is enabled in plugins.toml already." in core("enable", "health").output
    FILE.chmod(0o600)
    assert (FILE.stat().st_ino, FILE.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    core("disable", "health")
    assert core("disable", "health").output == "health is not enabled in plugins.toml.\n"


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    result = core("enable", "birthday")
    assert result.exit_code == 2
    assert "there are: activity, archive, health, pin" in result.output
    assert not FILE.exists()
    assert "there is no plugins.toml" in core("disable", "birthday").output
    FILE.write_text("[plugins.pin]\n")
    result = core("disable", "birthday")
    assert (result.exit_code, "it names: pin" in result.output) == (2, True)


def test_a_plugin_that_could_not_run_is_refused_unless_somebody_insists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_CHECK_PORT", "many")
    result = core("enable", "health")
    assert result.exit_code == 2
    assert "port: should be a valid integer" in result.output
    assert not FILE.exists()
    assert core("enable", "health", "--force").exit_code == 0
    assert load_plugins_file(FILE)["health"].enabled


def test_a_package_that_cannot_be_imported_is_refused(tmp_path: Path) -> None:
    with on_path(tmp_path / "site") as site:
        install(site, "broken", "import nothing_of_that_name\n")
        result = core("enable", "broken")
        assert result.exit_code == 2
        assert "nothing_of_that_name" in result.output
        assert not FILE.exists()
        assert core("enable", "broken", "--force").exit_code == 0
    result = core("disable", "broken")  # It is not even installed any more.
    assert result.exit_code == 0
    assert not load_plugins_file(FILE)["broken"].enabled


def test_a_file_that_is_no_toml_is_told_before_what_it_names() -> None:
    FILE.write_text("[[[")
    done = core("disable", "health")
    told = done.output + str(done.exception)
    assert (done.exit_code == 0, "TOML" in told, "names no plugin" in told) == (False, True, False)


def test_a_section_that_is_wrong_is_refused_and_can_be_disabled() -> None:
    FILE.write_text("[plugins.health]\nenabled = 'perhaps'\nport = 3\n")
    assert core("enable", "health").exit_code == 2
    assert "perhaps" in FILE.read_text()
    assert core("disable", "health").exit_code == 0
    assert "perhaps" not in FILE.read_text()


@pytest.mark.parametrize("text", ["[plugins", "plugins = 3\n"])
def test_a_file_that_is_none_is_left_as_it_is(text: str) -> None:
    FILE.write_text(text)
    for word in ("enable", "disable"):
        assert core(word, "health").exit_code == 2
        assert FILE.read_text() == text


def test_a_place_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_FILE", "nowhere/plugins.toml")
    result = core("enable", "health")
    assert result.exit_code == 2
    assert "nowhere/plugins.toml: cannot be written" in result.output


def test_a_program_that_runs_is_mentioned() -> None:
    with sole_instance(Path("data")):
        assert "The running program takes that up within seconds." in core("enable", "health").output
    assert "No program works on data now" in core("disable", "health").output


def cursors() -> dict[str, int]:
    with open_engine(Path("data")) as engine, closing(engine.store()) as store:
        return {consumer.plugin: consumer.cursor for consumer in store.consumers()}


def test_from_start_puts_the_cursor_of_a_new_plugin_to_the_beginning_and_refuses_an_old_one() -> None:
    result = core("enable", "pin", "--from-start")
    assert "Nothing is stored yet: it begins with the first event." in result.output
    with open_engine(Path("data")) as engine, closing(engine.store()) as store:
        store.cursor("activity", 7)
    result = core("enable", "archive", "--from-start")
    assert "It begins with the oldest event that is kept." in result.output
    assert cursors() == {"activity": 7, "archive": 0}
    result = core("enable", "activity", "--from-start")
    assert result.exit_code == 2
    assert "python -m core replay activity" in result.output
    assert "activity" not in load_plugins_file(FILE)
    assert core("enable", "activity").exit_code == 0
    assert cursors() == {"activity": 7, "archive": 0}

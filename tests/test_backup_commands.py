"""``core backup``, ``core restore`` and ``core check --data`` as operators meet them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from feishu_events import SENT, message
from filelock import FileLock

from core.cli import main
from core.disk.instance import LOCK
from core.journal import admit
from core.settings import Settings
from core.storage import open_engine


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current directory with three events below ``data``, and no settings."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    arrive("om_1", "om_2", "om_3")


def arrive(*names: str) -> int:
    """These messages arrive; the head of the journal."""
    with open_engine(Path("data")) as engine:
        engine.store().close()
        journal = engine.journal()
        head = journal.append([admit(message(name), SENT) for name in names]).head
        journal.close()
    return head


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="core")


def ruin(name: str) -> None:
    for ending in ("-wal", "-shm"):
        Path("data", f"{name}{ending}").unlink(missing_ok=True)
    Path("data", name).write_bytes(os.urandom(8192))


def test_a_backup_is_made_and_the_way_back_is_told() -> None:
    result = call("backup", "copies/today")
    assert result.exit_code == 0, result.output
    assert "copies/today is a sound copy of data." in result.output
    assert "Events up to position 3, handled up to 0" in result.output
    assert "python -m core restore copies/today" in result.output
    assert "attachments" not in result.output
    assert sorted(entry.name for entry in Path("copies/today").iterdir()) == ["backup.json", "journal.db", "store.db"]


def test_attachments_are_not_part_of_it_and_that_is_said() -> None:
    Path("data/attachments").mkdir()
    assert "data/attachments are not part of it" in call("backup", "copy").output


def test_a_backup_works_beside_the_program_and_a_restore_does_not() -> None:
    with FileLock(Path("data") / LOCK):
        assert call("backup", "copy").exit_code == 0
        result = call("restore", "copy", "--whole")
    assert result.exit_code == 3
    assert "another larkflock uses" in result.output


def test_a_damaged_journal_is_found_restored_and_found_sound() -> None:
    call("backup", "copy")
    assert "All that is stored in data is sound." in call("check", "--data").output
    ruin("journal.db")
    result = call("check", "--data")
    assert result.exit_code == 1
    assert "1 problem:" in result.output
    assert "data/journal.db: the file is damaged: file is not a database" in result.output
    assert "python -m core restore DIR" in result.output
    result = call("restore", "copy")
    assert result.exit_code == 0, result.output
    assert "Taken from copy: journal.db." in result.output
    assert "What was replaced is in data/replaced-" in result.output
    assert call("check", "--data").exit_code == 0
    assert arrive("om_3", "om_4") > 3


def test_a_damaged_store_catches_up_and_that_is_said() -> None:
    call("backup", "copy")
    ruin("store.db")
    result = call("restore", "copy")
    assert "Taken from copy: store.db." in result.output
    assert "catch up from the journal" in result.output


def test_what_could_still_be_read_is_counted() -> None:
    call("backup", "copy")
    arrive(*(f"om_{number}" for number in range(10, 200)))
    path = Path("data/journal.db")
    content = bytearray(path.read_bytes())
    content[-4096:] = os.urandom(4096)
    path.write_bytes(content)
    assert "events that are not in the backup were read from the damaged journal" in call("restore", "copy").output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("backup", "data"), "data exists; name a new directory"),
        (("restore", "data"), "data is no backup of this program"),
        (("restore", "nowhere"), "does not exist"),
        (("--sandbox", "backup", "copy"), "is not there; set DATA_DIR"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: tuple[str, ...], told: str) -> None:
    result = call(*arguments)
    assert result.exit_code in (1, 2)
    assert told in result.output


def test_nothing_damaged_is_nothing_to_restore() -> None:
    call("backup", "copy")
    result = call("restore", "copy")
    assert result.exit_code == 1
    assert "--whole" in result.output
    assert call("restore", "copy", "--whole").exit_code == 0


def test_without_data_a_check_says_where_it_looked() -> None:
    result = call("--sandbox", "check", "--data")
    assert result.exit_code == 1
    assert "data/sandbox: nothing is stored there yet" in result.output

"""The sandbox as a program with faults: presets and files on the command line, the list, the acknowledgements."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from programs import sandbox_program

from sandbox.cli import main
from sandbox.faults.presets import PRESETS


async def test_faults_come_from_presets_and_files(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text('[[fault]]\nkind = "slow"\nrate = 0.5\n')
    acknowledged = tmp_path / "acknowledged.jsonl"
    options = ("--scenario", "quiet", "--faults", "late", "--faults", str(file), "--acknowledged", str(acknowledged))
    async with sandbox_program(*options) as program:
        shown = await program.get("faults")
        assert [fault["kind"] for fault in shown["faults"]] == [*(fault.kind for fault in PRESETS["late"]), "slow"]
        assert (await program.post("faults", {"set": "storm"}))["faults"][0]["kind"] == "duplicate"
        assert await program.get("acknowledged") == {"total": 0, "items": [], "next": None}
    assert acknowledged.read_bytes() == b""


def test_the_list_teaches() -> None:
    result = CliRunner().invoke(main, ["--list-faults"])
    assert result.exit_code == 0
    for word in ("storm", "half-open", "[[fault]]", "every"):
        assert word in result.output


def test_wrong_faults_and_files_are_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--faults", "drizzle"])
    assert (result.exit_code, "drizzle" in result.output, "storm" in result.output) == (2, True, True)
    nowhere = tmp_path / "no" / "file.jsonl"
    result = CliRunner().invoke(main, ["--scenario", "quiet", "--acknowledged", str(nowhere)])
    assert (result.exit_code, "file.jsonl" in result.output) == (1, True)

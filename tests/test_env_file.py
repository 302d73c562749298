"""What is written into ``.env`` changes nothing else there."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from core.disk.env_file import fill_in, filled_in
from core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "X=v\n"),
        ("A=1", "A=1\nX=v\n"),
        ("# c\nX=\nB=2\n", "# c\nX=v\nB=2\n"),
        ("A=1\n\n# X=\nB=2\n", "A=1\n\nX=v\nB=2\n"),
        ("X=   # the table\n", "X=v   # the table\n"),
        ("X='' # the table\n", "X=v # the table\n"),
        ('X = ""\n', "X=v\n"),
        ("export X=\r\nB=2\r\n", "export X=v\r\nB=2\r\n"),
        ("X\n", "X=v\n"),
        ("# X=old\n", "# X=old\nX=v\n"),
        ("# X=\nX=\n", "# X=\nX=v\n"),
        ("X=v\n", "X=v\n"),
        ("XX=\nA_X=\n", "XX=\nA_X=\nX=v\n"),
    ],
)
def test_a_value_goes_where_the_name_stands_empty_or_commented_out_or_to_the_end(before: str, after: str) -> None:
    assert filled_in(before, {"X": "v"}, ".env") == after


@pytest.mark.parametrize("before", ["X=other\n", "X=\nX='other'\n"])
def test_a_value_that_is_there_is_never_overwritten(before: str) -> None:
    with pytest.raises(ConfigurationError, match="X is other there, and not v"):
        filled_in(before, {"X": "v"}, ".env")


def test_what_is_no_id_is_not_written() -> None:
    with pytest.raises(ConfigurationError, match="is no ID"):
        filled_in("", {"X": "v\nAPP_SECRET=other"}, ".env")


LINES = st.lists(
    st.sampled_from(
        [
            "A=1",
            "A=",
            "B='two words' # said",
            'C="a\nb"',
            "# D=",
            "# a note",
            "",
            "  ",
            "export E=5",
            "X=",
            "# X=",
            "F=a#b",
        ]
    )
)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_other_name_keeps_its_value(lines: list[str], newline: str, ended: bool) -> None:
    before = newline.join(lines) + (newline if ended else "")
    after = filled_in(before, {"X": "v", "D": "w"}, ".env")
    then, now = dotenv_values(stream=StringIO(before)), dotenv_values(stream=StringIO(after))
    assert now == {**then, "X": "v", "D": "w"}
    assert [line for line in after.splitlines() if line.startswith("# a")] == ["# a note"] * lines.count("# a note")


def test_mode_and_link_stay_and_a_new_file_is_private(tmp_path: Path) -> None:
    file, link = tmp_path / "real.env", tmp_path / ".env"
    fill_in(file, {"X": "v"})
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    link.symlink_to(file)
    fill_in(link, {"Y": "w"})
    assert link.is_symlink()
    assert file.read_text() == "X=v\nY=w\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == [".env", "real.env"]


def test_a_file_that_cannot_be_written_stays_and_the_line_is_said(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigurationError, match="write X=v there"):
        fill_in(tmp_path / ".env", {"X": "v"})
    assert os.listdir(tmp_path) == [".env"]

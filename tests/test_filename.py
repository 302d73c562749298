"""Names that others chose: whatever they are, they become a file's name and nothing else."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.attachments.filename import LONGEST, extension_of, safe_name
from core.attachments.files import AttachmentFiles
from core.errors import StorageError

NAMES = st.one_of(
    st.text(st.characters(), max_size=400),
    st.text('./\\:*?"<>| \0\n\u202e\u2066\ue000%aA中é́', max_size=200),
    st.builds("{}.{}".format, st.sampled_from(["con", "NUL", "com1", "LPT9", "aux "]), st.text(max_size=30)),
)
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")}
"""What Windows takes for a device, whatever the extension."""


@given(NAMES, st.sampled_from(["", "0123456789abcdef"]))
@example("../../etc/passwd", "")
@example("a" * 500 + ".tar.gz", "0123456789abcdef")
@example("中" * 200 + ".docx", "0123456789abcdef")
@example("\ud800.txt", "")
def test_any_name_becomes_a_safe_one(name: str, mark: str) -> None:
    safe = safe_name(name, mark=mark)
    assert 0 < len(safe.encode()) <= LONGEST
    assert safe.isprintable()
    assert not set(safe) & set('<>:"/\\|?*%')
    assert safe == unicodedata.normalize("NFC", safe)
    assert safe not in (".", "..")
    assert not safe.startswith((".", " "))
    assert not safe.endswith((".", " "))
    assert PurePosixPath(safe).name == PureWindowsPath(safe).name == safe
    assert safe.partition(".")[0].rstrip().upper() not in RESERVED
    assert not mark or mark in safe
    assert safe_name(safe) == safe or mark


@given(st.text("abc中文 ", min_size=1, max_size=300), st.sampled_from(["pdf", "DOCX", "tar", "图片"]))
def test_the_extension_is_kept_however_long_the_name_is(stem: str, extension: str) -> None:
    assert safe_name(f"x{stem}.{extension}", mark="0f").endswith(f"-0f.{extension}")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("报告 终稿.pdf", "报告 终稿.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\temp\\x.exe", "C__temp_x.exe"),
        ("con.txt", "_con.txt"),
        ("", "file"),
        ("...", "file"),
        (".bashrc", "bashrc"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("cafe\u0301.png", "café.png"),
    ],
)
def test_names_that_stand_for_many(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.PDF", "pdf"), ("a.tar.gz", "gz"), (".bashrc", ""), ("a", ""), ("a.", ""), ("a.b c", ""), ("", "")],
)
def test_an_extension_is_what_stands_after_the_last_stop(name: str, extension: str) -> None:
    assert extension_of(name) == extension


@given(NAMES, st.text(min_size=1, max_size=80).filter(lambda key: key.isprintable()))
def test_copies_stay_in_their_folder(name: str, key: str) -> None:
    files = AttachmentFiles(Path("data"))
    assert files.partial(key).parent == Path("data/attachments/.partial")
    assert files.partial(key).name.isalnum()
    assert len(files.partial(key).name) == 32
    assert Path("attachments/2026-11", safe_name(name, mark="0f")).parts[:2] == ("attachments", "2026-11")


def test_a_folder_that_cannot_be_used_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "attachments").write_text("in the way")
    files = AttachmentFiles(tmp_path)
    with pytest.raises(StorageError, match="attachments cannot be stored"):
        files.tidy([])
    with pytest.raises(StorageError):
        files.keep("key", "a.pdf", "2026-11")


def test_tidying_keeps_what_is_wanted_only(tmp_path: Path) -> None:
    files = AttachmentFiles(tmp_path)
    files.tidy([])
    for key in ("a", "b"):
        files.partial(key).write_bytes(b"123")
    files.tidy(["b", "never seen"])
    assert (files.complete("a", 3), files.complete("b", 3), files.complete("b", 4)) == (False, True, False)
    files.discard("b")
    files.discard("b")
    assert not files.complete("b", 3)

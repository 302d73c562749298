"""The Chinese pages say what the English ones say: the same code, tables, headings, pictures and links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SUFFIX = ".zh-CN.md"
FOR_OPERATORS = ("README.md", *(f"docs/{name}.md" for name in ("operations", "settings", "sandbox", "architecture")))
TRANSLATED = [
    page
    for folder in (ROOT, *(ROOT / name for name in ("docs", "plugins", "examples")))
    for page in sorted(folder.glob(f"*{SUFFIX}") if folder == ROOT else folder.rglob(f"*{SUFFIX}"))
    if not page.is_symlink()
]
PAGES = pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: str(page.relative_to(ROOT)))

FENCED = re.compile(r"^([ ]*)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?:[ ]{4,}[^\s\-*][^\n]*\n)+", re.MULTILINE)
COMMENT = re.compile(r"(?:^|[ ]+)#[ ].*$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def english(page: Path) -> Path:
    """The page that this one is the Chinese form of."""
    return page.with_name(page.name.removesuffix(SUFFIX) + ".md")


def code(page: Path) -> list[tuple[str, str]]:
    """The fenced and the indented blocks with their languages, without comments: those may be translated.

    What is indented and has code in it is the text of a list.
    """
    text = page.read_text("utf-8")
    fenced = [(kind, COMMENT.sub("", block)) for _, kind, block in FENCED.findall(text)]
    return [*fenced, *(("", block) for block in INDENTED.findall(prose(page)) if "`" not in block)]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return FENCED.sub("", page.read_text("utf-8"))


def tables(page: Path) -> list[list[str]]:
    """The cells of every line of the tables."""
    lines = [line.strip() for line in prose(page).splitlines()]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]


def first_column(page: Path) -> list[list[str]]:
    """The code in the first cell of every line of the tables; its order within a cell is up to the language."""
    return [sorted(re.findall(r"`[^`]+`", cells[0])) for cells in tables(page)]


def targets(page: Path) -> list[str]:
    """Where links and pictures lead, by the names of the English pages, without the place on the page."""
    return sorted(target.split("#")[0].replace(SUFFIX, ".md") for target in LINK.findall(prose(page)))


def levels(page: Path) -> list[int]:
    """How deep each heading is."""
    return [len(marks) for marks in re.findall(r"^(#{1,6}) ", prose(page), re.MULTILINE)]


def test_every_page_for_operators_is_there_in_chinese() -> None:
    wanted = [ROOT / name for name in FOR_OPERATORS] + sorted(ROOT.glob("plugins/*/README.md"))
    assert len(wanted) > len(FOR_OPERATORS)
    assert [page for page in wanted if not page.with_name(page.stem + SUFFIX).is_file()] == []


@PAGES
def test_both_languages_have_the_same_code(page: Path) -> None:
    assert code(page) == code(english(page))


@PAGES
def test_both_languages_have_the_same_tables(page: Path) -> None:
    assert first_column(page) == first_column(english(page))
    assert [len(cells) for cells in tables(page)] == [len(cells) for cells in tables(english(page))]


@PAGES
def test_both_languages_have_the_same_headings(page: Path) -> None:
    assert levels(page) == levels(english(page))


@PAGES
def test_both_languages_have_the_same_pictures_and_links(page: Path) -> None:
    assert targets(page) == targets(english(page))

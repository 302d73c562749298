"""The documentation as a site: it builds strictly, in both languages, and fetches nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
CODE = re.compile(r"^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
NAVIGATION = re.findall(r"([\w/-]+)\.md$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
TRANSLATED = sorted(page.name.removesuffix(".zh-CN.md") for page in DOCS.glob("*.zh-CN.md") if not page.is_symlink())
FOR_AUTHORS = re.findall(
    r"^ {6}- .*: ([\w-]+)\.md$",
    (ROOT / "mkdocs.yml").read_text("utf-8").partition("For plugin authors:\n")[2].partition("\n  - ")[0],
    re.MULTILINE,
)
FETCHED = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=\"?((?:https?:)?//[^\"\s>]+)")


def english(page: Path) -> bool:
    """Whether a page is no translation."""
    return not page.name.endswith(".zh-CN.md")


def test_it_builds_in_both_languages_and_no_link_is_broken(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_MKDOCS_2_WARNING": "1", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in NAVIGATION:
        for language in ("", "zh-CN/"):
            page = (site / f"{language}{name}.html").read_text("utf-8")
            assert 'href="' in page
            assert FETCHED.findall(page) == [], name
    assert "每个参数" in (site / "zh-CN" / "plugins.html").read_text("utf-8")
    assert list(site.rglob("*.py")) == []


def test_every_page_is_in_the_navigation_once() -> None:
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md") if english(page)]
    assert sorted(NAVIGATION) == sorted(pages)


def test_every_page_for_authors_is_there_in_chinese() -> None:
    assert len(FOR_AUTHORS) >= 13
    assert [name for name in ("index", *FOR_AUTHORS) if name not in TRANSLATED] == []


@pytest.mark.parametrize("name", sorted({*TRANSLATED} - {"operations"}))
def test_both_languages_have_the_same_code_and_headings(name: str) -> None:
    texts = [(DOCS / f"{name}{suffix}").read_text("utf-8") for suffix in (".md", ".zh-CN.md")]
    first, second = (CODE.findall(text) for text in texts)
    assert first == second
    levels = [re.findall(r"^(#+) ", CODE.sub("", text), re.MULTILINE) for text in texts]
    assert levels[0] == levels[1]
    rows = [len(re.findall(r"^\|", CODE.sub("", text), re.MULTILINE)) for text in texts]
    assert rows[0] == rows[1]


def test_chinese_pages_lead_to_chinese_pages() -> None:
    for page in DOCS.glob("*.zh-CN.md"):
        for name in re.findall(r"\]\(([\w-]+)\.md\b", CODE.sub("", page.read_text("utf-8"))):
            original = page.name.removesuffix(".zh-CN.md")
            assert page.is_symlink() or name == original or name not in TRANSLATED, f"{page.name} leads to {name}.md"

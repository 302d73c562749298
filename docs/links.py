"""Links of pages that are read on a code host too: on the site they lead to pages of the site, or nowhere.

Some pages stand elsewhere in the repository, as what they are about does; a symbolic link brings them into the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#)([^)\s#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"(^[ ]*```.*?^[ ]*```$)", re.MULTILINE | re.DOTALL)


def on_page_markdown(markdown: str, *, page: Any, files: Any, **_: Any) -> str:
    """Called by MkDocs for each page, before it becomes HTML."""
    there = {Path(file.abs_src_path).resolve(): posixpath.normpath(file.src_uri) for file in files if file.abs_src_path}
    here = Path(page.file.abs_src_path).resolve()
    folder = posixpath.dirname(page.file.src_uri)

    def rewritten(link: re.Match[str]) -> str:
        picture, text, target, anchor = link[1], link[2], link[3], link[4] or ""
        wanted = (here.parent / target).resolve()
        site, other = there.get(wanted), there.get(_translated(wanted))
        if site is None and not wanted.exists():
            return link[0]  # The strict build fails, as it should.
        if site is None and (other is None or other == page.file.src_uri):
            return text
        to = posixpath.relpath(site or other or "", folder or ".")
        return f"{picture}[{text}]({to}{anchor if site else ''})"  # A translation has anchors of its own.

    parts = FENCE.split(markdown)
    return "".join(part if number % 2 else LINK.sub(rewritten, part) for number, part in enumerate(parts))


def _translated(page: Path) -> Path:
    """The same page in the other language."""
    name = page.name
    return page.with_name(name.replace(".zh-CN.md", ".md") if ".zh-CN." in name else name.replace(".md", ".zh-CN.md"))

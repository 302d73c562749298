"""The archive as pages that open without any server, one a month and group; ``page.html`` is their form."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import quote

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from core import Row

from .stored import UNKNOWN, Part, Stored, chat_of, local
from .tables import ARCHIVE, EDITED, RECALLED, TOPICS
from .topics import cited, text_of

QUOTED: Final = 80
"""Code points of a message that are quoted above a reply."""
HUES: Final = 12
"""Colours of senders."""
IMAGES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
WEEKDAYS: Final = "一二三四五六日"

_ADDRESS: Final = re.compile(r"https?://[!#-;=?-\[\]-z~]*[#-&*-+/-9=@-Z_a-z~-]")
_TOLD: Final = ("topic_id", "title", "replies", "people", "status", "summary", "keywords", "starter_id", "last_reply")


def topics_by_part(stored: Stored) -> dict[tuple[str, str], list[Row]]:
    """Every topic by the page it begins on, in order of time."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in stored.rows(TOPICS):
        found.setdefault((chat_of(row) or UNKNOWN, row["month"]), []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: (row["created"] or 0, row["topic_id"]))
    return found


def fingerprint(topics: Sequence[Row]) -> str:
    """The same for topics of which a page says the same."""
    told = orjson.dumps([[topic[name] for name in _TOLD] for topic in topics])
    return hashlib.blake2b(told, digest_size=8).hexdigest() if topics else ""


def write_index(file: TextIO, parts: Sequence[Part], names: Mapping[str, str]) -> None:
    """The page with all groups and months."""
    groups = [
        {
            "name": names.get(chat_id) or chat_id,
            "months": [{"name": part.month or UNKNOWN, "href": f"{part.name}.html"} for part in reversed(list(found))],
        }
        for chat_id, found in groupby(sorted(parts), key=lambda part: part.chat_id)
    ]
    file.writelines(_template().generate(groups=groups, title="消息归档"))


def write_month(
    file: TextIO,
    path: Path,
    stored: Stored,
    names: Mapping[str, str],
    part: Part,
    rows: Sequence[Row],
    topics: Sequence[Row],
) -> None:
    """The messages of one month and group, oldest first, to the page at ``path``."""
    page = _Page(path, stored, names, part, rows)
    file.writelines(
        _template().generate(
            title=f"{names.get(part.chat_id) or part.chat_id} · {part.month}",
            messages=len(rows),
            topics=[page.topic(topic) for topic in topics],
            days=page.days({topic["topic_id"]: topic for topic in topics}),
        )
    )


class _Page:
    def __init__(self, path: Path, stored: Stored, names: Mapping[str, str], part: Part, rows: Sequence[Row]) -> None:
        self._path = path
        self._stored = stored
        self._names = names
        self._part = part
        self._rows = {row["message_id"]: row for row in rows}

    def days(self, topics: Mapping[str, Row]) -> Iterator[dict[str, Any]]:
        zone = self._stored.timezone
        for day, rows in groupby(self._rows.values(), key=lambda row: _day(local(row["created"], zone))):
            yield {"name": day, "messages": (self._message(row, topics) for row in rows)}

    def topic(self, topic: Row) -> dict[str, Any]:
        return {
            "title": topic["title"],
            "href": self._href(topic["topic_id"]) or _web(topic["link"]),
            "facts": f"{topic['replies']:.0f} 条回复 · {topic['people']:.0f} 人 · {topic['status']}",
            "summary": [
                {"text": line, "href": self._href(message_id) or link}
                for line, link, message_id in cited(topic["summary"])
            ],
            "keywords": topic["keywords"],
        }

    def _message(self, row: Row, topics: Mapping[str, Row]) -> dict[str, Any]:
        sent = local(row["created"], self._stored.timezone)
        name = self._name(row)
        topic = topics.get(row["message_id"])
        return {
            "id": row["message_id"],
            "name": name,
            "initial": name[:1],
            "hue": int.from_bytes(hashlib.blake2b(row["sender_id"].encode(), digest_size=2).digest()) % HUES * 30,
            "time": f"{sent:%H:%M}" if sent else "",
            "sent": sent.isoformat() if sent else "",
            "system": row["message_type"] == "system",
            "text": row["content"],
            "recalled": row["status"] == RECALLED,
            "edited": row["status"] == EDITED,
            "link": _web(row["link"]),
            "quote": self._quote(row),
            "thread": f"{topic['replies']:.0f} 条回复" if topic else "",
            "files": [self._file(file) for file in row["files"]],
        }

    def _name(self, row: Row) -> str:
        return self._names.get(row["sender_id"]) or row["sender_id"] or "系统"

    def _quote(self, row: Row) -> dict[str, str] | None:
        parent_id = row["parent_id"]
        if not parent_id:
            return None
        parent = self._rows.get(parent_id) or self._stored.get(ARCHIVE, parent_id)
        if parent is None:
            return {"name": "", "text": "（消息不在归档中）", "href": ""}
        text = " ".join(text_of(parent).split()) or "（已撤回）"
        cut = text if len(text) <= QUOTED else f"{text[:QUOTED]}…"
        return {"name": self._name(parent), "text": cut, "href": self._href(parent_id, parent)}

    def _href(self, message_id: str, row: Row | None = None) -> str:
        """Where a message stands, on this page or another one; empty where it does not."""
        row = row or self._rows.get(message_id)
        if row is None:
            return ""
        part = Part.of(row, "html")
        page = "" if part == self._part else quote(os.path.relpath(f"{part.name}.html", Path(self._part.name).parent))
        return f"{page}#{quote(message_id)}"

    def _file(self, file: Mapping[str, Any]) -> dict[str, Any]:
        """An attachment, with a link where there is a local copy."""
        path = str(file.get("path") or "")
        copy = self._stored.data_dir / path
        there = bool(path) and copy.is_file()
        href = quote(os.path.relpath(copy.resolve(), self._path.parent.resolve())) if there else ""
        name = str(file.get("name") or file.get("file_key") or "")
        return {"name": name, "href": href, "image": there and path.lower().endswith(IMAGES)}


def linked(text: str) -> Markup:
    """Text as HTML in which web addresses are links; Chinese ends an address, as no space stands before it."""
    found = Markup()
    done = 0
    for address in _ADDRESS.finditer(text):
        found += text[done : address.start()]
        found += Markup('<a href="{0}" rel="noopener noreferrer">{0}</a>').format(address[0])
        done = address.end()
    return found + text[done:]


def _web(link: str) -> str:
    """A link that may be followed; what stands in Bitable anybody may have written."""
    return link if link.startswith("https://") else ""


def _day(moment: datetime | None) -> str:
    return f"{moment.year} 年 {moment.month} 月 {moment.day} 日 星期{WEEKDAYS[moment.weekday()]}" if moment else ""


@cache
def _template() -> Template:
    files = FileSystemLoader(Path(__file__).parent)
    surroundings = Environment(
        loader=files, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    surroundings.filters["linked"] = linked
    return surroundings.get_template("page.html")

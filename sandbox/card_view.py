"""Sent cards as people see them, on pages for whoever writes them; it takes what ``cards`` lets through.

The pages are near the platform's look, not a copy of it. They hold no script and ask nothing of any other place; what a
card says is shown as text. Where the platform would show an image, there is a box. ``live`` is the same card for the
chat: its images are there, and what people can press and fill in says with ``data-…`` what to send (``card_parts``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
from jinja2 import ChainableUndefined, Environment, FileSystemLoader, Template
from markupsafe import Markup, escape

from . import card_actions
from .cards import COLOURS
from .chat import Message

Names = Callable[[str], str]
"""What somebody with this open_id is called; empty when nobody knows."""

POLICY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_ZONE: Final = ZoneInfo("Asia/Shanghai")
_FENCE: Final = re.compile(r"^```[^\n`]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_LINE: Final = re.compile(r"(?P<heading>#{1,6}) +|(?P<item>[ \t]*(?:[-*]|\d{1,9}\.)) +|(?P<quote>>) ?|(?P<rule>-{3,}$)")
_INLINE: Final = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|!\[(?P<alt>[^\]\n]{0,500})\]\([^)\s]{0,2000}\)"
    r"|\[(?P<label>[^\]\n]{1,500})\]\((?P<url>[^)\s]{0,2000})\)"
    r"|\*\*(?P<bold>[^\n]+?)\*\*|~~(?P<struck>[^\n]+?)~~|\*(?P<slanted>[^*\n]+)\*"
    r"|<at +(?:id|user_id|email)=[\"']?(?P<at>[^\"'<>\s]+)[\"']? *>(?:[^<]*</at>)?"
    r"|<(?P<tag>font|text_tag) +color=[\"']?(?P<colour>[\w-]+)[\"']? *>(?P<coloured>.*?)</(?P=tag)>"
    r"|(?P<break><br */?>)",
    re.DOTALL,
)


def show(message: Message, names: Names, sender: str) -> str:
    """The page of one sent card, a message with ``card``."""
    card = orjson.loads(message.card)
    parts = _parts(card)
    preview = "" if parts["template"] else _plain(card.get("config", {}).get("summary"))
    return _render("card_view.html", names, **parts, sender=sender, about=_about(message), preview=preview)


def live(message: Message, names: Names) -> str:
    """The card alone, to be used: ``<article class="card">…``."""
    card = orjson.loads(message.card)
    config = card.get("config")
    streaming = isinstance(config, dict) and config.get("streaming_mode") is True

    def source(key: object) -> str:
        return f"/sandbox/messages/{quote(message.message_id)}/files/{quote(str(key))}"

    def choices(part: Mapping[str, Any]) -> list[dict[str, Any]]:
        return card_actions.choices(part, message.chat.members, names, _plain)

    return _render(
        "card_live.html",
        names,
        **_parts(card),
        live=True,
        streaming=streaming,
        source=source,
        action=card_actions.action,
        submits=card_actions.submits,
        choices=choices,
    )


def _parts(card: Mapping[str, Any]) -> dict[str, Any]:
    template = next((card["data"][f"{kind}_id"] for kind in ("template", "card") if card.get("type") == kind), "")
    body = card.get("body") if card.get("schema") == "2.0" else card
    elements = [] if template or not body else body.get("elements") or _translated(card.get("i18n_elements")) or []
    return {"template": template, "header": {} if template else card.get("header"), "elements": elements}


def overview(messages: Iterable[Message]) -> str:
    """A page that leads to each card, in the order given."""
    return _render("card_view.html", lambda open_id: "", cards=[_about(message) for message in messages])


def markdown(text: str, names: Names) -> Markup:
    """The card's own Markdown (FEISHU.md §10.1) as HTML; what it does not know stays text."""
    shown, done = Markup(), 0
    for fence in _FENCE.finditer(text):
        shown += _lines(text[done : fence.start()], names) + Markup("<pre>{}</pre>").format(fence[1].rstrip("\n"))
        done = fence.end()
    return shown + _lines(text[done:], names)


def _lines(text: str, names: Names) -> Markup:
    shown = Markup()
    for line in text.strip("\n").split("\n") if text.strip("\n") else ():
        found = _LINE.match(line)
        inside = _inline(line[found.end() :] if found else line, names)
        match found.lastgroup if found else None:
            case "heading" if found:
                shown += Markup('<div class="line h{}">{}</div>').format(len(found["heading"]), inside)
            case "item" if found:
                mark = found["item"].strip() if found["item"].strip() not in "-*" else "•"
                depth = len(found["item"]) - len(found["item"].lstrip())
                shown += Markup('<div class="line item d{}"><b>{}</b><span>{}</span></div>').format(
                    min(depth // 2, 8), mark, inside
                )
            case "quote":
                shown += Markup("<blockquote>{}</blockquote>").format(inside)
            case "rule":
                shown += Markup("<hr>")
            case _:
                shown += Markup('<div class="line">{}</div>').format(inside or "\u00a0")
    return shown


def _inline(text: str, names: Names) -> Markup:
    shown, done = Markup(), 0
    for found in _INLINE.finditer(text):
        shown += escape(text[done : found.start()]) + _run(found, names)
        done = found.end()
    return shown + escape(text[done:])


def _run(found: re.Match[str], names: Names) -> Markup:
    kind = found.lastgroup
    match kind:
        case "code":
            return Markup("<code>{}</code>").format(found["code"])
        case "alt":
            return Markup('<span class="picture small">{}</span>').format(found["alt"] or "图片")
        case "url":
            return _link(found["url"], _inline(found["label"], names))
        case "bold":
            return Markup("<strong>{}</strong>").format(_inline(found["bold"], names))
        case "struck":
            return Markup("<s>{}</s>").format(_inline(found["struck"], names))
        case "slanted":
            return Markup("<em>{}</em>").format(_inline(found["slanted"], names))
        case "at":
            who = "所有人" if found["at"] == "all" else names(found["at"]) or found["at"]
            return Markup('<span class="at">@{}</span>').format(who)
        case "coloured":
            tag = "tag" if found["tag"] == "text_tag" else "ink"
            return Markup('<span class="{} {}">{}</span>').format(
                tag, colour(found["colour"]), _inline(found["coloured"], names)
            )
        case _:
            return Markup("<br>")


def colour(name: object) -> str:
    """The class of one of the platform's colours; empty for any other word."""
    base = name.split("-")[0] if isinstance(name, str) else ""
    return f"c-{base}" if base in COLOURS else ""


def address(part: Mapping[str, Any]) -> str:
    """Where a button leads, if that is a web page."""
    behaviors = part.get("behaviors") or ()
    urls = [each.get("default_url") for each in behaviors if isinstance(each, dict) and each.get("type") == "open_url"]
    multi = part.get("multi_url")
    urls += [part.get("url"), multi.get("url") if isinstance(multi, dict) else None]
    return next((url for url in urls if isinstance(url, str) and url.startswith(("https://", "http://"))), "")


def _link(url: str, label: Markup) -> Markup:
    if not url.startswith(("https://", "http://")):
        return Markup('<span class="link">{}</span>').format(label)
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(url, label)


def _about(message: Message) -> dict[str, str]:
    card = orjson.loads(message.card)
    header = card.get("header")
    sent = datetime.fromtimestamp(message.at / 1000, _ZONE)
    return {
        "message_id": message.message_id,
        "title": (_plain(header.get("title")) if isinstance(header, dict) else "") or "（没有标题）",
        "chat": message.chat.name or "单聊",
        "sent": f"{sent:%Y-%m-%d %H:%M}",
        "recalled": "已撤回" if message.recalled else "",
    }


def _plain(text: object) -> str:
    """The words of a text element, in Chinese where it has several languages."""
    if not isinstance(text, dict):
        return text if isinstance(text, str) else ""
    content = text.get("content") or _translated(text.get("i18n") or text.get("i18n_content"))
    return content if isinstance(content, str) else ""


def _translated(given: object) -> Any:
    return given.get("zh_cn") or next(iter(given.values()), None) if isinstance(given, dict) else None


def _render(page: str, names: Names, **values: Any) -> str:
    def words(text: object) -> Markup:
        """A text element, formatted when its tag says so."""
        tag = text.get("tag") if isinstance(text, dict) else ""
        content = _plain(text)
        return markdown(content, names) if tag in ("lark_md", "markdown") else escape(content)

    def called(open_id: object) -> object:
        return names(open_id) or open_id if isinstance(open_id, str) else open_id

    return _template(page).render(words=words, called=called, colour=colour, address=address, **values)


@cache
def _template(page: str) -> Template:
    files = FileSystemLoader(Path(__file__).parent)
    surroundings = Environment(
        loader=files, autoescape=True, undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return surroundings.get_template(page)

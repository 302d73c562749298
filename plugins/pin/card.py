"""The cards a group gets, as card JSON 2.0 (FEISHU.md §10.1); rules only.

What people wrote stands in plain text elements, in which nothing mentions, links or formats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

MOST_SHOWN: Final = 10
"""Pins that one announcement shows; the others it counts."""
MOST_AUDITED: Final = 20
MOST_PEOPLE: Final = 20

BOT: Final = "机器人"
SOMEBODY: Final = "某位成员"

_UNSEEN: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
"""Control characters, and those that turn the direction of what follows."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A pin as a card shows it."""

    text: str
    sender: str
    operator: str
    pinned: str
    """``YYYY-MM-DD HH:MM:SS``."""
    link: str
    files: int = 0


def announcement(pins: Sequence[Shown], total: int) -> dict[str, Any]:
    """Tells a group of ``total`` new pins, newest first, of which at most ``MOST_SHOWN`` are given."""
    single = total == 1
    elements: list[dict[str, Any]] = []
    for pin in pins[:MOST_SHOWN]:
        if elements:
            elements.append({"tag": "hr"})
        facts = [f"{_name(pin.operator)} 于 {pin.pinned[:16]} Pin", f"发送者 {_name(pin.sender)}"]
        facts += [f"附件 {pin.files} 个"] if pin.files else []
        elements += [
            _text(excerpt(pin.text, 600 if single else 200, 12 if single else 4) or "（没有文字）"),
            _small(" · ".join(facts)),
            _button("查看消息", pin.link),
        ]
    if total > len(pins[:MOST_SHOWN]):
        elements += [{"tag": "hr"}, _small(f"另有 {total - len(pins[:MOST_SHOWN])} 条，请在群的 Pin 列表中查看。")]
    title = "新的 Pin 消息" if single else f"{total} 条新的 Pin 消息"
    preview = f"{title}：{excerpt(pins[0].text, 40, 1)}" if pins else title
    return _card(f"📌 {title}", preview, elements)


def audit(
    pins: Sequence[Shown], counts: Sequence[tuple[str, int]], *, standing: int, since: str, until: str
) -> dict[str, Any]:
    """Lists the newest of the ``standing`` pins of a week, and how many each person set, most first.

    ``counts`` has those that were taken off too.
    """
    total = sum(count for _, count in counts)
    people = [f"{_name(name)}　{count} 条" for name, count in counts[:MOST_PEOPLE]]
    people += [f"另有 {len(counts) - MOST_PEOPLE} 人"] if len(counts) > MOST_PEOPLE else []
    gone = f"，其中 {total - standing} 条已取消" if total > standing else ""
    elements = [
        _text(f"{since[:16]} 至 {until[:16]}，共 {total} 条 Pin{gone}。"),
        _text("\n".join(people)),
    ]
    for pin in pins[:MOST_AUDITED]:
        elements += [
            {"tag": "hr"},
            _text(excerpt(pin.text, 80, 2) or "（没有文字）"),
            _small(f"{_name(pin.operator)} · {pin.pinned[:16]}"),
            _button("查看消息", pin.link),
        ]
    if standing > len(pins[:MOST_AUDITED]):
        elements += [{"tag": "hr"}, _small(f"另有 {standing - len(pins[:MOST_AUDITED])} 条。")]
    return _card("📌 本周 Pin 回顾", f"本周共 {total} 条 Pin", elements)


def excerpt(text: str, characters: int, lines: int) -> str:
    """The beginning of ``text``, at most so long, with … where something was left out; without control characters."""
    given = [line for line in (_UNSEEN.sub(" ", line).strip() for line in text.splitlines()) if line]
    begun = "\n".join(given[:lines])
    cut = begun[:characters]
    return cut.rstrip() + "…" if len(cut) < len(begun) or len(given) > lines else cut


def _name(name: str) -> str:
    return excerpt(name, 40, 1) or SOMEBODY


def _text(content: str) -> dict[str, Any]:
    return {"tag": "div", "text": {"tag": "plain_text", "content": content}}


def _small(content: str) -> dict[str, Any]:
    return {
        "tag": "div",
        "text": {"tag": "plain_text", "content": content, "text_size": "notation", "text_color": "grey"},
    }


def _button(label: str, url: str) -> dict[str, Any]:
    return {
        "tag": "button",
        "text": {"tag": "plain_text", "content": label},
        "type": "default",
        "size": "small",
        "behaviors": [{"type": "open_url", "default_url": url}],
    }


def _card(title: str, preview: str, elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema": "2.0",
        "config": {"update_multi": True, "summary": {"content": preview}},
        "header": {"title": {"tag": "plain_text", "content": title}, "template": "blue"},
        "body": {"direction": "vertical", "vertical_spacing": "8px", "elements": elements},
    }

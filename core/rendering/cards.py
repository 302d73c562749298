"""The visible text of a card: flattened as it is received, or its JSON 1.0 or 2.0 (FEISHU.md §2.3, §10.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from .posts import Reading, Unreadable, element, raw, string

_DEEPEST: Final = 24
_HOLDERS: Final = ("title", "header", "text", "fields", "elements", "actions", "columns", "extra")
"""Where an element keeps its words and other elements, in the order in which they are shown."""
_INLINE: Final = ("text", "md", "plain_text", "a", "at", "img", "emotion", "code_block", "hr", "button")
_ASKS: Final = ("input", "select_static", "multi_select_static", "select_person", "multi_select_person",
                "select_img", "date_picker", "picker_time", "picker_datetime", "overflow")  # fmt: skip


def card(content: Mapping[str, Any], reading: Reading) -> str:
    """The title, then a line for each element. Raises ``Unreadable`` for a card that shows nothing (a template's)."""
    header, body = _object(content.get("header")), _object(content.get("body"))
    reading.title = reading.named(_words(header.get("title")) or string(content.get("title")))
    elements = content.get("elements") or body.get("elements") or _translated(content.get("i18n_elements"))
    lines = [reading.title, reading.named(_words(header.get("subtitle")))]
    for each in elements if isinstance(elements, list) else ():
        lines.extend(_lines(each, reading, 0))
    shown = "\n".join(filter(None, map(str.strip, lines)))
    if not shown:
        raise Unreadable("elements")
    return shown


def _lines(part: object, reading: Reading, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        yield raw(part)
    elif isinstance(part, list):
        yield from _row(part, reading, depth)
    elif isinstance(part, str):
        yield reading.markdown(part)
    elif isinstance(part, dict):
        yield from _element(part, reading, depth)


def _row(parts: list[object], reading: Reading, depth: int) -> Iterator[str]:
    """A paragraph of the flattened form; elements that hold others stand on lines of their own."""
    line = ""
    for part in parts:
        if isinstance(part, dict) and part.get("tag") in _INLINE:
            line += element(part, reading)
        else:
            yield line
            line = ""
            yield from _lines(part, reading, depth + 1)
    yield line


def _element(part: dict[str, Any], reading: Reading, depth: int) -> Iterator[str]:
    match part.get("tag"):
        case "hr":
            yield "---"
        case "img" | "img_combination":
            reading.attach(part.get("img_key") or part.get("image_key"), "image")
            yield "[图片]"
        case "button":
            yield f"[{reading.named(_words(part.get('text')))}]"
        case "a" | "at" | "code_block" | "emotion":
            yield element(part, reading)
        case "person":
            yield reading.person(string(part.get("user_id")))
        case "person_list":
            people = part.get("persons")
            yield " ".join(reading.person(string(_object(each).get("id"))) for each in _list(people))
        case "chart":
            spec = _object(part.get("chart_spec"))
            yield f"[图表] {_words(spec.get('title'))}"
        case "table":
            yield from _table(part)
        case tag if tag in _ASKS:
            yield f"[{_words(part.get('label')) or _words(part.get('placeholder')) or '…'}]"
        case _:
            yield reading.markdown(string(part.get("content")))
            for holder in _HOLDERS:
                inner = part.get(holder)
                for each in inner if isinstance(inner, list) and holder != "text" else [inner]:
                    yield from _lines(each, reading, depth + 1)


def _table(part: Mapping[str, Any]) -> Iterator[str]:
    columns = [_object(each) for each in _list(part.get("columns"))]
    names = [string(column.get("name")) for column in columns]
    yield " | ".join(string(column.get("display_name")) or name for column, name in zip(columns, names, strict=True))
    for row in map(_object, _list(part.get("rows"))):
        yield " | ".join(_cell(row.get(name)) for name in names)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_words(each) or raw(each) for each in value)
    return "" if value is None else _words(value) or raw(value)


def _words(text: object) -> str:
    """The words of a text element, or of a plain string."""
    if isinstance(text, str):
        return text
    given = _object(text)
    return string(given.get("content")) or string(given.get("text"))


def _translated(elements: object) -> object:
    by_language = _object(elements)
    return by_language.get("zh_cn") or next(iter(by_language.values()), None)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

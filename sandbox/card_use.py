"""Using a part of a card by its name: what the app is told then (FEISHU.md §2.10); it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from . import card_actions

ZONE = "Asia/Shanghai"
SEVERAL = ("multi_select_static", "multi_select_person")
PICKS = ("date_picker", "picker_time", "picker_datetime")
FIELDS = ("input", "checker", "select_static", "select_person", "select_img", *PICKS, *SEVERAL)
"""What a form collects; outside of one each tells the app by itself."""
USABLE = frozenset({"button", "interactive_container", "overflow", *FIELDS})

Given = str | bool | list[str]
"""What somebody puts into a field: text or the chosen option, ticked or not, the chosen options."""


class Unusable(Exception):
    """Nothing happens when that part is used like that; the message says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that can be used, and the form it stands in."""

    element: Mapping[str, Any]
    form: Mapping[str, Any] | None

    @property
    def labels(self) -> tuple[str, ...]:
        """What it may be called by: its element_id, its name, the words on it."""
        text = self.element.get("text")
        words = text.get("content") if isinstance(text, dict) else None
        called = (self.element.get("element_id"), self.element.get("name"), words)
        return tuple(label for label in called if isinstance(label, str) and label)


def parts(card: Mapping[str, Any]) -> list[Part]:
    """Everything that can be used, in the order people see it."""
    body = card.get("body") if card.get("schema") == "2.0" else card
    translated = card.get("i18n_elements")
    top = body.get("elements") if isinstance(body, dict) else None
    if not top and isinstance(translated, dict):
        top = translated.get("zh_cn") or next(iter(translated.values()), None)
    return list(_within(top or [], None))


def find(card: Mapping[str, Any], wanted: str | int) -> Part:
    """The part of that name, or of that number counted from 0. Raises ``Unusable``."""
    there = parts(card)
    if isinstance(wanted, int):
        found = there[wanted : wanted + 1] if wanted >= 0 else []
    else:
        found = [part for part in there if wanted in part.labels]
    if len(found) != 1:
        known = ", ".join(f"{number} {' / '.join(part.labels)}".strip() for number, part in enumerate(there))
        many = "more than one part" if found else "no part"
        raise Unusable(f"the card has {many} {wanted!r}; it has: {known or 'none that can be used'}")
    return found[0]


def action(
    card: Mapping[str, Any], wanted: str | int, given: Given = "", form: Mapping[str, Given] | None = None
) -> Any:
    """The ``action`` of the callback when somebody uses a part. Raises ``Unusable``.

    ``given`` is what is chosen or written in the part itself, ``form`` what the fields of its form hold, by name; those
    not named hold what the card says.
    """
    part = find(card, wanted)
    element, tag = part.element, part.element["tag"]
    if element.get("disabled") is True:
        raise Unusable(f"{tag} {wanted!r} is disabled")
    sends = part.form if card_actions.submits(element) == "submit" else None
    if part.form is not None and tag in FIELDS:
        raise Unusable(f"{tag} {wanted!r} is a field of a form: use the button that sends it, and give the form")
    if form and sends is None:
        raise Unusable(f"{tag} {wanted!r} sends no form")
    sent = card_actions.action(element)
    if not sent:
        raise Unusable(f"{tag} {wanted!r} has no behavior of type callback: the app is told nothing")
    told: dict[str, Any] = {**orjson.loads(sent), "timezone": ZONE}
    if sends is not None:
        told["form_value"] = _filled(sends, dict(form or {}))
    if tag in FIELDS or tag == "overflow":
        told |= _chosen(element, given)
    return told


def _within(elements: object, form: Mapping[str, Any] | None) -> Iterator[Part]:
    for element in elements if isinstance(elements, list) else ():
        if not isinstance(element, dict):
            continue
        tag = element.get("tag")
        if isinstance(tag, str) and tag in USABLE:
            yield Part(element, form)
        inside = element if tag == "form" else form
        for holder in ("elements", "columns", "actions"):
            yield from _within(element.get(holder), inside)
        yield from _within([element.get("extra")], inside)


def _chosen(element: Mapping[str, Any], given: Given) -> dict[str, Any]:
    """A field used by itself."""
    held = _held(element, given)
    match element["tag"]:
        case "input":
            return {"input_value": held}
        case "checker":
            return {"checked": held}
        case tag if tag in SEVERAL:
            return {"options": held}
        case _:
            return {"option": held}


def _held(element: Mapping[str, Any], given: Given) -> Given:
    """``given``, if the field can hold it."""
    tag = element["tag"]
    kind: type = bool if tag == "checker" else list if tag in SEVERAL else str
    if not isinstance(given, kind):
        raise Unusable(f"{tag} holds {kind.__name__}, not {given!r}")
    chosen = given if isinstance(given, list) else [given] if isinstance(given, str) and given else []
    if tag not in PICKS and tag != "input" and "options" in element:
        known = [option.get("value") for option in element["options"]]
        if unknown := [one for one in chosen if one not in known]:
            raise Unusable(f"{tag} has no option {', '.join(map(str, unknown))}; it has: {', '.join(map(str, known))}")
    return given


def _filled(form: Mapping[str, Any], given: dict[str, Given]) -> dict[str, Given]:
    filled: dict[str, Given] = {}
    for part in _within(form.get("elements"), form):
        element, tag, name = part.element, part.element["tag"], part.element.get("name")
        if tag not in FIELDS or not isinstance(name, str):
            continue
        held = filled[name] = _held(element, given.pop(name, _initial(element)))
        if element.get("required") is True and held in ("", [], False):
            raise Unusable(f"{tag} {name!r} has to be filled in")
    if given:
        raise Unusable(f"the form has no field {', '.join(given)}; it has: {', '.join(filled) or 'none'}")
    return filled


def _initial(element: Mapping[str, Any]) -> Given:
    tag = element["tag"]
    if tag == "checker":
        return element.get("checked") is True
    if tag in SEVERAL:
        chosen = element.get("selected_values") or element.get("initial_options") or []
        return [one for one in chosen if isinstance(one, str)] if isinstance(chosen, list) else []
    names = ("default_value", "initial_option", "initial_date", "initial_time", "initial_datetime")
    return next((value for name in names if isinstance(value := element.get(name), str)), "")

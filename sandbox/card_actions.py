"""What a card's controls offer and what they send when somebody uses them (FEISHU.md §2.10, §10.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

MOST_CHOICES: Final = 200
_PEOPLE: Final = ("select_person", "multi_select_person")


def action(part: Mapping[str, Any]) -> str:
    """The JSON of ``{tag, name, value}`` that using the control sends; empty when it sends nothing by itself."""
    value = part.get("value")
    for behavior in _behaviors(part):
        if behavior.get("type") == "callback":
            value = behavior.get("value")
    known = value is not None or (not part.get("behaviors") and part.get("tag") not in ("button", "checker"))
    if not known and not submits(part):
        return ""
    sent = {"tag": str(part.get("tag")), "value": {} if value is None else value}
    if isinstance(part.get("name"), str):
        sent["name"] = part["name"]
    return orjson.dumps(sent).decode()


def submits(part: Mapping[str, Any]) -> str:
    """``submit`` or ``reset`` when a button does that to its form; otherwise empty."""
    given = [
        part.get("form_action_type"),
        {"form_submit": "submit", "form_reset": "reset"}.get(str(part.get("action_type"))),
    ]
    given += [behavior.get("behavior") for behavior in _behaviors(part) if behavior.get("type") == "form_action"]
    return next((each for each in given if each in ("submit", "reset")), "")


def choices(
    part: Mapping[str, Any], members: Iterable[str], names: Callable[[str], str], plain: Callable[[object], str]
) -> list[dict[str, Any]]:
    """The options of a list as ``value``, ``label``, ``chosen``; of people the members where the card names nobody."""
    given = part.get("options")
    options = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    if part.get("tag") in _PEOPLE:
        people = [each.get("value") for each in options] or list(members)
        labelled = [(each, names(each) or each) for each in people if isinstance(each, str)]
    else:
        labelled = [(str(each.get("value", "")), plain(each.get("text"))) for each in options]
    first = part.get("initial_options") or part.get("selected_values") or [part.get("initial_option")]
    chosen = first if isinstance(first, list) else []
    return [{"value": value, "label": label, "chosen": value in chosen} for value, label in labelled[:MOST_CHOICES]]


def _behaviors(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = part.get("behaviors")
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []

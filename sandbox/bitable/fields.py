"""A column of a table: its name, type and settings, how field lists show it, and where its kind of value is handled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import properties
from .kinds import KINDS, Kind
from .properties import Option
from .refusals import refuse

NAME_LENGTH = 100


@dataclass(slots=True, eq=False)
class Field:
    """A column. ``column`` is its place in every record's values and moves when a column before it is deleted."""

    field_id: str
    name: str
    type: int
    ui_type: str
    property: dict[str, Any] | None
    options: dict[str, Option] | None
    kind: Kind
    column: int = 0
    is_primary: bool = False
    description: str | None = None

    def shown(self, *, text_field_as_array: bool = False) -> dict[str, Any]:
        """As the field API answers it; ``description`` is a list of segments when the caller asks for that."""
        settings = self.property
        if self.options is not None:
            settings = {"options": [option.shown() for option in self.options.values()]}
        shown: dict[str, Any] = {
            "field_id": self.field_id,
            "field_name": self.name,
            "is_primary": self.is_primary,
            "property": settings,
            "type": self.type,
            "ui_type": self.ui_type,
        }
        if self.description is not None:
            segments = [{"type": "text", "text": self.description}]
            shown["description"] = segments if text_field_as_array else self.description
        return shown


def declare(spec: Any, new_id: Callable[[str], str], *, known: dict[str, Option] | None = None) -> Field:
    """The field that ``spec`` (``field_name``, ``type``, ``ui_type``, ``property``, ``description``) describes.

    ``known`` are the options it has had so far. Raises 1254001, 1254012, 1254029 and the property refusals.
    """
    if not isinstance(spec, dict):
        raise refuse(1254001, "field")
    type_ = spec.get("type")
    if not isinstance(type_, int) or isinstance(type_, bool) or type_ not in properties.UI_TYPES:
        raise refuse(1254001, "type")
    if type_ in properties.NOT_CREATABLE:
        raise refuse(1254012, "type")
    ui_types = properties.UI_TYPES[type_]
    ui_type = spec.get("ui_type") or ui_types[0]
    if ui_type not in ui_types:
        raise refuse(1254001, "ui_type")
    given = spec.get("property")
    settled = properties.settle(type_, given)
    options = properties.settle_options(type_, given, known or {}, lambda: new_id("opt"))
    return Field(
        field_id=new_id("fld"),
        name=_name(spec.get("field_name")),
        type=type_,
        ui_type=ui_type,
        property=settled,
        options=options,
        kind=KINDS[type_],
        description=_description(spec.get("description")),
    )


def _name(given: Any) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > NAME_LENGTH:
        raise refuse(1254029, "field_name")
    return given


def _description(given: Any) -> str | None:
    text = given.get("text") if isinstance(given, dict) else given
    if text is not None and not isinstance(text, str):
        raise refuse(1254001, "description")
    return text

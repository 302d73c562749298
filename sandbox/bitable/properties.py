"""The settings a field carries: checked when it is created or changed, and completed (FEISHU.md §5.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .refusals import refuse

TEXT, NUMBER, SINGLE_SELECT, MULTI_SELECT, DATE_TIME, CHECKBOX = 1, 2, 3, 4, 5, 7
USER, PHONE, URL, ATTACHMENT, SINGLE_LINK, LOOKUP, FORMULA = 11, 13, 15, 17, 18, 19, 20
DUPLEX_LINK, LOCATION, GROUP_CHAT, STAGE = 21, 22, 23, 24
CREATED_TIME, MODIFIED_TIME, CREATED_USER, MODIFIED_USER, AUTO_NUMBER, BUTTON = 1001, 1002, 1003, 1004, 1005, 3001

UI_TYPES: dict[int, tuple[str, ...]] = {
    TEXT: ("Text", "Barcode", "Email"),
    NUMBER: ("Number", "Progress", "Currency", "Rating"),
    SINGLE_SELECT: ("SingleSelect",),
    MULTI_SELECT: ("MultiSelect",),
    DATE_TIME: ("DateTime",),
    CHECKBOX: ("Checkbox",),
    USER: ("User",),
    PHONE: ("Phone",),
    URL: ("Url",),
    ATTACHMENT: ("Attachment",),
    SINGLE_LINK: ("SingleLink",),
    LOOKUP: ("Lookup",),
    FORMULA: ("Formula",),
    DUPLEX_LINK: ("DuplexLink",),
    LOCATION: ("Location",),
    GROUP_CHAT: ("GroupChat",),
    STAGE: ("Stage",),
    CREATED_TIME: ("CreatedTime",),
    MODIFIED_TIME: ("ModifiedTime",),
    CREATED_USER: ("CreatedUser",),
    MODIFIED_USER: ("ModifiedUser",),
    AUTO_NUMBER: ("AutoNumber",),
    BUTTON: ("Button",),
}
PRIMARY_TYPES = frozenset({TEXT, NUMBER, DATE_TIME, PHONE, URL, FORMULA, LOCATION})
NOT_CREATABLE = frozenset({STAGE, BUTTON})

OPTIONS_PER_FIELD = 20_000
_COLORS = range(55)
_DATE_FORMATS = frozenset(
    {
        "yyyy/MM/dd",
        "yyyy-MM-dd",
        "yyyy/MM/dd HH:mm",
        "yyyy-MM-dd HH:mm",
        "yyyy/MM/dd HH:mm Z",
        "yyyy-MM-dd HH:mm Z",
        "MM-dd",
        "MM/dd/yyyy",
        "dd/MM/yyyy",
    }
)
_NUMBER_FORMAT = re.compile(r"\D{0,3}(?:[01],?000|0)?(?:\.0{1,9})?%?")

_REFUSED = {
    TEXT: 1254080,
    NUMBER: 1254081,
    SINGLE_SELECT: 1254082,
    MULTI_SELECT: 1254083,
    DATE_TIME: 1254084,
    CHECKBOX: 1254085,
    USER: 1254086,
    URL: 1254087,
    ATTACHMENT: 1254088,
    SINGLE_LINK: 1254089,
    LOOKUP: 1254090,
    FORMULA: 1254091,
    DUPLEX_LINK: 1254092,
    CREATED_TIME: 1254093,
    MODIFIED_TIME: 1254094,
    CREATED_USER: 1254095,
    MODIFIED_USER: 1254096,
}


@dataclass(frozen=True, slots=True)
class Option:
    """A choice of a select field. The cells that chose it hold the option itself."""

    option_id: str
    name: str
    color: int

    def shown(self) -> dict[str, Any]:
        """As field lists show it."""
        return {"color": self.color, "id": self.option_id, "name": self.name}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_number_format(value: Any) -> bool:
    return isinstance(value, str) and value != "" and _NUMBER_FORMAT.fullmatch(value) is not None


def _is_date_format(value: Any) -> bool:
    return isinstance(value, str) and value in _DATE_FORMATS


_Check = Callable[[Any], bool]
_LINK: dict[str, _Check] = {
    "table_id": _is_text,
    "table_name": _is_text,
    "back_field_name": _is_text,
    "back_field_id": _is_text,
    "multiple": _is_bool,
}
_COMPUTED: dict[str, _Check] = {
    "formatter": _is_text,
    "formula_expression": _is_text,
    "type": _is_object,
    "filter_info": _is_object,
    "target_field": _is_text,
    "date_formatter": _is_date_format,
}
_ALLOWED: dict[int, dict[str, _Check]] = {
    TEXT: {"allowed_edit_modes": _is_object},
    NUMBER: {
        "formatter": _is_number_format,
        "currency_code": _is_text,
        "min": _is_number,
        "max": _is_number,
        "range_customize": _is_bool,
        "rating": _is_object,
    },
    DATE_TIME: {"date_formatter": _is_date_format, "auto_fill": _is_bool},
    USER: {"multiple": _is_bool},
    GROUP_CHAT: {"multiple": _is_bool},
    SINGLE_LINK: _LINK,
    DUPLEX_LINK: _LINK,
    LOOKUP: _COMPUTED,
    FORMULA: _COMPUTED,
    LOCATION: {"location": _is_object},
    CREATED_TIME: {"date_formatter": _is_date_format},
    MODIFIED_TIME: {"date_formatter": _is_date_format},
    AUTO_NUMBER: {"auto_serial": _is_object},
}
_COMPLETED: dict[int, dict[str, Any]] = {
    NUMBER: {"formatter": "0"},
    DATE_TIME: {"auto_fill": False, "date_formatter": "yyyy/MM/dd"},
    USER: {"multiple": True},
    GROUP_CHAT: {"multiple": True},
    SINGLE_LINK: {"multiple": True},
    DUPLEX_LINK: {"multiple": True},
    LOCATION: {"location": {"input_type": "not_limit"}},
    CREATED_TIME: {"date_formatter": "yyyy/MM/dd"},
    MODIFIED_TIME: {"date_formatter": "yyyy/MM/dd"},
    AUTO_NUMBER: {"auto_serial": {"type": "auto_increment_number"}},
}
_AUTO_SERIALS = ("auto_increment_number", "custom")


def refused(type_: int) -> int:
    """The code that says a property does not suit a field of ``type_``; types without one have the general code."""
    return _REFUSED.get(type_, 1254001)


def settle(type_: int, given: Any) -> dict[str, Any] | None:
    """The property of a field of ``type_`` after checks and defaults; ``options`` are settled by ``settle_options``.

    A url field takes no property at all, not even an empty one (FEISHU.md §5.7: 1254087). Raises 1254080–1254096.
    """
    code = refused(type_)
    if given is None:
        given = {}
    elif not isinstance(given, dict) or type_ == URL:
        raise refuse(code, "property")
    if type_ in (SINGLE_SELECT, MULTI_SELECT):
        if given.keys() - {"options"}:
            raise refuse(code, "property." + min(given.keys() - {"options"}))
        return None
    allowed = _ALLOWED.get(type_, {})
    for key, value in given.items():
        if key not in allowed or not allowed[key](value):
            raise refuse(code, f"property.{key}")
    _require(type_, given, code)
    settled = {**_COMPLETED.get(type_, {}), **given}
    return settled or None


def _require(type_: int, given: dict[str, Any], code: int) -> None:
    if type_ == NUMBER and given.get("min", 0) > given.get("max", given.get("min", 0)):
        raise refuse(code, "property.min")
    if type_ == FORMULA and not given.get("formula_expression"):
        raise refuse(code, "property.formula_expression")
    if type_ in (SINGLE_LINK, DUPLEX_LINK) and not given.get("table_id"):
        raise refuse(code, "property.table_id")
    if type_ == AUTO_NUMBER and given.get("auto_serial", {"type": "custom"}).get("type") not in _AUTO_SERIALS:
        raise refuse(code, "property.auto_serial.type")


def settle_options(
    type_: int, given: Any, known: dict[str, Option], new_id: Callable[[], str]
) -> dict[str, Option] | None:
    """The options of a select field by name, or None for other types.

    An option given with the id of a known one keeps its cells, also under a new name; so does one given by its name.
    Ids that are not known are refused, as are double or empty names and colours outside 0…54 (1254082, 1254083).
    """
    if type_ not in (SINGLE_SELECT, MULTI_SELECT):
        return None
    code = refused(type_)
    wanted = (given or {}).get("options")
    wanted = [] if wanted is None else wanted
    if not isinstance(wanted, list) or len(wanted) > OPTIONS_PER_FIELD:
        raise refuse(code, "property.options")
    by_id = {option.option_id: option for option in known.values()}
    options: dict[str, Option] = {}
    for position, entry in enumerate(wanted):
        where = f"property.options[{position}]"
        name, color = (entry.get("name"), entry.get("color")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not name or name in options:
            raise refuse(code, f"{where}.name")
        if color is not None and (isinstance(color, bool) or color not in _COLORS):
            raise refuse(code, f"{where}.color")
        if not isinstance(entry.get("id"), str | None):
            raise refuse(code, f"{where}.id")
        old = by_id.pop(entry.get("id") or getattr(known.get(name), "option_id", ""), None)
        if entry.get("id") and old is None:
            raise refuse(code, f"{where}.id")
        if color is None:
            color = old.color if old else position % len(_COLORS)
        options[name] = Option(old.option_id if old else new_id(), name, color)
    return options

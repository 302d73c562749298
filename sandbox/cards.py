"""Whether the platform takes a card: its JSON 1.0 or 2.0 skeleton, its elements and what each must have.

FEISHU.md §10.1 has the rules. In 2.0 an attribute that is not known is an error, in 1.0 it is passed over. The size in
bytes is checked with the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from .reply import ApiError

CARD_FAILED = 230099
NOT_A_CARD, TOO_MANY, BAD_CHART, NOT_IN_2 = 200621, 11310, 200550, 200861
"""The ``ErrCode`` inside a 230099."""
ELEMENTS, TABLES, TAGS_IN_HEADER, DEEPEST = 200, 5, 3, 20
"""An element is whatever has a ``tag``, a ``plain_text`` too."""

COLOURS = ("blue", "wathet", "turquoise", "green", "yellow", "orange", "red", "carmine", "violet", "purple", "indigo",
           "grey", "default")  # fmt: skip
_BUTTONS = ("default", "primary", "danger", "text", "primary_text", "danger_text", "primary_filled", "danger_filled",
            "laser")  # fmt: skip
_ELEMENT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")
_TEXTS = ("plain_text", "lark_md")
_REMOVED = ("note", "action")
_IN_A_NOTE = (*_TEXTS, "img", "standard_icon", "custom_icon")

_LAYOUT = "direction padding horizontal_spacing horizontal_align vertical_spacing vertical_align"
_FRAME = "width height background_style has_border border_color corner_radius border"
_PRESS = "name hover_tips disabled disabled_tips confirm"
_ASK = "name required disabled disabled_tips hover_tips placeholder width value behaviors confirm"
_CHOICE = f"{_ASK} type options initial_option initial_index initial_options selected_values"
_PICK = f"{_ASK} initial_date initial_time initial_datetime"
_TOP = "schema config card_link header body"
_CONFIG = (
    "update_multi enable_forward enable_forward_interaction width_mode use_custom_translation streaming_mode "
    "streaming_config summary locales style"
)
_HEADER = "title subtitle text_tag_list i18n_text_tag_list template icon padding"

_ATTRIBUTES: dict[str, tuple[str, str]] = {
    "markdown": ("content", "i18n_content text_size text_align icon"),
    "div": ("", "text fields extra icon width"),
    "hr": ("", ""),
    "img": ("img_key alt", "i18n_img_key title corner_radius scale_type size transparent preview mode"),
    "img_combination": ("combination_mode img_list", "combination_transparent corner_radius"),
    "chart": ("chart_spec", "aspect_ratio color_theme preview height"),
    "table": ("columns rows", "page_size row_height row_max_height freeze_first_column header_style"),
    "person": ("user_id", "size show_avatar show_name style user_id_type"),
    "person_list": ("persons", "lines show_name show_avatar size drop_invalid_user_id icon ud_icon"),
    "audio": ("file_key", "audio_id show_time style width fallback"),
    "column_set": ("columns", "flex_mode horizontal_spacing horizontal_align background_style action"),
    "column": ("elements", f"{_LAYOUT} width weight background_style action"),
    "form": ("name elements", f"{_LAYOUT} confirm"),
    "collapsible_panel": ("header elements", f"{_LAYOUT} expanded border background_color width"),
    "interactive_container": ("elements behaviors", f"{_LAYOUT} {_FRAME} {_PRESS}"),
    "button": ("", f"{_ASK} text type size icon url multi_url form_action_type complex_interaction"),
    "input": (
        "",
        f"{_ASK} default_value max_length input_type rows auto_resize max_rows show_icon label label_position",
    ),
    "select_static": ("options", _CHOICE),
    "multi_select_static": ("options", _CHOICE),
    "select_person": ("", _CHOICE),
    "multi_select_person": ("", _CHOICE),
    "select_img": ("options", f"{_ASK} style multi_select layout can_preview aspect_ratio"),
    "date_picker": ("", _PICK),
    "picker_time": ("", _PICK),
    "picker_datetime": ("", _PICK),
    "overflow": ("options", _ASK),
    "checker": ("", f"{_ASK} checked text overall_checkable button_area checked_style padding"),
    "note": ("elements", ""),
    "action": ("actions", "layout"),
}
"""Tag → what it must have, and what else 2.0 knows."""
_EVERYWHERE = "tag element_id margin"
_TEXT_ATTRIBUTES = "tag content i18n_content i18n text_size text_color text_align lines element_id margin"
_NEED_A_NAME = ("input", "select_static", "multi_select_static", "select_person", "multi_select_person", "select_img",
                "date_picker", "picker_time", "picker_datetime", "checker")  # fmt: skip
_NOT_INSIDE = {"form": ("form", "column", "collapsible_panel"), "table": ("form", "column", "collapsible_panel"),
               "chart": ("form",)}  # fmt: skip


class Refused(ApiError):
    """A card the platform does not take: 230099 with the place and the reason."""

    def __init__(self, err_code: int, path: str, reason: str, value: object = None) -> None:
        culprit = "" if value is None else f"; ErrorValue: {str(value)[:200]}"
        ext = f"ErrCode: {err_code}; ErrPath: {path}; ErrMsg: {reason}{culprit}"
        super().__init__(CARD_FAILED, f"Failed to create card content, ext={ext}")
        self.err_code = err_code
        """The code inside."""
        self.reason = f"{path}: {reason}{culprit}"


def check(card: dict[str, Any]) -> None:
    """Raises ``Refused`` when the platform would not take the card."""
    given = card.get("type")
    if given in ("template", "card") and isinstance(card.get("data"), dict):
        name = f"{given}_id"
        if not isinstance(card["data"].get(name), str) or not card["data"][name]:
            _refuse(NOT_A_CARD, "ROOT -> data", f"{name} is required")
        return
    _Check(card).run()


class _Check:
    def __init__(self, card: dict[str, Any]) -> None:
        self._card = card
        self._strict = card.get("schema") == "2.0"
        self._elements = 0
        self._tables = 0
        self._ids: set[str] = set()

    def run(self) -> None:
        card = self._card
        if card.get("schema", "1.0") not in ("1.0", "2.0"):
            _refuse(NOT_A_CARD, "ROOT -> schema", "schema is 1.0 or 2.0", card["schema"])
        if self._strict:
            self._known(card, _TOP, "ROOT")
        self._config(_object(card.get("config", {}), "ROOT -> config"))
        if "card_link" in card and not _string(_object(card["card_link"], "ROOT -> card_link").get("url")):
            _refuse(NOT_A_CARD, "ROOT -> card_link", "url is required")
        if "header" in card:
            self._header(_object(card["header"], "ROOT -> header"))
        if self._strict:
            body = _object(card.get("body", {}), "ROOT -> body")
            self._known(body, f"elements {_LAYOUT}", "ROOT -> body")
            self._list(body.get("elements", []), "ROOT -> body -> elements", ())
            return
        self._list(card.get("elements", []), "ROOT -> elements", ())
        for language, elements in _object(card.get("i18n_elements", {}), "ROOT -> i18n_elements").items():
            self._elements = 0
            self._list(elements, f"ROOT -> i18n_elements -> {language}", ())

    def _config(self, config: Mapping[str, Any]) -> None:
        path = "ROOT -> config"
        if self._strict:
            self._known(config, _CONFIG, path)
            if config.get("update_multi") is False:
                _refuse(NOT_A_CARD, path, "update_multi can only be true in schema 2.0", False)
        if config.get("width_mode", "default") not in ("compact", "fill", "default"):
            _refuse(NOT_A_CARD, path, "width_mode is compact, fill or default", config["width_mode"])
        if "summary" in config and not isinstance(_object(config["summary"], path).get("content", ""), str):
            _refuse(NOT_A_CARD, path, "summary.content is a string")

    def _header(self, header: Mapping[str, Any]) -> None:
        path = "ROOT -> header"
        if self._strict:
            self._known(header, _HEADER, path)
        self._text(header.get("title"), f"{path} -> title")
        if "subtitle" in header:
            self._text(header["subtitle"], f"{path} -> subtitle")
        if header.get("template", "default") not in COLOURS:
            _refuse(NOT_A_CARD, f"{path} -> template", "the template is no colour", header["template"])
        tags = header.get("text_tag_list", [])
        if not isinstance(tags, list) or len(tags) > TAGS_IN_HEADER:
            _refuse(NOT_A_CARD, f"{path} -> text_tag_list", f"at most {TAGS_IN_HEADER} tags")
        for tag in tags:
            self._count(path)
            if _object(tag, path).get("tag") != "text_tag":
                _refuse(NOT_A_CARD, f"{path} -> text_tag_list", "the tag is text_tag")
            self._text(tag.get("text"), f"{path} -> text_tag_list")

    def _list(self, elements: object, path: str, inside: tuple[str, ...]) -> None:
        if not isinstance(elements, list):
            _refuse(NOT_A_CARD, path, "a list of elements is required")
        for number, element in enumerate(elements):
            tag = element.get("tag") if isinstance(element, dict) else None
            self._element(element, f"{path} -> [{number}](tag: {tag})", inside)

    def _element(self, element: object, path: str, inside: tuple[str, ...]) -> None:
        part = _object(element, path)
        tag = part.get("tag")
        self._count(path)
        if self._strict and tag in _REMOVED:
            _refuse(NOT_IN_2, path, "cards of schema V2 no longer support this capability", f"unsupported tag {tag}")
        if inside[-1:] == ("note",):
            if tag not in _IN_A_NOTE:
                _refuse(NOT_A_CARD, path, "a note holds text, images and icons", tag)
            if tag in _TEXTS and not isinstance(part.get("content"), str):
                _refuse(NOT_A_CARD, path, "content is required")
            return
        if not isinstance(tag, str) or tag not in _ATTRIBUTES or (tag == "column") != (inside[-1:] == ("column_set",)):
            _refuse(NOT_IN_2 if self._strict else NOT_A_CARD, path, "not support tag", tag)
        if len(inside) > DEEPEST or any(outer in inside for outer in _NOT_INSIDE.get(tag, ())):
            _refuse(NOT_A_CARD, path, f"type of element is not supported tag: {tag}")
        required, known = _ATTRIBUTES[tag]
        names = f"{_EVERYWHERE} {required} {known}"
        if self._strict:
            self._known(part, names, path)
            self._identify(part, path)
        for name in required.split():
            if name not in part:
                _refuse(NOT_A_CARD, path, f"{name} is required")
        for name, value in part.items():
            if name in names.split():
                self._attribute(name, value, tag, f"{path} -> {name}", (*inside, tag))
        self._whole(part, tag, path)

    def _attribute(self, name: str, value: object, tag: str, path: str, inside: tuple[str, ...]) -> None:
        match name:
            case "text" | "placeholder" | "label" | "hover_tips" | "disabled_tips" | "alt":
                self._text(value, path)
            case "elements" | "actions":
                self._list(value, path, inside)
            case "columns" if tag == "column_set":
                self._list(value, path, inside)
            case "columns":
                self._table(value, path)
            case "extra":
                self._element(value, path, inside)
            case "fields":
                for field in _objects(value, path):
                    self._text(field.get("text"), path)
            case "img_list" | "persons":
                _objects(value, path)
            case "rows" if tag == "table":
                _objects(value, path)
            case "options":
                self._options(value, tag, path)
            case "behaviors":
                _behaviors(value, path)
            case "confirm":
                asked = _object(value, path)
                self._text(asked.get("title"), path)
                self._text(asked.get("text"), path)
            case "content" | "img_key" | "user_id" | "file_key" | "name":
                if not isinstance(value, str) or (name != "content" and not value):
                    _refuse(NOT_A_CARD, path, "a string is required", value)

    def _whole(self, part: Mapping[str, Any], tag: str, path: str) -> None:
        """What concerns several attributes of one element."""
        if tag == "div" and not part.get("text") and not part.get("fields"):
            _refuse(NOT_A_CARD, path, "text or fields is required")
        if tag == "button" and not part.get("text") and not part.get("icon"):
            _refuse(NOT_A_CARD, path, "text is required")
        if tag == "button" and part.get("type", "default") not in _BUTTONS:
            _refuse(NOT_A_CARD, path, "no such type of button", part["type"])
        if tag == "chart" and not _string(_object(part["chart_spec"], path).get("type")):
            _refuse(BAD_CHART, path, "chart spec is invalid")
        if tag == "collapsible_panel":
            self._text(_object(part["header"], path).get("title"), f"{path} -> header", (*_TEXTS, "markdown"))
        if tag == "form":
            _form(part, path)

    def _table(self, columns: object, path: str) -> None:
        self._tables += 1
        if self._tables > TABLES:
            _refuse(TOO_MANY, path, "card table number over limit")
        for column in _objects(columns, path):
            if not _string(column.get("name")) or not _string(column.get("data_type", "text")):
                _refuse(NOT_A_CARD, path, "name and data_type are strings")

    def _options(self, options: object, tag: str, path: str) -> None:
        for option in _objects(options, path):
            if tag not in ("select_img", "select_person", "multi_select_person"):
                self._text(option.get("text"), path)
            if not isinstance(option.get("value", "" if tag == "overflow" else None), str):
                _refuse(NOT_A_CARD, path, "value is required")

    def _text(self, text: object, path: str, tags: tuple[str, ...] = _TEXTS) -> None:
        part = _object(text, path)
        self._count(path)
        if part.get("tag") not in tags:
            _refuse(NOT_A_CARD, path, f"tag is one of {', '.join(tags)}", part.get("tag"))
        if not isinstance(part.get("content"), str) and not isinstance(part.get("i18n"), dict):
            _refuse(NOT_A_CARD, path, "content is required")
        if self._strict:
            self._known(part, _TEXT_ATTRIBUTES, path)

    def _known(self, part: Mapping[str, Any], names: str, path: str) -> None:
        unknown = sorted(part.keys() - set(names.split()))
        if unknown:
            _refuse(NOT_A_CARD, path, "unknown property", ", ".join(unknown))

    def _identify(self, part: Mapping[str, Any], path: str) -> None:
        given = part.get("element_id")
        if given is None:
            return
        if not isinstance(given, str) or not _ELEMENT_ID.fullmatch(given):
            _refuse(NOT_A_CARD, path, "element_id is a letter and up to 19 letters, digits or _", given)
        if given in self._ids:
            _refuse(NOT_A_CARD, path, "element_id is used twice", given)
        self._ids.add(given)

    def _count(self, path: str) -> None:
        self._elements += 1
        if self._elements > ELEMENTS:
            _refuse(TOO_MANY, path, f"element exceeds the limit of {ELEMENTS}")


def _behaviors(behaviors: object, path: str) -> None:
    for behavior in _objects(behaviors, path):
        match behavior.get("type"):
            case "callback" if isinstance(behavior.get("value"), dict | str):
                pass
            case "open_url" if _string(behavior.get("default_url")):
                pass
            case "form_action" if behavior.get("behavior") in ("submit", "reset"):
                pass
            case given:
                _refuse(NOT_A_CARD, path, "a behavior is callback{value}, open_url{default_url} or form_action", given)


def _form(form: Mapping[str, Any], path: str) -> None:
    inner = list(_within(form))
    for part in inner:
        if part.get("tag") in _NEED_A_NAME and not _string(part.get("name")):
            _refuse(NOT_A_CARD, path, "name is required inside a form", part.get("tag"))
    names = [part["name"] for part in inner if _string(part.get("name"))]
    if len(set(names)) < len(names):
        _refuse(NOT_A_CARD, path, "names inside a form are unique")
    if not any(_submits(part) for part in inner):
        _refuse(NOT_A_CARD, path, "a form needs a button that submits it")


def _submits(part: Mapping[str, Any]) -> bool:
    if part.get("tag") != "button":
        return False
    asked = any(behavior.get("behavior") == "submit" for behavior in part.get("behaviors", []))
    return asked or part.get("form_action_type") == "submit" or part.get("action_type") == "form_submit"


def _within(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for holder in ("elements", "columns", "actions"):
        if holder in " ".join(_ATTRIBUTES.get(part["tag"], ())).split():
            for each in part.get(holder, []):
                yield each
                yield from _within(each)


def _string(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _object(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _refuse(NOT_A_CARD, path, "an object is required", value)
    return value


def _objects(value: object, path: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        _refuse(NOT_A_CARD, path, "a list is required", value)
    return [_object(each, path) for each in value]


def _refuse(code: int, path: str, reason: str, value: object = None) -> NoReturn:
    raise Refused(code, path, reason, value)

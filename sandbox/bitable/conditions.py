"""The filter of a search, compiled to one function that says whether a record matches (FEISHU.md §5.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from . import periods, properties
from .refusals import refuse

if TYPE_CHECKING:
    from .fields import Field
    from .kinds import Terms
    from .table import Record, Table

CONDITIONS = 50
Match = Callable[["Record"], bool]
_Test = Callable[[Any], bool]

_EMPTINESS = ("isEmpty", "isNotEmpty")
_TEXTS = frozenset({properties.TEXT, properties.PHONE, properties.URL, properties.LOCATION, properties.AUTO_NUMBER})
_DATES = frozenset({properties.DATE_TIME, properties.CREATED_TIME, properties.MODIFIED_TIME})
_SETS = frozenset(
    {
        properties.SINGLE_SELECT,
        properties.MULTI_SELECT,
        properties.USER,
        properties.CREATED_USER,
        properties.MODIFIED_USER,
        properties.GROUP_CHAT,
        properties.SINGLE_LINK,
        properties.DUPLEX_LINK,
    }
)
_PEOPLE = frozenset({properties.USER, properties.CREATED_USER, properties.MODIFIED_USER})
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "is": lambda cell, asked: bool(cell == asked),
    "isGreater": lambda cell, asked: bool(cell > asked),
    "isGreaterEqual": lambda cell, asked: bool(cell >= asked),
    "isLess": lambda cell, asked: bool(cell < asked),
    "isLessEqual": lambda cell, asked: bool(cell <= asked),
}


def compile_filter(spec: Any, table: Table, terms: Terms) -> Match:
    """The function for a whole filter with at most one level of children.

    Raises 1254018 for whatever does not make sense and 1254107 beyond 50 conditions.
    """
    if not isinstance(spec, dict):
        raise refuse(1254018, "filter")
    children = spec.get("children") or []
    if not isinstance(children, list):
        raise refuse(1254018, "filter.children")
    groups = [spec, *children]
    if not all(isinstance(group, dict) and isinstance(group.get("conditions") or [], list) for group in groups):
        raise refuse(1254018, "filter.conditions")
    if any(group.get("children") for group in groups[1:]):
        raise refuse(1254018, "filter.children.children")
    if sum(len(group.get("conditions") or []) for group in groups) > CONDITIONS:
        raise refuse(1254107)
    inner = [_group(child, [], table, terms) for child in groups[1:]]
    return _group(spec, inner, table, terms)


def _group(spec: dict[str, Any], inner: list[Match], table: Table, terms: Terms) -> Match:
    conjunction = spec.get("conjunction") or "and"
    if conjunction not in ("and", "or"):
        raise refuse(1254018, "conjunction")
    matches = [_condition(one, table, terms) for one in spec.get("conditions") or []] + inner
    if not matches:
        return lambda record: True
    if len(matches) == 1:
        return matches[0]
    if conjunction == "and":
        return lambda record: all(match(record) for match in matches)
    return lambda record: any(match(record) for match in matches)


def _condition(spec: Any, table: Table, terms: Terms) -> Match:
    if not isinstance(spec, dict):
        raise refuse(1254018, "conditions")
    field = table.named(spec.get("field_name"), 1254018)
    operator, asked = spec.get("operator"), spec.get("value")
    asked = [] if asked is None else asked
    if not isinstance(asked, list) or not all(isinstance(value, str) for value in asked):
        raise refuse(1254018, f"{field.name}.value")
    test = _test(field, operator, asked, table, terms) if isinstance(operator, str) else None
    if test is None:
        raise refuse(1254018, f"{field.name}.{operator}")
    if field.type > 1000:
        return lambda record: test(table.cell(record, field))
    column = field.column
    return lambda record: test(record.values[column])


def _test(field: Field, operator: Any, asked: list[str], table: Table, terms: Terms) -> _Test | None:
    """What a cell has to satisfy, None when the operator or its value does not suit the field."""
    if field.type in (properties.FORMULA, properties.LOOKUP):
        return None
    if field.type == properties.CHECKBOX:
        return _checkbox(operator, asked)
    if operator in _EMPTINESS:
        if asked:
            return None
        return (lambda cell: cell is None) if operator == "isEmpty" else (lambda cell: cell is not None)
    if not asked:
        return None
    if field.type in _TEXTS:
        return _text(field, operator, asked)
    if field.type == properties.NUMBER:
        return _number(operator, asked)
    if field.type in _DATES:
        return _date(operator, asked, table)
    if field.type in _SETS:
        return _chosen(field, operator, asked, terms)
    return None


def _text(field: Field, operator: Any, asked: list[str]) -> _Test | None:
    if operator not in ("is", "isNot", "contains", "doesNotContain") or len(asked) != 1:
        return None
    wanted = asked[0]
    of: Callable[[Any], str] = (lambda cell: str(cell[1])) if field.type == properties.URL else str
    test: _Test
    if operator in ("is", "isNot"):
        test = lambda cell: cell is not None and of(cell) == wanted  # noqa: E731
    else:
        test = lambda cell: cell is not None and wanted in of(cell)  # noqa: E731
    return _negated(test) if operator in ("isNot", "doesNotContain") else test


def _number(operator: Any, asked: list[str]) -> _Test | None:
    try:
        wanted = float(asked[0])
    except ValueError:
        return None
    if len(asked) != 1 or wanted != wanted:
        return None
    if operator == "isNot":
        return lambda cell: cell is None or cell != wanted
    if (compare := _ORDERS.get(operator)) is None:
        return None
    return lambda cell: cell is not None and compare(cell, wanted)


def _date(operator: Any, asked: list[str], table: Table) -> _Test | None:
    zone = ZoneInfo(table.base.time_zone)
    word, *rest = asked
    if word == "ExactDate":
        if len(rest) != 1:
            return None
        try:
            start, end = periods.day_of(int(rest[0]), zone)
        except (ValueError, OverflowError, OSError):
            return None
    else:
        span = periods.period(word, table.base.now_ms(), zone)
        if span is None or rest or (word in periods.SPANS and operator != "is"):
            return None
        start, end = span
    match operator:
        case "is":
            return lambda cell: cell is not None and start <= cell < end
        case "isGreater":
            return lambda cell: cell is not None and cell >= end
        case "isLess":
            return lambda cell: cell is not None and cell < start
    return None


def _checkbox(operator: Any, asked: list[str]) -> _Test | None:
    if operator != "is" or asked not in (["true"], ["false"]):
        return None
    wanted = asked == ["true"]
    return lambda cell: bool(cell) == wanted


def _chosen(field: Field, operator: Any, asked: list[str], terms: Terms) -> _Test | None:
    """Options by name, people, chats and records by id: ``is`` means exactly these, ``contains`` any of them."""
    wanted: set[Any] = set(asked)
    if field.type in _PEOPLE:
        wanted = {terms.open_id(person) for person in asked}
    of = _members(field)
    test: _Test
    if operator in ("is", "isNot"):
        test = lambda cell: cell is not None and of(cell) == wanted  # noqa: E731
    elif operator in ("contains", "doesNotContain"):
        test = lambda cell: cell is not None and not wanted.isdisjoint(of(cell))  # noqa: E731
    else:
        return None
    return _negated(test) if operator in ("isNot", "doesNotContain") else test


def _members(field: Field) -> Callable[[Any], set[Any]]:
    match field.type:
        case properties.SINGLE_SELECT:
            return lambda cell: {cell.name}
        case properties.MULTI_SELECT:
            return lambda cell: {option.name for option in cell}
    return set


def _negated(test: _Test) -> _Test:
    """An empty cell is not, and does not contain, whatever is asked."""
    return lambda cell: not test(cell)


def sort_key(field: Field) -> Callable[[Any], Any]:
    """What a field's cells are ordered by: options in the order of the field, everything else by what it shows."""
    options: Sequence[Any] = list((field.options or {}).values())
    rank = {option.option_id: position for position, option in enumerate(options)}
    match field.type:
        case properties.SINGLE_SELECT:
            return lambda cell: rank[cell.option_id]
        case properties.MULTI_SELECT:
            return lambda cell: [rank[option.option_id] for option in cell]
        case properties.URL:
            return lambda cell: cell[1]
        case properties.AUTO_NUMBER:
            return int
    return lambda cell: cell

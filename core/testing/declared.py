"""The context as the harness hands it to hooks: the same one, but an ``Undeclared`` that a plugin catches is noted."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..context import Context, TableView
from ..errors import Undeclared

T = TypeVar("T")
Note = Callable[[Undeclared], None]

_CHECKED: Final = frozenset(
    {"answer", "armed", "attach", "call", "groups", "names", "publish", "read", "schedule", "send", "table"}
)
_CHECKED_OF_TABLES: Final = frozenset({"add", "delete", "find", "get", "set"})


class DeclaredContext(Context[Any]):
    """Everything of another context, shared and not copied."""

    def __init__(self, context: Context[Any], note: Note) -> None:
        self.__dict__ = context.__dict__
        self.note_undeclared = note

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return _noting(value, super().__getattribute__("note_undeclared")) if name in _CHECKED else value


class _DeclaredTable(TableView):
    def __init__(self, view: TableView, note: Note) -> None:
        self.__dict__ = view.__dict__
        self.note_undeclared = note

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return _noting(value, super().__getattribute__("note_undeclared")) if name in _CHECKED_OF_TABLES else value


def _noting(method: Callable[..., T], note: Note) -> Callable[..., Any]:
    """``method``, which tells ``note`` of an ``Undeclared`` before it raises it."""
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def awaited(*given: Any, **named: Any) -> Any:
            try:
                return await method(*given, **named)
            except Undeclared as error:
                note(error)
                raise

        return awaited

    @functools.wraps(method)
    def called(*given: Any, **named: Any) -> Any:
        try:
            result = method(*given, **named)
        except Undeclared as error:
            note(error)
            raise
        return _DeclaredTable(result, note) if isinstance(result, TableView) else result

    return called

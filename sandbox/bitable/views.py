"""The views of a table: names and kinds only, every view shows every record (FEISHU.md §5.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .refusals import refuse

VIEWS_PER_TABLE = 200
NAME_LENGTH = 100
TYPES = ("grid", "kanban", "gallery", "gantt", "form")


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at a table."""

    view_id: str
    name: str
    type: str

    def shown(self) -> dict[str, str]:
        """As the view API answers it."""
        return {"view_id": self.view_id, "view_name": self.name, "view_type": self.type}


class Views:
    """The views of one table in the order of their creation."""

    def __init__(self, new_id: Callable[[str], str]) -> None:
        self._new_id = new_id
        self._views: dict[str, View] = {}

    def __iter__(self) -> Any:
        return iter(self._views.values())

    def add(self, name: Any, type_: Any = "grid") -> View:
        """A new view. Raises 1254019 (type), 1254020–1254022 (name), 1254101 (more than 200)."""
        if not isinstance(name, str) or not name.strip():
            raise refuse(1254021, "view_name")
        if len(name) > NAME_LENGTH or any(sign in name for sign in "[]"):
            raise refuse(1254022, "view_name")
        if type_ not in TYPES:
            raise refuse(1254019, "view_type")
        if any(view.name == name for view in self._views.values()):
            raise refuse(1254020, "view_name")
        if len(self._views) >= VIEWS_PER_TABLE:
            raise refuse(1254101)
        view = View(self._new_id("vew"), name, type_)
        self._views[view.view_id] = view
        return view

    def check(self, view_id: str) -> None:
        """Raises 1254005 for what is no view id and 1254042 for one of no view here."""
        if not isinstance(view_id, str) or not view_id.startswith("vew"):
            raise refuse(1254005, "view_id")
        if view_id not in self._views:
            raise refuse(1254042, "view_id")

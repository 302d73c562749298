"""What the app itself may do: granted scopes, asking for more, live connections (FEISHU.md §8.2, §1.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..endpoint import Call, Endpoint
from ..people import App
from ..permissions import KNOWN, SUPER
from ..reply import ApiError

NOT_INSTALLED = 212100
ONLY_SUPER, NOTHING_TO_GRANT, TOO_OFTEN, ASKED_ALREADY = 212001, 212002, 212003, 212004
MOST_APPLICATIONS = 10
"""Of one version of the app; this one never gets another."""


class Application:
    """The operations on the app."""

    def __init__(self, app: App, connections: Callable[[], int]) -> None:
        self._app = app
        self._connections = connections
        self._asked: list[frozenset[str]] = []

    async def scopes(self, _: Call) -> dict[str, Any]:
        """Every scope there is, with ``grant_status`` 1 = granted, 2 = not."""
        self._installed()
        names = sorted(KNOWN | self._app.scopes)
        return {
            "scopes": [
                {"scope_name": name, "grant_status": 1 if name in self._app.scopes else 2, "scope_type": "tenant"}
                for name in names
            ]
        }

    async def apply(self, _: Call) -> dict[str, Any]:
        """Asks the administrator for what is not granted; who answers is ``PATCH /sandbox/scopes``."""
        self._installed()
        missing = frozenset(KNOWN - self._app.scopes)
        if not missing:
            raise ApiError(NOTHING_TO_GRANT, "no scopes need to be granted")
        if missing <= SUPER:
            raise ApiError(ONLY_SUPER, "only super scopes are left, which are not applied for this way")
        if missing in self._asked[-1:]:
            raise ApiError(ASKED_ALREADY, "the same application was made before")
        if len(self._asked) == MOST_APPLICATIONS:
            raise ApiError(TOO_OFTEN, f"at most {MOST_APPLICATIONS} applications for one version")
        self._asked.append(missing)
        return {}

    def _installed(self) -> None:
        if not self._app.enabled:
            raise ApiError(NOT_INSTALLED, "the app is not installed")

    async def connection(self, _: Call) -> dict[str, Any]:
        """How many long connections there are."""
        return {"online_instance_cnt": self._connections()}

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        scopes = "/open-apis/application/v6/scopes"
        return [
            Endpoint("application.v6.scope.list", "GET", scopes, self.scopes),
            Endpoint("application.v6.scope.apply", "POST", f"{scopes}/apply", self.apply),
            Endpoint("event.v1.connection.get", "GET", "/open-apis/event/v1/connection", self.connection),
        ]

"""What the app itself was granted, and asking its administrator for more (FEISHU.md §8.2)."""

from __future__ import annotations

from typing import Final

from .pages import entries
from .transport import Api, Operation

_SCOPES: Final = "/open-apis/application/v6/scopes"
SCOPES: Final = Operation("application.v6.scope.list", "GET", _SCOPES)
APPLY: Final = Operation("application.v6.scope.apply", "POST", f"{_SCOPES}/apply")

GRANTED: Final = 1
ASKED_ALREADY: Final = 212004
REFUSALS: Final = {
    212001: "what is left can be granted in the developer console only; open the link above",
    212002: "these scopes are not on the app's list yet; import the JSON above in the developer console first",
    212003: "the administrator was asked ten times for this version; create and publish a new version first",
    212100: "the app is not installed; create a version in the developer console and publish it",
}
"""Why the administrator is not asked, and what to do, by the platform's code."""


async def granted(api: Api) -> frozenset[str]:
    """The scopes that the app may use as itself. Raises ``ApiFailure``."""
    listed = entries(SCOPES, (await api.call(SCOPES)).get("scopes"), "scope_name")
    return frozenset(
        str(one["scope_name"])
        for one in listed
        if one.get("grant_status") == GRANTED and one.get("scope_type", "tenant") == "tenant"
    )


async def ask_for_grants(api: Api) -> None:
    """Ask the administrator for every scope that is on the app's list and not granted. Raises ``ApiFailure``."""
    await api.call(APPLY)

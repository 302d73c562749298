"""Tokens and scopes: who may call what (FEISHU.md §3.1, §3.3, §0)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .ids import Ids
from .people import App
from .reply import ApiError, log_id

REUSED_ABOVE = 0.25
"""The share of its life below which a token is not handed out again: 30 minutes of two hours."""

MISSING, TENANT_INVALID, USER_INVALID, NOT_A_TOKEN = 99991661, 99991663, 99991668, 99991671
NO_SCOPE = 99991672
BAD_PARAMETER, APP_DISABLED, WRONG_SECRET = 10003, 10014, 10015


class Tokens:
    """Tenant tokens of one app. ``clock`` is in seconds; ``lifetime`` too."""

    def __init__(self, app: App, ids: Ids, lifetime: float, clock: Callable[[], float]) -> None:
        self._app = app
        self._ids = ids
        self._lifetime = lifetime
        self._clock = clock
        self._expiry: dict[str, float] = {}
        self._newest = ""

    def issue(self, body: Mapping[str, Any]) -> tuple[str, int]:
        """The token for these credentials and the whole seconds it has left.

        The newest one again while it has a quarter of its life left (30 minutes of two hours); after that a new one,
        and both are valid. Raises ``ApiError`` 10003, 10014 or 10015.
        """
        app_id, secret = body.get("app_id"), body.get("app_secret")
        if not isinstance(app_id, str) or not isinstance(secret, str) or app_id != self._app.app_id:
            raise ApiError(BAD_PARAMETER, "invalid param: app_id or app_secret")
        if secret != self._app.secret:
            raise ApiError(WRONG_SECRET, "app secret invalid")
        if not self._app.enabled:
            raise ApiError(APP_DISABLED, "app unauthorized: it is disabled")
        now = self._clock()
        left = self._expiry.get(self._newest, now) - now
        if left < self._lifetime * REUSED_ABOVE:
            self._expiry = {token: expiry for token, expiry in self._expiry.items() if expiry > now}
            self._newest = f"t-g1{self._ids.letters(38)}"
            self._expiry[self._newest] = now + self._lifetime
            left = self._lifetime
        return self._newest, int(left)

    def check(self, authorization: str | None) -> None:
        """Lets a request with a valid ``Authorization: Bearer t-…`` pass. Raises ``ApiError``."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise ApiError(
                MISSING, "Missing access token for authorization. Please make a request with token attached."
            )
        if token.startswith(("u-", "eyJ")):
            raise ApiError(USER_INVALID, "Invalid access token for authorization: no user token is known here.")
        if not token.startswith("t-"):
            raise ApiError(NOT_A_TOKEN, "Invalid access token format: it must start with t- or u-.")
        if self._expiry.get(token, 0.0) <= self._clock():
            raise ApiError(
                TENANT_INVALID,
                "Invalid access token for authorization. Please make a request with token attached.",
            )

    def revoke(self) -> None:
        """Makes every token invalid at once."""
        self._expiry.clear()


def require(app: App, scopes: Iterable[str]) -> None:
    """Passes when one of ``scopes`` is granted or none is needed. Raises ``ApiError`` 99991672 (FEISHU.md §0)."""
    needed = tuple(scopes)
    if app.may(needed):
        return
    listed = ", ".join(needed)
    identity = log_id()
    raise ApiError(
        NO_SCOPE,
        f"Access denied. One of the following scopes is required: [{listed}].",
        error={
            "log_id": identity,
            "troubleshooter": (
                f"排查建议查看(Troubleshooting suggestions): https://open.feishu.cn/search?log_id={identity}"
            ),
            "permission_violations": [{"type": "action_scope_required", "subject": scope} for scope in needed],
            "helps": [
                {
                    "url": f"https://open.feishu.cn/app/{app.app_id}/auth?q={','.join(needed)}&op_from=openapi",
                    "description": "Learn more",
                }
            ],
        },
    )

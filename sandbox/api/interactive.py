"""``interactive/v1/card/update``: a later card for who used the one before (FEISHU.md §2.10)."""

from __future__ import annotations

from typing import Any

from ..endpoint import Call, Endpoint
from ..permissions import UPDATE
from ..presses import NO_UPDATE, Presses
from ..reply import ApiError


class Interactive:
    """The one operation."""

    def __init__(self, presses: Presses) -> None:
        self._presses = presses

    async def update(self, call: Call) -> dict[str, Any]:
        """The card anew; ``open_ids`` of a card that is not everybody's are passed over."""
        token, card = call.body.get("token"), call.body.get("card")
        if not isinstance(token, str) or not isinstance(card, dict):
            raise ApiError(NO_UPDATE, "token and card are required")
        self._presses.update(token, {name: value for name, value in card.items() if name != "open_ids"})
        return {}

    def endpoints(self) -> list[Endpoint]:
        """The operation as a row."""
        path = "/open-apis/interactive/v1/card/update"
        return [Endpoint("interactive.v1.card.update", "POST", path, self.update, UPDATE)]

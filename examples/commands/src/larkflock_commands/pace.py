"""How often one person may ask; a pure rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MINUTE: Final = 60_000


def allowed(before: Sequence[int], now: int, per_minute: int) -> list[int] | None:
    """The moments (ms UTC) to remember when asking at ``now`` is allowed after those ``before``; None when not."""
    recent = [moment for moment in before if now - MINUTE < moment <= now]
    return [*recent, now] if len(recent) < per_minute else None

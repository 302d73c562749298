"""What an operator can choose, ``[plugins.pin.config]`` in ``plugins.toml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core import Config, env


class Watching(Config):
    """How pins are watched, kept and announced."""

    interval: int | None = env("PIN_MONITOR_INTERVAL", None, ge=10, le=3600)
    """Seconds from one look at all groups to the next; unset = as often as the month's API calls allow."""
    announce: bool = True
    """A card in the group tells of each new pin."""
    unpinned: Literal["delete", "mark"] = "delete"
    """What happens to the row of a pin that was taken off."""
    audit: bool = False
    """A card in the group lists the week's pins."""
    audit_day: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = "mon"
    audit_time: str = Field("09:00", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    """Where the group lives (``TIMEZONE``)."""

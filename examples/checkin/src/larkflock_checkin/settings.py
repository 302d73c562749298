"""What the operator decides: ``[plugins.checkin.config]`` in ``plugins.toml``."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from core import Config


class CheckinConfig(Config):
    """How the game is played."""

    words: tuple[str, ...] = Field(("签到",), min_length=1)
    """What a message has to say, and nothing else beside mentions."""
    board_words: tuple[str, ...] = ("签到榜",)
    """What shows the leaderboard."""
    replies: bool = True
    """Whether a check-in is answered; each answer is one API call."""
    longest: int = Field(70, ge=1, le=70)
    """Days in a row after which a day earns no more than the one before."""
    board_time: Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")] = ""
    """When the leaderboard is sent each day (``TIMEZONE``), e.g. ``21:00``; empty = only when it is asked for."""
    board_size: int = Field(10, ge=1, le=50)
    """People on the leaderboard."""
    timezones: dict[str, str] = Field(default_factory=dict)
    """Groups that live elsewhere: their IANA time zone by chat_id; the others live in ``TIMEZONE``."""

    @field_validator("timezones")
    @classmethod
    def _zones(cls, value: dict[str, str]) -> dict[str, str]:
        for chat_id, name in value.items():
            if not chat_id.startswith("oc_"):
                raise ValueError(f"a group's ID starts with oc_, not {chat_id!r}")
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError(f"{name!r} is no time zone; use a name such as Asia/Tokyo") from error
        return value

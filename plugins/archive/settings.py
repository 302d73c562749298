"""What the operator decides: ``[plugins.archive.config]`` in ``plugins.toml``."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from .llm.settings import LlmConfig, LlmSettings

PATIENCE: Final = 240
"""Seconds one topic may take at the most; less than the timeout of the schedule that summarises."""

Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class ArchiveConfig(LlmConfig):
    """How messages are kept, topics counted and told about."""

    recalled: Literal["blank", "keep"] = "blank"
    """What happens to the content of a message that is taken back; it is marked either way."""
    topic_min_replies: int = Field(1, ge=1, le=1000)
    """Replies a topic needs for a row of its own."""
    summaries: bool = True
    """Whether topics get 摘要 and 关键词."""
    summary_quiet_minutes: int = Field(10, ge=0, le=1440)
    """A topic is summarised when nothing was said in it for so long,"""
    summary_busy_minutes: int = Field(120, ge=1, le=10_080)
    """and so long after the first change at the latest."""
    digest: Literal["off", "daily", "weekly"] = "off"
    """A card with the topics of the day or week."""
    digest_time: Clock = "09:30"
    """When it is sent, where the group lives (``TIMEZONE``)."""
    digest_weekday: int = Field(1, ge=1, le=7)
    """On which day a weekly one is sent; 1 = Monday."""
    digest_chat: str = Field("", pattern=r"^(oc_\w+)?$")
    """The chat that gets the cards of all groups; empty = each group its own."""
    grouping: bool = False
    """Whether messages that answer without replying are put into the topic they seem to belong to."""

    @field_validator("llm")
    @classmethod
    def _in_time(cls, value: LlmSettings) -> LlmSettings:
        if value.patience > PATIENCE:
            raise ValueError(f"patience is at most {PATIENCE}: the plugin's events wait meanwhile")
        return value

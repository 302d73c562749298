"""What the operator decides: ``[plugins.assistant.config]`` in ``plugins.toml``, and the key in the environment."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from core import Config, env


class AssistantConfig(Config):
    """Which model answers, how, and how much it may cost."""

    api_key: SecretStr = env("ASSISTANT_API_KEY", SecretStr(""))
    """From the environment or ``.env``; it does not belong in ``plugins.toml``. A model on this machine needs none."""
    base_url: str = "https://api.deepseek.com"
    """Any endpoint that speaks OpenAI's chat completions: https, or http on this machine."""
    model: str = Field("deepseek-v4-flash", min_length=1, max_length=200)
    temperature: float | None = Field(None, ge=0, le=2)
    """Unset = the model's own."""
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int = Field(1_000, ge=50, le=32_000)
    """Tokens of one answer, thoughts included."""
    thinking: Literal["on", "off", "default"] = "off"
    """Whether the model thinks before it answers, asked for as the provider of ``base_url`` takes it; ``default``: the
    model's own way, and nothing is asked for."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Added to each request as it is, for what only one provider knows."""
    system: str = Field("你是群里的助手，回答简短、准确；不知道就说不知道。", max_length=8_000)
    """What the model is told before every conversation."""
    memory_turns: int = Field(20, ge=0, le=200)
    """Questions and answers of a thread that the model is given again, the latest;"""
    memory_tokens: int = Field(6_000, ge=200, le=200_000)
    """and how many tokens they and the question may come to, roughly."""
    daily_tokens: int = Field(200_000, ge=0)
    """Tokens a day (``TIMEZONE``), questions and answers together; then the assistant rests until midnight."""
    updates: int = Field(8, ge=0, le=100)
    """Times a card grows while its answer comes, each an API call; 0 = the answer appears when it is complete."""
    reserve: int = Field(500, ge=0)
    """API calls of the month that are left to others: with fewer left nothing is answered."""
    timeout: float = Field(90.0, gt=0, le=540)
    """Seconds one answer may take."""
    forget: tuple[str, ...] = ("清空", "停", "stop")
    """What stops an answer and makes a conversation begin anew."""

    @field_validator("base_url")
    @classmethod
    def _safe(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            host = parts.hostname or ""
        except ValueError as error:
            raise ValueError("is no URL") from error
        secure = parts.scheme == "https" or (parts.scheme == "http" and _this_machine(host))
        if not host or not secure or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("is an https URL without user and query (plain http only for this machine)")
        return value

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if not self.api_key.get_secret_value() and not _this_machine(self.host):
            raise ValueError(f"there is no key for {self.host}; set ASSISTANT_API_KEY in the environment or .env")
        return self

    @property
    def host(self) -> str:
        """Where the model is."""
        return urlsplit(self.base_url).hostname or ""


def _this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

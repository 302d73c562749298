"""What the operator decides about language models: ``[plugins.archive.config.llm]`` and the keys in the environment."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from core import Config, env

from .providers import PRESETS, Preset, Provider

_OWN: Final = Preset("LLM_API_KEY", "", "")
"""An endpoint without a preset; one on this machine may need no key."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class Endpoint(Config):
    """``[plugins.archive.config.llm.endpoints.<provider>]``: what differs from the preset, or an own endpoint."""

    base_url: str = ""
    """https, or http on this machine; ``/chat/completions`` is added. Empty = the preset's."""
    model: Annotated[str, Field(max_length=200)] = ""
    """Empty = the preset's."""
    per_minute: int = Field(default=20, ge=1, le=10_000)
    """Requests a minute."""
    json_mode: bool = True
    """Ask for ``response_format`` json_object; turn off for an endpoint that refuses it."""
    extra: dict[str, Any] | None = None
    """Added to each request instead of the preset's additions."""

    @field_validator("base_url")
    @classmethod
    def _safe(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            host = parts.hostname or ""
        except ValueError as error:
            raise ValueError("is no URL") from error
        if parts.username is not None or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("is a URL without user, query and fragment")
        if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _this_machine(host))):
            raise ValueError("is an https URL (plain http only for this machine)")
        return value


class LlmSettings(Config):
    """Summaries by a language model. Nothing is sent anywhere unless ``enabled``."""

    enabled: bool = False
    providers: tuple[Name, ...] = ("deepseek",)
    """In the order they are tried: deepseek, qwen, zhipu, doubao, gemini, openai, or a name from ``endpoints``."""
    endpoints: dict[Name, Endpoint] = Field(default_factory=dict)
    daily_tokens: int = Field(default=200_000, ge=0)
    """Tokens a day (``TIMEZONE``), questions and answers, all providers together."""
    daily_calls: int = Field(default=200, ge=0)
    """Requests a day, repeated ones too."""
    batch_tokens: int = Field(default=6_000, ge=500, le=200_000)
    """Tokens of messages in one request; a longer topic is summarised in parts, which are then merged."""
    answer_tokens: int = Field(default=1_200, ge=100, le=32_000)
    """Tokens of an answer."""
    summary_length: int = Field(default=400, ge=50, le=4_000)
    """Code points of a summary."""
    timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds for one request."""
    patience: float = Field(default=120.0, gt=0, le=3_600)
    """Seconds for one topic, with all repetitions and providers; then it gets the extractive summary."""
    attempts: int = Field(default=3, ge=1, le=10)
    """Requests to one provider before the next is asked."""
    redact: bool = True
    """Take out phone, ID and card numbers, e-mail addresses and keys before anything is sent."""
    redact_names: bool = False
    """Send placeholders for the names of the people too; they are put back in the answer."""

    @field_validator("providers")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("names at least one provider, and each once")
        return value

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in self.providers:
            if name not in PRESETS and not (self.of(name).base_url and self.of(name).model):
                raise ValueError(
                    f"provider {name!r} is none of {', '.join(PRESETS)}; "
                    f"an own one needs base_url and model in endpoints.{name}"
                )
        return self

    def of(self, name: str) -> Endpoint:
        """What is set for one provider."""
        return self.endpoints.get(name) or Endpoint()


class LlmConfig(Config):
    """The part of the plugin's configuration that a language model needs; the plugin's own configuration extends it."""

    llm: LlmSettings = LlmSettings()
    deepseek_api_key: SecretStr = env("DEEPSEEK_API_KEY", SecretStr(""))
    qwen_api_key: SecretStr = env("QWEN_API_KEY", SecretStr(""))
    zhipu_api_key: SecretStr = env("ZHIPU_API_KEY", SecretStr(""))
    doubao_api_key: SecretStr = env("DOUBAO_API_KEY", SecretStr(""))
    gemini_api_key: SecretStr = env("GEMINI_API_KEY", SecretStr(""))
    chatgpt_api_key: SecretStr = env("CHATGPT_API_KEY", SecretStr(""))
    llm_api_key: SecretStr = env("LLM_API_KEY", SecretStr(""))
    """Of an endpoint without a preset."""

    @model_validator(mode="after")
    def _keys(self) -> Self:
        missing = [
            PRESETS[name].key
            for name in self.llm.providers
            if self.llm.enabled and name in PRESETS and not self._key(PRESETS[name]).get_secret_value()
        ]
        if missing:
            raise ValueError(f"llm.providers needs {', '.join(missing)} in the environment")
        return self

    def llm_providers(self) -> tuple[Provider, ...]:
        """The endpoints to ask, in order; none while ``llm.enabled`` is false."""
        return tuple(self._provider(name) for name in self.llm.providers) if self.llm.enabled else ()

    def _provider(self, name: str) -> Provider:
        preset, set_ = PRESETS.get(name, _OWN), self.llm.of(name)
        return Provider(
            name,
            set_.base_url or preset.base_url,
            set_.model or preset.model,
            self._key(preset),
            preset.extra if set_.extra is None else set_.extra,
            preset.limit,
            set_.json_mode,
            set_.per_minute,
        )

    def _key(self, preset: Preset) -> SecretStr:
        key: SecretStr = getattr(self, preset.key.lower())
        return key


def _this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

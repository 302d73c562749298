"""The providers with presets (FEISHU.md §11). Model names age quickly: ``model`` in the settings replaces them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Preset:
    """What a provider is called by, where it is, and how its dialect differs."""

    key: str
    """The environment name of its API key."""
    base_url: str
    model: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Added to each request; a summary needs no thinking aloud, which costs tokens and time."""
    limit: str = "max_tokens"
    """The name of the field that bounds the answer."""


PRESETS: Final[Mapping[str, Preset]] = {
    "deepseek": Preset(
        "DEEPSEEK_API_KEY", "https://api.deepseek.com", "deepseek-v4-flash", {"thinking": {"type": "disabled"}}
    ),
    "qwen": Preset(
        "QWEN_API_KEY",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "qwen-flash",
        {"enable_thinking": False},
    ),
    "zhipu": Preset(
        "ZHIPU_API_KEY", "https://open.bigmodel.cn/api/paas/v4/", "glm-4.7", {"thinking": {"type": "disabled"}}
    ),
    "doubao": Preset(
        "DOUBAO_API_KEY",
        "https://ark.cn-beijing.volces.com/api/v3",
        "doubao-seed-1-6-flash-250828",
        {"thinking": {"type": "disabled"}},
    ),
    "gemini": Preset(
        "GEMINI_API_KEY",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        "gemini-3.5-flash-lite",
        {"reasoning_effort": "low"},
    ),
    "openai": Preset(
        "CHATGPT_API_KEY",
        "https://api.openai.com/v1",
        "gpt-5.4-mini",
        {"reasoning_effort": "low"},
        limit="max_completion_tokens",
    ),
}


@dataclass(frozen=True, slots=True)
class Provider:
    """One endpoint as it is asked: a preset with what the operator changed, or the operator's own."""

    name: str
    base_url: str
    model: str
    key: SecretStr
    """Empty where none is needed."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    limit: str = "max_tokens"
    json_mode: bool = True
    """Whether ``response_format`` json_object is asked for."""
    per_minute: int = 20
    """Requests a minute."""

    @property
    def url(self) -> str:
        """Where questions are posted."""
        return f"{self.base_url.rstrip('/')}/chat/completions"

    @property
    def label(self) -> str:
        """``provider/model``, as summaries and logs name it."""
        return f"{self.name}/{self.model}"

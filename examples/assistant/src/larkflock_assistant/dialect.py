"""How providers want to be asked for the same: what one calls so, another calls otherwise; a pure rule."""

from __future__ import annotations

from typing import Any, Final, Literal

_SWITCHED: Final = ("aliyuncs.com", "siliconflow.cn")
"""Hosts that take ``enable_thinking``."""
_GRADED: Final = ("openai.com", "googleapis.com")
"""Hosts that take ``reasoning_effort``."""
_COUNTED_WHOLE: Final = ("openai.com",)
"""Hosts whose bound of an answer has another name, as it counts thoughts too."""


def options(host: str, *, max_tokens: int, thinking: Literal["on", "off", "default"]) -> dict[str, Any]:
    """The part of a request that is not the same everywhere; ``default`` is left to the model."""
    asked: dict[str, Any] = {"max_completion_tokens" if _is_of(host, _COUNTED_WHOLE) else "max_tokens": max_tokens}
    if thinking == "default":
        return asked
    on = thinking == "on"
    if _is_of(host, _SWITCHED):
        return asked | {"enable_thinking": on}
    if _is_of(host, _GRADED):
        return asked | {"reasoning_effort": "medium" if on else "low"}
    return asked | {"thinking": {"type": "enabled" if on else "disabled"}}


def _is_of(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)

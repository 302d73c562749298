"""The language model: one conversation in, a growing answer out, through the library of OpenAI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from .memory import Said
from .settings import AssistantConfig

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Unanswered(Exception):
    """The model gave no answer; the text says why, in words that a group may read."""


class Model:
    """One endpoint; ``close`` it in the loop it was used in."""

    def __init__(self, config: AssistantConfig) -> None:
        self._config = config
        self._client: AsyncOpenAI | None = None

    async def answer(self, chat: Sequence[Said]) -> AsyncIterator[str]:
        """The answer so far, again and again as it grows. Raises ``Unanswered``."""
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        config = self._config
        text = ""
        options: dict[str, Any] = {"temperature": config.temperature, "top_p": config.top_p}
        try:
            stream = await self._open().chat.completions.create(
                model=config.model,
                messages=cast("Any", list(chat)),
                max_tokens=config.max_tokens,
                stream=True,
                extra_body=config.thinking_option,
                **{name: value for name, value in options.items() if value is not None},
            )
            async with stream:
                async for chunk in stream:
                    added = chunk.choices[0].delta.content if chunk.choices else None
                    if added:
                        text += added
                        yield text
        except APITimeoutError as error:
            raise Unanswered("模型没有及时回答") from error
        except APIConnectionError as error:
            raise Unanswered("连不上模型") from error
        except APIStatusError as error:
            raise Unanswered(f"模型拒绝了请求（HTTP {error.status_code}）") from error
        except APIError as error:
            raise Unanswered("模型的回答中断了") from error
        if not text:
            raise Unanswered("模型没有给出回答")

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _open(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI

            key = self._config.api_key.get_secret_value()
            self._client = AsyncOpenAI(
                api_key=key or "none", base_url=self._config.base_url, timeout=self._config.timeout, max_retries=2
            )
        return self._client

"""The language model: one conversation in, a growing answer out, through the library of OpenAI."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from . import dialect
from .draft import Draft
from .settings import AssistantConfig

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Unanswered(Exception):
    """The model gave no whole answer; the text says why, in words that a group may read."""


class Model:
    """One endpoint; ``close`` it in the loop it was used in."""

    def __init__(self, config: AssistantConfig) -> None:
        self._config = config
        self._client: AsyncOpenAI | None = None

    async def open(self) -> AsyncOpenAI:
        """Make ready to ask, which takes long for the first time."""
        if self._client is None:
            await asyncio.to_thread(import_module, "openai")  # It takes a second, in which no event would be heard.
        if self._client is None:
            self._client = self._connected()
        return self._client

    async def write(self, draft: Draft) -> None:
        """Have the draft's text grow until the answer is whole, or no longer wanted. Raises ``Unanswered``."""
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        try:
            await self._write(draft)
        except APITimeoutError as error:
            raise Unanswered("模型没有及时回答") from error
        except APIConnectionError as error:
            raise Unanswered("连不上模型") from error
        except APIStatusError as error:
            raise Unanswered(f"模型拒绝了请求（HTTP {error.status_code}）") from error
        except (APIError, ValueError) as error:  # A line that is no JSON is a ValueError.
            raise Unanswered("模型的回答中断了") from error
        if draft.wanted and not draft.text:
            raise Unanswered("模型没有给出回答")

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _write(self, draft: Draft) -> None:
        client, config, written = await self.open(), self._config, ""
        sampling = {"temperature": config.temperature, "top_p": config.top_p}
        options = dialect.options(config.host, max_tokens=config.max_tokens, thinking=config.thinking)
        chosen = {name: value for name, value in sampling.items() if value is not None}
        stream = await client.chat.completions.create(
            model=config.model,
            messages=cast("Any", draft.chat),
            stream=True,
            extra_body=options | chosen | config.extra,
        )
        async with stream:
            async for chunk in stream:
                if not draft.wanted:
                    return
                written += (chunk.choices[0].delta.content if chunk.choices else None) or ""
                draft.text = _storable(written)
                draft.counted = chunk.usage.total_tokens if chunk.usage else draft.counted

    def _connected(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        config = self._config
        return AsyncOpenAI(
            api_key=config.api_key.get_secret_value() or "none",
            base_url=config.base_url,
            timeout=config.timeout,
            max_retries=2,
            http_client=DefaultAsyncHttpxClient(follow_redirects=False),  # A conversation goes nowhere else.
        )


def _storable(text: str) -> str:
    """Halves of characters that came apart are put together, or replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

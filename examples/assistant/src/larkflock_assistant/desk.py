"""The answers that are being written right now, some side by side. A crash forgets them: they are asked for again.

It knows the model and nothing of the platform; hooks look at it, and store what has to last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from .draft import Draft
from .memory import Said
from .model import Model, Unanswered
from .settings import AssistantConfig

AT_ONCE: Final = 4
"""Answers that are written side by side; the others wait."""


class Desk:
    """Made in ``startup``, closed in ``shutdown``; in between it belongs to the plugin's loop."""

    def __init__(self, config: AssistantConfig) -> None:
        self._model = Model(config)
        self._config = config
        self._drafts: dict[str, Draft] = {}
        self._waiting: asyncio.Queue[Draft] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._writers = [asyncio.create_task(self._write()) for _ in range(AT_ONCE)]

    def draft(self, message_id: str) -> Draft | None:
        """The answer to this message, as far as it is."""
        return self._drafts.get(message_id)

    def ask(self, message_id: str, chat: Sequence[Said]) -> Draft:
        """Begin an answer to this message, in the place of any other."""
        self.keep(self._drafts.keys() - {message_id})
        loop = asyncio.get_running_loop()
        draft = self._drafts[message_id] = Draft(chat, begun=loop.time(), updates=self._config.updates)
        self._waiting.put_nowait(draft)
        return draft

    def keep(self, message_ids: Collection[str]) -> None:
        """Let go of the answers to all other messages."""
        for message_id in self._drafts.keys() - message_ids:
            self._drafts.pop(message_id).wanted = False

    async def ended(self, patience: float) -> None:
        """Return when an answer has ended since the last time, or after ``patience`` s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._ended.wait()
        self._ended.clear()

    async def close(self) -> None:
        """Stop writing."""
        for writer in self._writers:
            writer.cancel()
        await asyncio.gather(*self._writers, return_exceptions=True)
        await self._model.close()

    async def _write(self) -> None:
        """Write one answer after the other; what goes wrong with one is told with it."""
        while True:
            draft = await self._waiting.get()
            try:
                await self._model.open()
                async with asyncio.timeout(self._config.timeout):
                    if draft.wanted:
                        await self._model.write(draft)
            except TimeoutError:
                draft.problem = "模型没有及时回答"
            except Unanswered as error:
                draft.problem = str(error)
            except Exception as error:  # Whatever it is, the next answer is written.
                draft.problem, draft.surprise = f"出了意外：{type(error).__name__}", error
            draft.over = True
            self._ended.set()

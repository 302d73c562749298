"""The summarizer that asks language models: nothing twice, nothing over budget, and never without a way out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from ..extractive import Extractive
from ..summary import Line, Summarizer, Summary, calling_nobody
from .answer import Answer, Unusable, read_answer
from .budget import BudgetSpent, DailyBudget, Memory
from .client import Client, Unanswered
from .prompt import Question, about_messages, about_parts, batches, tokens_of
from .providers import Provider
from .redaction import Names, nameless, redacted
from .settings import LlmSettings

if TYPE_CHECKING:
    from aiohttp import ClientSession

LINE_LENGTH: Final = 2_000
"""Code points of one message that are sent at most."""


class _NoSummary(Exception):
    """No provider made one; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The summary of some of the messages."""

    text: str
    keywords: tuple[str, ...]
    cited: tuple[int, ...]
    """Positions of messages in the topic."""
    by: str


class LlmSummarizer:
    """Asks the providers in order, one question at a time; the extractive summary is the way out.

    One object per plugin, for as long as it runs: it holds the pace and the circuit breakers. ``close`` it.
    """

    def __init__(
        self,
        settings: LlmSettings,
        providers: Sequence[Provider],
        memory: Memory,
        *,
        zone: ZoneInfo,
        clock: Callable[[], int],
        warn: Callable[[str], None],
        fallback: Summarizer | None = None,
        session: ClientSession | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._warn = warn
        self._fallback = fallback or Extractive()
        self._session = session
        self._own_session = session is None
        self._asking = asyncio.Lock()
        self.budget = DailyBudget(
            memory, tokens=settings.daily_tokens, calls=settings.daily_calls, zone=zone, clock=clock
        )
        self._clients = [
            Client(
                provider,
                settings,
                self.budget,
                session=self._open_session,
                clock=clock,
                sleep=sleep,
                uniform=uniform,
            )
            for provider in providers
        ]

    async def summarize(self, title: str, lines: Sequence[Line]) -> Summary:
        """The summary by the first provider that makes one in time, else the extractive one."""
        try:
            async with asyncio.timeout(self._settings.patience):
                return await self._summary(title, lines)
        except TimeoutError:
            self._warn(f"no summary by a language model within {self._settings.patience:g} s (llm.patience)")
        except (_NoSummary, BudgetSpent) as reason:
            self._warn(f"no summary by a language model: {reason}")
        return await self._fallback.summarize(title, lines)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None and self._own_session:
            await self._session.close()
            self._session = None

    async def _summary(self, title: str, lines: Sequence[Line]) -> Summary:
        said = [line for line in lines if line.text.strip()]
        if not said:
            return await self._fallback.summarize(title, lines)
        names = Names((line.sender for line in said), (line.text for line in said))
        hide = names.hide if self._settings.redact_names else str
        title = hide(self._redacted(title))
        messages = [(self._sender(line, names), hide(self._redacted(line.text))[:LINE_LENGTH]) for line in said]
        part = await self._whole(title, messages)
        restore = names.restore if self._settings.redact_names else str
        return Summary(
            calling_nobody(restore(part.text)),
            tuple(calling_nobody(restore(keyword)) for keyword in part.keywords),
            tuple(said[position].message_id for position in sorted(part.cited)),
            part.by,
        )

    def _redacted(self, text: str) -> str:
        return redacted(nameless(text)) if self._settings.redact else nameless(text)

    def _sender(self, line: Line, names: Names) -> str:
        """The name; a placeholder of their own for those whose name nobody knows."""
        hidden = self._settings.redact_names or nameless(line.sender) != line.sender
        return names.of(line.sender) if hidden else self._redacted(line.sender)

    async def _whole(self, title: str, messages: Sequence[tuple[str, str]]) -> _Part:
        """The parts one by one, then merged until one is left."""
        sizes = [tokens_of(f'["m000","{sender}","{text}"],') for sender, text in messages]
        parts = [
            await self._first(title, messages, positions) for positions in batches(sizes, self._settings.batch_tokens)
        ]
        while len(parts) > 1:
            sizes = [tokens_of(part.text) + 4 * len(part.cited) for part in parts]
            groups = batches(sizes, self._settings.batch_tokens, at_least=2)
            parts = [await self._merged(title, [parts[position] for position in group]) for group in groups]
        return parts[0]

    async def _first(self, title: str, messages: Sequence[tuple[str, str]], positions: range) -> _Part:
        ids = {f"m{number}": position for number, position in enumerate(positions, 1)}
        rows = [(id_, *messages[position]) for id_, position in ids.items()]
        question = about_messages(title, rows, length=self._settings.summary_length)
        answer, by = await self._ask(question)
        return _Part(answer.summary, tuple(answer.keywords), tuple(ids[id_] for id_ in answer.citations), by)

    async def _merged(self, title: str, parts: Sequence[_Part]) -> _Part:
        if len(parts) == 1:
            return parts[0]
        numbered = enumerate((position for part in parts for position in part.cited), 1)
        ids = {position: f"m{number}" for number, position in numbered}
        rows = [(tuple(ids[position] for position in part.cited), part.text) for part in parts]
        question = about_parts(title, rows, length=self._settings.summary_length)
        answer, by = await self._ask(question)
        cited = tuple(position for position, id_ in ids.items() if id_ in answer.citations)
        return _Part(answer.summary, tuple(answer.keywords), cited, by)

    async def _ask(self, question: Question) -> tuple[Answer, str]:
        """An answer and who gave it, from memory where the same was asked before."""
        async with self._asking:
            if kept := self._memory.get(f"answer:{question.digest}"):
                return Answer.model_validate(kept["answer"]), str(kept["by"])
            reasons = []
            for client in self._clients:
                label = client.provider.label
                wrong = f"wrong:{question.digest}:{label}"
                if self._memory.get(wrong):
                    reasons.append(f"{label} has answered wrongly to the same content before")
                    continue
                try:
                    answer = await self._answer(client, question)
                except Unanswered as failure:
                    reasons.append(str(failure))
                except Unusable as failure:
                    reasons.append(f"{label} answered wrongly twice: {failure}")
                    self._memory.put(wrong, {"reason": str(failure)})
                else:
                    self._memory.put(f"answer:{question.digest}", {"answer": answer.model_dump(), "by": label})
                    return answer, label
            raise _NoSummary("; ".join(reasons) or "no provider is set")

    async def _answer(self, client: Client, question: Question) -> Answer:
        """A valid answer, the second one if need be. Raises ``Unanswered``, ``Unusable``, ``BudgetSpent``."""
        text = await client.complete(question.chat)
        try:
            return read_answer(text, question, length=self._settings.summary_length)
        except Unusable as refused:
            text = await client.complete(question.again(text, str(refused)))
            return read_answer(text, question, length=self._settings.summary_length)

    def _open_session(self) -> ClientSession:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession()
        return self._session

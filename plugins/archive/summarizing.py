"""Summaries of topics, made when a topic has gone quiet, or every so often while it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from core import Context, Row

from .extractive import Extractive
from .llm.summarizer import LlmSummarizer
from .settings import ArchiveConfig
from .summary import Line, Summarizer
from .tables import ARCHIVE, MEMORY, NAMES, RECALLED, THREADS, TOPICS
from .threads import MINUTE, quiet_at
from .topics import text_of

Ctx = Context[ArchiveConfig]


class Summaries:
    """What makes summaries for one plugin, for as long as it runs; ``close`` it."""

    def __init__(self, ctx: Ctx, summarizer: Summarizer | None = None) -> None:
        self._memory = Memory(ctx)
        self._model: LlmSummarizer | None = None
        providers = ctx.config.llm_providers()
        if summarizer is None and providers:
            self._model = LlmSummarizer(
                ctx.config.llm,
                providers,
                self._memory,
                zone=ctx.timezone,
                clock=ctx.now,
                warn=lambda reason: ctx.log.warning("{reason}", reason=reason),
            )
        self._summarizer = summarizer or self._model or Extractive()

    async def summarize(self, topic_id: str, ctx: Ctx) -> int | None:
        """Summarise a topic unless it is too early; when to look again (ms UTC), or None."""
        threads, topics = ctx.table(THREADS), ctx.table(TOPICS)
        thread, topic = threads.get(topic_id), topics.get(topic_id)
        if thread is None or topic is None or thread["waiting_since"] is None:
            threads.set(topic_id, summary_at=None, waiting_since=None)
            return None
        quiet = quiet_at(thread["changed"], thread["last_reply"], ctx.config)
        due: int = min(quiet, thread["waiting_since"] + ctx.config.summary_busy_minutes * MINUTE)
        if ctx.now() < due:
            threads.set(topic_id, summary_at=due)
            return due
        rows = [row for row in ctx.table(ARCHIVE).find(topic_id=topic_id) if row["status"] != RECALLED]
        rows.sort(key=lambda row: (row["created"], row["message_id"]))
        fingerprint = _fingerprint(rows)
        if fingerprint != thread["summarized"]:
            self._memory.topic_id = topic_id
            title = (
                topic["title"] if any(row["message_id"] == topic_id for row in rows) else ""
            )  # Recalled, it is gone.
            summary = await self._summarizer.summarize(title, await _lines(rows, ctx))
            keywords = ", ".join(summary.keywords)
            if (summary.text, keywords) != (topic["summary"], topic["keywords"]):
                topics.set(topic_id, summary=summary.text, keywords=keywords)
        threads.set(topic_id, summary_at=None, waiting_since=None, summarized=fingerprint)
        return None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._model is not None:
            await self._model.close()


class Memory:
    """What a summarizer keeps, in ``MEMORY``; what it keeps while it is about a topic is forgotten with its recalls."""

    def __init__(self, ctx: Ctx) -> None:
        self._rows = ctx.table(MEMORY)
        self.topic_id = ""

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What is kept under ``key``."""
        row = self._rows.get(key)
        return row["value"] if row is not None else None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep ``value`` under ``key``."""
        topic_id = "" if key.startswith("budget:") else self.topic_id
        self._rows.set(key, topic_id=topic_id, value=dict(value))


async def _lines(rows: Sequence[Row], ctx: Ctx) -> list[Line]:
    people = list(dict.fromkeys(row["person_id"] for row in rows if row["person_id"]))
    names = await ctx.names(people) if people else {}
    bots = ctx.table(NAMES)
    lines = []
    for row in rows:
        sender = row["sender_id"]
        name = names.get(sender) or (bots.get(sender) or {}).get("name") or sender
        lines.append(Line(row["message_id"], name, row["created"], text_of(row), row["link"]))
    return lines


def _fingerprint(rows: Sequence[Row]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        for part in (row["message_id"], row["sender_id"], text_of(row)):
            digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()

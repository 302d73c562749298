"""What a summary is made of and who can make one; the two that do are ``extractive.py`` and ``llm/``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_EVERYBODY: Final = re.compile(
    r"[@＠]\s?_?(?:(?:all|everyone|here|channel)(?![A-Za-z0-9])|所有人|全体成员)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a topic, as a reader sees it."""

    message_id: str
    sender: str
    """The sender's name."""
    time: int
    """When it was sent, ms UTC."""
    text: str
    link: str = ""
    """Where the message can be opened."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a topic is about."""

    text: str
    """For the column 摘要; empty when nothing was said in words."""
    keywords: tuple[str, ...]
    """For the column 关键词, the weightiest first."""
    cited: tuple[str, ...]
    """IDs of the messages it rests on, all of them of the topic, in its order."""
    by: str
    """Who made it: ``extractive``, or ``<provider>/<model>``."""


class Summarizer(Protocol):
    """Makes the summary of one topic."""

    async def summarize(self, title: str, lines: Sequence[Line]) -> Summary:
        """The summary of ``lines``, oldest first, under ``title``. Never raises for what people wrote."""
        ...


def calling_nobody(text: str) -> str:
    """``text`` without markup and without @所有人: repeated by a bot or a card, it must not call the whole group."""
    while (plain := _EVERYBODY.sub("", _TAG.sub("", text))) != text:
        text = plain
    return plain

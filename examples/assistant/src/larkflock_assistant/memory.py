"""What a model is given to read: the thread so far, within its bounds; pure rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict


class Said(TypedDict):
    """One message of a chat completion."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer."""

    question: str
    answer: str


def tokens(text: str) -> int:
    """About how many tokens a text is: one for each CJK character, one for four others."""
    wide = sum(character > "\u2e7f" for character in text)
    return wide + (len(text) - wide + 3) // 4


def chat(system: str, before: Sequence[Turn], question: str, *, most_turns: int, most_tokens: int) -> list[Said]:
    """The messages for the model: what it is, the latest turns that fit, the question; the oldest turns go first."""
    if tokens(question) > most_tokens:
        question = question[:most_tokens]  # No character is more than a token.
    left = most_tokens - tokens(question)
    kept: list[Turn] = []
    for turn in reversed(before[-most_turns:] if most_turns else ()):
        left -= tokens(turn.question) + tokens(turn.answer)
        if left < 0:
            break
        kept.append(turn)
    said: list[Said] = [{"role": "system", "content": system}] if system else []
    for turn in reversed(kept):
        said += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
    return [*said, {"role": "user", "content": question}]

"""What an answer has to be before anybody sees it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..summary import calling_nobody
from .prompt import Question

KEYWORDS: Final = 5
KEYWORD_LENGTH: Final = 30

_FENCE: Final = re.compile(r"\A```(?:json)?\s*\n(.*)\n```\s*\Z", re.DOTALL | re.IGNORECASE)
_MARKDOWN_LINK: Final = re.compile(r"!?\[([^\[\]]{0,300})\]\(\s*<?([^()\s]{0,2000})>?[^()]{0,300}\)")
_LINK: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}://|www\.|mailto:|javascript:)[^\s<>\"'，。；、）】》]+"
    r"|(?<![a-z0-9@])(?:[a-z0-9-]{1,63}\.){1,8}"
    r"(?:[a-z]{2,24}/[^\s<>\"'，。；、）】》]*"
    r"|(?:com|cn|net|org|io|top|xyz|info|me|cc|co|ru|app|dev|site|online|shop|link|ly|gl|gg|tk|vip|club)(?![a-z0-9-]))",
    re.IGNORECASE,
)
_REFUSAL: Final = re.compile(
    r"\A\W*(?:(?:非常|很)?(?:抱歉|对不起)|作为(?:一个|一名)?(?:AI|人工智能|语言模型)|我(?:无法|不能)(?:总结|处理|回答|提供|完成)"
    r"|I['’]?m (?:very )?sorry|I am sorry|Sorry,|As an AI|I (?:cannot|can['’]t|am unable))",
    re.IGNORECASE,
)


class Unusable(Exception):
    """The answer is not what was asked for; its text can be told to the model and to the log."""


class Answer(BaseModel):
    """The one JSON object that is accepted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    summary: str = Field(min_length=1, max_length=20_000)
    keywords: list[str] = Field(max_length=20)
    citations: list[str] = Field(min_length=1, max_length=100)


def read_answer(text: str, question: Question, *, length: int) -> Answer:
    """The answer in ``text``, of at most ``length`` code points, harmless to show. Raises ``Unusable``."""
    fenced = _FENCE.match(text.strip())
    try:
        answer = Answer.model_validate_json(fenced[1] if fenced else text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unusable(f"{where}: {first['msg']}" if where else "it is not the JSON object") from None
    unknown = [cited for cited in answer.citations if cited not in question.ids]
    if unknown:
        raise Unusable(f"citations: {len(unknown)} of them are no id that was given")
    if _REFUSAL.match(answer.summary):
        raise Unusable("summary: it says that there is none")
    summary = shortened(harmless(answer.summary[: 2 * length], question.content), length)
    if not summary:
        raise Unusable("summary: nothing is left of it without links and markup")
    terms = [harmless(keyword[: 4 * KEYWORD_LENGTH], question.content) for keyword in answer.keywords]
    keywords = [shortened(term, KEYWORD_LENGTH) for term in terms]
    kept = list(dict.fromkeys(keyword for keyword in keywords if keyword))[:KEYWORDS]
    return Answer(summary=summary, keywords=kept, citations=list(dict.fromkeys(answer.citations)))


def harmless(text: str, source: str) -> str:
    """``text`` on one line, without markup, @所有人, control characters, and links that are not in ``source``."""
    seen = source.casefold()

    def known(found: re.Match[str]) -> str:
        return found[0] if found[0].casefold().rstrip(".,;:!?)") in seen else ""

    def labelled(found: re.Match[str]) -> str:
        return f"{found[1]} {found[2]}"

    while (plain := _visible(calling_nobody(_LINK.sub(known, _MARKDOWN_LINK.sub(labelled, text))))) != text:
        text = plain  # What is left may be a link or a tag again once something inside it is gone.
    return plain


def shortened(text: str, length: int) -> str:
    """At most ``length`` code points of ``text``."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def _visible(text: str) -> str:
    """In one line; the joiner stays, as it holds emoji together."""
    kept = (char for char in text if char.isspace() or char == "\u200d" or unicodedata.category(char)[0] != "C")
    return " ".join("".join(kept).split())

"""The card an answer grows in, and the API calls it takes, as request objects of the official SDK (FEISHU.md §10.3)."""

from __future__ import annotations

import json
import re
from typing import Any, Final

ANSWER: Final = "answer"
LONGEST: Final = 24_000
"""Bytes of an answer that a card shows; a card holds about 30 KB (FEISHU.md §10.1)."""
THINKING: Final = "……"

_MENTION: Final = re.compile(r"<(?=/?(?:at|person)\b)", re.IGNORECASE)
_MARKUP: Final = re.compile(r"[*#`>~]+")
_IMAGE: Final = re.compile(r"!+(?=\[[^\n]*\]\()")


def growing() -> dict[str, Any]:
    """The card before the answer is complete."""
    return {
        "schema": "2.0",
        "config": {"update_multi": True, "streaming_mode": True, "summary": {"content": "正在回答…"}},
        "body": {"elements": [{"tag": "markdown", "element_id": ANSWER, "content": THINKING}]},
    }


def complete(text: str, message_id: str, *, again: bool = True) -> dict[str, Any]:
    """The card with the whole answer, and a button that asks once more."""
    elements: list[dict[str, Any]] = [{"tag": "markdown", "element_id": ANSWER, "content": shown(text)}]
    if again:
        elements.append(
            {
                "tag": "button",
                "type": "text",
                "size": "small",
                "text": {"tag": "plain_text", "content": "重新回答"},
                "behaviors": [{"type": "callback", "value": {"assistant": "again", "turn": message_id}}],
            }
        )
    summary = " ".join(_MARKUP.sub("", text).split())[:60]
    return {
        "schema": "2.0",
        "config": {"update_multi": True, "streaming_mode": False, "summary": {"content": summary or "已回答"}},
        "body": {"elements": elements},
    }


def shown(text: str) -> str:
    """What a model wrote, as a card may show it: it mentions nobody, and an image is a link."""
    harmless = _IMAGE.sub("", _MENTION.sub("&#60;", text)).strip()
    encoded = harmless.encode()
    short = harmless if len(encoded) <= LONGEST else f"{encoded[:LONGEST].decode(errors='ignore')}…"
    return short or THINKING


def create(card: dict[str, Any]) -> Any:
    """The request that makes a card entity."""
    from lark_oapi.api.cardkit.v1 import CreateCardRequest, CreateCardRequestBody

    body = CreateCardRequestBody.builder().type("card_json").data(_json(card)).build()
    return CreateCardRequest.builder().request_body(body).build()


def reply(message_id: str, card_id: str, uuid: str) -> Any:
    """The request that answers a message with a card entity; ``uuid`` makes it single for an hour."""
    from lark_oapi.api.im.v1 import ReplyMessageRequest, ReplyMessageRequestBody

    content = json.dumps({"type": "card", "data": {"card_id": card_id}})
    body = ReplyMessageRequestBody.builder().msg_type("interactive").content(content).uuid(uuid).build()
    return ReplyMessageRequest.builder().message_id(message_id).request_body(body).build()


def grow(card_id: str, text: str, sequence: int) -> Any:
    """The request that shows the text so far."""
    from lark_oapi.api.cardkit.v1 import ContentCardElementRequest, ContentCardElementRequestBody

    body = (
        ContentCardElementRequestBody.builder()
        .content(shown(text))
        .uuid(f"{card_id}-{sequence}")
        .sequence(sequence)
        .build()
    )
    return ContentCardElementRequest.builder().card_id(card_id).element_id(ANSWER).request_body(body).build()


def replace(card_id: str, card: dict[str, Any], sequence: int) -> Any:
    """The request that replaces the whole card."""
    from lark_oapi.api.cardkit.v1 import Card, UpdateCardRequest, UpdateCardRequestBody

    whole = Card.builder().type("card_json").data(_json(card)).build()
    body = UpdateCardRequestBody.builder().card(whole).uuid(f"{card_id}-{sequence}").sequence(sequence).build()
    return UpdateCardRequest.builder().card_id(card_id).request_body(body).build()


def bot_info() -> Any:
    """The request that tells who the bot is."""
    from lark_oapi.core.enum import AccessTokenType, HttpMethod
    from lark_oapi.core.model import BaseRequest

    return (
        BaseRequest.builder()
        .http_method(HttpMethod.GET)
        .uri("/open-apis/bot/v3/info")
        .token_types({AccessTokenType.TENANT})
        .build()
    )


def _json(card: dict[str, Any]) -> str:
    return json.dumps(card, ensure_ascii=False)

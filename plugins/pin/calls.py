"""The two calls of the platform, and what its refusals mean (FEISHU.md §3.3, §4.1, §4.2, §4.6)."""

from __future__ import annotations

from typing import Any, Final

from core import ApiError, Context, Malformed

from .changes import PAGE, Page, page_of

TOO_OFTEN: Final = frozenset({99991400, 230020, 230048})
BOT_AWAY: Final = frozenset({230002, 230045, 230046})
"""The group is gone, or the bot is not in it."""
NOT_GRANTED: Final = frozenset({99991672, 99991676, 99991679, 230027})
"""The app lacks a scope: somebody has to act, the message is not to blame."""
RECALLED: Final = frozenset({230011, 230110, 230111})
UNREADABLE: Final = frozenset({230001, 230004, 230050, 230073, 230074, 231203, 99992354})
"""This message cannot be had, now or later: invisible, secret, of another tenant."""


def too_often(error: ApiError) -> bool:
    """Whether the platform asks to be called less."""
    return error.code in TOO_OFTEN or error.status == 429


async def list_pins(ctx: Context[Any], chat_id: str, below: int | None) -> Page:
    """A page of the group's pins, those set before ``below`` (ms UTC).

    Raises ``Malformed``, ``ApiError``, ``Unreachable``, ``QuotaExhausted``.
    """
    from lark_oapi.api.im.v1 import ListPinRequest

    request = ListPinRequest.builder().chat_id(chat_id).page_size(PAGE)
    if below is not None:
        request = request.end_time(str(below))
    return page_of(await ctx.call(request.build()))


async def read_message(ctx: Context[Any], message_id: str) -> list[dict[str, Any]]:
    """The message, followed by its children when it is a merged forward. Raises as ``list_pins`` does."""
    from lark_oapi.api.im.v1 import GetMessageRequest

    request = GetMessageRequest.builder().message_id(message_id).user_id_type("open_id").build()
    items = (await ctx.call(request)).get("items")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Malformed(f"the answer for message {message_id} has no message")
    return items

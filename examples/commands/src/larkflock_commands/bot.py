"""Who we are among the bots of a group."""

from __future__ import annotations

from typing import Any

from core import ApiFailure, Context


async def myself(ctx: Context[Any]) -> str:
    """The bot's open_id, asked for once. Raises ``ApiFailure``."""
    known = str(ctx.state.get("myself", ""))
    if not known:
        answer = await ctx.call(_info())
        known = str((answer.get("bot") or {}).get("open_id") or "")
        if not known:
            raise ApiFailure("the platform does not say who the bot is")
        ctx.state.set("myself", known)
    return known


def _info() -> Any:
    """The request that tells; the SDK has no class for it."""
    from lark_oapi.core.enum import AccessTokenType, HttpMethod
    from lark_oapi.core.model import BaseRequest

    request = BaseRequest.builder().http_method(HttpMethod.GET).uri("/open-apis/bot/v3/info")
    return request.token_types({AccessTokenType.TENANT}).build()

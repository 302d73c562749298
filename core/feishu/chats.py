"""The groups an app's bot is in (FEISHU.md §4.5)."""

from __future__ import annotations

from typing import Final

from .pages import entries, pages
from .transport import Api, Operation

LIST: Final = Operation("im.v1.chat.list", "GET", "/open-apis/im/v1/chats")
MOST_PER_CALL: Final = 100


async def groups(api: Api) -> tuple[str, ...]:
    """The chat IDs of all groups, one call per 100."""
    found: list[str] = []
    async for data in pages(api.call, LIST, {"page_size": str(MOST_PER_CALL)}):
        found += [str(item["chat_id"]) for item in entries(LIST, data.get("items"), "chat_id")]
    return tuple(found)

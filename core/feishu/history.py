"""What was said while nobody listened: pages of messages, their reactions, and who the bot itself is.

It gives what the platform shows, in the platform's form (FEISHU.md §4.2, §4.4); ``core.as_pushed`` turns that into
events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from .transport import Api, Operation

LIST: Final = Operation("im.v1.message.list", "GET", "/open-apis/im/v1/messages")
REACTIONS: Final = Operation(
    "im.v1.messageReaction.batchQuery", "POST", "/open-apis/im/v1/messages/reactions/batch_query"
)
BOT: Final = Operation("bot.v3.info", "GET", "/open-apis/bot/v3/info")
OPERATIONS: Final = frozenset({LIST.name, REACTIONS.name, BOT.name})

MESSAGES_PER_CALL: Final = 50
QUERIES_PER_CALL: Final = 20
REACTIONS_PER_MESSAGE: Final = 10
"""That one call shows; a message with more is asked for again."""

BOT_IS_OUT: Final = 230002

Item = Mapping[str, Any]


class Page(NamedTuple):
    """Some messages, and the token of the next page; empty behind the last one."""

    items: list[Item]
    next: str


class Query(NamedTuple):
    """A message whose reactions are wanted, from a page on."""

    message_id: str
    page: str = ""


class Reactions(NamedTuple):
    """What a call found: reactions with the message they are on, and what it did not show yet."""

    found: list[tuple[str, Item]]
    more: list[Query]


async def said_in(api: Api, chat_id: str, start: int, end: int, page: str = "", *, newest_first: bool = False) -> Page:
    """Messages of a chat sent from ``start`` to ``end`` (ms), the oldest first unless told otherwise.

    The replies inside topics are not among them. Raises ``ApiFailure``.
    """
    span = {"start_time": str(start // 1000), "end_time": str(-(-end // 1000))}  # The platform counts in seconds.
    return await _page(api, "chat", chat_id, page, span, newest_first=newest_first)


async def said_under(api: Api, thread_id: str, page: str = "") -> Page:
    """Messages of a topic, the newest first, its root included. Raises ``ApiFailure``."""
    return await _page(api, "thread", thread_id, page, {}, newest_first=True)


async def reactions(api: Api, queries: Sequence[Query]) -> Reactions:
    """The reactions of at most ``QUERIES_PER_CALL`` messages; those that show none are passed over.

    The form of the answer is that of the official SDK. Raises ``ApiFailure``.
    """
    asked = [{"message_id": one.message_id, **({"page_token": one.page} if one.page else {})} for one in queries]
    body = {"queries": asked, "page_size_per_message": REACTIONS_PER_MESSAGE}
    data = await api.call(REACTIONS, query={"user_id_type": "open_id"}, body=body)
    found: list[tuple[str, Item]] = []
    more: list[Query] = []
    for each in _objects(data.get("success_msg_reaction_details")):
        message_id = str(each.get("message_id"))
        found += [(message_id, item) for item in _objects(each.get("message_reaction_items"))]
        if each.get("has_more") and each.get("page_token"):
            more.append(Query(message_id, str(each["page_token"])))
    return Reactions(found, more)


async def own_open_id(api: Api) -> str:
    """The open_id of the app's bot, empty when it has none. Raises ``ApiFailure``."""
    bot = (await api.call(BOT)).get("bot")
    return str(bot.get("open_id") or "") if isinstance(bot, dict) else ""


async def _page(api: Api, kind: str, container: str, page: str, span: Mapping[str, str], *, newest_first: bool) -> Page:
    query = {
        "container_id_type": kind,
        "container_id": container,
        **span,
        "sort_type": "ByCreateTimeDesc" if newest_first else "ByCreateTimeAsc",
        "page_size": str(MESSAGES_PER_CALL),
    }
    data = await api.call(LIST, query=query | ({"page_token": page} if page else {}))
    more = str(data.get("page_token") or "") if data.get("has_more") else ""
    return Page(list(_objects(data.get("items"))), more)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (each for each in (value if isinstance(value, list) else ()) if isinstance(each, dict))

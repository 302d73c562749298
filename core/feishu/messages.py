"""Sending messages (FEISHU.md §4.1)."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from .transport import Api, Operation

SEND: Final = Operation("im.v1.message.create", "POST", "/open-apis/im/v1/messages")
REPLY: Final = Operation("im.v1.message.reply", "POST", "/open-apis/im/v1/messages/{message_id}/reply")

APART: Final = 0.25
"""Seconds between two messages to a group, which takes 5 a second from all its bots together."""
PASSING: Final = frozenset({230020, 230049, 18121})
"""Too many messages, one still being sent, the same one being sent just now: to be tried again."""


async def send(api: Api, chat_id: str, reply_to: str, msg_type: str, content: str, uuid: str) -> str:
    """Send to a chat, or reply to a message; the message ID. The same ``uuid`` is sent once within an hour."""
    body = {"msg_type": msg_type, "content": content, "uuid": uuid}
    if reply_to:
        data = await api.call(REPLY, path={"message_id": quote(reply_to, safe="")}, body=body)
    else:
        data = await api.call(SEND, query={"receive_id_type": "chat_id"}, body={"receive_id": chat_id, **body})
    return str(data.get("message_id", ""))

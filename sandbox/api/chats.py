"""``im/v1/chats`` and the bot's own identity (FEISHU.md §4.5)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ..chat import Chat
from ..endpoint import Call, Endpoint
from ..paging import page
from ..permissions import CHATS, MEMBERS
from ..reply import ApiError, document
from ..world import World

BAD_PARAMETER, NO_CHAT, BOT_OUT = 232001, 232006, 232011
ORDERS = ("ByCreateTimeAsc", "ByActiveTimeDesc")
AVATAR = "https://example.invalid/chat.png"


class Chats:
    """The operations on chats and members."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def get(self, call: Call) -> dict[str, Any]:
        """Everything about one chat."""
        chat = self._chat(call)
        id_type = call.text("user_id_type", "open_id")
        return {
            **self._summary(chat, id_type),
            "i18n_names": {"zh_cn": chat.name, "en_us": "", "ja_jp": ""},
            "add_member_permission": "all_members",
            "share_card_permission": "allowed",
            "at_all_permission": "all_members",
            "edit_permission": "all_members",
            "user_manager_id_list": [],
            "bot_manager_id_list": [],
            "group_message_type": "thread" if chat.mode == "topic" else "chat",
            "chat_mode": chat.mode,
            "chat_type": "private",
            "chat_tag": "inner",
            "join_message_visibility": "all_members",
            "leave_message_visibility": "all_members",
            "membership_approval": "no_approval_required",
            "moderation_permission": "all_members",
            "user_count": str(len(chat.members)),
            "bot_count": "1" if chat.has_bot else "0",
            "restricted_mode_setting": {
                "status": False,
                "screenshot_has_permission_setting": "all_members",
                "download_has_permission_setting": "all_members",
                "message_has_permission_setting": "all_members",
            },
        }

    async def list_chats(self, call: Call) -> dict[str, Any]:
        """A page of the groups the bot is in; private chats are not among them."""
        order = call.text("sort_type", ORDERS[0])
        if order not in ORDERS:
            raise ApiError(BAD_PARAMETER, f"Your request contains an invalid request parameter: sort_type {order!r}")
        groups = [chat for chat in self._world.chats.values() if chat.has_bot and chat.mode != "p2p"]
        if order == ORDERS[1]:
            groups.sort(key=lambda chat: chat.active_at, reverse=True)
        items, rest = page(groups, call.text("page_token"), call.page_size(most=100), BAD_PARAMETER)
        id_type = call.text("user_id_type", "open_id")
        return {"items": [self._summary(chat, id_type) for chat in items], **rest}

    async def members(self, call: Call) -> dict[str, Any]:
        """A page of the people in a chat; bots are not among them."""
        chat = self._chat(call)
        id_type = call.text("member_id_type", "open_id")
        items, rest = page(list(chat.members), call.text("page_token"), call.page_size(most=100), BAD_PARAMETER)
        shown = []
        for open_id in items:
            person = self._world.people.get(open_id)
            shown.append(
                {
                    "member_id_type": id_type,
                    "member_id": self._world.people.show(open_id, id_type),
                    "name": person.name if person is not None else "",
                    "tenant_key": self._world.app.tenant_key,
                }
            )
        return {"items": shown, "member_total": len(chat.members), **rest}

    async def is_in_chat(self, call: Call) -> dict[str, Any]:
        """Whether the bot is in a chat."""
        chat = self._world.chats.get(call.path["chat_id"])
        if chat is None:
            raise ApiError(NO_CHAT, f"The chat_id is invalid: {call.path['chat_id']}")
        return {"is_in_chat": chat.has_bot}

    async def bot(self, _: Call) -> web.Response:
        """Who the bot is; the answer has no ``data``."""
        app = self._world.app
        bot = {
            "activate_status": 2,
            "app_name": app.name,
            "avatar_url": "https://example.invalid/bot.png",
            "ip_white_list": [],
            "open_id": app.open_id,
        }
        return document({"code": 0, "msg": "ok", "bot": bot})

    def _chat(self, call: Call) -> Chat:
        chat = self._world.chats.get(call.path["chat_id"])
        if chat is None:
            raise ApiError(NO_CHAT, f"The chat_id is invalid: {call.path['chat_id']}")
        if not chat.has_bot:
            raise ApiError(BOT_OUT, "The operator can NOT be out of the chat.")
        return chat

    def _summary(self, chat: Chat, id_type: str) -> dict[str, Any]:
        return {
            "chat_id": chat.chat_id,
            "avatar": AVATAR,
            "name": chat.name,
            "description": "",
            "owner_id": self._world.people.show(chat.owner, id_type),
            "owner_id_type": id_type,
            "external": False,
            "tenant_key": self._world.app.tenant_key,
            "chat_status": "normal",
        }

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        chats = "/open-apis/im/v1/chats"
        one = f"{chats}/{{chat_id}}"
        return [
            Endpoint("im.v1.chat.list", "GET", chats, self.list_chats, CHATS),
            Endpoint("im.v1.chat.get", "GET", one, self.get, CHATS),
            Endpoint("im.v1.chatMembers.get", "GET", f"{one}/members", self.members, MEMBERS),
            Endpoint("im.v1.chatMembers.isInChat", "GET", f"{one}/members/is_in_chat", self.is_in_chat, MEMBERS),
            Endpoint("bot.v3.info", "GET", "/open-apis/bot/v3/info", self.bot),
        ]

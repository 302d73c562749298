"""The names of scopes and events, and which scope opens what; it never looks at an app (FEISHU.md §2, §8.1)."""

from __future__ import annotations

from collections.abc import Mapping

GROUP_MESSAGES = ("im:message.group_msg", "im:message.group_msg:readonly")
GROUP_MENTIONS = (
    "im:message.group_at_msg:readonly",
    "im:message.group_at_msg",
    "im:message.group_at_msg.include_bot:readonly",
)
PRIVATE_MESSAGES = ("im:message.p2p_msg:readonly", "im:message.p2p_msg")

SEND = ("im:message", "im:message:send_as_bot", "im:message:send")
UPDATE = ("im:message", "im:message:send_as_bot", "im:message:update")
RECALL = ("im:message", "im:message:recall", "im:message:send_as_bot")
READ = ("im:message:readonly", "im:message", "im:message.history:readonly")
RESOURCES = ("im:resource", "im:resource:upload")
REACTIONS_READ = ("im:message.reactions:read", "im:message:readonly")
REACTIONS_WRITE = ("im:message", "im:message.reactions:write_only")
PINS_READ = ("im:message.pins:read", "im:message:readonly", "im:message")
PINS_WRITE = ("im:message", "im:message:send_as_bot", "im:message.pins:write_only")
CHATS = ("im:chat:read", "im:chat:readonly", "im:chat")
MEMBERS = ("im:chat.members:read", "im:chat:readonly", "im:chat")
CONTACT = (
    "contact:contact.base:readonly",
    "contact:contact:readonly_as_app",
    "contact:contact:access_as_app",
    "contact:contact:readonly",
)
CARDKIT = ("cardkit:card:write",)
NAMES = ("contact:user.basic_profile:readonly",)
LOOKUP = ("contact:user.id:readonly",)

USER_NAME = "contact:user.base:readonly"
USER_ID = "contact:user.employee_id:readonly"
USER_EMAIL = "contact:user.email:readonly"
USER_DEPARTMENT = "contact:user.department:readonly"
USER_AGENT = "im:user_agent:read"

ANNOUNCED: Mapping[str, tuple[str, ...]] = {
    "im.message.receive_v1": (),
    "im.message.recalled_v1": ("im:message", "im:message:readonly"),
    "im.message.reaction.created_v1": ("im:message.reactions:read", "im:message:readonly"),
    "im.message.reaction.deleted_v1": ("im:message.reactions:read", "im:message:readonly"),
    "im.message.updated_v1": ("im:message", "im:message:readonly"),
    "im.chat.member.user.added_v1": MEMBERS,
    "im.chat.member.user.deleted_v1": MEMBERS,
    "card.action.trigger": (),
}
"""Event type → the scopes of which one is needed; of a message its chat decides too."""

EVENTS = frozenset(ANNOUNCED) - {"im.message.updated_v1"}
"""Subscribed unless configured. That edits are announced at all is unconfirmed (FEISHU.md §2.7)."""

GRANTED = frozenset(
    {
        "im:message",
        "im:message:readonly",
        "im:message:send_as_bot",
        "im:message.group_msg",
        "im:message.group_at_msg:readonly",
        "im:message.p2p_msg:readonly",
        "im:message.pins:read",
        "im:message.pins:write_only",
        "im:message.reactions:read",
        "im:message.reactions:write_only",
        "im:resource",
        "cardkit:card:write",
        "im:chat:read",
        "im:chat.members:read",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
        "contact:user.basic_profile:readonly",
        "contact:user.employee_id:readonly",
        "contact:user.email:readonly",
        "contact:user.department:readonly",
        "contact:user.id:readonly",
        "bitable:app",
        "drive:drive",
        "docs:document.media:upload",
        "docs:document.media:download",
    }
)
"""What an app that uses the whole sandbox was granted."""

SUPER = frozenset({"contact:contact:access_as_app", "contact:contact:readonly_as_app"})
"""What an administrator cannot be asked for through the API. Which those are is unconfirmed (FEISHU.md §8.2)."""

KNOWN = GRANTED.union(
    GROUP_MESSAGES,
    GROUP_MENTIONS,
    PRIVATE_MESSAGES,
    SEND,
    UPDATE,
    RECALL,
    READ,
    RESOURCES,
    CHATS,
    MEMBERS,
    CONTACT,
    {USER_AGENT, "bitable:app:readonly", "drive:drive:readonly"},
)
"""Every scope whose grant status is listed; the others can be granted all the same."""

"""The shape of what the plugin keeps: the table people look at, and what is known about each group."""

from __future__ import annotations

from typing import Final

from core import Attachments, Choice, Link, Number, PersonName, Table, Text, Timestamp

PINNED: Final = "已Pin"
UNPINNED: Final = "已取消"

PIN: Final = Table(
    "pin",
    (
        Text("message_id", "Pin消息ID"),
        Text("content", "消息内容"),
        Choice("message_type", "消息类型"),
        Text("sender_id", "发送者ID"),
        PersonName("sender_name", "发送者姓名", of="sender_id"),
        Text("operator_id", "Pin操作人ID"),
        PersonName("operator_name", "Pin操作人姓名", of="operator_id"),
        Text("pinned", "Pin时间"),
        Text("sent", "消息发送时间"),
        Link("link", "消息链接"),
        Attachments("files", "附件信息"),
        Text("archived", "归档时间"),
        Choice("status", "状态", options=(PINNED, UNPINNED), optional=True),
        Text("unpinned", "取消时间", optional=True),
        Number("recalled"),
    ),
    key=("message_id",),
    setting="PIN_TABLE_ID",
    ranked_by=("pinned",),
    title="Pin归档",
)
"""One row per pinned message; times as ``YYYY-MM-DD HH:MM:SS`` where the group lives.

``files`` holds every attachment with its ``file_key`` and what became of it.
"""

KNOWN: Final = Table(
    "known",
    (
        Text("chat_id"),
        Text("message_id"),
        Timestamp("time"),
        Text("operator"),
        Timestamp("removed"),
        Number("unread"),
        Number("tries"),
        Timestamp("tried"),
        Number("announce"),
    ),
    key=("chat_id", "message_id", "time"),
    indexes=(("chat_id",),),
)
"""Every pin the platform has shown, until some days after it was ``removed``.

``unread`` is 1 while its message has still to be asked for, which failed so many ``tries``, lastly when it was
``tried``; ``announce`` is 1 while the group has still to be told.
"""

GROUPS: Final = Table(
    "groups",
    (
        Text("chat_id"),
        Number("based"),
        Number("deep"),
        Number("stale"),
        Timestamp("below"),
        Timestamp("since"),
        Timestamp("deep_at"),
        Number("rounds"),
        Number("pages"),
        Timestamp("rest_until"),
        Text("problem"),
    ),
    key=("chat_id",),
)
"""How far each group is.

``based`` is 1 once all its pins were seen. While a look is under way ``below`` is the time it has come down to, and
``deep`` 1 when it goes to the oldest pin; it began ``since`` then. ``deep_at`` is when the last one began that did,
``rounds`` ago, over so many ``pages``; ``stale`` is 1 when the next one has to, as the program was off. A group the bot
cannot look at is left alone until ``rest_until``.
"""

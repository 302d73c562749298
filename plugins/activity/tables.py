"""The shape of what the plugin keeps: the table people look at, and what its numbers are made of."""

from __future__ import annotations

from typing import Final

from core import Json, Number, PersonCell, PersonName, Table, Text, Timestamp

ACTIVITY: Final = Table(
    "activity",
    (
        Text("user_id", "用户ID"),
        PersonName("user_name", "用户名称", of="user_id"),
        PersonCell("person", "人员", of="user_id"),
        Text("period", "统计周期"),
        Number("message", "发言次数"),
        Number("character", "发言字数"),
        Number("replied", "被回复数"),
        Number("mentioned", "单独被@次数"),
        Number("topic", "发起话题数"),
        Number("liking", "点赞数"),
        Number("liked", "被点赞数"),
        Number("pinned", "被Pin次数", optional=True),
        Number("score", "活跃度分数", places=2),
        Timestamp("updated", "更新时间"),
    ),
    key=("user_id", "period"),
    setting="BITABLE_TABLE_ID",
    ranked_by=("period", "score"),
    title="活跃度",
)
"""One row per person and month."""

CREDITS: Final = Table(
    "credits",
    (
        Text("message_id"),
        Text("chat_id"),
        Text("author"),
        Number("bot"),
        Text("period"),
        Timestamp("created"),
        Number("characters"),
        Number("topic"),
        Text("replied"),
        Json("mentioned"),
        Number("recalled"),
        Number("pinned"),
        Number("pin_time"),
    ),
    key=("message_id",),
    by_message=True,
)
"""What each message credits to whom. ``author`` is empty while something is known about the message but not itself."""

LIKES: Final = Table(
    "likes",
    (Text("message_id"), Text("user_id"), Text("emoji"), Number("added"), Number("action_time")),
    key=("message_id", "user_id", "emoji"),
    indexes=(("message_id",),),
)
"""The last thing known about each emoji of each person on each message: ``added`` 1, or taken off again 0."""

WAITING: Final = Table(
    "waiting",
    (Text("parent_id"), Text("reply_id")),
    key=("parent_id", "reply_id"),
    indexes=(("parent_id",),),
)
"""Replies to messages that are not known yet."""

COUNTERS: Final = ("message", "character", "replied", "mentioned", "topic", "liking", "liked", "pinned")
"""The columns of ``ACTIVITY`` that are weighed, in its order; each weight has the name of its counter."""

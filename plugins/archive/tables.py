"""The shape of what the plugin keeps: the two tables people look at, and what stands behind them."""

from __future__ import annotations

from typing import Final

from core import (
    Attachments,
    Choice,
    Json,
    Link,
    Number,
    PersonCell,
    PersonName,
    PersonNames,
    Table,
    Text,
    Timestamp,
)

EDITED: Final = "已编辑"
RECALLED: Final = "已撤回"

ARCHIVE: Final = Table(
    "archive",
    (
        Text("message_id", "消息ID"),
        Text("topic_id", "话题ID"),
        Text("parent_id", "父消息ID"),
        PersonCell("sender", "发送者", of="person_id"),
        PersonName("sender_name", "发送者姓名", of="sender_id"),
        Text("content", "消息内容"),
        Choice("message_type", "消息类型"),
        Timestamp("created", "发送时间"),
        Text("month", "统计月份"),
        Link("link", "消息链接"),
        Attachments("files", "附件信息"),
        Text("mentioned", "@的人"),
        Choice("status", "消息状态", options=(EDITED, RECALLED), optional=True),
        Timestamp("edited", "编辑时间", optional=True),
        Text("chat_id"),
        Text("sender_id"),
        Text("person_id"),
        Timestamp("version"),
        Number("length"),
        Number("revision"),
    ),
    key=("message_id",),
    setting="ARCHIVE_TABLE_ID",
    indexes=(("topic_id",), ("sender_id",)),  # The second one finds the rows of people whose name became known.
    by_message=True,
    search=("content", "mentioned"),
    title="消息归档",
)
"""One row per message.

``person_id`` is ``sender_id`` unless that is a bot, which is nobody's person cell. ``version`` is the time of the
content. The first ``length`` code points of ``content`` are the message, what follows says which attachments cannot be
had. ``files`` holds every attachment with its ``file_key`` and what became of it. ``revision`` goes up with every
change of any row, so that an export finds what is new.
"""

TOPICS: Final = Table(
    "topics",
    (
        Text("topic_id", "话题ID"),
        Text("title", "话题标题"),
        PersonCell("starter", "发起人", of="person_id"),
        PersonName("starter_name", "发起人姓名", of="starter_id"),
        Timestamp("created", "创建时间"),
        Timestamp("last_reply", "最后回复时间"),
        Number("replies", "回复数"),
        Number("people", "参与人数"),
        PersonNames("participant_names", "参与者", of="participants"),
        Choice("status", "话题状态", options=("活跃", "沉默", "冷却")),
        Text("month", "统计月份"),
        Link("link", "话题链接"),
        Text("summary", "摘要", optional=True, carried=True),
        Text("keywords", "关键词", optional=True, carried=True),
        Text("chat_id"),
        Text("starter_id"),
        Text("person_id"),
        Json("participants"),
    ),
    key=("topic_id",),
    setting="SUMMARY_TABLE_ID",
    title="话题汇总",
)
"""One row per topic that has enough replies."""

THREADS: Final = Table(
    "threads",
    (
        Text("topic_id"),
        Number("replies"),
        Number("unseen"),
        Timestamp("unseen_until"),
        Timestamp("first_reply"),
        Timestamp("last_reply"),
        Json("repliers"),
        Timestamp("status_at"),
        Timestamp("changed"),
        Timestamp("waiting_since"),
        Timestamp("summary_at"),
        Text("summarized", carried=True),
    ),
    key=("topic_id",),
    by_message=True,
)
"""What is known about the replies of each root, however few: ``repliers`` has each one's first reply by open_id.

``unseen`` of them were in Bitable as a number only, the last one sent at ``unseen_until``.

``status_at`` and ``summary_at`` are where the topic stands on the two agendas; ``changed`` is its last change,
``waiting_since`` the first one that no summary knows, ``summarized`` the fingerprint of what the summary was made of.
"""

EARLY: Final = Table(
    "early",
    (Text("message_id"), Number("recalled"), Number("edited"), Json("content")),
    key=("message_id",),
    by_message=True,
)
"""Recalls and edits of messages that have not arrived: ``content`` is the newest edit, ``edited`` that one is to be
asked for."""

STATUS_AGENDA: Final = Table("status_agenda", (Timestamp("at"), Text("subject")), key=("at", "subject"))
SUMMARY_AGENDA: Final = Table("summary_agenda", (Timestamp("at"), Text("subject")), key=("at", "subject"))
FETCH_AGENDA: Final = Table("fetch_agenda", (Timestamp("at"), Text("subject")), key=("at", "subject"))
"""What is to be looked at when; the key puts the earliest first."""

FETCHES: Final = Table(
    "fetches",
    (Text("subject"), Text("kind"), Timestamp("at"), Timestamp("since"), Number("attempts")),
    key=("subject",),
)
"""Messages and groups to be asked for, while they are; ``attempts`` failed ``since`` then."""

NAMES: Final = Table("names", (Text("id"), Text("name"), Timestamp("known")), key=("id",))
"""Names of groups, and of bots as mentions give them."""

MEMORY: Final = Table(
    "memory",
    (Text("name"), Text("topic_id"), Json("value")),
    key=("name",),
    indexes=(("topic_id",),),
)
"""What language models answered, by what they were asked, so that nothing is sent twice, and what they cost each day.

Answers of a topic are gone when one of its messages is recalled.
"""

RECENT: Final = Table("recent", (Text("chat_id"), Json("said")), key=("chat_id",))
"""The latest messages of each group, for ``grouping``."""

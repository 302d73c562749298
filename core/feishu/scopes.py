"""Which scope opens what: APIs, events, and what the kernel does for plugins (FEISHU.md, the section at each row).

Of alternatives one is enough; the one that opens least stands first. It never looks at an app.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

import orjson

Alternatives = tuple[str, ...]
"""Scopes of which one is needed; none at all = open to every app."""

NOT_GRANTED: Final = frozenset({99991672, 230027})
"""The app lacks a scope (§3.3, §4.1)."""

GROUP_MESSAGES: Final = ("im:message.group_msg", "im:message.group_msg:readonly")
MENTIONS: Final = (
    "im:message.group_at_msg:readonly",
    "im:message.group_at_msg",
    "im:message.group_at_msg.include_bot:readonly",
)
PRIVATE_MESSAGES: Final = ("im:message.p2p_msg:readonly", "im:message.p2p_msg")
SEND: Final = ("im:message:send_as_bot", "im:message:send", "im:message")
UPDATE: Final = ("im:message:update", "im:message:send_as_bot", "im:message")
TAKE_BACK: Final = ("im:message:recall", "im:message:send_as_bot", "im:message")
READ: Final = ("im:message:readonly", "im:message.history:readonly", "im:message")
RECALLED: Final = ("im:message:readonly", "im:message")
UPLOAD: Final = ("im:resource:upload", "im:resource")
REACTIONS: Final = ("im:message.reactions:read", "im:message:readonly")
REACT: Final = ("im:message.reactions:write_only", "im:message")
PINS: Final = ("im:message.pins:read", "im:message:readonly", "im:message")
PIN: Final = ("im:message.pins:write_only", "im:message:send_as_bot", "im:message")
CHATS: Final = ("im:chat:read", "im:chat:readonly", "im:chat")
MEMBERS: Final = ("im:chat.members:read", "im:chat:readonly", "im:chat")
CHANGE_MEMBERS: Final = ("im:chat.members:write_only", "im:chat")
CONTACT: Final = (
    "contact:contact.base:readonly",
    "contact:contact:readonly_as_app",
    "contact:contact:access_as_app",
    "contact:contact:readonly",
)
PERSON_NAME: Final = ("contact:user.base:readonly",)
"""Without it the contact API answers without names (§7)."""
RECORDS_CHANGED: Final = ("base:record:read", "bitable:app", "drive:drive")
MEDIA_UP: Final = ("docs:document.media:upload", "bitable:app", "sheets:spreadsheet", "docs:doc", "drive:drive")
MEDIA_DOWN: Final = (
    "docs:document.media:download",
    "bitable:app:readonly",
    "bitable:app",
    "sheets:spreadsheet:readonly",
    "sheets:spreadsheet",
    "docs:doc:readonly",
    "docs:doc",
    "drive:drive:readonly",
    "drive:drive",
)
DOCX_READ: Final = ("docx:document:readonly", "docx:document")
DOCX_WRITE: Final = ("docx:document:write_only", "docx:document")
SHEETS_READ: Final = ("sheets:spreadsheet:read", "sheets:spreadsheet:readonly", "sheets:spreadsheet")
SHEETS_WRITE: Final = ("sheets:spreadsheet:write_only", "sheets:spreadsheet")
CARDS: Final = ("cardkit:card:write",)


def _base(scope: str) -> Alternatives:
    """What opens an API of Bitable (§5.7): the fine scope, or those for all of it."""
    reads = scope.endswith((":read", ":retrieve"))
    return (f"base:{scope}", *(("bitable:app:readonly",) if reads else ()), "bitable:app")


_MESSAGES: Final = "/open-apis/im/v1/messages"
_CHATS: Final = "/open-apis/im/v1/chats"
_USERS: Final = "/open-apis/contact/v3/users"
_DEPARTMENTS: Final = "/open-apis/contact/v3/departments"
_APP: Final = "/open-apis/bitable/v1/apps"
_TABLES: Final = f"{_APP}/:app_token/tables"
_FIELDS: Final = f"{_TABLES}/:table_id/fields"
_VIEWS: Final = f"{_TABLES}/:table_id/views"
_RECORDS: Final = f"{_TABLES}/:table_id/records"
_MEDIAS: Final = "/open-apis/drive/v1/medias"
_FILES: Final = "/open-apis/drive/v1/files"
_DOCX: Final = "/open-apis/docx/v1/documents"
_BLOCKS: Final = f"{_DOCX}/:document_id/blocks"
_SHEETS: Final = "/open-apis/sheets/v3/spreadsheets"
_VALUES: Final = "/open-apis/sheets/v2/spreadsheets/:spreadsheet_token"
_CARDS: Final = "/open-apis/cardkit/v1/cards"
_SCOPES: Final = "/open-apis/application/v6/scopes"

APIS: Final[Mapping[str, Alternatives]] = {
    # §2.10, §4.1
    f"POST {_MESSAGES}": SEND,
    f"POST {_MESSAGES}/:message_id/reply": SEND,
    f"PUT {_MESSAGES}/:message_id": UPDATE,
    f"PATCH {_MESSAGES}/:message_id": UPDATE,
    f"DELETE {_MESSAGES}/:message_id": TAKE_BACK,
    "POST /open-apis/interactive/v1/card/update": UPDATE,
    # §4.2, §8.1; of a group GROUP_MESSAGES besides
    f"GET {_MESSAGES}": READ,
    f"GET {_MESSAGES}/:message_id": READ,
    # §4.3
    f"GET {_MESSAGES}/:message_id/resources/:file_key": READ,
    "POST /open-apis/im/v1/images": UPLOAD,
    "GET /open-apis/im/v1/images/:image_key": UPLOAD,
    "POST /open-apis/im/v1/files": UPLOAD,
    "GET /open-apis/im/v1/files/:file_key": UPLOAD,
    # §4.4
    f"POST {_MESSAGES}/:message_id/reactions": REACT,
    f"DELETE {_MESSAGES}/:message_id/reactions/:reaction_id": REACT,
    f"GET {_MESSAGES}/:message_id/reactions": REACTIONS,
    f"POST {_MESSAGES}/reactions/batch_query": REACTIONS,
    # §4.5, §8.1
    f"GET {_CHATS}": CHATS,
    f"GET {_CHATS}/:chat_id": CHATS,
    f"POST {_CHATS}": ("im:chat:create", "im:chat"),
    f"PUT {_CHATS}/:chat_id": ("im:chat:update", "im:chat"),
    f"DELETE {_CHATS}/:chat_id": ("im:chat:delete", "im:chat"),
    f"GET {_CHATS}/:chat_id/members": MEMBERS,
    f"GET {_CHATS}/:chat_id/members/is_in_chat": MEMBERS,
    f"POST {_CHATS}/:chat_id/members": CHANGE_MEMBERS,
    f"DELETE {_CHATS}/:chat_id/members": CHANGE_MEMBERS,
    "GET /open-apis/bot/v3/info": (),
    # §4.6
    "GET /open-apis/im/v1/pins": PINS,
    "POST /open-apis/im/v1/pins": PIN,
    "DELETE /open-apis/im/v1/pins/:message_id": PIN,
    # §5.1, §5.7
    f"POST {_APP}": _base("app:create"),
    f"GET {_APP}/:app_token": _base("app:read"),
    f"PUT {_APP}/:app_token": _base("app:update"),
    f"POST {_APP}/:app_token/copy": _base("app:copy"),
    f"GET {_TABLES}": _base("table:read"),
    f"POST {_TABLES}": _base("table:create"),
    f"POST {_TABLES}/batch_create": _base("table:create"),
    f"PATCH {_TABLES}/:table_id": _base("table:update"),
    f"DELETE {_TABLES}/:table_id": _base("table:delete"),
    f"POST {_TABLES}/batch_delete": _base("table:delete"),
    f"GET {_FIELDS}": _base("field:read"),
    f"POST {_FIELDS}": _base("field:create"),
    f"PUT {_FIELDS}/:field_id": _base("field:update"),
    f"DELETE {_FIELDS}/:field_id": _base("field:delete"),
    f"GET {_VIEWS}": _base("view:read"),
    f"GET {_VIEWS}/:view_id": _base("view:read"),
    f"POST {_VIEWS}": _base("view:write_only"),
    f"PATCH {_VIEWS}/:view_id": _base("view:write_only"),
    f"DELETE {_VIEWS}/:view_id": _base("view:write_only"),
    f"GET {_RECORDS}": _base("record:read"),
    f"GET {_RECORDS}/:record_id": _base("record:read"),
    f"POST {_RECORDS}/search": _base("record:retrieve"),
    f"POST {_RECORDS}/batch_get": _base("record:retrieve"),
    f"POST {_RECORDS}": _base("record:create"),
    f"POST {_RECORDS}/batch_create": _base("record:create"),
    f"PUT {_RECORDS}/:record_id": _base("record:update"),
    f"POST {_RECORDS}/batch_update": _base("record:update"),
    f"DELETE {_RECORDS}/:record_id": _base("record:delete"),
    f"POST {_RECORDS}/batch_delete": _base("record:delete"),
    # §6, §8.1
    f"POST {_MEDIAS}/upload_all": MEDIA_UP,
    f"POST {_MEDIAS}/upload_prepare": MEDIA_UP,
    f"POST {_MEDIAS}/upload_part": MEDIA_UP,
    f"POST {_MEDIAS}/upload_finish": MEDIA_UP,
    f"GET {_MEDIAS}/:file_token/download": MEDIA_DOWN,
    f"GET {_MEDIAS}/batch_get_tmp_download_url": MEDIA_DOWN,
    f"POST {_FILES}/create_folder": ("space:folder:create", "drive:drive"),
    f"GET {_FILES}": ("space:document:retrieve", "drive:drive:readonly", "drive:drive"),
    f"POST {_FILES}/upload_all": ("drive:file:upload", "drive:file", "drive:drive"),
    f"GET {_FILES}/:file_token/download": (
        "drive:file:download",
        "drive:file",
        "drive:drive:readonly",
        "drive:drive",
    ),
    f"POST {_FILES}/:file_token/subscribe": ("docs:event:subscribe", "bitable:app", "drive:drive"),
    "POST /open-apis/drive/v1/metas/batch_query": (
        "drive:drive.metadata:readonly",
        "drive:drive:readonly",
        "drive:drive",
    ),
    "POST /open-apis/drive/v1/permissions/:token/members": (
        "docs:permission.member:create",
        "docs:permission.member",
        "drive:drive",
    ),
    # §7
    f"GET {_USERS}/:user_id": CONTACT,
    f"GET {_USERS}/batch": CONTACT,
    f"GET {_USERS}/find_by_department": CONTACT,
    f"POST {_USERS}/basic_batch": ("contact:user.basic_profile:readonly",),
    f"POST {_USERS}/batch_get_id": ("contact:user.id:readonly",),
    f"GET {_DEPARTMENTS}/:department_id": CONTACT,
    f"GET {_DEPARTMENTS}/batch": CONTACT,
    f"GET {_DEPARTMENTS}/:department_id/children": CONTACT,
    # §8.2, §8.4
    f"GET {_SCOPES}": (),
    f"POST {_SCOPES}/apply": (),
    "GET /open-apis/application/v6/applications/:app_id": ("application:application:self_manage",),
    "PATCH /open-apis/application/v7/applications/:app_id/config": ("application:application:patch",),
    # §10.3
    f"POST {_CARDS}": CARDS,
    f"PUT {_CARDS}/:card_id": CARDS,
    f"PATCH {_CARDS}/:card_id/settings": CARDS,
    f"POST {_CARDS}/:card_id/batch_update": CARDS,
    f"POST {_CARDS}/:card_id/elements": CARDS,
    f"PUT {_CARDS}/:card_id/elements/:element_id": CARDS,
    f"PATCH {_CARDS}/:card_id/elements/:element_id": CARDS,
    f"DELETE {_CARDS}/:card_id/elements/:element_id": CARDS,
    f"PUT {_CARDS}/:card_id/elements/:element_id/content": CARDS,
    f"POST {_CARDS}/id_convert": CARDS,
    # §8.1, §12.1
    f"POST {_DOCX}": ("docx:document:create", "docx:document"),
    f"GET {_DOCX}/:document_id": DOCX_READ,
    f"GET {_DOCX}/:document_id/raw_content": DOCX_READ,
    f"GET {_BLOCKS}": DOCX_READ,
    f"GET {_BLOCKS}/:block_id": DOCX_READ,
    f"GET {_BLOCKS}/:block_id/children": DOCX_READ,
    f"POST {_BLOCKS}/:block_id/children": DOCX_WRITE,
    f"POST {_BLOCKS}/:block_id/descendant": DOCX_WRITE,
    f"PATCH {_BLOCKS}/:block_id": DOCX_WRITE,
    f"PATCH {_BLOCKS}/batch_update": DOCX_WRITE,
    f"DELETE {_BLOCKS}/:block_id/children/batch_delete": DOCX_WRITE,
    f"POST {_DOCX}/blocks/convert": ("docx:document.block:convert",),
    # §8.1, §12.2
    f"POST {_SHEETS}": ("sheets:spreadsheet:create", "sheets:spreadsheet"),
    f"GET {_SHEETS}/:spreadsheet_token": SHEETS_READ,
    f"GET {_SHEETS}/:spreadsheet_token/sheets/query": SHEETS_READ,
    f"GET {_VALUES}/values/:range": SHEETS_READ,
    f"GET {_VALUES}/values_batch_get": SHEETS_READ,
    f"PUT {_VALUES}/values": SHEETS_WRITE,
    f"POST {_VALUES}/values_append": SHEETS_WRITE,
    f"POST {_VALUES}/values_prepend": SHEETS_WRITE,
    f"POST {_VALUES}/values_batch_update": SHEETS_WRITE,
    f"POST {_VALUES}/values_image": SHEETS_WRITE,
}
"""``METHOD path`` as the SDK's request classes have it → what opens it."""

EVENTS: Final[Mapping[str, Alternatives]] = {
    "im.message.receive_v1": (*GROUP_MESSAGES, *MENTIONS, *PRIVATE_MESSAGES),  # §2.2; each opens its part
    "im.message.reaction.created_v1": REACTIONS,  # §2.4
    "im.message.reaction.deleted_v1": REACTIONS,
    "im.message.recalled_v1": RECALLED,  # §2.5
    "im.message.updated_v1": RECALLED,  # §2.7, unconfirmed
    "im.chat.member.user.added_v1": MEMBERS,  # §2.9
    "im.chat.member.user.deleted_v1": MEMBERS,
    "im.chat.member.user.withdrawn_v1": MEMBERS,
    "im.chat.member.bot.added_v1": ("im:chat.members:bot_access", *MEMBERS),
    "im.chat.member.bot.deleted_v1": ("im:chat.members:bot_access", *MEMBERS),
    "im.chat.updated_v1": CHATS,
    "im.chat.disbanded_v1": CHATS,
    "drive.file.bitable_record_changed_v1": RECORDS_CHANGED,  # §2.11
}
"""Event type → what lets it arrive; a type that is not here needs none that is known."""

CALLBACKS: Final = frozenset({"card.action.trigger", "url.preview.get"})
"""What is subscribed to as a callback, not as an event (§1.7); no scope is needed."""

FEATURES: Final[Mapping[str, tuple[Alternatives, ...]]] = {
    "ctx.send": (SEND,),
    "ctx.attach": (READ,),
    "ctx.groups": (CHATS,),
    "ctx.names": (CONTACT, PERSON_NAME),
}
"""What the kernel does with the platform when a plugin asks → what opens it, one of each."""


def opening(method: str, uri: str) -> Alternatives | None:
    """What opens this API, given as a template or with its values; None when this version does not know it."""
    return _opening(method, _parts(uri))


def matches(api: str, method: str, uri: str) -> bool:
    """Whether ``api``, ``METHOD path`` with ``:placeholders``, is this one."""
    wanted, _, template = api.partition(" ")
    return wanted == method and _fits(_parts(template), _parts(uri))


def covered(scope: str, granted: Collection[str]) -> bool:
    """Whether all that ``scope`` is known to open is open, by itself or by other scopes that are ``granted``."""
    if scope in granted:
        return True
    opened = [one for one in _everything() if scope in one]
    return bool(opened) and all(any(other in granted for other in one) for one in opened)


def link(base_url: str, app_id: str, scopes: Iterable[str]) -> str:
    """The page of the developer console where the scopes are asked for (§0)."""
    return f"{base_url}/app/{app_id}/auth?q={','.join(scopes)}&op_from=openapi"


def document(scopes: Iterable[str]) -> str:
    """The JSON that 批量导入/导出权限 of the developer console takes (§8.3)."""
    return orjson.dumps({"scopes": {"tenant": list(scopes), "user": []}}).decode()


def named_in(answer: Mapping[str, object]) -> Alternatives:
    """The scopes that a refusal names (§0); none where it names none."""
    error = answer.get("error")
    violations = error.get("permission_violations") if isinstance(error, dict) else None
    listed = violations if isinstance(violations, list) else []
    found = [str(one.get("subject") or one.get("scope") or "") for one in listed if isinstance(one, dict)]
    if not any(found):
        brackets = re.search(r"\[([\w:., -]+)\]", str(answer.get("msg", "")))
        found = brackets[1].split(",") if brackets else []
    return tuple(dict.fromkeys(one.strip() for one in found if ":" in one))


def _everything() -> Iterator[Alternatives]:
    """All that is known to be opened by scopes. Messages arrive by kinds, each opened by its own."""
    yield from APIS.values()
    yield from (scopes for kind, scopes in EVENTS.items() if kind != "im.message.receive_v1")
    yield from (GROUP_MESSAGES, (*MENTIONS, *GROUP_MESSAGES), PRIVATE_MESSAGES, PERSON_NAME)


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path, placeholders as ``:``; those of our own operations are in braces."""
    parts = path.partition("?")[0].strip("/").split("/")
    return tuple(":" if part.startswith((":", "{")) else part for part in parts)


def _fits(template: tuple[str, ...], given: tuple[str, ...]) -> bool:
    return len(template) == len(given) and all(want in (":", have) for want, have in zip(template, given, strict=True))


_TEMPLATES: Final = sorted(
    ((api.partition(" ")[0], _parts(api.partition(" ")[2]), scopes) for api, scopes in APIS.items()),
    key=lambda one: one[1].count(":"),  # ``users/batch`` is not ``users/:user_id``.
)


@lru_cache(maxsize=1024)
def _opening(method: str, given: tuple[str, ...]) -> Alternatives | None:
    fitting = (scopes for verb, template, scopes in _TEMPLATES if verb == method and _fits(template, given))
    return next(fitting, None)

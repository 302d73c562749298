"""What a cell of each field type accepts, keeps and shows: written value → stored value → echoed or read form.

A create or update echoes the written form, search and get show the read form, and an empty cell is shown nowhere
(FEISHU.md §5.4). Stored values are small: strings, numbers, tuples and shared ``Option`` objects.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from . import properties
from .properties import Option
from .refusals import refuse

if TYPE_CHECKING:
    from .fields import Field
    from .media import File

TEXT_LENGTH = 100_000
PEOPLE_PER_CELL = 1_000
OPTIONS_PER_CELL = 1_000
ATTACHMENTS_PER_CELL = 100
LINKS_PER_CELL = 500
GROUPS_PER_CELL = 10
_SHARED_LENGTH = 16
_PHONE = re.compile(r"\+?\d{1,63}")
_POSITION = re.compile(r"-?\d{1,3}(?:\.\d+)?,-?\d{1,2}(?:\.\d+)?")
_LAST_MS = 253_402_300_799_999


class Person(Protocol):
    """Somebody a person cell can name."""

    @property
    def open_id(self) -> str: ...
    @property
    def union_id(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def en_name(self) -> str: ...


People = Callable[[str], Person | None]
"""Finds a person by an id, None when nobody has it."""


class Surroundings(Protocol):
    """What a cell may refer to outside itself."""

    def file(self, token: str) -> File | None:
        """The file uploaded to this base, None for a foreign token."""

    def has_record(self, table_id: str, record_id: str) -> bool:
        """Whether a link can point there."""

    def new_option(self, field: Field, name: str) -> Option:
        """Adds the option ``name`` to ``field``; taken back when the write fails."""


@dataclass(slots=True)
class Terms:
    """On whose terms cells are written and read: which ids people have, where links to files lead."""

    people: People
    id_type: str = "open_id"
    origin: str = "https://open.feishu.cn"

    def open_id(self, person_id: str) -> str | None:
        """The open_id of the person with this id of the agreed type, None when there is nobody."""
        person = self.people(person_id)
        if person is None or getattr(person, self.id_type) != person_id:
            return None
        return person.open_id

    def show(self, open_id: str) -> dict[str, str]:
        """A person as cells show them."""
        person = self.people(open_id)
        if person is None:
            return {"id": open_id, "name": "", "en_name": "", "email": "", "avatar_url": ""}
        return {
            "id": getattr(person, self.id_type),
            "name": person.name,
            "en_name": person.en_name,
            "email": getattr(person, "email", ""),
            "avatar_url": getattr(person, "avatar_url", ""),
        }


class Kind:
    """A type that no one can write through the API: formulas, lookups, stages, automatic fields, buttons."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> Any:
        """The stored form of a written value, None for an empty cell. Raises the refusal of the type."""
        raise refuse(1254015, f"fields.{field.name}")

    def echo(self, value: Any) -> Any:
        """The form in which a create or update answers an accepted written value."""
        return value

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> Any:
        """The form in which search, get and batch_get show a stored value."""
        return stored

    def written(self, stored: Any) -> Any:
        """The value that, written again, is stored as ``stored``."""
        return stored


class Text(Kind):
    """A string of at most 100,000 characters, read as a list of segments."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> str | None:
        if not isinstance(value, str):
            raise refuse(1254060, f"fields.{field.name}")
        if len(value) > TEXT_LENGTH:
            raise refuse(1254130, f"fields.{field.name}")
        # Names, months and states repeat in every row: one object for all of them keeps a large table small.
        return intern(value) if 0 < len(value) <= _SHARED_LENGTH else value or None

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> list[dict[str, str]]:
        return [{"text": stored, "type": "text"}]


class Number(Kind):
    """A finite number."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> float | int:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise refuse(1254061, f"fields.{field.name}")
        return value


class DateTime(Kind):
    """Whole milliseconds since 1970."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LAST_MS:
            raise refuse(1254064, f"fields.{field.name}")
        return value


class Checkbox(Kind):
    """True or false."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> bool:
        if not isinstance(value, bool):
            raise refuse(1254065, f"fields.{field.name}")
        return value


class SingleSelect(Kind):
    """The name of one option; a new name becomes a new option."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> Option | None:
        if not isinstance(value, str):
            raise refuse(1254062, f"fields.{field.name}")
        return _option(value, field, around, 1254062) if value else None

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> str:
        return self.written(stored)

    def written(self, stored: Any) -> str:
        name: str = stored.name
        return name


class MultiSelect(Kind):
    """The names of at most 1,000 options; new names become new options, repeated ones count once."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> tuple[Option, ...] | None:
        if not isinstance(value, list) or len(value) > OPTIONS_PER_CELL:
            raise refuse(1254063, f"fields.{field.name}")
        if not all(isinstance(name, str) and name for name in value):
            raise refuse(1254063, f"fields.{field.name}")
        return tuple(_option(name, field, around, 1254063) for name in dict.fromkeys(value)) or None

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> list[str]:
        return self.written(stored)

    def written(self, stored: Any) -> list[str]:
        return [option.name for option in stored]


def _option(name: str, field: Field, around: Surroundings, code: int) -> Option:
    options = field.options or {}
    if (option := options.get(name)) is not None:
        return option
    if len(options) >= properties.OPTIONS_PER_FIELD:
        raise refuse(code, f"fields.{field.name}")
    return around.new_option(field, name)


class User(Kind):
    """People by id, of the type the caller named; stored by open_id."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> tuple[str, ...] | None:
        people = _ids(value)
        if people is None or len(people) > PEOPLE_PER_CELL or not _may_hold(field, people):
            raise refuse(1254066, f"fields.{field.name}")
        open_ids = tuple(terms.open_id(person) for person in people)
        if None in open_ids:
            raise refuse(1254066, f"fields.{field.name}")
        return open_ids or None  # type: ignore[return-value]

    def echo(self, value: Any) -> list[dict[str, str]]:
        return [{"id": entry["id"]} for entry in value]

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> list[dict[str, str]]:
        return [terms.show(open_id) for open_id in stored]

    def written(self, stored: Any) -> list[dict[str, str]]:
        return [{"id": identifier} for identifier in stored]


class GroupChat(Kind):
    """At most 10 chats by chat_id."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> tuple[str, ...] | None:
        chats = _ids(value)
        if chats is None or len(chats) > GROUPS_PER_CELL or not _may_hold(field, chats):
            raise refuse(1254015, f"fields.{field.name}")
        if not all(chat.startswith("oc_") for chat in chats):
            raise refuse(1254015, f"fields.{field.name}")
        return tuple(chats) or None

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> list[dict[str, str]]:
        return [{"id": chat, "name": "", "avatar_url": ""} for chat in stored]

    def written(self, stored: Any) -> list[dict[str, str]]:
        return [{"id": identifier} for identifier in stored]


def _ids(value: Any) -> list[str] | None:
    """The ids of ``[{"id": …}]`` once each, None when it has another shape."""
    if not isinstance(value, list):
        return None
    ids = [entry.get("id") if isinstance(entry, dict) else None for entry in value]
    if not all(isinstance(entry, str) and entry for entry in ids):
        return None
    return list(dict.fromkeys(ids))  # type: ignore[arg-type]


def _may_hold(field: Field, entries: list[str]) -> bool:
    return len(entries) < 2 or bool((field.property or {}).get("multiple", True))


class Phone(Kind):
    """Digits with an optional leading plus, at most 64 characters."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> str | None:
        if value == "":
            return None
        if not isinstance(value, str) or _PHONE.fullmatch(value) is None:
            raise refuse(1254072, f"fields.{field.name}")
        return value


class Url(Kind):
    """A link and the text shown for it; without a text the link itself."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> tuple[str, str]:
        link, text = (value.get("link"), value.get("text")) if isinstance(value, dict) else (None, None)
        if not isinstance(link, str) or not link or not isinstance(text, str | None):
            raise refuse(1254068, f"fields.{field.name}")
        return link, text or link

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> dict[str, str]:
        return self.written(stored)

    def written(self, stored: Any) -> dict[str, str]:
        link, text = stored
        return {"link": link, "text": text}


class Attachment(Kind):
    """At most 100 files, each uploaded to this very base."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> tuple[str, ...] | None:
        if not isinstance(value, list):
            raise refuse(1254069, f"fields.{field.name}")
        if len(value) > ATTACHMENTS_PER_CELL:
            raise refuse(1254106, f"fields.{field.name}")
        tokens = [entry.get("file_token") if isinstance(entry, dict) else None for entry in value]
        if not all(isinstance(token, str) and around.file(token) for token in tokens):
            raise refuse(1254069, f"fields.{field.name}")
        return tuple(tokens) or None  # type: ignore[arg-type]

    def echo(self, value: Any) -> list[dict[str, str]]:
        return [{"file_token": entry["file_token"]} for entry in value]

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> list[dict[str, Any]]:
        return [_attachment(file, terms.origin) for token in stored if (file := around.file(token))]

    def written(self, stored: Any) -> list[dict[str, str]]:
        return [{"file_token": token} for token in stored]


def _attachment(file: File, origin: str) -> dict[str, Any]:
    medias = f"{origin}/open-apis/drive/v1/medias"
    token = quote(file.token)
    return {
        "file_token": file.token,
        "name": file.name,
        "size": file.size,
        "tmp_url": f"{medias}/batch_get_tmp_download_url?file_tokens={token}",
        "type": file.media_type,
        "url": f"{medias}/{token}/download",
    }


class Link(Kind):
    """At most 500 records of the linked table."""

    def __init__(self, code: int) -> None:
        self.code = code

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> tuple[str, ...] | None:
        if not isinstance(value, list) or not all(isinstance(record, str) for record in value):
            raise refuse(self.code, f"fields.{field.name}")
        records = list(dict.fromkeys(value))
        table_id = (field.property or {})["table_id"]
        if len(records) > LINKS_PER_CELL or not _may_hold(field, records):
            raise refuse(self.code, f"fields.{field.name}")
        if not all(around.has_record(table_id, record) for record in records):
            raise refuse(self.code, f"fields.{field.name}")
        return tuple(records) or None

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> dict[str, list[str]]:
        return {"link_record_ids": list(stored)}

    def written(self, stored: Any) -> list[str]:
        return list(stored)


class Location(Kind):
    """``longitude,latitude`` in degrees; the sandbox has no map, so the names of the place stay empty."""

    def store(self, value: Any, field: Field, terms: Terms, around: Surroundings) -> str | None:
        if value == "":
            return None
        if not isinstance(value, str) or _POSITION.fullmatch(value) is None:
            raise refuse(1254015, f"fields.{field.name}")
        longitude, latitude = value.split(",")
        if abs(float(longitude)) > 180 or abs(float(latitude)) > 90:
            raise refuse(1254015, f"fields.{field.name}")
        return value

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> dict[str, str]:
        names = dict.fromkeys(("pname", "cityname", "adname", "address", "name", "full_address"), "")
        return {"location": stored, **names}


class AutoPeople(Kind):
    """Who created or last changed a record: written by the table itself."""

    def read(self, stored: Any, terms: Terms, around: Surroundings) -> list[dict[str, str]]:
        return [terms.show(open_id) for open_id in stored]


KINDS: dict[int, Kind] = {
    **dict.fromkeys(properties.UI_TYPES, Kind()),
    properties.TEXT: Text(),
    properties.NUMBER: Number(),
    properties.SINGLE_SELECT: SingleSelect(),
    properties.MULTI_SELECT: MultiSelect(),
    properties.DATE_TIME: DateTime(),
    properties.CHECKBOX: Checkbox(),
    properties.USER: User(),
    properties.PHONE: Phone(),
    properties.URL: Url(),
    properties.ATTACHMENT: Attachment(),
    properties.SINGLE_LINK: Link(1254067),
    properties.DUPLEX_LINK: Link(1254074),
    properties.LOCATION: Location(),
    properties.GROUP_CHAT: GroupChat(),
    properties.CREATED_USER: AutoPeople(),
    properties.MODIFIED_USER: AutoPeople(),
}

"""Who there is: the app with its bot, and the people by each of their ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .config import SandboxConfig
from .ids import Ids
from .permissions import USER_ID
from .scenario.act import Person

IdType = Literal["open_id", "union_id", "user_id"]


@dataclass(slots=True)
class App:
    """The one app of this tenant. Scopes and subscriptions may change while it runs."""

    app_id: str
    secret: str
    name: str
    tenant_key: str
    verification_token: str
    open_id: str
    """The bot's."""
    union_id: str
    scopes: set[str]
    events: set[str]
    enabled: bool = True

    @classmethod
    def make(cls, config: SandboxConfig, ids: Ids) -> App:
        """The app of ``config``; what is left empty there comes from ``ids``."""
        app_id, secret = f"cli_{ids.hex(16)}", ids.letters(32)
        return cls(
            app_id=config.app_id or app_id,
            secret=config.app_secret or secret,
            name=config.app_name,
            tenant_key=ids.hex(16),
            verification_token=ids.letters(32),
            open_id=f"ou_{ids.hex()}",
            union_id=f"on_{ids.hex()}",
            scopes=set(config.scopes),
            events=set(config.events),
            enabled=config.app_enabled,
        )

    def may(self, scopes: Iterable[str]) -> bool:
        """True when one of ``scopes`` is granted, or none is needed."""
        needed = tuple(scopes)
        return not needed or not self.scopes.isdisjoint(needed)


class People:
    """The tenant's people, found by open_id, union_id, user_id or e-mail address."""

    def __init__(self, app: App, people: Iterable[Person] = ()) -> None:
        self._app = app
        self._found: dict[str, Person] = {}
        self._ids: dict[str, dict[str, str]] = {}
        self._ids_with_user_id = False
        for person in people:
            self.add(person)

    def add(self, person: Person) -> None:
        """Makes somebody known under each of the ids."""
        for key in (person.open_id, person.union_id, person.user_id, email(person)):
            self._found[key] = person

    def get(self, key: str) -> Person | None:
        """The person with this open_id, union_id, user_id or e-mail address."""
        return self._found.get(key)

    def by(self, id_type: str, key: str) -> Person | None:
        """The person whose id of ``id_type`` (``email`` too) is ``key``."""
        person = self._found.get(key)
        return person if person is not None and identify(person, id_type) == key else None

    def show(self, open_id: str, id_type: str) -> str:
        """The id of ``id_type`` of the person with ``open_id``; the open_id itself where nobody has it."""
        if id_type == "open_id":
            return open_id
        person = self._found.get(open_id)
        return identify(person, id_type) if person is not None else open_id

    def ids(self, open_id: str) -> dict[str, str]:
        """The id object of an event; ``user_id`` only with the scope for it (FEISHU.md §2.1)."""
        with_user_id = USER_ID in self._app.scopes
        if with_user_id != self._ids_with_user_id:
            self._ids.clear()
            self._ids_with_user_id = with_user_id
        known = self._ids.get(open_id)
        if known is None:
            person = self._found.get(open_id)
            known = {
                "union_id": person.union_id if person else self._app.union_id if open_id == self._app.open_id else "",
                "user_id": person.user_id if person and with_user_id else "",
                "open_id": open_id,
            }
            self._ids[open_id] = known
        return known

    def everybody(self) -> list[Person]:
        """Each person once, in the order they were added."""
        return list(dict.fromkeys(self._found.values()))


def email(person: Person) -> str:
    """Everybody has an address made of the user_id."""
    return f"{person.user_id}@example.com"


def identify(person: Person, id_type: str) -> str:
    """The person's id of ``id_type``; empty for a type there is none of."""
    match id_type:
        case "open_id":
            return person.open_id
        case "union_id":
            return person.union_id
        case "user_id":
            return person.user_id
        case "email":
            return email(person)
        case _:
            return ""

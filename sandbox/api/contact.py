"""``contact/v3/users``: who people are (FEISHU.md §7)."""

from __future__ import annotations

from typing import Any

from ..endpoint import Call, Endpoint
from ..people import email, identify
from ..permissions import CONTACT, LOOKUP, NAMES, USER_DEPARTMENT, USER_EMAIL, USER_ID, USER_NAME
from ..reply import ApiError
from ..scenario.act import Person
from ..world import World

BAD_PARAMETER, NO_AUTHORITY = 40001, 41050
ID_TYPES = ("open_id", "union_id", "user_id")
STATUS = {"is_frozen": False, "is_resigned": False, "is_activated": True, "is_exited": False, "is_unjoin": False}
DEPARTMENT = "od-1234567890abcdef1234567890abcdef"


class Contact:
    """The operations on people. Each field is shown only with the scope for it."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def get(self, call: Call) -> dict[str, Any]:
        """One person."""
        person = self._world.people.by(_id_type(call), call.path["user_id"])
        if person is None:
            raise ApiError(NO_AUTHORITY, "no user authority error")
        return {"user": self._show(person)}

    async def batch(self, call: Call) -> dict[str, Any]:
        """Up to 50 people; whoever is not there is left out without a word."""
        wanted = call.many("user_ids")
        if not 1 <= len(wanted) <= 50:
            raise ApiError(BAD_PARAMETER, f"invalid parameter: user_ids must be 1 to 50, not {len(wanted)}")
        return {"items": [self._show(person) for person in self._find(wanted, _id_type(call))]}

    async def basic_batch(self, call: Call) -> dict[str, Any]:
        """The names of up to 10 people."""
        id_type = _id_type(call)
        wanted = _strings(call, "user_ids")
        if not 1 <= len(wanted) <= 10:
            raise ApiError(BAD_PARAMETER, f"invalid parameter: user_ids must be 1 to 10, not {len(wanted)}")
        users = [
            {
                "user_id": identify(person, id_type),
                "name": person.name,
                "i18n_name": {"zh_cn": person.name, "ja_jp": "", "en_us": person.en_name},
            }
            for person in self._find(wanted, id_type)
        ]
        return {"users": users}

    async def batch_get_id(self, call: Call) -> dict[str, Any]:
        """The ids behind e-mail addresses and phone numbers; an address nobody has comes back without one."""
        id_type = _id_type(call)
        emails, mobiles = _strings(call, "emails"), _strings(call, "mobiles")
        if len(emails) > 50 or len(mobiles) > 50 or not (emails or mobiles):
            raise ApiError(BAD_PARAMETER, "invalid parameter: 1 to 50 emails or mobiles")
        found: list[dict[str, Any]] = []
        for address in emails:
            person = self._world.people.by("email", address)
            entry: dict[str, Any] = {"email": address}
            if person is not None:
                entry = {"user_id": identify(person, id_type), **entry, "status": STATUS}
            found.append(entry)
        found.extend({"mobile": mobile} for mobile in mobiles)
        return {"user_list": found}

    def _find(self, wanted: list[str], id_type: str) -> list[Person]:
        found = (self._world.people.by(id_type, each) for each in dict.fromkeys(wanted))
        return [person for person in found if person is not None]

    def _show(self, person: Person) -> dict[str, Any]:
        scopes = self._world.app.scopes
        shown: dict[str, Any] = {"union_id": person.union_id, "open_id": person.open_id}
        if USER_ID in scopes:
            shown["user_id"] = person.user_id
        if USER_NAME in scopes:
            face = f"https://example.invalid/avatar/{person.user_id}"
            shown |= {
                "name": person.name,
                "en_name": person.en_name,
                "avatar": {f"avatar_{size}": f"{face}_{size}.png" for size in ("72", "240", "640", "origin")},
            }
        if USER_EMAIL in scopes:
            shown["email"] = email(person)
        if USER_DEPARTMENT in scopes:
            shown["department_ids"] = [DEPARTMENT]
        return {**shown, "mobile_visible": True, "status": STATUS, "is_tenant_manager": False}

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        users = "/open-apis/contact/v3/users"
        return [
            Endpoint("contact.v3.user.batch", "GET", f"{users}/batch", self.batch, CONTACT),
            Endpoint(
                "contact.v3.user.basicBatch", "POST", f"{users}/basic_batch", self.basic_batch, NAMES, per_second=5
            ),
            Endpoint("contact.v3.user.batchGetId", "POST", f"{users}/batch_get_id", self.batch_get_id, LOOKUP),
            Endpoint("contact.v3.user.get", "GET", f"{users}/{{user_id}}", self.get, CONTACT),
        ]


def _id_type(call: Call) -> str:
    given = call.text("user_id_type", "open_id")
    if given not in ID_TYPES:
        raise ApiError(BAD_PARAMETER, f"invalid parameter: user_id_type {given!r}")
    return given


def _strings(call: Call, name: str) -> list[str]:
    given = call.body.get(name) or []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ApiError(BAD_PARAMETER, f"invalid parameter: {name} must be a list of strings")
    return given

"""People's names from the contact API, in batches (FEISHU.md §7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .pages import entries
from .transport import Api, Operation

MOST_PER_CALL: Final = 50
PERSON_ID: Final = "ou_"
"""How a person's open_id begins; an app's ID in its place fails the whole call."""
UNKNOWN: Final = frozenset({99992351, 99992361})
"""There is no such person, or it is an open_id of another app: refused with all that is asked for beside it."""

BATCH: Final = Operation("contact.v3.user.batch", "GET", "/open-apis/contact/v3/users/batch")


async def names(api: Api, open_ids: Sequence[str]) -> dict[str, str]:
    """Names by open_id, one call per 50 people; people outside the app's range are not in the answer."""
    found: dict[str, str] = {}
    for i in range(0, len(open_ids), MOST_PER_CALL):
        query = [("user_id_type", "open_id"), *(("user_ids", one) for one in open_ids[i : i + MOST_PER_CALL])]
        data = await api.call(BATCH, query=query)
        for user in entries(BATCH, data.get("items"), "open_id"):
            found[str(user["open_id"])] = str(user.get("name") or "")
    return found

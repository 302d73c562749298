"""``drive/v1/permissions``: who may see a base besides the app that made it (FEISHU.md §8.1 names the scope)."""

from __future__ import annotations

from typing import Any

from ..bitable.bases import Bases
from ..endpoint import Call, Endpoint
from ..reply import ApiError

BAD_PARAMETER, GONE = 1063001, 1063005
MEMBERS = "/open-apis/drive/v1/permissions/{token}/members"
SCOPES = ("docs:permission.member:create", "docs:permission.member", "drive:drive")
KINDS = ("email", "openid", "unionid", "openchat", "userid", "opendepartmentid", "groupid", "appid")
ACCESS = ("view", "edit", "full_access")


def endpoints(bases: Bases) -> list[Endpoint]:
    """The operation that gives somebody access to a base."""

    async def add(call: Call) -> dict[str, Any]:
        body, token = call.body, call.path["token"]
        member, kind, perm = (body.get(name) for name in ("member_id", "member_type", "perm"))
        if call.text("type") != "bitable" or kind not in KINDS or perm not in ACCESS:
            raise ApiError(BAD_PARAMETER, "Invalid parameter")
        if not isinstance(member, str) or not member:
            raise ApiError(BAD_PARAMETER, "Invalid parameter: member_id")
        if not bases.knows(token):
            raise ApiError(GONE, "The resource is deleted.", status=404)
        bases.find(token).members[member] = str(perm)
        return {"member": {"member_type": kind, "member_id": member, "perm": perm}}

    return [
        Endpoint("drive.v1.permissionMember.create", "POST", MEMBERS, add, SCOPES, per_second=20, per_minute=100),
    ]

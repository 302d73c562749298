"""Behind the stage: faults, what was acknowledged, the clock of the world, and what people delete from tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from .. import loopback
from ..acknowledged import Acknowledged, Acknowledgement
from ..bitable.bases import Bases
from ..clock import WorldClock
from ..reply import ApiError
from .fault import Fault, FaultError, parse
from .faults import Faults, Strike
from .presets import preset

PAGE, LARGEST_PAGE = 1_000, 10_000
TABLE = "/sandbox/tables/{app_token}/{table_id}"


class FaultControl:
    """What harnesses ask of the faults of one sandbox."""

    def __init__(self, faults: Faults, acknowledged: Acknowledged, bases: Bases, clock: WorldClock) -> None:
        self._faults = faults
        self._acknowledged = acknowledged
        self._bases = bases
        self._clock = clock

    def add(self, router: web.UrlDispatcher) -> None:
        """Adds the routes."""
        router.add_get("/sandbox/faults", self._inspect)
        router.add_post("/sandbox/faults", self._change)
        router.add_get("/sandbox/faults/strikes", self._strikes)
        router.add_get("/sandbox/acknowledged", self._acknowledgements)
        router.add_post("/sandbox/clock", self._jump)
        router.add_delete(TABLE, self._delete_table)
        router.add_delete(TABLE + "/records/{record_id}", self._delete_record)
        router.add_delete(TABLE + "/fields/{name}", self._delete_field)

    async def _inspect(self, request: web.Request) -> web.Response:
        """The faults in force, how often each met something and struck, and all that was injected, by kind."""
        return loopback.answer(request, self._faults.document())

    async def _change(self, request: web.Request) -> web.Response:
        """``{"set": …}``, ``{"add": …}`` with a preset's name or a list of faults, or ``{"clear": true}``; as GET."""
        body = await loopback.body(request)
        try:
            match body:
                case {"set": given, **rest} if not rest:
                    self._faults.set(_faults(given))
                case {"add": given, **rest} if not rest:
                    self._faults.add(*_faults(given))
                case {"clear": True, **rest} if not rest:
                    self._faults.clear()
                case _:
                    raise FaultError('the body is {"set": …}, {"add": …} or {"clear": true}')
        except FaultError as problem:
            raise loopback.wrong(problem) from problem
        return await self._inspect(request)

    async def _strikes(self, request: web.Request) -> web.Response:
        """Every strike with its time, paged by ``after`` and ``limit``."""
        after, limit = _page(request)
        return loopback.answer(request, _paged(self._faults.strikes_after(after, limit), limit))

    async def _acknowledgements(self, request: web.Request) -> web.Response:
        """Every event considered acknowledged, paged by ``after`` and ``limit``."""
        after, limit = _page(request)
        page = _paged(self._acknowledged.after(after, limit), limit)
        return loopback.answer(request, {"total": len(self._acknowledged), **page})

    async def _jump(self, request: web.Request) -> web.Response:
        """``{"by": seconds}``: the clock of the world jumps; answers with its new time in ms."""
        body = await loopback.body(request)
        try:
            self._clock.jump(float(body["by"]) * 1000)
        except (KeyError, TypeError, ValueError) as problem:
            raise loopback.wrong(problem) from problem
        return loopback.answer(request, {"now": self._clock(), "wrong_by": self._clock.wrong_by})

    async def _delete_table(self, request: web.Request) -> web.Response:
        """A person deletes the table."""
        loopback.check(request)
        try:
            self._bases.find(request.match_info["app_token"]).delete_tables([request.match_info["table_id"]])
        except ApiError as problem:
            raise loopback.wrong(problem) from problem
        return loopback.answer(request, {})

    async def _delete_record(self, request: web.Request) -> web.Response:
        """A person deletes a record."""
        return self._delete_from_table(request, record_id=request.match_info["record_id"])

    async def _delete_field(self, request: web.Request) -> web.Response:
        """A person deletes a column, by its name."""
        return self._delete_from_table(request, column=request.match_info["name"])

    def _delete_from_table(self, request: web.Request, *, record_id: str = "", column: str = "") -> web.Response:
        loopback.check(request)
        where = request.match_info
        try:
            table = self._bases.find(where["app_token"]).table(where["table_id"])
            if record_id:
                table.delete([record_id])
            else:
                table.delete_field(table.named(column, 1254045).field_id)
        except ApiError as problem:
            raise loopback.wrong(problem) from problem
        return loopback.answer(request, {})


def _faults(given: Any) -> Sequence[Fault]:
    if isinstance(given, str):
        return preset(given)
    if isinstance(given, list):
        return [parse(each) for each in given]
    raise FaultError("faults are the name of a preset or a list of faults")


def _page(request: web.Request) -> tuple[int, int]:
    return loopback.whole(request, "after", 0), min(loopback.whole(request, "limit", PAGE), LARGEST_PAGE)


def _paged(items: Sequence[Strike] | Sequence[Acknowledgement], limit: int) -> dict[str, Any]:
    """The page, and the ``after`` of the next one; None when this may be the last."""
    more = len(items) == limit and items
    return {"items": [asdict(item) for item in items], "next": items[-1].number if more else None}

"""Behind the stage: ``/sandbox/…`` is no part of the imitation, is not counted and answers loopback only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from . import card_use, card_view, loopback
from .card_use import Unusable
from .chat import Message
from .reply import ApiError
from .scenario import act as acts
from .scenario.act import ScenarioError
from .world import Impossible, Refusal

if TYPE_CHECKING:
    from .server import Sandbox


class Control:
    """What tests and the program that started the sandbox ask of it."""

    def __init__(self, sandbox: Sandbox, table: Callable[[str, str], dict[str, Any]]) -> None:
        self._sandbox = sandbox
        self._table = table

    def add(self, router: web.UrlDispatcher) -> None:
        """Adds the routes."""
        router.add_get("/sandbox/info", self._info)
        router.add_get("/sandbox/stats", self._stats)
        router.add_get("/sandbox/tables/{app_token}/{table_id}", self._records)
        router.add_get("/sandbox/cards", self._cards)
        router.add_get("/sandbox/cards/{message_id}", self._card)
        router.add_post("/sandbox/acts", self._act)
        router.add_post("/sandbox/clicks", self._click)
        router.add_post("/sandbox/play", self._play)
        router.add_post("/sandbox/disconnect", self._disconnect)
        router.add_post("/sandbox/refuse", self._refuse)
        router.add_post("/sandbox/downloads", self._downloads)
        router.add_post("/sandbox/revoke", self._revoke)
        router.add_patch("/sandbox/scopes", self._scopes)

    async def _info(self, request: web.Request) -> web.Response:
        """The settings an app needs, by their environment names."""
        return loopback.answer(request, self._sandbox.environment())

    async def _stats(self, request: web.Request) -> web.Response:
        """Connections, pushes, acknowledgement times, scenario progress, API calls."""
        return loopback.answer(request, self._sandbox.document())

    async def _records(self, request: web.Request) -> web.Response:
        """Every record of a table as the API would show it: ``{"total": …, "items": [{record_id, fields}]}``."""
        loopback.check(request)
        try:
            document = self._table(request.match_info["app_token"], request.match_info["table_id"])
            return loopback.answer(request, document)
        except ApiError as problem:
            raise loopback.wrong(problem) from problem

    async def _cards(self, request: web.Request) -> web.Response:
        """A page that leads to every card the app sent, the newest first."""
        sent = [message for message in self._sandbox.world.messages.values() if message.card]
        return _page(request, card_view.overview(reversed(sent)))

    async def _card(self, request: web.Request) -> web.Response:
        """A card the app sent as people see it."""
        world, message_id = self._sandbox.world, request.match_info["message_id"]
        message = world.messages.get(message_id)
        if message is None or not message.card:
            raise web.HTTPNotFound(text=f"there is no card {message_id}; all that were sent: /sandbox/cards")
        return _page(request, card_view.show(message, self._name, world.app.name))

    def _name(self, open_id: str) -> str:
        person = self._sandbox.world.people.get(open_id)
        return person.name if person is not None else ""

    async def _act(self, request: web.Request) -> web.Response:
        """Plays one act, or each of a list, now; ``at`` is taken as given, and 0 or absent means the world's now."""
        body = await loopback.body(request)
        played = 0
        for document in body if isinstance(body, list) else [body]:
            if isinstance(document, dict) and not document.get("at"):
                document["at"] = self._sandbox.world.now()
            try:
                self._sandbox.world.play(acts.parse(document))
            except (ScenarioError, Impossible) as problem:
                raise loopback.wrong(problem, played=played) from problem
            played += 1
        return loopback.answer(request, {"played": played})

    async def _click(self, request: web.Request) -> web.Response:
        """Somebody uses a card, ``{message, person}``; they see ``{code, msg, answer, toast, card}``.

        How is told by ``action``, as the app gets it, or by the ``part`` of the card (its words, name, element_id or
        number) with what is ``given`` in it and in the fields of its ``form``.
        """
        body = await loopback.body(request)
        try:
            message, person = self._sandbox.world.message(body["message"]), body["person"]
            action = body["action"] if "action" in body else _used(message, body)
            if not isinstance(action, dict) or not isinstance(person, str):
                raise loopback.wrong("action is an object, person an open_id")
        except (Impossible, Unusable, KeyError, TypeError) as problem:
            raise loopback.wrong(problem) from problem
        try:
            return loopback.answer(request, await self._sandbox.presses.use(message, person, action))
        except Impossible as problem:
            raise loopback.wrong(problem) from problem

    async def _play(self, request: web.Request) -> web.Response:
        """Starts the scenario; fine when it has started."""
        loopback.check(request)
        self._sandbox.play()
        return loopback.answer(request, {})

    async def _disconnect(self, request: web.Request) -> web.Response:
        """Cuts every long connection."""
        loopback.check(request)
        return loopback.answer(request, {"disconnected": self._sandbox.gateway.disconnect()})

    async def _refuse(self, request: web.Request) -> web.Response:
        """Makes the next ``times`` discoveries answer ``code``."""
        body = await loopback.body(request)
        try:
            self._sandbox.gateway.refuse(int(body["code"]), int(body.get("times", 1)))
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise loopback.wrong(problem) from problem
        return loopback.answer(request, {})

    async def _downloads(self, request: web.Request) -> web.Response:
        """Makes downloads of one resource fail: ``{key, code, times}``, or cut after so many bytes: ``{key, after}``.

        Without ``times`` they fail for ever; with neither ``code`` nor ``after`` they work again.
        """
        body = await loopback.body(request)
        try:
            refusal = Refusal(int(body.get("code", 0)), int(body.get("after", -1)), int(body.get("times", 0)))
            refusals, key = self._sandbox.world.refusals, str(body["key"])
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise loopback.wrong(problem) from problem
        if refusal.code or refusal.after >= 0:
            refusals[key] = refusal
        else:
            refusals.pop(key, None)
        return loopback.answer(request, {})

    async def _revoke(self, request: web.Request) -> web.Response:
        """Makes every token invalid."""
        loopback.check(request)
        self._sandbox.tokens.revoke()
        return loopback.answer(request, {})

    async def _scopes(self, request: web.Request) -> web.Response:
        """``{"grant": […], "revoke": […]}``; answers with all that are granted."""
        body = await loopback.body(request)
        if not isinstance(body, dict):
            raise loopback.wrong("the body is an object with grant and revoke")
        grant, revoke = body.get("grant", []), body.get("revoke", [])
        if not _strings(grant) or not _strings(revoke):
            raise loopback.wrong("grant and revoke are lists of scopes")
        granted = self._sandbox.world.app.scopes
        granted.update(grant)
        granted.difference_update(revoke)
        return loopback.answer(request, {"scopes": sorted(granted)})


def _strings(given: object) -> bool:
    return isinstance(given, list) and all(isinstance(each, str) for each in given)


def _used(message: Message, body: dict[str, Any]) -> Any:
    """The action that ``body`` describes. Raises ``Unusable``, ``KeyError``."""
    if not message.card:
        raise Unusable(f"{message.message_id} is no card")
    return card_use.action(orjson.loads(message.card), body["part"], body.get("given", ""), body.get("form"))


def _page(request: web.Request, html: str) -> web.Response:
    loopback.check(request)
    headers = {"Content-Security-Policy": card_view.POLICY}
    return web.Response(text=html, content_type="text/html", headers=headers)

"""From an HTTP request to an operation and back; it does what is the same for every operation (FEISHU.md §0)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from . import bodies
from .auth import Tokens, require
from .calls import Calls
from .endpoint import Call, Endpoint
from .faults.answers import Answers, Instead
from .limits import Limits
from .people import App
from .reply import ApiError, document, failure, success

BAD_REQUEST, NO_SUCH_API = 9499, 99991201
UNKNOWN = "unknown"
"""What calls of no operation are counted under."""

TENANT_TOKEN = "/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105 — an address
APP_TOKEN = "/open-apis/auth/v3/app_access_token/internal"  # noqa: S105 — an address

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Routes:
    """The open API as aiohttp routes: count, token, limits, scopes, body, answer."""

    def __init__(self, app: App, tokens: Tokens, limits: Limits, calls: Calls, answers: Answers) -> None:
        self._app = app
        self._tokens = tokens
        self._limits = limits
        self._calls = calls
        self._answers = answers

    def add(self, router: web.UrlDispatcher, endpoints: Iterable[Endpoint]) -> None:
        """Adds every operation, the tokens', and the answer for addresses of no operation."""
        for endpoint in endpoints:
            router.add_route(endpoint.method, endpoint.path, self._handler(endpoint))
        for name, path, answer in (
            ("auth.v3.tenantAccessToken.internal", TENANT_TOKEN, self._tenant_token),
            ("auth.v3.appAccessToken.internal", APP_TOKEN, self._app_token),
        ):
            router.add_route("POST", path, self._handler(Endpoint(name, "POST", path, answer), open_to_all=True))
        router.add_route("*", "/{path:.*}", self._nowhere)

    def _handler(self, endpoint: Endpoint, *, open_to_all: bool = False) -> Handler:
        async def operate(request: web.Request) -> web.StreamResponse:
            if not open_to_all and endpoint.path.startswith("/open-apis/"):  # Temporary links carry their own.
                self._tokens.check(request.headers.get("Authorization"))
                self._limits.call(endpoint.name, endpoint.per_second, endpoint.per_minute)
                require(self._app, endpoint.scopes)
            body = await _json(request) if endpoint.json else {}
            answer = await endpoint.answer(Call(request.match_info, request.query, body, request))
            return answer if isinstance(answer, web.StreamResponse) else success(answer)

        async def handle(request: web.Request) -> web.StreamResponse:
            code, began = 0, time.perf_counter()
            try:
                return await self._answers.answer(endpoint.name, request, lambda: operate(request))
            except ApiError as problem:
                code = problem.code
                return failure(problem)
            except Instead as other:
                code = other.code
                return other.response
            finally:
                self._calls.count(endpoint.name, code, ms=(time.perf_counter() - began) * 1000)

        return handle

    async def _tenant_token(self, call: Call) -> web.Response:
        token, expire = self._tokens.issue(call.body)
        return document({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": expire})

    async def _app_token(self, call: Call) -> web.Response:
        token, expire = self._tokens.issue(call.body)
        return document(
            {"code": 0, "msg": "ok", "app_access_token": token, "tenant_access_token": token, "expire": expire}
        )

    async def _nowhere(self, request: web.Request) -> web.Response:
        self._calls.count(UNKNOWN, NO_SUCH_API)
        return failure(ApiError(NO_SUCH_API, f"404 page not found: {request.method} {request.path}", status=404))


async def _json(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object, whatever content type it claims; ``{}`` where there is none (FEISHU.md §0.1)."""
    try:
        raw = await request.read()
    except web.RequestPayloadError as error:
        raise ApiError(BAD_REQUEST, f"Bad Request: the body cannot be read: {error}") from error
    if not raw:
        return {}
    try:
        value = bodies.parse(raw)
    except orjson.JSONDecodeError as error:
        raise ApiError(BAD_REQUEST, f"Bad Request: the body is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(BAD_REQUEST, "Bad Request: the body is no JSON object")
    return value

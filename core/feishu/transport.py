"""Calls of the open API: one pooled session, the tenant token, rate limits, retries, and every call in the ledger.

It answers with the ``data`` object, or with a file it saved, or raises; it never interprets what the data means.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import aiohttp
import orjson
from aiolimiter import AsyncLimiter
from loguru import logger
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from ..errors import ApiError, ApiFailure, QuotaExhausted, Unreachable
from . import scopes
from .ledger import Ledger
from .reasons import reason_of
from .streams import Download, FilePart, FilePayload, allowed_time, is_file, save, whole

T = TypeVar("T")
Query = Mapping[str, str] | list[tuple[str, str]] | None

TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=10)
ATTEMPTS: Final = 5
MOST_ANSWER: Final = 64 << 20
"""Bytes of an answer, files apart; a page of 500 full records has a few million."""
LONGEST_WAIT: Final = 30.0
TOKEN_MARGIN: Final = 300.0
"""Seconds before its end at which a token is renewed; the platform has a new one for the last 1800 (FEISHU.md §3.1)."""

TOO_MANY: Final = 99991400
EXHAUSTED: Final = 99991403
BAD_TOKEN: Final = frozenset({99991663, 99991664, 99991665, 99991661, 99991671})
OF_THE_APP: Final = frozenset({99991401, 99991662, 99991673})
"""The address of this machine, the app, the app in this tenant: refused whatever is asked for (FEISHU.md §3.3)."""
TOKEN_PATH: Final = "/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105

_ADVICE: Final = {
    10003: "check APP_ID and APP_SECRET",
    10014: "the app is disabled; enable it in the developer console",
    10015: "APP_SECRET does not belong to APP_ID; copy both again from the developer console",
    1254040: "check BITABLE_APP_TOKEN",
    1254103: "the table has as many records as the plan allows; delete what is not needed, or change the plan",
    1254041: "check the table ID",
    1254302: "give the app edit access to the base: ··· → 更多 → 添加文档应用",
    91403: "give the app edit access to the base: ··· → 更多 → 添加文档应用",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the open API, named as the ledger shows it."""

    name: str
    method: str
    path: str
    """With ``{placeholders}``."""
    per_second: int = 50
    repeatable: bool = True
    """Whether it may be sent again when no answer came, though it may have had its effect."""


class _Again(Exception):
    """The attempt may be repeated after ``after`` seconds, or with backoff."""

    def __init__(self, cause: ApiFailure, after: float | None = None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.after = after


class _BadToken(Exception):
    """The token was refused; the attempt may be repeated once with a new one."""

    def __init__(self, cause: ApiError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Api:
    """The open API of one app, for one event loop. ``async with`` it."""

    def __init__(
        self,
        base_url: str,
        app_id: str,
        app_secret: str,
        ledger: Ledger,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger = ledger
        self._base_url = base_url
        self._app_id = app_id
        self._app_secret = app_secret
        self.sleep = sleep
        self._now = now
        self._limiters: dict[str, AsyncLimiter] = {}
        self._token = ""
        self._token_until = 0.0
        self._token_lock = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def log_in(self) -> None:
        """Get a token now. Raises ``ApiError`` when the credentials are refused, ``Unreachable``."""
        try:
            await self._fresh_token()
        except _Again as again:
            raise again.cause from None

    async def call(
        self,
        operation: Operation,
        *,
        path: Mapping[str, str] | None = None,
        query: Query = None,
        body: Mapping[str, Any] | bytes | None = None,
    ) -> dict[str, Any]:
        """The ``data`` of the answer.

        Repeats what may be repeated: network errors, time-outs, HTTP 5xx, rate limits (after the time the platform
        names), and once a refused token. Raises ``ApiError`` for any other code, ``Unreachable`` when the attempts are
        used up, ``QuotaExhausted``.
        """
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        address = operation.path.format_map(path or {})

        async def attempt(headers: dict[str, str]) -> dict[str, Any]:
            return await self._send(operation, address, query, data, headers)

        return _data(await self._insist(operation, attempt))

    async def upload(self, operation: Operation, fields: Mapping[str, str], part: FilePart) -> dict[str, Any]:
        """The ``data`` of the answer to a form of ``fields`` and then ``file``, read from disk while it is sent.

        Repeated, each time from the beginning, and failing as of ``call``.
        """

        async def attempt(headers: dict[str, str]) -> dict[str, Any]:
            form = aiohttp.FormData()
            for name, value in fields.items():
                form.add_field(name, value)
            form.add_field("file", FilePayload(part), filename="file")
            return await self._send(operation, operation.path, None, form, headers, allowed_time(part.length))

        return _data(await self._insist(operation, attempt))

    async def download(
        self, operation: Operation, to: Path, *, most: int, path: Mapping[str, str], query: Query = None
    ) -> Download:
        """Save the file that answers, of at most ``most`` bytes, to ``to``.

        Repeated, each time from the beginning, and failing as of ``call``; then nothing stays at ``to``. Raises
        ``TooLarge`` and ``StorageError`` too.
        """
        address = operation.path.format_map(path)

        async def attempt(headers: dict[str, str]) -> Download:
            async with self._open(operation, address, query, None, headers, allowed_time(most)) as response:
                if is_file(response):
                    return await save(response, to, most)
                raw = await whole(response, MOST_ANSWER, of=operation.name)
            self._checked(operation, response, raw)
            raise Unreachable(f"{operation.name}: the answer is no file")

        return await self._insist(operation, attempt)

    async def _insist(self, operation: Operation, attempt: Callable[[dict[str, str]], Awaitable[T]]) -> T:
        """What ``attempt``, given the headers, answers at last."""

        def worthwhile(error: BaseException) -> bool:
            return isinstance(error, _Again) and (operation.repeatable or _without_effect(error.cause))

        retrying = AsyncRetrying(
            retry=retry_if_exception(worthwhile),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            sleep=self.sleep,
            reraise=True,
        )
        renewed = False
        attempts = 0
        try:
            async for again in retrying:
                attempts += 1
                with again:
                    try:
                        return await self._once(operation, attempt)
                    except _BadToken as refused:
                        if renewed:
                            raise refused.cause from None
                        renewed = True
                        raise _Again(refused.cause, 0.0) from None
        except _Again as given_up:
            if isinstance(given_up.cause, ApiError):
                given_up.cause.repeated = attempts > 1
            raise given_up.cause from None
        except ApiError as error:
            error.repeated = attempts > 1
            raise
        raise AssertionError("unreachable")

    async def _once(self, operation: Operation, attempt: Callable[[dict[str, str]], Awaitable[T]]) -> T:
        token = await self._fresh_token()
        limiter = self._limiters.setdefault(operation.name, AsyncLimiter(operation.per_second, 1.0))
        async with limiter:
            try:
                return await attempt({"Authorization": f"Bearer {token}"})
            except _BadToken:
                if self._token == token:  # Else another call has renewed it meanwhile.
                    self._token_until = 0.0
                raise

    async def _fresh_token(self) -> str:
        now = self._now()
        async with self._token_lock:
            if now >= self._token_until:
                operation = Operation("auth.v3.tenantAccessToken.internal", "POST", TOKEN_PATH)
                body = orjson.dumps({"app_id": self._app_id, "app_secret": self._app_secret})
                answer = await self._send(operation, TOKEN_PATH, None, body, {})
                token, lifetime = answer.get("tenant_access_token"), answer.get("expire")
                fit = isinstance(token, str) and token.isascii() and token.isprintable()
                if not fit or not isinstance(token, str) or not isinstance(lifetime, int | float) or lifetime <= 0:
                    raise _Again(Unreachable(f"{operation.name}: the answer has no token"))
                self._token = token
                self._token_until = now + max(lifetime - TOKEN_MARGIN, lifetime / 2)
            return self._token

    async def _send(
        self,
        operation: Operation,
        address: str,
        query: Query,
        body: bytes | aiohttp.FormData | None,
        headers: dict[str, str],
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> dict[str, Any]:
        """One attempt: the whole answer. Raises ``_Again`` or ``_BadToken`` around what may be repeated."""
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/json; charset=utf-8"
        async with self._open(operation, address, query, body, headers, timeout) as response:
            raw = await whole(response, MOST_ANSWER, of=operation.name)
        return self._checked(operation, response, raw)

    @asynccontextmanager
    async def _open(
        self,
        operation: Operation,
        address: str,
        query: Query,
        body: bytes | aiohttp.FormData | None,
        headers: dict[str, str],
        timeout: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response whose body is still to be read; what breaks meanwhile is raised as ``_Again``."""
        if self._session is None:
            raise RuntimeError("use `async with Api(…)`")
        self.ledger.spend(operation.name)
        try:
            async with self._session.request(
                operation.method,
                self._base_url + address,
                params=query,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = f"{operation.name}: no answer from {self._base_url}: {reason_of(error)}"
            raise _Again(Unreachable(reason)) from error

    def _checked(self, operation: Operation, response: aiohttp.ClientResponse, raw: bytes) -> dict[str, Any]:
        """The answer in ``raw`` when it says that all is well. Raises as ``_send``."""
        status, answer = response.status, _parsed(raw)
        if answer is None or not isinstance(answer.get("code"), int):
            problem = Unreachable(f"{operation.name}: HTTP {status} without a usable answer")
            if status == 429 or status >= 500 or status == 200:
                raise _Again(problem)
            raise problem
        if answer["code"] != 0:
            headers = response.headers
            reset, log_id = headers.get("x-ogw-ratelimit-reset", ""), headers.get("X-Tt-Logid", "")
            self._refused(operation, status, answer, reset, log_id)
        return answer

    def _refused(self, operation: Operation, status: int, answer: dict[str, Any], reset: str, log_id: str) -> None:
        code, msg = int(answer["code"]), str(answer.get("msg", ""))
        error = answer.get("error")
        detail = str(error.get("message", "")) if isinstance(error, dict) else ""
        wanted, link = self._wanted(operation, answer) if code in scopes.NOT_GRANTED else ((), "")
        advice = f"grant the scope at {link} and publish a version" if link else _ADVICE.get(code, "")
        detail = "; ".join(part for part in (detail, advice) if part)
        of_app = code in OF_THE_APP or operation.path == TOKEN_PATH
        problem = ApiError(
            operation.name,
            code,
            msg,
            status=status,
            log_id=log_id,
            detail=detail,
            passing=of_app or code == TOO_MANY or code in BAD_TOKEN or status == 429 or status >= 500,
            of_app=of_app,
            scopes=wanted,
            link=link,
        )
        if code == EXHAUSTED:
            raise QuotaExhausted(
                f"{operation.name}: the platform says the month's API calls are used up ({code} {msg})"
            )
        if code == TOO_MANY or status == 429:
            after = float(reset) if reset.isdecimal() else None
            logger.debug("{} is rate limited; again in {} s", operation.name, reset or "some")
            raise _Again(problem, after)
        if code in BAD_TOKEN and operation.path != TOKEN_PATH:
            raise _BadToken(problem)
        if status >= 500:
            raise _Again(problem)
        raise problem

    def _wanted(self, operation: Operation, answer: dict[str, Any]) -> tuple[scopes.Alternatives, str]:
        """The scopes that a refusal names, else those that open the operation, and where they are granted."""
        wanted = scopes.named_in(answer) or scopes.opening(operation.method, operation.path) or ()
        return wanted, scopes.link(self._base_url, self._app_id, wanted)


def _without_effect(failure: ApiFailure) -> bool:
    return isinstance(failure, ApiError) and failure.status < 500


def _wait(state: RetryCallState) -> float:
    """What the platform asked for, else 1, 2, 4 … seconds with jitter."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Again) and error.after is not None:
        return min(error.after, 120.0)
    return float(min(LONGEST_WAIT, 2.0 ** (state.attempt_number - 1)) * random.uniform(0.75, 1.25))  # noqa: S311


def _data(answer: dict[str, Any]) -> dict[str, Any]:
    """``data``, or what stands in its place: some old operations answer without it (bot/v3/info, FEISHU.md §4.5)."""
    data = answer.get("data")
    if isinstance(data, dict):
        return data
    return {name: value for name, value in answer.items() if name not in ("code", "msg", "data")}


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None

"""One endpoint: paced, bounded, repeated where that may help, left alone when it keeps failing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from .breaker import Breaker
from .budget import DailyBudget, Expense
from .prompt import Chat, tokens_of
from .providers import Provider
from .settings import LlmSettings

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

LARGEST: Final = 1 << 20
"""Bytes of an answer, headers apart."""
MOST_TOKENS: Final = 10_000_000
"""An answer that says it cost more is not believed."""
LONGEST_WAIT: Final = 30.0
"""Seconds; an endpoint that asks for more is left for the next."""

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z_.-]{0,60}\Z")
_HOPELESS: Final = frozenset({401, 402, 403, 404, 405, 410})
"""The key, the balance, the model or the address is wrong: the next request would fare no better."""


class Unanswered(Exception):
    """The endpoint gave no usable answer; the text names it and has nothing of what was sent or received."""


class _Again(Exception):
    """The attempt may be repeated, after ``after`` seconds or with backoff."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class _Hopeless(Exception):
    """Nothing would change if it were repeated; ``always`` when that holds for any other request too."""

    def __init__(self, reason: str, *, always: bool = False) -> None:
        super().__init__(reason)
        self.always = always


class Client:
    """Asks one provider, within the day's budget."""

    def __init__(
        self,
        provider: Provider,
        settings: LlmSettings,
        budget: DailyBudget,
        *,
        session: Callable[[], ClientSession],
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        uniform: Callable[[float, float], float],
        limiter: AsyncLimiter | None = None,
    ) -> None:
        self.provider = provider
        self._settings = settings
        self._budget = budget
        self._session = session
        self._clock = clock
        self._sleep = sleep
        self._uniform = uniform
        self._limiter = limiter or AsyncLimiter(provider.per_minute, 60.0)
        self._breaker = Breaker(clock)

    async def complete(self, chat: Chat) -> str:
        """The text of the answer. Raises ``Unanswered``, and ``BudgetSpent`` before anything is sent."""
        label = self.provider.label
        if self._breaker.open:
            raise Unanswered(f"{label} is left alone for a while after it failed")
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(self._settings.attempts),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            text: str = await retrying(self._once, chat)
        except (_Again, _Hopeless) as failure:
            self._breaker.fail(for_certain=isinstance(failure, _Hopeless) and failure.always)
            raise Unanswered(f"{label} {failure}") from None
        self._breaker.succeed()
        return text

    async def _once(self, chat: Chat) -> str:
        await self._limiter.acquire()
        body = self._body(chat)
        expected = sum(tokens_of(message["content"]) for message in chat) + self._settings.answer_tokens
        expense = self._budget.spend(expected)
        status, raw, retry_after = await self._post(body, expense)
        if status != 200:
            self._budget.settle(expense, 0)
            raise self._refusal(status, raw, retry_after)
        answer = _object(raw)
        if answer is None or not isinstance(answer.get("choices"), list) or not answer["choices"]:
            raise _Again("answered without a completion")
        self._settle(expense, answer)
        return _text(answer["choices"][0])

    async def _post(self, body: bytes, expense: Expense) -> tuple[int, bytes, str]:
        """Status, body and Retry-After of the answer."""
        import aiohttp

        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if key := self.provider.key.get_secret_value().strip():
            headers["Authorization"] = f"Bearer {key}"
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout)
        try:
            async with self._session().post(
                self.provider.url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                return response.status, await _bounded(response), response.headers.get("Retry-After", "")
        except aiohttp.ClientConnectorError as error:
            self._budget.settle(expense, 0)
            raise _Again(f"cannot be reached ({type(error).__name__})") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _Again(f"gave no answer ({type(error).__name__})") from None
        except ValueError:
            raise _Hopeless("cannot be asked: its key or its address has characters it may not have") from None

    def _body(self, chat: Chat) -> bytes:
        provider = self.provider
        body = {"model": provider.model, "messages": chat, provider.limit: self._settings.answer_tokens}
        if provider.json_mode:
            body["response_format"] = {"type": "json_object"}
        return orjson.dumps({**body, **provider.extra})

    def _settle(self, expense: Expense, answer: dict[str, Any]) -> None:
        usage = answer.get("usage")
        total = usage.get("total_tokens") if isinstance(usage, dict) else None
        if isinstance(total, int) and 0 < total <= MOST_TOKENS:
            self._budget.settle(expense, total)

    def _refusal(self, status: int, raw: bytes, retry_after: str) -> _Again | _Hopeless:
        code = _code(raw)
        reason = f"answered HTTP {status}{f' ({code})' if code else ''}"
        if status in (408, 409, 425, 429) or status >= 500:
            after = self._seconds(retry_after)
            if after is not None and after > LONGEST_WAIT:
                return _Hopeless(f"{reason} and asks to wait {after:.0f} s", always=True)
            return _Again(reason, after)
        return _Hopeless(reason, always=status in _HOPELESS or 300 <= status < 400)

    def _seconds(self, retry_after: str) -> float | None:
        """Retry-After is in seconds or a date (RFC 9110 §10.2.3)."""
        if retry_after.strip().isdecimal():
            return float(retry_after)
        try:
            date = parsedate_to_datetime(retry_after)
        except (ValueError, OverflowError):
            return None
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        return max((date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds(), 0.0)

    def _wait(self, state: RetryCallState) -> float:
        """What the endpoint asked for, else 1, 2, 4 … seconds with jitter."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _Again) and error.after is not None:
            return error.after
        return min(LONGEST_WAIT, 2.0 ** (state.attempt_number - 1)) * self._uniform(0.75, 1.25)


async def _bounded(response: ClientResponse) -> bytes:
    received = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        received += chunk
        if len(received) > LARGEST:
            raise _Hopeless(f"answered with more than {LARGEST} bytes")
    return bytes(received)


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _code(raw: bytes) -> str:
    """The error's code where it is a mere word; its message may repeat the key."""
    answer = _object(raw) or {}
    error = answer.get("error")
    code = (error.get("code") or error.get("type")) if isinstance(error, dict) else answer.get("code")
    return code if isinstance(code, str) and _CODE.match(code) else ""


def _text(choice: Any) -> str:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise _Again("answered without a message")
    finish = choice.get("finish_reason")
    if message.get("refusal") or finish not in ("stop", None, ""):
        raise _Hopeless("did not finish its answer")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise _Again("answered with nothing")
    return text

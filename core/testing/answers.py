"""The platform as a test hands it in: who is there, and what each API answers; it notes every call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from ..platform import Budget
from .failures import HarnessFailure, Unanswered

QUOTA: Final = 10_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call of ``ctx.call``."""

    name: str
    """``GET /open-apis/im/v1/chats/:chat_id``."""
    path: Mapping[str, str]
    """What stood for the placeholders of the path."""
    query: Mapping[str, str]
    body: Any
    """As it would be sent, decoded; None without one."""
    request: Any = field(repr=False, compare=False)
    """The request object of the SDK."""


class Answers:
    """What the APIs answer, by ``"GET /open-apis/im/v1/chats/:chat_id"`` or by the SDK's request class.

    An answer is the ``data`` of the platform's, an exception to raise, a function of the ``Call`` that gives either,
    or a list of those, one a call.
    """

    def __init__(
        self,
        answers: Mapping[Any, Any],
        people: Mapping[str, str],
        groups: tuple[str, ...],
        clock: Callable[[], int],
        zone: ZoneInfo,
        note: Callable[[HarnessFailure], None],
    ) -> None:
        self.calls: list[Call] = []
        self.people = dict(people)
        self._answers = {_same(key): answer for key, answer in answers.items()}
        self._used: dict[Any, int] = {}
        self._groups = groups
        self._clock = clock
        self._zone = zone
        self._note = note

    async def call(self, request: Any) -> dict[str, Any]:
        call = _call(request)
        self.calls.append(call)
        answer = self._answer(call)
        if callable(answer):
            answer = answer(call)
            if inspect.isawaitable(answer):
                answer = await answer
        if isinstance(answer, BaseException):
            raise answer
        return orjson.loads(orjson.dumps(answer or {}))  # type: ignore[no-any-return]

    async def groups(self) -> tuple[str, ...]:
        return self._groups

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        return {one: self.people[one] for one in open_ids if one in self.people}

    def budget(self) -> Budget:
        now = datetime.fromtimestamp(self._clock() / 1000, self._zone)
        ahead = now.replace(
            year=now.year + now.month // 12, month=now.month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
        )
        return Budget(QUOTA, len(self.calls), (ahead - now).total_seconds())

    def refusal(self, name: str) -> Exception | None:
        """What a sent message meets: an exception handed in under this name, or None."""
        answer = self._answers.get(_same(name))
        return answer if isinstance(answer, Exception) else None

    def _answer(self, call: Call) -> Any:
        literal = re.sub(r":(\w+)", lambda part: call.path.get(part[1], part[0]), call.name)
        key = next((key for key in (literal, _same(call.name), type(call.request)) if key in self._answers), None)
        if key is None:
            failure = Unanswered(
                f"nobody answers {call.name}\n"
                f"Hand an answer in: Harness(…, answers={{{call.name!r}: {{…}}}}), the `data` of the platform's answer."
            )
            self._note(failure)
            raise failure
        answer = self._answers[key]
        if not isinstance(answer, list):
            return answer
        used = self._used[key] = self._used.get(key, 0) + 1
        if used > len(answer):
            failure = Unanswered(f"{call.name} was called {used} times, and {len(answer)} answers were handed in")
            self._note(failure)
            raise failure
        return answer[used - 1]


def _same(key: Any) -> Any:
    """``{chat_id}`` for ``:chat_id``, as both are written."""
    return re.sub(r"\{(\w+)\}", r":\1", key) if isinstance(key, str) else key


def _call(request: Any) -> Call:
    if not all(hasattr(request, name) for name in ("http_method", "uri", "paths", "queries", "body")):
        raise TypeError(f"ctx.call takes a request object of lark_oapi, not {type(request).__name__}")
    body = None if request.body is None else orjson.loads(orjson.dumps(request.body, default=_given))
    query = {name: str(value) for name, value in request.queries}
    path = {name: str(value) for name, value in request.paths.items()}
    return Call(f"{request.http_method.name} {request.uri}", path, query, body, request)


def _given(model: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(model).items() if value is not None}

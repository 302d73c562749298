"""Hooks as the harness calls them: what they raise, how long they sleep, what they leave behind is noted.

The bus calls a wrapped hook like any other; an error goes on to it, so that everything happens as in the program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, NamedTuple

from ..context import Context
from ..errors import Malformed, NotReady, Retry, Undeclared
from ..loading.fitness import Hook
from ..loading.plugins import Plugin
from .blocking import BlockWatch
from .declared import DeclaredContext
from .failures import Blocked, HarnessFailure, Swallowed, TaskLeft

GRACE: Final = 0.05
"""Seconds in which a task that is ending anyway may end after its hook."""


class Raised(NamedTuple):
    """What a hook raised, with the frames of the plugin only."""

    error: Exception
    trace: TracebackType | None
    hook: str


class Notes:
    """What the hooks of one harness did; written in the plugins' threads, read in the test's."""

    def __init__(self, limit: float, clock: Callable[[], int], on_sleep: Callable[[float], None]) -> None:
        """``limit``: seconds a hook may keep its loop from going on."""
        self.raised: list[Raised] = []
        self.failures: list[HarnessFailure] = []
        self.waiting: dict[str, Coroutine[Any, Any, Any]] = {}
        """The hooks that are being called, by plugin."""
        self.expected: tuple[type[BaseException], ...] = ()
        """What hooks may raise now."""
        self.clock = clock
        self.on_sleep = on_sleep
        self.blocks = BlockWatch(limit, self._blocked)

    def unexpected(self) -> Raised | None:
        """The first error that the test did not expect; with it all are settled."""
        found = next((one for one in self.raised if not isinstance(one.error, self.expected)), None)
        if found is not None:
            self.raised.clear()
        return found

    def check(self) -> None:
        """Raise the first thing that the test did not expect."""
        __tracebackhide__ = True
        unexpected = self.unexpected()
        if unexpected is not None:
            self.failures.clear()
            raise unexpected.error.with_traceback(unexpected.trace)
        if self.failures:
            failures, self.failures[:] = list(self.failures), []
            raise failures[0]

    def fail(self, failure: HarnessFailure) -> None:
        """Something was done that must not be."""
        self.failures.append(failure)

    def _blocked(self, hook: str, seconds: float, line: str) -> None:
        self.failures.append(
            Blocked(
                f"{hook} kept its event loop for {seconds * 1000:.0f} ms and more, here:\n    {line}\n"
                "Await something that does not block, or use `await asyncio.to_thread(…)`."
            )
        )


class WatchedHooks:
    """The hooks of one plugin under a harness."""

    def __init__(self, plugin: Plugin, notes: Notes, *, twice: bool) -> None:
        """With ``twice`` every event is handled again after its writes were undone, as after a crash."""
        self._name = plugin.name
        self._notes = notes
        self._twice = twice
        self._contexts: dict[Context[Any], DeclaredContext] = {}
        self._undeclared: list[Undeclared] = []
        self._kernel: set[asyncio.Task[Any]] = set()
        self._packages = {name: hook.call.__module__ for name, hook in plugin.hooks.items()}
        hooks = {"startup": Hook(_nothing, ()), "shutdown": Hook(_nothing, ()), **plugin.hooks}
        self.plugin = replace(plugin, hooks={name: self._watched(name, hook) for name, hook in hooks.items()})

    def _watched(self, name: str, hook: Hook) -> Hook:
        async def call(**values: Any) -> None:
            context = values.get("ctx")
            if context is not None:
                values["ctx"] = self._declared(context)
            again = self._twice and context is not None and name.startswith("on_")
            mark = context.unit.mark() if again and context is not None else ()
            await self._called(name, hook.call, values)
            if again and context is not None:
                context.unit.back_to(mark)
                await self._called(name, hook.call, values)

        return Hook(call, hook.arguments)

    def _declared(self, context: Context[Any]) -> DeclaredContext:
        there = self._contexts.get(context)
        if there is None:
            there = self._contexts[context] = DeclaredContext(context, self._undeclared.append)
        return there

    async def _called(self, name: str, hook: Callable[..., Awaitable[None]], values: Mapping[str, Any]) -> None:
        title = f"{name} of plugin {self._name}"
        before = asyncio.all_tasks()
        if name == "startup":
            self._kernel = before
        coroutine: Coroutine[Any, Any, None] = hook(**values)  # type: ignore[assignment]
        self._undeclared.clear()
        self._notes.waiting[self._name] = coroutine
        self._notes.blocks.begin(title, self._packages.get(name, __name__))
        try:
            await _Steps(coroutine, self._notes.on_sleep)
        except (Malformed, Retry, NotReady) as word:
            if isinstance(word, NotReady):
                self._raised(word, title)
            raise
        except Exception as error:
            self._raised(error, title)
            raise
        except SystemExit as error:
            self._raised(RuntimeError(f"{title} called sys.exit({error.code!r})"), title)
            raise
        finally:
            self._notes.blocks.end()
            self._notes.waiting.pop(self._name, None)
        if self._undeclared:
            caught = self._undeclared.pop()
            self._notes.failures.append(Swallowed(f"{title} caught this and went on: {caught}"))
        if name != "startup":
            await self._nothing_left(title, self._kernel if name == "shutdown" else before)

    async def _nothing_left(self, title: str, before: set[asyncio.Task[Any]]) -> None:
        left = asyncio.all_tasks() - before
        if left:
            _, left = await asyncio.wait(left, timeout=GRACE)
        for task in left:
            code = getattr(task.get_coro(), "cr_code", None)
            where = f"{code.co_qualname}, {code.co_filename}:{code.co_firstlineno}" if code else repr(task)
            self._notes.failures.append(
                TaskLeft(
                    f"{title} returned and left a task behind: {where}\n"
                    "Await it, or cancel it and await that; what startup begins, shutdown has to end."
                )
            )
            task.cancel()

    def _raised(self, error: Exception, title: str) -> None:
        if isinstance(error, HarnessFailure):  # Whoever raised it has told.
            return
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
            trace = trace.tb_next
        error.add_note(f"Raised by {title}. If the test wants that: `with lark.expect({type(error).__name__}): …`")
        self._notes.raised.append(Raised(error, trace, title))


class _Steps:
    """A coroutine, step by step: where it sleeps it is woken at once, and the seconds are noted."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], on_sleep: Callable[[float], None]) -> None:
        self._coroutine = coroutine
        self._on_sleep = on_sleep

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        while True:
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            seconds = _sleeping(self._coroutine)
            if seconds is not None and isinstance(waits_for, asyncio.Future) and not waits_for.done():
                self._on_sleep(seconds)
                waits_for.set_result(None)
            try:
                yield waits_for
            except BaseException as error:  # Whatever the loop throws in goes to the hook.
                step = lambda error=error: self._coroutine.throw(error)  # type: ignore[misc]  # noqa: E731
            else:
                step = lambda: self._coroutine.send(None)  # noqa: E731


def _sleeping(coroutine: Any) -> float | None:
    """The seconds of the ``asyncio.sleep`` that ends the chain of what a coroutine awaits, or None."""
    innermost = coroutine
    while (following := getattr(innermost, "cr_await", None)) is not None:
        if not hasattr(following, "cr_code"):
            break
        innermost = following
    if innermost.cr_code is not asyncio.sleep.__code__ or innermost.cr_frame is None:
        return None
    return float(innermost.cr_frame.f_locals["delay"])


async def _nothing() -> None:
    """A hook that the plugin does not have, so that its tasks are looked at all the same."""

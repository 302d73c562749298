"""The fixture ``harness`` for pytest, registered by an entry point; it imports little until a test asks for it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from ..feishu.lean_sdk import import_lean

if TYPE_CHECKING:
    from .harness import Harness


def pytest_configure() -> None:
    """Import the SDK as the program does: the parts a plugin asks for, and not the whole of it."""
    import_lean()


@pytest.fixture
def harness() -> Iterator[Callable[..., Harness]]:
    """Makes harnesses that are closed when the test ends: ``lark = await harness(my_plugin, config={…})``."""
    from .harness import Harness

    with ExitStack() as made:  # Whatever one of them raises, the others are closed.

        def make(*plugins: Any, **options: Any) -> Harness:
            one = Harness(*plugins, **options)
            made.callback(one.close)
            return one

        yield make


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an asynchronous test that wants ``harness`` where no other plugin of pytest runs it."""
    fixtures = pyfuncitem.fixturenames
    if (
        not inspect.iscoroutinefunction(pyfuncitem.obj)
        or "harness" not in fixtures
        or any(True for name in ("asyncio", "anyio", "trio") if pyfuncitem.get_closest_marker(name))
    ):
        return None
    names = pyfuncitem._fixtureinfo.argnames  # noqa: SLF001  # As pytest's own call of a test does.
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True

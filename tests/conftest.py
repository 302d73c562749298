"""For all tests: the fixture ``harness``, also where this project is not installed, and what they are run with."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest
from coverage import Coverage
from hypothesis import settings

from core.testing import pytest_plugin

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("larkflock", deadline=None)
settings.load_profile("larkflock")

# A shell has what runs in the background ignore Ctrl+C, and so would every program that a test starts and ends with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin under the name of its entry point, once, and the markers."""
    if not config.pluginmanager.has_plugin("larkflock"):
        config.pluginmanager.register(pytest_plugin, "larkflock")
    config.addinivalue_line("markers", "unmeasured: coverage is measured neither of the test nor of what it starts.")
    config.addinivalue_line("markers", "begun_first: it mostly waits, for minutes, and the others run meanwhile.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that nobody waits for it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("begun_first") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Stop what measures while a test that is ``unmeasured`` runs, from the set-up of its fixtures to their end.

    Not ``no_cover`` of pytest-cov: that leaves fixtures and programs measured, and everything in a worker of
    pytest-xdist, where two measure and it stops only the last.
    """
    stopped: list[Coverage] = []
    if item.get_closest_marker("unmeasured"):
        while measuring := Coverage.current():
            measuring.stop()
            stopped.append(measuring)
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)  # For programs; it is set again when measuring starts.
    try:
        return (yield)
    finally:
        for measuring in reversed(stopped):
            measuring.start()

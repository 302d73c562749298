"""For all tests: the fixture ``harness``, also where this project is not installed, and how Hypothesis looks."""

from __future__ import annotations

import pytest
from hypothesis import settings

from core.testing import pytest_plugin

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("larkflock", deadline=None)
settings.load_profile("larkflock")


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin under the name of its entry point, once."""
    if not config.pluginmanager.has_plugin("larkflock"):
        config.pluginmanager.register(pytest_plugin, "larkflock")

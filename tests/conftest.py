"""The fixture ``harness``, also where this project is not installed and its entry point is not there."""

from __future__ import annotations

import pytest

from core.testing import pytest_plugin


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin under the name of its entry point, once."""
    if not config.pluginmanager.has_plugin("larkflock"):
        config.pluginmanager.register(pytest_plugin, "larkflock")

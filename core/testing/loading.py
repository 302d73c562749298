"""Plugins as a test names them, checked as the program checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from ..feishu.lean_sdk import import_lean
from ..loading.packages import Origin, available
from ..loading.plugins import Plugin, load_from
from ..manifest import Manifest
from ..settings import PluginSettings
from .failures import HarnessFailure


def load_plugins(sources: Sequence[str | ModuleType], config: Mapping[str, Any]) -> list[Plugin]:
    """The plugins, with what ``config`` says of each by name; of a single one ``config`` is its own.

    Raises ``ConfigurationError``.
    """
    import_lean()
    origins = [_origin(source) for source in sources]
    if not origins:
        raise HarnessFailure("a harness needs a plugin: Harness(my_plugin), its module, or Harness('my_plugin')")
    unknown = [name for name in config if name not in {origin.name for origin in origins}]
    if len(origins) > 1 and unknown:
        raise HarnessFailure(f"with several plugins config is by plugin; none of them is called {unknown[0]!r}")
    plugins = []
    for origin in origins:
        section = PluginSettings(enabled=True, config=dict(config.get(origin.name, {}) if len(origins) > 1 else config))
        plugins.append(load_from(origin, section, f"Harness({origin.name})"))
    return plugins


def _origin(source: str | ModuleType) -> Origin:
    if isinstance(source, ModuleType):
        manifest = getattr(source, "manifest", None)
        name = manifest.name if isinstance(manifest, Manifest) else source.__name__.rpartition(".")[2]
        return Origin(name, source.__name__, "under test")
    there = available()
    if source not in there:
        raise HarnessFailure(
            f"there is no plugin {source!r}; hand in its module, or install its package. There are: {', '.join(there)}"
        )
    return there[source]

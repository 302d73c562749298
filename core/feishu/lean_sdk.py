"""Importing parts of the official SDK without its own ``__init__``, which takes seconds and 170 MB."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

PACKAGES: Final = ("lark_oapi", "lark_oapi.api")
"""Their ``__init__`` imports everything there is."""


class _LeanPackage(ModuleType):
    """Stands for a package of the SDK: submodules import as usual, the first use of its own names loads the whole."""

    _larkflock_loading = False

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        hidden = name.startswith("__") and name != "__all__"
        if hidden or self._larkflock_loading or spec is None or spec.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self._larkflock_loading = True
        spec.loader.exec_module(self)
        return getattr(self, name)


def import_lean() -> None:
    """Let ``from lark_oapi.api.im.v1 import …`` load just that; without effect where the SDK is loaded or absent."""
    for name in PACKAGES:
        if name in sys.modules:
            return
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            return
        package = _LeanPackage(name)
        package.__spec__ = spec
        package.__path__ = list(spec.submodule_search_locations)
        package.__file__ = spec.origin
        package.__package__ = name
        package.__loader__ = spec.loader
        sys.modules[name] = package

"""Importing parts of the official SDK without its own ``__init__``, which takes seconds and 170 MB."""

from __future__ import annotations

import importlib.util
import sys
import threading
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any, Final

PACKAGES: Final = ("lark_oapi", "lark_oapi.api")
"""Their ``__init__`` imports everything there is."""
_whole = threading.RLock()
"""Held while one of them is loaded as a whole; another thread that needs its names waits."""


class _LeanPackage(ModuleType):
    """Stands for a package of the SDK: submodules import as usual, the first use of its own names loads the whole."""

    _larkflock_loading = False

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        hidden = name.startswith("__") and name != "__all__"
        with _whole:
            if name in self.__dict__:
                return self.__dict__[name]
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


def import_core() -> None:
    """Import what all of the SDK stands on, which takes 30 ms; without effect where it is absent.

    Its modules import each other in a circle. Plugins that do it first, at once and in threads of their own, can meet
    halves of them: ``cannot import name … from partially initialized module``.
    """
    import_lean()
    with suppress(ModuleNotFoundError):
        import_module("lark_oapi.core")

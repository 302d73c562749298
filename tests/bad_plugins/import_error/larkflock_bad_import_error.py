"""Imports a library that is not installed."""

from __future__ import annotations

import library_that_nobody_installed

from core import Manifest

manifest = Manifest(name="import_error", summary="Counts what is said.")

COUNTER = library_that_nobody_installed.Counter()

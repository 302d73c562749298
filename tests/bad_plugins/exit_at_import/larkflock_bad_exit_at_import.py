"""Ends the program when it is imported."""

from __future__ import annotations

import sys

from core import Manifest

manifest = Manifest(name="exit_at_import", summary="Counts what is said.")

sys.exit(0)

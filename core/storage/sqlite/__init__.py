"""SQLite as the engine."""

from __future__ import annotations

from .engine import SqliteEngine

__all__ = ["SqliteEngine"]

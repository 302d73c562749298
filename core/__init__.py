"""What plugin authors may rely on; everything else in ``core`` may change."""

from __future__ import annotations

from .context import Context
from .errors import ApiError, ApiFailure, Malformed, NotReady, QuotaExhausted, Retry, Undeclared, Unreachable
from .events import Event, Mention, Message, Person, Reaction, Read, Recall
from .hookspecs import hookimpl
from .manifest import Config, Manifest, Schedule, env
from .platform import Budget
from .table import Column, Json, Number, PersonCell, PersonName, Row, Table, Text, Timestamp

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "ApiFailure",
    "Budget",
    "Column",
    "Config",
    "Context",
    "Event",
    "Json",
    "Malformed",
    "Manifest",
    "Mention",
    "Message",
    "NotReady",
    "Number",
    "Person",
    "PersonCell",
    "PersonName",
    "QuotaExhausted",
    "Reaction",
    "Read",
    "Recall",
    "Retry",
    "Row",
    "Schedule",
    "Table",
    "Text",
    "Timestamp",
    "Undeclared",
    "Unreachable",
    "env",
    "hookimpl",
]

"""What plugin authors may rely on; everything else in ``core`` may change."""

from __future__ import annotations

from .context import Context
from .errors import ApiError, ApiFailure, Malformed, NotReady, QuotaExhausted, Retry, Undeclared, Unreachable
from .events import Event, Mention, Message, Person, Reaction, Read, Recall
from .hookspecs import hookimpl
from .manifest import Config, Manifest, Schedule, env
from .platform import Budget
from .posts import Resource
from .rendering import Rendered, as_received, render, render_forward
from .table import (
    Attachments,
    Choice,
    Column,
    Json,
    Link,
    Number,
    PersonCell,
    PersonName,
    PersonNames,
    Row,
    Table,
    Text,
    Timestamp,
)

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "ApiFailure",
    "Attachments",
    "Budget",
    "Choice",
    "Column",
    "Config",
    "Context",
    "Event",
    "Json",
    "Link",
    "Malformed",
    "Manifest",
    "Mention",
    "Message",
    "NotReady",
    "Number",
    "Person",
    "PersonCell",
    "PersonName",
    "PersonNames",
    "QuotaExhausted",
    "Reaction",
    "Read",
    "Recall",
    "Rendered",
    "Resource",
    "Retry",
    "Row",
    "Schedule",
    "Table",
    "Text",
    "Timestamp",
    "Undeclared",
    "Unreachable",
    "as_received",
    "env",
    "hookimpl",
    "render",
    "render_forward",
]

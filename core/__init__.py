"""What plugin authors may rely on; everything else in ``core`` may change."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .context import Context
    from .errors import ApiError, ApiFailure, Malformed, NotReady, QuotaExhausted, Retry, Undeclared, Unreachable
    from .events import CardAction, Event, Mention, Message, Person, Reaction, Read, Recall
    from .hookspecs import hookimpl
    from .manifest import Config, Manifest, Schedule, env
    from .platform import Budget
    from .reads import ReadOnly
    from .rendering.message import Rendered, as_received, render, render_forward
    from .rendering.posts import Resource
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
    "CardAction",
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
    "ReadOnly",
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

_HOMES: Final = {
    "context": "Context",
    "errors": "ApiError ApiFailure Malformed NotReady QuotaExhausted Retry Undeclared Unreachable",
    "events": "CardAction Event Mention Message Person Reaction Read Recall",
    "hookspecs": "hookimpl",
    "manifest": "Config Manifest Schedule env",
    "platform": "Budget",
    "rendering.posts": "Resource",
    "reads": "ReadOnly",
    "rendering.message": "Rendered as_received render render_forward",
    "table": "Attachments Choice Column Json Link Number PersonCell PersonName PersonNames Row Table Text Timestamp",
}
"""Which module holds which names. They are imported when first asked for: most commands need few of them."""

_HOME: Final = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

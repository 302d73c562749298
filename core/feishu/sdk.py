"""The official SDK as what it is good at, the typed description of every API; its machinery is not used.

A request object of ``lark_oapi`` is executed by our transport: pooled, paced, retried, counted.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import orjson

from .transport import Api, Operation


async def execute(api: Api, request: Any) -> dict[str, Any]:
    """The ``data`` of the answer to ``request``, an object built with ``lark_oapi``; errors as of ``Api.call``."""
    if getattr(request, "files", None):
        raise ValueError(f"{type(request).__name__} uploads files, which cannot be executed this way")
    template = re.sub(r":(\w+)", r"{\1}", str(request.uri))
    method = str(request.http_method.name)
    operation = Operation(_name(method, str(request.uri)), method, template)
    path = {name: quote(str(value), safe="") for name, value in request.paths.items()}
    query = [(name, str(value)) for name, value in request.queries]
    body = None if request.body is None else orjson.dumps(request.body, default=_given)
    return await api.call(operation, path=path, query=query, body=body)


def _name(method: str, uri: str) -> str:
    """How the ledger counts it: ``im.v1.messages.reply:POST``."""
    parts = [part for part in uri.removeprefix("/open-apis/").split("/") if part and not part.startswith(":")]
    return f"{'.'.join(parts)}:{method}"


def _given(model: Any) -> dict[str, Any]:
    """The fields of one of the SDK's models that were set."""
    return {name: value for name, value in vars(model).items() if value is not None}

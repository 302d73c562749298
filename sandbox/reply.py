"""What every answer of the offline platform looks like; it never decides what to answer.

The envelope is ``{"code": 0, "msg": "success", "data": {…}}``; a failure carries a code, usually an HTTP 4xx/5xx,
and an ``error`` object with the log id (FEISHU.md §0).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web


class ApiError(Exception):
    """An answer with ``code`` ≠ 0. Bitable sends most of them with HTTP 200, the others with HTTP 400."""

    def __init__(
        self,
        code: int,
        msg: str,
        *,
        status: int = 400,
        error: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
        self.error = dict(error or {})
        self.headers = dict(headers or {})


def log_id() -> str:
    """A fresh log id, as the platform puts it into ``X-Tt-Logid`` and ``error.log_id``."""
    return uuid.uuid4().hex.upper()


def document(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer with the header names in the letter case that the official SDKs look up."""
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        headers={"Content-Type": "application/json; charset=utf-8", "X-Tt-Logid": log_id(), **(headers or {})},
    )


def success(data: Mapping[str, Any] | None = None) -> web.Response:
    """``code`` 0 with ``data`` (an empty object where there is nothing to say)."""
    return document({"code": 0, "msg": "success", "data": data or {}})


def failure(problem: ApiError) -> web.Response:
    """The answer for ``problem``, with one log id in its header and its body and whatever detail it carries."""
    error = {"log_id": log_id(), **problem.error}
    body = {"code": problem.code, "msg": problem.msg, "error": error}
    return document(body, status=problem.status, headers={"X-Tt-Logid": error["log_id"], **problem.headers})

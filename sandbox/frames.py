"""Frames of the long connection as bytes; it never decides what to send (FEISHU.md §1.3–1.5)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from .frame_pb2 import Frame, Header

CONTROL, DATA = 0, 1
INSTANCE = "127.0.0.1:9000"


class Malformed(Exception):
    """A frame that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A client's ping, for the service it named."""

    service: int


@dataclass(frozen=True, slots=True)
class Ack:
    """A client's answer to a push: ``code`` 200 = processed; ``data`` the handler's return value, if any."""

    push_id: str
    code: int
    data: bytes


def read(raw: bytes) -> Ping | Ack:
    """The frame a client sent. Raises ``Malformed``."""
    try:
        frame = Frame.FromString(raw)
    except DecodeError as error:
        raise Malformed(f"not a frame: {error}") from error
    if frame.method == CONTROL:
        if _header(frame, "type") != "ping":
            raise Malformed(f"control frame of type {_header(frame, 'type')!r}")
        return Ping(frame.service)
    push_id = _header(frame, "message_id")
    if frame.method != DATA or not push_id:
        raise Malformed("data frame without message_id")
    try:
        answer: Any = orjson.loads(frame.payload)
        code = answer["code"]
        encoded = answer.get("data")
        data = base64.b64decode(encoded, validate=True) if encoded else b""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"acknowledgement of {push_id} is not {{code, data}}: {error!r}") from error
    if type(code) is not int:
        raise Malformed(f"acknowledgement of {push_id} has code {code!r}")
    return Ack(push_id, code, data)


def _header(frame: Frame, key: str) -> str:
    for header in frame.headers:
        if header.key == key:
            return header.value
    return ""


def wrap(frame: bytes) -> bytes:
    """The frame as one binary message of the WebSocket, as a server sends it: final and unmasked (RFC 6455 §5.2)."""
    size = len(frame)
    if size < 126:
        return b"\x82" + size.to_bytes(1) + frame
    if size < 1 << 16:
        return b"\x82\x7e" + size.to_bytes(2) + frame
    return b"\x82\x7f" + size.to_bytes(8) + frame


def pong(service: int, config: bytes) -> bytes:
    """The answer to a ping, with the client's configuration as JSON."""
    frame = Frame(SeqID=0, LogID=0, service=service, method=CONTROL, payload=config)
    frame.headers.append(Header(key="type", value="pong"))
    return frame.SerializeToString()


def push(push_id: str, payload: bytes, *, service: int, number: int, at: int, part_size: int) -> Iterator[bytes]:
    """The frames of one push: as many parts of one document as ``part_size`` (bytes) makes; ``at`` in ms."""
    total = max(1, -(-len(payload) // part_size))
    for part in range(total):
        frame = Frame(SeqID=number, LogID=number, service=service, method=DATA)
        frame.payload = payload if total == 1 else payload[part * part_size : (part + 1) * part_size]
        frame.headers.extend(
            (
                Header(key="type", value="event"),
                Header(key="message_id", value=push_id),
                Header(key="sum", value=str(total)),
                Header(key="seq", value=str(part)),
                Header(key="trace_id", value=push_id),
                Header(key="timestamp", value=str(at)),
                Header(key="instance_id", value=INSTANCE),
            )
        )
        yield frame.SerializeToString()

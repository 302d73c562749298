"""Frames of the long connection as bytes: reading, putting parts together, answering (FEISHU.md §1.3-1.5)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Final

from google.protobuf.message import DecodeError, EncodeError

from ..errors import Malformed
from .frame_pb2 import Frame

CONTROL: Final = 0
DATA: Final = 1

PART_LIFETIME: Final = 10.0
"""Seconds after which the parts of an incomplete payload are dropped; the platform pushes it again."""
MOST_INCOMPLETE: Final = 256
MOST_PARTS: Final = 1024
OK: Final = b'{"code":200}'


def read(data: bytes) -> tuple[Frame, dict[str, str]]:
    """A frame and its headers. Raises ``Malformed`` for bytes that are none."""
    try:
        frame = Frame.FromString(data)
    except DecodeError as error:
        raise Malformed("not a frame") from error
    return frame, {header.key: header.value for header in frame.headers}


def ping(service: int) -> bytes:
    """The control frame that asks for a pong."""
    frame = Frame(seq_id=0, log_id=0, service=service, method=CONTROL)
    frame.headers.add(key="type", value="ping")
    return frame.SerializeToString()


def ack(frame: Frame, took: float, reply: bytes | None = None) -> bytes:
    """The same frame with code 200 and, for a callback, ``reply``; ``took`` seconds were spent on it.

    Raises ``Malformed`` if it lacks fields.
    """
    frame.headers.add(key="biz_rt", value=str(int(took * 1000)))
    frame.payload = OK if reply is None else b'{"code":200,"data":"%b"}' % b64encode(reply)
    try:
        return frame.SerializeToString()
    except EncodeError as error:
        raise Malformed("frame lacks required fields") from error


class Reassembly:
    """Payloads that came in parts, until the last part is there; bounded in number, parts and time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[str, tuple[float, int, dict[int, bytes]]] = {}

    def add(self, payload: bytes, headers: dict[str, str]) -> bytes | None:
        """The whole payload if this part completes it, else None. Raises ``Malformed`` for impossible numbering."""
        try:
            total, part = int(headers.get("sum", "1")), int(headers.get("seq", "0"))
        except ValueError as error:
            raise Malformed("frame part numbers are not numbers") from error
        if total <= 1:
            return payload
        message_id = headers.get("message_id", "")
        if not (0 <= part < total <= MOST_PARTS) or not message_id:
            raise Malformed("frame part numbers are impossible")
        self._drop_old()
        if message_id not in self._waiting and len(self._waiting) >= MOST_INCOMPLETE:
            del self._waiting[next(iter(self._waiting))]
        _, announced, parts = self._waiting.setdefault(message_id, (self._clock(), total, {}))
        if announced != total:
            raise Malformed("frame part numbers are impossible")
        parts[part] = payload
        if len(parts) < total:
            return None
        del self._waiting[message_id]
        return b"".join(parts[i] for i in range(total))

    def _drop_old(self) -> None:
        oldest = self._clock() - PART_LIFETIME
        for message_id, (started, _, _) in list(self._waiting.items()):
            if started >= oldest:
                break
            del self._waiting[message_id]

"""Resources of messages to a file, and files into a base (FEISHU.md §4.3, §6); it never decides what is worth it.

Files up to 20 MB are uploaded in one call, larger ones in parts that may go on after a restart for 24 hours.
"""

from __future__ import annotations

import zlib
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from ..errors import ApiError, Unreachable
from .streams import CHUNK, Download, FilePart
from .transport import Api, Operation

WHOLE: Final = 20 << 20
"""The largest file that is uploaded in one call, bytes."""
LARGEST_BLOCK: Final = 64 << 20
MOST_BLOCKS: Final = 1000
"""Each is a call; the platform's have 4 MB."""
LIFETIME: Final = 24 * 3600 * 1000
"""ms for which an upload in parts can go on."""

_MEDIAS: Final = "/open-apis/drive/v1/medias"
_RESOURCE: Final = "/open-apis/im/v1/messages/{message_id}/resources/{file_key}"

RESOURCE: Final = Operation("im.v1.messageResource.get", "GET", _RESOURCE)
UPLOAD: Final = Operation("drive.v1.media.uploadAll", "POST", f"{_MEDIAS}/upload_all", 5)
PREPARE: Final = Operation("drive.v1.media.uploadPrepare", "POST", f"{_MEDIAS}/upload_prepare", 5)
PART: Final = Operation("drive.v1.media.uploadPart", "POST", f"{_MEDIAS}/upload_part", 5)
FINISH: Final = Operation("drive.v1.media.uploadFinish", "POST", f"{_MEDIAS}/upload_finish", 5)
OPERATIONS: Final = tuple(operation.name for operation in (RESOURCE, UPLOAD, PREPARE, PART, FINISH))

REPEATABLE: Final = frozenset({1061001, 1061006, 1061045})
STALE: Final = frozenset({1061021, 1062007, 1062010, 1062011})
"""The upload in parts is unknown, another's or not as we left it: it has to begin anew."""

UNOBTAINABLE: Final[Mapping[int, str]] = {
    230002: "机器人不在该群，无法下载",
    230011: "消息已撤回，无法下载",
    230110: "消息已删除，无法下载",
    234001: "资源标识与消息不符，无法下载",
    234003: "消息中没有该文件，可能已过期或已删除",
    234004: "机器人不在该群，无法下载",
    234037: "文件超过 100 MB，平台不提供下载",
    234038: "群已开启防泄密模式，禁止下载",
    234040: "机器人看不到该消息，无法下载",
    234043: "该类消息的资源（表情、卡片、合并转发的子消息）不提供下载",
    99992354: "消息不存在，无法下载",
}
"""Why a resource of a message can never be had, by the platform's code."""
UNWELCOME: Final[Mapping[int, str]] = {
    1061008: "文件名不被云空间接受，无法上传",
    1061043: "文件超过云空间的大小限制，无法上传",
    1061109: "文件未通过内容审核，无法上传",
    1061113: "文件未通过内容审核，无法上传",
}
"""Why a file can never be uploaded."""
FOR_PERSONS: Final = frozenset(
    {10003, 10014, 10015, 91403, 234009, 1061004, 1061041, 1061044, 1061061, 1061073, 1061101}
    | {99991401, 99991662, 99991672, 99991673, 99991676}
)
"""Scopes, access to the base, space: no transfer succeeds until a person changes something."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to upload."""

    path: Path
    name: str
    """At most 250 characters."""
    size: int
    """Bytes, above 0."""
    checksum: int
    """Adler-32."""
    image: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """An upload in parts that is under way."""

    upload_id: str
    block_size: int
    blocks: int
    done: int
    """Blocks that the platform has, from the first on."""
    until: int
    """When the platform forgets it, ms."""


async def download(api: Api, message_id: str, file_key: str, kind: str, to: Path, *, most: int) -> Download:
    """Save a resource (``kind`` ``image`` or ``file``) of a message to ``to``; errors as of ``Api.download``."""
    path = {"message_id": quote(message_id, safe=""), "file_key": quote(file_key, safe="")}
    return await api.download(RESOURCE, to, most=most, path=path, query={"type": kind})


async def upload(
    api: Api, base: str, file: File, *, parts: Parts | None, keep: Callable[[Parts], None], now: Callable[[], int]
) -> str:
    """The ``file_token`` of ``file``, of use in ``base`` only. No two uploads may run at once.

    ``keep`` is called with how far it is; given back as ``parts`` it goes on from there. Raises as of ``Api.call``.
    """
    about = {
        "file_name": file.name,
        "parent_type": "bitable_image" if file.image else "bitable_file",
        "parent_node": base,
        "extra": orjson.dumps({"drive_route_token": base}).decode(),
    }
    if file.size <= WHOLE:
        form = about | {"size": str(file.size), "checksum": str(file.checksum)}
        return _token(await _insist(api, api.upload, UPLOAD, form, FilePart(file.path, 0, file.size)))
    if parts is not None and now() < parts.until:
        try:
            return await _go_on(api, file, parts, keep)
        except ApiError as error:
            if error.code not in STALE:
                raise
    prepared = await _insist(api, api.call, PREPARE, body=about | {"size": file.size})
    parts = _parts(prepared, file.size, now() + LIFETIME)
    keep(parts)
    return await _go_on(api, file, parts, keep)


async def _go_on(api: Api, file: File, parts: Parts, keep: Callable[[Parts], None]) -> str:
    while parts.done < parts.blocks:
        start = parts.done * parts.block_size
        part = FilePart(file.path, start, min(parts.block_size, file.size - start))
        checksum = await to_thread(_checksum, part)
        form = {
            "upload_id": parts.upload_id,
            "seq": str(parts.done),
            "size": str(part.length),
            "checksum": str(checksum),
        }
        await _insist(api, api.upload, PART, form, part)
        parts = replace(parts, done=parts.done + 1)
        keep(parts)
    body = {"upload_id": parts.upload_id, "block_num": parts.blocks}
    return _token(await _insist(api, api.call, FINISH, body=body))


async def _insist(api: Api, call: Callable[..., Awaitable[dict[str, Any]]], *given: Any, **more: Any) -> dict[str, Any]:
    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, ApiError) and error.code in REPEATABLE),
        stop=stop_after_attempt(6),
        wait=wait_random_exponential(multiplier=1, min=0.5, max=20),
        sleep=api.sleep,
        reraise=True,
    )
    return await retrying(call, *given, **more)


def _checksum(part: FilePart) -> int:
    checksum, left = zlib.adler32(b""), part.length
    with FileIO(part.path) as file:
        file.seek(part.start)
        while left and (chunk := file.read(min(CHUNK, left))):
            checksum = zlib.adler32(chunk, checksum)
            left -= len(chunk)
    return checksum


def _parts(answer: Mapping[str, Any], size: int, until: int) -> Parts:
    upload_id, block, blocks = (answer.get(name) for name in ("upload_id", "block_size", "block_num"))
    right = isinstance(block, int) and 0 < block <= LARGEST_BLOCK and blocks == -(-size // block) <= MOST_BLOCKS
    if not right or not isinstance(upload_id, str) or not isinstance(block, int) or not isinstance(blocks, int):
        told = f"block_size {block!r:.40}, block_num {blocks!r:.40}"  # Never the upload_id: with it others could write.
        raise Unreachable(f"{PREPARE.name}: the answer does not say how to send {size} bytes: {told}")
    return Parts(upload_id, block, blocks, 0, until)


def _token(answer: Mapping[str, Any]) -> str:
    token = answer.get("file_token")
    if not isinstance(token, str) or not token:
        raise Unreachable("drive.v1.media: the answer has no file_token")
    return token

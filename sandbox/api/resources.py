"""``im/v1`` images and files: what is in messages, and the app's own uploads (FEISHU.md §4.3)."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from ..endpoint import Call, Endpoint
from ..permissions import READ, RESOURCES
from ..reply import ApiError
from ..scenario.act import Resource
from ..uploads import Upload, Uploads
from ..world import World

BAD_PARAMETER, NOT_IN_MESSAGE, BOT_OUT, TOO_BIG, NOT_OWNER = 234001, 234003, 234004, 234006, 234008
EMPTY, BAD_FORMAT, BIG_DOWNLOAD, UNSUPPORTED = 234010, 234011, 234037, 234043
NO_SUCH_MESSAGE = 99992354
REFUSED = {
    234003: "The file is not in the message.",
    234004: "The app is not in the chat.",
    234009: "The app lacks the scope to download.",
    234038: "The chat is in restricted mode.",
    234040: "The message is invisible to the app.",
}
"""What ``POST /sandbox/downloads`` makes a download answer."""
IMAGE_LIMIT, FILE_LIMIT, DOWNLOAD_LIMIT = 10 << 20, 30 << 20, 100 << 20
FILE_TYPES = ("opus", "mp4", "pdf", "doc", "xls", "ppt", "stream")
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"\0\0\1\0")
"""JPEG, PNG, GIF, WEBP, BMP, TIFF (two), ICO."""


class Resources:
    """The operations on images and files."""

    def __init__(self, world: World, uploads: Uploads, of_people: Uploads) -> None:
        self._world = world
        self._uploads = uploads
        self._of_people = of_people

    async def of_message(self, call: Call) -> web.StreamResponse:
        """The bytes of an image or file in a message."""
        kind, key = call.text("type"), call.path["file_key"]
        if kind not in ("image", "file"):
            raise ApiError(BAD_PARAMETER, f"Invalid request param: type {kind!r}")
        if call.path["message_id"] in self._world.forwarded:
            raise ApiError(UNSUPPORTED, "What is inside a merged forward cannot be downloaded.")
        message = self._world.messages.get(call.path["message_id"])
        if message is None:
            raise ApiError(NO_SUCH_MESSAGE, "The request you send is not a valid {message_id} or not exists")
        if not message.chat.has_bot:
            raise ApiError(BOT_OUT, "The app is not in the chat.")
        if message.type in {"sticker", "interactive", "merge_forward", "folder"}:
            raise ApiError(UNSUPPORTED, f"A {message.type} message has nothing to download.")
        if message.recalled or f'"{key}"' not in message.content:
            raise ApiError(NOT_IN_MESSAGE, f"The file is not in the message: {key}")
        resource, upload = self._world.resources.get(key), self._uploads.get(key) or self._of_people.get(key)
        if resource is None and upload is None:
            raise ApiError(NOT_IN_MESSAGE, f"The file is not in the message: {key}")
        after = self._withheld(key)
        if (kind == "image") != key.startswith("img_"):
            raise ApiError(BAD_PARAMETER, f"Invalid request param: {key} is not of type {kind}")
        if resource is not None:
            if resource.size > DOWNLOAD_LIMIT:
                raise ApiError(BIG_DOWNLOAD, "The file is above 100 MB.")
            return await _stream(call.request, resource, after)
        return _stored(upload) if upload is not None else await self._own(key)

    def _withheld(self, key: str) -> int | None:
        """After how many bytes the download is cut; None = it is not. Raises ``ApiError`` where it is refused."""
        refusal = self._world.refusals.get(key)
        if refusal is None:
            return None
        if refusal.times:
            refusal.times -= 1
            if not refusal.times:
                del self._world.refusals[key]
        if refusal.code:
            raise ApiError(refusal.code, REFUSED.get(refusal.code, "The file cannot be downloaded."))
        return refusal.after

    async def own_image(self, call: Call) -> web.StreamResponse:
        """An image the app uploaded."""
        return await self._own(call.path["image_key"])

    async def own_file(self, call: Call) -> web.StreamResponse:
        """A file the app uploaded."""
        return await self._own(call.path["file_key"])

    async def _own(self, key: str) -> web.StreamResponse:
        upload = self._uploads.get(key)
        if upload is None:
            raise ApiError(NOT_OWNER, f"The app is not the resource's owner: {key}")
        return _stored(upload)

    async def upload_image(self, call: Call) -> dict[str, Any]:
        """Keeps an image of up to 10 MB."""
        form = await self._form(call, "image", image=True, most=IMAGE_LIMIT)
        if form.get("image_type") not in ("message", "avatar"):
            raise ApiError(BAD_PARAMETER, "Invalid request param: image_type is message or avatar")
        self._uploads.name(form["image"], "image.png")
        return {"image_key": form["image"]}

    async def upload_file(self, call: Call) -> dict[str, Any]:
        """Keeps a file of up to 30 MB."""
        form = await self._form(call, "file", image=False, most=FILE_LIMIT)
        if form.get("file_type") not in FILE_TYPES:
            raise ApiError(BAD_PARAMETER, f"Invalid request param: file_type is one of {', '.join(FILE_TYPES)}")
        if not form.get("file_name"):
            raise ApiError(BAD_PARAMETER, "Invalid request param: file_name is required")
        self._uploads.name(form["file"], form["file_name"])
        return {"file_key": form["file"]}

    async def _form(self, call: Call, wanted: str, *, image: bool, most: int) -> dict[str, str]:
        """The fields of a multipart body in any order; ``wanted`` becomes the key under which it was stored."""
        if not call.request.content_type.startswith("multipart/"):
            raise ApiError(BAD_PARAMETER, "Invalid request param: the body must be multipart/form-data")
        form: dict[str, str] = {}
        try:
            async for part in await call.request.multipart():
                if not isinstance(part, BodyPartReader) or part.name is None:
                    continue
                if part.name == wanted:
                    form[wanted] = await self._keep(part, image=image, most=most)
                else:
                    form[part.name] = await part.text()
        except (ValueError, AssertionError, LookupError, RuntimeError) as error:  # aiohttp's about a form that is none.
            raise ApiError(BAD_PARAMETER, f"Invalid request param: the form cannot be read: {error}") from error
        if wanted not in form:
            raise ApiError(BAD_PARAMETER, f"Invalid request param: {wanted} is required")
        return form

    async def _keep(self, part: BodyPartReader, *, image: bool, most: int) -> str:
        """The key of what ``part`` brings."""
        upload = await self._uploads.keep(_chunks(part), image=image, most=most)
        if upload is None:
            raise ApiError(TOO_BIG, f"The file exceeds the limit of {most >> 20} MB.")
        if not upload.size or (image and not upload.head.startswith(MAGIC)):
            self._uploads.forget(upload.key)
            if not upload.size:
                raise ApiError(EMPTY, "The file's size can't be 0.")
            raise ApiError(BAD_FORMAT, "The image's format is not supported.")
        return upload.key

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        base = "/open-apis/im/v1"
        return [
            Endpoint(
                "im.v1.messageResource.get",
                "GET",
                f"{base}/messages/{{message_id}}/resources/{{file_key}}",
                self.of_message,
                READ,
            ),
            Endpoint("im.v1.image.create", "POST", f"{base}/images", self.upload_image, RESOURCES, json=False),
            Endpoint("im.v1.image.get", "GET", f"{base}/images/{{image_key}}", self.own_image, RESOURCES),
            Endpoint("im.v1.file.create", "POST", f"{base}/files", self.upload_file, RESOURCES, json=False),
            Endpoint("im.v1.file.get", "GET", f"{base}/files/{{file_key}}", self.own_file, RESOURCES),
        ]


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(1 << 16):
        yield bytes(chunk)


def _stored(upload: Upload) -> web.FileResponse:
    return web.FileResponse(upload.path, headers=_headers(upload.name))


async def _stream(request: web.Request, resource: Resource, after: int | None) -> web.StreamResponse:
    response = web.StreamResponse(headers=_headers(resource.name))
    response.content_length = resource.size
    await response.prepare(request)
    sent = 0
    for chunk in resource.chunks():
        if after is not None and sent + len(chunk) > after:
            await response.write(chunk[: after - sent])
            if request.transport is not None:
                request.transport.close()
            return response
        await response.write(chunk)
        sent += len(chunk)
    await response.write_eof()
    return response


def _headers(name: str) -> dict[str, str]:
    plain = name.isascii() and name.isprintable() and '"' not in name
    disposition = f'attachment; filename="{name}"' if plain else f"attachment; filename*=UTF-8''{quote(name)}"
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return {"Content-Type": content_type, "Content-Disposition": disposition}

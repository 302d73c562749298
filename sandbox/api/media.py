"""The open API of uploaded files (FEISHU.md §6). Uploads come one at a time, others are told to retry: 1061045."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from ..bitable.bases import Bases
from ..bitable.media import BLOCK_SIZE, NAME_LENGTH, PARENT_TYPES, WHOLE_SIZE, File, Media, Spool, refuse
from ..bodies import whole
from ..endpoint import Call, Endpoint

MEDIAS = "/open-apis/drive/v1/medias"
STREAM = "/space/api/box/stream/download/authcode/"
"""Where temporary links lead. Whoever has the code may follow it: no token is needed outside ``/open-apis``."""
LINKS_AT_ONCE = 5
_UPLOAD = ("bitable:app", "drive:drive", "docs:document.media:upload", "sheets:spreadsheet", "docs:doc")
_DOWNLOAD = (
    "bitable:app",
    "bitable:app:readonly",
    "drive:drive",
    "drive:drive:readonly",
    "docs:document.media:download",
    "sheets:spreadsheet",
    "sheets:spreadsheet:readonly",
    "docs:doc",
    "docs:doc:readonly",
)


def endpoints(media: Media, bases: Bases) -> list[Endpoint]:
    """Every operation on uploaded files."""
    return _Files(media, bases).endpoints()


class _Files:
    def __init__(self, media: Media, bases: Bases) -> None:
        self._media = media
        self._bases = bases
        self._uploading = False

    def endpoints(self) -> list[Endpoint]:
        def upload(name: str, path: str, answer: Any, *, json: bool) -> Endpoint:
            return Endpoint(f"drive.v1.media.{name}", "POST", f"{MEDIAS}/{path}", answer, _UPLOAD, 5, 300, json=json)

        def download(name: str, path: str, answer: Any) -> Endpoint:
            return Endpoint(f"drive.v1.media.{name}", "GET", f"{MEDIAS}/{path}", answer, _DOWNLOAD, 5, 300)

        return [
            upload("uploadAll", "upload_all", self._upload_all, json=False),
            upload("uploadPrepare", "upload_prepare", self._prepare, json=True),
            upload("uploadPart", "upload_part", self._upload_part, json=False),
            upload("uploadFinish", "upload_finish", self._finish, json=True),
            download("batchGetTmpDownloadUrl", "batch_get_tmp_download_url", self._links),
            download("download", "{file_token}/download", self._download),
            Endpoint("drive.v1.media.stream", "GET", STREAM, self._stream),
        ]

    async def _upload_all(self, call: Call) -> dict[str, Any]:
        with self._media.spool() as spool:
            form = await self._receive(call, spool, WHOLE_SIZE)
            name, parent_type, parent_node = self._parent(form)
            _check(form, spool)
            return {"file_token": self._media.keep(spool, name, parent_type, parent_node).token}

    async def _prepare(self, call: Call) -> dict[str, Any]:
        name, parent_type, parent_node = self._parent(call.body)
        size = _number(call.body, "size")
        if size < 1:
            raise refuse(1061002, "size")
        upload = self._media.prepare(name, parent_type, parent_node, size)
        return {"upload_id": upload.upload_id, "block_size": BLOCK_SIZE, "block_num": upload.block_num}

    async def _upload_part(self, call: Call) -> dict[str, Any]:
        with self._media.spool() as spool:
            form = await self._receive(call, spool, BLOCK_SIZE)
            upload = self._media.upload(form.get("upload_id", ""))
            _check(form, spool)
            self._media.put(upload, _number(form, "seq"), spool)
        return {}

    async def _finish(self, call: Call) -> dict[str, Any]:
        upload = self._media.upload(str(call.body.get("upload_id", "")))
        return {"file_token": self._media.finish(upload, _number(call.body, "block_num")).token}

    async def _links(self, call: Call) -> dict[str, Any]:
        tokens = list(dict.fromkeys(call.many("file_tokens")))
        if not 1 <= len(tokens) <= LINKS_AT_ONCE:
            raise refuse(1061002, "file_tokens")
        origin = call.request.url.origin()
        links = [
            {"file_token": token, "tmp_download_url": f"{origin}{STREAM}?code={self._media.link(token)}"}
            for token in tokens
            if self._media.find(token)
        ]
        return {"tmp_download_urls": links}

    async def _download(self, call: Call) -> web.StreamResponse:
        file = self._media.find(call.path["file_token"])
        if file is None:
            raise refuse(1061003, "file_token")
        return _file(file)

    async def _stream(self, call: Call) -> web.StreamResponse:
        return _file(self._media.follow(call.text("code")))

    async def _receive(self, call: Call, spool: Spool, most: int) -> dict[str, str]:
        """Reads a multipart form: the bytes of ``file`` into ``spool``, everything else as text."""
        if self._uploading:
            raise refuse(1061045)
        if not call.request.content_type.startswith("multipart/"):
            raise refuse(1061002, "Content-Type")
        self._uploading = True
        try:
            return await _form(call.request, spool, most)
        finally:
            self._uploading = False

    def _parent(self, form: dict[str, Any]) -> tuple[str, str, str]:
        name, parent_type, parent_node = (form.get(key) for key in ("file_name", "parent_type", "parent_node"))
        if not isinstance(name, str) or not name.strip() or len(name) > NAME_LENGTH:
            raise refuse(1061008 if name else 1061002, "file_name")
        if not isinstance(parent_type, str) or parent_type not in PARENT_TYPES:
            raise refuse(1061002, "parent_type")
        if not isinstance(parent_node, str) or not parent_node:
            raise refuse(1061002, "parent_node")
        if parent_type.startswith("bitable_") and not self._bases.knows(parent_node):
            raise refuse(1061044, "parent_node")
        return name, parent_type, parent_node


async def _form(request: web.Request, spool: Spool, most: int) -> dict[str, str]:
    form: dict[str, str] = {}
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise refuse(1061002)
            if part.name != "file":
                form[part.name] = await part.text()
                continue
            while chunk := await part.read_chunk(65_536):
                spool.write(chunk)
                if spool.size > most:
                    raise refuse(1061043, "file")
            form["file"] = ""
    except (ValueError, AssertionError, LookupError, RuntimeError):  # What aiohttp makes of a form that is none.
        raise refuse(1061002) from None
    if "file" not in form:
        raise refuse(1061002, "file")
    return form


def _check(form: dict[str, str], spool: Spool) -> None:
    """Raises 1061043, 1062009 (announced size) and 1062008 (Adler-32 in decimal, when one is given)."""
    size = _number(form, "size")
    if size > WHOLE_SIZE:
        raise refuse(1061043, "size")
    if size != spool.size:
        raise refuse(1062009, "size")
    if form.get("checksum") and form["checksum"] != str(spool.checksum):
        raise refuse(1062008, "checksum")


def _number(form: dict[str, Any], key: str) -> int:
    value = form.get(key)
    number = whole(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if number is None:
        raise refuse(1061002, key)
    return number


def _file(file: File) -> web.FileResponse:
    disposition = f"attachment; filename=\"{quote(file.name)}\"; filename*=UTF-8''{quote(file.name)}"
    headers = {"Content-Type": file.media_type, "Content-Disposition": disposition}
    return web.FileResponse(file.path, headers=headers)

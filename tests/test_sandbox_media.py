"""Uploads to the sandbox's drive, whole and in blocks, and what can be read back (FEISHU.md §6)."""

from __future__ import annotations

import asyncio
import io
import itertools
import random
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from bitable_platform import Answer, Platform
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.bitable.bases import Bases
from sandbox.bitable.media import BLOCK_SIZE, Media, Upload
from sandbox.reply import ApiError

MEDIAS = "drive/v1/medias"
PICTURE = b"\x89PNG" + bytes(range(256)) * 40


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with Platform() as running:
        yield running


def form(data: bytes | None, **texts: Any) -> FormData:
    """A multipart form with the file in front, where it is hardest."""
    made = FormData(default_to_multipart=True)
    if data is not None:
        made.add_field("file", io.BytesIO(data), filename="blob", content_type="application/octet-stream")
    for name, value in texts.items():
        if value is not None:
            made.add_field(name, str(value))
    return made


async def upload(platform: Platform, base: str, data: bytes = PICTURE, **changes: Any) -> Answer:
    """An upload in one piece; ``changes`` replace parts of the form, None leaves them out."""
    texts = {
        "file_name": "图.png",
        "parent_type": "bitable_image",
        "parent_node": base,
        "size": len(data),
        "extra": '{"drive_route_token":"' + base + '"}',
        **changes,
    }
    return await platform.call("POST", f"{MEDIAS}/upload_all", form=form(data, **texts))


async def download(platform: Platform, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    async with platform.session.get(path, headers=headers) as response:
        return response.status, await response.read(), dict(response.headers)


async def test_a_file_is_uploaded_attached_and_downloaded(platform: Platform) -> None:
    base = await platform.base()
    answer = await upload(platform, base, checksum=zlib.adler32(PICTURE))
    token = answer.data["file_token"]
    assert len(token) == 27
    table = await platform.table({"field_name": "标题", "type": 1}, {"field_name": "附件", "type": 17}, app_token=base)
    assert (await platform.call("POST", f"{table}/records", {"fields": {"附件": [answer.data]}})).code == 0
    found = await platform.call("POST", f"{table}/records/search", {})
    [attachment] = found.data["items"][0]["fields"]["附件"]
    assert (attachment["name"], attachment["size"], attachment["type"]) == ("图.png", len(PICTURE), "image/png")
    status, body, headers = await download(platform, attachment["url"])
    assert (status, body) == (200, PICTURE)
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Disposition"].endswith("filename*=UTF-8''%E5%9B%BE.png")


async def test_a_part_of_a_file_can_be_asked_for(platform: Platform) -> None:
    token = (await upload(platform, await platform.base())).data["file_token"]
    url = f"{platform.url}/open-apis/{MEDIAS}/{token}/download"
    status, body, headers = await download(platform, url, Range="bytes=10-19")
    assert (status, body) == (206, PICTURE[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(PICTURE)}"
    assert (await download(platform, url, Range=f"bytes={len(PICTURE)}-"))[0] == 416


async def test_temporary_links_open_a_file_for_a_day(platform: Platform) -> None:
    base = await platform.base()
    tokens = [(await upload(platform, base)).data["file_token"] for _ in range(2)]
    query = "&".join(f"file_tokens={token}" for token in (*tokens, "boxcnUnknown"))
    answer = await platform.call("GET", f"{MEDIAS}/batch_get_tmp_download_url?{query}")
    links = answer.data["tmp_download_urls"]
    assert [link["file_token"] for link in links] == tokens
    assert (await download(platform, links[0]["tmp_download_url"]))[:2] == (200, PICTURE)
    platform.clock.now += 24 * 3600
    status, body, _ = await download(platform, links[0]["tmp_download_url"])
    assert (status, b"1061004" in body) == (403, True)
    many = "&".join(f"file_tokens=box{number}" for number in range(6))
    assert (await platform.call("GET", f"{MEDIAS}/batch_get_tmp_download_url?{many}")).code == 1061002
    assert (await platform.call("GET", f"{MEDIAS}/batch_get_tmp_download_url")).code == 1061002


async def test_an_unknown_file_is_not_found(platform: Platform) -> None:
    answer = await platform.call("GET", f"{MEDIAS}/boxcnUnknown/download")
    assert (answer.status, answer.code) == (404, 1061003)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"checksum": 1}, 1062008),
        ({"size": 3}, 1062009),
        ({"size": 20_971_521}, 1061043),
        ({"size": None}, 1061002),
        ({"size": "many"}, 1061002),
        ({"file_name": None}, 1061002),
        ({"file_name": "长" * 251}, 1061008),
        ({"file_name": " "}, 1061008),
        ({"parent_type": "wall"}, 1061002),
        ({"parent_node": None}, 1061002),
        ({"parent_node": "bascnAAAABBBBCCCCDDDDEEEEF1"}, 1061044),
    ],
)
async def test_an_upload_that_does_not_fit_its_form_is_refused(
    platform: Platform, changes: dict[str, Any], code: int
) -> None:
    answer = await upload(platform, await platform.base(), **changes)
    assert (answer.status, answer.code) == (400, code)


async def test_a_file_for_another_place_needs_no_base(platform: Platform) -> None:
    answer = await upload(platform, "doxcn1", parent_type="docx_file")
    assert answer.code == 0


async def test_a_form_without_a_file_and_a_body_without_a_form_are_refused(platform: Platform) -> None:
    assert (await platform.call("POST", f"{MEDIAS}/upload_all", form=form(None, size=1))).code == 1061002
    assert (await platform.call("POST", f"{MEDIAS}/upload_all", {"size": 1})).code == 1061002


async def test_more_than_20_mb_in_one_piece_is_refused(platform: Platform) -> None:
    base = await platform.base()
    assert (await upload(platform, base, bytes(20_971_520))).code == 0
    assert (await upload(platform, base, bytes(20_971_521), size=20_971_520)).code == 1061043


async def test_two_uploads_at_once_are_told_to_retry(platform: Platform) -> None:
    base = await platform.base()
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield PICTURE[:100]
        started.set()
        await go_on.wait()
        yield PICTURE[100:]

    made = form(None, file_name="a.bin", parent_type="bitable_file", parent_node=base, size=len(PICTURE))
    made.add_field("file", slowly(), filename="a.bin")
    first = asyncio.create_task(platform.call("POST", f"{MEDIAS}/upload_all", form=made))
    await started.wait()
    deadline = asyncio.get_running_loop().time() + 10
    while (answer := await upload(platform, base)).code == 0:
        assert asyncio.get_running_loop().time() < deadline
    assert (answer.status, answer.code) == (400, 1061045)
    go_on.set()
    assert (await first).code == 0
    assert (await upload(platform, base)).code == 0


# In blocks.


async def prepared(platform: Platform, base: str, size: int) -> dict[str, Any]:
    body = {"file_name": "大.bin", "parent_type": "bitable_file", "parent_node": base, "size": size}
    return (await platform.call("POST", f"{MEDIAS}/upload_prepare", body)).data


async def put(platform: Platform, upload_id: str, seq: int, data: bytes, **changes: Any) -> int:
    texts = {"upload_id": upload_id, "seq": seq, "size": len(data), "checksum": zlib.adler32(data), **changes}
    return (await platform.call("POST", f"{MEDIAS}/upload_part", form=form(data, **texts))).code


async def finish(platform: Platform, upload_id: str, block_num: int) -> Answer:
    body = {"upload_id": upload_id, "block_num": block_num}
    return await platform.call("POST", f"{MEDIAS}/upload_finish", body)


async def test_blocks_may_come_in_any_order_and_twice(platform: Platform) -> None:
    base = await platform.base()
    blocks = [bytes([number]) * BLOCK_SIZE for number in range(2)] + [b"end"]
    upload = await prepared(platform, base, 2 * BLOCK_SIZE + 3)
    assert (upload["block_size"], upload["block_num"]) == (4_194_304, 3)
    assert upload["upload_id"].isdigit()
    upload_id = upload["upload_id"]
    for seq in (2, 0):
        assert await put(platform, upload_id, seq, blocks[seq]) == 0
    assert (await finish(platform, upload_id, 3)).code == 1062010
    assert await put(platform, upload_id, 1, b"x" * BLOCK_SIZE) == 0
    assert await put(platform, upload_id, 1, blocks[1]) == 0
    assert (await finish(platform, upload_id, 2)).code == 1062011
    token = (await finish(platform, upload_id, 3)).data["file_token"]
    _, body, _ = await download(platform, f"{platform.url}/open-apis/{MEDIAS}/{token}/download")
    assert body == b"".join(blocks)
    assert (await finish(platform, upload_id, 3)).code == 1061021


async def test_a_block_that_does_not_fit_is_refused(platform: Platform) -> None:
    upload_id = (await prepared(platform, await platform.base(), BLOCK_SIZE + 3))["upload_id"]
    assert await put(platform, upload_id, 0, b"short") == 1062009
    assert await put(platform, upload_id, 1, b"long!") == 1062009
    assert await put(platform, upload_id, 1, b"end", size=4) == 1062009
    assert await put(platform, upload_id, 1, b"end", checksum=1) == 1062008
    assert await put(platform, upload_id, 2, b"end") == 1061002
    assert await put(platform, upload_id, 0, b"x" * (BLOCK_SIZE + 1)) == 1061043
    assert await put(platform, "1", 0, b"end") == 1061021
    assert await put(platform, upload_id, 1, b"end") == 0


async def test_an_upload_expires_after_a_day(platform: Platform) -> None:
    base = await platform.base()
    upload_id = (await prepared(platform, base, 3))["upload_id"]
    assert await put(platform, upload_id, 0, b"end") == 0
    platform.clock.now += 24 * 3600
    assert (await finish(platform, upload_id, 1)).code == 1061021
    await prepared(platform, base, 3)
    assert await put(platform, upload_id, 0, b"end") == 1061021


@pytest.mark.parametrize(("size", "code"), [(0, 1061002), (-1, 1061002), (True, 1061002), (1.5, 1061002)])
async def test_a_size_is_a_whole_number_above_zero(platform: Platform, size: Any, code: int) -> None:
    body = {"file_name": "a", "parent_type": "bitable_file", "parent_node": await platform.base(), "size": size}
    assert (await platform.call("POST", f"{MEDIAS}/upload_prepare", body)).code == code


@given(size=st.integers(1, 5 * BLOCK_SIZE))
def test_the_blocks_of_an_upload_make_up_its_size(size: int) -> None:
    upload = Upload("1", "a", "bitable_file", "base", size, 0.0)
    lengths = [upload.block_length(seq) for seq in range(upload.block_num)]
    assert sum(lengths) == size
    assert set(lengths[:-1]) <= {BLOCK_SIZE}
    assert 0 < lengths[-1] <= BLOCK_SIZE


@settings(max_examples=25)
@given(data=st.binary(max_size=1000), cuts=st.lists(st.integers(0, 1000), max_size=3))
def test_what_is_spooled_is_what_is_kept(data: bytes, cuts: list[int]) -> None:
    media = Media()
    try:
        with media.spool() as spool:
            edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
            for start, end in itertools.pairwise(edges):
                spool.write(data[start:end])
            assert spool.checksum == zlib.adler32(data)
            file = media.keep(spool, "a.txt", "bitable_file", "base")
        assert (file.path.read_bytes(), file.size) == (data, len(data))
        assert media.find(file.token, "base") is file
        assert media.find(file.token, "elsewhere") is None
    finally:
        media.close()


def test_a_refused_upload_leaves_no_file_behind(tmp_path: Path) -> None:
    media = Media(directory=tmp_path)
    upload = media.prepare("a", "bitable_file", "base", 5)
    with media.spool() as spool:
        spool.write(b"abc")
        with pytest.raises(ApiError):
            media.put(upload, 0, spool)
    assert list(tmp_path.iterdir()) == []
    media.close()
    assert tmp_path.exists()


def test_the_files_of_a_temporary_directory_go_with_it() -> None:
    media = Media()
    with media.spool() as spool:
        spool.write(b"abc")
        path = media.keep(spool, "a", "bitable_file", "base").path
    assert path.exists()
    media.close()
    assert not path.exists()
    assert not Bases(media).knows("base")


async def test_25_mb_in_parts_are_the_same_25_mb(platform: Platform) -> None:
    base = await platform.base()
    data = random.Random(25).randbytes(25 << 20)
    upload = await prepared(platform, base, len(data))
    assert upload["block_num"] == 7
    for seq in range(7):
        block = data[seq * BLOCK_SIZE : (seq + 1) * BLOCK_SIZE]
        assert await put(platform, upload["upload_id"], seq, block, checksum=str(zlib.adler32(block))) == 0
    assert await put(platform, upload["upload_id"], 0, data[:BLOCK_SIZE], checksum="1") == 1062008
    token = (await finish(platform, upload["upload_id"], 7)).data["file_token"]
    _, body, _ = await download(platform, f"{platform.url}/open-apis/{MEDIAS}/{token}/download")
    assert body == data

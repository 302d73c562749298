"""What the sandbox's page is served with, what it is told, and who is kept out; without a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from sandbox_client import Client, running

from sandbox import pages
from sandbox.conversation import Conversation
from sandbox.delivery import RECENT
from sandbox.recent import Recent
from sandbox.stream import MOST, Viewer

FILES = sorted(pages.FILES.iterdir())
SCRIPTS = [file for file in FILES if file.suffix == ".js"]


async def asked(client: Client, path: str, method: str = "GET", **headers: str) -> int:
    """The status of a request with these headers, ``_`` standing for ``-``."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.session.request(method, f"{client.sandbox.url}{path}", data=b"[]", headers=given) as answer:
        return answer.status


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "[::1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"},
    ],
)
async def test_no_website_reaches_behind_the_stage(headers: dict[str, str]) -> None:
    async with running() as client:
        reads = ("/", "/sandbox/info", "/sandbox/overview", "/sandbox/stream", "/sandbox/stats", "/sandbox/faults")
        for path in reads:
            assert await asked(client, path, **headers) == 403, path
        writes = ("acts", "clicks", "play", "disconnect", "revoke", "uploads?name=a.txt", "chats", "faults", "clock")
        for path in writes:
            assert await asked(client, f"/sandbox/{path}", "POST", **headers) == 403, path
        assert await asked(client, "/sandbox/scopes", "PATCH", **headers) == 403
        tables = client.sandbox.tables
        assert await asked(client, f"/sandbox/tables/{tables.app_token}/{tables.pin}", "DELETE", **headers) == 403


async def test_its_own_page_a_followed_link_and_a_program_get_in() -> None:
    async with running() as client:
        port = client.sandbox.url.rsplit(":", 1)[1]
        for headers in (
            {},
            {"Origin": client.sandbox.url, "Sec_Fetch_Site": "same-origin"},
            {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"},
            {"Host": f"[::1]:{port}"},
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        ):
            assert await asked(client, "/", **headers) == 200, headers
        assert await asked(client, "/sandbox/acts", "POST", Origin=client.sandbox.url) == 200


async def test_every_file_is_served_under_a_strict_policy_and_nothing_else_is() -> None:
    async with running() as client:
        for path in ("/", *(f"/sandbox/page/{file.name}" for file in FILES)):
            async with client.session.get(client.sandbox.url + path) as answer:
                assert answer.status == 200, path
                policy = answer.headers["Content-Security-Policy"]
                assert "script-src 'self'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for path in ("..%2fpages.py", "nothing.js", "%2e%2e%2fcard_view.html"):
            assert await asked(client, f"/sandbox/page/{path}") == 404


def test_the_page_has_nothing_inline_and_fetches_nothing_from_elsewhere() -> None:
    markup = (pages.FILES / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", markup)
    for file in FILES:
        text = file.read_text()
        elsewhere = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert not elsewhere, file.name
    for script in SCRIPTS:
        text = script.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), script.name
        assert len(text.splitlines()) <= 350
    assert [script.name for script in SCRIPTS if "DOMParser" in script.read_text()] == ["cards.js"]


def test_every_word_of_the_page_is_there_in_both_languages() -> None:
    chinese, english = (pages.FILES / "words.js").read_text().split("  en: {")
    keys = {name: set(re.findall(r"(\w+): \"", part)) for name, part in (("zh", chinese), ("en", english))}
    assert keys["zh"] == keys["en"]
    code = "".join(file.read_text() for file in FILES if file.name != "words.js")
    used = set(re.findall(r"\bt\(\"(\w+)\"", code)) | set(re.findall(r"data-t[lpt]?=\"(\w+)\"", code))
    assert len(used) > 80
    assert used <= keys["en"]


async def test_a_history_is_paged_both_ways_also_through_equal_times() -> None:
    async with running() as client:
        world = client.sandbox.world
        for number in range(120):
            client.say(str(number), at=1000 + number // 40)
        show, timeline = Conversation(world), world.chat(client.chat_id).timeline

        def words(page: dict[str, Any]) -> list[int]:
            return [int(each["content"]["text"]) for each in page["items"]]

        page, seen = show.page(timeline, limit=50), []
        while True:
            seen = words(page) + seen
            if not page["older"]:
                break
            page = show.page(timeline, before=page["items"][0]["id"], limit=50)
        assert seen == list(range(120))
        middle = next(each for each in world.messages.values() if each.content == '{"text":"60"}').message_id
        page = show.page(timeline, around=middle, limit=50)
        assert (words(page), page["older"], page["newer"]) == (list(range(35, 85)), 35, 35)
        assert words(show.page(timeline, after=page["items"][-1]["id"], limit=50)) == list(range(85, 120))
        assert words(await client.control("GET", f"chats/{client.chat_id}/messages?limit=3")) == [117, 118, 119]
        await client.control("GET", f"topics/omt_none/messages?around={middle}")
        assert client.status == 200


async def test_who_looks_rarely_is_told_what_is_new_but_never_everything() -> None:
    async with running() as client:
        viewer = Viewer(client.sandbox, Conversation(client.sandbox.world))
        client.sandbox.world.watchers.append(viewer.saw)
        viewer.look()
        message = client.say("一句")
        told = viewer.look()
        assert told is not None
        assert [each["id"] for each in told["messages"]] == [message.message_id]
        assert [push["state"] for push in told["pushes"]] == ["waiting"]
        for number in range(MOST * 3):
            client.say(str(number))
        told = viewer.look()
        assert told is not None
        assert (told["messages"], told["overtaken"], len(told["pushes"])) == ([], [client.chat_id], MOST)
        assert viewer.look() is None
        world = client.sandbox.world
        for change in (
            lambda: world.react(message, client.people[1].open_id, "OK"),
            lambda: world.pin(message, client.people[1].open_id),
            lambda: world.unpin(message),
            lambda: world.edit(message, '{"text":"改了"}'),
            lambda: world.recall(message, message.sender),
        ):
            change()
            told = viewer.look()
            assert told is not None
            assert len(told["messages"]) == 1
        answer = client.say("在话题里", parent=message.message_id, in_topic=True)
        told = viewer.look()
        assert told is not None
        assert {each["id"] for each in told["messages"]} == {answer.message_id, message.message_id}
        assert next(each for each in told["messages"] if each["id"] == message.message_id)["replies"] == 1


async def test_the_stream_tells_at_once_and_ends_with_the_sandbox() -> None:
    async with running() as client, ClientSession() as session:
        async with session.get(f"{client.sandbox.url}/sandbox/stream") as stream:
            assert stream.content_type == "text/event-stream"
            assert await stream.content.readline() == b"retry: 1000\n"
            await stream.content.readline()
            first = orjson.loads((await stream.content.readline()).removeprefix(b"data: "))
            assert {"now", "state", "tables"} <= first.keys()
            client.say("现在")
            await stream.content.readline()
            told = orjson.loads((await stream.content.readline()).removeprefix(b"data: "))
            assert told["messages"][0]["content"] == {"text": "现在"}
            client.sandbox._pages.stream.close()
            assert b"data" not in await stream.content.read()
        assert not client.sandbox.world.watchers


async def test_what_people_upload_is_theirs_and_not_the_apps(tmp_path: Path) -> None:
    async with running() as client:
        url = f"{client.sandbox.url}/sandbox/uploads"
        async with client.session.post(f"{url}?name=../../a%20b.txt", data=b"hello") as answer:
            made = await answer.json()
        assert (made["name"], made["image"], made["size"]) == ("a b.txt", False, 5)
        refused = await client.send({"file_key": made["key"]}, "file")
        assert refused["code"] == 230017
        async with client.session.post(f"{url}?name=a.png", data=b"no image") as answer:
            assert (answer.status, await answer.json()) == (400, {"error": "a.png is no image"})
        message = client.say(type="file", content={"file_key": made["key"], "file_name": "a b.txt"})
        other = client.say("without a file")
        download = f"messages/{message.message_id}/files/{made['key']}"
        async with client.session.get(f"{client.sandbox.url}/sandbox/{download}") as answer:
            assert await answer.read() == b"hello"
            assert answer.headers["Content-Disposition"].startswith("attachment")
        assert await asked(client, f"/sandbox/messages/{other.message_id}/files/{made['key']}") == 404
        client.sandbox.world.recall(message, message.sender)
        assert await asked(client, f"/sandbox/{download}") == 404


async def test_a_private_chat_is_opened_once_and_calls_are_counted_by_the_worlds_month() -> None:
    async with running() as client:
        person = client.people[1].open_id
        first = await client.control("POST", "chats", {"person": person})
        assert (first["mode"], first["with"]) == ("p2p", person)
        assert (await client.control("POST", "chats", {"person": person}))["id"] == first["id"]
        await client.control("POST", "chats", {"person": "ou_nobody"})
        assert client.status == 400
        assert await client.code("GET", "/bot/v3/info") == 0
        calls = client.sandbox.calls
        assert calls.this_month() == calls.total == 2
        await client.control("POST", "clock", {"by": 32 * 86_400})
        assert (calls.this_month(), calls.total) == (0, 2)
        overview = await client.control("GET", "overview")
        assert [each["name"] for each in overview["people"]] == [each.name for each in client.people]


async def test_pushes_can_be_looked_at_with_attempts_and_answers() -> None:
    async with running() as client, await client.connect() as link:
        client.say("第一次不要")
        await link.ack(await link.frame(), b'{"code":500}')
        (push,) = client.sandbox.gateway.delivery.recent.since(0, RECENT)
        while push.state == "sent":
            await link.ping()
        shown = await client.control("GET", f"pushes/{push.push_id}")
        assert (shown["state"], shown["attempts"]) == ("refused", 1)
        assert shown["payload"]["event"]["message"]["content"] == '{"text":"第一次不要"}'
        assert await asked(client, "/sandbox/pushes/none") == 404


def test_the_latest_are_kept_and_the_oldest_change_comes_first() -> None:
    recent: Recent[str] = Recent(3)
    for name in "abcd":
        recent.note(name, name)
    seen = recent.version
    recent.note("b", "B")
    assert recent.since(0, 9) == ["c", "d", "B"]
    assert recent.since(seen, 9) == ["B"]
    assert recent.since(0, 2) == ["d", "B"]
    assert (recent.get("a"), recent.get("b")) == (None, "B")

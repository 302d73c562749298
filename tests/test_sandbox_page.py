"""The sandbox's page in a real browser: what people do on it happens, and what happens is seen on it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from browser import launched, visiting
from playwright.async_api import Browser, Page, expect
from sandbox_client import Client, Link, running, until

from sandbox.chat import Message

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0"
    b"\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82"
)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all: to start it takes longer than most tests."""
    async with launched() as browser:
        yield browser


@asynccontextmanager
async def visited(browser: Browser) -> AsyncIterator[tuple[Client, Link, Page]]:
    """A quiet sandbox with an app connected, and its page."""
    async with running() as client:
        link = await client.connect()
        async with link, visiting(browser, client.sandbox.url) as page:
            await link.ping()
            yield client, link, page


def said(client: Client, text: str) -> Message:
    """The message with these words in it."""
    return next(each for each in client.sandbox.world.messages.values() if text in each.content)


async def write(page: Page, text: str, where: str = "#draft") -> None:
    await page.locator(where).press_sequentially(text)
    await page.locator(where).press("Enter")


async def use(page: Page, text: str, tool: str) -> None:
    """Presses one of the tools of the message with these words."""
    message = page.locator("#log > .message").filter(has=page.locator(".words", has_text=text))
    await message.hover()
    await message.locator(".tools").get_by_label(tool, exact=True).click()


async def test_people_write_mention_reply_and_answer_in_topics(browser: Browser) -> None:
    async with visited(browser) as (client, link, page):
        await page.locator("#draft").press_sequentially("早 @韩")
        await expect(page.locator("#draft-names .option")).to_have_text(["梅梅韩梅梅"])
        await page.locator("#draft").press("Enter")
        await page.locator("#draft").press_sequentially("看 @lark")
        await page.locator("#draft").press("Tab")
        await write(page, "<b>这个</b>")
        event = (await link.event())["event"]
        assert event["message"]["content"] == '{"text":"早 @_user_1 看 @_user_2 <b>这个</b>"}'
        named = {each["name"]: each["mentioned_type"] for each in event["message"]["mentions"]}
        assert named == {"韩梅梅": "user", "larkflock": "bot"}
        await expect(page.locator("#log .bubble").last).to_have_text("早 @韩梅梅 看 @larkflock <b>这个</b>")

        await page.locator("#me").click()
        await page.locator("#people-search").fill("wang")
        await page.locator("#people-search").press("Enter")
        await use(page, "这个", "回复")
        await write(page, "看到了")
        reply = (await link.event())["event"]
        first = said(client, "这个").message_id
        assert (reply["message"]["parent_id"], reply["message"]["root_id"]) == (first, first)
        assert reply["sender"]["sender_id"]["open_id"] == client.people[2].open_id
        await expect(page.locator("#log .quote")).to_contain_text("李雷: 早 @韩梅梅")

        await use(page, "这个", "在话题中回复")
        await write(page, "在话题里说", "#thread-draft")
        inside = (await link.event())["event"]["message"]
        assert (inside["parent_id"], bool(inside.get("thread_id"))) == (first, True)
        await expect(page.locator("#thread-log .bubble")).to_have_count(2)
        await page.keyboard.press("Escape")
        await expect(page.locator("#thread")).to_be_hidden()
        await expect(page.locator("#log .replies")).to_have_text("1 条回复")

        await page.locator(".chat", has_text="点开即可开始单聊").click()
        await write(page, "悄悄话")
        assert (await link.event())["event"]["message"]["chat_type"] == "p2p"
        await expect(page.locator("#pushes .acked")).to_have_count(4)
        await page.locator("#pushes .acked").first.click()
        await expect(page.locator("#payload-text")).to_contain_text('\\"text\\":\\"悄悄话\\"')


async def test_a_letter_that_is_typed_while_the_chat_changes_is_not_lost(browser: Browser) -> None:
    async with visited(browser) as (client, _, page):
        chat = client.sandbox.world.chats[client.chat_id]
        await page.locator("#draft").press_sequentially("先写")
        async with page.expect_response(lambda response: response.url.endswith("/members")) as asked:
            client.sandbox.world.leave(chat, client.people[3].open_id)
        await (await asked.value).finished()
        await expect(page.locator("#chat-about")).to_contain_text(f"{len(chat.members)} 人")
        await expect(page.locator("#draft")).to_be_focused()
        await page.keyboard.type("后写")
        await expect(page.locator("#draft")).to_have_value("先写后写")


async def test_people_react_pin_and_recall(browser: Browser) -> None:
    async with visited(browser) as (client, link, page):
        client.say("大家好")
        assert (await link.event())["header"]["event_type"] == "im.message.receive_v1"
        message = said(client, "大家好")
        await use(page, "大家好", "表情")
        await page.locator(".emojis").get_by_label("HEART").click()
        event = await link.event()
        assert event["event"]["reaction_type"] == {"emoji_type": "HEART"}
        client.sandbox.world.react(message, client.people[1].open_id, "HEART")
        chip = page.locator("#log .chip").first
        await expect(chip).to_contain_text("2")
        await expect(chip).to_have_attribute("aria-pressed", "true")
        await link.event()
        await chip.click()
        assert (await link.event())["header"]["event_type"] == "im.message.reaction.deleted_v1"
        await expect(chip).to_have_attribute("aria-pressed", "false")

        await use(page, "大家好", "Pin")
        await page.locator("#pins").click()
        await expect(page.locator("#pinned")).to_contain_text("大家好")
        await page.keyboard.press("Escape")
        await use(page, "大家好", "取消 Pin")
        await expect(page.locator("#pins")).to_be_hidden()
        assert not message.chat.pins

        await use(page, "大家好", "撤回")
        await page.locator("#sure-yes").click()
        assert (await link.event())["event"]["recall_type"] == "message_owner"
        await expect(page.locator("#log .aside")).to_have_text("李雷 撤回了一条消息")


async def test_images_and_files_are_uploaded_seen_and_downloaded(browser: Browser, tmp_path: Path) -> None:
    async with visited(browser) as (client, link, page):
        (tmp_path / "猫.png").write_bytes(PNG)
        (tmp_path / "报告.html").write_text("<script>alert(1)</script>")
        await page.locator("#composer input[type=file]").set_input_files([tmp_path / "猫.png", tmp_path / "报告.html"])
        for kind, key, size in (("image", "image_key", len(PNG)), ("file", "file_key", 25)):
            told = (await link.event())["event"]["message"]
            assert told["message_type"] == kind
            address = f"im/v1/messages/{told['message_id']}/resources/{orjson.loads(told['content'])[key]}"
            await client.call("GET", "/bot/v3/info")  # Logs in.
            headers = {"Authorization": f"Bearer {client.token}"}
            async with client.session.get(
                f"{client.sandbox.url}/open-apis/{address}", params={"type": kind}, headers=headers
            ) as answer:
                assert len(await answer.read()) == size
        picture = page.locator("#log img.photo")
        await expect(picture).to_be_visible()
        assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
        async with page.expect_download() as download:
            await page.locator("#log .attached").click()
        file = await download.value
        assert file.suggested_filename == "报告.html"
        await file.save_as(tmp_path / "downloaded")
        assert (tmp_path / "downloaded").read_text() == "<script>alert(1)</script>"


def form(text: str, *, streaming: bool = False) -> dict[str, Any]:
    """A card with a form, a button outside of it, and hostile words."""
    name = {"tag": "input", "name": "who", "label": {"tag": "plain_text", "content": "姓名"}, "required": True}
    kinds = [{"text": {"tag": "plain_text", "content": each}, "value": each} for each in ("茶", "咖啡")]
    submit = {
        "tag": "button",
        "name": "go",
        "text": {"tag": "plain_text", "content": "提交"},
        "form_action_type": "submit",
    }
    choose = {"tag": "select_static", "name": "drink", "options": kinds}
    fields = [name, choose, {"tag": "date_picker", "name": "day"}, {"tag": "checker", "name": "hot"}, submit]
    press = {"type": "callback", "value": {"op": "ok"}}
    return {
        "schema": "2.0",
        "config": {"streaming_mode": streaming, "update_multi": True},
        "header": {"title": {"tag": "plain_text", "content": "点单 <img src=x onerror=alert(1)>"}, "template": "blue"},
        "body": {
            "elements": [
                {"tag": "markdown", "content": text},
                {"tag": "form", "name": "f", "elements": fields},
                {"tag": "button", "text": {"tag": "plain_text", "content": "好的"}, "behaviors": [press]},
            ]
        },
    }


async def answered(link: Link, answer: dict[str, Any]) -> dict[str, Any]:
    """The next event, a use of a card, which gets that answer."""
    frame = await link.frame()
    event = orjson.loads(frame.payload)["event"]
    data = base64.b64encode(orjson.dumps(answer)).decode()
    await link.ack(frame, orjson.dumps({"code": 200, "data": data}))
    return event


async def test_cards_are_pressed_filled_in_and_change_before_ones_eyes(browser: Browser) -> None:
    async with visited(browser) as (client, link, page):
        sent = await client.sent(form("**选**一杯 <script>alert(1)</script>"), "interactive")
        card = page.locator("#log article.card")
        await expect(card.locator("h1")).to_have_text("点单 <img src=x onerror=alert(1)>")
        await expect(card.locator("strong")).to_have_text("选")

        await card.get_by_text("好的").click()
        used = await answered(link, {"toast": {"type": "success", "content": "收到"}})
        assert used["action"]["value"] == {"op": "ok"}
        assert used["operator"]["open_id"] == client.people[0].open_id
        await expect(page.locator(".toast.success")).to_have_text("收到")

        await card.get_by_text("提交").click()
        await expect(page.locator(".toast.warning")).to_have_text("请先填写必填项")
        await card.get_by_label("姓名").press_sequentially("阿")
        message = client.sandbox.world.messages[sent["message_id"]]
        client.sandbox.world.react(message, client.people[1].open_id, "OK")
        await link.event()
        await expect(page.locator("#log .chip").first).to_contain_text("韩梅梅")
        await expect(card.get_by_label("姓名")).to_be_focused()
        await page.keyboard.type("强")
        patch = {"content": orjson.dumps(form("正在**写**", streaming=True)).decode()}
        await client.data("PATCH", f"/im/v1/messages/{sent['message_id']}", body=patch)
        await expect(card.locator("strong")).to_have_text("写")
        await expect(card.get_by_label("姓名")).to_have_value("阿强")
        await card.locator("select").select_option("咖啡")
        await card.locator("input[type=date]").fill("2026-11-30")
        await card.locator("input[type=checkbox]").check()
        await card.get_by_text("提交").click()
        done = {"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": "做好了"}]}}
        used = await answered(link, {"card": {"type": "raw", "data": done}})
        assert used["action"]["form_value"] == {"who": "阿强", "drink": "咖啡", "day": "2026-11-30 +0800", "hot": True}
        await expect(card).to_have_text("做好了")


async def test_tables_and_calls_are_seen_as_they_change(browser: Browser) -> None:
    async with visited(browser) as (client, _, page):
        tables = client.sandbox.tables
        await expect(page.locator("#table")).to_have_value(tables.activity)
        await expect(page.locator("#rows")).to_contain_text("还没有记录")
        records = f"/bitable/v1/apps/{tables.app_token}/tables/{tables.activity}/records"
        rows = [{"fields": {"用户名称": f"第{number}人", "活跃度分数": number + 0.5}} for number in range(60)]
        made = await client.data("POST", f"{records}/batch_create", body={"records": rows})
        await expect(page.locator("#rows-where")).to_have_text("1–50 / 共 60 条")
        await expect(page.locator("#rows tr.changed").first).to_be_visible()
        await page.locator("#rows-latest").uncheck()
        await expect(page.locator("#rows tbody tr").first).to_contain_text("第0人")
        first = made["records"][0]["record_id"]
        await client.data("PUT", f"{records}/{first}", body={"fields": {"活跃度分数": 9}})
        await expect(page.locator("#rows td.changed")).to_have_text("9.00")
        await page.locator("#rows-on").click()
        await expect(page.locator("#rows tbody tr")).to_have_count(10)
        assert await client.code("GET", "/bitable/v1/apps/nowhere/tables") != 0
        await expect(page.locator("#calls .refused")).to_have_count(1)
        await page.locator("#calls-by-name").click()
        await expect(page.locator("#calls")).to_contain_text("bitable.v1.appTableRecord.batchCreate")
        await expect(page.locator("#call-sum")).to_have_text(f"本月 {client.sandbox.calls.total} 次")


async def test_a_long_history_is_paged_and_the_page_comes_back_after_a_break(browser: Browser) -> None:
    async with running() as client:
        for number in range(3000):
            client.say(f"第 {number} 条")
        async with visiting(
            browser, client.sandbox.url, width=390, height=800, locale="en-US", color_scheme="dark"
        ) as page:
            await expect(page.locator("h1#chat-name")).to_be_hidden()
            await page.locator(".chat", has_text="安静的群").click()
            scroll = page.locator("#scroll")
            await expect(page.locator("#log .bubble").last).to_have_text("第 2999 条")
            while await page.locator("#log > .message").count() < 250:
                shown = await page.locator("#log > .message").first.get_attribute("data-id")
                await scroll.evaluate("node => { node.scrollTop = 0 }")
                await expect(page.locator("#log > .message").first).not_to_have_attribute("data-id", shown or "")
            for _ in range(3):
                shown = await page.locator("#log > .message").first.get_attribute("data-id")
                await scroll.evaluate("node => { node.scrollTop = 0 }")
                await expect(page.locator("#log > .message").first).not_to_have_attribute("data-id", shown or "")
            assert await page.locator("#log > .message").count() == 250
            await page.locator("#newest").click()
            await expect(page.locator("#log .bubble").last).to_have_text("第 2999 条")

            stream = client.sandbox._pages.stream
            watchers = client.sandbox.world.watchers
            stream._open = False
            await until(lambda: not watchers)
            client.say("断线时说的")
            stream._open = True
            await expect(page.locator("#log .bubble").last).to_have_text("断线时说的")
            client.say("回来以后说的")
            await expect(page.locator("#log .bubble").last).to_have_text("回来以后说的")
            await page.locator("#language").click()
            await expect(page.locator(".tabs [aria-current=true]")).to_have_text("聊天")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390

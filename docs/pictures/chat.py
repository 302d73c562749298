"""The sandbox's page as people see it."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

HERE = Path(__file__).resolve().parent
SWITCHES = ("--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-proxy-server")
SETTLED_MS = 1500
"""Until pictures are loaded and what glowed because it changed has faded."""


async def photograph_chat(url: str) -> None:
    """The page on a desk, and in the dark on a telephone; where there is no browser the old pictures stay."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        print("the pictures of the chat are left as they are: no Chromium found")
        return
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(SWITCHES))
        page = await _opened(browser, url, 1280, 800, locale="zh-CN")
        await page.locator(".message", has=page.locator("article.card")).last.locator(".face").hover()
        await page.locator("#calls-by-name").click()
        await _photograph(page, "chat-page.png")
        page = await _opened(browser, url, 390, 760, locale="en-US", color_scheme="dark")
        await page.locator(".chat").first.click()
        await _photograph(page, "chat-page-dark.png")
        await browser.close()


async def _opened(browser: Browser, url: str, width: int, height: int, **reader: str) -> Page:
    page = await browser.new_page(viewport={"width": width, "height": height}, **reader)
    await page.goto(url)
    await page.wait_for_selector("html[data-ready]")
    return page


async def _photograph(page: Page, name: str) -> None:
    await page.wait_for_timeout(SETTLED_MS)
    await page.screenshot(path=HERE / name)
    await page.close()

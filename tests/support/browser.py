"""A headless Chromium for tests of pages: the one installed on this machine, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

SECONDS = 20.0
"""How long a test waits for what it expects to see."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-proxy-server")


def executable() -> str:
    """Where the browser is. Skips the test on a machine that has none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(NAMES)} is on the PATH")
    return found


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser without a window."""
    path = executable()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(SWITCHES))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visiting(
    browser: Browser, url: str, *, width: int = 1440, height: int = 900, **context: Any
) -> AsyncIterator[Page]:
    """A page of a stranger to the site, opened and ready. Fails when it wrote an error to its console."""
    size = ViewportSize(width=width, height=height)
    surroundings = await browser.new_context(**{"locale": "zh-CN", "viewport": size, **context})
    page = await surroundings.new_page()
    page.set_default_timeout(SECONDS * 1000)
    expect.set_options(timeout=SECONDS * 1000)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        await page.goto(url)
        await page.wait_for_selector("html[data-ready]")
        yield page
        assert not complaints
    finally:
        await surroundings.close()

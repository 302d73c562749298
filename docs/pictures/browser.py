"""A headless Chromium as a camera."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=3000",
)


def photograph(url: str, to: Path, width: int, height: int, *, dark: bool = False, scale: float = 1.5) -> None:
    """A picture of a page, ``width`` × ``height`` CSS pixels; where there is no browser the old one stays."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print(f"{to.name} is left as it is: no Chromium found")
        return
    size = [f"--window-size={width},{height}", f"--force-device-scale-factor={scale}"]
    colours = ["--blink-settings=preferredColorScheme=0"] if dark else []
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *SWITCHES, *size, *colours, f"--user-data-dir={profile}", f"--screenshot={to}", url]
        subprocess.run(command, check=True, timeout=60, capture_output=True)  # noqa: S603

"""Makes the pictures of the documentation from the running program, in the sandbox.

    python docs/pictures/make.py

``live-view.svg`` is the last frame that ``core run --sandbox`` drew on a pseudo-terminal; ``health-page.png`` is the
health plugin's page at the same moment. The others are of a first week (``week.py``). All but the first need a headless
Chromium, and fonts with Chinese characters and emojis.
"""

from __future__ import annotations

import codecs
import fcntl
import html
import io
import os
import pty
import re
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from browser import photograph
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from week import photograph_week

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WIDTH, HEIGHT = 92, 52
HEALTH_HEIGHT = 1362
ENOUGH = 3000
"""Acts of the scenario after which the picture is taken."""
DEADLINE = 180.0
"""Seconds for everything."""

FRAME = re.compile(r"╭─[^╭]*?─╯", re.DOTALL)
PLAYED = re.compile(r"([\d,]+) of [\d,]+ acts")
PAGE = re.compile(r"Health is told at (http://[\w.]+:\d+)")
SGR = re.compile(r"\x1b\[[\d;]*m")
NOT_SGR = re.compile(r"\x1b\[[\d;?]*[A-Za-ln-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\r")
OUTSIDE_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
TEXT = re.compile(
    r'<text class="([\w-]+)" x="([\d.]+)" y="([\d.]+)" textLength="[\d.]+" clip-path="([^"]+)">([^<]*)</text>'
)
CELL = 12.2
"""The width of a character cell in Rich's pictures."""


def main() -> None:
    """Run the scenario and stop it half-way; play its first week; write all pictures."""
    with tempfile.TemporaryDirectory() as work:
        frame = _play(Path(work))
    (HERE / "live-view.svg").write_text(_drawn(frame), encoding="utf-8")
    with tempfile.TemporaryDirectory() as work:
        photograph_week(Path(work))


def _play(work: Path) -> str:
    """The last frame that was drawn, with its colours."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "PLUGINS_FILE": str(ROOT / "plugins.toml"),
        "HEALTH_CHECK_PORT": "0",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "PYTHONIOENCODING": "utf-8",
    }
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(work)
        os.execve(sys.executable, [sys.executable, "-m", "core", "run", "--sandbox"], environment)  # noqa: S606
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    began = time.monotonic()
    decode = codecs.getincrementaldecoder("utf-8")().decode
    shown = ""
    while time.monotonic() - began < DEADLINE:
        try:
            shown += decode(os.read(terminal, 65536))
        except OSError as error:  # The program has ended.
            raise SystemExit(f"it ended too early:\n{shown}") from error
        plain = NOT_SGR.sub("", shown)
        played = [int(number.replace(",", "")) for number in PLAYED.findall(SGR.sub("", plain))]
        frames = FRAME.findall(plain)
        if played and played[-1] >= ENOUGH and frames:
            page = PAGE.search(SGR.sub("", plain))
            if page is not None:
                photograph(page[1], HERE / "health-page.png", 900, HEALTH_HEIGHT, scale=1)
            break
    else:
        raise SystemExit("the scenario did not get far enough in time")
    os.kill(child, signal.SIGINT)
    _read_out(terminal)
    os.waitpid(child, 0)
    return frames[-1]


def _read_out(terminal: int) -> None:
    """A program whose output nobody reads would never end."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        os.close(terminal)


def _drawn(frame: str) -> str:
    """The frame as SVG; fonts are the reader's own, nothing is fetched from anywhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(frame), no_wrap=True)
    svg = console.export_svg(title="python -m core run --sandbox", unique_id="larkflock")
    svg = TEXT.sub(_placed, OUTSIDE_FONTS.sub("", svg))
    return svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'Noto Sans Mono CJK SC', monospace")


def _placed(text: re.Match[str]) -> str:
    """A piece of text with each wide character in its own two cells: Rich measures Chinese as if it were narrow."""
    style, left, top, clip, content = text.groups()
    x = float(left)
    pieces = []
    for run in re.findall(r"[\u2e80-\uffee]|[^\u2e80-\uffee]+", html.unescape(content)):
        width = CELL * cell_len(run)
        words = html.escape(run).replace("\xa0", "&#160;")
        pieces.append(
            f'<text class="{style}" x="{x:.1f}" y="{top}" textLength="{width:.1f}" clip-path="{clip}">{words}</text>'
        )
        x += width
    return "".join(pieces)


if __name__ == "__main__":
    main()

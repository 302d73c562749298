"""The real program on a real (pseudo) terminal, which is closed while it runs."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

from programs import ROOT

SECONDS = 60.0
DRAWN = "╰".encode()
"""The panel's last line: from now on the program is heard from twice a second."""


def test_a_terminal_that_is_closed_ends_the_program_as_ctrl_c_does(tmp_path: Path) -> None:
    terminal, line = pty.openpty()
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
        "PYTHONPATH": str(ROOT),
        "PLUGINS_FILE": str(ROOT / "plugins.toml"),
        "DATA_DIR": str(tmp_path / "data"),
        "LOG_DIR": str(tmp_path / "logs"),
        "HEALTH_CHECK_PORT": "0",
    }
    program = subprocess.Popen(
        [sys.executable, "-c", _LEADING, "run", "--sandbox", "--speed", "0", "--scenario", "quiet"],
        cwd=tmp_path,
        env=environment,
        stdin=line,
        stdout=line,
        stderr=line,
        start_new_session=True,
    )
    os.close(line)
    seen = b""
    deadline = time.monotonic() + SECONDS
    while DRAWN not in seen:
        assert time.monotonic() < deadline, seen[-2000:].decode(errors="replace")
        seen += os.read(terminal, 65536)
    os.close(terminal)
    try:
        code = program.wait(SECONDS)
    finally:
        program.kill()
    told = (tmp_path / "logs" / "larkflock.log").read_text(encoding="utf-8")
    assert (code, "Stopping: no new events" in told, "Traceback" in told) == (0, True, False)


_LEADING = """\
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # The session's own terminal: who has none is not told that it is gone.
from core.cli import main
main(sys.argv[1:])
"""

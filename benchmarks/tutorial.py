"""The tutorial, done as it stands on its page: every command, edit and sentence, in an empty environment.

    python benchmarks/tutorial.py [PAGE]

It builds the wheel of this checkout and goes through ``docs/tutorial.md`` (or another page of ``docs/``) in a new
folder, with nothing of the checkout on the path: commands in bash, edits in the files, what is to be said in the
sandbox's page by a headless Chromium. What the page says will be seen has to be seen. Packages come from where pip is
configured to take them; ``PIP_FIND_LINKS`` may name a folder of wheels. Prints the seconds of each step; exit code 1 at
the first that does not do what the page says.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import browser  # noqa: E402
from tutorial import Step, apply, missing, steps  # noqa: E402

PACKAGED = ("pyproject.toml", "README.md", "LICENSE", "core", "plugins", "sandbox")
KEPT = re.compile(r"PIP_\w+|SSL_\w+|\w+_PROXY|\w+_proxy")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
PATIENCE = 60.0
"""Seconds within which something has to be seen."""


class NotAsWritten(Exception):
    """The page says something else."""


class Reader:
    """Somebody who does what the page says, in a folder of their own."""

    def __init__(self, folder: Path, environment: dict[str, str], chromium: Callable[[], Page]) -> None:
        self._state, self._log = folder / "shell", folder / "program.log"
        self._environment, self._chromium = environment, chromium
        self._program: subprocess.Popen[bytes] | None = None
        self._page: Page | None = None
        self._output = ""
        self._looking_at_page = False
        self._state.write_text(f"cd {shlex.quote(str(folder))}\n")

    def do(self, step: Step) -> None:
        """One step. Raises ``NotAsWritten``."""
        if step.kind == "sh":
            for line in step.text.splitlines():
                self._type(line)
        elif step.kind == "text":
            self._see(step.text)
        elif step.kind == "say":
            self._say(step.text)
        elif step.kind == "stop":
            self.stop()
        else:
            try:
                apply(step, self._folder())
            except AssertionError as problem:
                raise NotAsWritten(str(problem)) from problem
            self._looking_at_page = False

    def stop(self) -> None:
        """Press Ctrl+C, if something runs."""
        self._looking_at_page, self._page = False, None
        if self._program is not None:
            self._program.send_signal(signal.SIGINT)
            code = self._program.wait(PATIENCE)
            self._program = None
            self._output = self._log.read_text("utf-8")
            if code:
                raise NotAsWritten(f"the program ended with {code}:\n{self._output}")

    def _type(self, line: str) -> None:
        whole = f"source {shlex.quote(str(self._state))}\n"
        if " core run " in line:
            with self._log.open("wb") as log:
                command = ["bash", "-c", f"{whole}exec {line}"]
                self._program = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
            return
        keep = f'{{ echo cd $(printf %q "$PWD"); export -p; }} > {shlex.quote(str(self._state))}'
        command = ["bash", "-c", f"{whole}{line}\ncode=$?\n{keep}\nexit $code"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        self._output = done.stdout + done.stderr
        if done.returncode and "pytest" not in line:  # Of tests the page says itself whether they fail.
            raise NotAsWritten(f"{line}\nended with {done.returncode}:\n{self._output}")

    def _see(self, expected: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while lacking := missing(expected, seen := self._seen()):
            if self._program is None or time.monotonic() > deadline:
                raise NotAsWritten(f"{lacking!r} is not to be seen in\n{seen}")
            time.sleep(0.1)

    def _seen(self) -> str:
        if self._program is None:
            return self._output
        if self._looking_at_page and self._page is not None:
            return self._page.inner_text("body")
        return self._log.read_text("utf-8")

    def _say(self, text: str) -> None:
        if self._page is None:
            found = ADDRESS.search(self._log.read_text("utf-8"))
            if found is None:
                raise NotAsWritten("no address of a page was told")
            self._page = self._chromium()
            self._page.goto(found[0])
            self._page.wait_for_selector("html[data-ready]")
        self._page.locator("#draft").press_sequentially(text)
        self._page.locator("#draft").press("Enter")
        self._looking_at_page = True

    def _folder(self) -> Path:
        return Path(shlex.split(self._state.read_text("utf-8").splitlines()[0])[1])


@contextmanager
def chromium() -> Iterator[Callable[[], Page]]:
    """Opens pages in a headless browser."""
    path = next((path for name in browser.NAMES if (path := shutil.which(name))), None)
    if path is None:
        raise SystemExit(f"no browser on this machine: none of {', '.join(browser.NAMES)} is on the PATH")
    with sync_playwright() as playwright:
        there = playwright.chromium.launch(executable_path=path, args=list(browser.SWITCHES))
        yield lambda: there.new_page(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        there.close()


def wheel(folder: Path) -> Path:
    """The folder with the wheel of this checkout, built from a copy."""
    copy, built = folder / "checkout", folder / "wheels"
    copy.mkdir()
    for name in PACKAGED:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(built)]
    subprocess.run([*command, str(copy)], check=True)
    shutil.rmtree(copy)
    return built


def surroundings(folder: Path, wheels: Path) -> dict[str, str]:
    """An environment with nothing of this one but how to reach packages."""
    kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
    here = str(Path(sys.prefix) / "bin")
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != here)
    (version,) = re.findall(r"larkflock-([^-]+)-", "".join(os.listdir(wheels)))
    only = folder / "constraints.txt"
    only.write_text(f"larkflock=={version}\n")
    links = " ".join(filter(None, (str(wheels), kept.get("PIP_FIND_LINKS"))))
    own = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "PIP_FIND_LINKS": links, "PIP_CONSTRAINT": str(only)}
    return {**kept, **own}


def main(page: str) -> int:
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tutorial-")))
        wheels = wheel(folder)
        open_page = stack.enter_context(chromium())
        print(f"{time.monotonic() - began:7.1f} s  (the wheel is built)")
        reader = Reader(folder, surroundings(folder, wheels), open_page)
        section, began = "", time.monotonic()
        try:
            for step in steps(page):
                if step.section != section:
                    section = step.section
                    print(section)
                before = time.monotonic()
                reader.do(step)
                told = step.file or " ⏎ ".join(step.text.splitlines())
                print(f"{time.monotonic() - before:7.1f} s  {step.kind:8}{told[:90]}", flush=True)
        except NotAsWritten as problem:
            print(f"NOT AS WRITTEN: {problem}")
            return 1
        finally:
            reader.stop()
    print(f"{time.monotonic() - began:7.1f} s  in all")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:] or ["tutorial.md"]))

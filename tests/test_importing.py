"""Importing a stranger's module: what it does to the process is put back and told, and it has its time."""

from __future__ import annotations

import importlib
import io
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_lines import logged
from loguru import logger
from plugin_package import on_path

from core.loading.importing import imported, place_of
from core.loading.prints import only_the_program_prints, speak_as
from core.logs import set_up


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    with on_path(tmp_path / "site") as site:
        yield site


def written(site: Path, source: str) -> str:
    """The name of a module of that source."""
    (site / "stranger.py").write_text(source, "utf-8")
    return "stranger"


CHANGES = {
    "sys.stdout": "import io, sys; sys.stdout = io.StringIO()",
    "sys.stderr": "import io, sys; sys.stderr = io.StringIO()",
    "the working directory": "import os; os.chdir('/')",
    "the handlers of logging": "import logging; logging.basicConfig(level=logging.DEBUG, force=True)",
    "the handler of SIGINT": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "the handler of SIGTERM": "import signal; signal.signal(signal.SIGTERM, lambda *_: None)",
}


def process() -> tuple[object, ...]:
    root = logging.root
    handlers = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    return sys.stdout, sys.stderr, Path.cwd(), root.level, tuple(root.handlers), handlers


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("breaks", [False, True], ids=["and works", "and breaks"])
def test_what_a_module_changes_of_the_process_is_put_back(site: Path, what: str, *, breaks: bool) -> None:
    name = written(site, CHANGES[what] + ("\nraise SystemExit(1)" if breaks else ""))
    before = process()
    if breaks:
        with pytest.raises(SystemExit):
            imported(name, "tester")
    else:
        assert imported(name, "tester").remarks == (f"changes {what} when it is imported; that was put back",)
    assert process() == before


def test_a_module_that_changes_nothing_is_not_remarked_on(site: Path) -> None:
    outcome = imported(written(site, "x = 1"), "tester")
    assert (outcome.module.x, outcome.remarks) == (1, ())


def test_what_a_module_prints_does_not_reach_standard_output(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = imported(written(site, "import sys\nprint('one')\nprint('two')\nsys.stdout.write('no end')"), "tester")
    assert outcome.remarks == ("prints to standard output when it is imported: 'one'",)
    assert capsys.readouterr().out == ""


def test_an_import_that_waits_for_ever_is_interrupted_and_the_place_is_named(site: Path) -> None:
    name = written(site, "import time\n\nx = 1\ntime.sleep(3600)")
    with pytest.raises(TimeoutError, match=r"it takes longer than 0\.2 s") as error:
        imported(name, "tester", limit=0.2)
    assert place_of(error.value) == "stranger.py, line 4"
    assert name not in sys.modules


def test_an_import_that_catches_every_exception_is_interrupted_all_the_same(site: Path) -> None:
    source = "import time\nwhile True:\n    try:\n        time.sleep(3600)\n    except Exception:\n        pass"
    with pytest.raises(TimeoutError):
        imported(written(site, source), "tester", limit=0.2)


def test_an_alarm_that_was_set_before_still_rings(site: Path) -> None:
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    pending = signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        imported(written(site, "x = 1"), "tester")
        deadline = time.monotonic() + 10
        while not rung and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *pending)
    assert rung


def test_beside_the_main_thread_a_module_is_imported_without_a_limit(site: Path) -> None:
    name = written(site, "import time; time.sleep(0.3)")
    done = []
    thread = threading.Thread(target=lambda: done.append(imported(name, "tester", limit=0.1)))
    thread.start()
    thread.join()
    assert [one.module.__name__ for one in done] == [name]


def test_an_interrupt_of_the_user_is_no_fault_of_the_module(site: Path) -> None:
    source = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(10)"
    with pytest.raises(KeyboardInterrupt):
        imported(written(site, source), "tester")


def test_the_place_of_an_error_is_the_line_of_the_stranger(site: Path) -> None:
    (site / "deeper.py").write_text("\n\nraise ValueError('no')", "utf-8")
    with pytest.raises(ValueError, match="no") as error:
        imported(written(site, "import deeper"), "tester")
    assert place_of(error.value) == "deeper.py, line 3"


class TestPrinting:
    def test_what_plugins_print_is_logged_and_what_the_program_prints_is_printed(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def work() -> None:
            speak_as("printer")
            print("one")
            print("two", end="")
            print("\nthree")

        with logged() as lines, only_the_program_prints():
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            print("the program")
        assert capsys.readouterr().out == "the program\n"
        warned, *printed = lines
        assert warned.startswith("WARNING prints to standard output")
        assert printed == [f"DEBUG Printed: '{word}'\n\n" for word in ("one", "two", "three")]

    def test_a_thread_that_nobody_knows_prints_into_the_log(self, capsys: pytest.CaptureFixture[str]) -> None:
        with logged() as lines, only_the_program_prints():
            thread = threading.Thread(target=lambda: print("here"), name="stranger's own")
            thread.start()
            thread.join()
        assert capsys.readouterr().out == ""
        assert any("Printed: 'here'" in line for line in lines)

    def test_what_else_one_asks_standard_output_it_still_answers(self) -> None:
        before = sys.stdout
        with only_the_program_prints():
            assert sys.stdout.encoding == before.encoding
            assert sys.stdout.isatty() == before.isatty()
            sys.stdout.writelines([])
            sys.stdout.flush()
        assert sys.stdout is before


class TestLogs:
    @pytest.fixture(autouse=True)
    def _as_before(self) -> Iterator[None]:
        level, handlers = logging.root.level, list(logging.root.handlers)
        yield
        logging.root.setLevel(level)
        logging.root.handlers[:] = handlers
        logger.remove()
        logger.configure(patcher=lambda record: None)
        logger.add(sys.stderr)

    @pytest.mark.parametrize("taken", [logger.remove, lambda: logging.basicConfig(force=True)])
    def test_what_the_log_is_written_to_is_put_back_when_it_was_taken_away(self, taken: object) -> None:
        lines: list[str] = []
        restored = set_up(None, "INFO", console=lines.append)
        assert not restored()
        taken()  # type: ignore[operator]
        assert restored()
        assert not restored()
        logger.info("one")
        logging.warning("two")
        assert ["one" in line or "two" in line for line in lines] == [True, True]

    def test_a_sink_that_a_plugin_adds_is_left_alone(self) -> None:
        restored = set_up(None, "INFO", console=lambda line: None)
        own = io.StringIO()
        logger.add(own)
        assert not restored()
        logger.info("heard")
        assert "heard" in own.getvalue()


def test_a_package_that_was_repaired_is_read_anew_with_all_its_parts(site: Path) -> None:
    package = site / "mended_probe"
    package.mkdir()
    (package / "rule.py").write_text("WEIGHT = 1\n", "utf-8")
    (package / "__init__.py").write_text("from .rule import WEIGHT, LIMIT\n", "utf-8")
    with pytest.raises(ImportError, match="LIMIT"):
        imported("mended_probe", "mended_probe")
    (package / "rule.py").write_text("WEIGHT = 1\nLIMIT = 20\n", "utf-8")
    importlib.invalidate_caches()
    assert imported("mended_probe", "mended_probe").module.LIMIT == 20

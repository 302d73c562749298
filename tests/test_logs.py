"""Where log lines go, and what cannot get into them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from core.errors import ConfigurationError
from core.logs import set_up


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is the program's own; the other tests go on with what they had."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logger.remove()
    logger.configure(patcher=lambda record: None, extra={})
    logger.add(sys.stderr)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def console(tmp_path: Path) -> list[str]:
    lines: list[str] = []
    set_up(tmp_path / "logs", "INFO", console=lines.append)
    return lines


def written(tmp_path: Path) -> list[str]:
    logger.complete()
    return (tmp_path / "logs" / "larkflock.log").read_text("utf-8").splitlines()


def test_lines_go_to_the_console_and_to_the_file(tmp_path: Path, console: list[str]) -> None:
    logger.info("Connected to {}", "飞书")
    logger.bind(plugin="pin").warning("a pin is gone")
    logger.debug("not at this level")
    first, second = written(tmp_path)
    assert first.endswith("Connected to 飞书")
    assert second.endswith("[pin] a pin is gone")
    assert len(console) == 2


def test_what_came_from_outside_cannot_fake_a_line(tmp_path: Path, console: list[str]) -> None:
    logger.info("name: {}", "x\r\n2026-01-01 00:00:00 ERROR all is lost")
    (line,) = written(tmp_path)
    assert line.endswith("name: x\\r\\n2026-01-01 00:00:00 ERROR all is lost")
    assert len(console) == 1


def test_nor_can_an_error_with_a_traceback(tmp_path: Path, console: list[str]) -> None:
    try:
        raise ValueError("x\r\n2026-01-01 00:00:00.000 +0000 ERROR all is \x1b[2Jlost")
    except ValueError:
        logger.exception("it broke")
    first, *trace = written(tmp_path)
    assert first.endswith("it broke")
    assert trace[0] == "    Traceback (most recent call last):"
    assert trace[-1] == "    2026-01-01 00:00:00.000 +0000 ERROR all is \\x1b[2Jlost"
    assert all(line.startswith("    ") for line in trace)


def test_tracebacks_show_no_values(tmp_path: Path, console: list[str]) -> None:
    secret = "s3cret" + "-token"
    try:
        _ = {}[len(secret)]  # type: ignore[var-annotated]
    except KeyError:
        logger.exception("it broke")
    told = "\n".join([*written(tmp_path), *console])
    assert "KeyError" in told
    assert "s3cret-token" not in told


def test_the_standard_librarys_logging_is_taken_over_at_any_level(tmp_path: Path, console: list[str]) -> None:
    logging.getLogger("aiohttp").warning("slow answer: %s", "{braces}")
    logging.getLogger("aiohttp").log(35, "a level of its own")
    logging.getLogger("aiohttp").info("chatter")
    first, second = written(tmp_path)
    assert first.endswith("slow answer: {braces}")
    assert second.endswith("a level of its own")
    assert len(console) == 2


def test_a_directory_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as raised:
        set_up(tmp_path / "file" / "logs", "INFO")
    (problem,) = raised.value.problems
    assert problem.where == "setting LOG_DIR"
    assert problem.fix == "set it to a directory that can be written"


def test_what_comes_from_outside_does_not_steer_a_terminal(tmp_path: Path, console: list[str]) -> None:
    logger.warning("{}", "a\x1b[1A\x1b[2Kb\x85c\u2028d\x00\te 中文")
    assert written(tmp_path)[0].endswith(r"a\x1b[1A\x1b[2Kb\x85c\u2028d\x00" + "\te 中文")
    assert r"a\x1b[1A\x1b[2Kb" in console[0]


def test_who_logs_what_cannot_be_formatted_does_not_fail_for_it(tmp_path: Path) -> None:
    console: list[str] = []
    set_up(tmp_path / "logs", "INFO", console=console.append)  # Here, as pytest has a handler that fails for it.
    library = logging.getLogger("some.library")
    library.handle(library.makeRecord("some.library", logging.WARNING, "x.py", 1, "%d of %s", ("x",), None))
    assert written(tmp_path)[0].endswith("%d of %s ('x',)")
    assert len(console) == 1

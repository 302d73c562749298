"""``core dead``: what failed is listed and shown, tried again or given up, while the program runs or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from consumer_bench import Bench, counting, until
from feishu_events import SENT, message

from core import Malformed, Message
from core.cli import main

HOUR = 3600


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


class Rule:
    """What the plugin cannot handle yet."""

    def __init__(self) -> None:
        self.wrong = True

    def __call__(self, message: Message) -> None:
        if self.wrong and message.id != "om_0":
            raise Malformed(f"no {message.id}, \x1b[31mnever")


def call(bench: Bench, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["dead", *arguments], env={"DATA_DIR": str(bench.directory)})


def parked(bench: Bench, count: int = 3) -> Rule:
    """A plugin that runs, with dead letters an hour apart."""
    rule = Rule()
    consumer = bench.start(counting(before=rule))
    for number in range(count + 1):
        bench.arrive(message(f"om_{number}"))
        bench.finish(consumer)
        bench.advance(HOUR)
    assert len(bench.store.dead()) == count
    return rule


def test_without_dead_letters_it_says_so(bench: Bench) -> None:
    assert call(bench, "list").output == "No dead letters.\n"
    assert call(bench, "list", "--json").output == ""
    assert call(bench, "redrive", "--all").output == "No dead letters.\n"


def test_a_list_has_a_line_for_each_that_moves_no_cursor(bench: Bench) -> None:
    parked(bench)
    result = call(bench, "list")
    lines = result.output.splitlines()
    assert lines[0] == "2  2026-11-01 11:26  tester  Malformed: no om_1,  [31mnever"
    assert lines[3].startswith("3 dead letters;")
    assert "\x1b" not in result.output


def test_as_json_everything_is_told(bench: Bench) -> None:
    parked(bench, 1)
    (line,) = call(bench, "list", "--json").output.splitlines()
    facts = json.loads(line)
    assert facts.pop("error").startswith("Malformed: no om_1")
    assert facts == {"plugin": "tester", "number": 2, "attempts": 1, "parked": SENT + HOUR * 1000}


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        ((), [2, 3, 4]),
        (("3",), [3]),
        (("2", "4"), [2, 4]),
        (("--reason", "OM_2"), [3]),
        (("--reason", "%"), []),
        (("--plugin", "tester"), [2, 3, 4]),
        (("--plugin", "other"), []),
        (("--since", "2026-11-01T12:00"), [3, 4]),
        (("--since", "2026-11-01T12:00", "--until", "2026-11-01T13:00+08:00"), [3]),
        (("--until", "2026-11-01"), []),
    ],
)
def test_letters_are_chosen_by_number_plugin_reason_and_time(
    bench: Bench, chosen: tuple[str, ...], numbers: list[int]
) -> None:
    parked(bench)
    lines = call(bench, "list", "--json", *chosen).output.splitlines()
    assert [json.loads(line)["number"] for line in lines] == numbers


def test_show_has_the_traceback_and_the_event(bench: Bench) -> None:
    parked(bench, 1)
    output = call(bench, "show", "2").output
    assert "tester, event 2, attempts 1" in output
    assert "Traceback" in output
    assert '"message_id": "om_1"' in output
    assert "\x1b" not in output
    told = json.loads(call(bench, "show", "2", "--json").output)
    assert told["event"]["event"]["message"]["message_id"] == "om_1"


def test_redrive_is_done_by_the_running_program(bench: Bench) -> None:
    rule = parked(bench)
    rule.wrong = False
    assert call(bench, "redrive", "3", "4").output == "2 dead letters to be tried again.\n"
    until(lambda: len(bench.seen()) == 3, "the two events")
    assert [letter.seq for letter in bench.store.dead()] == [2]
    assert call(bench, "redrive", "--plugin", "tester").output == "1 dead letter to be tried again.\n"
    until(lambda: bench.seen() == {f"om_{number}": 1 for number in range(4)}, "all, once")


def test_redrive_waits_for_a_program_that_is_stopped(bench: Bench) -> None:
    parked(bench)
    assert bench.consumers.pop().stop(5)
    call(bench, "redrive", "--all")
    assert (bench.store.dead(), len(bench.seen())) == ([], 1)
    bench.start(counting())
    until(lambda: bench.seen() == {f"om_{number}": 1 for number in range(4)}, "all, once")


def test_what_fails_again_is_a_dead_letter_again(bench: Bench) -> None:
    parked(bench)
    call(bench, "redrive", "--all")
    until(lambda: len(bench.store.dead()) == 3, "the dead letters")
    assert len(bench.seen()) == 1


def test_discard_asks_and_gives_up_for_good(bench: Bench) -> None:
    parked(bench)
    result = CliRunner().invoke(main, ["dead", "discard", "2"], env={"DATA_DIR": str(bench.directory)}, input="n\n")
    assert (result.exit_code, len(bench.store.dead())) == (1, 3)
    assert call(bench, "discard", "2", "--yes").output == "1 dead letter given up.\n"
    assert [letter.seq for letter in bench.store.dead()] == [3, 4]
    assert bench.store.discarded("tester") == {2}
    refused = call(bench, "redrive", "2")
    assert (refused.exit_code, "no dead letter is event 2" in refused.output) == (1, True)


@pytest.mark.parametrize("act", ["redrive", "discard"])
def test_nothing_is_moved_unless_something_is_chosen(bench: Bench, act: str) -> None:
    parked(bench)
    result = call(bench, act) if act == "redrive" else call(bench, act, "--yes")
    assert result.exit_code == 2
    assert "say which" in result.output
    assert len(bench.store.dead()) == 3


def test_events_that_nobody_can_read_are_listed_and_shown_as_they_came(bench: Bench) -> None:
    bench.arrive(b'{"schema": "2.0"\x00\xff')
    (line,) = call(bench, "list", "--plugin", "core", "--json").output.splitlines()
    assert json.loads(line)["error"].startswith("not JSON")
    output = call(bench, "show", "1").output
    assert '{"schema": "2.0" \\xff' in output
    assert call(bench, "redrive", "--plugin", "core").output == "No dead letters.\n"


def test_a_time_that_is_none_is_a_usage_error(bench: Bench) -> None:
    result = call(bench, "list", "--since", "yesterday")
    assert result.exit_code == 2
    assert "write 2026-11-01" in result.output


def test_without_any_data_it_says_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["dead", "list"], env={"DATA_DIR": str(tmp_path / "none")})
    assert result.exit_code == 2
    assert "nothing is stored there yet" in result.output
    assert not (tmp_path / "none").exists()


def test_discard_without_saying_which_is_refused_before_it_asks(bench: Bench) -> None:
    parked(bench)
    result = call(bench, "discard")
    assert result.exit_code == 2
    assert "say which" in result.output
    assert "for good?" not in result.output


def test_discard_gives_up_what_it_asked_about_and_nothing_parked_since(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    parked(bench)

    def confirm(*_: object, **__: object) -> bool:
        bench.arrive(message("om_late"))
        bench.finish()
        assert len(bench.store.dead()) == 4
        return True

    monkeypatch.setattr("click.confirm", confirm)
    assert call(bench, "discard", "--plugin", "tester").output == "3 dead letters given up.\n"
    assert len(bench.store.dead()) == 1

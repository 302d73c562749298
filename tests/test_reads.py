"""What a plugin may read of another's tables: committed rows, declared by name, none while that is not enabled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from consumer_bench import Bench, Step, plugin
from feishu_events import message
from plugin_package import install, on_path

from core import Context, Manifest, Message, Number, ReadOnly, Table, Text, Undeclared
from core.cli import main
from core.reads import unread

POINTS = Table(
    "points",
    (Text("person"), Number("points"), Text("why")),
    key=("person",),
    indexes=(("points",),),
    ranked_by=("points",),
    search=("why",),
)
OTHER = Table("other", (Text("k"),), key=("k",))


def tables(name: str) -> Table | None:
    return {"bank.points": POINTS, "bank.other": OTHER}.get(name)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


def banked(bench: Bench, before: Callable[[], None] = lambda: None) -> None:
    """The plugin ``bank`` writes a row for each message, its sender's points the length of the message."""

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(POINTS).set(message.id, points=len(message.content["text"]), why=message.content["text"])
        before()

    bench.start(plugin("bank", on_message=on_message, tables=(POINTS, OTHER)))


def answer(bench: Bench, question: Callable[[Context[Any]], Any], **declared: Any) -> Any:
    """What a plugin that reads the bank's tables is told by ``question``, asked at its start."""
    told: list[Any] = []

    async def startup(ctx: Context[Any]) -> None:
        told.append(question(ctx))

    reader = plugin("reader", startup=startup, tables=(), **({"reads": ("bank.points", "bank.other")} | declared))
    bench.finish(bench.start(reader, tables=tables))
    return told[0]


def points(ctx: Context[Any]) -> ReadOnly:
    table = ctx.read("bank.points")
    assert table is not None
    return table


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (lambda table: table.get("b")["points"], 2),
        (lambda table: table.get("nobody"), None),
        (lambda table: [row["person"] for row in table.scan()], ["a", "b", "c"]),
        (lambda table: [row["person"] for row in table.find(points=2)], ["b"]),
        (lambda table: [row["person"] for row in table.top(2)], ["c", "b"]),
        (lambda table: [row["person"] for row in table.select(between=("points", 2, None))], ["b", "c"]),
        (lambda table: [row["person"] for row in table.select(equals={"why": "好"}, limit=5)], ["a"]),
        (lambda table: [row["person"] for row in table.select(limit=1, after=table.get("a"))], ["b"]),
        (lambda table: sorted(row["person"] for row in table.search("你好")), ["b", "c"]),
    ],
)
def test_the_rows_of_another_plugin_can_be_read(bench: Bench, question: Any, told: Any) -> None:
    bench.arrive(message("a", text="好"), message("b", text="你好"), message("c", text="你好吗"))
    banked(bench)
    bench.finish()
    assert answer(bench, lambda ctx: question(points(ctx))) == told


def test_what_is_not_committed_yet_is_not_there(bench: Bench) -> None:
    step = Step()
    bench.arrive(message("a"))
    banked(bench, step)
    step.reached()
    assert answer(bench, lambda ctx: points(ctx).get("a")) is None
    step.go_on()
    bench.finish()


def test_a_reader_sees_what_was_committed_since(bench: Bench) -> None:
    seen: list[Any] = []

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        row = points(ctx).get("a")
        seen.append(row["points"] if row else None)

    banked(bench)
    bench.finish()
    reader = bench.start(plugin("reader", on_message=on_message, tables=(), reads=("bank.points",)), tables=tables)
    bench.finish()
    reader.stop(5)
    bench.arrive(message("a", text="你好"))
    bench.finish(bench.consumers[0])
    bench.finish(bench.start(plugin("reader", on_message=on_message, tables=(), reads=("bank.points",)), tables=tables))
    assert seen == [2]


def test_while_the_other_plugin_is_not_enabled_there_is_none(bench: Bench) -> None:
    async def startup(ctx: Context[Any]) -> None:
        assert ctx.read("bank.points") is None

    consumer = bench.start(plugin("reader", startup=startup, tables=(), reads=("bank.points",)))
    bench.finish()
    assert bench.status(consumer).problem == ""


@pytest.mark.parametrize(
    ("question", "error", "words"),
    [
        (lambda ctx: ctx.read("bank.secrets"), Undeclared, r"'bank.secrets' is not in the manifest; add it to reads="),
        (lambda ctx: points(ctx).find(why="好"), Undeclared, r"find\(why\) on table bank.points: its indexes are"),
        (lambda ctx: ctx.read("bank.other").top(1), Undeclared, r"bank.other: it has no ranked_by"),
        (lambda ctx: ctx.read("bank.other").search("好"), Undeclared, "search="),
        (lambda ctx: points(ctx).get("a", "b"), TypeError, "the key of table bank.points is"),
    ],
)
def test_what_cannot_be_read_says_why(bench: Bench, question: Any, error: type[Exception], words: str) -> None:
    def asked(ctx: Context[Any]) -> None:
        with pytest.raises(error, match=words):
            question(ctx)

    banked(bench)
    bench.finish()
    answer(bench, asked)


@pytest.mark.parametrize("name", ["", "points", "bank.", ".points", "Bank.points", "bank.points.more", "bank points"])
def test_a_name_is_that_of_a_plugin_and_a_table(name: str) -> None:
    with pytest.raises(ValueError, match=r"reads names '<plugin>\.<table>', not"):
        Manifest(name="reader", summary="", reads=("bank.points", name))


def test_a_table_that_an_enabled_plugin_does_not_have_is_a_problem() -> None:
    bank = Manifest(name="bank", summary="", tables=(POINTS, OTHER))
    empty = Manifest(name="empty", summary="")
    reader = Manifest(name="reader", summary="", reads=("bank.points", "bank.gone", "empty.table", "away.table"))
    assert [(problem.where, problem.what, problem.fix.split(";")[0]) for problem in unread([bank, empty, reader])] == [
        ("plugin reader", "reads='bank.gone': bank has no table 'gone'", "it has: points, other"),
        ("plugin reader", "reads='empty.table': empty has no table 'table'", "it has: none"),
    ]


SOURCE = """\
from core import Manifest

manifest = Manifest(name="reader", summary="Reads.", reads=({reads!r},))
"""


@pytest.mark.parametrize(("reads", "code"), [("activity.activity", 0), ("away.table", 0), ("activity.gone", 2)])
def test_check_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: str, code: int) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins.toml").write_text("[plugins.activity]\nenabled = true\n[plugins.reader]\nenabled = true\n")
    Path(".env").write_text("APP_ID=cli_1\nAPP_SECRET=s3cret\n")
    with on_path(tmp_path / "site") as site:
        install(site, "reader", SOURCE.format(reads=reads))
        done = CliRunner().invoke(main, ["check"], prog_name="core")
    assert (done.exit_code, "activity has no table 'gone'" in done.output) == (code, code == 2), done.output

"""What a review found that the pages of the plugins promise and the code did not do, named after what went wrong."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from archive_driver import DAY, MINUTE, Driver, Offline
from click.testing import CliRunner
from filelock import FileLock
from group_events import NOVEMBER, message, recall
from llm_stub import llm_bench, llm_stub, provider, topic

from core.disk.instance import LOCK, in_use, sole_instance
from core.errors import StorageError
from core.view import LiveView
from plugins.archive.commands import archive
from plugins.archive.tables import TOPICS

OCTOBER = NOVEMBER - 15 * DAY
SOMEBODY = "ou_0123456789abcdef0123456789abcdef"
BOT = "cli_a5ca35a685b0d26e"
GROUP = "oc_0123456789abcdef0123456789abcdef"


def export(driver: Driver, to: Path, form: str, *options: str) -> str:
    words = ["export", "--to", str(to), "--format", form, *options]
    result = CliRunner().invoke(archive, words, obj=Offline(driver, {}))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("options", [(), ("--since", "2026-11-01")], ids=["all", "since"])
def test_what_was_recalled_stayed_where_another_months_page_quoted_it(tmp_path: Path, options: tuple[str, ...]) -> None:
    with Driver(tmp_path / "data") as group:
        out = tmp_path / "out"
        group.deliver(message("om_1", "a", "凤凰计划", at=OCTOBER), message("om_3", "a", "别的", at=OCTOBER - 20 * DAY))
        group.deliver(message("om_2", "b", "好的", parent="om_1", at=NOVEMBER + MINUTE))
        group.pass_time(DAY)
        export(group, out, "html", *options)
        assert "凤凰计划" in (out / "oc_group/2026-11.html").read_text()
        group.deliver(recall("om_1"))
        group.pass_time(DAY)
        assert export(group, out, "html", *options).startswith("0 new" if options else "1 new")
        assert [page.name for page in out.rglob("*.html") if "凤凰计划" in page.read_text()] == []
        assert export(group, out, "html", *options).startswith("0 new or changed messages: 0 of ")


def test_a_topics_link_written_into_bitable_was_followed_whatever_it_was(tmp_path: Path) -> None:
    with Driver(tmp_path / "data") as group:
        group.deliver(message("om_1", "a", "好", at=NOVEMBER))
        link = "javascript:alert(1)//?openChatId=oc_group&messageId=om_old"
        group.context.table(TOPICS).set("om_old", title="旧话题", month="2026-11", link=link)
        group.commit()
        export(group, tmp_path / "out", "html")
        page = (tmp_path / "out/oc_group/2026-11.html").read_text()
        assert "旧话题" in page
        assert "javascript" not in page


@pytest.mark.parametrize("settings", [{}, {"redact": False}, {"redact_names": True}], ids=["usual", "plain", "names"])
async def test_ids_were_sent_to_the_language_model(settings: dict[str, Any]) -> None:
    lines = topic((SOMEBODY, f"@{SOMEBODY} 看 {GROUP}"), (BOT, "好"), ("王五", "on_message_received"), (SOMEBODY, "嗯"))
    async with llm_stub() as stub, llm_bench(provider(stub), **settings) as bench:
        await bench.summarizer.summarize(f"@{SOMEBODY} 看", lines)
        (asked,) = stub.bodies
        content = asked["messages"][1]["content"]
        for secret in (SOMEBODY, BOT, GROUP, BOT[4:], GROUP[3:]):
            assert secret not in content
        rows = orjson.loads(content)["messages"]
        assert rows[0][1] == rows[3][1] != rows[1][1]
        assert rows[2][2] == "on_message_received"


def test_a_store_that_cannot_be_read_ended_the_live_view() -> None:
    def leaders(count: int) -> None:
        raise StorageError("the disk is gone")

    view = LiveView(SimpleNamespace(leaders=leaders), None)  # type: ignore[arg-type]
    assert view._leaders() is None


def test_a_start_was_refused_because_a_command_was_just_looking(tmp_path: Path) -> None:
    looking, looked = threading.Event(), threading.Event()

    def look() -> None:
        with FileLock(tmp_path / LOCK, timeout=0):  # As in_use does.
            looking.set()
            looked.wait(0.1)

    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    with sole_instance(tmp_path):
        assert in_use(tmp_path)
    thread.join()

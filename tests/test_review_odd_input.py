"""What a review found where input is not what it should be, named after what went wrong."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from archive_driver import DAY, MINUTE, edit, item
from archive_driver import Driver as ArchiveDriver
from attachment_stage import staged
from click.testing import CliRunner
from group_events import message
from llm_stub import answering, llm_bench, llm_stub, provider, topic
from pin_driver import Driver as PinDriver
from pin_platform import PinPlatform
from rich.console import Console

from core import QuotaExhausted, Unreachable
from core.disk.backup import MANIFEST, read_backup
from core.errors import StorageError
from core.feishu.media import _parts
from core.feishu.transport import Api
from core.people import PAUSE, People
from core.replaying.anonymize import Anonymizer
from core.replaying.recording import Unusable, read, write
from core.storage import open_engine
from core.storage.sqlite.shadow import emptied
from core.storage.values import Stored
from core.view import LiveView
from plugins.activity.tables import ACTIVITY
from plugins.archive.commands import archive
from plugins.archive.llm.client import Client
from plugins.pin.rounds import MOST_TRIES

MICROSECONDS = 1_793_500_000_000_000


class OddContacts(Api):
    """Answers with people who have no open_id, then with one who has."""

    def __init__(self) -> None:
        self.answers: list[Any] = [[{"name": "李雷"}], [7], 7, [{"open_id": "ou_li", "name": "李雷"}]]

    async def call(self, operation: Any, **request: Any) -> dict[str, Any]:
        return {"items": self.answers.pop(0)}


async def test_a_person_without_an_id_ended_the_program(tmp_path: Path) -> None:
    now = 1_793_500_000_000
    with closing(open_engine(tmp_path).store()) as store:
        people = People(OddContacts(), store, lambda: (), clock=lambda: now)
        for waits in (1, 2, 4):
            await people.learn(["ou_li"])
            assert people.problem == "contact.v3.user.batch: the answer is no list of open_id"
            now += waits * PAUSE
        await people.learn(["ou_li"])
        assert (people.names(["ou_li"]), people.problem) == ({"ou_li": "李雷"}, "")


@pytest.mark.parametrize("name", ["[/]", "[/red] 李雷", "[bold]李雷[/bold]"])
def test_a_persons_name_ended_the_live_view(name: str) -> None:
    row = ACTIVITY.blank | {"user_id": "ou_li", "period": "2026-11[/]", "score": 1.0}
    leaders = (None, ACTIVITY, [row], {"ou_li": name})
    view = LiveView(SimpleNamespace(leaders=lambda count: leaders), None)  # type: ignore[arg-type]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(view._leaders())
    shown = console.export_text()
    assert name in shown
    assert "2026-11[/]" in shown


@pytest.mark.parametrize("time", [MICROSECONDS, 10**25])
def test_one_groups_pin_with_a_strange_time_stopped_all_groups(tmp_path: Path, time: int) -> None:
    platform = PinPlatform()
    platform.pins = {"oc_1": {}, "oc_2": {}}
    with PinDriver(tmp_path, platform) as driver:
        driver.finish()
        platform.pin("oc_1", "om_1", at=time)
        platform.pin("oc_2", "om_2")
        driver.round()
        assert [row["message_id"] for row in driver.rows()] == ["om_2"]


@pytest.mark.parametrize("time", [str(MICROSECONDS), "9" * 30, "١٢٣"])
def test_one_pinned_message_with_a_strange_time_stopped_all_groups(tmp_path: Path, time: str) -> None:
    platform = PinPlatform()
    platform.pins = {"oc_1": {}, "oc_2": {}}
    with PinDriver(tmp_path, platform) as driver:
        driver.finish()
        platform.say("om_1", create_time=time)
        platform.pin("oc_1", "om_1")
        platform.pin("oc_2", "om_2")
        driver.round()
        assert [(row["content"], row["sent"][:4]) for row in driver.rows()] == [("说 om_1", ""), ("说 om_2", "2026")]


def test_a_pinned_message_was_given_up_because_the_network_was_down(tmp_path: Path) -> None:
    platform = PinPlatform()
    platform.pins = {"oc_1": {}}
    with PinDriver(tmp_path, platform) as driver:
        driver.finish()
        platform.pin("oc_1", "om_1")
        platform.failing["message om_1"] = Unreachable("no answer")
        for _ in range(MOST_TRIES + 2):
            driver.round()
        del platform.failing["message om_1"]
        driver.round()
        assert driver.row("om_1")["content"] == "说 om_1"


@pytest.mark.parametrize("time", [str(MICROSECONDS), "9" * 30])
def test_an_edit_with_a_strange_time_stopped_the_export_or_everything_asked_for_behind_it(
    tmp_path: Path, time: str
) -> None:
    with ArchiveDriver(tmp_path) as group:
        group.deliver(message("om_1", "a", "alt"), message("om_2", "a", "alt"))
        group.platform.messages["om_1"] = [item("om_1", "neu", update_time=time)]
        group.platform.messages["om_2"] = [item("om_2", "neu", update_time="1793500900000")]
        group.deliver(edit("om_1"), edit("om_2"))
        group.pass_time(MINUTE)
        assert [row["content"] for row in group.rows().values()] == ["alt", "neu"]
        assert group.row("om_1")["edited"] is None


def test_a_forward_was_given_up_because_the_months_calls_were_used_up(tmp_path: Path) -> None:
    with ArchiveDriver(tmp_path) as group:
        group.platform.failure = QuotaExhausted("all gone")
        wrapper = item("om_1", "", msg_type="merge_forward", body={"content": "Merged and Forwarded Message"})
        group.platform.messages["om_1"] = [wrapper, item("om_c", "原话", sender="b", upper_message_id="om_1")]
        group.deliver(message("om_1", "a", kind="merge_forward", content={"content": "Merged and Forwarded Message"}))
        group.pass_time(20 * DAY)
        assert group.row("om_1")["content"] == "[合并转发]"
        group.platform.failure = Unreachable("no network")
        group.pass_time(2 * 3_600_000)
        assert group.row("om_1")["content"] == "[合并转发]", "failing begins to count anew"
        group.platform.failure = None
        group.pass_time(DAY)
        assert "原话" in group.row("om_1")["content"]


def deep(levels: int) -> bytes:
    return b'{"header":{},"event":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


class Stretch:
    """A journal of these bodies."""

    def __init__(self, *bodies: bytes) -> None:
        self._stored = [Stored(seq, "a", 5, 0, body) for seq, body in enumerate(bodies, 1)]

    def stretch(self, after: int, until: int, limit: int) -> list[Stored]:
        return [one for one in self._stored if after < one.seq <= until][:limit]


@pytest.mark.parametrize("levels", [300, 900])
def test_one_event_that_is_nested_deep_ended_the_recording(tmp_path: Path, levels: int) -> None:
    journal: Any = Stretch(deep(1), deep(levels), b"null", b"no JSON")
    path = tmp_path / "all.jsonl"
    assert write(path, journal, 0, 9) == (4, 0)
    assert [body for _, body in read(path)] == [deep(1), deep(levels), b"null", b"no JSON"]
    assert base64.b64encode(deep(levels)) in path.read_bytes()
    assert write(tmp_path / "safe.jsonl", journal, 0, 9, Anonymizer()) == (1, 3)


def test_a_recorded_event_of_a_year_that_no_calendar_has_was_loaded(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"larkflock":"journal","version":1}\n{"received":9000000000000000000,"event":{}}\n')
    with pytest.raises(Unusable, match="line 2: received is no time in ms"):
        list(read(path))


def test_a_time_given_as_a_number_did_not_stay_in_an_anonymous_recording() -> None:
    event = {"event": {"create_time": 1_793_500_000_000, "phone": 13_912_345_678}}
    assert Anonymizer()(event) == {"event": {"create_time": 1_793_500_000_000, "phone": 0}}


def test_an_endpoints_impossible_date_was_no_mere_refusal() -> None:
    client = Client.__new__(Client)
    client._clock = lambda: 0
    assert client._seconds("Mon, 01 Jan 99999999999 00:00:00 GMT") is None


@pytest.mark.parametrize("total", [2**64 - 1, 10**12])
async def test_an_answer_that_claims_to_have_cost_everything_used_up_the_day(total: int) -> None:
    good = {"summary": "发布推迟", "keywords": ["发布"], "citations": ["m1"]}
    async with llm_stub(answering(good, tokens=total)) as stub, llm_bench(provider(stub)) as bench:
        summary = await bench.summarizer.summarize("发布", topic(("张三", "今天发布推迟了")))
        assert summary.text == "发布推迟"
        calls, tokens = bench.summarizer.budget.spent("2026-11-01")
        assert (calls, 0 < tokens < 10_000) == (1, True)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"format": 2, "files": ["all.db"]}, "was written by another version (format 2); use that version"),
        ({"format": 1, "sums": None}, "is no backup of this program: 'NoneType' object is not iterable"),
        ({"format": 1, "sums": {}}, "is no backup of this program: Backup.__init__() missing 4 required"),
        ({"format": 1}, "is no backup of this program: 'sums'"),
    ],
    ids=["newer", "broken", "short", "empty"],
)
def test_a_backup_of_a_newer_version_was_called_no_backup(tmp_path: Path, told: dict[str, Any], why: str) -> None:
    (tmp_path / MANIFEST).write_bytes(orjson.dumps(told))
    with pytest.raises(StorageError, match=re.escape(f"{tmp_path} {why}")):
        read_backup(tmp_path)


def test_a_failure_that_was_none_of_the_disks_was_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), emptied(tmp_path / "shadow"):
        raise BrokenPipeError(32, "Broken pipe")
    assert not (tmp_path / "shadow").exists()


@pytest.mark.parametrize("answer", [{"block_size": 0}, {"block_size": "x" * 99, "block_num": 1}, {}])
def test_a_refusal_to_begin_an_upload_showed_its_id(answer: dict[str, Any]) -> None:
    with pytest.raises(Unreachable) as refused:
        _parts({"upload_id": "7000000000000000001", **answer}, 24 << 20, 0)
    assert "7000000000000000001" not in str(refused.value)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("name", ["data:image/png,x.exe", "//[x.exe", "http://[x.exe"])
async def test_a_file_whose_name_is_like_a_url_was_taken_for_one(tmp_path: Path, name: str) -> None:
    async with staged(tmp_path, ATTACHMENT_TYPES="png") as stage:
        stage.want(name=name)
        assert "类文件不在 ATTACHMENT_TYPES 之内" in (await stage.outcome())["problem"]
        assert stage.calls("im.v1.messageResource.get") == [0]


class Nothing:
    """An archive without messages; it notes what was looked for."""

    timezone = ZoneInfo("Asia/Shanghai")

    def rows(self, table: Any) -> Iterator[Any]:
        return iter(())

    def names(self) -> dict[str, str]:
        return {}

    def search(self, table: Any, words: str, *, between: tuple[str, int | None, int], **_: Any) -> list[Any]:
        self.until = datetime.fromtimestamp(between[2] / 1000, self.timezone)
        return []


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ("2026-11-01", "2026-11-02T00:00:00+08:00"),
        ("2026-11-01T00:00", "2026-11-01T00:00:00+08:00"),
        ("2026-11-01 08:30", "2026-11-01T08:30:00+08:00"),
        ("9999-12-31", "9999-12-31T00:00:00+08:00"),
    ],
)
def test_until_midnight_was_until_the_midnight_after(given: str, end: str) -> None:
    stored = Nothing()
    result = CliRunner().invoke(archive, ["search", "预算", "--until", given], obj=stored)
    assert result.output == "Error: nothing was found\n"
    assert stored.until.isoformat() == end

"""A stretch of the journal saved to a file and loaded again, as it was or telling of nobody."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from consumer_bench import Bench, counting
from feishu_events import GROUP, LI, PRIVATE, SENT, TENANT, WANG, message, pushed
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

import core
from core.cli import main
from core.disk.instance import LOCK
from core.errors import LarkflockError
from core.events import Message, decode
from core.replaying.anonymize import Anonymizer
from core.replaying.recording import Unusable, load, read
from core.storage import open_engine

ROOT = Path(core.__file__).parent.parent
KEY = b"a key of this test"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    Path("plugins.toml").write_text("[plugins.activity]\nenabled = true\n")
    with Bench(tmp_path / "data") as bench:
        yield bench


def call(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(main, arguments, env=env)


def bodies(directory: Path) -> list[tuple[int, Any]]:
    """(received, event) of a whole journal; bytes where it is no JSON."""
    found = []
    with open_engine(directory) as engine:
        journal = engine.journal()
        for stored in journal.stretch(0, journal.head(), 1000):
            try:
                found.append((stored.received, orjson.loads(stored.body)))
            except orjson.JSONDecodeError:
                found.append((stored.received, stored.body))
        journal.close()
    return found


def test_what_was_recorded_is_loaded_as_it_was(bench: Bench) -> None:
    bench.arrive(message("om_1", text="你好"), b"\xff\x00 no event", pushed("pin.added", {"message_id": "om_1"}))
    bench.advance(60)
    bench.arrive(message("om_2"))
    assert call("record", "all.jsonl").output == "4 events written to all.jsonl\n"
    assert json.loads(Path("all.jsonl").read_text("utf-8").splitlines()[0]) == {
        "larkflock": "journal",
        "version": 1,
        "anonymized": False,
    }
    assert Path("all.jsonl").stat().st_mode & 0o777 == 0o600
    result = call("load", "all.jsonl", DATA_DIR="other")
    assert result.output == "4 events loaded, 0 were there already.\n"
    assert bodies(Path("other")) == bodies(bench.directory)
    assert call("load", "all.jsonl", DATA_DIR="other").output == "0 events loaded, 4 were there already.\n"


def test_what_is_no_regular_file_is_written_to_as_it_is(bench: Bench) -> None:
    bench.arrive(message("om_1"))
    os.mkfifo("pipe")
    Path("link").symlink_to("linked.jsonl")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert call("record", "pipe").exit_code == 0
    whole = os.read(reader, 100_000)
    os.close(reader)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert call("record", "link").exit_code == 0
    assert Path("link").is_symlink()
    assert Path("linked.jsonl").read_bytes() == whole
    assert [path.name for path in Path.cwd().glob("*.part")] == []


@pytest.mark.parametrize("file", ["plugins.toml/x", "x" * 252])
@pytest.mark.parametrize("command", [["record"], ["tables", "export", "activity"]], ids=["record", "export"])
def test_a_file_that_cannot_be_made_is_told(bench: Bench, command: list[str], file: str) -> None:
    bench.arrive(message("om_1"))
    done = call(*command, file)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit | LarkflockError), done.exception
    assert Path("plugins.toml").read_text() == "[plugins.activity]\nenabled = true\n"


def test_an_end_before_the_beginning_is_refused(bench: Bench) -> None:
    bench.arrive(*(message(f"om_{number}") for number in range(5)))
    assert "--to is not after --from" in call("record", "all.jsonl", "--from", "4", "--to", "2").output


def test_a_stretch_is_chosen_by_number_or_time(bench: Bench) -> None:
    for number in range(6):
        bench.arrive(message(f"om_{number}"))
        bench.advance(3600)

    def recorded(*options: str) -> list[str]:
        call("record", "some.jsonl", *options)
        return [orjson.loads(body)["event"]["message"]["message_id"] for _, body in read(Path("some.jsonl"))]

    assert recorded("--from", "3", "--to", "5") == ["om_2", "om_3"]
    assert recorded("--from", "2026-11-01T12:00") == ["om_2", "om_3", "om_4", "om_5"]
    assert recorded("--to", "2026-11-01T12:00") == ["om_0", "om_1"]
    assert recorded("--from", "2026-11-02") == []


def test_plugins_that_never_ran_handle_what_was_loaded(bench: Bench) -> None:
    bench.arrive(message("om_1"), message("om_2"))
    call("record", "all.jsonl")
    with Bench(Path("other")) as other:
        with open_engine(Path("other")) as engine:
            load(Path("all.jsonl"), engine, ["tester"])
        other.finish(other.start(counting(), at=None))
        assert other.seen() == {"om_1": 1, "om_2": 1}


def test_nothing_is_loaded_beside_a_running_program(bench: Bench) -> None:
    call("record", "all.jsonl")
    with FileLock(bench.directory / LOCK):
        assert call("load", "all.jsonl").exit_code == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1"),
        ("{}\n", "is no recording"),
        ('{"larkflock": "journal", "version": 2}\n', "is of version 2, this larkflock reads 1"),
        ('{"larkflock": "journal", "version": 1}\n{"received": 1, "event": {}}\n[]\n', "line 3: is no JSON object"),
        ('{"larkflock": "journal", "version": 1}\n{"received": "1", "event": {}}\n', "line 2: received is no time"),
        ('{"larkflock": "journal", "version": 1}\n{"received": 1, "base64": "%"}\n', "line 2: has neither"),
        ('{"larkflock": "journal", "version": 1}\n{"received": 1}\n', "line 2: has neither"),
    ],
)
def test_a_file_with_a_fault_is_refused_whole(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(text)
    with open_engine(tmp_path / "data") as engine:
        with pytest.raises(Unusable, match=re.escape(told)):
            load(file, engine, [])
        journal = engine.journal()
        assert journal.head() == 0
        journal.close()


SECRET_TEXT = "项目代号凤凰的预算是 1,234,567 元，问 zhangwei@example.cn 或看 https://intranet.example.cn/secret?id=42"


def test_an_anonymous_recording_tells_of_nobody(bench: Bench) -> None:
    mentions = [{"key": "@_user_1", "id": {"open_id": WANG}, "name": "王小明", "tenant_key": TENANT}]
    post = {
        "title": "凤凰计划",
        "content": [
            [{"tag": "at", "user_id": "@_user_1", "user_name": "王小明"}, {"tag": "text", "text": SECRET_TEXT}],
            [{"tag": "a", "href": "https://intranet.example.cn/secret", "text": "见这里"}],
        ],
    }
    bench.arrive(
        message("om_secret_message_1", text=f"@_user_1 {SECRET_TEXT}", mentions=mentions),
        message("om_2", WANG, message_type="post", content=json.dumps(post, ensure_ascii=False), parent_id="om_3"),
        message(
            "om_3",
            message_type="file",
            content=json.dumps({"file_key": "file_v3_secretkey", "file_name": "凤凰预算2026.XLSX"}, ensure_ascii=False),
        ),
        message(
            "om_4",
            message_type="location",
            content=json.dumps({"name": "家", "longitude": "116.397", "latitude": "39.9"}),
        ),
        pushed("some.future.event", {"phone": 13_800_000_000, "nick": "小明", "tags": ["凤凰"], "ok": True}),
        "not an event of 王小明".encode(),
    )
    result = call("record", "safe.jsonl", "--anonymize")
    assert result.output.startswith("5 events written to safe.jsonl\n1 that nobody can read were left out")
    text = Path("safe.jsonl").read_text("utf-8")
    for secret in (LI, WANG, GROUP, TENANT, LI[3:], "secret", "王小明", "小明", "凤凰", "预算", "zhangwei", "intranet"):
        assert secret not in text
    for secret in ("1,234", "13800000000", "116.397", "39.9", "vTkn", "42"):
        assert secret not in re.sub(r'"(?:received|\w+_time)":"?\d+|[0-9a-f]{32}', "", text)


def test_an_anonymous_recording_still_makes_the_same_kinds_of_events(bench: Bench) -> None:
    mentions = [{"key": "@_user_1", "id": {"open_id": WANG}, "name": "王小明"}]
    bench.arrive(
        message("om_1", text="你好，@_user_1 world", mentions=mentions),
        message("om_2", WANG, text="好的", parent_id="om_1", root_id="om_1"),
    )
    call("record", "safe.jsonl", "--anonymize")
    first, second = (decode(body) for _, body in read(Path("safe.jsonl")))
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert second.parent_id == second.root_id == first.id != "om_1"
    assert first.mentions[0].open_id == second.sender.open_id != WANG
    assert (first.create_time, first.chat_type, first.message_type) == (SENT, "group", "text")
    assert re.fullmatch(r"[\u4e00-\u9fff]{2,3}，@_user_1 [a-z]{4,7}", first.content["text"])
    assert re.fullmatch(r"[\u4e00-\u9fff]{3}", first.mentions[0].name)


def test_the_same_is_the_same_under_one_key_and_another_under_the_next() -> None:
    one, again, other = Anonymizer(KEY), Anonymizer(KEY), Anonymizer(b"another")
    assert one.identifier(LI) == again.identifier(LI) != other.identifier(LI)
    assert one.name("王小明") == again.name("王小明")
    assert Anonymizer().identifier(LI) != Anonymizer().identifier(LI)
    assert one.identifier(GROUP).startswith("oc_")
    assert one.identifier(GROUP) != one.identifier(PRIVATE)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", ""),
        ("好", r"[\u4e00-\u9fff]"),
        ("今天下午三点开会吧", r"[\u4e00-\u9fff]{8,15}"),
        ("Hello big world!", r"[a-z]{4,7} [a-z]{2,3} [a-z]{4,7}!"),
        ("ありがとう", r"[\u3040-\u30ff]{4,7}"),
        ("감사합니다", r"[\uac00-\ud7af]{4,7}"),
        ("Привет", r"[a-z]{4,7}"),
        ("call 13800001111 now", r"[a-z]{4,7}  [a-z]{2,3}"),
        ("see https://a.example/b?c=d。", r"[a-z]{2,3} 。"),
        ("@_user_12 @_all", r"@_user_12 @_all"),
        ("🎉👍", ""),
    ],
)
def test_text_keeps_its_language_and_about_its_length(text: str, pattern: str) -> None:
    assert re.fullmatch(pattern, Anonymizer(KEY).text(text))


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("凤凰.XLSX", r"[0-9a-f]{8}\.xlsx"),
        ("J.Smith", r"[0-9a-f]{8}"),
        ("../../etc/passwd", r"[0-9a-f]{8}"),
        ("", ""),
    ],
)
def test_files_keep_only_a_known_extension(name: str, pattern: str) -> None:
    assert re.fullmatch(pattern, Anonymizer(KEY).file(name))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["text", "content", "name", "event", "id", "x y", "名字"]), JSON))
def test_any_event_can_be_anonymized_and_keeps_its_shape(event: dict[str, Any]) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return len(value), [shape(one) for one in value.values()]
        return [shape(one) for one in value] if isinstance(value, list) else None

    safe = Anonymizer(KEY)(event)
    assert shape(safe) == shape(event)
    assert Anonymizer(KEY)(event) == safe


@given(st.text(alphabet="王小明凤凰预算abcXYZ0123456789 ，。@_/:.-", min_size=1))
def test_no_number_and_no_word_of_the_text_is_left(text: str) -> None:
    safe = Anonymizer(KEY).text(text)
    assert not re.search(r"\d", re.sub(r"@_user_\d+", "", safe))
    assert not re.search("[王明凤凰预算XYZ]", safe)


def test_a_program_runs_on_a_recording(bench: Bench, tmp_path: Path) -> None:
    bench.arrive(message("om_1", sender="ou_1"), message("om_2", sender="ou_2"))
    call("record", "all.jsonl")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path / "trial")}
    ran = subprocess.run(
        [
            sys.executable,
            "-P",
            "-m",
            "core",
            "run",
            "--sandbox",
            *("--journal", "all.jsonl", "--until-idle", "--plain"),
        ],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "2 events loaded from all.jsonl" in ran.stderr
    assert "activity.activity: 2 rows" in call("--sandbox", "tables", DATA_DIR=str(tmp_path / "trial")).output

"""Faults as values, and which of them strikes: rates, counts, filters, the seed, presets and files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bitable.refusals import NAMES, refuse
from sandbox.faults.codes import EVERY_WRITERS, GROUPS
from sandbox.faults.fault import Fault, FaultError, parse
from sandbox.faults.faults import Faults
from sandbox.faults.kinds import KINDS
from sandbox.faults.listing import PLACES, listing
from sandbox.faults.presets import PRESETS, load
from sandbox.faults.waiting import WaitingRoom


def struck(faults: Faults, calls: int, *, to: str = "im.v1.message.create") -> list[str]:
    strikes = (faults.strike("call", to) for _ in range(calls))
    return [fault.kind if fault else "" for fault in strikes]


def test_rates_of_one_place_add_up_and_are_kept() -> None:
    faults = Faults([Fault(kind="limited", rate=0.2), Fault(kind="unreached", rate=0.1)], seed=1)
    counted = Counter(struck(faults, 20_000))
    assert counted["limited"] / 20_000 == pytest.approx(0.2, abs=0.01)
    assert counted["unreached"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert faults.injected == {kind: count for kind, count in counted.items() if kind}


def test_the_same_seed_strikes_the_same_and_another_does_not() -> None:
    first, same, other = (struck(Faults(PRESETS["api"], seed=seed), 200) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_one_place_does_not_disturb_what_another_draws() -> None:
    both = Faults(PRESETS["storm"], seed=1)
    for _ in range(50):
        both.strike("push", "im.message.receive_v1")
    assert struck(both, 100) == struck(Faults(PRESETS["api"], seed=1), 100)


def test_times_and_skip_bound_a_fault() -> None:
    faults = Faults([Fault(kind="limited", times=2, skip=1), Fault(kind="unreached", times=1)])
    assert struck(faults, 5) == ["unreached", "limited", "limited", "", ""]


def test_in_a_row_spares_an_address_until_it_was_let_through() -> None:
    faults = Faults([Fault(kind="refused", on="*", in_a_row=1)])
    strikes = [faults.strike("call", "a", address) is not None for address in ("/1", "/1", "/1", "/2", "/1", "/2")]
    assert strikes == [True, False, True, True, False, False]


@pytest.mark.parametrize(
    ("on", "name", "meant"),
    [
        ("*", "im.v1.message.create", True),
        ("bitable.*", "im.v1.message.create", False),
        ("bitable.*", "bitable.v1.app.get", True),
        ("!bitable.*", "bitable.v1.app.get", False),
        ("!bitable.*", "im.v1.message.create", True),
    ],
)
def test_on_names_what_a_fault_is_for(on: str, name: str, meant: bool) -> None:
    assert Fault(kind="slow", on=on).strikes(name) is meant


def test_a_log_in_has_no_token_that_could_be_invalid() -> None:
    assert not Fault(kind="token-invalid").strikes("auth.v3.tenantAccessToken.internal")


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"kind": "thunder"}, "thunder"),
        ({}, "kind"),
        ("drop", "kind"),
        ({"kind": "slow", "rate": 0}, "rate"),
        ({"kind": "slow", "rate": 1.5}, "rate"),
        ({"kind": "slow", "often": 1}, "often"),
        ({"kind": "slow", "seconds": "long"}, "seconds"),
        ({"kind": "slow", "seconds": [2, 1]}, "seconds"),
        ({"kind": "slow", "seconds": -1}, "seconds"),
        ({"kind": "slow", "codes": 1}, "codes"),
        ({"kind": "slow", "every": 5}, "every"),
        ({"kind": "slow", "times": -1}, "times"),
        ({"kind": "split", "count": 0}, "count"),
        ({"kind": "failed", "done": 2}, "done"),
        ({"kind": "refused", "codes": "all"}, "all"),
        ({"kind": "refused", "codes": []}, "codes"),
        ({"kind": "clock-jump"}, "every"),
    ],
)
def test_what_is_wrong_with_a_fault_is_named(document: object, word: str) -> None:
    with pytest.raises(FaultError, match=word):
        parse(document)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_written_down_and_read_again(kind: str) -> None:
    fault = Fault(kind=kind, rate=0.5, every=3.0 if KINDS[kind].place == "clock" else 0.0)
    assert parse(fault.document()) == fault


def test_codes_may_be_one_a_list_or_a_group() -> None:
    assert parse({"kind": "refused", "codes": 1254291}).codes == (1254291,)
    assert parse({"kind": "refused", "codes": [1254291, 1254290]}).codes == (1254291, 1254290)
    assert parse({"kind": "refused", "codes": "transient"}).codes == GROUPS["transient"]


def test_every_code_a_writer_can_meet_has_a_name_and_a_status() -> None:
    assert set(EVERY_WRITERS) <= set(NAMES)
    # FEISHU.md §5.7: HTTP 200 unless stated.
    stated = {1254036: 400, 1254607: 400, 1254302: 403, 1254608: 403, 1254045: 404, 1255040: 504, 1254290: 200}
    assert {code: refuse(code).status for code in stated} == stated


def test_the_storm_is_what_it_says() -> None:
    faults = Faults(PRESETS["storm"], seed=3)
    pushes = Counter(
        fault.kind if (fault := faults.strike("push", "im.message.receive_v1")) else "" for _ in range(10_000)
    )
    assert pushes["duplicate"] / 10_000 == pytest.approx(0.2, abs=0.015)
    assert pushes["reorder"] / 10_000 == pytest.approx(0.1, abs=0.015)
    assert [(fault.kind, fault.every) for fault in faults.recurring()] == [("drop", 5.0)]
    for api in ("bitable.v1.appTableRecord.batchCreate", "im.v1.message.create"):
        called = Counter(faults.strike("call", api, str(number)) for number in range(10_000))
        failed = sum(count for fault, count in called.items() if fault is not None and fault.kind != "slow")
        assert failed / 10_000 == pytest.approx(0.3, abs=0.017)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_strikes_somewhere(name: str) -> None:
    assert {fault.place for fault in load(name)} <= set(PLACES)


def test_a_file_has_a_preset_and_faults_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text('preset = "bitable"\n[[fault]]\nkind = "slow"\nseconds = [0.1, 0.2]\n[[fault]]\nkind = "lost"\n')
    assert load(str(file)) == (
        *PRESETS["bitable"],
        Fault(kind="slow", seconds=(0.1, 0.2)),
        Fault(kind="lost"),
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("fault = 1", "fault"),
        ('preset = "calm"', "calm"),
        ("faults = []", "faults"),
        ("[[fault]]\nkind = 'x'", "'x'"),
        ("[[fault", "faults.toml"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text)
    with pytest.raises(FaultError, match=word):
        load(str(file))


def test_a_preset_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(FaultError, match=r"nothing\.toml.*storm"):
        load("nothing.toml")


def test_the_listing_names_every_kind_and_preset() -> None:
    shown = listing()
    assert [name for name in (*KINDS, *PRESETS) if f"  {name} " not in shown] == []


def test_strikes_are_kept_in_order_with_their_time() -> None:
    faults = Faults([Fault(kind="limited", times=3)])
    struck(faults, 5, to="a")
    assert [(strike.number, strike.kind, strike.to) for strike in faults.strikes_after(1, 10)] == [
        (2, "limited", "a"),
        (3, "limited", "a"),
    ]
    assert [strike.number for strike in faults.strikes_after(0, 2)] == [1, 2]
    assert faults.strikes_after(3, 2) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=30))
def test_a_waiting_room_lets_everybody_go_exactly_once(acts: list[tuple[int, int]]) -> None:
    now = 0
    room: WaitingRoom[int] = WaitingRoom(lambda: now)
    left: list[int] = []
    held = 0
    for act, number in acts:
        if act == 0:
            room.hold(held, 3600.0, passes=number + 1)
        elif act == 1:
            room.hold_in_world(held, number)
        elif act == 2:
            left += room.passed()
        else:
            now += number * 1000
            left += room.due()
        held += act < 2
        assert len(room) == held - len(left)
    left += room.everything()
    assert sorted(left) == list(range(held))
    assert room.passed() == room.due() == []


def test_the_world_s_time_frees_in_order() -> None:
    times: dict[str, Any] = {"now": 0}
    room: WaitingRoom[str] = WaitingRoom(lambda: int(times["now"]))
    room.hold_in_world("six hours", 21_600)
    room.hold_in_world("one hour", 3600)
    assert room.due() == []
    times["now"] = 3_600_000
    assert room.due() == ["one hour"]
    times["now"] = 21_600_000
    assert room.due() == ["six hours"]
    assert room.next_look() == float("inf")

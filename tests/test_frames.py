"""Frames as bytes: reading whatever arrives, putting parts together, pings and acknowledgements."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Malformed
from core.feishu import frames
from core.feishu.frame_pb2 import Frame

PARTS = (b'{"a":', b'"\xe4\xbd\xa0', b'"}')


class Clock:
    """Seconds, as the test sets them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def part(number: int, *, of: int = len(PARTS), message_id: str = "m1") -> dict[str, str]:
    return {"type": "event", "message_id": message_id, "sum": str(of), "seq": str(number)}


def pushed(**headers: str) -> Frame:
    frame = Frame(seq_id=7, log_id=8, service=33554678, method=frames.DATA, payload=b"{}", log_id_new="n")
    for key, value in headers.items():
        frame.headers.add(key=key, value=value)
    return frame


def test_ping_has_the_bytes_that_were_captured_from_an_official_client() -> None:
    expected = "0800 1000 18f6818010 2000 2a0c 0a0474797065 120470696e67"
    assert frames.ping(33554678) == bytes.fromhex(expected.replace(" ", ""))


def test_an_acknowledgement_is_the_same_frame_with_code_200_and_the_time_taken() -> None:
    frame = pushed(type="event", message_id="m1", instance_id="10.0.0.1:9000")
    answer, headers = frames.read(frames.ack(frame, 0.0123))
    assert answer.payload == b'{"code":200}'
    assert (answer.seq_id, answer.log_id, answer.service, answer.method) == (7, 8, 33554678, frames.DATA)
    assert answer.log_id_new == "n"
    assert headers == {"type": "event", "message_id": "m1", "instance_id": "10.0.0.1:9000", "biz_rt": "12"}


def test_a_frame_without_its_required_fields_cannot_be_acknowledged() -> None:
    with pytest.raises(Malformed, match="lacks required fields"):
        frames.ack(Frame(seq_id=1), 0)


def test_required_fields_are_written_also_when_they_are_zero() -> None:
    assert frames.ping(0).startswith(bytes.fromhex("0800100018002000"))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_parts_make_the_payload_in_any_order(order: tuple[int, ...]) -> None:
    parts = frames.Reassembly(Clock())
    outcomes = [parts.add(PARTS[number], part(number)) for number in order]
    assert outcomes == [None, None, b"".join(PARTS)]


def test_a_payload_of_one_part_needs_no_numbers() -> None:
    parts = frames.Reassembly(Clock())
    assert parts.add(b"{}", {}) == b"{}"
    assert parts.add(b"{}", {"sum": "1", "seq": "0"}) == b"{}"


def test_a_duplicated_part_does_not_complete_a_payload() -> None:
    parts = frames.Reassembly(Clock())
    for _ in range(5):
        assert parts.add(PARTS[0], part(0)) is None
    assert parts.add(PARTS[2], part(2)) is None
    assert parts.add(PARTS[1], part(1)) == b"".join(PARTS)


def test_payloads_that_arrive_mixed_are_kept_apart() -> None:
    parts = frames.Reassembly(Clock())
    assert parts.add(b"a", part(0, of=2, message_id="one")) is None
    assert parts.add(b"x", part(0, of=2, message_id="two")) is None
    assert parts.add(b"y", part(1, of=2, message_id="two")) == b"xy"
    assert parts.add(b"b", part(1, of=2, message_id="one")) == b"ab"


def test_a_missing_part_may_come_with_the_next_push() -> None:
    parts = frames.Reassembly(Clock())
    assert parts.add(b"a", part(0, of=2)) is None
    assert parts.add(b"a", part(0, of=2)) is None
    assert parts.add(b"b", part(1, of=2)) == b"ab"


def test_parts_of_an_incomplete_payload_are_dropped_after_a_while() -> None:
    clock = Clock()
    parts = frames.Reassembly(clock)
    parts.add(b"old", part(0, of=2))
    clock.now += frames.PART_LIFETIME + 0.1
    assert parts.add(b"b", part(1, of=2)) is None
    assert parts.add(b"new", part(0, of=2)) == b"newb"


def test_the_number_of_incomplete_payloads_is_bounded_and_the_oldest_goes_first() -> None:
    parts = frames.Reassembly(Clock())
    for number in range(frames.MOST_INCOMPLETE + 1):
        parts.add(b"a", part(0, of=2, message_id=f"m{number}"))
    assert parts.add(b"b", part(1, of=2, message_id="m1")) == b"ab"
    assert parts.add(b"b", part(1, of=2, message_id="m0")) is None


def test_a_full_house_does_not_drop_the_payload_that_is_being_completed() -> None:
    parts = frames.Reassembly(Clock())
    for number in range(frames.MOST_INCOMPLETE):
        parts.add(b"a", part(0, of=2, message_id=f"m{number}"))
    assert parts.add(b"b", part(1, of=2, message_id="m0")) == b"ab"


@pytest.mark.parametrize(
    "headers",
    [
        part(3, of=3),
        part(-1, of=3),
        part(0, of=frames.MOST_PARTS + 1),
        {"sum": "2", "seq": "0"},
        {"sum": "two", "seq": "0"},
        {"sum": "2", "seq": "", "message_id": "m1"},
        {"sum": "9" * 5000, "seq": "0", "message_id": "m1"},
    ],
)
def test_impossible_numbers_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Malformed, match="frame part numbers"):
        frames.Reassembly(Clock()).add(b"", headers)


def test_parts_that_disagree_about_their_number_are_refused_and_the_payload_survives() -> None:
    parts = frames.Reassembly(Clock())
    assert parts.add(b"a", part(0, of=2)) is None
    with pytest.raises(Malformed, match="impossible"):
        parts.add(b"x", part(5, of=6))
    assert parts.add(b"b", part(1, of=2)) == b"ab"


def handle(data: bytes, parts: frames.Reassembly) -> None:
    """What the connection does with bytes before anybody else sees them."""
    frame, headers = frames.read(data)
    payload = parts.add(frame.payload, headers)
    assert payload is None or isinstance(payload, bytes)
    frames.ack(frame, 0.001)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_arbitrary_bytes_are_a_frame_or_malformed(received: list[bytes]) -> None:
    parts = frames.Reassembly(Clock())
    for data in received:
        try:
            handle(data, parts)
        except Malformed:
            continue


numbers = st.one_of(st.integers(-3, 5).map(str), st.text(max_size=3))


@given(st.lists(st.tuples(numbers, numbers, st.sampled_from(["", "a", "b"]), st.binary(max_size=4)), max_size=30))
def test_arbitrary_numbering_is_put_together_or_malformed(received: list[tuple[str, str, str, bytes]]) -> None:
    parts = frames.Reassembly(Clock())
    for total, number, message_id, payload in received:
        frame = pushed(sum=total, seq=number, message_id=message_id)
        frame.payload = payload
        try:
            handle(frame.SerializeToString(), parts)
        except Malformed:
            continue


@given(st.binary(min_size=1, max_size=8))
def test_header_text_that_is_not_utf8_breaks_nothing(raw: bytes) -> None:
    header = b"\x0a\x03sum\x12" + bytes([len(raw)]) + raw
    data = bytes.fromhex("0801100118012001") + b"\x2a" + bytes([len(header)]) + header
    try:
        handle(data, frames.Reassembly(Clock()))
    except Malformed:
        return

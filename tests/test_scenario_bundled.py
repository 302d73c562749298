"""The bundled scenario is lively, believable, complete, and the same for the same seed."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zlib
from collections import Counter
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from sandbox.scenario import catalogue, everyday, leisure, script, storylines, weekly
from sandbox.scenario.act import (
    BOT,
    EVERYONE,
    Act,
    Edit,
    Join,
    Leave,
    Pin,
    React,
    Recall,
    Resource,
    Say,
    Scenario,
    ScenarioError,
    Unpin,
    Unreact,
    dump,
    parse,
)
from sandbox.scenario.cast import SHANGHAI, shanghai
from sandbox.scenario.words import WORDS

ROOT = Path(__file__).resolve().parents[1]
TYPES = {
    "text", "post", "image", "file", "audio", "media", "sticker", "location", "vote", "merge_forward", "share_user",
    "system", "folder", "share_chat", "interactive", "share_calendar_event", "calendar", "general_calendar",
    "video_chat", "todo", "hongbao", "whiteboard",
}  # fmt: skip


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return catalogue.load("bundled", seed=7)


@pytest.fixture(scope="module")
def acts(scenario: Scenario) -> list[Act]:
    return list(scenario.acts())


@pytest.fixture(scope="module")
def says(acts: list[Act]) -> list[Say]:
    return [act for act in acts if isinstance(act, Say)]


def digest(scenario: Scenario) -> str:
    whole = hashlib.sha256(orjson.dumps([scenario.people, scenario.chats]))
    for act in scenario.acts():
        whole.update(orjson.dumps(dump(act)))
    return whole.hexdigest()


def local(act: Act) -> datetime:
    return datetime.fromtimestamp(act.at / 1000, SHANGHAI)


def texts(says: list[Say]) -> list[str]:
    return [said.content["text"] for said in says if said.type == "text"]


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_the_same_seed_gives_the_same_bytes_in_any_process(scenario: Scenario, hash_seed: str) -> None:
    program = (
        "import hashlib, orjson\n"
        "from sandbox.scenario import catalogue\n"
        "from sandbox.scenario.act import dump\n"
        "scenario = catalogue.load('bundled', seed=7)\n"
        "whole = hashlib.sha256(orjson.dumps([scenario.people, scenario.chats]))\n"
        "for act in scenario.acts(): whole.update(orjson.dumps(dump(act)))\n"
        "print(whole.hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == digest(scenario)


def test_acts_start_anew_at_every_call_and_another_seed_differs(scenario: Scenario) -> None:
    assert digest(scenario) == digest(scenario)
    other = catalogue.load("bundled", seed=8)
    assert digest(other) != digest(scenario)
    assert other.people[0].open_id != scenario.people[0].open_id


@pytest.mark.parametrize("seed", range(6))
def test_every_seed_is_lively_and_consistent(seed: int) -> None:
    scenario = catalogue.load("bundled", seed=seed)
    acts = list(scenario.acts())
    count = Counter(type(act).__name__ for act in acts)
    assert scenario.total == len(acts)
    assert 2_700 <= count["Say"] <= 3_600
    assert 950 <= count["React"] <= 1_500
    assert 0.04 <= count["Unreact"] / count["React"] <= 0.12
    assert 0.008 <= count["Recall"] / count["Say"] <= 0.025
    assert count["Pin"] >= 30
    assert count["Unpin"] >= 4
    assert count["Edit"] >= 15
    assert {act.type for act in acts if isinstance(act, Say)} == TYPES
    check_consistency(scenario, acts)


def check_consistency(scenario: Scenario, acts: list[Act]) -> None:
    """Nobody acts who is not there, and nothing is done to what is not there (any more)."""
    present = {chat.chat_id: set(chat.members) for chat in scenario.chats}
    known = {person.open_id for person in scenario.people}
    said: dict[str, Say] = {}
    recalled: set[str] = set()
    reactions: set[tuple[str, str, str]] = set()
    pins: set[str] = set()
    last = 0
    for act in acts:
        assert act.at >= last
        last = act.at
        there = present[act.chat]
        match act:
            case Join():
                assert act.person not in there
                assert act.by in there
                there.add(act.person)
            case Leave():
                there.remove(act.person)
            case Say():
                assert act.message not in said
                assert act.sender in there or (not act.sender and act.type == "system")
                if act.parent:
                    parent = said[act.parent]
                    assert parent.chat == act.chat
                    assert act.root == (parent.root or parent.message)
                    assert act.parent == act.root or not act.thread
                else:
                    assert not act.root
                for mention in act.mentions:
                    assert mention.open_id in known or mention.open_id == BOT
                    assert mention.key in orjson.dumps(act.content).decode()
                said[act.message] = act
            case React():
                assert act.person in there
                key = (act.message, act.person, act.emoji)
                assert key not in reactions
                reactions.add(key)
            case Unreact():
                reactions.remove((act.message, act.person, act.emoji))
            case Pin():
                assert act.by in there
                assert act.message not in pins
                pins.add(act.message)
            case Unpin():
                pins.remove(act.message)
            case Edit():
                assert said[act.message].type in ("text", "post")
            case Recall():
                assert act.by in there
        if isinstance(act, React | Unreact | Pin | Unpin | Edit | Recall):
            assert said[act.message].chat == act.chat
            assert act.message not in recalled
            if isinstance(act, Recall):
                recalled.add(act.message)


def test_28_people_two_months_and_ids_of_the_platforms_shape(scenario: Scenario, says: list[Say]) -> None:
    assert len(scenario.people) == 28
    assert len({person.open_id for person in scenario.people}) == 28
    senders = {said.sender for said in says} - {""}
    assert 22 <= len(senders) < 28, "some only read"
    for person in scenario.people:
        assert re.fullmatch(r"ou_[0-9a-f]{32}", person.open_id)
        assert re.fullmatch(r"on_[0-9a-f]{32}", person.union_id)
        assert re.fullmatch(r"[0-9a-f]{8}", person.user_id)
    assert all(re.fullmatch(r"oc_[0-9a-f]{32}", chat.chat_id) for chat in scenario.chats)
    assert all(re.fullmatch(r"om_[0-9a-f]{32}", said.message) for said in says)
    assert {local(said).strftime("%Y-%m") for said in says} == {"2026-09", "2026-10"}
    assert len({local(said).date() for said in says}) >= 50


def test_evenings_and_weekends_are_quieter(says: list[Say]) -> None:
    office = [said for said in says if local(said).weekday() < 5 and 9 <= local(said).hour < 19]
    assert len(office) > 0.8 * len(says)
    assert 0 < sum(1 for said in says if local(said).weekday() >= 5) < 0.2 * len(says)
    assert not [said for said in says if 2 <= local(said).hour < 8]


def test_replies_topics_and_mentions(scenario: Scenario, says: list[Say]) -> None:
    main, corner = scenario.chats
    assert (main.kind, corner.kind) == ("group", "topic")
    assert sum(1 for said in says if said.parent and not said.thread) > 500
    assert sum(1 for said in says if said.thread and said.chat == main.chat_id) > 30
    assert all(said.thread for said in says if said.chat == corner.chat_id and said.sender)
    assert max(Counter(said.root for said in says if said.root).values()) >= 5
    assert sum(1 for said in says if said.mentions) > 150
    assert any(len(said.mentions) >= 5 for said in says)
    assert sum(1 for text in texts(says) if EVERYONE in text) >= 8
    placeholders = re.compile(r"@_user_\d+")
    for said in says:
        keys = {mention.key for mention in said.mentions}
        assert set(placeholders.findall(orjson.dumps(said.content).decode())) == keys


def test_no_slot_or_notation_is_left_in_a_text(says: list[Say]) -> None:
    roles = re.compile(r"@(产品|后端|前端|测试|设计|运维|老板|所有人|机器人|路人)")
    for said in says:
        written = orjson.dumps(said.content).decode()
        if said.type in ("text", "post"):
            assert not re.search(r"⏎|«|»|\{[^\"\[]*\|", written.replace('{"', ""))
            assert not roles.search(written)


def test_every_bundled_script_can_be_read_and_its_slots_have_words() -> None:
    decks = (
        everyday.MORNING, everyday.WORK, leisure.LUNCH, leisure.SMALLTALK, leisure.EVENING, leisure.WEEKEND,
        weekly.MONDAY, weekly.RELEASE_NOTICE, weekly.RELEASE, weekly.FRIDAY, weekly.TOPICS,
        tuple(text for _, text in storylines.DATED),
    )  # fmt: skip
    for text in (text for deck in decks for text in deck):
        assert script.read(text)
        for slot in re.findall(r"\{([^{}|]*)\}", text):
            assert slot in WORDS or slot in ("版本", "周") or re.fullmatch(r"\d+-\d+", slot)


def test_a_line_that_is_no_line_is_named() -> None:
    with pytest.raises(ScenarioError, match="没有冒号"):
        script.read("产品: 你好\n没有冒号")


def test_storylines_are_there(says: list[Say]) -> None:
    spoken = "\n".join(orjson.dumps(said.content).decode() for said in says)
    for story in (
        "上线完成",
        "网关故障复盘",
        "任务详情页改版评审",
        "欢迎新同学",
        "中秋快乐",
        "国庆快乐",
        "周报",
        "1024",
    ):
        assert story in spoken


def test_the_months_boundary_in_shanghai(says: list[Say], acts: list[Act]) -> None:
    at = {said.at: said for said in says}
    last = at[shanghai("2026-09-30 23:59:59.900")]
    assert at[shanghai("2026-10-01 00:00:00.000")]
    assert at[shanghai("2026-10-01 00:00:00.100")].parent == last.message
    assert any(isinstance(act, React) and act.message == last.message and local(act).month == 10 for act in acts)
    september = {said.message for said in says if local(said).month == 9}
    assert any(isinstance(act, Recall) and act.message in september and local(act).month == 10 for act in acts)
    assert shanghai("2026-10-31 23:59:59.999") in at


def test_what_people_do_to_themselves(says: list[Say], acts: list[Act]) -> None:
    said = {each.message: each for each in says}
    assert any(each.parent and not each.thread and said[each.parent].sender == each.sender for each in says)
    assert any(mention.open_id == each.sender for each in says for mention in each.mentions)
    assert any(isinstance(act, React) and said[act.message].sender == act.person for act in acts)


def test_rare_mentions(scenario: Scenario, says: list[Say]) -> None:
    said = {each.message: each for each in says}
    assert any(mention.open_id == BOT for each in says for mention in each.mentions)
    assert any(
        each.parent and not each.thread and said[each.parent].sender in {mention.open_id for mention in each.mentions}
        for each in says
    )
    assert any(EVERYONE in text and "@_user_1" in text for text in texts(says))
    assert any(len({m.open_id for m in each.mentions}) < len(each.mentions) for each in says)
    assert any(len({m.name for m in each.mentions}) < len({m.open_id for m in each.mentions}) for each in says)
    assert any(each.thread and each.parent == each.root and len(each.mentions) >= 2 for each in says)
    assert "@_user_1" in texts(says), "a mention and nothing else"
    names = Counter(person.name for person in scenario.people)
    assert names["陈晨"] == 2


def test_rare_recalls_and_reactions(acts: list[Act], says: list[Say]) -> None:
    recalls = [act for act in acts if isinstance(act, Recall)]
    gone = {act.message for act in recalls}
    said = {each.message: each for each in says}
    assert any(each.parent in gone for each in says)
    assert any(act.message in gone for act in acts if isinstance(act, React))
    assert any(act.message in gone for act in acts if isinstance(act, Pin))
    assert any(act.by != said[act.message].sender for act in recalls), "by the group's owner"
    again = Counter((act.message, act.person, act.emoji) for act in acts if isinstance(act, React))
    assert max(again.values()) == 2
    assert max(Counter(act.message for act in acts if isinstance(act, Pin)).values()) == 2
    writers = {each.sender for each in says}
    assert any(act.person not in writers for act in acts if isinstance(act, React))


def test_rare_texts(says: list[Say]) -> None:
    written = texts(says)
    assert any("👨‍👩‍👧‍👦" in text for text in written)
    assert any("𠮷" in text for text in written)
    assert max(map(len, written)) == 20_000
    assert any(text and not text.strip() for text in written)
    assert any(text != text.strip() and text.strip() for text in written)
    posts = [said.content for said in says if said.type == "post"]
    assert any(not post["title"] and not post["content"] for post in posts)
    tags = {element["tag"] for post in posts for paragraph in post["content"] for element in paragraph}
    assert tags >= {"text", "a", "at", "code_block", "img"}
    moments = Counter(said.at for said in says)
    assert max(moments.values()) >= 4


def test_resources_are_named_in_the_content_and_made_on_demand(says: list[Say]) -> None:
    resources = [(said, resource) for said in says for resource in said.resources]
    assert len(resources) > 80
    assert len({resource.key for _, resource in resources}) == len(resources)
    for said, resource in resources:
        assert resource.key in orjson.dumps(said.content).decode()
    image = next(resource for _, resource in resources if resource.kind == "image")
    assert len(image.read()) == image.size
    assert image.read() == image.read()


def test_sizes_that_take_parts_or_are_too_big_and_keys_with_nothing_behind_them(says: list[Say]) -> None:
    sizes = {resource.size for said in says for resource in said.resources}
    assert any(20 << 20 < size < 100 << 20 for size in sizes)
    assert any(size > 100 << 20 for size in sizes)
    assert any(said.type == "file" and not said.resources for said in says)


def test_every_merged_forward_holds_messages(scenario: Scenario, says: list[Say]) -> None:
    forwards = [said for said in says if said.type == "merge_forward"]
    known = {person.open_id for person in scenario.people}
    for said in forwards:
        assert said.forwarded
        inner = {each.message for each in said.forwarded if each.type == "merge_forward"}
        assert all(each.at < said.at and each.sender in known for each in said.forwarded)
        assert all(each.upper in {"", *inner} for each in said.forwarded)
    assert any(each.upper for said in forwards for each in said.forwarded), "a forward in a forward"
    ids = [each.message for said in forwards for each in said.forwarded] + [said.message for said in says]
    assert len(set(ids)) == len(ids)
    assert not [said for said in says if said.forwarded and said.type != "merge_forward"]


def test_a_big_resource_is_made_piece_by_piece() -> None:
    file = Resource("file_v3_x", "a.zip", "file", 200_000, 1)
    pieces = list(file.chunks())
    assert list(map(len, pieces)) == [65_536, 65_536, 65_536, 3_392]
    assert len(set(pieces)) == len(pieces)
    image = Resource("img_v3_x", "a.png", "image", 200_000, 1)
    assert max(map(len, image.chunks())) <= 65_536
    assert len(image.read()) == 200_000


def test_an_image_is_a_valid_png_of_exactly_its_size() -> None:
    content = Resource("img_v3_x", "a.png", "image", 5_000, 1).read()
    assert len(content) == 5_000
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    at, kinds = 8, []
    while at < len(content):
        size = int.from_bytes(content[at : at + 4])
        body = content[at + 4 : at + 8 + size]
        assert zlib.crc32(body) == int.from_bytes(content[at + 8 + size : at + 12 + size])
        kinds.append(body[:4])
        at += 12 + size
    assert kinds == [b"IHDR", b"laRk", b"IDAT", b"IEND"]
    assert Resource("img_v3_y", "a.png", "image", 5_000, 1).read() != content


def test_every_act_survives_json(acts: list[Act]) -> None:
    for act in acts:
        assert parse(orjson.loads(orjson.dumps(dump(act)))) == act


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "kind is one of say, react"),
        ({"kind": "shout"}, "kind is one of say, react"),
        ({"kind": ["say"]}, "kind is one of say, react"),
        ({"kind": "pin", "at": 1, "chat": "oc_1", "message": "om_1"}, "pin: by: Field required"),
        ({"kind": "pin", "at": "soon", "chat": "oc_1", "message": "om_1", "by": "ou_1"}, "pin: at: "),
        ({"kind": "pin", "colour": "red"}, "pin has no field colour"),
    ],
)
def test_a_document_that_is_no_act_is_refused_with_its_reason(document: object, reason: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(reason)):
        parse(document)


def test_an_act_by_hand_needs_only_what_has_no_default() -> None:
    by_hand = {"kind": "say", "at": 1, "chat": "oc_1", "message": "om_1", "sender": "ou_1", "type": "text"}
    assert parse({**by_hand, "content": {"text": "hi"}}) == Say(1, "oc_1", "om_1", "ou_1", "text", {"text": "hi"})


def test_rates_are_not_for_the_bundled_scenario() -> None:
    with pytest.raises(ScenarioError, match="recalls is for files"):
        catalogue.load("bundled", seed=1, recalls=0.5)

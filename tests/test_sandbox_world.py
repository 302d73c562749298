"""What happens in the sandbox's world, and what of it the app hears (FEISHU.md §2, Appendix A)."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import quiet
from sandbox.clock import WorldClock
from sandbox.config import SandboxConfig
from sandbox.ids import Ids
from sandbox.latency import Latency
from sandbox.people import App
from sandbox.scenario import act as acts
from sandbox.world import Impossible, World

NOON = 1_793_505_600_000
CAST = quiet.load(seed=1)
CHAT = CAST.chats[0].chat_id
LI, HAN, WANG, ZHANG = (person.open_id for person in CAST.people)
OM = [f"om_{number:032x}" for number in range(9)]


class Stage:
    """A world at noon, and the events it announced."""

    def __init__(self, **config: Any) -> None:
        ids = Ids(1)
        self.app = App.make(SandboxConfig(**config), ids)
        self.heard: list[dict[str, Any]] = []
        self.world = World(self.app, ids, lambda: NOON, lambda event: self.heard.append(orjson.loads(event)))
        self.world.settle(CAST.people, CAST.chats)

    def play(self, *performed: acts.Act) -> list[dict[str, Any]]:
        """The events of these acts."""
        self.heard.clear()
        for act in performed:
            self.world.play(act)
        return list(self.heard)


def say(number: int = 0, *, sender: str = LI, text: str = "你好", **given: Any) -> acts.Say:
    given.setdefault("content", {"text": text})
    return acts.Say(NOON, CHAT, OM[number], sender, given.pop("type", "text"), **given)


def mention(open_id: str, key: str = "@_user_1") -> acts.Mention:
    return acts.Mention(key, open_id, "某人")


def test_a_message_as_the_documents_show_it() -> None:
    stage = Stage()
    stage.play(say(0))
    (event,) = stage.play(say(1, text="@_user_1 看", parent=OM[0], mentions=(mention(HAN),), thread=True))
    li, han = CAST.people[:2]
    app = stage.app
    assert event.keys() == {"schema", "header", "event"}
    assert event["header"].pop("event_id")
    assert event["header"] == {
        "event_type": "im.message.receive_v1",
        "create_time": str(NOON),
        "token": app.verification_token,
        "app_id": app.app_id,
        "tenant_key": app.tenant_key,
    }
    assert event["event"]["message"].pop("thread_id").startswith("omt_")
    assert event["event"] == {
        "sender": {
            "sender_id": {"union_id": li.union_id, "user_id": li.user_id, "open_id": li.open_id},
            "sender_type": "user",
            "tenant_key": app.tenant_key,
        },
        "message": {
            "message_id": OM[1],
            "root_id": OM[0],
            "parent_id": OM[0],
            "create_time": str(NOON),
            "update_time": str(NOON),
            "chat_id": CHAT,
            "chat_type": "group",
            "message_type": "text",
            "content": '{"text":"@_user_1 看"}',
            "mentions": [
                {
                    "key": "@_user_1",
                    "id": {"union_id": han.union_id, "user_id": han.user_id, "open_id": han.open_id},
                    "mentioned_type": "user",
                    "name": "某人",
                    "tenant_key": app.tenant_key,
                }
            ],
        },
    }


def test_a_first_message_has_neither_root_nor_mentions() -> None:
    (event,) = Stage().play(say())
    assert not event["event"]["message"].keys() & {"root_id", "parent_id", "thread_id", "mentions", "user_agent"}


def test_the_root_of_a_reply_to_a_reply_is_the_first_message() -> None:
    events = Stage().play(say(0), say(1, parent=OM[0]), say(2, parent=OM[1]), say(3, parent="om_before"))
    shown = [event["event"]["message"].get("root_id") for event in events]
    assert shown == [None, OM[0], OM[0], "om_before"]


def test_a_topic_whose_root_is_not_known_has_one_id_all_the_same() -> None:
    stage = Stage()
    events = stage.play(say(0, parent=OM[8], thread=True), say(1, parent=OM[8], thread=True))
    threads = {event["event"]["message"]["thread_id"] for event in events}
    assert len(threads) == 1
    topic = stage.world.topic(threads.pop())
    assert topic is not None
    assert len(topic) == 2


def test_a_mention_of_the_bot_says_so() -> None:
    stage = Stage()
    (event,) = stage.play(say(mentions=(mention(acts.BOT),)))
    named = event["event"]["message"]["mentions"][0]
    assert (named["id"]["open_id"], named["mentioned_type"]) == (stage.app.open_id, "bot")


def test_the_platform_s_and_the_bot_s_own_words_are_not_announced() -> None:
    stage = Stage()
    assert stage.play(say(0, sender="", type="system", content={"template": "x"})) == []
    stage.world.say(stage.world.chat(CHAT), stage.app.app_id, "text", "{}")
    assert stage.heard == []
    assert len(stage.world.chat(CHAT).timeline) == 2


@pytest.mark.parametrize(
    ("scopes", "heard"),
    [
        ({"im:message.group_msg"}, [OM[0], OM[1], OM[2]]),
        ({"im:message.group_msg:readonly"}, [OM[0], OM[1], OM[2]]),
        ({"im:message.group_at_msg:readonly"}, [OM[1], OM[2]]),
        ({"im:message.p2p_msg"}, []),
        (set(), []),
    ],
)
def test_scopes_decide_which_messages_are_heard(scopes: set[str], heard: list[str]) -> None:
    stage = Stage(scopes=frozenset(scopes))
    events = stage.play(say(0), say(1, mentions=(mention(acts.BOT),)), say(2, text="@_all 开会"))
    assert [event["event"]["message"]["message_id"] for event in events] == heard


@pytest.mark.parametrize(("scope", "count"), [("im:message.p2p_msg:readonly", 1), ("im:message.group_msg", 0)])
def test_private_messages_have_a_scope_of_their_own(scope: str, count: int) -> None:
    stage = Stage(scopes=frozenset({scope}))
    chat = stage.world.private_chat(CAST.people[0])
    stage.world.say(chat, LI, "text", '{"text":"嗨"}')
    assert [event["event"]["message"]["chat_type"] for event in stage.heard] == ["p2p"] * count


def test_without_the_scope_for_it_user_id_is_empty() -> None:
    stage = Stage()
    stage.play(say(0))
    stage.app.scopes.discard("contact:user.employee_id:readonly")
    (event,) = stage.play(say(1))
    assert event["event"]["sender"]["sender_id"]["user_id"] == ""
    stage.app.scopes.add("im:user_agent:read")
    (event,) = stage.play(say(2))
    assert event["event"]["message"]["user_agent"]


def test_only_subscribed_events_are_heard_and_only_where_the_bot_is() -> None:
    assert Stage(events=frozenset({"im.message.recalled_v1"})).play(say()) == []
    stage = Stage()
    stage.world.chat(CHAT).has_bot = False
    assert stage.play(say(), acts.React(NOON, CHAT, OM[0], HAN, "OK")) == []


def test_reactions() -> None:
    stage = Stage()
    on, off = stage.play(
        say(),
        acts.React(NOON + 1, CHAT, OM[0], HAN, "THUMBSUP"),
        acts.React(NOON + 2, CHAT, OM[0], HAN, "THUMBSUP"),
        acts.Unreact(NOON + 3, CHAT, OM[0], HAN, "THUMBSUP"),
    )[1:]
    assert [each["header"]["event_type"] for each in (on, off)] == [
        "im.message.reaction.created_v1",
        "im.message.reaction.deleted_v1",
    ]
    han = CAST.people[1]
    assert on["event"] == {
        "message_id": OM[0],
        "reaction_type": {"emoji_type": "THUMBSUP"},
        "operator_type": "user",
        "user_id": {"union_id": han.union_id, "user_id": han.user_id, "open_id": han.open_id},
        "app_id": "",
        "action_time": str(NOON + 1),
    }
    assert off["event"] == {**on["event"], "action_time": str(NOON + 3)}
    stage.world.react(stage.world.message(OM[0]), stage.app.app_id, "OK")
    event = stage.heard[-1]["event"]
    assert (event["operator_type"], event["app_id"], "user_id" in event) == ("app", stage.app.app_id, False)


def test_recalls() -> None:
    stage = Stage()
    by_sender, by_owner = stage.play(
        say(0),
        say(1, sender=HAN),
        acts.Recall(NOON + 5, CHAT, OM[0], LI),
        acts.Recall(NOON + 6, CHAT, OM[0], LI),
        acts.Recall(NOON + 7, CHAT, OM[1], LI),
    )[2:]
    assert by_sender["event"] == {
        "message_id": OM[0],
        "chat_id": CHAT,
        "recall_time": str(NOON + 5),
        "recall_type": "message_owner",
    }
    assert by_owner["event"]["recall_type"] == "group_owner"


def test_pins_are_silent() -> None:
    stage = Stage()
    stage.play(say())
    assert stage.play(acts.Pin(NOON, CHAT, OM[0], HAN)) == []
    assert list(stage.world.chat(CHAT).pins) == [OM[0]]
    assert stage.play(acts.Unpin(NOON, CHAT, OM[0], HAN), acts.Unpin(NOON, CHAT, OM[0], HAN)) == []
    assert not stage.world.chat(CHAT).pins


def test_a_recalled_message_is_pinned_no_more() -> None:
    stage = Stage()
    stage.play(say(), acts.Pin(NOON, CHAT, OM[0], HAN), acts.Recall(NOON, CHAT, OM[0], LI))
    assert not stage.world.chat(CHAT).pins


def test_edits_are_heard_only_when_subscribed() -> None:
    edit = acts.Edit(NOON + 9, CHAT, OM[0], {"text": "改了"})
    stage = Stage()
    assert len(stage.play(say(), edit)) == 1
    message = stage.world.message(OM[0])
    assert (message.content, message.edits, message.updated_at, message.at) == ('{"text":"改了"}', 1, NOON + 9, NOON)
    event = Stage(events=frozenset({"im.message.updated_v1"})).play(say(), edit)[-1]
    assert event["event"]["message"] == {"message_id": OM[0], "chat_id": CHAT}


def test_members_come_and_go() -> None:
    stage = Stage()
    left, joined = stage.play(
        acts.Leave(NOON, CHAT, WANG, LI),
        acts.Leave(NOON, CHAT, WANG),
        acts.Join(NOON, CHAT, WANG),
        acts.Join(NOON, CHAT, WANG),
    )
    assert left["header"]["event_type"] == "im.chat.member.user.deleted_v1"
    assert joined["header"]["event_type"] == "im.chat.member.user.added_v1"
    assert (left["event"]["operator_id"]["open_id"], joined["event"]["operator_id"]["open_id"]) == (LI, WANG)
    assert [user["name"] for user in left["event"]["users"]] == ["王芳"]
    assert WANG in stage.world.chat(CHAT).members


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (say(0), "already"),
        (acts.React(NOON, CHAT, OM[8], LI, "OK"), "no message"),
        (acts.Unreact(NOON, CHAT, OM[0], LI, "OK"), "has no OK"),
        (acts.Join(NOON, "oc_unknown", LI), "no chat"),
    ],
)
def test_what_cannot_happen(act: acts.Act, reason: str) -> None:
    stage = Stage()
    stage.play(say(0))
    with pytest.raises(Impossible, match=reason):
        stage.play(act)
    assert stage.heard == []


ONCE = """
import asyncio, sys
from sandbox.config import SandboxConfig
from sandbox.ids import Ids
from sandbox.people import App
from sandbox.scenario import catalogue
from sandbox.world import World

ids = Ids(3)
scenario = catalogue.load("bundled", seed=3)
heard = []
world = World(App.make(SandboxConfig(), ids), ids, lambda: 0, heard.append)
world.settle(scenario.people, scenario.chats)
for act in scenario.acts():
    world.play(act)
sys.stdout.buffer.write(b"\\n".join(heard))
"""


def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", ONCE],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].count(b"\n") > 1000


def test_the_world_s_clock_stands_runs_and_hurries() -> None:
    real = [1000.0]
    clock = WorldClock(lambda: real[0])
    assert clock() == 1_000_000
    clock.move(NOON, speed=0)
    real[0] += 5
    assert clock() == NOON
    clock.move(NOON, speed=60)
    real[0] += 5
    assert clock() == NOON + 300_000


@given(st.lists(st.floats(0, 100), min_size=1))
def test_percentiles_are_right_to_a_sixteenth(seconds: list[float]) -> None:
    latency = Latency()
    for each in seconds:
        latency.record(each)
    ordered = sorted(seconds)
    for share in (0.01, 0.5, 0.99, 1.0):
        exact = ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]
        assert exact - 1e-6 <= latency.percentile(share) <= min(exact * (1 + 1 / 16) + 2e-6, latency.longest)
    assert (latency.count, latency.longest) == (len(seconds), ordered[-1])


def test_no_latency_is_zero() -> None:
    assert Latency().document() == {"count": 0, "p50": 0.0, "p99": 0.0, "max": 0.0}

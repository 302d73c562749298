"""Every message type becomes readable text, and nothing that arrives makes rendering raise (FEISHU.md §2.3)."""

from __future__ import annotations

import time
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.events import Mention
from core.rendering.message import LIMIT, as_received, render, render_forward
from core.rendering.posts import Resource

LI = Mention("@_user_1", "ou_li", "李雷", is_bot=False)
TEN = [Mention(f"@_user_{number}", f"ou_{number}", f"第{number}人", is_bot=False) for number in range(1, 11)]
KEY, IMAGE = "file_v3_00aa_1111-2222g", "img_v3_02aa_1111-2222g"

TYPES = [
    "text", "post", "image", "file", "folder", "audio", "media", "sticker", "interactive", "share_chat", "share_user",
    "system", "merge_forward", "location", "hongbao", "share_calendar_event", "calendar", "general_calendar",
    "video_chat", "todo", "vote",
]  # fmt: skip


@pytest.mark.parametrize(
    ("message_type", "content", "text"),
    [
        ("text", {"text": "@_user_1 你好\n@_all 看这里"}, "@李雷 你好\n@所有人 看这里"),
        ("text", {"text": ""}, ""),
        ("text", {"text": "@_user_12 不在其中"}, "@_user_12 不在其中"),
        ("text", {"text": '<at user_id="ou_li">x</at> 和 <at user_id="all"></at>'}, "@李雷 和 @所有人"),
        ("text", {"text": "<p>改过的 a &lt; b</p><p>第二行<br/>第三行</p>"}, "改过的 a < b\n第二行\n第三行"),
        ("text", {"text": "<p> 是段落的标签"}, "<p> 是段落的标签"),
        ("image", {"image_key": IMAGE}, "[图片]"),
        ("file", {"file_key": KEY, "file_name": "周报.pdf"}, "[文件] 周报.pdf"),
        ("folder", {"file_key": KEY, "file_name": "素材"}, "[文件夹] 素材"),
        ("audio", {"file_key": KEY, "duration": 2000}, "[语音] 0:02"),
        ("media", {"file_key": KEY, "image_key": IMAGE, "file_name": "v.mp4", "duration": 3_661_000},
         "[视频] v.mp4 1:01:01"),
        ("sticker", {"file_key": KEY}, "[表情]"),
        ("share_chat", {"chat_id": "oc_5555"}, "[群名片] oc_5555"),
        ("share_user", {"user_id": "ou_2222"}, "[个人名片] @ou_2222"),
        ("share_user", {"user_id": "ou_li"}, "[个人名片] @李雷"),
        ("system", {"template": "{from_user} 邀请 {to_chatters} 加入 {other}", "from_user": ["甲"],
                    "to_chatters": ["乙", {"text": "丙"}]}, "[系统消息] 甲 邀请 乙、丙 加入 {other}"),
        ("system", {"template": "", "divider_text": {"text": "以上是历史消息"}}, "[系统消息] 以上是历史消息"),
        ("merge_forward", {"content": "Merged and Forwarded Message"}, "[合并转发]"),
        ("location", {"name": "总部", "longitude": "116.39", "latitude": "39.90"}, "[位置] 总部 (39.90, 116.39)"),
        ("hongbao", {"text": "[红包]"}, "[红包]"),
        ("hongbao", {"text": "恭喜发财"}, "[红包] 恭喜发财"),
        ("share_calendar_event", {"summary": "评审", "start_time": "1763800000000", "end_time": "1763803600000"},
         "[日程] 评审 2025-11-22 16:26 – 17:26"),
        ("calendar", {"summary": "跨天", "start_time": "1763800000000", "end_time": "1763900000000"},
         "[日程] 跨天 2025-11-22 16:26 – 2025-11-23 20:13"),
        ("general_calendar", {"summary": "没有时间"}, "[日程] 没有时间"),
        ("video_chat", {"topic": "周会", "start_time": "1763800000"}, "[视频会议] 周会 2025-11-22 16:26"),
        ("todo", {"task_id": "t", "summary": {"title": "采购", "content": [[{"tag": "text", "text": "买纸"}]]},
                  "due_time": "1763892000000"}, "[任务] 采购\n买纸（截止 2025-11-23 18:00）"),
        ("vote", {"topic": "吃什么", "options": ["火锅", {"text": "烤鱼"}]}, "[投票] 吃什么\n- 火锅\n- 烤鱼"),
        ("whiteboard", {"board": {"id": "b1"}}, '[whiteboard] {"board": {"id": "b1"}}'),
        ("", {"a": 1}, '[未知类型] {"a": 1}'),
    ],
)  # fmt: skip
def test_each_type_reads_as_its_text(message_type: str, content: dict[str, Any], text: str) -> None:
    assert render(message_type, content, [LI]).text == text


def test_ten_people_keep_their_own_names() -> None:
    assert render("text", {"text": "@_user_1@_user_10"}, TEN).text == "@第1人@第10人"


def test_a_mention_of_all_has_no_name_of_its_own() -> None:
    everybody = Mention("@_user_1", "all", "所有成员", is_bot=False)
    assert render("text", {"text": "@_user_1 开会"}, [everybody]).text == "@所有人 开会"


def test_somebody_without_a_name_is_shown_by_id() -> None:
    assert render("text", {"text": "@_user_1"}, [Mention("@_user_1", "ou_9", "", is_bot=False)]).text == "@ou_9"


def test_times_are_shown_in_the_zone_asked_for() -> None:
    shown = render("video_chat", {"topic": "x", "start_time": "1763800000000"}, zone=ZoneInfo("UTC"))
    assert shown.text == "[视频会议] x 2025-11-22 08:26"


POST = {
    "title": "周会纪要",
    "content": [
        [
            {"tag": "at", "user_id": "@_user_1", "user_name": "李", "style": []},
            {"tag": "text", "text": " 见 ", "style": ["bold"]},
            {"tag": "a", "href": "https://x.example", "text": "文档"},
            {"tag": "emotion", "emoji_type": "SMILE"},
        ],
        [{"tag": "img", "image_key": IMAGE}, {"tag": "media", "file_key": KEY, "image_key": "img_v3_cover"}],
        [{"tag": "hr"}],
        [{"tag": "code_block", "language": "GO", "text": "x := 1\n```"}],
        [{"tag": "md", "text": '<font color="red">**重点**</font>'}],
        [{"tag": "a", "href": "https://y.example", "text": "https://y.example"}],
        [{"tag": "at", "user_id": "@_all", "user_name": "所有人"}],
        [{"tag": "hologram", "data": 1}],
    ],
}


def test_a_post_keeps_links_names_code_and_what_is_not_known() -> None:
    shown = render("post", POST, [LI])
    assert shown.title == "周会纪要"
    assert shown.text.splitlines() == [
        "周会纪要",
        "@李雷 见 文档 (https://x.example)[SMILE]",
        "[图片][视频]",
        "---",
        "````go",
        "x := 1",
        "```",
        "````",
        "**重点**",
        "https://y.example",
        "@所有人",
        '{"tag": "hologram", "data": 1}',
    ]
    assert shown.resources == (Resource(IMAGE, "image"), Resource(KEY, "file")), "the cover is not fetched"


def test_a_post_in_the_form_that_is_sent_is_read_too() -> None:
    assert render("post", {"zh_cn": POST}, [LI]) == render("post", POST, [LI])


def test_resources_are_named_and_listed_once() -> None:
    shown = render("file", {"file_key": KEY, "file_name": "a" * 300 + ".pdf"})
    assert shown.resources == (Resource(KEY, "file", "a" * 250),)
    twice = {"content": [[{"tag": "img", "image_key": IMAGE}, {"tag": "img", "image_key": IMAGE}]]}
    assert render("post", twice).resources == (Resource(IMAGE, "image"),)


@pytest.mark.parametrize(
    ("message_type", "content", "problem"),
    [
        ("folder", {"file_key": KEY, "file_name": "素材"}, "文件夹无法下载"),
        ("sticker", {"file_key": KEY}, "表情包无法下载"),
        ("interactive", {"elements": [[{"tag": "img", "image_key": IMAGE}]]}, "卡片中的图片无法下载"),
    ],
)
def test_what_cannot_be_fetched_says_so(message_type: str, content: dict[str, Any], problem: str) -> None:
    shown = render(message_type, content)
    assert (shown.problems, shown.resources) == ((problem,), ())


def test_a_flattened_card_shows_its_text() -> None:
    content = {
        "title": "日报",
        "elements": [
            [{"tag": "text", "text": "行数："}, {"tag": "text", "text": "12"}],
            [{"tag": "hr"}],
            [{"tag": "button", "text": "同意", "type": "primary"}, {"tag": "button", "text": "拒绝"}],
            [{"tag": "note", "elements": [{"tag": "text", "text": "备注"}]}],
        ],
    }
    shown = render("interactive", content)
    assert shown.title == "日报"
    assert shown.text == "[卡片] 日报\n行数：12\n---\n[同意] [拒绝]\n备注"


def test_a_card_of_json_1_shows_its_text() -> None:
    content = {
        "header": {"title": {"tag": "plain_text", "content": "审批"}, "template": "blue"},
        "elements": [
            {"tag": "div", "text": {"tag": "lark_md", "content": "**张三** 请假 <at id=ou_li></at>"},
             "fields": [{"is_short": True, "text": {"tag": "lark_md", "content": "天数 2"}}]},
            {"tag": "action", "actions": [{"tag": "button", "text": {"tag": "plain_text", "content": "同意"}}]},
            {"tag": "note", "elements": [{"tag": "plain_text", "content": "来自人事"}]},
        ],
    }  # fmt: skip
    shown = render("interactive", content, [LI])
    assert shown.text == "[卡片] 审批\n**张三** 请假 @李雷\n天数 2\n[同意]\n来自人事"


def test_a_card_of_json_2_shows_its_text() -> None:
    content = {
        "schema": "2.0",
        "header": {"title": {"tag": "plain_text", "content": "看板"}, "subtitle": {"content": "本周"}},
        "body": {
            "elements": [
                {"tag": "markdown", "content": "# 进度"},
                {
                    "tag": "column_set",
                    "columns": [
                        {"tag": "column", "elements": [{"tag": "markdown", "content": "左"}]},
                        {"tag": "column", "elements": [{"tag": "markdown", "content": "右"}]},
                    ],
                },
                {"tag": "chart", "chart_spec": {"title": {"text": "每日行数"}}},
                {
                    "tag": "table",
                    "columns": [{"name": "who", "display_name": "谁"}, {"name": "n"}],
                    "rows": [{"who": [{"text": "甲"}], "n": 3}],
                },
                {"tag": "form", "elements": [{"tag": "input", "placeholder": {"content": "数量"}}]},
                {
                    "tag": "collapsible_panel",
                    "header": {"title": {"content": "更多"}},
                    "elements": [{"tag": "div", "text": {"content": "细节"}}],
                },
            ]
        },
    }
    shown = render("interactive", content)
    assert shown.text.splitlines() == [
        "[卡片] 看板", "本周", "# 进度", "左", "右", "[图表] 每日行数", "谁 | n", "甲 | 3", "[数量]", "更多", "细节",
    ]  # fmt: skip


def test_a_card_that_shows_nothing_is_kept_as_json() -> None:
    template = {"type": "template", "data": {"template_id": "t1"}}
    assert render("interactive", template).text == '[卡片] {"type": "template", "data": {"template_id": "t1"}}'


def item(message_id: str, content: Any, upper: str = "", msg_type: str = "text", **more: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    sender = {"id": "ou_2222", "id_type": "open_id", "sender_type": "user"}
    return {
        "message_id": message_id, "msg_type": msg_type, "create_time": "1763800000000", "body": {"content": text},
        "sender": sender, "upper_message_id": upper, **more,
    }  # fmt: skip


def test_a_merged_forward_lists_its_children_and_those_within() -> None:
    merged = "Merged and Forwarded Message"
    items = [
        item("om_0", merged, msg_type="merge_forward"),
        item("om_1", {"text": "@_user_1 第一行\n第二行"}, "om_0",
             mentions=[{"key": "@_user_1", "id": "ou_li", "id_type": "open_id", "name": "李雷"}]),
        item("om_2", merged, "om_0", "merge_forward", sender={"id": "ou_li", "id_type": "open_id"}),
        item("om_3", {"image_key": IMAGE}, "om_2", "image"),
        item("om_4", {"text": "最后"}, "om_0"),
    ]  # fmt: skip
    shown = render_forward(items, names={"ou_li": "李雷"})
    assert shown.text.splitlines() == [
        "[合并转发]",
        "  ou_2222, 2025-11-22 16:26: @李雷 第一行",
        "    第二行",
        "  李雷, 2025-11-22 16:26: [合并转发]",
        "    ou_2222, 2025-11-22 16:26: [图片]",
        "  ou_2222, 2025-11-22 16:26: 最后",
    ]
    assert (shown.resources, shown.problems) == ((), ("合并转发中的附件无法下载",))


def test_children_that_hang_on_nothing_are_shown_all_the_same() -> None:
    items = [
        item("om_0", "Merged and Forwarded Message", msg_type="merge_forward"),
        item("om_1", {"text": "孤儿"}, "om_missing"),
        item("om_2", {"text": "圈一"}, "om_3"),
        item("om_3", {"text": "圈二"}, "om_2"),
    ]
    text = render_forward(items).text
    assert all(text.count(word) == 1 for word in ("孤儿", "圈一", "圈二"))
    assert render_forward([]).text == "[合并转发]"


def test_a_message_of_the_api_comes_in_the_form_of_the_event() -> None:
    given = item("om_1", {"text": "@_user_1 好"}, mentions=[{"key": "@_user_1", "id": "ou_li", "name": "李雷"}, 7])
    message_type, content, mentions = as_received(given)
    assert render(message_type, content, mentions).text == "@李雷 好"
    assert [(each.open_id, each.is_bot) for each in mentions] == [("ou_li", False)]
    recalled = as_received(item("om_1", "This message was recalled", msg_type="image", deleted=True))
    assert render(*recalled).text == "This message was recalled"
    forward = as_received(item("om_1", "Merged and Forwarded Message", msg_type="merge_forward"))
    assert render(*forward).text == "[合并转发]"


def test_content_may_still_be_json_text() -> None:
    assert render("text", '{"text":"好"}').text == "好"
    assert render("text", "{broken").text == "[文本] {broken"
    assert render("image", "[1]").text == "[图片] [1]"


def test_a_long_text_is_cut_with_a_mark() -> None:
    shown = render("text", {"text": "字" * (LIMIT + 1)})
    assert len(shown.text) == LIMIT
    assert shown.text.endswith("…（已截断，原文共 100001 字）")
    assert render("text", {"text": "字" * LIMIT}).text == "字" * LIMIT


def test_what_no_database_or_table_takes_is_left_out() -> None:
    assert render("text", {"text": "a\0b\ud800c"}).text == "ab?c"


@pytest.mark.parametrize(
    "unit", ["<at id=", "<at user_id=id=", "<p ", "<p>", "</p>  ", "<font ", "@_user_1", "{a", "`"]
)
def test_a_hostile_text_takes_no_quadratic_time(unit: str) -> None:
    text = (unit * (150_000 // len(unit)))[:150_000]
    began = time.process_time()
    render("text", {"text": "<p>" + text + "</p>"}, [LI])
    render("interactive", {"elements": [{"tag": "markdown", "content": text}]}, [LI])
    render("system", {"template": text})
    assert time.process_time() - began < 3


@pytest.mark.parametrize("message_type", TYPES)
def test_what_is_nested_without_end_is_kept(message_type: str) -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    deeper: Any = {"tag": "div", "text": "x"}
    for _ in range(900):
        deeper = {"tag": "div", "elements": [deeper]}
    for value in (deep, deeper):
        keys = ("text", "content", "elements", "summary", "topic", "options", "template", "from_user", "title")
        assert render(message_type, dict.fromkeys(keys, value)).text
        assert render(message_type, {"template": "{from_user}", "from_user": value, "topic": "t", "options": [value]})


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.text(st.characters(), max_size=5),
    st.sampled_from([KEY, IMAGE, "@_user_1", "@_all", "1763800000000", "<p>a</p>", "<at id=ou_li></at>", "9" * 20]),
)  # fmt: skip
names = st.one_of(
    st.sampled_from(
        ["tag", "text", "content", "title", "elements", "actions", "columns", "rows", "header", "body", "image_key",
         "file_key", "file_name", "duration", "summary", "start_time", "end_time", "topic", "options", "template",
         "from_user", "name", "latitude", "user_id", "href", "language", "divider_text", "due_time", "fields"]
    ),
    st.text(max_size=4),
)  # fmt: skip
tags = st.sampled_from(
    ["text", "a", "at", "img", "media", "emotion", "hr", "code_block", "md", "button", "div", "table", "chart", "input"]
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(names, inner, max_size=5),
        st.tuples(tags, st.dictionaries(names, inner, max_size=4)).map(lambda pair: {**pair[1], "tag": pair[0]}),
    ),
    max_leaves=20,
)


@given(st.sampled_from([*TYPES, "hologram", ""]), st.dictionaries(names, documents, max_size=6))
@example("post", {"content": [[{"tag": "img", "image_key": "../../etc"}]]})
def test_whatever_arrives_reads_as_text(message_type: str, content: dict[str, Any]) -> None:
    shown = render(message_type, content, [LI])
    shown.text.encode("utf-8")
    shown.title.encode("utf-8")
    assert len(shown.text) <= LIMIT
    assert "\0" not in shown.text
    assert all("/" not in each.file_key for each in shown.resources)


@given(st.lists(st.one_of(documents, st.builds(
    item, st.sampled_from(["om_0", "om_1", "om_2"]), documents.map(str), st.sampled_from(["", "om_0", "om_1", "om_2"]),
    st.sampled_from([*TYPES, "hologram"]), sender=documents, mentions=documents,
)), max_size=6))  # fmt: skip
def test_whatever_a_forward_holds_reads_as_text(items: list[Any]) -> None:
    shown = render_forward(items)
    shown.text.encode("utf-8")
    assert len(shown.text) <= LIMIT
    assert shown.resources == ()

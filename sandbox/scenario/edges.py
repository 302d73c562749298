"""The rare things of a group, each put into the bundled scenario on purpose, because each is easily counted wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .act import Act, Edit, Mention, Person, Pin, React, Recall, Say, Unpin, Unreact
from .aftermath import DAY, MINUTE, SECOND
from .cast import ANYBODY, SILENT, Member, shanghai
from .stage import Scene, Stage


@dataclass(slots=True)
class Edges:
    """Adds its messages to ``stage`` and collects what is done to them."""

    stage: Stage
    acts: list[Act] = field(default_factory=list)

    def play(self) -> list[Act]:
        """The acts beside the messages."""
        steps: tuple[Callable[[], None], ...] = (
            self._month_boundary, self._with_oneself, self._mentions, self._namesakes, self._recalled_with_replies,
            self._back_and_forth, self._letters, self._hollow, self._same_moment, self._gone, self._long_ago,
        )  # fmt: skip
        for step in steps:
            step()
        return self.acts

    def _member(self, role: str, name: str = "") -> Member:
        return next(each for each in self.stage.members if each.role == role and name in ("", each.person.name))

    def _react(self, said: Say, who: Person, emoji: str, after: int) -> None:
        self.acts.append(React(said.at + after, said.chat, said.message, who.open_id, emoji))

    def _month_boundary(self) -> None:
        scene = Scene()
        early = self.stage.say(shanghai("2026-09-30 23:50"), "前端", "九月还剩十分钟，有人在吗", scene)
        last = self.stage.say(shanghai("2026-09-30 23:59:59.900"), "后端", "九月的最后一条", scene)
        self.stage.say(shanghai("2026-10-01 00:00"), "测试", "十月的第一条！", scene)
        answer = self.stage.say(shanghai("2026-10-01 00:00:00.100"), "产品", "抢不过你", scene, parent=last)
        self._react(last, self._member("设计").person, "HEART", 700)
        self._react(answer, self._member("运维").person, "LAUGH", 60 * SECOND)
        self.acts.append(Recall(shanghai("2026-10-02 11:00"), early.chat, early.message, early.sender))
        closing = Scene()
        self.stage.say(shanghai("2026-10-31 23:59:59.999"), "后端", "十月的最后一条，晚安", closing)

    def _with_oneself(self) -> None:
        scene = Scene({"产品": self._member("产品", "苏晴")})
        at = shanghai("2026-09-03 15:20:10")
        said = self.stage.say(at, "产品", "明天的评审改到下午两点", scene)
        self._react(said, self._member("产品", "苏晴").person, "THUMBSUP", 5 * SECOND)
        self.stage.say(at + 20 * SECOND, "产品", "补充：还是三楼", scene, parent=said)
        self.stage.say(at + 60 * SECOND, "产品", "@产品 记得提前订会议室（提醒我自己）", scene)

    def _mentions(self) -> None:
        scene = Scene()
        at = shanghai("2026-09-08 14:02")
        ask = self.stage.say(at, "测试", "登录页的验证码谁改的？", scene)
        self.stage.say(at + 30 * SECOND, "后端", "@测试 是我，昨晚改的", scene, parent=ask)
        self.stage.say(at + 40 * SECOND, "前端", "@机器人 @测试 帮忙记一下", scene, parent=ask)
        self.stage.say(at + 50 * SECOND, "项目经理", "@所有人 @后端 改公共页面之前先说一声", scene)
        self.stage.say(at + 70 * SECOND, "运维", "@测试", scene)
        twice = self.stage.say(at + 80 * SECOND, "产品", "@后端 在吗？在吗？", scene)
        first = twice.mentions[0]
        second = Mention("@_user_2", first.open_id, first.name)
        content = {"text": f"{first.key} 在吗？{second.key} 在吗？"}
        self.stage.says[-1] = replace(twice, content=content, mentions=(first, second))
        topic = self.stage.say(at + 5 * MINUTE, "后端", "验证码的交互在这里讨论", scene)
        self.stage.say(at + 6 * MINUTE, "前端", "@测试 @产品 你们倾向哪种？", scene, parent=topic, threaded=True)
        self.stage.say(at + 7 * MINUTE, "后端", "我先说：滑块", scene, parent=topic, threaded=True)

    def _namesakes(self) -> None:
        scene = Scene({"前端": self._member("前端", "陈晨"), "运营": self._member("运营", "陈晨")})
        at = shanghai("2026-09-14 10:31")
        said = self.stage.say(at, "行政", "@前端 @运营 两位陈晨，快递别再拿错了", scene)
        self.stage.say(at + 30 * SECOND, "运营", "怪不得我收到一把键盘", scene, parent=said)
        self.stage.say(at + 45 * SECOND, "前端", "我收到三箱酸奶", scene, parent=said)

    def _recalled_with_replies(self) -> None:
        scene = Scene()
        at = shanghai("2026-09-16 16:40")
        said = self.stage.say(at, "运营", "公告：今晚八点停机维护两小时 @运维", scene)
        reply = self.stage.say(at + 20 * SECOND, "运维", "没有停机啊，是灰度发布", scene, parent=said)
        self.stage.say(at + 40 * SECOND, "项目经理", "别发错了，客户会慌", scene, parent=reply)
        self._react(said, self._member("后端", "张伟").person, "OK", 15 * SECOND)
        self.acts.append(Pin(at + 30 * SECOND, said.chat, said.message, said.sender))
        self.acts.append(Recall(at + 2 * MINUTE, said.chat, said.message, said.sender))
        self.acts.append(Recall(at + 3 * MINUTE, reply.chat, reply.message, reply.sender))
        advert = self.stage.say(at + 5 * MINUTE, ANYBODY, "转让健身卡一张，五折", scene)
        self.acts.append(Recall(at + 9 * MINUTE, advert.chat, advert.message, self.stage.chat.owner))

    def _back_and_forth(self) -> None:
        scene = Scene()
        at = shanghai("2026-09-21 11:10")
        said = self.stage.say(at, "行政", "《工位调整》下周一搬到 5 楼 / 座位表见附件", scene)
        fan = self._member("数据").person
        for second, kind in ((10, React), (20, Unreact), (30, React)):
            self.acts.append(kind(at + second * SECOND, said.chat, said.message, fan.open_id, "THUMBSUP"))
        self._react(said, fan, "HEART", 40 * SECOND)
        self._react(said, self._member(SILENT, "郑国栋").person, "OK", 50 * SECOND)
        for minute, pin in ((1, Pin), (2, Unpin), (3, Pin)):
            self.acts.append(pin(at + minute * MINUTE, said.chat, said.message, said.sender))
        for minute, where in ((5, "见邮件"), (7, "见群文件")):
            content = {
                "title": "工位调整",
                "content": [
                    [{"tag": "text", "text": "下周一搬到 5 楼 ", "style": []}],
                    [{"tag": "text", "text": f" 座位表{where}", "style": []}],
                ],
            }
            self.acts.append(Edit(at + minute * MINUTE, said.chat, said.message, content))

    def _letters(self) -> None:
        scene = Scene()
        at = shanghai("2026-10-09 15:30")
        self.stage.say(at, "实习生", "👨‍👩‍👧‍👦 团建带家属吗 🏳️‍🌈 👍🏽 🇨🇳", scene)
        self.stage.say(at + MINUTE, "后端", "𠮷野家的优惠券，𝒜 套餐，e\u0301 和 é 看着一样", scene)
        trace = "".join(
            f"{number:04d} ERROR task-service 租户 {10_000 + number} 导出失败：连接超时，第 {number % 3 + 1} 次重试\n"
            for number in range(1, 600)
        )
        self.stage.say(at + 2 * MINUTE, "运维", trace[:20_000], scene)
        self.stage.say(at + 3 * MINUTE, "测试", "……下次贴文件好吗", scene, parent=self.stage.says[-1])

    def _hollow(self) -> None:
        scene = Scene()
        at = shanghai("2026-10-13 17:05")
        self.stage.say(at, "产品", " \t⏎　 ", scene)
        self.stage.say(at + 10 * SECOND, "产品", "  ⏎手滑发了个空的  ", scene)
        self.stage.say(at + 30 * SECOND, "设计", "《》", scene)
        self.stage.says[-1] = replace(self.stage.says[-1], content={"title": "", "content": []})

    def _same_moment(self) -> None:
        scene = Scene()
        at = shanghai("2026-10-14 20:41:07.123")
        for number in range(1, 5):
            self.stage.say(at, f"{ANYBODY}{number}", "上线成功！", scene)

    def _gone(self) -> None:
        friend = self._member("运维", "马超")
        scene = Scene({"运维2": friend})
        goodbye = self.stage.say(friend.left - 5 * MINUTE, "运维2", "谢谢大家，江湖再见，微信常联系🍻", scene)
        self._react(goodbye, self._member("老板").person, "HEART", DAY)
        missed = Mention("@_user_1", friend.person.open_id, friend.person.name)
        self.stage.say(shanghai("2026-10-19 10:12"), "后端", f"{missed.key} 网关的告警规则在哪……哦，他走了", scene)
        self.stage.says[-1] = replace(self.stage.says[-1], mentions=(missed,))

    def _long_ago(self) -> None:
        pinned = (said for said in self.stage.says if "*" in self.stage.marks.get(said.message, ""))
        first = min(pinned, key=lambda said: said.at)
        said = self.stage.say(
            shanghai("2026-10-26 09:45"), "老板", "翻到第一天的帖子，目标都快完成了", Scene(), parent=first
        )
        self._react(first, self._member("项目经理").person, "Trophy", said.at - first.at + MINUTE)

// All the words of the page, in Chinese and English; the language is the browser's until somebody chooses.

import { remember } from "./dom.js";

const WORDS = {
  zh: {
    sandbox: "沙盒", skip: "跳到输入框", chats: "会话", chat: "聊天", views: "视图", behind: "幕后",
    language: "Switch to English", language_short: "EN", theme: "外观", theme_auto: "外观：跟随系统", theme_light: "外观：浅色", theme_dark: "外观：深色",
    clock: "沙盒里的时间", play: "开始", acts: "{played} / {total}", started_not: "剧本还没开始",
    bot_on: "机器人在线", bot_off: "机器人未连接", stream_off: "连接已断开，正在重连…", back_again: "已重新连上",
    speak_as: "以谁的身份说话", find_person: "查找成员", nobody: "没有找到", bot: "机器人",
    members: "{n} 人", group: "群聊", topic_group: "话题群", private: "与机器人的单聊", private_none: "点开即可开始单聊", no_messages: "还没有消息",
    messages: "消息", newest: "回到最新", new_messages: "{n} 条新消息", beginning: "这里是最开始",
    write_to: "发消息给 {name}", write_topic: "发起新话题", write_reply: "回复话题", send: "发送", attach: "上传图片或文件", mention: "提及", all: "所有人", all_hint: "提醒群里的每个人",
    drop: "松开即可上传", hint: "Enter 发送，Shift+Enter 换行", replying: "回复 {name}", cancel: "取消", uploading: "正在上传 {name}…",
    not_member: "{name} 不在这个群里", join: "加入", react: "表情", reply: "回复", topic: "话题", open_topic: "在话题中回复", replies: "{n} 条回复",
    pin: "Pin", unpin: "取消 Pin", pinned: "Pin 的消息", pinned_n: "Pin {n}", nothing_pinned: "没有 Pin 的消息", recall: "撤回", recalled: "{name} 撤回了一条消息", edited: "已编辑", more: "更多操作", close: "关闭",
    image: "[图片]", file: "[文件]", folder: "[文件夹]", audio: "[语音]", media: "[视频]", sticker: "[表情包]", interactive: "[卡片]", share_chat: "[群名片]", share_user: "[个人名片]", location: "[位置]",
    merge_forward: "[合并转发]", merged: "合并转发的消息", hongbao: "[红包]", vote: "[投票]", todo: "[任务]", calendar: "[日程]", video_chat: "[视频会议]", unknown: "[{type}]", gone: "原消息已不在", download: "下载 {name}", no_image: "图片不在了",
    tables: "多维表格", table: "选择表格", no_tables: "还没有表格", no_rows: "还没有记录", rows: "{from}–{to} / 共 {total} 条", latest_first: "最近变化在前", earlier_rows: "上一页", later_rows: "下一页", enlarge: "放大", shrink: "还原",
    events: "事件", push_sum: "{acked} / {events} 已确认 · 中位 {ms} ms", no_pushes: "还没有推送事件", attempts: "第 {n} 次", event_id: "事件 ID", number: "序号", attempts_n: "推送次数", took: "用时", answered: "应用的回答", copy: "复制", copied: "已复制",
    waiting: "等待推送", sent: "已推送", acked: "已确认", refused: "被拒绝", late: "超时", cut: "连接断开", lost: "已放弃", state: "状态",
    calls: "API 调用", call_sum: "本月 {n} 次", call_sum_quota: "本月 {n} / {quota} 次", no_calls: "还没有调用", one_by_one: "逐条", by_name: "按接口", failed_n: "{n} 次失败",
    failed: "没有成功：{why}", sure: "确定", sure_title: "确定吗？", required: "请先填写必填项",
    today: "今天", yesterday: "昨天", name_all: "所有人",
  },
  en: {
    sandbox: "sandbox", skip: "Skip to the message box", chats: "Chats", chat: "Chat", views: "Views", behind: "Behind the stage",
    language: "切换到中文", language_short: "中", theme: "Appearance", theme_auto: "Appearance: as the system", theme_light: "Appearance: light", theme_dark: "Appearance: dark",
    clock: "The time in the sandbox", play: "Play", acts: "{played} of {total} acts", started_not: "The scenario has not begun",
    bot_on: "Bot connected", bot_off: "No bot connected", stream_off: "Connection lost, trying again…", back_again: "Connected again",
    speak_as: "Speak as", find_person: "Find somebody", nobody: "Nobody found", bot: "bot",
    members: "{n} people", group: "Group", topic_group: "Topic group", private: "Private chat with the bot", private_none: "Open it to begin", no_messages: "No messages yet",
    messages: "Messages", newest: "To the newest", new_messages: "{n} new", beginning: "This is the beginning",
    write_to: "Message {name}", write_topic: "Start a topic", write_reply: "Reply in the topic", send: "Send", attach: "Upload an image or a file", mention: "Mention", all: "Everyone", all_hint: "tells every member",
    drop: "Drop to upload", hint: "Enter sends, Shift+Enter breaks the line", replying: "Reply to {name}", cancel: "Cancel", uploading: "Uploading {name}…",
    not_member: "{name} is not in this group", join: "Join", react: "React", reply: "Reply", topic: "Topic", open_topic: "Reply in topic", replies: "{n} replies",
    pin: "Pin", unpin: "Unpin", pinned: "Pinned messages", pinned_n: "{n} pinned", nothing_pinned: "Nothing is pinned", recall: "Recall", recalled: "{name} recalled a message", edited: "edited", more: "More", close: "Close",
    image: "[image]", file: "[file]", folder: "[folder]", audio: "[audio]", media: "[video]", sticker: "[sticker]", interactive: "[card]", share_chat: "[group card]", share_user: "[contact card]", location: "[location]",
    merge_forward: "[forwarded messages]", merged: "Forwarded messages", hongbao: "[red packet]", vote: "[poll]", todo: "[task]", calendar: "[calendar]", video_chat: "[meeting]", unknown: "[{type}]", gone: "The message is not here any more", download: "Download {name}", no_image: "The image is gone",
    tables: "Bitable", table: "Table", no_tables: "No tables yet", no_rows: "No records yet", rows: "{from}–{to} of {total}", latest_first: "Latest change first", earlier_rows: "Previous page", later_rows: "Next page", enlarge: "Enlarge", shrink: "Back to size",
    events: "Events", push_sum: "{acked} of {events} acknowledged · median {ms} ms", no_pushes: "No events pushed yet", attempts: "attempt {n}", event_id: "event ID", number: "number", attempts_n: "attempts", took: "took", answered: "the app's answer", copy: "Copy", copied: "Copied",
    waiting: "waiting", sent: "pushed", acked: "acknowledged", refused: "refused", late: "too late", cut: "connection lost", lost: "given up", state: "state",
    calls: "API calls", call_sum: "{n} this month", call_sum_quota: "{n} of {quota} this month", no_calls: "No calls yet", one_by_one: "Latest", by_name: "By name", failed_n: "{n} failed",
    failed: "That did not work: {why}", sure: "OK", sure_title: "Are you sure?", required: "Fill in what is required first",
    today: "Today", yesterday: "Yesterday", name_all: "everyone",
  },
};

let language = remember("language") || ((navigator.language || "").toLowerCase().startsWith("zh") ? "zh" : "en");

export const locale = () => (language === "zh" ? "zh-CN" : "en-GB");
export const number = (value) => Number(value).toLocaleString(locale());

export function t(key, values = {}) {
  const words = WORDS[language][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const known = (key) => key in WORDS.en;

export function translate() {
  document.documentElement.lang = locale();
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-tl]")) node.setAttribute("aria-label", t(node.dataset.tl));
  for (const node of document.querySelectorAll("button[data-tl], time[data-tt]")) node.title = t(node.dataset.tl ?? node.dataset.tt);
  for (const node of document.querySelectorAll("[data-tp]")) node.placeholder = t(node.dataset.tp);
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  remember("language", language);
}

"""An answer as card JSON 2.0; people's words stand in plain text, in which nothing mentions, links or formats."""

from __future__ import annotations

from typing import Any

from .command import Answer


def card(name: str, answer: Answer, *, in_group: bool) -> dict[str, Any]:
    """The card; its buttons say which command they ask for, and where."""
    elements: list[dict[str, Any]] = [_text("\n".join(answer.lines))]
    for label, arguments in answer.buttons:
        value = {"commands": name, "arguments": arguments, "group": in_group}
        elements.append(
            {
                "tag": "button",
                "type": "default",
                "text": {"tag": "plain_text", "content": label},
                "behaviors": [{"type": "callback", "value": value}],
            }
        )
    return {
        "schema": "2.0",
        "config": {"update_multi": True, "summary": {"content": answer.title}},
        "header": {"title": {"tag": "plain_text", "content": answer.title}, "template": "indigo"},
        "body": {"direction": "vertical", "vertical_spacing": "8px", "elements": elements},
    }


def _text(content: str) -> dict[str, Any]:
    return {"tag": "div", "text": {"tag": "plain_text", "content": content}}

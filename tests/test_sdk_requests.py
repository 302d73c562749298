"""The SDK's request objects through our transport, and its packages without its weight."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from core.feishu.ledger import Ledger
from core.feishu.sdk import execute
from core.feishu.transport import Api
from core.storage import open_engine
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

LEAN = """
import sys
from core.feishu.lean_sdk import import_lean
import_lean()
from lark_oapi.api.im.v1 import ListChatRequest
lean = len(sys.modules)
assert ListChatRequest.builder().page_size(5).build().queries == [("page_size", "5")]
import lark_oapi
assert "lark_oapi.ws.client" not in sys.modules
assert lark_oapi.Client.builder().app_id("a").app_secret("b").build() is not None
assert "lark_oapi.ws.client" in sys.modules
print(lean, len(sys.modules))
"""


def test_one_api_package_does_not_load_the_whole_sdk_and_the_whole_still_can_be_had() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAN], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent
    )
    lean, whole = map(int, done.stdout.split())
    assert lean * 3 < whole


async def test_typed_requests_are_executed_and_counted(tmp_path: Path) -> None:
    from core.feishu.lean_sdk import import_lean

    import_lean()
    from lark_oapi.api.im.v1 import (
        CreateMessageRequest,
        CreateMessageRequestBody,
        GetMessageRequest,
        ListChatRequest,
    )

    async with Sandbox(SandboxConfig(scenario="quiet")) as sandbox:
        settings = sandbox.environment()
        with open_engine(tmp_path) as engine:
            store = engine.store()
            ledger = Ledger(store, 100, ZoneInfo("Asia/Shanghai"), lambda: 1_790_000_000_000)
            async with Api(settings["FEISHU_BASE_URL"], settings["APP_ID"], settings["APP_SECRET"], ledger) as api:
                chats = await execute(api, ListChatRequest.builder().page_size(5).build())
                chat_id = chats["items"][0]["chat_id"]
                body = CreateMessageRequestBody.builder().receive_id(chat_id).msg_type("text")
                body = body.content(json.dumps({"text": "你好"}))
                request = CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body.build()).build()
                sent = await execute(api, request)
                read = await execute(api, GetMessageRequest.builder().message_id(sent["message_id"]).build())
            store.close()
    assert json.loads(read["items"][0]["body"]["content"]) == {"text": "你好"}
    assert ledger.by_name == {
        "auth.v3.tenantAccessToken.internal": 1,
        "im.v1.chats:GET": 1,
        "im.v1.messages:GET": 1,
        "im.v1.messages:POST": 1,
    }

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
import sys, threading
from core.feishu.lean_sdk import import_lean
import_lean()
from lark_oapi.api.im.v1 import ListChatRequest
lean = len(sys.modules)
assert ListChatRequest.builder().page_size(5).build().queries == [("page_size", "5")]
import lark_oapi
assert "lark_oapi.ws.client" not in sys.modules
made, both = [], threading.Barrier(2)

def use():
    both.wait()
    made.append(lark_oapi.Client.builder().app_id("a").app_secret("b").build())

threads = [threading.Thread(target=use) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(made) == 2
assert "lark_oapi.ws.client" in sys.modules
print(lean, len(sys.modules))
"""

AT_ONCE = """
import sys, threading, time
from importlib.abc import MetaPathFinder
from core.feishu.lean_sdk import import_core, import_lean

class Slow(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith("lark_oapi.core."):
            time.sleep(0.05)

sys.meta_path.insert(0, Slow())
{prepare}()
failed = []

def use(name):
    try:
        exec(f"from lark_oapi.core.{{name}}")
    except ImportError as error:
        failed.append(error)

threads = [threading.Thread(target=use, args=[name]) for name in ("enum import HttpMethod", "model import BaseRequest")]
for thread in threads:
    thread.start()
    time.sleep(0.12)  # In the middle of what the first one imports.
for thread in threads:
    thread.join()
print(*failed)
"""


def said_by(script: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent
    )
    return done.stdout.strip()


def test_plugins_that_need_the_sdk_at_once_do_not_meet_halves_of_it() -> None:
    assert "partially initialized module" in said_by(AT_ONCE.format(prepare="import_lean"))  # Else it shows nothing.
    assert said_by(AT_ONCE.format(prepare="import_core")) == ""


def test_one_api_package_does_not_load_the_whole_sdk_and_the_whole_still_can_be_had() -> None:
    lean, whole = map(int, said_by(LEAN).split())
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

"""The official Node.js SDK, unmodified, against the sandbox; skipped where it cannot be installed."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import orjson
import pytest
from sandbox_client import SECONDS, running

from sandbox.config import ClientConfig, SandboxConfig

NODE = Path(__file__).parent / "node"
INSTALL_SECONDS = 90


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the client and the SDK beside it."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "client.js"):
        shutil.copy(NODE / name, folder)
    try:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install the Node SDK within {INSTALL_SECONDS} s")
    if done.returncode:
        pytest.skip(f"npm could not install the Node SDK: {done.stderr.strip().splitlines()[-1:]}")
    return folder


async def test_the_node_sdk_receives_reconnects_and_calls_the_api(installed: Path) -> None:
    eager = ClientConfig(reconnect_count=-1, reconnect_interval=1, reconnect_nonce=0, ping_interval=1)
    async with running(SandboxConfig(scenario="quiet", client=eager, part_size=200)) as client:
        settings = {**os.environ, **client.sandbox.environment(), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        node = await asyncio.create_subprocess_exec(
            "node", "client.js", cwd=installed, env=settings, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        assert node.stdin is not None
        assert node.stdout is not None

        async def told() -> dict[str, Any]:
            line = await asyncio.wait_for(node.stdout.readline(), SECONDS)
            return orjson.loads(line)

        try:
            facts = await told()
            assert facts["listed"][0] == facts["sent"] == facts["parent"], facts
            assert (facts["members"], facts["file"]) == (["李雷", "韩梅梅", "王芳", "张伟"], "from node")
            assert facts["reaction"]

            await asyncio.wait_for(client.sandbox.gateway.connected(), SECONDS)
            long = client.say("长" * 500).message_id
            assert await told() == {"heard": long, "content": orjson.dumps({"text": "长" * 500}).decode()}
            await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)

            client.sandbox.gateway.disconnect()
            again = client.say("又来了").message_id
            assert (await told())["heard"] == again
            await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        finally:
            node.stdin.close()
            await node.communicate()
        done = client.sandbox.gateway.document()
        # The third is the app's own reaction: an event nobody registered for, which this SDK acknowledges all the same.
        assert (done["accepted"], done["malformed"], done["pushes"]["acked"]) == (2, 0, 3)

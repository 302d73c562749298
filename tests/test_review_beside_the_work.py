"""What ``core run`` does beside the work: that it breaks down is said, and a disk that cannot be read ends no wait."""

from __future__ import annotations

import asyncio
from typing import Any

from log_lines import logged

from core.commands.run import _stop_when_idle, _tell_end
from core.errors import StorageError


class Program:
    """A program that is idle, and whose disk cannot be read the second time that is asked."""

    silent_for = 3600.0

    def __init__(self) -> None:
        self.asked = 0
        self.stopped = False

    @property
    def idle(self) -> bool:
        self.asked += 1
        if self.asked == 2:
            raise StorageError("the disk does not read")
        return True

    def stop(self) -> None:
        self.stopped = True


async def test_until_idle_goes_on_waiting_when_the_disk_cannot_be_read() -> None:
    program: Any = Program()
    await _stop_when_idle(program, None)
    assert program.stopped
    assert program.asked == 6  # Quiet for a second counts from the failure on.


async def test_what_breaks_down_beside_the_work_is_told() -> None:
    async def broken() -> None:
        raise ValueError("of a kind nobody thought of")

    async def endless() -> None:
        await asyncio.Event().wait()

    with logged() as lines:
        tasks = [asyncio.create_task(broken(), name="The view"), asyncio.create_task(endless(), name="The watch")]
        for task in tasks:
            task.add_done_callback(_tell_end)
        await asyncio.wait(tasks, timeout=0.05)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    [line] = lines
    assert line.startswith("ERROR The view broke down")
    assert "of a kind nobody thought of" in line

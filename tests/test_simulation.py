"""Lives of a simulated process in which everything fails; the long form is ``benchmarks/simulation.py``."""

from __future__ import annotations

from collections import Counter

import feishu_events as feishu
import pytest
from simulated_world import World
from simulation import one_life, rates_of
from stepped import files
from virtual_time import run_virtually

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

LIVES = 80
PARTS = 3


@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_is_kept_in_every_life(part: int) -> None:
    broken, ends, troubles = [], Counter[str](), Counter[str]()
    for seed in range(1_000_000 + part * LIVES, 1_000_000 + (part + 1) * LIVES):
        outcome = one_life(seed)
        ends += outcome.ends
        troubles += outcome.troubles
        if outcome.violation:
            again = f"python benchmarks/simulation.py --first {seed} --seeds 1"
            broken.append(f"seed {seed}: {outcome.violation}\nagain: {again}")
    print(f"ended {ends.total()} times, {troubles.total()} calls failed")
    assert not broken, "\n".join(broken)
    assert ends.total() > LIVES
    assert {"before append", "after append", "before commit", "after commit", "in a hook"} <= set(ends)
    assert {"lost", "cut", "limited", "token", "lagging"} <= set(troubles)


def test_the_same_seed_is_the_same_life() -> None:
    seed = next(seed for seed in range(1, 100) if rates_of(seed).crash and rates_of(seed).api)
    assert one_life(seed) == one_life(seed)


@pytest.mark.parametrize("trouble", ["token", "limited", "broken"])
def test_what_passes_by_itself_is_no_reason_to_give_a_message_up(trouble: str) -> None:
    """Seed 22 once lost a message: the token was refused twice in a row, and the outbox took that for an answer."""

    async def lived() -> None:
        with files() as directory:
            world = World(0, directory)
            try:
                await world.begin()
                await world.pass_time(20)
                world.happen(feishu.message("om_5", event_id="ev_5"))
                world.platform.troubles += [trouble] * 12
                await world.pass_time(60)
                await world.rest()
                world.check()
            finally:
                await world.leave()

    run_virtually(lived())


def test_a_disk_that_is_full_when_a_plugin_starts_does_not_end_the_plugin() -> None:
    """Seed 161 once ended the consumer for good: the cursor could not be stored at the start."""

    async def lived() -> None:
        with files() as directory:
            world = World(0, directory)
            try:
                await world.begin()
                await world.pass_time(20)  # What is in Bitable is taken over.
                world.end()
                await world.pass_time(0)
                world.fate.refuse = 1.0
                await world.pass_time(30)
                assert world.phase == "waiting"
                world.fate.refuse = 0.0
                world.say()
                await world.rest()
                world.check()
            finally:
                await world.leave()

    run_virtually(lived())

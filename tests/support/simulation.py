"""Lives of a process, each from its seed: how much goes wrong is drawn too; afterwards every promise is checked."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from loguru import logger
from simulated_world import Rates, Violation, World
from stepped import files
from virtual_time import run_virtually

from core.storage.sqlite import SqliteEngine


@dataclass
class Outcome:
    """One life: what happened in it, and the promise that was broken, if any."""

    seed: int
    events: int = 0
    starts: int = 0
    calls: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    """Where the process ended."""
    violation: str = ""


def rates_of(seed: int) -> Rates:
    """How much goes wrong in the life of ``seed``; every tenth is a quiet one."""
    chance = random.Random(f"rates {seed}")
    if seed % 10 == 0:
        return Rates()
    return Rates(
        crash=chance.choice((0.0, 0.003, 0.01, 0.03)),
        disk=chance.choice((0.0, 0.0, 0.02)),
        api=chance.choice((0.0, 0.1, 0.3, 0.5)),
        plugin=chance.choice((0.0, 0.05, 0.2)),
        poison=chance.choice((0.0, 0.0, 0.02)),
        twice=chance.choice((0.0, 0.2, 0.5)),
        replay=chance.choice((0, 0, 1254608, 1255006)),
    )


def one_life(seed: int, engine: type[SqliteEngine] = SqliteEngine) -> Outcome:
    """The life of ``seed``; the same every time."""
    outcome = Outcome(seed)
    logger.disable("core")
    try:
        with files() as directory:
            run_virtually(_lived(World(seed, directory, rates_of(seed), engine=engine), outcome))
    except Violation as violation:
        outcome.violation = str(violation)
    finally:
        logger.enable("core")
    return outcome


async def _lived(world: World, outcome: Outcome) -> None:
    try:
        await world.begin()
        for _ in range(world.chance.randrange(3, 9)):
            for _ in range(world.chance.randrange(1, 15)):
                world.say()
            await world.pass_time(world.chance.random() * world.chance.choice((2, 20, 60)))
        await world.rest()
        world.check()
    finally:
        await world.leave()
        outcome.events, outcome.starts, outcome.calls = len(world.events), world.starts, world.platform.calls
        outcome.troubles, outcome.ends = Counter(world.platform.met), Counter(world.fate.told)

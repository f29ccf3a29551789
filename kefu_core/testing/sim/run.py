"""One seed from its beginning to the moment when all must be well."""

import itertools
import logging

import anyio
import msgspec
from anyio.abc import TaskStatus

from kefu_core.model import Conversation
from kefu_core.testing.sim import loop as looping
from kefu_core.testing.sim.chance import Chance
from kefu_core.testing.sim.people import Person
from kefu_core.testing.sim.world import Weather, World
from kefu_core.types import ConversationId, ParticipantId, UnixMs

_SETTLE_S = 600.0
"""By then every silent connection was noticed, and everybody came back."""
_GOODBYES_S = 10.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one seed did."""

    seed: int
    hash: str
    violations: list[str]
    fired: dict[str, int]
    messages: int
    seconds: float
    """Simulated."""
    turns: int
    trace: list[str] = []


class _Faults(logging.Handler):
    """Notes what the code under test calls a fault of its own."""

    def __init__(self, chance: Chance) -> None:
        super().__init__(logging.ERROR)
        self._chance = chance

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._chance.violated(f"logged: {record.getMessage()} {error!r}")


def run_seed(seed: int, *, keeps_trace: bool = False) -> Report:
    """Run one seed to its end; never raises for a broken promise."""
    chance = Chance(seed, keeps_trace=keeps_trace)
    stored = [0]

    async def main(loop: looping.SimLoop) -> None:
        try:
            stored[0] = await _story(chance, loop)
        except Exception as error:
            chance.violated(f"the run ended: {_inner(error)!r}")

    logger = logging.getLogger("kefu_core")
    handler, old_level = _Faults(chance), logger.level
    was_propagating = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    try:
        loop = looping.run(main, chance.violated)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(old_level)
        logger.propagate = was_propagating
    return Report(
        seed=seed,
        hash=chance.hash,
        violations=chance.violations,
        fired=dict(chance.fired),
        messages=stored[0],
        seconds=loop.time(),
        turns=loop.turns,
        trace=chance.trace,
    )


def _inner(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _story(chance: Chance, loop: looping.SimLoop) -> int:
    async with anyio.create_task_group() as tasks:
        world = World(chance, loop, tasks)
        people = _people(world)
        await world.start_node()
        programs = await tasks.start(_start, people)
        weather = Weather(world, chance.rng("weather"))
        async with anyio.create_task_group() as bad_times:
            bad_times.start_soon(weather.blow)
            async with anyio.create_task_group() as talks:
                for person in people:
                    count = chance.rng("people").randint(3, 14)
                    talks.start_soon(person.talk, count)
            await anyio.sleep(chance.rng("people").uniform(0.0, 5.0))
            bad_times.cancel_scope.cancel()
        _calm(world)
        await _settle(world, people)
        _judge(world, people)
        programs.cancel()
        await anyio.sleep(_GOODBYES_S)
        tasks.cancel_scope.cancel()
    return sum(len(log) for log in world.disk.logs.values())


async def _start(
    people: list[Person], *, task_status: TaskStatus[anyio.CancelScope]
) -> None:
    async with anyio.create_task_group() as programs:
        task_status.started(programs.cancel_scope)
        for person in people:
            programs.start_soon(person.live)


def _people(world: World) -> list[Person]:
    rng = world.chance.rng("people")
    everything: list[ConversationId] = []
    people: list[Person] = []
    for number in range(1, rng.randint(1, 2) + 1):
        who = ParticipantId(f"v{number}")
        at = UnixMs(world.unix_ms())
        row = Conversation(
            id=ConversationId(number), site_id=1, visitor=who, last_at=at, opened_at=at
        )
        world.disk.rows[row.id] = row
        everything.append(row.id)
        people.append(Person(world, f"v{number}", who, [row.id]))
        if world.chance.happens("second_tab", 0.5):
            people.append(Person(world, f"v{number}b", who, [row.id]))
    for number in range(1, rng.randint(1, 2) + 1):
        who = ParticipantId(f"a{number}")
        people.append(Person(world, f"a{number}", who, everything))
    world.disk.back_up()
    return people


def _calm(world: World) -> None:
    """End what does not end by itself; holes stay, silence must be noticed."""
    world.now()
    world.chance.note("calm")
    world.chance.is_on = False
    world.clogged_until = 0.0
    for link in world.links:
        for wire in link.wires:
            wire.free()
            wire.bytes_left = None
    if world.node is not None:
        world.node.store.appender.away_until = 0.0


async def _settle(world: World, people: list[Person]) -> None:
    """Wait until all is well at one moment: somebody may yet forget a lost history."""
    give_up_at = world.now() + _SETTLE_S
    while True:
        waiting = [person.name for person in people if not person.has_all()]
        undelivered = _undelivered(world, people)
        if not waiting and not undelivered:
            return
        if world.now() > give_up_at:
            world.chance.violated(f"still waiting: {waiting} {undelivered}")
            return
        await anyio.sleep(1.0)


def _judge(world: World, people: list[Person]) -> None:
    chance, disk = world.chance, world.disk
    for conversation, log in disk.logs.items():
        if [m.seq for m in log] != list(range(1, len(log) + 1)):
            chance.violated(f"{conversation} is not 1..n")
        keys = [(m.sender, m.key) for m in log]
        if len(keys) != len(set(keys)):
            chance.violated(f"{conversation} has a message twice")
        if any(a.at > b.at for a, b in itertools.pairwise(log)):
            chance.violated(f"{conversation} goes back in time")
    for person in people:
        person.judge()


def _undelivered(world: World, people: list[Person]) -> list[str]:
    disk, found = world.disk, []
    for person in people:
        for conversation in person.conversations:
            length = len(disk.logs.get(conversation, ()))
            cursor = disk.cursors.get((conversation, person.who))
            delivered = cursor.delivered if cursor else 0
            if delivered != length:
                found.append(
                    f"{person.name} holds {length} of {conversation} and "
                    f"{delivered} count as delivered"
                )
    return found

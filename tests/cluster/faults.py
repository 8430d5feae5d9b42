"""What goes wrong on a chain's way to us: a plan, the same one for the same seed, and with an end."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

from tests.cluster import chain
from tests.cluster.chain import Chain, Fork

CLEAN, ABRUPT, HALF_OPEN = "clean", "abrupt", "half-open"


class Outage(NamedTuple):
    """Connections end at a step, in one of three ways, and none stands again for ``steps`` steps. ``program`` is whose
    connection it is: 0 for all of them, else one of them."""

    step: int
    steps: int
    how: str
    program: int


class Lag(NamedTuple):
    """For ``steps`` steps a share of all calls reaches a node that is ``behind`` steps back."""

    step: int
    steps: int
    behind: int
    share: float


class Odds(NamedTuple):
    """How likely each thing is to happen to one frame."""

    dropped: float
    twice: float
    late: float
    shuffled: float
    truncated: float


class Storm(NamedTuple):
    """A run of calls, counted from the first one of all, that get something else than an answer."""

    first_call: int
    calls: int
    kind: str


class Lie(NamedTuple):
    """A run of calls that the kind of lie is about, counted from the first one, to which a node answers what is not so."""

    first_call: int
    calls: int
    kind: str


class Oblivion(NamedTuple):
    """For ``steps`` steps the node that answers keeps the last ``slots`` slots only, and says so when it is asked."""

    step: int
    steps: int
    slots: int


SHORT, STUCK, BACK, ODD_ITEM, ODD_STATUS, ODD_TRANSACTION, OTHER_TRANSACTION = LIES = (
    "short page",
    "stuck cursor",
    "cursor that leads back",
    "one odd item",
    "one odd status",
    "odd transaction",
    "another transaction",
)

STORMS = (
    "429 with Retry-After",
    "429",
    "429 in JSON-RPC",
    "500",
    "503",
    "HTML",
    "-32005",
    "-32603",
    "empty",
    "slow",
    "error without a code",
    "message of a limit",
    "empty object",
    "neither result nor error",
    "text",
    "batch",
)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """One seed's traffic and everything that goes wrong with it."""

    seed: int
    chain: Chain
    odds: Odds
    outages: tuple[Outage, ...]
    lags: tuple[Lag, ...]
    storms: tuple[Storm, ...]
    garbage: tuple[int, ...]
    """Steps at which something arrives that is no message."""
    withheld: float
    """Share of transactions that ``getTransaction`` does not know, or gives without meta, the first times it is asked."""
    lies: tuple[Lie, ...] = ()
    most_listed: int | None = None
    """How long a page of signatures is at most, whatever the limit that was asked for."""
    hidden: float = 0.0
    """Share of blocks that ``getBlocks`` leaves out, or ``getBlock`` does not give, the first times."""
    oblivions: tuple[Oblivion, ...] = ()
    by_blocks: bool = False
    """Whether all that is not quite new is read block by block."""

    @classmethod
    def from_seed(cls, seed: int, *, slots: int = 110, per_slot: float = 4.0) -> Self:
        """Return the plan of a seed; about a fifth of all plans leave out each kind of fault."""
        dice = random.Random(f"plan {seed}")
        forks = tuple(
            Fork(dice.randrange(5, slots - 5), dice.choice((1, 2, 3, 5, 8, 16, 31, 32)))
            for _ in range(dice.choice((0, 1, 1, 2, 3)))
        )
        built = chain.build(
            seed=seed, slots=slots, per_slot=per_slot, forks=_apart(forks), skipped=dice.choice((0.0, 0.05, 0.2))
        )
        steps = len(built.timeline)
        return cls(
            seed=seed,
            chain=built,
            odds=Odds(*(dice.choice((0.0, most / 8, most / 2, most / 2, most)) for most in (0.1, 0.1, 0.1, 0.3, 0.05))),
            outages=tuple(_outages(dice, steps)),
            lags=tuple(
                Lag(
                    dice.randrange(steps), dice.randrange(5, 40), dice.choice((3, 20, 60, 200)), dice.choice((0.3, 1.0))
                )
                for _ in range(dice.choice((0, 1, 1, 2)))
            ),
            storms=tuple(_storms(dice)),
            garbage=tuple(dice.randrange(1, steps) for _ in range(dice.choice((0, 1, 3)))),
            withheld=dice.choice((0.0, 0.1, 0.3)),
            lies=tuple(_lies(dice)),
            most_listed=dice.choice((None, None, 5, 40)),
            hidden=dice.choice((0.0, 0.1, 0.3)),
            oblivions=tuple(
                Oblivion(dice.randrange(steps), dice.randrange(5, 40), dice.choice((2, 10, 40)))
                for _ in range(dice.choice((0, 0, 1, 2)))
            ),
            by_blocks=dice.choice((False, False, True)),
        )

    @property
    def forks(self) -> dict[str, int]:
        """Return the transactions of dropped branches and the slots where they were."""
        return {landing.signature: landing.slot for landing in self.chain.dropped()}

    def without_faults(self) -> Self:
        """Return a plan of the same traffic in which nothing goes wrong; branches are still seen and dropped."""
        return type(self)(self.seed, self.chain, Odds(0.0, 0.0, 0.0, 0.0, 0.0), (), (), (), (), 0.0)


def _apart(forks: tuple[Fork, ...]) -> list[Fork]:
    """Keep the forks between whose beginnings there is room for the first one and some blocks."""
    kept: list[Fork] = []
    for fork in sorted(forks):
        if not kept or fork.after > kept[-1].after + kept[-1].length + 4:
            kept.append(fork)
    return kept


def _outages(dice: random.Random, steps: int) -> list[Outage]:
    found: list[Outage] = []
    for step in sorted(dice.sample(range(3, steps), dice.choice((0, 1, 2, 3)))):
        if not found or step > found[-1].step + found[-1].steps + 2:
            how = dice.choices((CLEAN, ABRUPT, HALF_OPEN), (4, 4, 1))[0]
            found.append(Outage(step, dice.choice((0, 1, 3, 10, 30)), how, dice.choice((0, 0, 1, 2))))
    return found


def _lies(dice: random.Random) -> Iterator[Lie]:
    for kind in LIES:
        call = 0
        for _ in range(dice.choice((0, 1, 2))):
            call += dice.randrange(12)
            yield Lie(call, dice.choice((1, 2, 3)), kind)
            call += 4


def _storms(dice: random.Random) -> list[Storm]:
    found, call = [], 0
    for _ in range(dice.choice((0, 2, 4, 6))):
        call += dice.randrange(40)
        found.append(Storm(call, dice.choice((1, 2, 3, 9)), dice.choice(STORMS)))
        call += found[-1].calls
    return found

"""Transactions of pools that nobody has seen yet: one of a pool is asked for whole, the others wait until it is known."""

from collections.abc import Iterable, Sequence, Set

from tokens.domain.decode import Decoded
from tokens.services.monitor.completion import Completed

MOST_HELD = 5_000
"""Beyond this a transaction goes among the rejected messages, and is played from there when its pool is known."""


def nameless(decoded: Decoded) -> set[str]:
    """Return the pools of a transaction of which it does not name the mints, as PumpSwap's logs do not."""
    return {event.pool for event in decoded.events if event.pool and event.mint is None}


class Strangers:
    """Holds what came of pools whose first transaction is being asked for."""

    def __init__(self) -> None:
        self._held: dict[str, list[Completed]] = {}
        self._asked: dict[str, Set[str]] = {}
        self._answered: list[str] = []
        self._count = 0

    def hold(self, told: Completed, pools: Set[str]) -> bool:
        """Hold a transaction if one of ``pools`` is asked for already; return whether it is held."""
        pool = next((pool for pool in pools if pool in self._held), None)
        if pool is None or self._count >= MOST_HELD:
            return False
        self._held[pool].append(told)
        self._count += 1
        return True

    def asked(self, signature: str, pools: Iterable[str]) -> None:
        """Note that a transaction was asked for, which will name ``pools``."""
        mine = {pool for pool in pools if pool not in self._held}
        if mine:
            self._asked[signature] = mine
            self._held |= {pool: [] for pool in mine}

    def answered(self, completed: Completed) -> Sequence[Completed]:
        """Note an answer; return what need not be held any longer because the chain did not give one."""
        pools = self._asked.pop(completed.decoded.signature or "", set())
        if nameless(completed.decoded) or not completed.decoded.events:
            return self._let_go(pools)
        self._answered += pools
        return ()

    def known(self) -> Sequence[Completed]:
        """Return what was held of the pools that were answered: for after the answers are stored."""
        answered, self._answered = self._answered, []
        return self._let_go(answered)

    def all(self) -> Sequence[Completed]:
        """Return everything that is held, on the way out."""
        return self._let_go(list(self._held))

    def _let_go(self, pools: Iterable[str]) -> Sequence[Completed]:
        freed = [told for pool in pools for told in self._held.pop(pool, ())]
        self._count -= len(freed)
        return freed

    def __len__(self) -> int:
        return self._count

"""A transaction's place on the chain, and what it did there."""

from typing import Any, NamedTuple

from tests.cluster.market import Claimed, Happening, Migrated, PoolTrade, pool_address
from tests.cluster.wishes import BYSTANDER, Wish
from tokens.domain import programs


class Landing(NamedTuple):
    """One transaction in its block. ``happened`` is empty when it failed; ``error`` is then the program's code."""

    wish: Wish
    slot: int
    block_time: int
    place: int
    happened: tuple[Happening, ...] = ()
    error: int | None = None

    @property
    def signature(self) -> str:
        """Return the transaction's name."""
        return self.wish.signature

    @property
    def failed(self) -> bool:
        """Return whether it is on chain without effect."""
        return self.error is not None

    @property
    def programs(self) -> tuple[str, ...]:
        """Return the launchpad programs among the transaction's accounts."""
        pools = any(isinstance(what, PoolTrade | Migrated) for what in self.happened)
        curves = any(not isinstance(what, PoolTrade) for what in self.happened)
        if self.wish.kind == BYSTANDER:
            return (programs.PUMP, programs.PUMPSWAP)
        if not self.happened:
            return (programs.PUMP,)
        return (programs.PUMP,) * curves + (programs.PUMPSWAP,) * pools

    @property
    def addresses(self) -> set[str]:
        """Return the accounts by which somebody may look for the transaction."""
        found = {*self.programs, self.wish.user}
        mints = (
            {self.wish.mint}
            if not self.happened
            else {what.mint for what in self.happened if not isinstance(what, Claimed)}
        )
        for mint in mints:
            found |= {mint, programs.bonding_curve(mint)}
        found |= {pool_address(what.mint) for what in self.happened if isinstance(what, PoolTrade | Migrated)}
        return found


def err(landing: Landing) -> Any:
    """Return what a node reports as the transaction's error, ``None`` if it has none."""
    return None if landing.error is None else {"InstructionError": [2, {"Custom": landing.error}]}

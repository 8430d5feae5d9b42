"""People with a seed: what they send depends on it and on the market that they see."""

import random

from solders.pubkey import Pubkey
from solders.signature import Signature

from tests.cluster import wishes
from tests.cluster.market import Market
from tests.cluster.wishes import BROKEN, BYSTANDER, CLAIM, CREATE, MIGRATE, TRADE, Leg, Wish


class Crowd:
    """Sends wishes, the same ones for the same seed and market.

    ``coins`` is how many coins it keeps in play besides those that graduated, ``recorded`` the share of wishes that come
    from the recorded trades table while there are some left.
    """

    def __init__(self, seed: int, *, coins: int = 8, users: int = 400, recorded: float = 0.2) -> None:
        self.dice = random.Random(f"crowd {seed}")
        self.coins = coins
        self.users = [self._address() for _ in range(users)]
        self.recorded = recorded
        self._trades = wishes.recorded() if recorded else iter(())
        self._moods: dict[str, float] = {}

    def _address(self) -> str:
        return str(Pubkey.from_bytes(self.dice.randbytes(32)))

    def signature(self) -> str:
        """Return a signature that nobody has used."""
        return str(Signature.from_bytes(self.dice.randbytes(64)))

    def next(self, market: Market) -> Wish:
        """Return what is sent next, by somebody who sees ``market``."""
        dice = self.dice
        if dice.random() < self.recorded and (wish := next(self._trades, None)) is not None:
            return wish
        user, routed = dice.choice(self.users), dice.random() < 0.3
        version: int | str = dice.choices(("legacy", 0, 1), (3, 6, 1))[0]
        live = market.tradable()
        made = sum(1 for mint in live if not market.curves[mint].complete)
        if not live or (made < self.coins and dice.random() < 0.1):
            mint = self._address()
            first = (Leg(mint, True, dice.randrange(10**12, 3 * 10**13)),)
            return Wish(self.signature(), CREATE, user, mint, first * (dice.random() < 0.8), False, version)
        for mint in market.waiting():
            if dice.random() < 0.05:
                return Wish(self.signature(), MIGRATE, user, mint, (), False, version)
        mint = self._favourite(live)
        kind = dice.choices((TRADE, BROKEN, CLAIM, BYSTANDER), (84, 9, 4, 3))[0]
        if kind != TRADE:
            return Wish(self.signature(), kind, user, mint, (), routed, version)
        count = dice.choices((1, 2, 3, 20), (930, 50, 19, 1))[0]
        legs = tuple(self._leg(market, mint if dice.random() < 0.7 else self._favourite(live)) for _ in range(count))
        return Wish(self.signature(), TRADE, user, mint, legs, routed, version)

    def _favourite(self, live: list[str]) -> str:
        place = min(int(self.dice.paretovariate(0.9)) - 1, len(live) - 1)
        return live[-1 - place]

    def _leg(self, market: Market, mint: str) -> Leg:
        dice, curve = self.dice, market.curves[mint]
        mood = self._moods.setdefault(mint, dice.uniform(0.45, 0.9))
        amm = market.pools.get(mint)
        if amm is not None:
            return Leg(mint, dice.random() < 0.5, dice.randrange(amm.base // 10**6, amm.base // 60))
        buys = curve.real_quote < 10**8 or dice.random() < mood
        most = 4 * 10**13 if buys else max(2 * 10**10, (curve.sold_raw) // 6)
        return Leg(mint, buys, dice.randrange(10**10, most))

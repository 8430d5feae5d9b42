"""Curves and pools in exact arithmetic: what becomes of a wish in the state that it finds."""

from typing import Any, NamedTuple, Self

from tests.cluster.wishes import BROKEN, CLAIM, CREATE, MIGRATE, Leg, Wish
from tokens.domain import curve, programs

CURVE_FEES_BPS = (95, 30)
"""Protocol, creator."""
POOL_FEES_BPS = (2, 93, 30)
"""Liquidity providers, protocol, creator."""
BOOST_LAMPORTS = 17_584_505_288
POOL_BASE_RAW = curve.PUMP_SUPPLY_RAW - curve.PUMP_SOLD_RAW


class Curve(NamedTuple):
    """A pump.fun curve."""

    creator: str
    virtual_quote: int = curve.PUMP_VIRTUAL_LAMPORTS
    virtual_token: int = curve.PUMP_VIRTUAL_TOKEN_RAW
    real_quote: int = 0
    real_token: int = curve.PUMP_SOLD_RAW
    complete: bool = False

    @property
    def sold_raw(self) -> int:
        """Return what people hold."""
        return curve.PUMP_SOLD_RAW - self.real_token


class Amm(NamedTuple):
    """A graduated PumpSwap pool."""

    base: int
    vault: int
    virtual: int


class CurveTrade(NamedTuple):
    """A trade on a curve; ``after`` is what it leaves."""

    mint: str
    user: str
    buys: bool
    quote: int
    token: int
    after: Curve


class PoolTrade(NamedTuple):
    """A trade in a pool; ``before`` is what it finds."""

    mint: str
    user: str
    buys: bool
    quote: int
    token: int
    before: Amm
    creator: str


class Created(NamedTuple):
    """A new coin."""

    mint: str
    user: str


class Completed(NamedTuple):
    """A curve that has sold everything."""

    mint: str
    user: str


class Migrated(NamedTuple):
    """A coin that moved to PumpSwap."""

    mint: str
    user: str
    creator: str
    opened: Amm


class Claimed(NamedTuple):
    """Fees paid out to a creator."""

    creator: str
    lamports: int


Happening = CurveTrade | PoolTrade | Created | Completed | Migrated | Claimed


class Failed(Exception):
    """The program refuses; ``code`` is its error."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Market:
    """The state of all coins. A copy costs little: states are values."""

    def __init__(self) -> None:
        self.curves: dict[str, Curve] = {}
        self.pools: dict[str, Amm] = {}
        self._live: dict[str, None] = {}
        self._waiting: dict[str, None] = {}

    def copy(self) -> Self:
        """Return the same state, to go on from on its own."""
        other = type(self)()
        other.curves, other.pools = dict(self.curves), dict(self.pools)
        other._live, other._waiting = dict(self._live), dict(self._waiting)
        return other

    def tradable(self) -> list[str]:
        """Return the coins on a curve or in a pool, the newest last."""
        return list(self._live)

    def waiting(self) -> list[str]:
        """Return the coins that are complete and have no pool yet."""
        return list(self._waiting)

    def land(self, wish: Wish) -> tuple[Happening, ...]:
        """Do what a wish asks, all or nothing. Raises :class:`Failed`."""
        curves, pools = {}, {}
        for mint in {wish.mint, *(leg.mint for leg in wish.legs)}:
            curves[mint], pools[mint] = self.curves.get(mint), self.pools.get(mint)
        try:
            happened = tuple(self._land(wish))
        except Failed:
            for mint, held in curves.items():
                _restore(self.curves, mint, held)
                _restore(self.pools, mint, pools[mint])
            raise
        for what in happened:
            if isinstance(what, Created):
                self._live[what.mint] = None
            elif isinstance(what, Completed):
                del self._live[what.mint]
                self._waiting[what.mint] = None
            elif isinstance(what, Migrated):
                del self._waiting[what.mint]
                self._live[what.mint] = None
        return happened

    def _land(self, wish: Wish) -> list[Happening]:
        happened: list[Happening] = []
        if wish.kind == BROKEN:
            raise Failed(6002)
        if wish.kind == CREATE:
            if wish.mint in self.curves:
                raise Failed(0)
            self.curves[wish.mint] = Curve(wish.user)
            happened.append(Created(wish.mint, wish.user))
        elif wish.kind == MIGRATE:
            happened.append(self._migrate(wish))
        elif wish.kind == CLAIM:
            held = self._curve(wish.mint)
            happened.append(Claimed(held.creator, 1 + held.real_quote // 1_000))
        for leg in wish.legs:
            happened += self._trade(leg, wish.user)
        return happened

    def _curve(self, mint: str) -> Curve:
        found = self.curves.get(mint)
        if found is None:
            raise Failed(3012)
        return found

    def _migrate(self, wish: Wish) -> Migrated:
        held = self._curve(wish.mint)
        if not held.complete or wish.mint in self.pools:
            raise Failed(6006)
        boost = BOOST_LAMPORTS if ord(wish.mint[0]) % 2 else 0
        vault = held.real_quote - curve.PUMP_MIGRATION_FEE_LAMPORTS - boost
        amm = self.pools[wish.mint] = Amm(POOL_BASE_RAW, vault, boost)
        return Migrated(wish.mint, wish.user, held.creator, amm)

    def _trade(self, leg: Leg, user: str) -> list[Happening]:
        held = self._curve(leg.mint)
        amm = self.pools.get(leg.mint)
        if amm is not None:
            return [self._swap(leg, user, amm, held.creator)]
        if held.complete:
            raise Failed(6005)
        token = min(leg.token_raw, held.real_token) if leg.buys else leg.token_raw
        if not leg.buys and token > held.sold_raw:
            raise Failed(6023)
        if leg.recorded is not None and leg.recorded[1:] == (held.virtual_quote, held.virtual_token):
            quote = leg.recorded[0]
        else:
            priced = curve.pump_buy if leg.buys else curve.pump_sell
            quote = priced(held.virtual_quote, held.virtual_token, token).quote_raw
        sign = 1 if leg.buys else -1
        after = held._replace(
            virtual_quote=held.virtual_quote + sign * quote,
            virtual_token=held.virtual_token - sign * token,
            real_quote=held.real_quote + sign * quote,
            real_token=held.real_token - sign * token,
            complete=leg.buys and token == held.real_token,
        )
        self.curves[leg.mint] = after
        happened: list[Happening] = [CurveTrade(leg.mint, user, leg.buys, quote, token, after)]
        return [*happened, Completed(leg.mint, user)] if after.complete else happened

    def _swap(self, leg: Leg, user: str, amm: Amm, creator: str) -> PoolTrade:
        effective = amm.vault + amm.virtual
        if leg.buys:
            if leg.token_raw >= amm.base // 2:
                raise Failed(6016)
            quote = curve.pumpswap_buy(effective, amm.base, leg.token_raw).quote_raw
        else:
            quote = curve.pumpswap_sell(effective, amm.base, leg.token_raw).quote_raw
        sign = 1 if leg.buys else -1
        vault = amm.vault + sign * quote + curve.fee(quote, POOL_FEES_BPS[0])
        if vault < 10**9:
            raise Failed(6063)
        self.pools[leg.mint] = amm._replace(base=amm.base - sign * leg.token_raw, vault=vault)
        return PoolTrade(leg.mint, user, leg.buys, quote, leg.token_raw, amm, creator)


def _restore(states: dict[str, Any], mint: str, state: Any) -> None:
    if state is None:
        states.pop(mint, None)
    else:
        states[mint] = state


def pool_address(mint: str) -> str:
    """Return the address of a coin's graduated pool."""
    return programs.graduated_pool(mint, programs.WRAPPED_SOL)

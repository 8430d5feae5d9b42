"""What may be spent on look-ups: a month's credits, spread over the month, to those who are worth it most.

Source of the figures: the seed's API budget (10 million a month: warn at 75 %, stop at 85 %, alert above 300,000 a day,
100 analyses an hour below 40 % of use, 10 from 80 % on). Here they are parts of whatever the budget is.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

WARN, STOP = Fraction(75, 100), Fraction(85, 100)
"""Parts of the month's budget."""
DAY_ALERT = Fraction(3, 100)
"""A day that costs more than this part of the month is told of."""
HOLDERS_A_PAGE, CREDITS_A_PAGE, CREDITS_A_WALLET = 1_000, 1, 2

PACES = (
    (Fraction(40, 100), 100),
    (Fraction(50, 100), 75),
    (Fraction(60, 100), 50),
    (Fraction(70, 100), 30),
    (Fraction(80, 100), 20),
)
"""Below this part of use, so many paid analyses an hour."""
SLOWEST = 10

PRICES = ((Fraction(40, 100), 1), (Fraction(60, 100), 2), (Fraction(75, 100), 4))
"""Below this part of use, so many points of priority a credit has to buy."""
DEAREST = 10


class Light(StrEnum):
    """How a budget stands."""

    GREEN = "green"
    WARN = "warn"
    STOP = "stop"


def cost(*, holders: int, wallets: int, a_page: int = CREDITS_A_PAGE, a_wallet: int = CREDITS_A_WALLET) -> int:
    """Return the credits for listing ``holders`` and looking up ``wallets`` that are not known yet, at the seed's prices or
    at those of who is asked."""
    return -(-holders // HOLDERS_A_PAGE) * a_page + wallets * a_wallet


def analyses_per_hour(use: Fraction) -> int:
    """Return how many paid analyses an hour a budget of which ``use`` is used may pay for; none from the hard stop on."""
    if use >= STOP:
        return 0
    return next((pace for bound, pace in PACES if use < bound), SLOWEST)


def price_of_a_credit(use: Fraction) -> int:
    """Return how many points of priority a credit has to buy when ``use`` of the budget is used."""
    return next((price for bound, price in PRICES if use < bound), DEAREST)


def value(*, priority: int, paid: int) -> Decimal | None:
    """Return what a credit buys, in points of priority to two decimals; ``None`` when none is paid."""
    return None if paid <= 0 else (Decimal(priority) / paid).quantize(Decimal("0.01"))


def projected_month(*, used: int, now: datetime) -> int:
    """Return what the calendar month will have cost at its days' pace so far."""
    return used * monthrange(now.year, now.month)[1] // now.day


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What a provider's month allows at one moment. ``limit`` is ``None`` where nobody set one: then all is allowed."""

    limit: int | None
    used: int
    today: int
    """Credits since midnight UTC."""
    paid_last_hour: int
    """Analyses of the last hour for which something was paid or set aside."""
    now: datetime

    @property
    def spent(self) -> Fraction:
        """The part of the month's budget that is used."""
        return Fraction(0) if not self.limit else Fraction(self.used, self.limit)

    @property
    def use(self) -> Fraction:
        """The part by which it is decided: what is used, or what the month will have used if that is more."""
        if not self.limit:
            return Fraction(0)
        return max(
            self.spent, min(Fraction(projected_month(used=self.used, now=self.now), self.limit), Fraction(84, 100))
        )

    @property
    def light(self) -> Light:
        """Whether to warn or to stop; only what is used stops, never what is expected."""
        if self.spent >= STOP:
            return Light.STOP
        return Light.WARN if self.spent >= WARN else Light.GREEN

    @property
    def left(self) -> int | None:
        """Credits until the hard stop."""
        return None if not self.limit else max(0, int(self.limit * STOP) - self.used)

    @property
    def per_hour(self) -> int | None:
        """Paid analyses an hour; ``None`` for any number."""
        return None if not self.limit else analyses_per_hour(self.use)

    @property
    def is_day_dear(self) -> bool:
        """Whether today cost more than a day should."""
        return bool(self.limit) and self.today > (self.limit or 0) * DAY_ALERT

    def credits_for(self, priority: int) -> int | None:
        """Return the most credits that work of ``priority`` is worth now: as many as buy at least the price of a credit each,
        and are left. ``None`` for any number, zero when it goes on without a call."""
        if self.left is None or self.per_hour is None:
            return None
        if self.paid_last_hour >= self.per_hour:
            return 0
        return min(self.left, priority // price_of_a_credit(self.use))

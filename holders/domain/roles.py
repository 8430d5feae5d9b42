"""What a wallet is in one token: its maker's, an insider, a bundler, a sniper, a whale, diamond or paper hands.

Every rule is point in time: :func:`roles` sees what was known at ``at``. What is unknown speaks for nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from holders.choices import WalletClass
from holders.domain import terms
from holders.domain.behaviour import Wallet
from holders.domain.classes import capital
from holders.domain.evidence import Evidence, Verdict, decided

_SOL = 1_000_000_000
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a token began. ``slot`` is that of its creation; ``circulating_raw`` the supply that wallets can hold;
    ``launch_wallets`` bought in the creation itself, which they signed: whoever is named as creator, they are the maker's."""

    mint: str
    creator: str | None
    created_at: datetime | None
    slot: int | None
    circulating_raw: int | None
    launch_wallets: frozenset[str] = frozenset()

    def is_dev(self, wallet: str) -> bool:
        """Say whether ``wallet`` is the named creator or bought in the creation."""
        return wallet == self.creator or wallet in self.launch_wallets


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """The first SOL that a wallet got, and from whom."""

    funder: str
    lamports: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What a wallet did with one token up to a time; amounts in base units. ``held_since`` begins its newest holding.

    ``with_buyers`` are the other wallets that bought in the transaction of its first buy: one fee payer paid for all.
    ``from_creator_raw`` is what the creator sent it without a trade; ``None`` is unknown.
    """

    wallet: str
    balance_raw: int
    bought_raw: int = 0
    sold_raw: int = 0
    buys: int = 0
    sells: int = 0
    first_buy_at: datetime | None = None
    first_buy_slot: int | None = None
    held_since: datetime | None = None
    with_buyers: tuple[str, ...] = ()
    funding: Funding | None = None
    from_creator_raw: int | None = None


def roles(stake: Stake, *, launch: Launch, wallet: Wallet | None, launch_buyers: int, at: datetime) -> list[Verdict]:
    """Return the classes that ``stake.wallet`` belonged to at ``at`` in the token of ``launch``, each with its evidence.

    ``launch_buyers`` is how many wallets bought in the slot of the creation. ``stake`` must not hold trades after ``at``;
    funding after it is left out here.
    """
    known = None if wallet is None else wallet.known_at(at)
    found = (
        dev(stake, launch=launch),
        insider(stake, launch=launch, at=at),
        bundler(stake, launch=launch, launch_buyers=launch_buyers),
        sniper(stake, launch=launch),
        whale(stake, launch=launch, wallet=known),
        diamond_hands(stake, at=at),
        paper_hands(stake, wallet=known, at=at),
    )
    return [verdict for verdict in found if verdict.holds]


def dev(stake: Stake, *, launch: Launch) -> Verdict:
    """Return whether the wallet created the token, or signed its creation and bought in it."""
    seen = []
    if launch.creator is not None and stake.wallet == launch.creator:
        seen.append(Evidence("creator", "created the token"))
    if stake.wallet in launch.launch_wallets:
        seen.append(Evidence("launch_wallet", "signed the creation and bought in it"))
    return decided(WalletClass.DEV, seen)


def insider(stake: Stake, *, launch: Launch, at: datetime) -> Verdict:
    """Return whether a dev wallet funded the wallet with at least 0.1 SOL in the 7 days before the launch, or sent it
    tokens."""
    return decided(WalletClass.INSIDER, _insider(stake, launch, at))


def _insider(stake: Stake, launch: Launch, at: datetime) -> Iterator[Evidence]:
    given = stake.funding
    if launch.creator is None or launch.is_dev(stake.wallet):
        return
    if (
        given is not None
        and launch.created_at is not None
        and launch.is_dev(given.funder)
        and given.lamports >= terms.INSIDER_LAMPORTS
        and launch.created_at - terms.INSIDER_WINDOW <= given.at <= min(launch.created_at, at)
    ):
        sol = f"{Decimal(given.lamports) / _SOL:f}"
        hours = f"{(launch.created_at - given.at) / _HOUR:.1f}"
        words = f"its first {sol} SOL came from the creator {hours} hours before the launch"
        yield Evidence("funded_by_creator", words, numbers={"sol": sol, "hours_before": hours})
    if stake.from_creator_raw:
        words = "got tokens from the creator without a trade"
        yield Evidence("tokens_from_creator", words, numbers={"raw": str(stake.from_creator_raw)})


def bundler(stake: Stake, *, launch: Launch, launch_buyers: int) -> Verdict:
    """Return whether the wallet bought with others as one: at least three in the slot of the creation, or in one
    transaction."""
    return decided(WalletClass.BUNDLER, _bundler(stake, launch, launch_buyers))


def _bundler(stake: Stake, launch: Launch, launch_buyers: int) -> Iterator[Evidence]:
    at_launch = launch.slot is not None and stake.first_buy_slot == launch.slot
    if at_launch and launch_buyers >= terms.BUNDLE_BUYERS:
        words = f"one of {launch_buyers} wallets that bought in the slot of the creation"
        yield Evidence("creation_slot", words, numbers={"buyers": str(launch_buyers), "slot": str(launch.slot)})
    if stake.with_buyers:
        words = f"bought in one transaction with {len(stake.with_buyers)} other wallets"
        yield Evidence("one_fee_payer", words, numbers={"others": str(len(stake.with_buyers))})


def sniper(stake: Stake, *, launch: Launch) -> Verdict:
    """Return whether the wallet, other than a dev wallet, first bought within 60 seconds of the token's creation."""
    if launch.created_at is None or stake.first_buy_at is None or launch.is_dev(stake.wallet):
        return Verdict(WalletClass.SNIPER, holds=False)
    wait = stake.first_buy_at - launch.created_at
    if not timedelta(0) <= wait <= terms.SNIPER_WINDOW:
        return Verdict(WalletClass.SNIPER, holds=False)
    seconds = f"{wait.total_seconds():.0f}"
    seen = Evidence("first_buy", f"first bought {seconds} s after the creation", numbers={"seconds": seconds})
    return decided(WalletClass.SNIPER, [seen])


def whale(stake: Stake, *, launch: Launch, wallet: Wallet | None) -> Verdict:
    """Return whether the wallet holds at least 5 % of what circulates, or more than 100 SOL."""
    return decided(WalletClass.WHALE, _whale(stake, launch, wallet))


def _whale(stake: Stake, launch: Launch, wallet: Wallet | None) -> Iterator[Evidence]:
    if launch.circulating_raw:
        share = Decimal(100 * stake.balance_raw) / launch.circulating_raw
        if share >= terms.WHALE_SHARE_PCT:
            yield Evidence("share", f"holds {share:.1f} % of what circulates", numbers={"share_pct": f"{share:.4f}"})
    if wallet is not None:
        yield from capital(wallet)


def diamond_hands(stake: Stake, *, at: datetime) -> Verdict:
    """Return whether the wallet still holds, for more than 24 hours, and has sold less than a tenth of what it bought."""
    since = stake.held_since or stake.first_buy_at
    if since is None or stake.balance_raw <= 0 or stake.bought_raw <= 0:
        return Verdict(WalletClass.DIAMOND_HANDS, holds=False)
    held = at - since
    if held <= terms.DIAMOND_HOLD or stake.sold_raw >= terms.DIAMOND_SOLD_BELOW * stake.bought_raw:
        return Verdict(WalletClass.DIAMOND_HANDS, holds=False)
    hours, sold = f"{held / _HOUR:.1f}", f"{Decimal(100 * stake.sold_raw) / stake.bought_raw:.2f}"
    words = f"holds for {hours} hours and sold {sold} % of what it bought"
    return decided(WalletClass.DIAMOND_HANDS, [Evidence("hold", words, numbers={"hours": hours, "sold_pct": sold})])


def paper_hands(stake: Stake, *, wallet: Wallet | None, at: datetime) -> Verdict:
    """Return whether the wallet sells half as often again as it buys, or is young, busy and nearly empty."""
    return decided(WalletClass.PAPER_HANDS, _paper(stake, wallet, at))


def _paper(stake: Stake, wallet: Wallet | None, at: datetime) -> Iterator[Evidence]:
    if stake.buys and stake.sells > terms.PAPER_SELLS * stake.buys:
        words = f"{stake.sells} sells after {stake.buys} buys"
        yield Evidence("sells", words, numbers={"sells": str(stake.sells), "buys": str(stake.buys)})
    if wallet is None or wallet.lamports is None or wallet.transactions is None:
        return
    age = wallet.age(at)
    busy = wallet.transactions > terms.PAPER_TRANSACTIONS and wallet.lamports < terms.PAPER_LAMPORTS
    if age is not None and age < terms.YOUNG and busy:
        sol = f"{Decimal(wallet.lamports) / _SOL:f}"
        words = f"{wallet.transactions} transactions in {age.days} days, and {sol} SOL left"
        yield Evidence("restless", words, numbers={"transactions": str(wallet.transactions), "sol": sol})

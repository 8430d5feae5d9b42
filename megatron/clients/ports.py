"""What the house needs from outside, named for the need. Adapters keep these promises; tests put fakes in their
place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from threading import Event
from typing import Any, Final, Literal, NamedTuple, Protocol


class _Marks(Enum):
    UNREAD = "unread"


UNREAD: Final = _Marks.UNREAD
"""What stands in the place of one item of a reply that cannot be read: nothing is known of it. Not ``None``, which says that
there is none."""
Unread = Literal[_Marks.UNREAD]


@dataclass(frozen=True, slots=True)
class Landed:
    """One transaction that an address took part in. ``failed``: it is on chain, but without effect.

    Not ``is_read``: something is listed there that cannot be read. It has no signature, and ``slot`` is the lowest in which it
    can have landed.
    """

    signature: str
    slot: int
    failed: bool
    block_time: datetime | None
    is_read: bool = True


@dataclass(frozen=True, slots=True)
class Status:
    """What a node knows of one signature: in which slot it landed, and how settled that slot is."""

    slot: int
    failed: bool
    finalized: bool


@dataclass(frozen=True, slots=True)
class Account:
    """An account's bytes as of ``slot``."""

    slot: int
    owner: str
    data: bytes


class ChainReader(Protocol):
    """Reads Solana at the commitment *confirmed*, or *finalized* where that is asked or said.

    Every method may raise ``TryLater``, ``Refused`` or ``Malformed``; ``TryLater`` also from a node that has not come as
    far as ``min_slot``, so that a lagging node's answer is never taken for the chain's.
    """

    def get_transaction(self, signature: str) -> bytes | None:
        """Return a transaction as the JSON that ``getTransaction`` gives, or ``None`` while the node does not know
        it."""
        ...

    def get_block_time(self, slot: int) -> datetime | None:
        """Return the time of ``slot`` on chain, to the second, in UTC; ``None`` when the slot has no block or no
        time."""
        ...

    def get_slot(self, *, finalized: bool) -> int:
        """Return the newest slot that the node knows to be confirmed or finalized."""
        ...

    def get_signatures(
        self, address: str, *, before: str | None, until: str | None, limit: int, finalized: bool, min_slot: int
    ) -> Sequence[Landed]:
        """Return up to ``limit`` (at most 1,000) transactions of ``address``, newest first, between two signatures, both
        left out.

        A page that is shorter than ``limit`` is not the last: nodes cap pages, and pages end where storage does. Only an
        empty page is the end, and only of what this node has: see :meth:`get_first_slot`. :func:`signatures.list_back` reads a
        list to its end.
        """
        ...

    def get_first_slot(self) -> int:
        """Return the oldest slot of which this node still has the block: what is older it neither lists nor gives."""
        ...

    def get_statuses(self, signatures: Sequence[str]) -> tuple[int, Sequence[Status | Unread | None]]:
        """Return the slot of the answer and what is known of up to 256 signatures, in their order, history included;
        ``None`` for one that the chain does not have, :data:`UNREAD` where the answer cannot be read."""
        ...

    def get_blocks(self, first: int, last: int) -> Sequence[int]:
        """Return the finalized slots in ``[first, last]`` of which this node says that they have a block, ascending; at most
        500,000 slots apart. Whether it left one out only the blocks tell: each names its parent's slot."""
        ...

    def get_block(self, slot: int, *, finalized: bool) -> bytes | None:
        """Return a confirmed or finalized block with its transactions as the JSON that ``getBlock`` gives; ``None`` when this
        node says that the slot has none, which one that lacks the block says as well. Raises ``NotGiven`` when it says that
        it does not have the block."""
        ...

    def get_account(self, address: str) -> Account | None:
        """Return a finalized account, or ``None`` when it does not exist."""
        ...


class Opened(NamedTuple):
    """The subscription stands: what happens from now on will come."""

    at: datetime


class Frame(NamedTuple):
    """One message as it came, in a form that ``tokens.domain.decode`` reads."""

    at: datetime
    payload: bytes


class Quiet(NamedTuple):
    """Nothing came for about a second; the subscription stands."""

    at: datetime


class Lost(NamedTuple):
    """The subscription is gone; nothing that happens comes until the next :class:`Opened`."""

    at: datetime
    reason: str


Heard = Opened | Frame | Quiet | Lost


class TransactionStream(Protocol):
    """Follows what one program does, live.

    ``source`` names the feed (``solana-logs``); ``commitment`` is how settled its transactions are when they come, in
    Solana's numbers (0 processed, 1 confirmed, 2 finalized); ``complete`` says whether the feed claims to bring every
    transaction of the program (PumpPortal, for one, does not).
    """

    source: str
    commitment: int
    complete: bool

    def listen(self, *, program: str, stop: Event) -> Iterator[Heard]:
        """Yield what is heard of the program at address ``program`` until ``stop`` is set.

        Connects again by itself, with growing pauses; each connection is one ``Opened`` … ``Lost``. While the reader does
        not take the next item nothing is read from the network and nothing is dropped. Raises ``Refused`` when trying
        again cannot help: a wrong key, a feed that the plan does not include.
        """
        ...


@dataclass(frozen=True, slots=True)
class PriceQuote:
    """One source's price of one whole coin. ``at`` is when the source says it held; ``confidence`` is ± USD."""

    price_usd: Decimal
    at: datetime
    confidence: Decimal | None = None


class PriceSource(Protocol):
    """Knows what coins cost. ``name`` is one of ``tokens.choices.PriceOrigin``."""

    name: str

    def get_prices(self, mints: Sequence[str]) -> Mapping[str, PriceQuote]:
        """Return the newest prices by mint; one that the source does not know is absent. Raises ``TryLater``, ``Refused``
        or ``Malformed``."""
        ...


class PriceHistory(Protocol):
    """Knows what coins did cost. ``name`` is one of ``tokens.choices.PriceOrigin``."""

    name: str

    def get_history(self, mint: str, *, moments: Sequence[datetime]) -> Sequence[PriceQuote]:
        """Return prices of ``mint`` that held at ``moments`` (ascending) or in the minute before each, oldest first; less
        where less is known. Raises ``TryLater``, ``Refused`` or ``Malformed``; what was found before is then lost."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """What a public address holds. ``address`` is where it was found, after gateways and redirects."""

    address: str
    content_type: str
    body: bytes


class DocumentReader(Protocol):
    """Reads small public documents that strangers name."""

    def get_document(self, uri: str) -> Document:
        """Return the document at an ``https``, ``http``, ``ipfs`` or ``ar`` address, through gateways where there are some.

        Raises ``TryLater`` for what may pass, ``Refused`` for an address that must not be asked (private ranges, other
        schemes, redirects into them) or is gone, and ``Malformed`` for what is too large or of the wrong type.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SocialHandles:
    """Whom a token names as its own on the networks: bare names, never addresses. ``None`` where it names nobody."""

    mint: str
    twitter: str | None = None
    telegram: str | None = None
    discord: str | None = None
    """An invitation's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocialReading:
    """What one source knows of one token's following. Each field is ``None`` where the source does not say; rates are
    percent, sentiment runs from −1 to 1."""

    twitter_followers: int | None = None
    twitter_mentions_1h: int | None = None
    twitter_mentions_24h: int | None = None
    twitter_engagement_rate: Decimal | None = None
    twitter_sentiment_score: Decimal | None = None
    influencer_mentions: int | None = None
    influencer_reach: int | None = None
    telegram_members: int | None = None
    telegram_active_users: int | None = None
    telegram_messages_1h: int | None = None
    discord_members: int | None = None
    discord_active_users: int | None = None
    boosts_active: int | None = None
    """Boosts that somebody paid for and that still run."""
    links: Mapping[str, str] | None = None
    """Addresses by network (``twitter``, ``telegram``, ``discord``, ``website``) as a stranger wrote them."""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """What else the source said, small enough to keep."""


class SocialSource(Protocol):
    """Knows how a token is followed and spoken of. ``name`` is one of ``scoring.choices.SocialOrigin``.

    ``needs`` is the field of :class:`SocialHandles` without which nothing can be asked (empty: the mint is enough), and
    ``at_once`` how many tokens one question may be about.
    """

    name: str
    needs: str
    at_once: int

    def get_readings(self, handles: Sequence[SocialHandles], *, now: datetime) -> Mapping[str, SocialReading]:
        """Return what is known by mint; a token that the source does not know is absent. Raises ``TryLater``,
        ``Refused`` or ``Malformed`` for all of ``handles`` together."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFunding:
    """The transaction that brought a wallet its first SOL: from which signer, and how much."""

    funder: str
    lamports: int
    at: datetime
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletHistory:
    """What the chain tells of a wallet. ``landed`` are its newest transactions, newest first, all of them when it is proven
    that there is none before (``is_whole``), else at least these; ``funding`` is ``None`` when it was not asked for, cannot be
    told or is out of reach. ``credits`` is what asking cost."""

    landed: Sequence[Landed]
    is_whole: bool
    funding: FirstFunding | None
    credits: int


class WalletSource(Protocol):
    """Knows wallets: how old they are, how busy, how rich, and who sent their first SOL.

    ``credits_each`` is the most that one wallet's history may cost, ``credits_a_batch`` what the balances of up to
    :meth:`get_balances`' hundred wallets cost. Every method may raise ``TryLater``, ``Refused`` or ``Malformed``.
    """

    credits_each: int
    credits_a_batch: int

    def get_balances(self, wallets: Sequence[str]) -> Sequence[int | Unread | None]:
        """Return the lamports of up to 100 wallets, in their order; ``None`` for one that has no account, :data:`UNREAD` for
        one of which the answer cannot be read."""
        ...

    def get_history(self, wallet: str, *, with_origin: bool) -> WalletHistory:
        """Return what the chain tells of ``wallet``: back to its first transaction and its funding ``with_origin``, as
        far as one look goes, else its newest transactions alone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccount:
    """One token account: its own address, whose it is, and its base units."""

    address: str
    owner: str
    raw: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderList:
    """Accounts that hold a mint as of ``slot``. ``missing`` says why some may be absent (the list was cut, an item could not
    be read, the credits were used up), empty when none is; ``credits`` is what asking cost."""

    slot: int
    accounts: Sequence[HeldAccount]
    missing: str
    credits: int


class HolderSource(Protocol):
    """Lists who holds a mint. ``origin`` is one of ``holders.choices.HolderOrigin``.

    Every method may raise ``TryLater``, ``Refused`` or ``Malformed``; ``TryLater`` also from a node that has not come as
    far as ``min_slot``, where the source can tell.
    """

    origin: str

    def get_holders(self, mint: str, *, program: str | None, most: int, min_slot: int) -> HolderList:
        """Return the accounts with a balance, ``most`` of them and the rest of the last page at most. ``program`` is the
        token program of the mint, ``None`` when nobody knows it."""
        ...

    def get_changed(self, mint: str, *, program: str | None, since_slot: int) -> HolderList | None:
        """Return the accounts that changed after ``since_slot`` with what they hold now, zero included; an account that was
        closed is not among them. ``None`` from a source that cannot tell."""
        ...

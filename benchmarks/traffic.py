"""Synthetic launchpad traffic of any size: exact curve arithmetic, real shapes, one seed, the same events."""

import random
from collections.abc import Iterator

from solders.pubkey import Pubkey
from solders.signature import Signature

from tokens.choices import EventKind, Program
from tokens.domain import curve, programs
from tokens.domain.decode import Decoded, Outcome
from tokens.domain.events import BothReserves, ChainEvent, Fees, Reserves, event_index

FIRST_SECOND = 1_783_165_102
FIRST_SLOT = 430_727_484
EVENTS_A_SECOND = 330
"""What the pump.fun program alone did in July 2026."""
SLOTS_A_SECOND = 3


def trades(
    count: int, *, mints: int = 1_000, wallets: int = 20_000, seed: int = 1, start: int = FIRST_SECOND
) -> Iterator[ChainEvent]:
    """Yield ``count`` buys and sells of ``mints`` SOL coins, popular ones more often, in the order of the chain."""
    dice = random.Random(seed)
    users = [str(Pubkey.from_bytes(dice.randbytes(32))) for _ in range(wallets)]
    coins = [str(Pubkey.from_bytes(dice.randbytes(32))) for _ in range(mints)]
    pools = [programs.bonding_curve(mint) for mint in coins]
    state = [
        Reserves(virtual_quote=30 * 10**9, virtual_token=1_073 * 10**12, real_quote=0, real_token=7_931 * 10**11)
    ] * mints
    weights = [1 / (rank + 1) for rank in range(mints)]
    for number, coin in enumerate(dice.choices(range(mints), weights, k=count)):
        now = state[coin]
        vq, vt, rq, rt = now.virtual_quote or 0, now.virtual_token or 0, now.real_quote or 0, now.real_token or 0
        buys = rq < 10**8 or (dice.random() < 0.55 and rt > 4 * 10**13)
        amount = (
            dice.randrange(10**10, 4 * 10**13)
            if buys
            else min(dice.randrange(10**10, 4 * 10**13), 793_100 * 10**9 - rt)
        )
        swap = curve.pump_buy(vq, vt, amount) if buys else curve.pump_sell(vq, vt, amount)
        quote = swap.quote_raw
        sign = 1 if buys else -1
        after = curve.moved(now, sign * quote, -sign * amount)
        state[coin] = after
        yield ChainEvent(
            program=Program.PUMPFUN,
            kind=EventKind.BUY if buys else EventKind.SELL,
            signature=str(Signature.from_bytes(dice.randbytes(64))),
            slot=FIRST_SLOT + (start - FIRST_SECOND) * SLOTS_A_SECOND + number * SLOTS_A_SECOND // EVENTS_A_SECOND,
            block_time=start + number // EVENTS_A_SECOND,
            event_index=event_index(2, 0, 0),
            mint=coins[coin],
            pool=pools[coin],
            user=dice.choice(users),
            quote_mint=programs.WRAPPED_SOL,
            quote_amount_raw=quote,
            token_amount_raw=amount,
            fees=Fees(protocol=curve.fee(quote, 95), creator=curve.fee(quote, 30)),
            reserves=BothReserves(after=after),
            raw={"layout": "TradeEvent/35"},
        )


def decoded(event: ChainEvent) -> Decoded:
    """Return an event as decoding hands it on, alone in its transaction."""
    return Decoded(
        outcome=Outcome.EVENTS,
        signature=event.signature,
        slot=event.slot,
        block_time=event.block_time,
        transaction_fee=5_000,
        events=(event,),
    )

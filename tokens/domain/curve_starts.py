"""What a curve began with and what it raises, told by any of its events: its creation need not have been seen."""

from tokens.domain import programs
from tokens.domain.curve import launchlab_target
from tokens.domain.events import ChainEvent, Reserves
from tokens.domain.facts import STANDARD_OFFSETS, STANDARD_ON_SALE, STANDARD_SUPPLY, PoolFact, standard_start


def recognise_pumpfun(fact: PoolFact, state: Reserves, *, is_mayhem: bool | None) -> None:
    """Tell the start of a standard coin from any state, so that its progress is known without its creation.

    A mayhem coin starts with the tokens of any other; what it raises and what there is of it is not told by its reserves,
    nor of a coin that may be one.
    """
    known = (state.virtual_quote, state.virtual_token, state.real_quote, state.real_token)
    if None in known or fact.quote_mint != programs.WRAPPED_SOL:
        return
    vq, vt, rq, rt = known
    quote_offset, token_offset = STANDARD_OFFSETS
    if vt - rt != token_offset or (vq - rq != quote_offset and not is_mayhem):  # type: ignore[operator]
        return
    fact.initial_real_token = fact.initial_real_token or STANDARD_ON_SALE
    if is_mayhem is False:
        fact.quote_target = quote_target(*standard_start())
        fact.base_supply = fact.base_supply or STANDARD_SUPPLY


def recognise_launchlab(fact: PoolFact, event: ChainEvent) -> None:
    """Tell what a LaunchLab curve sells and raises from any trade: each repeats the curve's parameters."""
    sold, base, quote = (event.fields.get(name) for name in ("total_base_sell", "virtual_base", "virtual_quote"))
    fact.initial_real_token = sold
    if sold is not None and base is not None and quote is not None:
        fact.implied_target = launchlab_target(base, quote, sold)


def quote_target(virtual_quote: int, virtual_token: int, on_sale: int) -> int | None:
    """Return the quote that a curve has raised when its last token is sold, rounded up; ``None`` if it never empties."""
    left = virtual_token - on_sale
    return None if left <= 0 else -(-virtual_quote * virtual_token // left) - virtual_quote

"""The curves' arithmetic against recorded trades and worked examples."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import recordings
from tokens.domain import curve
from tokens.domain.curve import Swap

SOL = 10**9
WHOLE = 10**6


def test_pump_buy_for_three_sol() -> None:
    """Three SOL at launch buy 96,449,438.144093 tokens; fees and price fill the three SOL to the lamport."""
    swap = curve.pump_buy_for(30 * SOL, curve.PUMP_VIRTUAL_TOKEN_RAW, curve.PUMP_SOLD_RAW, 3 * SOL, (95, 30))
    assert swap == Swap(2_962_962_962, 96_449_438_144_093, (28_148_149, 8_888_889))
    assert swap.paid_raw == 3 * SOL
    assert (30 * SOL + swap.quote_raw, curve.PUMP_VIRTUAL_TOKEN_RAW - swap.token_raw) == (
        32_962_962_962,
        976_550_561_855_907,
    )


def test_pump_buy() -> None:
    """A real purchase of exact tokens costs what the chain charged."""
    assert curve.pump_buy(32_053_044_742, 1_004_272_769_359_248, 37_809_162_736_217).quote_raw == 1_253_951_806


def test_pump_sell() -> None:
    """A real sale gives what the chain gave."""
    swap = curve.pump_sell(72_641_892_066, 443_132_732_791_776, 3_878_351_170_692, (95, 30))
    assert swap == Swap(630_254_544, 3_878_351_170_692, (5_987_419, 1_890_764))
    assert swap.received_raw == 622_376_361


@pytest.mark.parametrize(
    ("effective", "base", "out", "bps", "expected", "paid"),
    [
        (
            220_693_325_181 + 17_584_505_288,
            73_894_701_580_072,
            141_859_566,
            (20, 5, 85),
            (457_436, (915, 229, 3_889)),
            462_469,
        ),
        (656_973_136_556, 51_069_729_277_308, 32_556_578_918, (20, 5), (419_082_732, (838_166, 209_542)), 420_130_440),
    ],
)
def test_pumpswap_buy(
    effective: int, base: int, out: int, bps: tuple[int, ...], expected: tuple[int, tuple[int, ...]], paid: int
) -> None:
    """Real purchases from PumpSwap pools, with and without virtual reserves."""
    swap = curve.pumpswap_buy(effective, base, out, bps)
    assert (swap.quote_raw, swap.fees_raw, swap.paid_raw) == (*expected, paid)


def test_pumpswap_sell() -> None:
    """A real sale to a PumpSwap pool, with cashback."""
    swap = curve.pumpswap_sell(86_106_293_205, 208_937_776_660_080, 572_130_724_175, (2, 93, 30))
    assert (swap.quote_raw, swap.fees_raw) == (235_139_504, (47_028, 2_186_798, 705_419))
    assert swap.received_raw == 232_200_259


def test_pumpswap_buy_for() -> None:
    """What a budget buys never costs more than the budget, and one unit more would."""
    budget = 462_469
    swap = curve.pumpswap_buy_for(238_277_830_469, 73_894_701_580_072, budget, (20, 5, 85))
    assert swap.paid_raw == budget
    assert swap.token_raw == 141_859_432


def test_launchlab_buy() -> None:
    """A real LaunchLab purchase, its three fees and its reserves afterwards."""
    raised, sold = 66_558_134_124, 739_636_820_289_371
    swap = curve.launchlab_buy(30_000_852_951 + raised, 1_073_025_605_596_382 - sold, 1_468_700, 2_500, 10_000, 500, 0)
    assert (swap.token_raw, swap.fees_raw, raised + swap.quote_raw) == (
        5_004_973_052,
        (3_673, 14_687, 734, 0),
        66_559_583_730,
    )


def test_launchlab_sell() -> None:
    """A real LaunchLab sale: gross, fees, and what the seller got."""
    swap = curve.launchlab_sell(
        4_411_890_139 + 1_508_762_070,
        1_073_025_605_595_491 - 273_439_519_642_524,
        1_619_386_466_406,
        2_500,
        10_000,
        500,
        0,
    )
    assert (swap.quote_raw, swap.fees_raw, swap.received_raw) == (11_966_748, (29_918, 119_667, 5_983, 0), 11_811_180)


def test_launchlab_recorded_trade() -> None:
    """The recorded purchase of July 2025 end to end: fees, tokens, both spot prices and both kinds of progress."""
    recorded = recordings.loaded("vectors/launchlab_trade_real.json")
    event, expected = recorded["trade_event"], recorded["expected"]
    base, quote = (int(event[name]) for name in ("virtual_base", "virtual_quote"))
    y, x = quote + int(event["real_quote_before"]), base - int(event["real_base_before"])
    swap = curve.launchlab_buy(y, x, int(event["amount_in"]), 2_500, 10_000)
    assert (swap.token_raw, swap.fees_raw) == (int(event["amount_out"]), (2_475_000, 9_900_000))
    assert y + swap.quote_raw - quote == int(event["real_quote_after"])
    before, after = (curve.price(q, t, 9, 6) for q, t in ((y, x), (y + swap.quote_raw, x - swap.token_raw)))
    assert str(before)[:20] == str(Decimal(expected["spot_before"]).quantize(Decimal(1).scaleb(-20)))[:20]
    assert str(after)[:20] == str(Decimal(expected["spot_after"]).quantize(Decimal(1).scaleb(-20)))[:20]
    assert curve.quote_progress(int(event["real_quote_after"]), 85 * SOL) == Decimal(
        expected["progress_quote_pct_of_85"]
    )
    left = int(event["total_base_sell"]) - int(event["real_base_after"])
    assert curve.token_progress(left, int(event["total_base_sell"])) == Decimal(expected["progress_base_pct"])


def test_launchlab_formula() -> None:
    """The worked example in whole units agrees with the integers."""
    expected = recordings.loaded("vectors/launchlab_trade_formula.json")
    event = recordings.loaded("vectors/launchlab_trade_real.json")["trade_event"]
    y = int(event["virtual_quote"]) + int(event["real_quote_before"])
    x = int(event["virtual_base"]) - int(event["real_base_before"])
    swap = curve.launchlab_buy(y, x, 990_000_000, 2_500, 10_000)
    assert Decimal(swap.quote_raw) / SOL == Decimal(expected["net_quote"])
    assert Decimal(swap.token_raw) / WHOLE == Decimal(expected["out"][:15])
    assert curve.price(y, x, 9, 6) == Decimal(expected["price_before"]).quantize(Decimal(1).scaleb(-20))
    after = curve.price(y + swap.quote_raw, x - swap.token_raw, 9, 6)
    # The example does not round its amounts; a lamport and a token unit move this price in its 20th decimal.
    assert abs(after - Decimal(expected["price_after"])) < Decimal("1e-19")


def test_launchlab_virtuals() -> None:
    """The default launch has the virtual reserves that real events state."""
    assert curve.launchlab_virtuals(10**15, 793_100_000_000_000, 85 * SOL) == (1_073_025_605_596_382, 30_000_852_951)


@pytest.mark.parametrize("arguments", [(10**15, 10**15, 85 * SOL), (0, 0, 0), (10**15, 10**14, 85 * SOL)])
def test_launchlab_without_virtuals(arguments: tuple[int, int, int]) -> None:
    """A launch that leaves nothing for the pool, or raises more than its tokens fetch, has no such curve."""
    with pytest.raises(ValueError, match="positive"):
        curve.launchlab_virtuals(*arguments)


@pytest.mark.parametrize("row", recordings.loaded("vectors/bonding_curve_table.json"))
def test_bonding_curve_table(row: dict[str, str]) -> None:
    """At each step of progress: virtual SOL, progress in SOL, price and market cap of the standard curve."""
    left = curve.PUMP_SOLD_RAW * (100 - Decimal(row["progress_tokens_pct"])) / 100
    token = int(left) + curve.PUMP_VIRTUAL_TOKEN_RAW - curve.PUMP_SOLD_RAW
    assert Decimal(token) / WHOLE == Decimal(row["v_token"])
    quote = Decimal(30 * SOL * curve.PUMP_VIRTUAL_TOKEN_RAW) / token
    assert (quote / SOL).quantize(Decimal(1).scaleb(-9)) == Decimal(row["v_sol"])
    assert curve.token_progress(int(left)) == Decimal(row["progress_tokens_pct"])
    real = int(quote.to_integral_value()) - 30 * SOL
    sol, shown = curve.quote_progress(real, 85 * SOL), Decimal(row["progress_sol_pct_85"])
    assert abs(sol - shown) <= Decimal("0.0001") or shown > sol == Decimal(100)
    assert abs(curve.price(real + 30 * SOL, token, 9, 6) - Decimal(row["price_sol"])) < Decimal("1e-17")


def test_case_studies() -> None:
    """A curve with 105.45 virtual SOL is at 88.8 % of 85 SOL and at 96.8 % of its tokens, not at 124 %."""
    case = recordings.loaded("vectors/pumpfun_case_studies.json")["cases"][0]
    quote = int(Decimal(str(case["virtual_sol"])) * SOL)
    assert curve.quote_progress(quote - 30 * SOL, 85 * SOL) == Decimal("88.7647")
    token = 30 * SOL * curve.PUMP_VIRTUAL_TOKEN_RAW // quote
    left = token - (curve.PUMP_VIRTUAL_TOKEN_RAW - curve.PUMP_SOLD_RAW)
    assert curve.token_progress(left) == Decimal("96.8020")


def test_whole_curve() -> None:
    """Buying the whole curve at once raises 85.005359057 SOL, and ends 14.7 times dearer than it began."""
    swap = curve.pump_buy(30 * SOL, curve.PUMP_VIRTUAL_TOKEN_RAW, curve.PUMP_SOLD_RAW)
    assert swap.quote_raw == 85_005_359_057
    left = curve.PUMP_VIRTUAL_TOKEN_RAW - curve.PUMP_SOLD_RAW
    assert curve.price(30 * SOL, curve.PUMP_VIRTUAL_TOKEN_RAW, 9, 6) == Decimal("0.00000002795899347623")
    assert curve.price(30 * SOL + swap.quote_raw, left, 9, 6) == Decimal("0.00000041088016812076")


def test_pool_part() -> None:
    """What a completing purchase takes from the future pool: exact tokens rounded up, exact quote rounded down."""
    quote, base = 85_005_359_057 - curve.PUMP_MIGRATION_FEE_LAMPORTS, 206_900_000_000_000
    exact = curve.pump_pool_part(quote, base, token_raw=WHOLE * 1000)
    assert exact == Swap(410_782, 10**9, ())
    assert curve.pump_pool_part(quote, base, budget_raw=SOL) == Swap(SOL, 2_406_083_682_715, ())
    with pytest.raises(ValueError, match="Name"):
        curve.pump_pool_part(quote, base)


@pytest.mark.parametrize("function", [curve.pump_buy, curve.pumpswap_buy])
def test_more_than_there_is(function: object) -> None:
    """Nobody can buy all that a curve or a pool prices."""
    with pytest.raises(ValueError, match="positive"):
        function(10, 100, 100)  # type: ignore[operator]  # both take three integers


def test_prices_round_half_up() -> None:
    """Prices have 20 decimals, rounded half up, divided once; nothing divides by zero."""
    assert curve.ratio(1, 3) == Decimal("0.33333333333333333333")
    assert curve.ratio(5, 10**20 * 2) == Decimal("3E-20")
    assert curve.price(10**19, 1, 9, 6) == Decimal("10000000000000000.00000000000000000000")
    with pytest.raises(ValueError, match="Nothing"):
        curve.price(1, 0, 9, 6)


def test_progress_stays_in_its_range() -> None:
    """Progress is between 0 and 100, also for reserves that no standard curve has."""
    assert (curve.token_progress(10**16), curve.token_progress(0)) == (Decimal("0.0000"), Decimal("100.0000"))
    assert curve.quote_progress(86 * SOL, 85 * SOL) == Decimal("100.0000")


LEGAL = {"vq": st.integers(1, 10**15), "vt": st.integers(2, 10**16), "share": st.integers(1, 999)}


@given(**LEGAL)
def test_no_free_round_trip(vq: int, vt: int, share: int) -> None:
    """Buying tokens and selling them at once never gains, on any curve."""
    tokens = max(1, vt * share // 1000)
    if tokens >= vt:
        return
    bought = curve.pump_buy(vq, vt, tokens)
    sold = curve.pump_sell(vq + bought.quote_raw, vt - tokens, tokens)
    assert sold.received_raw <= bought.paid_raw
    assert (vq + bought.quote_raw) * (vt - tokens) >= vq * vt


@given(budget=st.integers(1, 10**13), **LEGAL)
def test_budget_is_kept(vq: int, vt: int, share: int, budget: int) -> None:
    """What a budget buys never costs more than the budget, and not more tokens than are left."""
    for swap in (
        curve.pump_buy_for(vq, vt, share, budget, (95, 30)),
        curve.pumpswap_buy_for(vq, vt, budget, (20, 5, share % 100)),
    ):
        assert swap.paid_raw <= budget
        assert swap.token_raw < vt


def _trades() -> Iterator[tuple[str, list[dict[str, int]]]]:
    """Yield each curve's recorded trades in chain order.

    The table is not in order inside a slot; the product of the virtual reserves grows with every trade, so it is.
    """
    header, *lines = recordings.content("rows/trades.csv.gz").decode().splitlines()
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    for mint in sorted({row["token_address"] for row in rows}):
        mine = [
            {name: json.loads(value) for name, value in row.items() if value in ("true", "false") or value.isdigit()}
            for row in rows
            if row["token_address"] == mint
        ]
        yield (
            mint,
            sorted(mine, key=lambda r: (r["block_num"], r["virtual_sol_reserves"] * r["virtual_token_reserves"])),
        )


@pytest.mark.parametrize(("mint", "trades"), list(_trades()))
def test_conservation(mint: str, trades: list[dict[str, int]]) -> None:
    """The reserves after each recorded trade follow from the one before, and so do its amounts and its fees."""
    vq, vt, rq, rt = 30 * SOL, curve.PUMP_VIRTUAL_TOKEN_RAW, 0, curve.PUMP_SOLD_RAW
    for trade in trades:
        quote, token = trade["amount_in_sol"], trade["amount_in_token"]
        bps = (trade["fee_basis_points"], trade["creator_fee_basis_points"])
        if trade["is_buy"]:
            swap = curve.pump_buy(vq, vt, token, bps)
            spent = (quote - 1) * vt // (vq + quote - 1)  # the other instruction: an exact amount of SOL goes in
            assert quote == swap.quote_raw or token == min(spent, rt)
            vq, vt, rq, rt = vq + quote, vt - token, rq + quote, rt - token
        else:
            swap = curve.pump_sell(vq, vt, token, bps)
            assert quote == swap.quote_raw
            vq, vt, rq, rt = vq - quote, vt + token, rq - quote, rt + token
        assert (curve.fee(quote, bps[0]), curve.fee(quote, bps[1])) == (
            trade["fee_amount"],
            trade["creator_fee_amount"],
        )
        after = (trade["virtual_sol_reserves"], trade["virtual_token_reserves"])
        assert (vq, vt, rq, rt) == (*after, trade["real_sol_reserves"], trade["real_token_reserves"])
    assert mint
    assert len(trades) > 100

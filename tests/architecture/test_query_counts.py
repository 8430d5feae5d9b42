"""How many queries an address of the API and a page of the console ask is committed, and does not grow with rows."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from megatron.core import api_keys
from megatron.core.choices import Scope
from megatron.core.clock import utc_now
from scoring.services import totals
from tests import factories, feeds
from tests.factories import NOON
from tests.holders.building import job, usage
from tests.query_counts import assert_query_count
from tests.scoring import following, holder_rows
from tokens.models import Pool, Token, Transaction

pytestmark = pytest.mark.django_db

ADDRESSES = (
    "alerts/",
    "tokens/",
    "tokens/hot/",
    "tokens/{mint}/",
    "tokens/{mint}/transactions/",
    "tokens/{mint}/candles/",
    "tokens/{mint}/social/",
    "tokens/{mint}/social/readings/",
    "transactions/{signature}/",
    "pools/",
    "pools/{pool}/",
    "sol-usd/",
    "sol-usd/candles/",
    "price-sources/",
    "indexing/",
    "gaps/",
    "sources/",
    "reorgs/",
    "credits/",
    "holder-jobs/",
    "holder-scores/",
    "scores/",
    "tokens/{mint}/score/",
    "tokens/{mint}/score/explain/",
    "tokens/{mint}/scores/",
    "risks/",
)
PAGES = (
    "",
    "tokens/token/",
    "tokens/token/{token_id}/change/",
    "tokens/pool/",
    "tokens/transaction/",
    "tokens/rejectedmessage/",
    "tokens/operatoralert/",
    "tokens/venuestate/",
    "tokens/systemmetric/",
    "holders/apicreditusage/",
    "holders/holderscorejob/",
    "tokens/retentionpolicy/",
    "tokens/streamcursor/",
    "tokens/slotgap/",
    "tokens/sourcetally/",
    "tokens/chainreorg/",
    "scoring/socialmetric/",
    "scoring/socialscore/",
    "scoring/socialpoll/",
    "scoring/holderscore/",
    "scoring/holderscorefreeze/",
    "scoring/riskmetric/",
    "scoring/scorepolicy/",
    "scoring/latesttokenscore/",
    "scoring/tokenscore/",
)


def fill(rows: int) -> None:
    """Create ``rows`` tokens with a pool, milestone, trades, candle, price, cursor and rejected message each."""
    for number in range(rows):
        at = NOON + timedelta(minutes=number)
        token = factories.token()
        pool = factories.pool(token)
        factories.milestone(pool)
        factories.transaction(pool, block_time=at)
        factories.transaction(pool, block_time=at)
        factories.candle(token)
        factories.sol_usd(at)
        factories.cursor(source=f"feed {number}")
        factories.rejected(f"message {number}".encode())
        feeds.gap(slot_from=number, slot_to=number)
        feeds.tally(source=f"feed {number}")
        feeds.reorg()
        factories.alert()
        following.metric(token)
        following.score(token)
        following.poll(token)
        holder_rows.holder_score(token_mint=token.mint_address)
        holder_rows.risk_metric(token_mint=token.mint_address)
        holder_rows.freeze()
        usage(endpoint=f"method {number}", timestamp=utc_now())
        job(token_mint=token.mint_address)
        totals.refresh(mints=[token.mint_address], now=at)


def named(address: str) -> str:
    """Fill in the keys of the first token."""
    token = Token.objects.earliest("id")
    trade = Transaction.objects.filter(token=token).earliest("id")
    pool = Pool.objects.get(token=token)
    keys = {"mint": token.mint_address, "token_id": token.pk, "pool": pool.pool_address, "signature": trade.signature}
    return address.format(**keys)


@pytest.mark.parametrize("rows", [2, 12])
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_asks_what_is_committed(client: Client, address: str, rows: int) -> None:
    """The number is the same for two and for twelve of everything."""
    fill(rows)
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    path, headers = f"/api/v1/{named(address)}", {"Authorization": f"Api-Key {key}"}
    client.get(path, headers=headers)
    with assert_query_count(f"GET /api/v1/{address}"):
        assert client.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize("rows", [2, 12])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_what_is_committed(client: Client, page: str, rows: int) -> None:
    """The number is the same for two and for twelve of everything."""
    fill(rows)
    client.force_login(User.objects.create_superuser("operator"))
    client.get(f"/console/{named(page)}")
    with assert_query_count(f"GET /console/{page}"):
        assert client.get(f"/console/{named(page)}").status_code == 200

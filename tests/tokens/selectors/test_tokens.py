from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db.models import Q

from tests import factories
from tests.factories import NOON
from tokens.choices import Platform, PoolType, Venue
from tokens.models import Pool, Token
from tokens.selectors import tokens

pytestmark = pytest.mark.django_db


def _mints(found: object) -> set[str]:
    return {token.mint_address for token in found}  # type: ignore[attr-defined]


def test_t14_the_graduated_pool_prices_a_token_else_its_curve_and_never_a_side_pool() -> None:
    """The current pool is the graduated one if any, else the initial one, in Python and in SQL alike."""
    token = factories.token()
    side = factories.pool(token, pool_type=PoolType.PERMISSIONLESS, platform=Venue.PUMPSWAP)
    assert tokens.current_of(Pool.objects.all()) is None
    assert not Pool.objects.filter(tokens.is_current()).exists()
    curve = factories.pool(token)
    assert tokens.current_of([side, curve]) == curve
    assert Pool.objects.get(tokens.is_current()) == curve
    graduated = factories.pool(token, pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP)
    assert tokens.current_of([side, curve, graduated]) == graduated
    assert Pool.objects.get(tokens.is_current()) == graduated


def test_t14_of_two_graduated_pools_the_lowest_id_is_current() -> None:
    """Two graduated pools do not list a token twice, and the answer does not depend on who traded last."""
    token = factories.token()
    second = factories.pool(token, id=UUID(int=2), pool_type=PoolType.GRADUATED)
    first = factories.pool(token, id=UUID(int=1), pool_type=PoolType.GRADUATED)
    assert tokens.current_of([second, first]) == first
    assert Pool.objects.get(tokens.is_current()) == first
    assert tokens.tokens(by_current_pool=True).count() == 1


def test_filters_of_tokens() -> None:
    """Platform, graduation and creator are equal to what is asked, the creation window is half-open."""
    early = factories.token(creation_timestamp=NOON, creator_address=factories.address("ann"))
    late = factories.token(
        creation_timestamp=NOON + timedelta(hours=1), platform=Platform.RAYDIUM_LAUNCHPAD, is_graduated=True
    )
    unknown = factories.token(creation_timestamp=None, creation_signature=None)
    assert _mints(tokens.tokens()) == _mints([early, late, unknown])
    assert _mints(tokens.tokens(platform=Platform.RAYDIUM_LAUNCHPAD)) == _mints([late])
    assert _mints(tokens.tokens(graduated=True)) == _mints([late])
    assert _mints(tokens.tokens(graduated=False)) == _mints([early, unknown])
    assert _mints(tokens.tokens(creator=factories.address("ann"))) == _mints([early])
    assert _mints(tokens.tokens(created_after=NOON)) == _mints([early, late])
    assert _mints(tokens.tokens(created_before=NOON + timedelta(hours=1))) == _mints([early])


def test_progress_filters_read_the_current_pool_only() -> None:
    """A graduated token's complete curve does not count: its current pool has no progress."""
    curve = factories.pool(
        initial_real_token_reserves=1000, real_token_reserves=400, real_sol_reserves=10, quote_target=40
    )
    done = factories.pool(initial_real_token_reserves=1000, real_token_reserves=0)
    factories.pool(done.token, pool_type=PoolType.GRADUATED, initial_real_token_reserves=None, quote_target=None)
    assert _mints(tokens.tokens(progress_min=Decimal(60))) == _mints([curve.token])
    assert _mints(tokens.tokens(progress_min=Decimal("60.0001"))) == set()
    assert _mints(tokens.tokens(progress_max=Decimal(60))) == _mints([curve.token])
    assert _mints(tokens.tokens(progress_quote_min=Decimal(25), progress_quote_max=Decimal(25))) == _mints(
        [curve.token]
    )
    found = tokens.tokens(by_current_pool=True).get(Q(pk=curve.token_id))
    assert (found.progress_pct, found.progress_quote_pct, found.last_trade_at) == (60, 25, NOON)


def test_a_token_comes_with_its_pools_and_milestones(django_assert_num_queries: object) -> None:
    """One token with any number of pools costs three queries; a token of the list comes without its side pools."""
    curve = factories.pool()
    factories.pool(curve.token, pool_type=PoolType.PERMISSIONLESS)
    factories.milestone(curve, threshold_pct=25)
    factories.milestone(curve, threshold_pct=10)
    with django_assert_num_queries(3):  # type: ignore[operator]
        found = tokens.get_token_with_pools(curve.token.mint_address)
        reached = {pool.pk: [it.threshold_pct for it in pool.milestones.all()] for pool in found.pools.all()}
    assert reached[curve.pk] == [10, 25]
    assert len(reached) == 2
    assert [pool.pk for pool in tokens.tokens().get().pools.all()] == [curve.pk]
    with pytest.raises(Token.DoesNotExist):
        tokens.get_token(factories.address("nobody"))


def test_filters_of_pools() -> None:
    """Pools are found by venue, type, status and mint; one pool by its address."""
    curve = factories.pool(status="complete")
    other = factories.pool(curve.token, pool_type=PoolType.PERMISSIONLESS, platform=Venue.PUMPSWAP)
    assert set(tokens.pools(mint=curve.token.mint_address)) == {curve, other}
    assert list(tokens.pools(platform=Venue.PUMPSWAP)) == [other]
    assert list(tokens.pools(pool_type=PoolType.INITIAL)) == [curve]
    assert list(tokens.pools(status="complete")) == [curve]
    assert tokens.get_pool(other.pool_address) == other
    with pytest.raises(Pool.DoesNotExist):
        tokens.get_pool(factories.address("nowhere"))

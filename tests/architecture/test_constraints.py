"""Every rule that the database knows has a test that tries to break it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import breaking
from tests.core import concrete
from tests.core import test_models as cellar
from tests.holders.models import test_balances as balances
from tests.holders.models import test_constraints as holders
from tests.holders.models import test_jobs as jobs
from tests.holders.models import test_wallets as wallets
from tests.scoring.models import test_holder_rules as scores
from tests.scoring.models import test_social as social
from tests.scoring.models import test_technical as technical
from tests.scoring.models import test_total_rules as totals
from tests.tokens.models import test_alerts_and_drift as drift
from tests.tokens.models import test_constraints as tokens
from tests.tokens.models import test_retention_policy as retention
from tests.tokens.models import test_streams as streams

RULES = """
    SELECT relname, conname, contype::text,
        contype = 'p' AND array_length(conkey, 1) = 1 AS is_plain_key
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND relname !~ '^(auth|django|core_tests)_'
    UNION ALL
    SELECT relname, indexrelid::regclass::text, 'u', false
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE relnamespace = 'public'::regnamespace AND indisunique AND relname !~ '^(auth|django|core_tests)_'
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
"""Without a table's own UUID key, which nobody chooses, and NOT NULL, which is the column's type."""

IN_OTHER_WORDS = {
    "api_keys_rate_per_minute_check": "api_key_rate_positive",
    "idempotency_records_status_check": "idempotency_keeps_success_only",
    "retention_policies_table_name_key": "one policy a table",
    "idx_smart_money_address": "wallet_analysis_once: the view has a row a wallet",
    "holder_snapshots_unique_holders_check": "holder_snapshot_excludes_only and holder_snapshots_total_holders_check",
    "token_holders_transaction_count_check": "token_holder_counts_add_up and the checks of both counts",
    "idx_top_tokens_token": "pool_one_initial_a_token: the view has a row a token, by its current pool",
}
"""Rules that a narrower one implies, or whose test says it in a sentence."""


def broken() -> set[str]:
    """Return the names of all rules that some test breaks."""
    named = [
        *tokens.BROKEN,
        *tokens.FIELDS,
        *drift.BROKEN,
        *drift.FIELDS,
        *retention.BROKEN,
        *streams.BROKEN,
        *streams.FIELDS,
        *balances.BROKEN,
        *balances.FIELDS,
        *holders.BROKEN,
        *holders.FIELDS,
        *jobs.BROKEN,
        *jobs.FIELDS,
        *wallets.BROKEN,
        *wallets.FIELDS,
        *scores.BROKEN,
        *scores.FIELDS,
        *totals.BROKEN,
        *totals.FIELDS,
        *technical.BROKEN,
        *technical.FIELDS,
        *social.BROKEN,
        *social.FIELDS,
    ]
    twins = (
        tokens.TWINS,
        balances.TWINS,
        holders.TWINS,
        jobs.TWINS,
        wallets.TWINS,
        drift.TWINS,
        drift.SNAPSHOTS,
        streams.TWINS,
        streams.FORKS,
        technical.TWINS,
        social.TWINS,
        totals.TWINS,
        {totals.ALONE},
        scores.TWINS,
    )
    return {case[0] for case in named}.union(*twins, cellar.BROKEN, IN_OTHER_WORDS)


@pytest.mark.django_db
def test_every_rule_of_the_database_has_a_test_that_breaks_it(sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    """The catalogue's constraints are exactly those that a test tries to break; none of either list is left over."""
    rules = {breaking.plain(name) for _, name, _, is_plain_key in sql(RULES) if not is_plain_key}
    # Triggers that speak with a constraint's name.
    triggered = {"transaction_parents_exist", "candle_parents_exist"}
    assert rules | triggered == broken()


def test_every_rule_of_a_row_to_build_on_has_a_test_that_breaks_it() -> None:
    """The constraints that Work and PolicyVersion hand down are exactly those that a test tries to break."""
    rules = {constraint.name for table in concrete.TABLES for constraint in table._meta.constraints}
    own = {"core_tests_errand_attempts_check", "core_tests_rule_version_key"}
    assert rules | own == {*cellar.BROKEN_WORK, *cellar.BROKEN_RULES}

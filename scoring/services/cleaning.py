"""What old totals become: those of tokens that never graduated go, a graduated token's last one takes its parts along."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from megatron.core.transactions import in_transaction
from tokens.models import RetentionPolicy

AT_ONCE = 20_000
SETTLED = timedelta(days=1)
"""A graduated token that was not scored for so long gets a copy of its parts; a later score gets its own."""

# By the parts' policy, so that a total stays explainable down to its lines as long as it is there.
_AS_LONG_AS = "technical_scores"

# Holder score and risk of a graduated token are in holder_score_freezes.
_KEEP = """
UPDATE token_scores s
   SET inputs = s.inputs || jsonb_build_object('kept', jsonb_build_object('technical', tech.inputs, 'social', soc.inputs))
  FROM latest_token_scores l
  JOIN tokens t ON t.id = l.token_id AND t.is_graduated
  JOIN token_scores newest ON newest.id = l.score_id
  LEFT JOIN technical_scores tech
    ON tech.token_mint = t.mint_address
   AND tech.timestamp = (newest.inputs #>> '{sources,technical,at}')::timestamptz
  LEFT JOIN social_scores soc
    ON soc.token_id = t.id AND soc.calculated_at = (newest.inputs #>> '{sources,social,at}')::timestamptz
 WHERE s.id = newest.id AND l.calculated_at < %s AND NOT newest.inputs ? 'kept'
"""


def clean(*, now: datetime) -> int:
    """Remove the totals that are older than the retention of technical scores, of tokens that never graduated; return how
    many. Without such a retention nothing is removed. Call it outside a transaction: it works in batches.
    """
    assert not in_transaction(), "Each batch is a transaction of its own, so that nobody waits long."
    keep_parts(now=now)
    policy = RetentionPolicy.objects.filter(table_name=_AS_LONG_AS).first()
    if policy is None or policy.drop_after is None:
        return 0
    total, removed = 0, AT_ONCE
    while removed >= AT_ONCE:
        removed = remove(older_than=now - policy.drop_after, most=AT_ONCE)
        total += removed
    return total


def remove(*, older_than: datetime, most: int) -> int:
    """Remove at most ``most`` totals from before ``older_than`` of tokens that did not graduate, oldest first; return how
    many. A token without a later total leaves the lists."""
    with connection.cursor() as cursor:
        cursor.execute("CALL cleanup_old_scores(%s, %s, NULL)", [older_than, most])
        return int(cursor.fetchone()[0])


@transaction.atomic
def keep_parts(*, now: datetime) -> int:
    """Copy what the parts of each graduated token's last total were made from into it, before retention drops their rows;
    return how many totals got a copy."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [now - SETTLED])
        return int(cursor.rowcount)

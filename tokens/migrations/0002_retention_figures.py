from datetime import timedelta
from typing import Any

from django.db import migrations

DAY = timedelta(days=1)
KEPT = (
    # table, drop after, compress after, segment by, order by, note
    (
        "transactions",
        90 * DAY,
        7 * DAY,
        "",
        "token_id, block_time DESC",
        "Also what candles and prices are computed from",
    ),
    ("price_candles_1m", 30 * DAY, 7 * DAY, "", "token_id, bucket DESC", "The longer candles keep what matters of it"),
    ("price_candles_5m", 90 * DAY, None, "", "", ""),
    ("price_candles_1h", 365 * DAY, None, "", "", ""),
    ("price_candles_1d", None, None, "", "", "Kept for ever"),
    ("sol_usd_prices", 90 * DAY, 7 * DAY, "source", "price_time DESC", "As long as the transactions it prices"),
    ("price_candles_1m_cagg", 90 * DAY, None, "", "", "As long as its transactions"),
    ("sol_usd_candles_1m", 90 * DAY, None, "", "", "As long as its prices"),
)
"""The figures of decision C4."""


def seed(apps: Any, schema_editor: Any) -> None:
    """Write the figures; an operator's own stay."""
    policies = apps.get_model("tokens", "RetentionPolicy").objects.using(schema_editor.connection.alias)
    for table, drop_after, compress_after, segment_by, order_by, note in KEPT:
        policies.get_or_create(
            table_name=table,
            defaults={
                "drop_after": drop_after,
                "compress_after": compress_after,
                "segment_by": segment_by,
                "order_by": order_by,
                "note": note,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("tokens", "0001_tokens_pools_trades_candles")]

    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]

from datetime import timedelta

from django.db import migrations
from megatron.core.timescale.operations import RefreshedAggregate


class Migration(migrations.Migration):
    """What 0019_dust_forms_no_price made anew is filled; a refresh cannot run inside a transaction."""

    atomic = False

    dependencies = [("tokens", "0019_dust_forms_no_price")]

    operations = [RefreshedAggregate("price_candles_1m_cagg", timedelta(minutes=2))]

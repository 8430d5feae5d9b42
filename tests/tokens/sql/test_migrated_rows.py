"""Rows that only one side of a migration knows a word for, where it is applied and where it is taken back."""

from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.db import connection

from megatron.core import clock
from tests import factories
from tokens.choices import RejectionReason, RejectionStatus
from tokens.models import CandleDue, PriceCandle1m, RejectedMessage

pytestmark = pytest.mark.django_db

NOISE = import_module("tokens.migrations.0017_noise_and_failures")
DUST = import_module("tokens.migrations.0019_dust_forms_no_price")


def run(statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements)


def minute(*, age: timedelta, price: Decimal | None) -> PriceCandle1m:
    at = (clock.utc_now() - age).replace(second=0, microsecond=0)
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    token = factories.token()
    factories.candle(token, bucket=at, **prices)
    return PriceCandle1m.objects.get(token=token)


def test_truth_16_noise_and_our_own_errors_fit_the_words_of_before() -> None:
    """The older rules know neither: noise was looked at, and an error of ours was a refusal."""
    RejectedMessage.objects.create(
        digest="a" * 64,
        source="test",
        payload=b"{}",
        reason=RejectionReason.FAILED,
        status=RejectionStatus.NOISE,
        observed_at=clock.utc_now(),
        resolved_at=clock.utc_now(),
    )
    run(NOISE.WITHOUT_NOISE_AND_FAILURES)
    assert list(RejectedMessage.objects.values_list("reason", "status")) == [("not_storable", "discarded")]


def test_truth_17_candles_without_a_price_are_computed_again_by_the_code_of_before() -> None:
    """Its columns are never empty: such a candle goes and is due; the others stay."""
    flat = minute(age=timedelta(days=3), price=None)
    priced = minute(age=timedelta(days=3), price=Decimal("0.5"))
    run(DUST.WITHOUT_PRICELESS)
    assert list(PriceCandle1m.objects.values_list("pk", flat=True)) == [priced.pk]
    assert list(CandleDue.objects.values_list("token_id", "bucket")) == [(flat.token_id, flat.bucket)]


def test_truth_21_the_wash_volume_of_the_last_day_is_computed_after_the_migration() -> None:
    """Volume that ranks is of a day and net: its minutes are due, older ones are not."""
    young = minute(age=timedelta(hours=23), price=Decimal("0.5"))
    minute(age=timedelta(days=3), price=Decimal("0.5"))
    run(DUST.MARK_LAST_DAY)
    assert list(CandleDue.objects.values_list("interval", "token_id")) == [(60, young.token_id)]

"""What alarms watch of this room, read from the rows."""

import pytest

from scoring.choices import SelloffStatus
from scoring.selectors import gauges
from tests import factories
from tests.factories import NOON
from tests.scoring import shown

pytestmark = pytest.mark.django_db


def test_open_selloffs_are_counted() -> None:
    """Those that ended are not."""
    shown.selloff(factories.token())
    shown.selloff(factories.token(), status=SelloffStatus.EXPIRED, ended_at=NOON, duration_minutes=60)
    (gauge,) = gauges.read(now=NOON)
    assert (gauge.name, list(gauge.values)) == ("selloffs_open", [({}, 1.0)])

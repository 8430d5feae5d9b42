"""How urgent each token is: its newest scores, pushed down to who plans the analyses of holders."""

from datetime import datetime

from holders.selectors import agenda as curves
from holders.services import agenda
from holders.services.agenda import Planned
from scoring.selectors import newest


def push(*, now: datetime) -> Planned:
    """Let the analyses be planned that come due before the next call, by the newest scores. Three statements in all."""
    among = curves.candidates(now=now)
    return agenda.plan(scores=newest.scores(mints=[it.mint for it in among], now=now), among=among, now=now)

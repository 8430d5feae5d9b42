"""Whatever goes wrong between the chain and us, the rows that are left are those of a run in which nothing did."""

import pytest

from tests.cluster.faults import FaultPlan
from tests.faults.run import run, run_plan

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_without_faults_nothing_is_found_missing() -> None:
    """A run without faults ends with the right rows and opens no gap."""
    verdict = run(FaultPlan.from_seed(2, slots=60).without_faults())
    assert verdict.wrong == []
    assert (verdict.losses, verdict.gaps) == (0, 0)
    assert verdict.trades > 100


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_plan_of_faults_leaves_the_same_rows(seed: int) -> None:
    """Every injected loss is noticed and healed, none is invented, and the final rows equal those without faults."""
    assert run_plan(seed, slots=60).wrong == []


@pytest.mark.parametrize("seed", [427, 761, 1026])
def test_venues_that_share_a_fork_do_not_wait_for_each_other(seed: int) -> None:
    """A curve migrates on a fork: what one venue must say again is settled, failed or dead for the other."""
    assert run_plan(seed).wrong == []

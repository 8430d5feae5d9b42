"""Every kind of alert that the console and the API list is raised by a service, and a test raises it that way."""

import ast
from pathlib import Path

from tests import sources
from tokens.choices import AlertKind

ROOT = Path(__file__).parents[2]

RAISED_BY = {
    AlertKind.DRIFT: "tests/tokens/services/test_drift.py::test_events_that_grew_are_told_with_the_first_batch_and_stored",
    AlertKind.FEE_RECIPIENT: "tests/tokens/services/test_drift.py::test_a_new_fee_recipient_is_told_once",
    AlertKind.PROGRAM_CHANGED: "tests/tokens/services/test_programs.py::test_an_upgrade_is_told_with_both_slots",
    AlertKind.QUARANTINE: "tests/tokens/services/test_quarantine.py"
    "::test_a_venue_whose_layouts_all_change_is_quarantined_and_loses_nothing",
    AlertKind.GAP: "tests/tokens/services/test_gaps.py::test_a_gap_that_does_not_heal_is_told_once_and_taken_back",
    AlertKind.STREAM: "tests/tokens/services/test_monitor.py::test_sources_that_give_up_end_the_monitor_with_their_reasons",
    AlertKind.FINALITY: "tests/tokens/services/test_comparison_alerts.py"
    "::test_truth_25_a_stalled_comparison_is_told_whatever_the_node_does",
    AlertKind.PRICE_SOURCE: "tests/tokens/services/test_polls.py"
    "::test_an_operator_hears_of_a_source_that_stays_away_and_that_it_is_back",
    AlertKind.PRICE_STALE: "tests/tokens/services/test_polls.py::test_i20_an_operator_hears_that_sol_has_no_fresh_price",
    AlertKind.CREDITS: "tests/holders/services/test_budget.py"
    "::test_an_operator_hears_at_75_and_at_85_percent_and_when_it_is_over",
}
"""By kind: the test in which the service that raises it does so."""


def _raised() -> set[str]:
    """Return the names of the kinds that production code hands to ``raise_alert``."""
    found = set()
    for path in sources.production():
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] == "raise_alert":
                kinds = [ast.unparse(word.value) for word in call.keywords if word.arg == "kind"]
                found.update(kind.removeprefix("AlertKind.") for kind in kinds)
    return found


def test_truth_25_every_kind_of_alert_is_raised_by_something() -> None:
    """What nothing raises would promise a watch that nobody keeps."""
    assert _raised() == {kind.name for kind in AlertKind}


def test_truth_25_every_kind_of_alert_has_a_test_that_raises_it() -> None:
    """Each kind names a test that is there."""
    assert set(RAISED_BY) == set(AlertKind)
    for kind, name in RAISED_BY.items():
        path, test = name.split("::")
        functions = {
            node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)
        }
        assert test in functions, kind

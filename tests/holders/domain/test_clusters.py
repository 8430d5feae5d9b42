"""Which wallets belong together."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from holders.choices import ClusterKind
from holders.domain import clusters, terms
from holders.domain.clusters import Link
from megatron.core import ids

HOLDERS = ["a", "b", "c", "d", "e"]


def groups(**fields: object) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    asked = {"mint": "m", "holders": HOLDERS, "links": [], "bundles": [], **fields}
    return [(it.kind, it.members, it.funders) for it in clusters.find(**asked)]  # type: ignore[arg-type] # a test's fields


def test_wallets_of_one_funder_belong_together() -> None:
    """The funder itself holds nothing and is no member."""
    assert groups(links=[Link("rich", "c"), Link("rich", "a")]) == [(ClusterKind.FUNDING, ("a", "c"), ("rich",))]


def test_a_funder_that_holds_is_a_member() -> None:
    """One hop: who was funded, and by whom."""
    assert groups(links=[Link("a", "b")]) == [(ClusterKind.FUNDING, ("a", "b"), ("a",))]


def test_a_bundle_is_a_group() -> None:
    """Those of it that hold; a bundle of which one is left is none."""
    assert groups(bundles=[["b", "d", "gone"], ["e", "gone"]]) == [(ClusterKind.BUNDLE, ("b", "d"), ())]


def test_what_overlaps_is_one_group_of_both_kinds() -> None:
    """Funding joins a and b, a bundle b and c."""
    assert groups(links=[Link("x", "a"), Link("x", "b")], bundles=[["b", "c"]]) == [
        (ClusterKind.MIXED, ("a", "b", "c"), ("x",))
    ]


def test_an_exchange_links_nobody() -> None:
    """Fifty wallets of one funder are a group, fifty-one are customers; so is whom it funded elsewhere counted."""
    many = [f"w{n:02}" for n in range(terms.HUB_WALLETS + 1)]
    links = [Link("exchange", name) for name in many]
    assert clusters.find(mint="m", holders=many, links=links, bundles=[]) == []
    fifty = clusters.find(mint="m", holders=many[:-1], links=links[:-1], bundles=[])
    assert [len(it.members) for it in fifty] == [50]
    assert groups(links=[Link("x", "a"), Link("x", "b")], funded={"x": 51}) == []


def test_who_funds_himself_or_an_outsider_is_no_group() -> None:
    """A link needs two, and one of them has to hold."""
    assert groups(links=[Link("a", "a"), Link("x", "stranger"), Link("y", "b")]) == []


@given(st.permutations([("x", "a"), ("x", "b"), ("b", "c"), ("y", "d")]), st.permutations([["a", "e"], ["c", "a"]]))
def test_the_order_of_finding_changes_nothing(links: list[tuple[str, str]], bundles: list[list[str]]) -> None:
    """The same links in any order give the same groups with the same ids."""
    found = clusters.find(mint="m", holders=HOLDERS, links=[Link(*it) for it in links], bundles=bundles)
    assert [(it.id, it.members) for it in found] == [
        (ids.derived_id("cluster", "m", "a", "b", "c", "e"), ("a", "b", "c", "e"))
    ]


def test_a_long_chain_of_wallets_is_one_group() -> None:
    """Ten thousand wallets, each funded by the one before."""
    names = [f"w{n:05}" for n in range(10_000)]
    links = [Link(first, second) for first, second in pairwise(names)]
    found = clusters.find(mint="m", holders=names, links=links, bundles=[])
    assert [len(it.members) for it in found] == [10_000]

"""Which wallets belong together: they funded one another, one wallet funded them, or they bought as one."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from holders.choices import ClusterKind
from holders.domain import terms
from megatron.core import ids


@dataclass(frozen=True, slots=True)
class Link:
    """``funder`` gave ``wallet`` its first SOL."""

    funder: str
    wallet: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Wallets that belong together, in the order of their addresses. ``funders`` are the wallets that funded members; one
    may be outside. ``id`` is that of its members in this token, whatever the order in which they were found."""

    id: UUID
    kind: ClusterKind
    members: tuple[str, ...]
    funders: tuple[str, ...]


class _Sets:
    """Disjoint sets of wallets."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def root(self, name: str) -> str:
        path = []
        while (above := self._parents.setdefault(name, name)) != name:
            path.append(name)
            name = above
        for passed in path:
            self._parents[passed] = name
        return name

    def join(self, one: str, other: str) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._parents[high] = low

    def groups(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in sorted(self._parents):
            found.setdefault(self.root(name), []).append(name)
        return found


def find(
    *,
    mint: str,
    holders: Iterable[str],
    links: Sequence[Link],
    bundles: Iterable[Sequence[str]],
    funded: Mapping[str, int] | None = None,
) -> list[Cluster]:
    """Return the groups of at least two of ``holders``, in the order of their first member.

    A link joins a holder with its funder, and so holders of one funder with each other; ``bundles`` are wallets that
    bought as one. A funder of more than 50 wallets (of these links, or of ``funded`` in all) is a service and links
    nobody.
    """
    inside = set(holders)
    counts = Counter(link.funder for link in links)
    sets = _Sets()
    funding: dict[str, str] = {}
    bundled: set[str] = set()
    for link in links:
        many = max(counts[link.funder], (funded or {}).get(link.funder, 0))
        if link.wallet in inside and link.funder != link.wallet and many <= terms.HUB_WALLETS:
            sets.join(link.wallet, link.funder)
            funding[link.wallet] = link.funder
    for bundle in bundles:
        together = sorted(inside.intersection(bundle))
        for other in together[1:]:
            sets.join(together[0], other)
        bundled.update(together if len(together) > 1 else ())
    found = []
    for group in sets.groups().values():
        members = tuple(name for name in group if name in inside)
        if len(members) > 1:
            funders = tuple(sorted({funding[name] for name in members if name in funding}))
            kind = _kind(bool(funders), any(name in bundled for name in members))
            found.append(Cluster(ids.derived_id("cluster", mint, *members), kind, members, funders))
    return sorted(found, key=lambda cluster: cluster.members)


def _kind(is_funded: bool, is_bundled: bool) -> ClusterKind:
    if is_funded and is_bundled:
        return ClusterKind.MIXED
    return ClusterKind.FUNDING if is_funded else ClusterKind.BUNDLE

"""How much work a regular expression can be made to do, proven and counted without running it.

Python's matcher tries one path after another. Its work on a text is at most the number of paths that its automaton has
through that text, so both questions are asked of the automaton: :func:`overlap` finds the loops that make the number grow
faster than the text does, and :func:`work` counts the paths through one text.

A pattern that begins anywhere has a loop of its own before it: the places where it may begin. Once nothing that can still
come refuses a match (its *tail*), what is read is matched, and no other beginning reads it again.

References to groups and lookaheads of any length are not understood: :class:`NotUnderstood`. Boundaries and short looks
ahead and behind count as fulfilled, but for one character before the beginning, which is exact. Possessive and atomic parts
count as ordinary ones.
The answer errs towards too much work.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from re import _constants as sre  # type: ignore[attr-defined]  # Python's own parser has no public name
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LETTERS = "".join(map(chr, range(128))) + "éß\u017f\u212aµЖ中٣\u00a0\u0085\u202f\u2028😀"
"""One of each kind of character that a class may tell apart."""
EVERY = (1 << len(LETTERS)) - 1
_PLACE = {letter: place for place, letter in enumerate(LETTERS)}
_MOST_COPIES = 512


class NotUnderstood(Exception):
    """The pattern has a part that this proof does not cover: write it another way."""


@dataclass
class Automaton:
    """States with edges for sets of letters (bits of :data:`LETTERS`) and edges that read nothing."""

    edges: list[list[tuple[int, int]]] = field(default_factory=list)
    free: list[list[int]] = field(default_factory=list)
    start: int = 0
    end: int = 0
    before: int = EVERY
    """Letters after which a match may begin, when it begins anywhere."""
    at_start: bool = False
    to_end: bool = False

    def state(self) -> int:
        self.edges.append([])
        self.free.append([])
        return len(self.edges) - 1

    def unread(self, state: int) -> Counter[int]:
        """Return the states that are reached from ``state`` without reading, each with the number of ways."""
        ways: Counter[int] = Counter()
        waiting = [state]
        while waiting:  # there is no way round: no repeated part may be empty
            here = waiting.pop()
            ways[here] += 1
            waiting += self.free[here]
        return ways


def _letters(node: tuple[Any, Any], flags: int) -> int:
    """Return the letters that one item of a pattern takes, by asking Python itself."""
    matcher = _compiled(node, flags)
    return sum(1 << place for place, letter in enumerate(LETTERS) if matcher(letter))


def _compiled(node: tuple[Any, Any], flags: int) -> Callable[[str], Any]:
    state = _parser.State()
    state.flags = flags
    tree = _parser.SubPattern(state, [node])
    from re import _compiler  # type: ignore[attr-defined]

    code = _compiler._code(tree, flags)
    import _sre

    return _sre.compile(None, flags, code, 0, {}, (None,)).fullmatch  # type: ignore[no-any-return]


class _Builder:
    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.made = Automaton()

    def sequence(self, nodes: Iterable[Any], here: int, flags: int) -> int:
        for node in nodes:
            here = self.one(node, here, flags)
        return here

    def one(self, node: tuple[Any, Any], here: int, flags: int) -> int:
        kind, value = node
        made = self.made
        if kind in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
            there = made.state()
            made.edges[here].append((_letters(node, flags), there))
            return there
        if kind is sre.SUBPATTERN:
            _, on, off, inner = value
            return self.sequence(inner, here, (flags | on) & ~off)
        if kind is sre.ATOMIC_GROUP:
            return self.sequence(value, here, flags)
        if kind is sre.BRANCH:
            there = made.state()
            for branch in value[1]:
                first = made.state()
                made.free[here].append(first)
                made.free[self.sequence(branch, first, flags)].append(there)
            return there
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            return self.repeat(*value, here, flags)
        if kind is sre.AT:
            if value in (sre.AT_END, sre.AT_END_STRING):
                made.to_end = True
            return here
        if kind in (sre.ASSERT, sre.ASSERT_NOT) and value[1].getwidth()[1] <= _MOST_COPIES:
            return here
        raise NotUnderstood(f"{kind} is not covered by this proof")

    def repeat(self, least: int, most: Any, inner: Any, here: int, flags: int) -> int:
        made = self.made
        if inner.getwidth()[0] == 0 and (most is sre.MAXREPEAT or most > 1):
            raise NotUnderstood("a repeated part may be empty: there are many ways to repeat nothing")
        if least > _MOST_COPIES or (most is not sre.MAXREPEAT and most > _MOST_COPIES):
            raise NotUnderstood(f"repeated {most} times: more than {_MOST_COPIES} copies are not drawn")
        for _ in range(least):
            here = self.sequence(inner, here, flags)
        if most is sre.MAXREPEAT:
            loop, there = made.state(), made.state()
            made.free[here] += [loop]
            made.free[self.sequence(inner, loop, flags)].append(loop)
            made.free[loop].append(there)
            return there
        there = made.state()
        made.free[here].append(there)
        for _ in range(most - least):
            here = self.sequence(inner, here, flags)
            made.free[here].append(there)
        return there


def automaton(pattern: re.Pattern[Any], *, anywhere: bool, whole: bool = False) -> Automaton:
    """Return the automaton of ``pattern``. ``anywhere``: it is searched for; ``whole``: it must end with the text."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    flags = pattern.flags | (re.ASCII if isinstance(pattern.pattern, bytes) else 0)
    tree = list(_parser.parse(text, flags & ~re.UNICODE if flags & re.ASCII else flags))
    builder = _Builder(flags)
    made = builder.made
    made.start = made.state()
    made.before = _before(tree, flags)
    made.at_start = bool(tree) and tree[0] in ((sre.AT, sre.AT_BEGINNING), (sre.AT, sre.AT_BEGINNING_STRING))
    made.at_start = (made.at_start and not flags & re.MULTILINE) or not anywhere
    made.end = builder.sequence(tree, made.start, flags)
    made.to_end = made.to_end or whole
    return made


def _before(tree: list[Any], flags: int) -> int:
    """Return the letters that the pattern allows before its beginning."""
    node = tree[0] if tree else None
    while node is not None and node[0] is sre.SUBPATTERN:
        node = node[1][3][0] if len(node[1][3]) else None
    if node is None or node[0] not in (sre.ASSERT, sre.ASSERT_NOT):
        return EVERY
    direction, inner = node[1]
    if direction > 0 or len(inner) != 1 or inner[0][0] not in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
        return EVERY
    allowed = _letters(inner[0], flags)
    return allowed if node[0] is sre.ASSERT else EVERY & ~allowed


@dataclass
class _Steps:
    """The automaton without edges that read nothing."""

    edges: list[dict[int, int]]
    """For each state the next ones, each with its letters."""
    ways: dict[tuple[int, int], int]
    """In how many ways an edge is walked."""
    tail: frozenset[int]
    """States from which nothing that can still come refuses a match."""


def _steps(made: Automaton) -> _Steps:
    edges: list[dict[int, int]] = []
    ways: dict[tuple[int, int], int] = {}
    accepts = set()
    for state in range(len(made.edges)):
        unread = made.unread(state)
        edges.append({target: letters for other in unread for letters, target in made.edges[other]})
        # Every edge that reads has a target of its own.
        ways |= {(state, target): number for other, number in unread.items() for _, target in made.edges[other]}
        if made.end in unread and not made.to_end:
            accepts.add(state)
    reach = _reach(edges)
    return _Steps(edges, ways, frozenset(state for state in accepts if reach[state] <= accepts))


def _reach(edges: list[dict[int, int]]) -> list[set[int]]:
    """Return for each state the states that are reached from it, itself included."""
    found = []
    for state in range(len(edges)):
        seen, waiting = {state}, [state]
        while waiting:
            new = edges[waiting.pop()].keys() - seen
            seen |= new
            waiting += new
        found.append(seen)
    return found


def overlap(pattern: re.Pattern[Any], *, anywhere: bool, whole: bool = False) -> str:
    """Return what makes the work of ``pattern`` grow faster than the text; empty when nothing does.

    Looks for two loops of which the second is reached from the first by letters that both take: a text of those letters
    has a path for each place of the change, and each is tried. A loop with two ways round is the worst of them.
    """
    made = automaton(pattern, anywhere=anywhere, whole=whole)
    steps = _steps(made)
    edges = steps.edges if made.at_start else _with_beginnings(steps.edges, made, steps.tail)
    # Within one beginning the tail counts too: what is read there may be read in several ways before all is matched.
    for graph in [steps.edges, edges] if not made.at_start else [edges]:
        reach = _reach(graph)
        loops = [state for state in range(len(graph)) if any(state in reach[other] for other in graph[state])]
        for first in loops:
            if _two_ways_round(graph, first, reach, steps.ways):
                return f"the loop at state {first} has two ways round for the same text"
            for second in loops:
                if second != first and second in reach[first] and _pumped(graph, first, second, reach):
                    return f"loops {first} and {second} take the same text one behind the other"
    return ""


def _with_beginnings(edges: list[dict[int, int]], made: Automaton, tail: frozenset[int]) -> list[dict[int, int]]:
    """Add the loop of places where a match may begin. What reaches the tail is matched and never read again."""
    kept = [{other: letters for other, letters in out.items() if other not in tail} for out in edges]
    fit, unfit = len(kept), len(kept) + 1
    # The letter before decides whether the next one may begin a match.
    loop = {fit: made.before, unfit: EVERY & ~made.before}
    kept += [{**loop, **kept[made.start]}, loop]
    return [{other: letters for other, letters in out.items() if letters} for out in kept]


def _two_ways_round(
    edges: list[dict[int, int]], state: int, reach: list[set[int]], ways: dict[tuple[int, int], int]
) -> bool:
    """Tell whether two different paths lead from ``state`` back to it by the same letters."""
    home = {other for other in reach[state] if state in reach[other]}
    if any(ways.get((one, other), 1) > 1 for one in home for other in edges[one].keys() & home):
        return True
    seen: set[tuple[int, int, bool]] = set()
    waiting = [(state, state, False)]
    while waiting:
        one, other, parted = waiting.pop()
        for first in edges[one].keys() & home:
            for second in edges[other].keys() & home:
                if not edges[one][first] & edges[other][second]:
                    continue
                now = (first, second, parted or first != second)
                if now == (state, state, True):
                    return True
                if now not in seen:
                    seen.add(now)
                    waiting.append(now)
    return False


def _pumped(edges: list[dict[int, int]], first: int, second: int, reach: list[set[int]]) -> bool:
    """Tell whether some text leads from ``first`` to itself, from ``first`` to ``second`` and from ``second`` to itself."""
    goal, begin = (first, second, second), (first, first, second)
    home = {state for state in reach[first] if first in reach[state]}
    away = {state for state in reach[second] if second in reach[state]}
    between = {state for state in reach[first] if second in reach[state]}
    seen, waiting = {begin}, [begin]
    while waiting:
        one, two, three = waiting.pop()
        for a in edges[one].keys() & home:
            for b in edges[two].keys() & between:
                both = edges[one][a] & edges[two][b]
                for c in edges[three].keys() & away if both else ():
                    now = (a, b, c)
                    if not both & edges[three][c] or now in seen:
                        continue
                    if now == goal:
                        return True
                    seen.add(now)
                    waiting.append(now)
    return False


def work(pattern: re.Pattern[str], text: str, *, anywhere: bool = True, whole: bool = False) -> int:
    """Return how many steps ``pattern`` takes through ``text`` at most, wherever it begins and whatever it refuses.
    The letters of ``text`` are of :data:`LETTERS`."""
    made = automaton(pattern, anywhere=anywhere, whole=whole)
    steps = _steps(made)
    next_of: dict[tuple[int, int], list[tuple[int, int]]] = {}
    alive: dict[int, int] = {}
    done, before = 0, -1
    for here in map(_PLACE.__getitem__, text):
        if before < 0 or (not made.at_start and made.before >> before & 1):
            alive[made.start] = alive.get(made.start, 0) + 1
        after: dict[int, int] = defaultdict(int)
        for state, paths in alive.items():
            if (state, here) not in next_of:
                next_of[state, here] = [
                    (target, steps.ways[state, target])
                    for target, letters in steps.edges[state].items()
                    if letters >> here & 1
                ]
            for target, ways in next_of[state, here]:
                done += paths * ways
                if target not in steps.tail:
                    after[target] += paths * ways
            done += paths
        alive, before, done = after, here, done + 1
    return done

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from tokens.domain.stretches import Stretch, joined, without

stretches = some.builds(lambda first, size: Stretch(first, first + size), some.integers(0, 40), some.integers(0, 10))


def slots(pieces: list[Stretch]) -> set[int]:
    """Return the slots of ``pieces``, each as a number."""
    return {slot for piece in pieces for slot in range(piece.first, piece.last + 1)}


@given(stretches, some.lists(stretches, max_size=6))
def test_what_is_left_are_the_slots_outside_the_holes(whole: Stretch, holes: list[Stretch]) -> None:
    """Taking holes out leaves exactly the other slots, in order, with a hole between any two pieces."""
    left = list(without(whole, holes))
    assert slots(left) == slots([whole]) - slots(holes)
    assert all(one.last + 1 < other.first for one, other in pairwise(left))


@given(some.lists(stretches, max_size=8))
def test_joined_pieces_are_the_same_slots_in_as_few_pieces(pieces: list[Stretch]) -> None:
    """Joining keeps every slot, adds none, and leaves a slot out between any two pieces."""
    together = list(joined(pieces))
    assert slots(together) == slots(pieces)
    assert all(one.last + 1 < other.first for one, other in pairwise(together))


def test_stretches_that_share_a_slot_touch() -> None:
    """The ends belong to a stretch: 1 to 5 touches 5 to 9 and holds 2 to 5, but neither 6 to 9 nor 5 to 6."""
    assert Stretch(1, 5).touches(Stretch(5, 9))
    assert not Stretch(1, 5).touches(Stretch(6, 9))
    assert Stretch(1, 5).holds(Stretch(2, 5))
    assert not Stretch(1, 5).holds(Stretch(5, 6))

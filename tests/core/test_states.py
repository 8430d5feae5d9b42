import pytest

from megatron.core.states import Lifecycle, MoveNotAllowed

LIFE = Lifecycle({"planned": {"sent"}, "sent": {"landed", "planned"}, "landed": set()})


def test_a_move_of_the_table_is_allowed() -> None:
    """What the table has passes in silence."""
    LIFE.check("planned", "sent")
    assert LIFE.allows("sent", "planned")
    assert LIFE.sources_of("planned") == {"sent"}


def test_another_move_is_refused_with_what_would_be_allowed() -> None:
    """The error says what the status can become."""
    with pytest.raises(MoveNotAllowed, match=r"sent cannot become sent; it can become landed, planned\."):
        LIFE.check("sent", "sent")


def test_nothing_follows_a_final_status() -> None:
    """A status without moves is final."""
    assert LIFE.is_final("landed")
    assert not LIFE.is_final("sent")
    with pytest.raises(MoveNotAllowed, match="it is final"):
        LIFE.check("landed", "planned")


def test_a_status_without_a_row_of_its_own_is_refused() -> None:
    """A table that leads nowhere is found when it is written, not when it is used."""
    with pytest.raises(ValueError, match="expired"):
        Lifecycle({"sent": {"expired"}})

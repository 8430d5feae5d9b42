"""Which holders are looked at."""

from holders.domain.sampling import sample

OWNERS = [f"owner {number:04}" for number in range(1_000)]


def test_a_sample_is_two_fifths_large_a_tenth_small_and_half_drawn() -> None:
    """Of a thousand, a hundred: the 40 largest, the 10 smallest, and 50 of those between, in the holders' order."""
    drawn = sample(OWNERS, size=100, seed="a")
    assert (list(drawn[:40]), list(drawn[-10:])) == (OWNERS[:40], OWNERS[-10:])
    between = drawn[40:-10]
    assert len(set(between)) == 50
    assert set(between) <= set(OWNERS[40:-10])
    assert list(drawn) == sorted(drawn)


def test_a_seed_draws_the_same_again_and_another_draws_others() -> None:
    """The sample of a token and a snapshot can be made again; that of the next snapshot is another."""
    assert sample(OWNERS, size=100, seed="a") == sample(OWNERS, size=100, seed="a")
    assert sample(OWNERS, size=100, seed="a") != sample(OWNERS, size=100, seed="b")


def test_few_holders_are_all_looked_at() -> None:
    """No one is drawn twice, and none is left out when there is room for all."""
    assert sample(OWNERS[:100], size=100, seed="a") == tuple(OWNERS[:100])
    assert len(sample(OWNERS[:101], size=100, seed="a")) == 100
    assert sample([], size=100, seed="a") == ()

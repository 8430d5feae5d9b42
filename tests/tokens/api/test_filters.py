import pytest

from tokens.api import filters


def _errors(query: type[filters.Query], **given: str) -> dict[str, list[str]]:
    read = query(data=given)
    assert not read.is_valid()
    return {name: [str(error) for error in errors] for name, errors in read.errors.items()}


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    """A misspelt filter is an error that lists what is understood, instead of an unfiltered answer."""
    read = filters.SolUsdQuery(data={"att": "now"})
    assert not read.is_valid()
    assert read.errors == {"att": ["Unknown parameter. Known here: at."]}


@pytest.mark.parametrize(
    ("query", "name", "value", "message"),
    [
        (filters.TokenQuery, "platform", "moon", "Must be one of: pumpfun, raydium_launchpad, unknown."),
        (filters.TokenQuery, "graduated", "maybe", "Must be true or false."),
        (filters.TokenQuery, "creator", "O0Il", "Must be an address: 32 to 44 base58 characters."),
        (filters.TokenQuery, "creator", "1" * 44 + "\n1", "Must be an address: 32 to 44 base58 characters."),
        (filters.TokenQuery, "progress_min", "nan", "Must be a number from 0 to 100."),
        (filters.TokenQuery, "progress_max", "100.5", "Ensure this value is less than or equal to 100."),
        (filters.TokenQuery, "created_after", "yesterday", filters.Time.default_error_messages["invalid"]),
        (filters.TokenQuery, "created_after", "0001-01-01T00:00:00Z", filters.Time.default_error_messages["outside"]),
        (filters.CandleQuery, "interval", "2m", "Must be one of: 1m, 5m, 1h, 1d."),
        (filters.CandleQuery, "limit", "1e9", "A valid integer is required."),
        (filters.CandleQuery, "limit", "5001", "Ensure this value is less than or equal to 5000."),
        (filters.PoolQuery, "mint", "\x00" * 44, "Must be an address: 32 to 44 base58 characters."),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(
    query: type[filters.Query], name: str, value: str, message: str
) -> None:
    """The error stands under the parameter's name and says what would be right."""
    assert message in _errors(query, **{name: value})[name]


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    """The later end of a window must be later."""
    noon, one = "2026-07-03T12:00:00Z", "2026-07-03T13:00:00Z"
    assert _errors(filters.TokenQuery, created_after=one, created_before=noon) == {
        "created_before": ["Must be later than created_after."]
    }
    assert _errors(filters.TransactionQuery, after=noon, before=noon) == {"before": ["Must be later than after."]}
    assert _errors(filters.CandleQuery, start=one, end=noon) == {"end": ["Must be later than start."]}


def test_times_are_read_as_utc() -> None:
    """A time without an offset is UTC; one with an offset is turned to UTC."""
    read = filters.CandleQuery(data={"start": "2026-07-03T12:00:00", "end": "2026-07-03T15:00:00+02:00"})
    assert read.is_valid(), read.errors
    assert read.validated_data["start"].isoformat() == "2026-07-03T12:00:00+00:00"
    assert read.validated_data["end"].isoformat() == "2026-07-03T13:00:00+00:00"
    assert (read.validated_data["interval"], read.validated_data["fill"], read.validated_data["limit"]) == (
        "1m",
        "none",
        1440,
    )

"""Which errors say that the database is away, and the sentence for whoever sits at a terminal."""

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError

ERRORS = (OperationalError, InterfaceError)
TRY_LATER = 75
"""Exit code of a command that found no database: EX_TEMPFAIL of sysexits.h, so that callers know to try again."""
WRONG_CALL = 2


def is_away(error: BaseException | None) -> bool:
    """Return whether this error says that the database cannot be reached or does not serve, as a restart makes it."""
    return isinstance(error, ERRORS)


_UNREACHABLE = ("08", "53300", "57P01", "57P02", "57P03")
"""States of a connection: broken, one too many, ended or refused by a server that stops or starts."""


def is_unreachable(error: BaseException | None) -> bool:
    """Return whether nobody answered, or a server that was stopping or starting: no statement of ours has a part in it."""
    if error is None or not is_away(error) or not isinstance(error.__cause__, psycopg.Error):
        return False
    state = error.__cause__.sqlstate  # of a connection that was never made, none
    return state is None or state.startswith(_UNREACHABLE)


def sentence(error: Exception) -> tuple[str, int]:
    """Return what to say for one of :data:`ERRORS` or ``ImproperlyConfigured``, and the exit code."""
    if isinstance(error, ImproperlyConfigured):
        return str(error), WRONG_CALL
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].strip(" .")
    advice = "Start it or correct DATABASE_URL, then run this again; what was committed is stored."
    return f"The database does not answer: {reason}. {advice}", TRY_LATER

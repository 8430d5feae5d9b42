"""Which token an address of scores speaks of."""

from rest_framework.exceptions import NotFound

from megatron.core.api.queries import checked_address
from tokens.models import Token
from tokens.selectors import tokens


def token_of(mint: str) -> Token:
    """Return the token of an address's path. Raises ``NotFound``."""
    try:
        return tokens.get_token(checked_address(mint))
    except Token.DoesNotExist as error:
        raise NotFound(f"No token {mint} is known.") from error

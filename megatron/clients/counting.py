"""Figures that strangers' pages and providers' replies claim: a count is a whole number that a column can hold."""

from typing import Annotated, Final

import msgspec

MOST: Final = 2**31 - 1
"""More people than any network has; a larger figure is a mistake or a lie."""

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
"""A count in a reply that ``msgspec`` decodes: anything else is refused with the place where it stood."""

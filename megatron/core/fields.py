"""Field types that carry their unit and their range into the database.

A field type is the first guard: each brings the CHECK that makes an impossible value impossible to store.
"""

from typing import Any

from django.db import models

U64_LIMIT = 2**64
NOT_BASE58 = "[^1-9A-HJ-NP-Za-km-z]"


class _IntegerDecimalField(models.DecimalField):
    """A NUMERIC without decimals that is an ``int`` in Python."""

    digits = 39

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "max_digits": self.digits, "decimal_places": 0})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        options.pop("max_digits", None)
        options.pop("decimal_places", None)
        return name, path, args, options

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return None if value is None else int(value)


class U64Field(_IntegerDecimalField):
    """An unsigned 64-bit chain amount: ``int`` in Python, NUMERIC(20,0) with 0 ≤ x < 2⁶⁴ in PostgreSQL."""

    digits = 20

    def db_check(self, connection: Any) -> str:
        return f'"{self.column}" >= 0 AND "{self.column}" < {U64_LIMIT}'


class RawAmountField(_IntegerDecimalField):
    """A sum or a signed 128-bit amount of base units: ``int`` in Python, NUMERIC(39,0) in PostgreSQL."""


class _Base58Field(models.CharField):
    """Base58 text of a known length. ``hot=True`` checks the length only: a pattern on each row costs bulk tables."""

    shortest, longest = 32, 44

    def __init__(self, *args: Any, hot: bool = False, **options: Any) -> None:
        self.hot = hot
        super().__init__(*args, **{**options, "max_length": self.longest})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        options.pop("max_length", None)
        if self.hot:
            options["hot"] = True
        return name, path, args, options

    def db_check(self, connection: Any) -> str:
        length = f'length("{self.column}") BETWEEN {self.shortest} AND {self.longest}'
        # Length and alphabet apart: a counted repetition costs PostgreSQL ten times as much.
        return length if self.hot else f'{length} AND "{self.column}" COLLATE "C" !~ \'{NOT_BASE58}\''


class PubkeyField(_Base58Field):
    """A Solana address: 32 to 44 base58 characters."""


class SignatureField(_Base58Field):
    """A transaction signature: 64 to 88 base58 characters. That they are 64 bytes is seen to where it comes in
    (:func:`megatron.core.chain.is_signature`)."""

    shortest, longest = 64, 88


class PriceField(models.DecimalField):
    """A price, never negative: NUMERIC(38,20) quote (SOL) per whole token, or (38,18) USD with ``usd=True``."""

    def __init__(self, *args: Any, usd: bool = False, **options: Any) -> None:
        self.usd = usd
        super().__init__(*args, **{**options, "max_digits": 38, "decimal_places": 18 if usd else 20})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        options.pop("max_digits", None)
        options.pop("decimal_places", None)
        if self.usd:
            options["usd"] = True
        return name, path, args, options

    def db_check(self, connection: Any) -> str:
        return f'"{self.column}" >= 0'


class PercentField(models.DecimalField):
    """A percentage, 0 to 100, NUMERIC(7,4)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "max_digits": 7, "decimal_places": 4})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        options.pop("max_digits", None)
        options.pop("decimal_places", None)
        return name, path, args, options

    def db_check(self, connection: Any) -> str:
        return f'"{self.column}" >= 0 AND "{self.column}" <= 100'

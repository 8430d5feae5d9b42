from django.db import models


class TokenTraded(models.Model):
    """One row is a token whose minutes were computed again and whose readers above have not looked yet. Unique by token.
    Written by ``candles.roll`` in the transaction of the minutes, removed by ``traded.take``. Kept until then: the row
    is the queue."""

    token = models.OneToOneField("tokens.Token", models.CASCADE, primary_key=True, related_name="+")
    traded_at = models.DateTimeField(help_text="End of the newest of these minutes, or when it was computed")
    big_at = models.DateTimeField(null=True, help_text="Block time of the newest trade of more than 5 SOL in them")

    class Meta:
        db_table = "tokens_traded"
        verbose_name, verbose_name_plural = "token traded", "tokens traded"

    def __str__(self) -> str:
        return f"{self.token_id} {self.traded_at}"

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from megatron.core.checks import trusted_proxies


@pytest.mark.parametrize(
    ("https", "proxies", "refused"), [(True, 0, True), (True, 1, False), (True, 2, False), (False, 0, False)]
)
def test_shield_09_tls_without_trusted_proxies_is_an_error(
    https: bool, proxies: int, refused: bool, settings: Any
) -> None:
    """Behind a proxy that nobody believes all visitors are one; without TLS there may be no proxy."""
    settings.HTTPS, settings.TRUSTED_PROXIES = https, proxies
    assert [found.id for found in trusted_proxies()] == (["megatron.E001"] if refused else [])


def test_shield_09_the_check_is_one_of_a_deployment(settings: Any) -> None:
    """``check --deploy`` fails with it, whatever its fail level; ``check`` alone, which `make run` asks, does not."""
    settings.HTTPS, settings.TRUSTED_PROXIES = True, 0
    with pytest.raises(SystemCheckError, match=r"megatron\.E001"):
        call_command("check", "--deploy", "--fail-level", "ERROR")
    call_command("check")

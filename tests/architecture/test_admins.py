"""What stands in a list of the console is what its page's class says."""

import pytest
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist

PAGES = [(model, type(page)) for model, page in admin.site._registry.items()]


@pytest.mark.parametrize(("model", "page"), PAGES, ids=lambda it: it.__name__)
def test_no_method_of_an_admin_has_the_name_of_a_field(model: type, page: type) -> None:
    """In ``list_display`` the field of that name wins: the method would never run, and the raw value be shown."""
    shadowed = []
    for name in dir(page):
        try:
            model._meta.get_field(name)  # type: ignore[attr-defined]  # any model
        except FieldDoesNotExist:
            continue
        shadowed.append(name)
    assert not shadowed

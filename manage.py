#!/usr/bin/env python
"""Django's command line, with Megatron's settings."""

import os
import sys


def main() -> int:
    """Run one management command; a database that is away and a wrong setting are a sentence (--traceback: all of it)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
    try:
        import django  # noqa: F401  # whether this is the private environment
    except ModuleNotFoundError:
        sys.stderr.write(
            "This Python has no Django: call ./manage in place of manage.py, which brings its environment.\n"
        )
        return 2
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import InterfaceError, OperationalError

    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, OperationalError, InterfaceError) as error:
        if "--traceback" in sys.argv:
            raise
        from megatron.core.outage import sentence

        told, code = sentence(error)
        sys.stderr.write(f"{told}\n")
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main())

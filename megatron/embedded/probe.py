"""``python -m megatron.embedded.probe URL``: exit 0 when our web server answers there with success, for health checks.

It asks as the TLS proxy in front would, so that HTTPS=1 does not redirect it and ALLOWED_HOSTS lets it in.
"""

import os
import sys
import urllib.error
import urllib.request

SECONDS = 8


def answers(url: str) -> bool:
    """Return whether the address answers with a 2xx status."""
    headers = {"X-Forwarded-Proto": "https"}
    if host := os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip("."):
        headers["Host"] = "localhost" if host == "*" else host
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SECONDS) as reply:
            return bool(200 <= reply.status < 300)
    except OSError:  # refused, timed out, or an error status
        return False


if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1]))

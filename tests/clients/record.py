"""Record one JSON-RPC reply of a real node for the tests: ``python -m tests.clients.record solana_rpc METHOD
'PARAMS'``.

Reads SOLANA_RPC_URL from the environment; nothing of it is written down.
"""

import json
import os
import re
import sys

import httpx

from tests.clients.recorded import RECORDINGS


def main(folder: str, method: str, params: str) -> int:
    """Ask the node and write the reply below ``recordings/``; return the exit code."""
    url = os.environ.get("SOLANA_RPC_URL")
    if not url:
        sys.stderr.write("Set SOLANA_RPC_URL to a node's JSON-RPC address.\n")
        return 2
    request = {"method": method, "params": json.loads(params)}
    reply = httpx.post(url, json={"jsonrpc": "2.0", "id": 1, **request}, timeout=30)
    name = re.sub(r"[^A-Za-z0-9]+", "_", f"{method}_{params}")[:80].strip("_")
    kept = {
        "origin": "captured",
        "request": request,
        "status": reply.status_code,
        "headers": {"content-type": reply.headers.get("content-type", "")},
        "body": reply.json(),
    }
    path = RECORDINGS / folder / f"{name}.json"
    path.write_text(json.dumps(kept, separators=(",", ":")) + "\n")
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

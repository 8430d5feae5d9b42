"""Run the stand-in as a program: ``python -m tests.cluster --help``."""

import argparse
import contextlib
import itertools
import time

from tests.cluster import chain
from tests.cluster.chain import Fork
from tests.cluster.cluster import Cluster


def main() -> None:
    """Serve a chain until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which traffic (default 1)")
    parser.add_argument("--rate", type=float, default=30.0, help="transactions a second (default 30)")
    parser.add_argument("--minutes", type=float, default=5.0, help="how much traffic; then empty blocks (default 5)")
    parser.add_argument("--forks", type=int, default=2, help="how many branches are dropped on the way (default 2)")
    parser.add_argument("--http-port", type=int, default=8899, help="port of JSON-RPC, 0 for any (default 8899)")
    parser.add_argument("--ws-port", type=int, default=8900, help="port of the WebSocket, 0 for any (default 8900)")
    wanted = parser.parse_args()
    slots = int(wanted.minutes * 60 * chain.SLOTS_A_SECOND)
    built = chain.build(
        seed=wanted.seed,
        slots=slots,
        per_slot=wanted.rate / chain.SLOTS_A_SECOND,
        forks=[Fork(slots * (n + 1) // (wanted.forks + 1), 8 + 8 * (n % 4)) for n in range(wanted.forks)],
        first_second=int(time.time()),
    )
    with Cluster(built, http_port=wanted.http_port, ws_port=wanted.ws_port) as cluster:
        print(f"JSON-RPC {cluster.http_url}  WebSocket {cluster.ws_url}  {len(built.timeline)} blocks", flush=True)
        for _ in itertools.count():
            cluster.play(rate=wanted.rate, steps=30)
            slot = cluster.chain.played(cluster.node.step).slot
            print(
                f"slot {slot}  connections {len(cluster.sessions())}  calls {sum(cluster.calls.values())}", flush=True
            )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()

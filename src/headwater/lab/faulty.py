"""`python -m headwater.lab.faulty up ...`: a node whose links obey the lab.

Each line on its standard input is a fault (faults.py); its end is the node's end, as always with
--until-stdin-closes."""

import os
import sys
import threading

from headwater.cli.main import run
from headwater.errors import LocalUsageError
from headwater.lab.faults import Faults, FaultyEndpoint
from headwater.link import iroh
from headwater.link.port import Endpoint
from headwater.node.config import LinkConfig

__all__ = ["main"]


def main() -> int:
    faults = Faults()
    _listen(faults)
    honest = iroh.bind

    async def bind(secret: bytes, config: LinkConfig) -> Endpoint:
        return FaultyEndpoint(await honest(secret, config), faults)

    iroh.bind = bind
    return run(sys.argv[1:])


def _listen(faults: Faults) -> None:
    """The node sees a pipe of its own, which ends when the lab's does."""
    lab = os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8")
    node, ours = os.pipe()
    os.dup2(node, sys.stdin.fileno())
    os.close(node)

    def read() -> None:
        for line in lab:
            try:
                faults.obey(line)
            except LocalUsageError as error:
                print(f"headwater: {error}", file=sys.stderr)
        os.close(ours)

    threading.Thread(target=read, name="lab.faults", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())

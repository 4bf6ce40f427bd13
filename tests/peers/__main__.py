"""`python tests/peers rgw azurite`: keep servers running for many test runs.

Prints the lines to export; ends with Ctrl-C or SIGTERM, and the servers with it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers.azurite import AzuriteServer
from peers.process import CONNECTION_FILE, PeerFailedError, PeerMissingError, end_on_signals
from peers.rgw import RgwServer

KINDS: dict[str, type[RgwServer | AzuriteServer]] = {"rgw": RgwServer, "azurite": AzuriteServer}


def main() -> int:
    """Start what was asked for and wait."""
    parser = argparse.ArgumentParser(prog="python tests/peers", description=__doc__)
    parser.add_argument("kinds", nargs="+", metavar="KIND[:PORT]", help=" or ".join(KINDS))
    options = parser.parse_args()
    end_on_signals()
    try:
        with ExitStack() as running:
            for wanted in options.kinds:
                kind, _, port = wanted.partition(":")
                if kind not in KINDS:
                    parser.error(f"no such kind: {kind}; there are {', '.join(KINDS)}")
                server = KINDS[kind](port=int(port) if port else None)
                running.enter_context(server)
                print(f"export PACKAGER_TEST_{kind.upper()}={server.folder / CONNECTION_FILE}")
            print("# running; Ctrl-C ends it", flush=True)
            signal.pause()
            return 0
    except (PeerMissingError, PeerFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Knocks from outside, before and after the ruleset: `python -m tools.firewall_probe` (root)."""

from __future__ import annotations

import sys

from tests.support.environment import ROOT
from tests.system.compose.namespaces import HOST, Network

PORTS = {22: "ssh", 80: "nginx", 443: "nginx", 3306: "MySQL, by mistake", 5000: "something else"}


def main() -> None:
    """Print which ports of the host somebody outside reaches."""
    network = Network()
    try:
        network.listen(network.host, [22, 5000])
        network.listen(network.container, [3306, 8080, 8443])
        targets = [(HOST, port) for port in PORTS]
        before = network.reached(network.outside, targets)
        network.load(ROOT / "deploy" / "firewall" / "loguserapp.nft")
        after = network.reached(network.outside, targets)
    finally:
        network.close()
    sys.stdout.write(f"{'port':<8}{'what listens':<22}{'before':<10}after\n")
    for target in targets:
        states = ["open" if target in seen else "closed" for seen in (before, after)]
        sys.stdout.write(f"{target[1]:<8}{PORTS[target[1]]:<22}{states[0]:<10}{states[1]}\n")


if __name__ == "__main__":
    main()

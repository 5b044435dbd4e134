"""A network of three machines in namespaces: somebody outside, the host, and a container on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import wait_until

# As Docker writes them, with the stack's ports and, by mistake, MySQL's.
DOCKER_RULES = """
table ip nat {
	chain DOCKER {
		iifname "br-stack" return
		tcp dport 80 dnat to 10.99.1.2:8080
		tcp dport 443 dnat to 10.99.1.2:8443
		tcp dport 3306 dnat to 10.99.1.2:3306
	}
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local jump DOCKER
	}
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		oifname != "br-stack" ip saddr 10.99.1.0/24 masquerade
	}
}
table ip filter {
	chain DOCKER {
		iifname != "br-stack" oifname "br-stack" tcp dport { 3306, 8080, 8443 } accept
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		ct state related,established accept
		oifname "br-stack" jump DOCKER
		iifname "br-stack" accept
	}
}
"""
LISTEN = """
import json, socket, sys, time
sockets = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
           for port in json.loads(sys.argv[1])]
print("ready", flush=True)
sys.stdin.read()
"""
REACH = """
import concurrent.futures as f, json, socket, sys
def reaches(target):
    try:
        socket.create_connection(target, timeout=1).close()
    except OSError:
        return False
    return True
targets = [tuple(target) for target in json.loads(sys.argv[1])]
with f.ThreadPoolExecutor(32) as pool:
    print(json.dumps([t for t, ok in zip(targets, pool.map(reaches, targets)) if ok]))
"""
OUTSIDE, HOST, CONTAINER = "10.99.0.1", "10.99.0.2", "10.99.1.2"
HOST_V6 = "fd99::2"


class Network:
    """The three namespaces; removed by close()."""

    def __init__(self) -> None:
        mark = f"lua{os.getpid()}"
        self.outside, self.host, self.container = (f"{mark}-{n}" for n in "ohc")
        self._listeners: list[subprocess.Popen[str]] = []
        for name in (self.outside, self.host, self.container):
            _run("ip", "netns", "add", name)
            self.run(name, "ip", "link", "set", "lo", "up")
        self._link((self.outside, "up0", f"{OUTSIDE}/24"), (self.host, "wan", f"{HOST}/24"))
        inside = (self.host, "br-stack", "10.99.1.1/24")
        self._link((self.container, "eth0", f"{CONTAINER}/24"), inside)
        self.run(self.outside, "ip", "-6", "addr", "add", "fd99::1/64", "dev", "up0", "nodad")
        self.run(self.host, "ip", "-6", "addr", "add", f"{HOST_V6}/64", "dev", "wan", "nodad")
        self.run(self.container, "ip", "route", "add", "default", "via", "10.99.1.1")
        # Somebody outside may also try to reach the container's address itself.
        self.run(self.outside, "ip", "route", "add", "10.99.1.0/24", "via", HOST)
        self.run(self.host, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.run(self.host, "nft", "-f", "-", stdin=DOCKER_RULES)

    def close(self) -> None:
        for listener in self._listeners:
            listener.communicate()
        for name in (self.outside, self.host, self.container):
            _run("ip", "netns", "del", name)

    def listen(self, where: str, ports: Iterable[int]) -> None:
        """Accept connections on these ports until the network is closed."""
        command = ["ip", "netns", "exec", where, sys.executable, "-c", LISTEN, json.dumps([*ports])]
        listener = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._listeners.append(listener)
        said = listener.stdout
        assert said is not None
        wait_until(lambda: said.readline() == "ready\n", "the ports to be open")

    def reached(self, where: str, targets: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        """Which of the targets answer a connection from there."""
        found = self.run(where, sys.executable, "-c", REACH, json.dumps([*targets]))
        return {(address, port) for address, port in json.loads(found)}

    def load(self, ruleset: Path) -> None:
        self.run(self.host, "nft", "-f", str(ruleset))

    def docker_rules(self) -> str:
        return "".join(
            self.run(self.host, "nft", "list", "table", "ip", name) for name in ("nat", "filter")
        )

    def run(self, where: str, *command: str, stdin: str = "") -> str:
        return _run("ip", "netns", "exec", where, *command, stdin=stdin)

    def _link(self, *ends: tuple[str, str, str]) -> None:
        (a, a_name, _), (b, b_name, _) = ends
        peer = ("type", "veth", "peer", "name", b_name, "netns", b)
        _run("ip", "link", "add", a_name, "netns", a, *peer)
        for where, name, address in ends:
            self.run(where, "ip", "addr", "add", address, "dev", name)
            self.run(where, "ip", "link", "set", name, "up")


@dataclass(frozen=True)
class Neighbour:
    """A namespace, and its IPv6 address."""

    name: str
    address: str


@contextmanager
def ipv6_neighbour() -> Iterator[tuple[Neighbour, str]]:
    """Another machine beside this one, and the IPv6 address by which it reaches this one."""
    neighbour, host = Neighbour(f"lua{os.getpid()}-six", "fd98::2"), "fd98::1"
    link = f"lua{os.getpid() % 100_000}"
    _run("ip", "netns", "add", neighbour.name)
    try:
        peer = ("type", "veth", "peer", "name", "eth0", "netns", neighbour.name)
        _run("ip", "link", "add", link, *peer)
        _run("ip", "-6", "addr", "add", f"{host}/64", "dev", link, "nodad")
        _run("ip", "link", "set", link, "up")
        inside = ("ip", "-n", neighbour.name)
        _run(*inside, "-6", "addr", "add", f"{neighbour.address}/64", "dev", "eth0", "nodad")
        _run(*inside, "link", "set", "eth0", "up")
        yield neighbour, host
    finally:
        _run("ip", "netns", "del", neighbour.name)


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout

"""A cluster of the test's own, and what can be done to its members."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from string import Template

from tests.support.environment import missing, wait_until
from tests.system.compose.stack import OWNER, Stack

MEMBERS = ("mysql-1", "mysql-2", "mysql-3")
FILE = "deploy/cluster/compose.yml"
# Between members, and from HAProxy and the programs of the cluster.
GROUP_PORT, MYSQL_PORT = 33061, 3306
TABLE = "inet loguserapp_cut"
CUT = Template(f"""
table {TABLE} {{
	chain input {{
		type filter hook input priority -200; policy accept;
		iifname != "lo" tcp dport {{ $ports }} drop
		iifname != "lo" tcp sport {{ $ports }} drop
	}}
	chain output {{
		type filter hook output priority -200; policy accept;
		oifname != "lo" tcp dport {{ $ports }} drop
		oifname != "lo" tcp sport {{ $ports }} drop
	}}
}}
""")
GROUP = """SELECT MEMBER_HOST, MEMBER_STATE, MEMBER_ROLE
FROM performance_schema.replication_group_members"""


class Cluster(Stack):
    """The cluster; `url` is where nginx answers."""

    def __init__(self, folder: Path, name: str, *overrides: str, **settings: str) -> None:
        files = ":".join([FILE, *overrides])
        super().__init__(folder, name, COMPOSE_FILE=files, **settings)
        self._root = ""
        self._cut: set[str] = set()

    def up(self) -> None:
        """Start as an operator does, and wait until writes have a way and nginx answers."""
        self.compose("up", "-d")
        self.until_whole(180)
        wait_until(lambda: self._is_healthy("nginx"), "nginx to be healthy", 60)

    def sql(self, statement: str) -> list[str]:
        """Ask the primary as the owner of the tables."""
        return self.sql_on(self.primary(), statement)

    def sql_on(self, member: str, statement: str, database: str = "loguserapp") -> list[str]:
        """Ask one member as the owner of the tables."""
        command = ("exec", "-T", member, *OWNER, "-e", statement, database)
        return self.compose(*command).stdout.split("\n")[:-1]

    def as_root_on(self, member: str, statement: str) -> list[str] | None:
        """Ask one member as root; None where it does not answer."""
        if not self._root:
            read = ("run", "--rm", "-T", "--no-deps", "secrets", "cat", "/secrets/made/root")
            self._root = self.compose(*read).stdout.strip()
        done = self.compose(
            "exec", "-T", "-e", f"MYSQL_PWD={self._root}", member,
            "mysql", "-uroot", "--connect-timeout=2", "-BNe", statement, check=False,
        )  # fmt: skip
        return done.stdout.split("\n")[:-1] if done.returncode == 0 else None

    def group(self, member: str) -> dict[str, tuple[str, str]]:
        """State and role of each member, as one of them sees the group; empty without an answer."""
        rows = [row.split("\t") for row in self.as_root_on(member, GROUP) or []]
        return {host: (state, role) for host, state, role in rows if host}

    def leader(self) -> str | None:
        """The member that may be written to, as one says that sees a majority; None without."""
        for member in MEMBERS:
            seen = self.group(member)
            online = [host for host, (state, _) in seen.items() if state == "ONLINE"]
            if member in online and 2 * len(online) > len(seen):
                named = [host for host in online if seen[host][1] == "PRIMARY"]
                return named[0] if named else None
        return None

    def primary(self) -> str:
        """The same, where there must be one."""
        found = self.leader()
        assert found, "the group has no primary"
        return found

    def until_led_by_another(self, than: str, seconds: float = 30) -> None:
        wait_until(
            lambda: self.leader() not in {None, than}, f"a primary that is not {than}", seconds
        )

    def is_whole(self) -> bool:
        """Whether every member sees three members ONLINE, one and the same of them primary."""
        seen = [self.group(member) for member in MEMBERS]
        states = [state for state, _ in seen[0].values()]
        return states == ["ONLINE"] * 3 and seen[0] == seen[1] == seen[2]

    def until_whole(self, seconds: float = 90) -> None:
        wait_until(self.is_whole, "three members in one group", seconds)

    def until_read_only(self, member: str) -> None:
        """Wait until a member that lost sight of the others has given up."""
        asked = "SELECT @@GLOBAL.super_read_only"
        wait_until(lambda: self.as_root_on(member, asked) == ["1"], f"{member} to be read-only")

    def process(self, service: str) -> int:
        (container,) = self.ids(service)
        return int(self.inspect(container)["State"]["Pid"])

    def cut(self, *members: str, ports: tuple[int, ...] = (GROUP_PORT, MYSQL_PORT)) -> None:
        """Drop what members send and receive on these ports, as a network that is down does.

        The rule is in the network of the container, and goes with it.
        """
        for member in members:
            rules = CUT.substitute(ports=", ".join(map(str, ports)))
            self._nft(member, "-f", "-", stdin=rules)
            self._cut.add(member)

    def heal(self) -> None:
        """Let everything pass again."""
        for member in list(self._cut):
            # A member that has started again has a network without the rule.
            if TABLE in self._nft(member, "list", "tables"):
                self._nft(member, "delete", "table", *TABLE.split())
            self._cut.discard(member)

    def _nft(self, member: str, *arguments: str, stdin: str = "") -> str:
        network = f"--net=/proc/{self.process(member)}/ns/net"
        done = subprocess.run(
            ["nsenter", network, "nft", *arguments],
            input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _is_healthy(self, service: str) -> bool:
        states = [self.inspect(container)["State"] for container in self.ids(service)]
        return bool(states) and all(state["Health"]["Status"] == "healthy" for state in states)


def tools_or_missing() -> None:
    """Go on where members can be cut off and killed."""
    for tool in ("nsenter", "nft"):
        if shutil.which(tool) is None:
            missing(f"{tool} (util-linux, nftables)")
    if os.geteuid() != 0:
        missing("the right to enter the networks of containers (root)")

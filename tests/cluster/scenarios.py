"""What is done to the cluster while people use it, each time until it is whole again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.cluster import FILE, MEMBERS, Cluster
from tests.cluster.workload import Workload


@dataclass(frozen=True)
class Scenario:
    """A fault or an operator's action.

    Attributes:
        name: of its line in the table.
        apply: does it, and returns when what it did is over.
        allowed: statuses by which requests may fail meanwhile.
        gap: for how long no write may be acknowledged, in seconds.

    """

    name: str
    apply: Callable[[Cluster, Workload], None]
    allowed: frozenset[str] = frozenset({"503"})
    gap: float = 15


def kill_the_writer(cluster: Cluster, _: Workload) -> None:
    old = cluster.primary()
    (container,) = cluster.ids(old)
    cluster.kill(container)
    cluster.until_led_by_another(old)


def cut_the_writer_off(cluster: Cluster, workload: Workload) -> None:
    old = cluster.primary()
    cluster.cut(old)
    try:
        cluster.until_led_by_another(old)
        workload.calm()
        cluster.until_read_only(old)  # and two writers there never are
    finally:
        cluster.heal()


def restart_members(cluster: Cluster, _: Workload) -> None:
    for number, member in enumerate(MEMBERS):
        if cluster.primary() == member:  # as docs/cluster says
            following = MEMBERS[(number + 1) % len(MEMBERS)]
            steward = ("exec", "-T", "steward", "python", "-m", "deploy.cluster.steward")
            cluster.compose(*steward, "primary", following)
        cluster.compose("restart", member)
        cluster.until_whole()


def update_the_web(cluster: Cluster, _: Workload) -> None:
    before = set(cluster.ids("web"))
    page = cluster.folder / "app" / "templates" / "base.html"
    page.write_text(page.read_text() + "<!-- newer -->\n")
    cluster.run("make", "rolling-update", more={"COMPOSE_FILE": FILE})
    after = set(cluster.ids("web"))
    assert before.isdisjoint(after)
    assert len(after) == len(before)


def stop_and_start_members(cluster: Cluster, workload: Workload) -> None:
    cluster.compose("stop", *MEMBERS)
    workload.until_reads(10)
    cluster.compose("start", *MEMBERS)
    cluster.until_whole()


SCENARIOS = (
    Scenario("the writer killed (SIGKILL)", kill_the_writer),
    Scenario("the writer cut off, then healed", cut_the_writer_off),
    Scenario("rolling restart of the members", restart_members),
    Scenario("rolling update of the web", update_the_web, frozenset(), 3),
    Scenario("all members stopped and started", stop_and_start_members, gap=60),
)


def run(cluster: Cluster, scenario: Scenario, mark: str) -> Workload:
    """Apply a scenario under load, wait until the cluster is whole and calm, end the load."""
    with Workload(cluster.url, mark) as workload:
        workload.calm()
        scenario.apply(cluster, workload)
        cluster.until_whole()
        workload.calm()
    return workload

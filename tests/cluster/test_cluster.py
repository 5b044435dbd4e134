"""The cluster, broken under load: nothing that was promised is lost, and it mends itself.

`make test-cluster` runs this folder. Each scenario has a workload of its own, which goes on until
the cluster is whole and nothing fails any more; then all is quiet, and what the clients were told
is compared with what the database holds.
"""

from __future__ import annotations

import pytest

from tests.cluster import scenarios
from tests.cluster.cluster import Cluster
from tests.cluster.report import Line
from tests.cluster.scenarios import SCENARIOS, Scenario
from tests.cluster.verify import verify

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_was_promised_is_kept(cluster: Cluster, lines: list[Line], scenario: Scenario) -> None:
    cluster.until_whole()
    workload = scenarios.run(cluster, scenario, f"s{SCENARIOS.index(scenario)}")
    line = Line(scenario.name, workload, verify(cluster, workload))
    lines.append(line)
    line.assert_kept(set(scenario.allowed), scenario.gap)

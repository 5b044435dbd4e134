"""Nothing is done to the cluster, then its data are spoilt by hand: the verification sees it."""

from __future__ import annotations

import pytest

from tests.cluster.cluster import MEMBERS, Cluster
from tests.cluster.report import Line
from tests.cluster.verify import differences, verify
from tests.cluster.workload import Workload

pytestmark = pytest.mark.cluster
MARK = "steady"


def test_the_verification_sees_what_is_lost(cluster: Cluster, lines: list[Line]) -> None:
    cluster.until_whole()
    with Workload(cluster.url, MARK) as workload:
        workload.calm()
    line = Line("nothing is done", workload, verify(cluster, workload))
    lines.append(line)
    line.assert_kept(set(), gap=3)

    spoil(cluster, workload.shared.revoked[-1].session)
    found = verify(cluster, workload)
    cluster.sql("DELETE FROM session WHERE user_id IS NULL")  # no other test is to find it
    assert found.lost_registrations == [f"{MARK}-registrar-1-0 ({MARK}-registrar-1-0@example.com)"]
    assert found.lost_changes
    assert {each.partition(":")[0] for each in found.half_written} == {
        "a session without an account", "an account without its proof",
    }  # fmt: skip
    assert found.revoked_accepted
    kinds = {each.partition("/")[0] for each in found.not_linearizable}
    assert kinds == {"name", "session", "password"}


def spoil(cluster: Cluster, session: str) -> None:
    """Take an account away, an old password back, a logout back, a proof away."""
    cluster.sql(
        f"""
        DELETE FROM user WHERE username = '{MARK}-registrar-1-0';
        UPDATE user u JOIN user o ON o.username = '{MARK}-leaver'
            SET u.password = o.password WHERE u.username LIKE '{MARK}-changer-%';
        UPDATE session SET revoked_at = NULL WHERE id = {session};
        DELETE o FROM one_time o JOIN user u ON u.id = o.user_id
            WHERE u.username = '{MARK}-registrar-2-0';
        """
    )


def test_a_member_that_differs_is_seen(cluster: Cluster) -> None:
    other = next(member for member in MEMBERS if member != cluster.primary())
    beside = "SET sql_log_bin = 0; SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0;"
    spoilt = "UPDATE loguserapp.user SET language = {} ORDER BY id LIMIT 1;"
    back = "SET GLOBAL super_read_only = 1"
    assert differences(cluster) == []
    cluster.as_root_on(other, beside + spoilt.format("'xx'") + back)
    assert any(each.startswith(other) for each in differences(cluster, seconds=2))
    cluster.as_root_on(other, beside + spoilt.format("NULL") + back)
    assert differences(cluster) == []

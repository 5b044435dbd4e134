"""One line of the table for each scenario, and what is asserted of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from benchmarks import report
from tests.cluster.tally import longest_gap
from tests.cluster.verify import Findings
from tests.cluster.workload import Workload

HEAD = (
    "scenario", "writes", "longest write gap", "registrations lost", "password changes lost",
    "rows half written", "lineages a session", "revoked accepted", "not linearizable",
    "failures by status", "`/resource`",
)  # fmt: skip


class Line:
    """What was seen in one scenario; `cells` are its figures when it was verified."""

    def __init__(self, name: str, workload: Workload, findings: Findings) -> None:
        self.name, self.workload, self.findings = name, workload, findings
        self.cells = self._cells()

    def _cells(self) -> tuple[str, ...]:
        tally, found = self.workload.shared.tally, self.findings
        written = tally.acknowledged()
        failed = ", ".join(f"{reason}: {n}" for reason, n in sorted(tally.failures.items()))
        reads = tally.resource_good + tally.resource_failures.total()
        return (
            self.name,
            str(len(written)),
            f"{longest_gap(written):.1f} s",
            f"{len(found.lost_registrations)} of {found.registrations}",
            f"{len(found.lost_changes)} of {found.changes}",
            str(len(found.half_written)),
            str(found.lineages),
            str(len(found.revoked_accepted)),
            f"{len(found.not_linearizable)} ({found.operations} operations)",
            failed or "none",
            f"{100 * tally.resource_good / max(1, reads):.1f} % of {reads}",
        )

    def assert_kept(
        self, allowed: set[str], gap: float, reads: Collection[str] = frozenset()
    ) -> None:
        """Assert every promise at once, so that a failure tells all that was broken.

        Args:
            allowed: the failures that the scenario may cause, by status.
            gap: the longest time without an acknowledged write, in seconds.
            reads: those by which reads of the resource may fail, too.

        """
        shared, found = self.workload.shared, self.findings
        tally = shared.tally
        broken = {
            "registrations lost": found.lost_registrations,
            "password changes lost": found.lost_changes,
            "half written": found.half_written,
            "lineages": [] if found.lineages == 1 else [str(found.lineages)],
            "revoked tokens accepted": found.revoked_accepted,
            "not linearizable": found.not_linearizable,
            "members differ": found.members_differ,
            "wrongly refused or a bug": tally.faults,
            "logged out": shared.forced_logouts,
            "failures of /resource": _said(tally.resource_failures, reads),
            "failures of another kind": _said(tally.failures, allowed),
        }
        if longest_gap(tally.acknowledged()) > gap:
            broken["writes stood still"] = [f"{longest_gap(tally.acknowledged()):.1f} s"]
        if tally.slowest_failure > SLOWEST_FAILURE:
            broken["a failure was told late"] = [f"{tally.slowest_failure:.1f} s"]
        told = [f"{what}: {each}" for what, cases in broken.items() for each in cases]
        assert not told, "\n".join([self.name, *told])


# The database away: 503 within 5 s (CONTRACT §7), and half a second of a busy machine's own.
SLOWEST_FAILURE = 5.5


def table(lines: list[Line], versions: str) -> str:
    """The lines, and what they were measured on."""
    return "\n\n".join(
        [
            f"Machine: {report.machine()}. {versions}.",
            report.table(HEAD, [line.cells for line in lines]),
        ]
    )


def _said(failures: Counter[str], but: Collection[str]) -> list[str]:
    return [f"{reason}: {n}" for reason, n in failures.items() if reason not in but]

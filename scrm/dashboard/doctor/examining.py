"""One examination: what is asked of the platform first, then what lies here."""

from datetime import datetime

from scrm.dashboard.doctor.findings import Finding, Verdict
from scrm.dashboard.doctor.here import look_here
from scrm.dashboard.doctor.platform import ask_platform
from scrm.dashboard.doctor.reaching import call_ourselves
from scrm.tenancy.models import Corp

_WORST_FIRST = [Verdict.WRONG, Verdict.WARNING, Verdict.UNKNOWN, Verdict.OK]


def examine(corp: Corp, *, now: datetime, public_url: str = "") -> list[Finding]:
    """Everything that can be found out about a corp's set-up, the worst first.

    Asks the platform and, with `public_url`, our own callback address; takes seconds, changes
    nothing, and must not run inside a transaction.
    """
    findings = [*ask_platform(corp)]
    if public_url:
        findings.append(call_ourselves(corp, public_url))
    findings += look_here(corp, now=now)
    return sorted(findings, key=lambda each: _WORST_FIRST.index(each.verdict))

"""Makers of SOPs, and a run of everything that a tick would do."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns.actions import screening
from campaigns.actions.polling import poll_due_tasks
from campaigns.actions.sops.dates import enrol_by_dates
from campaigns.actions.sops.dispatching import run_due_steps
from campaigns.actions.sops.drafting import activate_sop, create_sop
from campaigns.actions.sops.ending import exit_enrolments
from campaigns.actions.sops.enrolling import enrol_customer
from campaigns.actions.sops.grammar import SopDraft
from campaigns.actions.sops.triggers import enrol_from_facts
from campaigns.models import Enrolment, Sop, StepRun
from customers.models import Customer
from risk.actions.screening import Hit, Verdict, VerdictWord
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.outbox import run_due_operations
from scrm.tenancy.models import Corp

MANUAL = {"type": "manual"}
Step = dict[str, Any]


def message(content: str = "Hello", **step: Any) -> Step:
    return _step({"kind": "message", "content": content}, step)


def task(text: str = "Call her", **step: Any) -> Step:
    return _step({"kind": "task", "text": text}, step)


def tag(*tag_ids: int, kind: str = "tag", **step: Any) -> Step:
    return _step({"kind": kind, "tags": list(tag_ids)}, step)


def stage(key: str, **step: Any) -> Step:
    return _step({"kind": "stage", "stage": key}, step)


def _step(action: dict[str, Any], step: dict[str, Any]) -> Step:
    days, minutes = step.pop("days", 0), step.pop("minutes", 0)
    return {"offset": {"days": days, "minutes": minutes}, "at": None, "action": action, **step}


def make_sop(
    corp: Corp,
    steps: Sequence[Step],
    *,
    now: datetime,
    is_active: bool = True,
    **fields: Any,
) -> Sop:
    """A SOP through its own action, running unless `is_active` says otherwise."""
    defaults = {"name": f"SOP {Sop.objects.count() + 1}", "trigger": MANUAL}
    draft = SopDraft(**(defaults | fields), steps=steps)
    sop = create_sop(corp, draft=draft, actor=SYSTEM, now=now)
    return activate_sop(sop, actor=SYSTEM, now=now) if is_active else sop


def enrol(sop: Sop, customer: Customer, *, now: datetime, **fields: Any) -> Enrolment:
    return enrol_customer(sop, customer, actor=SYSTEM, now=now, **fields)


def forbid(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Have the rules of risk block a word; how they find it is theirs to prove."""

    def screen(text: str, **_: Any) -> Verdict:
        start = text.find(word)
        if start < 0:
            return Verdict(VerdictWord.PASS, ())
        hit = Hit("promises", "advertising", "high", start, start + len(word), word)
        return Verdict(VerdictWord.BLOCK, (hit,))

    monkeypatch.setattr(screening, "screen_text", screen)


def tick(*, now: datetime) -> None:
    """What beat would have done around `now`, as often as it takes."""
    enrol_from_facts(now=now)
    enrol_by_dates(now=now, everybody=True)
    exit_enrolments(now=now)
    run_due_steps(now=now)
    # What the steps wished for carries the time of a moment later.
    run_due_operations(now=now + timedelta(seconds=5), limit=2_000)


def watch(*, now: datetime) -> None:
    """Look at the results, as polling would after a while."""
    poll_due_tasks(now=now + timedelta(hours=1), limit=10_000)


def told(enrolment: Enrolment | None = None) -> list[tuple[str, str]]:
    """(status, reason) of every run, in the order of the steps."""
    runs = StepRun.objects.all() if enrolment is None else enrolment.runs.all()
    return list(runs.order_by("step__position", "pk").values_list("status", "reason"))

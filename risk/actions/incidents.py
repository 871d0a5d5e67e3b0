"""Raising incidents, and deciding them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from risk.actions.screening import Hit
from risk.models import ArchivedMessage, Incident, Severity
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp, Staff

Status = Incident.Status
_DECISION = ("status", "decision", "note", "decided_by", "decided_at")


class IncidentDecided(DomainError):
    """Somebody else was first."""

    code = "incident_decided"


class IncidentOpen(DomainError):
    """There is nothing to open again."""

    code = "incident_open"


@dataclass(frozen=True)
class Occasion:
    """What an incident is about; `key` names it once and for all within the corp."""

    kind: Incident.Kind
    key: str
    severity: str
    happened_at: datetime
    category: str = ""
    staff: Staff | None = None
    external_userid: str = ""
    chat_id: str = ""
    message: ArchivedMessage | None = None
    hits: Sequence[Hit] = ()
    data: dict[str, Any] = field(default_factory=dict)


def raise_incident(occasion: Occasion, *, corp: Corp, now: datetime) -> Incident:
    """Open an incident; the same occasion a second time returns the first one's row.

    `low` passes and is recorded: its row is there and waits for nobody.
    """
    fields = {
        name: getattr(occasion, name)
        for name in (
            "kind", "severity", "happened_at", "category", "staff", "external_userid", "chat_id",
            "message", "data",
        )
    }  # fmt: skip
    fields["hits"] = [hit.as_dict() for hit in occasion.hits]
    fields["status"] = Status.RECORDED if occasion.severity == Severity.LOW else Status.OPEN
    incident, _created = Incident.objects.get_or_create(
        corp=corp, key=occasion.key, defaults={**fields, "opened_at": now}
    )
    return incident


@transaction.atomic
def decide_incident(
    incident: Incident, *, decision: str, note: str, actor: Actor, now: datetime
) -> Incident:
    """Close an incident with what it was and why; raises IncidentDecided when it is closed."""
    row = _locked(incident)
    check_state(row, is_opening=False)
    _check(note, decision=decision)
    row.status, row.decision, row.note = Status.DECIDED, decision, note.strip()
    row.decided_by, row.decided_at = actor.name[:80], now
    row.save(update_fields=_DECISION)
    data = {"decision": row.decision, "reason": row.note}
    record("incidents.decided", actor=actor, corp=row.corp, subject=row, now=now, data=data)
    return row


@transaction.atomic
def reopen_incident(incident: Incident, *, note: str, actor: Actor, now: datetime) -> Incident:
    """Put an incident into the queue again; its earlier decision stays in the audit log."""
    row = _locked(incident)
    check_state(row, is_opening=True)
    _check(note)
    data = {"was": row.decision, "reason": note.strip()}
    row.status, row.decision, row.note = Status.OPEN, "", ""
    row.decided_by, row.decided_at, row.opened_at = "", None, now
    row.save(update_fields=[*_DECISION, "opened_at"])
    record("incidents.reopened", actor=actor, corp=row.corp, subject=row, now=now, data=data)
    return row


def decide_incidents(
    incidents: Iterable[Incident], *, decision: str, note: str, actor: Actor, now: datetime
) -> int:
    """Decide many alike; what somebody else has decided meanwhile stays so. Returns how many."""
    _check(note, decision=decision)
    decided = 0
    for incident in incidents:
        try:
            decide_incident(incident, decision=decision, note=note, actor=actor, now=now)
        except IncidentDecided:
            continue
        decided += 1
    return decided


def check_state(incident: Incident, *, is_opening: bool) -> None:
    """Raise IncidentDecided or IncidentOpen when there is nothing to decide or to open."""
    if is_opening and incident.status == Status.OPEN:
        raise IncidentOpen(_("This incident is open: it waits to be decided."))
    if not is_opening and incident.status == Status.DECIDED:
        sentence = _("%(who)s has decided this already: open it again to change that.")
        raise IncidentDecided(sentence % {"who": incident.decided_by})


def _locked(incident: Incident) -> Incident:
    rows = Incident.objects.select_for_update(of=("self",)).select_related("corp")
    return rows.get(pk=incident.pk)


def _check(note: str, *, decision: str | None = None) -> None:
    problems = []
    if decision is not None and decision not in Incident.Decision.values:
        words = ", ".join(Incident.Decision.values)
        sentence = _("Choose one of: %(words)s.") % {"words": words}
        problems.append(FieldProblem("/decision", "invalid_choice", sentence))
    if not note.strip():
        sentence = _("Say why: the reason is kept with the decision.")
        problems.append(FieldProblem("/note", "required", sentence))
    elif "\x00" in note or len(note) > 2000:
        sentence = _("A reason is text of at most 2,000 characters.")
        problems.append(FieldProblem("/note", "invalid", sentence))
    if problems:
        raise InvalidInput(problems[0].message, errors=tuple(problems))

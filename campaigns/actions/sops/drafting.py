"""Writing SOPs, letting them run, pausing them, and changing them while they run.

A step keeps its id: what was done for somebody is never done again because the text or the time
was edited. A change of time moves only what nobody was asked for yet.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from campaigns.actions.attaching import problems_of_references
from campaigns.actions.screening import BlockedByRisk
from campaigns.actions.sops.ending import finish_enrolments
from campaigns.actions.sops.grammar import DRAFT_FIELDS, SopDraft, check_draft, read_time
from campaigns.actions.sops.holding import lock_to_edit
from campaigns.actions.sops.rescheduling import plan_new_steps, reschedule_steps
from campaigns.actions.sops.screening import screen_actions
from campaigns.models import Sop, Step, StepRun
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

_TIMING = ("offset_days", "offset_minutes", "at")


class WrongStatus(DomainError):
    code = "wrong_status"


@transaction.atomic
def create_sop(corp: Corp, *, draft: SopDraft, actor: Actor, now: datetime) -> Sop:
    """Keep a draft; raises InvalidInput with every problem at once."""
    check_draft(draft, corp=corp)
    sop = Sop(corp=corp, created_by=actor.key, created_at=now, updated_at=now)
    _write(sop, draft)
    _keep(sop)
    _write_steps(sop, draft, now=now)
    record("sops.created", actor=actor, corp=corp, subject=sop, now=now)
    return sop


@transaction.atomic
def update_sop(sop: Sop, *, changes: Mapping[str, Any], actor: Actor, now: datetime) -> Sop:
    """Change fields (names of `SopDraft`); another content is another version.

    What runs, or may be resumed, is checked and screened as if it were activated.
    """
    locked = lock_to_edit(sop)
    before = draft_of(locked)
    draft = SopDraft(**({name: getattr(before, name) for name in DRAFT_FIELDS} | dict(changes)))
    known = list(locked.steps.current().values_list("pk", flat=True))
    check_draft(draft, corp=locked.corp, known_steps=known)
    if locked.status != Sop.Status.DRAFT:
        _check_ready(draft, corp=locked.corp)
    was_quiet = locked.quiet_hours
    _write(locked, draft)
    locked.version += 1
    locked.updated_at = now
    _keep(locked)
    _write_steps(locked, draft, now=now, all_moved=was_quiet != locked.quiet_hours)
    data = {"changed": sorted(changes), "version": locked.version, "before": _told(before, changes)}
    record("sops.changed", actor=actor, corp=locked.corp, subject=locked, now=now, data=data)
    return locked


@transaction.atomic
def activate_sop(sop: Sop, *, actor: Actor, now: datetime) -> Sop:
    """Let a SOP run, for the first time or again after a pause; nothing happens when it runs.

    Raises InvalidInput when it is not complete, BlockedByRisk when a text must not be said.
    """
    locked = lock_to_edit(sop)
    if locked.status == Sop.Status.ACTIVE:
        return locked
    draft = draft_of(locked)
    known = list(locked.steps.current().values_list("pk", flat=True))
    check_draft(draft, corp=locked.corp, known_steps=known)
    _check_ready(draft, corp=locked.corp)
    locked.status, locked.activated_at, locked.updated_at = Sop.Status.ACTIVE, now, now
    locked.save(update_fields=["status", "activated_at", "updated_at"])
    _wake_runs(locked)
    record("sops.activated", actor=actor, corp=locked.corp, subject=locked, now=now)
    return locked


@transaction.atomic
def pause_sop(sop: Sop, *, actor: Actor, now: datetime) -> Sop:
    """Stop a SOP where it stands; what becomes due waits, and may be too late afterwards."""
    locked = lock_to_edit(sop)
    if locked.status == Sop.Status.DRAFT:
        raise WrongStatus(_("This SOP does not run: there is nothing to pause."))
    if locked.status == Sop.Status.ACTIVE:
        locked.status, locked.updated_at = Sop.Status.PAUSED, now
        locked.save(update_fields=["status", "updated_at"])
        record("sops.paused", actor=actor, corp=locked.corp, subject=locked, now=now)
    return locked


def draft_of(sop: Sop) -> SopDraft:
    return SopDraft(
        name=sop.name,
        trigger=sop.trigger,
        steps=[describe_step(step) for step in sop.steps.current()],
        exit=sop.exit,
        quiet_hours=sop.quiet_hours,
        late_policy=sop.late_policy,
        grace_minutes=sop.grace_minutes,
    )


def describe_step(step: Step) -> dict[str, Any]:
    """The step in the words of the API; it can be sent back as it is."""
    return {
        "id": step.pk,
        "offset": {"days": step.offset_days, "minutes": step.offset_minutes},
        "at": step.at and step.at.strftime("%H:%M"),
        "action": step.action,
        "condition": step.condition,
    }


def _check_ready(draft: SopDraft, *, corp: Corp) -> None:
    if not draft.steps:
        message = _("A SOP without steps does nothing: add one.")
        raise InvalidInput(message, errors=(FieldProblem("/steps", "required", message),))
    actions = [step["action"] for step in draft.steps]
    problems = tuple(
        problem
        for position, action in enumerate(actions)
        for problem in problems_of_references(
            action.get("attachments"), corp=corp, path=f"/steps/{position}/action/attachments"
        )
    )
    if problems:
        raise InvalidInput(" ".join(each.message for each in problems), errors=problems)
    screened = screen_actions(actions, corp=corp)
    if screened.is_blocked:
        raise BlockedByRisk(screened)


def _write(sop: Sop, draft: SopDraft) -> None:
    sop.name = draft.name.strip()
    sop.trigger = dict(draft.trigger)
    sop.exit = dict(draft.exit) if draft.exit else None
    sop.quiet_hours = dict(draft.quiet_hours) if draft.quiet_hours else None
    sop.late_policy = draft.late_policy
    sop.grace_minutes = draft.grace_minutes


def _keep(sop: Sop) -> None:
    try:
        with transaction.atomic():
            sop.save()
    except IntegrityError:
        message = _("The name %(name)s is taken: choose another one.") % {"name": sop.name}
        raise InvalidInput(message, errors=(FieldProblem("/name", "taken", message),)) from None


def _write_steps(sop: Sop, draft: SopDraft, *, now: datetime, all_moved: bool = False) -> None:
    kept = {step.pk: step for step in sop.steps.current()}
    moved, added = [], []
    for position, given in enumerate(draft.steps):
        step = kept.pop(given["id"], None) if given.get("id") else None
        step = step or Step(sop=sop)
        timing = [getattr(step, name) for name in _TIMING]
        _write_step(step, given, position)
        is_new = step.pk is None
        step.save()
        if is_new:
            added.append(step.pk)
        elif all_moved or timing != [getattr(step, name) for name in _TIMING]:
            moved.append(step.pk)
    _remove_steps(list(kept), now=now)
    if sop.status == Sop.Status.DRAFT:
        return
    reschedule_steps(sop, moved, now=now)
    plan_new_steps(sop, added, now=now)


def _write_step(step: Step, given: Mapping[str, Any], position: int) -> None:
    offset = given.get("offset") or {}
    step.position = position
    step.offset_days, step.offset_minutes = offset.get("days", 0), offset.get("minutes", 0)
    step.at = read_time(given["at"]) if given.get("at") else None
    step.action = dict(given["action"])
    step.condition = dict(given["condition"]) if given.get("condition") else None


def _remove_steps(step_ids: list[int], *, now: datetime) -> None:
    Step.objects.filter(pk__in=step_ids).update(removed_at=now)
    waiting = StepRun.objects.untaken().filter(step__in=step_ids).order_by("pk")
    locked = waiting.select_for_update(of=["self"], no_key=True)
    rows = list(locked.values_list("pk", "enrolment_id"))
    StepRun.objects.filter(pk__in=[pk for pk, _enrolment in rows]).update(
        status=StepRun.Status.SKIPPED, reason=StepRun.Reason.REMOVED, settled_at=now
    )
    finish_enrolments({enrolment for _pk, enrolment in rows}, now=now)


def _wake_runs(sop: Sop) -> None:
    """What came due during the pause is looked at now; the late policy says what becomes of it."""
    asleep = StepRun.objects.untaken().filter(step__sop=sop, look_at__isnull=True)
    asleep.update(look_at=F("due_at"))


def _told(before: SopDraft, changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(before, name) for name in changes}

"""Doing what a step says, for many customers at once."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from campaigns.actions.attaching import resolve_attachments
from campaigns.actions.sops.guards import Runs, StepRules
from campaigns.actions.sops.screening import stop_step
from campaigns.actions.sops.settling import settle_runs
from campaigns.actions.sops.speaking import add_recipients, is_open, let_go_safely, open_campaign
from campaigns.models import Campaign, Step, StepRun
from customers.actions.stages import move_customers
from customers.actions.tagging import tag_customers
from customers.models import Customer, Stage, Tag, TimelineEntry
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.outbox import Wish, enqueue_operations
from scrm.channels.operations import SEND_APP_MESSAGE
from scrm.channels.pace import Clock
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Staff

# Customers named in one message to a member of staff; a text message holds 2 048 bytes.
NAMED = 20
_NAME_LENGTH = 20


class Desk:
    """What one run of the tick has open: a campaign for each step that speaks."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.campaigns: dict[int, Campaign] = {}
        self.rules: dict[tuple[int, int], StepRules] = {}
        # Enrolments whose customers the exit rule means, until the batch ends them.
        self.leaving: set[int] = set()

    @contextmanager
    def keeping_step(self) -> Iterator[None]:
        """Around a transaction: what was opened in it is forgotten when it is undone."""
        campaigns, leaving = dict(self.campaigns), set(self.leaving)
        try:
            yield
        except BaseException:
            self.campaigns, self.leaving = campaigns, leaving
            raise

    def campaign_of(self, step: Step, *, now: datetime) -> Campaign:
        """The campaign that the step speaks through in this run of the tick.

        Another worker lets go what has been open for long: then a new one is opened.
        """
        kept = self.campaigns.get(step.pk)
        if kept is None or not is_open(kept):
            kept = self.campaigns[step.pk] = open_campaign(step, now=now)
        return kept

    def close(self) -> None:
        """Have staff asked; what a dying worker leaves open is closed by a later run."""
        for campaign in self.campaigns.values():
            let_go_safely(campaign, now=self.clock())


def do_step(step: Step, runs: Runs, desk: Desk, *, now: datetime) -> None:
    """Carry the step out for these runs; raises DomainError when it has lost its meaning."""
    _DEEDS[step.action["kind"]](step, runs, desk, now)


def _send_message(step: Step, runs: Runs, desk: Desk, now: datetime) -> None:
    attachments = resolve_attachments(step.action.get("attachments") or [], corp=step.sop.corp)
    # Screened again: the rules may have grown since the SOP was activated.
    if stop_step(step, attachments, now=now):
        settle_runs(runs, StepRun.Status.SKIPPED, StepRun.Reason.RISK, now=now)
        return
    campaign = desk.campaign_of(step, now=now)
    add_recipients(campaign, runs, now=now)


def _tell_staff(step: Step, runs: Runs, _desk: Desk, now: datetime) -> None:
    """One message for each member of staff, which lists her customers."""
    lists: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for run_id, customer_id, staff_id in zip(
        runs.ids, runs.customer_ids, runs.staff_ids, strict=True
    ):
        lists[staff_id].append((run_id, customer_id))
    userids = dict(Staff.objects.filter(pk__in=lists).values_list("pk", "userid"))
    names = _names_of(runs.customer_ids)
    wishes, keys = [], {}
    for staff_id, rows in lists.items():
        told = [names[customer_id] for _run, customer_id in rows]
        # The first run names the message once and for all: a run is told once.
        key = f"sop-task:{min(run_id for run_id, _customer in rows)}"
        payload = {"userids": [userids[staff_id]], "text": _task_text(step, told)}
        wishes.append(Wish(key=key, payload=payload))
        keys[staff_id] = key
    operations = enqueue_operations(SEND_APP_MESSAGE, corp=step.sop.corp, wishes=wishes, now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_steprun r"
            " SET taken_at = %s, staff_id = t.staff_id, operation_id = t.operation_id"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])"
            "      AS t (run_id, staff_id, operation_id) WHERE r.id = t.run_id",
            [
                now,
                runs.ids,
                runs.staff_ids,
                [operations[keys[staff_id]].pk for staff_id in runs.staff_ids],
            ],
        )


def _names_of(customer_ids: list[int]) -> dict[int, str]:
    rows = Customer.objects.filter(pk__in=customer_ids).values_list("pk", "name", "external_userid")
    return {pk: (name or external_userid)[:_NAME_LENGTH] for pk, name, external_userid in rows}


def _task_text(step: Step, names: list[str]) -> str:
    head = _("«%(sop)s»: %(text)s") % {"sop": step.sop.name, "text": step.action["text"].strip()}
    listed = _(", ").join(sorted(names)[:NAMED])
    if len(names) > NAMED:
        listed = _("%(names)s and %(count)d more") % {
            "names": listed,
            "count": len(names) - NAMED,
        }
    return _("%(task)s\nCustomers: %(names)s") % {"task": head, "names": listed}


def _give_tags(step: Step, runs: Runs, _desk: Desk, now: datetime) -> None:
    _change_tags(step, runs, now, add=_tags_of(step))


def _take_tags(step: Step, runs: Runs, _desk: Desk, now: datetime) -> None:
    _change_tags(step, runs, now, remove=_tags_of(step))


def _change_tags(
    step: Step, runs: Runs, now: datetime, *, add: Sequence[Tag] = (), remove: Sequence[Tag] = ()
) -> None:
    tag_customers(
        Customer.objects.filter(pk__in=runs.customer_ids),
        corp=step.sop.corp,
        actor=SYSTEM,
        now=now,
        source=TimelineEntry.Source.SOP,
        why={"sop": step.sop_id},
        add=add,
        remove=remove,
    )
    settle_runs(runs, StepRun.Status.DONE, "", now=now)


def _tags_of(step: Step) -> list[Tag]:
    wanted = step.action["tags"]
    tags = list(Tag.objects.for_corp(step.sop.corp).current().filter(pk__in=wanted))
    if len(tags) != len(set(wanted)):
        message = _("A tag of this step was deleted: choose another one.")
        raise InvalidInput(message, errors=(FieldProblem("/action/tags", "unknown_id", message),))
    return tags


def _move_to_stage(step: Step, runs: Runs, _desk: Desk, now: datetime) -> None:
    corp, key = step.sop.corp, step.action["stage"]
    stage = Stage.objects.for_corp(corp).filter(key=key).first()
    if stage is None:
        message = _("There is no stage %(key)s any more.") % {"key": key}
        raise InvalidInput(message, errors=(FieldProblem("/action/stage", "unknown_id", message),))
    why = {"sop": step.sop_id, "reason": "sop"}
    ids = runs.customer_ids
    move_customers(ids, stage, corp=corp, now=now, source=TimelineEntry.Source.SOP, why=why)
    moved = set(Customer.objects.filter(pk__in=ids, stage=stage).values_list("pk", flat=True))
    pairs = list(zip(runs.ids, ids, strict=True))
    done = Runs([run_id for run_id, customer_id in pairs if customer_id in moved])
    held = Runs([run_id for run_id, customer_id in pairs if customer_id not in moved])
    settle_runs(done, StepRun.Status.DONE, "", now=now)
    settle_runs(held, StepRun.Status.SKIPPED, StepRun.Reason.STAGE_HELD, now=now)


_DEEDS: dict[str, Callable[[Step, Runs, Desk, datetime], None]] = {
    Step.Action.MESSAGE: _send_message,
    Step.Action.TASK: _tell_staff,
    Step.Action.TAG: _give_tags,
    Step.Action.UNTAG: _take_tags,
    Step.Action.STAGE: _move_to_stage,
}

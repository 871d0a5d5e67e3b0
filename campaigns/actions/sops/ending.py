"""How customers leave a SOP: at its end, by its exit rule, or taken out by a person."""

import logging
from collections.abc import Collection
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.actions.sops.holding import lock_waiting_runs
from campaigns.models import Enrolment, Sop, StepRun
from customers.actions.segments import customers_of
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError

logger = logging.getLogger(__name__)

_AT_A_TIME = 5_000
EXIT_RULE = "exit_rule"
DATE_GONE = "date_gone"


class EnrolmentEnded(DomainError):
    code = "enrolment_ended"


@transaction.atomic
def cancel_enrolment(enrolment: Enrolment, *, actor: Actor, now: datetime) -> Enrolment:
    """Take a customer out: nothing more is begun; what staff were asked stays asked."""
    ended = end_enrolments([enrolment.pk], status=Enrolment.Status.CANCELLED, now=now)
    if not ended:
        raise EnrolmentEnded(_("This customer is not on the way through the SOP any more."))
    enrolment.refresh_from_db()
    data = {"enrolment": enrolment.pk, "customer": enrolment.customer.external_userid}
    record(
        "sops.enrolment_cancelled",
        actor=actor,
        corp=enrolment.corp,
        subject=enrolment.sop,
        now=now,
        data=data,
    )
    return enrolment


@transaction.atomic
def end_enrolments(
    enrolment_ids: Collection[int],
    *,
    status: Enrolment.Status,
    now: datetime,
    reason: str = "",
    waits: bool = True,
) -> int:
    """End enrolments that are under way, and skip what they still had before them.

    `waits=False` leaves alone the runs that a worker holds: it finds the enrolment ended.
    """
    if not enrolment_ids:
        return 0
    waiting = lock_waiting_runs(enrolment_ids, waits=waits)
    active = Enrolment.objects.active().filter(pk__in=enrolment_ids)
    ids = list(
        active.order_by("pk")
        .select_for_update(of=["self"], no_key=True)
        .values_list("pk", flat=True)
    )
    word = (
        StepRun.Reason.CANCELLED if status == Enrolment.Status.CANCELLED else StepRun.Reason.EXITED
    )
    StepRun.objects.filter(pk__in=waiting, enrolment__in=ids).update(
        status=StepRun.Status.SKIPPED, reason=word, settled_at=now
    )
    return Enrolment.objects.filter(pk__in=ids).update(status=status, reason=reason, ended_at=now)


def finish_enrolments(enrolment_ids: Collection[int], *, now: datetime) -> None:
    """Finish those of the enrolments that have nothing before them any more.

    Locked first and looked at in a statement of its own: of two workers that settle the last two
    runs of an enrolment at the same time, the second must see what the first did.
    """
    if not enrolment_ids:
        return
    ids = sorted(enrolment_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT id FROM campaigns_enrolment WHERE id = ANY(%s)"
            " AND status = 'active' ORDER BY id FOR NO KEY UPDATE) AS locked",
            [ids],
        )
        cursor.execute(
            # LIMIT keeps it a look at the runs of each: as a join it may become a walk over all.
            "UPDATE campaigns_enrolment e SET status = 'finished', ended_at = %s"
            " WHERE e.id = ANY(%s) AND e.status = 'active' AND (SELECT r.id"
            "  FROM campaigns_steprun r WHERE r.enrolment_id = e.id AND r.status = 'pending' LIMIT 1"
            ") IS NULL",
            [now, ids],
        )


def exit_enrolments(*, now: datetime) -> int:
    """Let everybody go to whom the exit rule of her SOP has come to apply; return how many."""
    sops = Sop.objects.exclude(status=Sop.Status.DRAFT).filter(exit__isnull=False)
    gone = 0
    for sop in sops.select_related("corp").order_by("pk"):
        try:
            gone += _exit_from(sop, now=now)
        except DomainError as error:
            # Its rule has lost its meaning (a tag was deleted): nobody leaves by it.
            logger.warning("An exit rule cannot be judged: %s", error.code, extra={"sop": sop.pk})
        except Exception:
            logger.exception("Leaving a SOP failed", extra={"sop": sop.pk})
    return gone


def _exit_from(sop: Sop, *, now: datetime) -> int:
    active = Enrolment.objects.active().filter(sop=sop)
    meant = customers_of(sop.exit or {}, corp=sop.corp, now=now)
    gone = 0
    while ids := list(
        active.filter(customer__in=meant.values("pk"))
        .order_by("pk")
        .values_list("pk", flat=True)[:_AT_A_TIME]
    ):
        gone += end_enrolments(ids, status=Enrolment.Status.EXITED, reason=EXIT_RULE, now=now)
    return gone

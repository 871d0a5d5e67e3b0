"""Taking customers into a SOP: an enrolment, and one run for each step, planned at once."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.actions.sops.ending import finish_enrolments
from campaigns.actions.sops.holding import share_active
from campaigns.actions.sops.schedule import due_params, due_sql
from campaigns.models import Enrolment, Sop
from customers.models import Customer
from scrm.audit.actions.recording import Actor, record
from scrm.audit.models import AuditEntry
from scrm.common.errors import DomainError, FieldProblem, InvalidInput

# The tick comes every few seconds: nobody can be more punctual than that.
LEAST_GRACE = timedelta(minutes=2)
_YEARS = range(1900, 2201)


class SopNotActive(DomainError):
    code = "wrong_status"


class AlreadyEnrolled(DomainError):
    code = "already_enrolled"


class NobodyFollows(DomainError):
    code = "no_live_follow"


def grace_of(sop: Sop) -> timedelta:
    return max(timedelta(minutes=sop.grace_minutes), LEAST_GRACE)


@transaction.atomic
def enrol_customer(
    sop: Sop, customer: Customer, *, actor: Actor, now: datetime, anchor: datetime | None = None
) -> Enrolment:
    """Take one customer in, by hand or by API, also one who has been through it before.

    Raises SopNotActive, AlreadyEnrolled, NobodyFollows.
    """
    if not (held := share_active(Sop.objects.filter(pk=sop.pk))):
        raise SopNotActive(_("Only a running SOP takes customers in: activate it first."))
    if Enrolment.objects.active().filter(sop=sop, customer=customer).exists():
        raise _already(customer)
    if not customer.live_follows:
        raise NobodyFollows(_("Nobody follows this customer any more."))
    anchor = anchor or now
    if anchor.year not in _YEARS:
        message = _("This date is too far away.")
        raise InvalidInput(message, errors=(FieldProblem("/anchor", "invalid", message),))
    entered = enter_sop(
        held[0],
        "SELECT %(customer)s::bigint, %(anchor)s::timestamptz, NULL::bigint, NULL::bigint",
        {"customer": customer.pk, "anchor": anchor},
        trigger=Sop.Trigger.API if _is_key(actor) else Sop.Trigger.MANUAL,
        created_by=actor.key,
        now=now,
    )
    if not entered:
        raise _already(customer)
    enrolment = Enrolment.objects.select_related("sop", "customer", "corp").get(pk=entered[0])
    data = {"enrolment": enrolment.pk, "customer": customer.external_userid}
    record("sops.enrolled", actor=actor, corp=sop.corp, subject=sop, now=now, data=data)
    return enrolment


def enter_sop(
    sop: Sop,
    entrants: str,
    params: dict[str, Any],
    *,
    trigger: str,
    now: datetime,
    created_by: str = "",
) -> list[int]:
    """Enrol the rows of a SELECT customer_id, anchor, staff_id, entry_id; return the enrolments.

    Whoever is on her way through the SOP stays as she is. What was due before the grace began is
    missed from the start, unless the SOP catches up. The caller shares the SOP.
    """
    given = {
        **due_params(sop),
        **params,
        "corp": sop.corp_id,
        "sop": sop.pk,
        "trigger": trigger,
        "created_by": created_by,
        "now": now,
        "missed_before": missed_before(sop, now=now),
    }
    with connection.cursor() as cursor:
        cursor.execute(_ENTER.format(entrants=entrants, due=due_sql("e.anchor")), given)
        rows = cursor.fetchall()
    finish_enrolments([pk for pk, has_pending in rows if not has_pending], now=now)
    return [pk for pk, _has_pending in rows]


def missed_before(sop: Sop, *, now: datetime) -> datetime | None:
    """What was due before is too late; None: nothing ever is."""
    return now - grace_of(sop) if sop.late_policy == Sop.LatePolicy.SKIP else None


_ENTER = """
    WITH entrants (customer_id, anchor, staff_id, entry_id) AS MATERIALIZED ({entrants}),
    entered AS (
        INSERT INTO campaigns_enrolment
            (corp_id, sop_id, customer_id, staff_id, anchor, trigger, entry_id, status, reason,
             created_by, created_at)
        SELECT %(corp)s, %(sop)s, customer_id, staff_id, anchor, %(trigger)s, entry_id, 'active',
            '', %(created_by)s, %(now)s
        FROM entrants
        ON CONFLICT (sop_id, customer_id) WHERE status = 'active' DO NOTHING
        RETURNING id, anchor
    ), timed AS (
        SELECT e.id AS enrolment_id, s.id AS step_id, due.due_at,
            coalesce(due.due_at < %(missed_before)s, false) AS is_missed
        FROM entered e
        JOIN campaigns_step s ON s.sop_id = %(sop)s AND s.removed_at IS NULL
        {due}
    ), planned AS (
        INSERT INTO campaigns_steprun
            (corp_id, enrolment_id, step_id, due_at, look_at, status, reason, detail, settled_at)
        SELECT %(corp)s, enrolment_id, step_id, due_at, due_at,
            CASE WHEN is_missed THEN 'missed' ELSE 'pending' END,
            CASE WHEN is_missed THEN 'too_late' ELSE '' END, '',
            CASE WHEN is_missed THEN %(now)s END
        FROM timed
    )
    SELECT e.id, coalesce(bool_or(NOT t.is_missed), false)
    FROM entered e LEFT JOIN timed t ON t.enrolment_id = e.id
    GROUP BY e.id ORDER BY e.id"""


def _already(customer: Customer) -> AlreadyEnrolled:
    message = _("%(name)s is on the way through this SOP already.")
    return AlreadyEnrolled(message % {"name": customer.name or customer.external_userid})


def _is_key(actor: Actor) -> bool:
    return actor.kind == AuditEntry.ActorKind.API_KEY

"""SOPs follow customers who are handed over to somebody else."""

from collections.abc import Collection
from datetime import datetime

from campaigns.models import Enrolment, StepRun
from scrm.tenancy.models import Staff


def follow_taker(
    customer_ids: Collection[int], from_staff: Staff, to_staff: Staff, now: datetime
) -> None:
    """The taker goes on where her colleague stood; what waited for the handover is looked at."""
    active = Enrolment.objects.active().filter(customer__in=customer_ids)
    active.filter(staff=from_staff).update(staff=to_staff)
    waiting = StepRun.objects.untaken().filter(
        enrolment__in=active.values("pk"), due_at__lte=now, look_at__gt=now
    )
    # What the dispatcher holds it is looking at already: waiting for it could be in a circle.
    free = waiting.order_by("pk").select_for_update(of=["self"], no_key=True, skip_locked=True)
    StepRun.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(look_at=now)

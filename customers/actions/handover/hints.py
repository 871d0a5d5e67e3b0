"""What callbacks say of handovers: only that it is worth a look now, never how one ended."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce, Least

from customers.models import HandoverItem, HandoverLeg
from scrm.tenancy.models import Corp

# The callbacks of one handover come in a burst: one look for all of them.
_GATHER = timedelta(seconds=5)


def expect_result(userid: str, external_userid: str, *, corp: Corp, now: datetime) -> int:
    """Have the results read soon, if a handover of this customer by or to this member is open.

    An event carries locks of its customer, and whoever takes results down locks legs first: a
    leg that is being read is passed over, and read again by the later events or its next look.
    """
    waiting = HandoverItem.objects.filter(
        Q(to_staff__userid__iexact=userid) | Q(from_staff__userid__iexact=userid),
        plan=OuterRef("plan"),
        to_staff=OuterRef("to_staff"),
        customer__external_userid=external_userid,
        status=HandoverItem.Status.WAITING,
    )
    legs = HandoverLeg.objects.for_corp(corp).filter(Exists(waiting), is_settled=False)
    free = legs.select_for_update(of=["self"], skip_locked=True).values_list("pk", flat=True)
    at = now + _GATHER
    pulled = HandoverLeg.objects.filter(pk__in=list(free))
    return pulled.update(next_poll_at=Least(Coalesce("next_poll_at", at), at))

"""Customers to whom nothing may be said any more leave everything that was under way for them."""

from datetime import datetime

from campaigns.actions.sops.ending import end_enrolments
from campaigns.models import Enrolment
from customers.models import Customer

PREGNANCY_LOSS = "pregnancy_loss"


def leave_after_loss(customer: Customer, *, reason: str, now: datetime) -> int:
    """Whoever lost a pregnancy leaves every SOP; return how many.

    For any other reason she stays: steps that would reach her are skipped while it holds.
    """
    if reason != Customer.BlockReason.PREGNANCY_LOSS:
        return 0
    active = Enrolment.objects.active().filter(corp=customer.corp_id, customer=customer)
    ids = list(active.order_by("pk").values_list("pk", flat=True))
    return end_enrolments(ids, status=Enrolment.Status.EXITED, reason=PREGNANCY_LOSS, now=now)

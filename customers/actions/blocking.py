"""Customers to whom nothing may be sent."""

from datetime import datetime

from django.db import transaction

from customers.models import Customer
from scrm.audit.actions.recording import Actor, record


def block_customer(customer: Customer, *, actor: Actor, now: datetime) -> bool:
    """Never write to this customer again; False when it was so already."""
    return _set(customer, actor=actor, now=now, is_blocked=True)


def unblock_customer(customer: Customer, *, actor: Actor, now: datetime) -> bool:
    """Allow messages to this customer again; False when it was so already."""
    return _set(customer, actor=actor, now=now, is_blocked=False)


@transaction.atomic
def _set(customer: Customer, *, actor: Actor, now: datetime, is_blocked: bool) -> bool:
    others = Customer.objects.filter(pk=customer.pk).exclude(is_blocked=is_blocked)
    if not others.update(is_blocked=is_blocked, updated_at=now):
        return False
    customer.is_blocked, customer.updated_at = is_blocked, now
    action = "customers.blocked" if is_blocked else "customers.unblocked"
    record(action, actor=actor, corp=customer.corp, subject=customer, now=now)
    return True

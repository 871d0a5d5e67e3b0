"""Customers to whom nothing may be sent."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from customers.models import Customer
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput

Reason = Customer.BlockReason
# `listener(customer, reason=…, now=…)`: what an upper app ends for her.
Listener = Callable[..., object]

WHY_LENGTH = 500

_listeners: list[Listener] = []


def subscribe_blocked(listener: Listener) -> None:
    """Call `listener(customer, reason=…, now=…)` in the transaction that bars her from messages.

    Before her row is written: whoever works on her steps holds those first and her row then.
    """
    if listener not in _listeners:
        _listeners.append(listener)


@transaction.atomic
def block_customer(
    customer: Customer, *, actor: Actor, now: datetime, reason: Reason = Reason.OPERATOR
) -> bool:
    """Never write to this customer again; False when it was so already.

    A lost pregnancy takes the place of any other reason, and no other takes its place.
    """
    for listener in _listeners:
        listener(customer, reason=reason, now=now)
    others = Customer.objects.filter(pk=customer.pk, is_blocked=False)
    if reason == Reason.PREGNANCY_LOSS:
        others = Customer.objects.filter(pk=customer.pk).exclude(block_reason=reason)
    if not others.update(is_blocked=True, block_reason=reason, updated_at=now):
        return False
    customer.is_blocked, customer.block_reason, customer.updated_at = True, reason, now
    data = {"reason": reason}
    record(
        "customers.blocked", actor=actor, corp=customer.corp, subject=customer, now=now, data=data
    )
    return True


@transaction.atomic
def unblock_customer(customer: Customer, *, actor: Actor, now: datetime, why: str = "") -> bool:
    """Allow messages to this customer again; False when it was so already.

    After a lost pregnancy this takes a person who says why: raises InvalidInput without.
    """
    blocked = Customer.objects.select_for_update(no_key=True).filter(
        pk=customer.pk, is_blocked=True
    )
    found = blocked.first()
    if found is None:
        return False
    if found.block_reason == Reason.PREGNANCY_LOSS:
        why = check_why(why)
    blocked.update(is_blocked=False, block_reason="", updated_at=now)
    customer.is_blocked, customer.block_reason, customer.updated_at = False, "", now
    data = {"reason": found.block_reason, "why": why}
    record(
        "customers.unblocked", actor=actor, corp=customer.corp, subject=customer, now=now, data=data
    )
    return True


def check_why(why: str) -> str:
    """The reason that a person gives, trimmed; raises InvalidInput for none and for an endless one."""
    bare = why.replace("\0", "").strip()
    if not 0 < len(bare) <= WHY_LENGTH:
        message = _("She has lost a pregnancy: say in 1 to %(most)d characters why.") % {
            "most": WHY_LENGTH
        }
        raise InvalidInput(message, errors=(FieldProblem("/why", "required", message),))
    return bare

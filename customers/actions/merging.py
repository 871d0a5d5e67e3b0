"""Two customers turn out to be one person, or one to be two: an identity moves, and back.

The platform's own relations stay where they are: `external_userid` is its word for a person, and a
second one is a second friend list entry. What moves is what the brand told by the identity: the
identity itself, and the orders and events that came by it.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from customers.actions.derived import lock_customers
from customers.actions.judging import judge_customers
from customers.models import BrandEvent, Customer, Identity, IdentityMove, Order
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput


class NothingToUndo(DomainError):
    """The identity was never moved, or the last move has been undone."""

    code = "nothing_to_undo"


@transaction.atomic
def move_identity(identity: Identity, *, to: Customer, actor: Actor, now: datetime) -> IdentityMove:
    """Give an identity and what came by it to another customer of the corp; raises InvalidInput."""
    locked = _lock(identity, to.pk)
    if to.corp_id != locked.corp_id or to.pk == locked.customer_id:
        message = _("Name another customer of the same corp.")
        raise InvalidInput(message, errors=(FieldProblem("/external_userid", "invalid", message),))
    giver = locked.customer
    orders = Order.objects.filter(corp=locked.corp_id, customer=giver)
    events = BrandEvent.objects.filter(corp=locked.corp_id, customer=giver)
    came_by_it = {"awaited_kind": locked.kind, "awaited_digest": bytes(locked.digest)}
    move = IdentityMove.objects.create(
        corp=locked.corp,
        identity=locked,
        from_customer=giver,
        to_customer=to,
        order_ids=list(orders.filter(**came_by_it).values_list("pk", flat=True)),
        event_ids=list(events.filter(**came_by_it).values_list("pk", flat=True)),
        moved_at=now,
    )
    _carry_over(move, source=giver.pk, target=to.pk, now=now)
    _record("identities.moved", move, actor=actor, now=now)
    return move


@transaction.atomic
def undo_move(identity: Identity, *, actor: Actor, now: datetime) -> IdentityMove:
    """Take the last move of an identity back: exactly what was moved returns, nothing else.

    What came by the identity since then stays with whom it came to. Raises NothingToUndo.
    """
    last = IdentityMove.objects.filter(identity=identity, undone_at__isnull=True)
    move = last.select_related("from_customer", "to_customer", "corp").order_by("-pk").first()
    if move is None:
        raise NothingToUndo(_("This was not moved here from another customer."))
    _lock(identity, move.from_customer_id)
    # Under the locks: two clicks at once undo one move.
    if not IdentityMove.objects.filter(pk=move.pk, undone_at__isnull=True).update(undone_at=now):
        raise NothingToUndo(_("This was not moved here from another customer."))
    move.undone_at = now
    _carry_over(move, source=move.to_customer_id, target=move.from_customer_id, now=now)
    _record("identities.move_undone", move, actor=actor, now=now)
    return move


def _lock(identity: Identity, other_id: int) -> Identity:
    """The identity as it is now, with both customers locked in the order of their ids."""
    lock_customers(Customer.objects.filter(pk__in={identity.customer_id, other_id}))
    rows = Identity.objects.select_related("customer", "corp")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=identity.pk)


def _carry_over(move: IdentityMove, *, source: int, target: int, now: datetime) -> None:
    Identity.objects.filter(pk=move.identity_id).update(customer=target)
    # Only what still is where the move left it: a later word of the brand counts more.
    Order.objects.filter(pk__in=move.order_ids, customer=source).update(customer=target)
    BrandEvent.objects.filter(pk__in=move.event_ids, customer=source).update(customer=target)
    judge_customers([source, target], corp_id=move.corp_id, now=now)


def _record(action: str, move: IdentityMove, *, actor: Actor, now: datetime) -> None:
    data = {
        "identity": move.identity_id,
        "from": move.from_customer.external_userid,
        "to": move.to_customer.external_userid,
        "orders": len(move.order_ids),
        "events": len(move.event_ids),
    }
    # Both pages tell it.
    for customer in _both(move):
        record(action, actor=actor, corp=move.corp, subject=customer, now=now, data=data)


def _both(move: IdentityMove) -> Iterable[Customer]:
    return (move.from_customer, move.to_customer)

"""What orders, events, handovers and incidents tell; campaigns and SOPs tell theirs themselves."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from customers.actions.timeline import FactSource, Told, register_source
from customers.models import BrandEvent, Customer, HandoverItem, Order, TimelineEntry
from risk.models import Incident
from scrm.tenancy.models import Scope, Staff


def register_sources() -> None:
    register_source(FactSource("handover.done", _handovers, "settled_at", _tell_handover))
    register_source(FactSource("risk.incident", _incidents, "happened_at", _tell_incident))
    register_source(FactSource("order.paid", _paid, "paid_at", _tell_paid))
    register_source(FactSource("order.refunded", _refunded, "refunded_at", _tell_refunded))
    register_source(FactSource("event.received", _events, "occurred_at", _tell_event))


def _handovers(customer: Customer, scope: Scope | None) -> QuerySet[HandoverItem]:
    """Those that came to an end on the platform; what was never asked did not happen."""
    items = HandoverItem.objects.filter(
        corp=customer.corp_id, customer=customer, status__in=_ENDS, settled_at__isnull=False
    )
    if scope is not None and not scope.everything:
        visible = Staff.objects.in_scope(scope).values("pk")
        items = items.filter(from_staff__in=visible)
    return items.select_related("from_staff", "to_staff")


_ENDS = (
    HandoverItem.Status.SUCCEEDED,
    HandoverItem.Status.REJECTED,
    HandoverItem.Status.OVER_CAPACITY,
    HandoverItem.Status.FAILED,
)


def _tell_handover(item: HandoverItem) -> Told:
    words = {"from": str(item.from_staff), "to": str(item.to_staff or "—")}
    match item.status:
        case HandoverItem.Status.SUCCEEDED:
            title = _("Handed over from %(from)s to %(to)s") % words
        case HandoverItem.Status.REJECTED:
            title = _("Refused to be handed over from %(from)s to %(to)s") % words
        case HandoverItem.Status.OVER_CAPACITY:
            title = _("Not handed over from %(from)s: no taker had room") % words
        case _:
            title = _("Handing over from %(from)s to %(to)s failed") % words
    data = {
        "plan": item.plan_id,
        "item": item.pk,
        "from": item.from_staff.userid,
        "to": item.to_staff and item.to_staff.userid,
        "status": item.status,
    }
    return Told(title, data, TimelineEntry.Source.SYSTEM)


def _incidents(customer: Customer, scope: Scope | None) -> QuerySet[Incident]:
    incidents = Incident.objects.filter(
        corp=customer.corp_id, external_userid=customer.external_userid
    )
    return incidents if scope is None else incidents.in_scope(scope)


def _tell_incident(incident: Incident) -> Told:
    words = {
        "kind": incident.get_kind_display(),
        "severity": incident.get_severity_display(),
        "category": incident.category,
    }
    if incident.category:
        title = _("Risk, %(severity)s: %(kind)s (%(category)s)") % words
    else:
        title = _("Risk, %(severity)s: %(kind)s") % words
    data = {"incident": incident.pk, "kind": incident.kind, "status": incident.status}
    return Told(title, data, TimelineEntry.Source.SYSTEM)


def _paid(customer: Customer, scope: Scope | None) -> QuerySet[Order]:
    """Who may see the customer may see what she bought."""
    return Order.objects.for_corp(customer.corp).paid().filter(customer=customer)


def _tell_paid(order: Order) -> Told:
    words = {"number": order.order_no, "amount": yuan(order.amount_fen)}
    data = _data_of(order) | {"amount_fen": order.amount_fen}
    return Told(_("Paid %(amount)s, order %(number)s") % words, data, TimelineEntry.Source.API)


def _refunded(customer: Customer, scope: Scope | None) -> QuerySet[Order]:
    orders = Order.objects.for_corp(customer.corp).filter(customer=customer, refunded_fen__gt=0)
    return orders.filter(refunded_at__isnull=False)


def _tell_refunded(order: Order) -> Told:
    words = {"number": order.order_no, "amount": yuan(order.refunded_fen)}
    data = _data_of(order) | {"refunded_fen": order.refunded_fen}
    title = _("Got %(amount)s back, order %(number)s") % words
    return Told(title, data, TimelineEntry.Source.API)


def yuan(fen: int) -> str:
    """An amount as people read it: ¥1,234.50."""
    return f"¥{fen // 100:,}.{fen % 100:02d}"


def _data_of(order: Order) -> dict[str, Any]:
    return {"shop_id": order.shop_id, "order_no": order.order_no, "status": order.status}


def _events(customer: Customer, scope: Scope | None) -> QuerySet[BrandEvent]:
    return BrandEvent.objects.for_corp(customer.corp).taken().filter(customer=customer)


def _tell_event(event: BrandEvent) -> Told:
    data = {"event_id": event.event_id, "type": event.type}
    return Told(_("Event «%(type)s»") % {"type": event.type}, data, TimelineEntry.Source.API)

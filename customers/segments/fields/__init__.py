"""The fields a rule may ask for, by name; apps above customers add theirs."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from customers.segments.fields.base import Field
from customers.segments.fields.numbers import EventsField, OrdersField, RfmField, ValueClassField
from customers.segments.fields.persons import AttributeField, GenderField, StageField, TimeField
from customers.segments.fields.relations import CodeField, DepartmentField, StaffField, TagsField
from customers.segments.fields.saved import ListField, SegmentField

KEY_LENGTH = 64

# A name with a star has a free part there.
_fields: dict[str, Field] = {
    "tags": TagsField(),
    "stage": StageField(),
    "gender": GenderField(),
    "added_at": TimeField("added_at", _("added")),
    "last_interaction_at": TimeField("last_interaction_at", _("last interaction")),
    "staff": StaffField(),
    "department": DepartmentField(),
    "live_code": CodeField(),
    "orders.count": OrdersField(is_amount=False),
    "orders.amount": OrdersField(is_amount=True),
    "rfm.recency": RfmField(
        "recency_days", _("days since the last order"), without=None,
        note="days since the last order; who never bought has none",
    ),
    "rfm.frequency": RfmField(
        "frequency", _("orders in 365 days"), without=0, note="paid orders in 365 days"
    ),
    "rfm.monetary": RfmField(
        "monetary_fen", _("amount in 365 days"), without=0, is_money=True,
        note="fen in 365 days, without refunds",
    ),
    "rfm.segment": ValueClassField(),
    "events.*.count": EventsField(),
    "attribute.*": AttributeField(),
    "segment": SegmentField(),
    "list": ListField(),
}  # fmt: skip


def register_field(name: str, field: Field) -> None:
    """Add a field; called when an app above customers is ready."""
    _fields[name] = field


def fields() -> Mapping[str, Field]:
    return _fields


def field_of(name: str) -> Field | None:
    """The field by the name that a rule uses; None when there is no such field."""
    if "*" not in name and (field := _fields.get(name)):
        return field
    for pattern, field in _fields.items():
        head, star, tail = pattern.partition("*")
        if star and name.startswith(head) and name.endswith(tail):
            key = name[len(head) : len(name) - len(tail)]
            return field if 0 < len(key) <= KEY_LENGTH and key.isprintable() else None
    return None

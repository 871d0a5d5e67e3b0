"""Shapes of what the brand's systems tell: orders, events, identities.

The bodies of orders and events are described here and read by their actions
(customers/actions/orders.py, brand_events.py), which check files by the same rules.
"""

from typing import Any

from rest_framework import serializers

from customers.actions.orders import MAX_FEN
from customers.models import BrandEvent, EventType, IdentityKind, Order
from scrm.common.api.bodies import BodySerializer, MomentField

_WHO = "Say whose it is by at least one of external_userid, unionid, member_id and phone; "
_WHO += "of several the surest that is known counts, in this order."


class _PersonBody(BodySerializer):
    external_userid = serializers.CharField(max_length=64, required=False, help_text=_WHO)
    unionid = serializers.CharField(max_length=64, required=False)
    member_id = serializers.CharField(max_length=64, required=False)
    phone = serializers.CharField(
        max_length=40, required=False, help_text="Of China, or with + and the country."
    )


class OrderBody(_PersonBody):
    status = serializers.ChoiceField(choices=Order.Status.choices)
    amount_fen = serializers.IntegerField(min_value=0, max_value=MAX_FEN)
    refunded_fen = serializers.IntegerField(
        min_value=0, required=False, help_text="All that was given back so far."
    )
    paid_at = MomentField(
        required=False, help_text="Left out for a paid order: what is known, else when it was told."
    )
    refunded_at = MomentField(required=False)
    changed_at = MomentField(
        required=False,
        help_text=(
            "When the order came to this state, by your clock: an earlier state that is told "
            "later changes nothing. Left out: told now, and states only go forwards."
        ),
    )
    items = serializers.ListField(child=serializers.DictField(), required=False, max_length=200)


class OrderRowBody(OrderBody):
    shop_id = serializers.CharField(max_length=64)
    order_no = serializers.CharField(max_length=64)


class OrderBatchBody(BodySerializer):
    items = OrderRowBody(many=True)


class RowsBody(BodySerializer):
    """What a batch is read by: its rows are checked one by one, by the action."""

    items = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=500)


class OrderSerializer(serializers.ModelSerializer[Any]):
    matched = serializers.SerializerMethodField(
        help_text="Whether it is known whose it is; if not it waits for her."
    )
    external_userid = serializers.SerializerMethodField()
    items = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = Order
        fields = [
            "shop_id", "order_no", "status", "amount_fen", "refunded_fen", "paid_at",
            "refunded_at", "changed_at", "received_at", "items", "matched", "external_userid",
        ]  # fmt: skip

    def get_matched(self, order: Order) -> bool:
        return order.customer_id is not None

    def get_external_userid(self, order: Order) -> str | None:
        return order.customer.external_userid if order.customer else None


class OrderAnswerSerializer(OrderSerializer):
    outcome = serializers.ChoiceField(
        choices=["created", "updated", "unchanged", "stale"],
        help_text="stale: a later state is known already.",
    )

    class Meta(OrderSerializer.Meta):
        fields = [*OrderSerializer.Meta.fields, "outcome"]


class RowProblem(serializers.Serializer[Any]):
    path = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class OrderResult(serializers.Serializer[Any]):
    shop_id = serializers.CharField()
    order_no = serializers.CharField()
    status = serializers.IntegerField(help_text="201 new, 200 known, 422 refused.")
    outcome = serializers.ChoiceField(
        choices=["created", "updated", "unchanged", "stale", "refused"]
    )
    matched = serializers.BooleanField()
    # DRF takes fields out of the class: the property of the same name stays what it was.
    errors = RowProblem(many=True)  # type: ignore[assignment]


class OrderBatchAnswer(serializers.Serializer[Any]):
    results = OrderResult(many=True)


class EventBody(_PersonBody):
    event_id = serializers.CharField(max_length=128, required=False)
    type = serializers.CharField(max_length=64, required=False)
    occurred_at = MomentField(required=False)
    # DRF takes fields out of the class: the property of the same name stays what it was.
    data = serializers.DictField(required=False)  # type: ignore[assignment]


class EventRowBody(EventBody):
    event_id = serializers.CharField(max_length=128)
    type = serializers.CharField(max_length=64)
    occurred_at = MomentField()


class EventsBody(EventBody):
    """One event, or up to 500 as `items`."""

    items = EventRowBody(many=True, required=False)


class EventSerializer(serializers.ModelSerializer[Any]):
    matched = serializers.SerializerMethodField()
    external_userid = serializers.SerializerMethodField()
    # DRF takes fields out of the class: the property of the same name stays what it was.
    data = serializers.DictField()  # type: ignore[assignment]

    class Meta:
        model = BrandEvent
        fields = [
            "event_id", "type", "occurred_at", "received_at", "data", "status", "problem",
            "matched", "external_userid",
        ]  # fmt: skip

    def get_matched(self, event: BrandEvent) -> bool:
        return event.customer_id is not None

    def get_external_userid(self, event: BrandEvent) -> str | None:
        return event.customer.external_userid if event.customer else None


class EventAnswerSerializer(serializers.Serializer[Any]):
    event_id = serializers.CharField()
    status = serializers.ChoiceField(choices=["taken", "quarantined", "duplicate"])
    matched = serializers.BooleanField()
    problem = serializers.CharField(help_text="Why it is in quarantine.")


class EventResult(serializers.Serializer[Any]):
    event_id = serializers.CharField()
    status = serializers.IntegerField(help_text="201 kept, 200 a duplicate, 422 refused.")
    outcome = serializers.ChoiceField(choices=["taken", "quarantined", "duplicate", "refused"])
    matched = serializers.BooleanField()
    problem = serializers.CharField(help_text="Why it is in quarantine.")
    # DRF takes fields out of the class: the property of the same name stays what it was.
    errors = RowProblem(many=True)  # type: ignore[assignment]


class EventBatchAnswer(serializers.Serializer[Any]):
    results = EventResult(many=True)


class EventTypeSerializer(serializers.ModelSerializer[Any]):
    schema = serializers.DictField(help_text="JSON Schema, draft 2020-12, of `data`.")

    class Meta:
        model = EventType
        fields = ["name", "schema", "updated_at"]


class EventTypeAnswer(EventTypeSerializer):
    operation = serializers.IntegerField(
        allow_null=True, help_text="The operation that judges what stands in quarantine anew."
    )

    class Meta(EventTypeSerializer.Meta):
        fields = [*EventTypeSerializer.Meta.fields, "operation"]


class EventTypeBody(BodySerializer):
    schema = serializers.JSONField()


class IdentitySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=IdentityKind.choices)
    value = serializers.CharField(help_text="Masked, unless the key has `customers:pii`.")
    linked_at = serializers.DateTimeField()


class IdentityBody(BodySerializer):
    kind = serializers.ChoiceField(choices=IdentityKind.choices)
    value = serializers.CharField(max_length=64)


class IdentityMoveBody(BodySerializer):
    external_userid = serializers.CharField(max_length=64, help_text="To whom it goes.")


class IdentityMoveAnswer(serializers.Serializer[Any]):
    identity = serializers.IntegerField(source="identity_id")
    from_external_userid = serializers.CharField(source="from_customer.external_userid")
    to_external_userid = serializers.CharField(source="to_customer.external_userid")
    orders = serializers.SerializerMethodField(help_text="How many went with it.")
    events = serializers.SerializerMethodField()
    moved_at = serializers.DateTimeField()
    undone_at = serializers.DateTimeField(allow_null=True)

    def get_orders(self, move: Any) -> int:
        return len(move.order_ids)

    def get_events(self, move: Any) -> int:
        return len(move.event_ids)

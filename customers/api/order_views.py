from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.orders import OrderAnswer, put_orders
from customers.api import commerce_serializers as shapes
from customers.api.commerce_filters import OrderFilter
from customers.api.rows import describe_problems, read_object, read_rows, refuse_row, status_of
from customers.models import Order
from scrm.audit.api.acting import ActingViewSet
from scrm.common.errors import FieldProblem


class OrderViewSet(ActingViewSet):
    """What customers bought, as the brand's shops tell it."""

    area = "orders"
    queryset = Order.objects.select_related("customer")
    serializer_class = shapes.OrderSerializer
    filterset_class = OrderFilter
    lookup_field = "order_no"
    lookup_value_regex = "[^/]+"
    dry_run_actions = frozenset({"update", "batch"})
    newest_first = True

    def get_object(self) -> Order:
        """By shop and number; 404 when it is another corp's or nothing."""
        if self._subject is None:
            named = {name: self.kwargs[name] for name in ("shop_id", "order_no")}
            if any("\x00" in value for value in named.values()):
                raise Http404
            orders: QuerySet[Order] = self.get_queryset()
            self._subject = orders.filter(**named).first()
        if self._subject is None:
            raise Http404
        found: Order = self._subject  # type: ignore[assignment]
        return found

    def resolve_subject(self) -> None:
        """What is put need not be there."""
        if self.action != "update":
            super().resolve_subject()

    @extend_schema(
        request=shapes.OrderBody,
        responses={200: shapes.OrderAnswerSerializer, 201: shapes.OrderAnswerSerializer},
    )
    def update(self, request: Request, shop_id: str, order_no: str) -> Response:
        """Tell the state of an order; people who are not known yet are waited for."""
        body = read_object(self)
        named = {"shop_id": shop_id, "order_no": order_no}
        for name, value in named.items():
            if body.get(name, value) != value:
                raise refuse_row(
                    (FieldProblem(f"/{name}", "conflict", _("The path says another.")),)
                )
        (answer,) = put_orders([body | named], corp=self.corp, actor=self.actor, now=self.now)
        if answer.order is None:
            raise refuse_row(answer.errors)
        shown = self.get_serializer(answer.order).data | {"outcome": answer.outcome}
        return Response(shown, status=status_of(answer.outcome))

    @extend_schema(request=shapes.OrderBatchBody, responses={207: shapes.OrderBatchAnswer})
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        """Tell up to 500 states of orders; every row has its own answer."""
        rows = read_rows(self)
        answers = put_orders(rows, corp=self.corp, actor=self.actor, now=self.now)
        results = [_describe(position, answer) for position, answer in enumerate(answers)]
        return Response({"results": results}, status=status.HTTP_207_MULTI_STATUS)


def _describe(position: int, answer: OrderAnswer) -> dict[str, Any]:
    return {
        "shop_id": answer.shop_id,
        "order_no": answer.order_no,
        "status": status_of(answer.outcome),
        "outcome": answer.outcome,
        "matched": answer.matched,
        "errors": describe_problems(position, answer.errors),
    }

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from customers.models import BrandEvent, Order
from scrm.common.api.filters import MomentFilter


class _ToldFilter(filters.FilterSet):
    external_userid = filters.CharFilter(field_name="customer__external_userid")
    received_since = MomentFilter(field_name="received_at", lookup_expr="gte")
    matched = filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        method="with_matched",
        help_text="false: waits for somebody who is not known yet.",
    )

    def with_matched(self, queryset: QuerySet[Order], name: str, value: str) -> QuerySet[Order]:
        return queryset.filter(Q(customer__isnull=value == "false"))


class OrderFilter(_ToldFilter):
    shop_id = filters.CharFilter()
    order_no = filters.CharFilter()
    status = filters.ChoiceFilter(choices=Order.Status.choices)
    changed_since = MomentFilter(
        field_name="changed_at", lookup_expr="gte", help_text="By the brand's clock."
    )


class EventFilter(_ToldFilter):
    type = filters.CharFilter()
    status = filters.ChoiceFilter(choices=BrandEvent.Status.choices)

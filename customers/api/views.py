from typing import Any

from django.db import transaction
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.attributes import change_attributes
from customers.actions.segments import explain
from customers.actions.stages import set_stage
from customers.api import filters, serializers
from customers.api.representation import describe_customers, describe_follows
from customers.models import Customer, Follow, Segment
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import unknown_id
from scrm.tenancy.api.base import ReadViewSet
from scrm.tenancy.models import Staff


class StaffViewSet(ReadViewSet):
    """Who talks to customers."""

    area = "staff"
    queryset = Staff.objects.all()
    serializer_class = serializers.StaffSerializer
    filterset_class = filters.StaffFilter
    lookup_field = "userid"
    lookup_value_regex = "[^/]+"

    def get_queryset(self) -> QuerySet[Staff]:
        live = Follow.objects.live().filter(corp=OuterRef("corp"), staff=OuterRef("pk"))
        count = live.order_by().values("staff").annotate(number=Count("pk")).values("number")
        staff: QuerySet[Staff] = super().get_queryset()
        return staff.prefetch_related("departments").annotate(
            customer_count=Coalesce(Subquery(count, output_field=IntegerField()), 0)
        )


class CustomerViewSet(ActingViewSet):
    """Whom the corp knows."""

    area = "customers"
    queryset = Customer.objects.select_related("stage")
    serializer_class = serializers.CustomerSerializer
    filterset_class = filters.CustomerFilter
    lookup_field = "external_userid"
    lookup_value_regex = "[^/]+"
    scopes = {"lookup": ("customers:read",)}
    parameters = {"explain": serializers.ExplainParameters}
    paged_actions = frozenset({"list", "follows"})

    def list(self, request: Request, **__: Any) -> Response:
        """Customers whom somebody follows; `status` shows the others too."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(describe_customers(page or []))

    def retrieve(self, request: Request, **__: Any) -> Response:
        """One customer, followed or not."""
        return Response(describe_customers([self.get_object()])[0])

    @extend_schema(request=serializers.CustomerChange, responses=serializers.CustomerSerializer)
    def partial_update(self, request: Request, **__: Any) -> Response:
        """Change the stage and the attributes; everything else is the platform's."""
        customer: Customer = self.get_object()
        body = self.read_body(serializers.CustomerChange, partial=True)
        with transaction.atomic():
            if "stage" in body:
                set_stage(customer, key=body["stage"], actor=self.actor, now=self.now)
            if "attributes" in body:
                changes = body["attributes"]
                change_attributes(customer, changes=changes, actor=self.actor, now=self.now)
        changed = self.get_queryset().filter(pk=customer.pk)
        return Response(describe_customers(list(changed))[0])

    @extend_schema(request=serializers.CustomerLookup, responses=serializers.LookupAnswer)
    @action(detail=False, methods=["post"])
    def lookup(self, request: Request) -> Response:
        """Find up to 100 customers by their ids; `missing` are those that nobody has."""
        asked = self.read_body(serializers.CustomerLookup)
        by_id = Q(external_userid__in=asked.get("external_userids", []))
        by_unionid = Q(unionid__in=[each for each in asked.get("unionids", []) if each])
        found = list(self.get_queryset().filter(by_id | by_unionid).order_by("id"))
        known = {key for each in found for key in (each.external_userid, each.unionid)}
        wanted = dict.fromkeys(key for keys in asked.values() for key in keys)
        return Response(
            {
                "results": describe_customers(found),
                "missing": [key for key in wanted if key not in known],
            }
        )

    @extend_schema(responses=serializers.FollowSerializer(many=True))
    @action(detail=True)
    def follows(self, request: Request, **__: Any) -> Response:
        """Every member of staff who follows the customer, or did."""
        follows = Follow.objects.filter(customer=self.get_object()).only("pk")
        page = self.paginate_queryset(follows) or []
        return self.get_paginated_response(describe_follows([follow.pk for follow in page]))

    @extend_schema(responses=serializers.Explanation)
    @action(detail=True)
    def explain(self, request: Request, **__: Any) -> Response:
        """Why the customer is in a segment, or is not: the rule with the actual values."""
        customer: Customer = self.get_object()
        segment_id = self.read_parameters()["segment"]
        segment = Segment.objects.for_corp(self.corp).filter(pk=segment_id).first()
        if segment is None:
            raise unknown_id("/segment", _("There is no such segment."))
        return Response(explain(segment.rule, customer, now=self.now))

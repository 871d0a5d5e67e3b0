from typing import Any, cast

from django.db import transaction
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.attributes import change_attributes
from customers.actions.explaining import explain_for
from customers.actions.identities import EXTERNAL_USERID, find_customers
from customers.actions.leaving import mark_leaving, unmark_leaving
from customers.actions.notes import add_note
from customers.actions.stages import set_stage
from customers.actions.timeline import entry_of
from customers.api import filters, serializers
from customers.api.identity_views import IdentityActions
from customers.api.representation import describe_customers, describe_follows
from customers.api.timeline import TimelinePages, describe_entry
from customers.models import Customer, Follow, IdentityKind
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import EmptyBody, unknown_id
from scrm.tenancy.models import Staff


class StaffViewSet(ActingViewSet):
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

    @extend_schema(request=EmptyBody, responses=serializers.StaffSerializer)
    @action(detail=True, methods=["post"])
    def leaving(self, request: Request, **__: Any) -> Response:
        """She leaves: from now on she gets no campaign, no step of a SOP, no code, no customers."""
        staff: Staff = self.get_object()
        self.do_without_body(lambda: mark_leaving(staff, actor=self.actor, now=self.now))
        return self._answer(staff)

    @extend_schema(responses=serializers.StaffSerializer)
    @leaving.mapping.delete
    def staying(self, request: Request, **__: Any) -> Response:
        """She stays after all."""
        staff: Staff = self.get_object()
        unmark_leaving(staff, actor=self.actor, now=self.now)
        return self._answer(staff)

    def _answer(self, staff: Staff) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=staff.pk)).data)


class CustomerViewSet(IdentityActions, ActingViewSet):
    """Whom the corp knows."""

    area = "customers"
    queryset = Customer.objects.select_related("stage")
    serializer_class = serializers.CustomerSerializer
    filterset_class = filters.CustomerFilter
    lookup_field = "external_userid"
    lookup_value_regex = "[^/]+"
    scopes = {"lookup": ("customers:read",)}
    parameters = {
        "explain": serializers.ExplainParameters,
        "timeline": serializers.TimelineParameters,
    }
    paged_actions = frozenset({"list", "follows", "timeline", "identities"})

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
        refs = [(kind, value) for name, kind in _LOOKUPS.items() for value in asked.get(name, [])]
        known = find_customers(refs, corp=self.corp)
        found = list(self.get_queryset().filter(pk__in=set(known.values())).order_by("id"))
        missing = dict.fromkeys(value for kind, value in refs if (kind, value) not in known)
        return Response({"results": describe_customers(found), "missing": list(missing)})

    @extend_schema(responses=serializers.FollowSerializer(many=True))
    @action(detail=True)
    def follows(self, request: Request, **__: Any) -> Response:
        """Every member of staff who follows the customer, or did."""
        follows = Follow.objects.filter(customer=self.get_object()).only("pk")
        page = self.paginate_queryset(follows) or []
        return self.get_paginated_response(describe_follows([follow.pk for follow in page]))

    @extend_schema(responses=serializers.TimelineEntrySerializer(many=True))
    @action(detail=True, pagination_class=TimelinePages)
    def timeline(self, request: Request, **__: Any) -> Response:
        """What happened to the customer, newest first."""
        customer: Customer = self.get_object()
        wanted = self.read_parameters().get("type")
        pages = cast("TimelinePages", self.paginator)
        entries = pages.read(customer, request, types=[wanted] if wanted else [])
        return self.get_paginated_response(entries)

    @extend_schema(
        request=serializers.NoteBody, responses={201: serializers.TimelineEntrySerializer}
    )
    @timeline.mapping.post
    def add_note(self, request: Request, **__: Any) -> Response:
        """Write a note onto the customer's timeline."""
        text = self.read_body(serializers.NoteBody)["text"]
        note = add_note(self.get_object(), text=text, actor=self.actor, now=self.now)
        return Response(describe_entry(entry_of(note)), status=status.HTTP_201_CREATED)

    @extend_schema(responses=serializers.Explanation)
    @action(detail=True)
    def explain(self, request: Request, **__: Any) -> Response:
        """Why a segment, a campaign or a SOP means the customer, or does not."""
        customer: Customer = self.get_object()
        ((kind, subject_id),) = self.read_parameters().items()
        explanation = explain_for(customer, kind, subject_id, now=self.now)
        if explanation is None:
            raise unknown_id(f"/{kind}", str(_MISSING[kind]))
        return Response(explanation)


# What a lookup names, and the kind of identity that it is.
_LOOKUPS = {
    "external_userids": EXTERNAL_USERID,
    "unionids": IdentityKind.UNIONID,
    "phones": IdentityKind.PHONE,
    "member_ids": IdentityKind.MEMBER_ID,
}
_MISSING: dict[str, Any] = {
    "segment": _("There is no such segment."),
    "campaign": _("There is no such campaign."),
    "sop": _("There is no such SOP."),
}

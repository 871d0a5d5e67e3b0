from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.actions.screening import BlockedByRisk
from campaigns.actions.sops.dates import left_out
from campaigns.actions.sops.drafting import activate_sop, create_sop, pause_sop, update_sop
from campaigns.actions.sops.ending import cancel_enrolment
from campaigns.actions.sops.enrolling import enrol_customer
from campaigns.actions.sops.grammar import SopDraft
from campaigns.actions.sops.screening import tell_stopped
from campaigns.actions.sops.simulating import simulate_sop
from campaigns.api import sop_serializers as serializers
from campaigns.api.sop_filters import SopFilter
from campaigns.models import Enrolment, Sop, StepRun
from customers.models import Customer
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import EmptyBody, unknown_id


class SopViewSet(ActingViewSet):
    """What is done for a customer, step by step, counted from a day of her own."""

    area = "sops"
    queryset = Sop.objects.select_related("corp").prefetch_related("steps")
    serializer_class = serializers.SopSerializer
    filterset_class = SopFilter
    newest_first = True
    scopes = {"simulate": ("sops:read", "sops:write")}
    paged_actions = frozenset({"list", "enrolments", "step_runs", "left_out"})
    parameters = {"step_runs": serializers.StepRunParameters}

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if isinstance(exc, BlockedByRisk):
            response.data |= exc.screened.as_dict()
            # The refusal has undone everything else: that it was tried is kept here.
            tell_stopped(exc, corp=self.corp, sop_id=self.get_object().pk, now=self.now)
        return response

    @extend_schema(request=serializers.SopBody, responses={201: serializers.SopSerializer})
    def create(self, request: Request) -> Response:
        """Keep a draft; what is wrong with it is named by JSON pointer."""
        draft = SopDraft(**self.read_body(serializers.SopBody))
        sop = create_sop(self.corp, draft=draft, actor=self.actor, now=self.now)
        return Response(self._describe(sop), status=status.HTTP_201_CREATED)

    @extend_schema(request=serializers.SopBody, responses=serializers.SopSerializer)
    def partial_update(self, request: Request, **__: Any) -> Response:
        """Change a SOP, also while it runs: what was done is not done again."""
        sop: Sop = self.get_object()
        changes = self.read_body(serializers.SopBody, partial=True)
        update_sop(sop, changes=changes, actor=self.actor, now=self.now)
        return Response(self._describe(sop))

    @extend_schema(request=EmptyBody, responses={200: serializers.SopSerializer})
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, **__: Any) -> Response:
        """Let it run, or go on after a pause; a forbidden text is refused."""
        sop: Sop = self.get_object()
        self.do_without_body(lambda: activate_sop(sop, actor=self.actor, now=self.now))
        return Response(self._describe(sop))

    @extend_schema(request=EmptyBody, responses={200: serializers.SopSerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **__: Any) -> Response:
        """Stop it where it stands; what becomes due waits."""
        sop: Sop = self.get_object()
        self.do_without_body(lambda: pause_sop(sop, actor=self.actor, now=self.now))
        return Response(self._describe(sop))

    @extend_schema(
        request=serializers.SimulationBody, responses={200: serializers.SimulationSerializer}
    )
    @action(detail=True, methods=["post"])
    def simulate(self, request: Request, **__: Any) -> Response:
        """What would be due, and when, for a customer who entered at `now`; nothing is done."""
        sop: Sop = self.get_object()
        body = self.read_body(serializers.SimulationBody)
        customer = self._customer(body["external_userid"])
        simulation = simulate_sop(sop, customer, now=body.get("now", self.now))
        return Response(serializers.SimulationSerializer(simulation).data)

    @extend_schema(responses=serializers.EnrolmentSerializer(many=True))
    @action(detail=True, serializer_class=serializers.EnrolmentSerializer)
    def enrolments(self, request: Request, **__: Any) -> Response:
        """Who is, or was, on the way through it."""
        enrolments = Enrolment.objects.filter(sop=self.get_object())
        return self.answer_page(enrolments.select_related("customer", "staff"))

    @extend_schema(
        request=serializers.EnrolmentBody, responses={201: serializers.EnrolmentSerializer}
    )
    @enrolments.mapping.post
    def enrol(self, request: Request, **__: Any) -> Response:
        """Take a customer in, also one who has been through it before."""
        sop: Sop = self.get_object()
        body = self.read_body(serializers.EnrolmentBody)
        enrolment = enrol_customer(
            sop,
            self._customer(body["external_userid"]),
            anchor=body.get("anchor"),
            actor=self.actor,
            now=self.now,
        )
        data = serializers.EnrolmentSerializer(enrolment).data
        return Response(data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=serializers.StepRunSerializer(many=True))
    @action(detail=True, url_path="step-runs", serializer_class=serializers.StepRunSerializer)
    def step_runs(self, request: Request, **__: Any) -> Response:
        """Each step for each customer: planned, done, or why not."""
        wanted = self.read_parameters()
        runs = StepRun.objects.filter(enrolment__sop=self.get_object())
        if "status" in wanted:
            runs = runs.filter(status=wanted["status"])
        if "customer" in wanted:
            runs = runs.filter(enrolment__customer__external_userid=wanted["customer"])
        return self.answer_page(runs.select_related("enrolment__customer", "staff"))

    @extend_schema(responses=serializers.LeftOutSerializer(many=True))
    @action(detail=True, url_path="left-out", serializer_class=serializers.LeftOutSerializer)
    def left_out(self, request: Request, **__: Any) -> Response:
        """Customers whose attribute is no date: the SOP cannot count from it."""
        return self.answer_page(left_out(self.get_object()))

    def _describe(self, sop: Sop) -> dict[str, Any]:
        fresh = self.get_queryset().get(pk=sop.pk)
        return dict(serializers.SopSerializer(fresh).data)

    def _customer(self, external_userid: str) -> Customer:
        customers = Customer.objects.for_corp(self.corp).filter(external_userid=external_userid)
        if (customer := customers.first()) is None:
            message = _("There is no customer %(id)s.") % {"id": external_userid}
            raise unknown_id("/external_userid", message)
        return customer


class EnrolmentViewSet(ActingViewSet):
    """One customer on her way through a SOP; the path names both."""

    area = "sops"
    queryset = Enrolment.objects.select_related("sop", "customer", "staff", "corp")
    serializer_class = serializers.EnrolmentSerializer
    lookup_url_kwarg = "enrolment"

    def get_queryset(self) -> QuerySet[Enrolment]:
        enrolments: QuerySet[Enrolment] = super().get_queryset()
        # Digits that no id has are nobody's.
        sop = self.kwargs.get("sop", "")
        is_id = sop.isascii() and sop.isdecimal() and len(sop) < 19
        return enrolments.filter(sop=sop) if is_id else enrolments.none()

    @extend_schema(operation_id="sops_enrolment_retrieve")
    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """Where the customer stands."""
        return super().retrieve(request, **kwargs)

    @extend_schema(operation_id="sops_enrolment_destroy")
    def destroy(self, request: Request, **__: Any) -> Response:
        """Take the customer out: nothing more is begun, and what was asked stays asked."""
        cancel_enrolment(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)

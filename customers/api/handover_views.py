from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from customers.actions.handover.executing import cancel_plan, execute_plan
from customers.actions.handover.plans import (
    PlanWish,
    check_editable,
    create_plan,
    remove_item,
    set_taker,
)
from customers.actions.handover.polling import refresh_plan
from customers.actions.handover.preflight import Preflight, preflight_plan
from customers.actions.handover.reasons import sentence_of
from customers.actions.handover.waiting import leavers_of, waiting_chats, waiting_follows
from customers.api import handover_serializers as shapes
from customers.api.representation import tags_of_customers
from customers.models import CustomerTagSet, Follow, FollowQuerySet, HandoverItem, HandoverPlan
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import EmptyBody, unknown_id
from scrm.common.api.filters import IdsFilter
from scrm.jobs.api.answers import accepted
from scrm.jobs.api.serializers import AcceptedSerializer
from scrm.tenancy.api.base import CorpViewSet
from scrm.tenancy.models import ApiKey, Staff

_ITEM = OpenApiParameter("item", int, OpenApiParameter.PATH)
_EXECUTE = ("handover:execute",)
_LOOK = ("handover:read", "handover:write", "handover:execute")


class WaitingFilter(filters.FilterSet):
    staff = filters.CharFilter(method="of_staff", help_text="The userid of who left or leaves.")
    stage = filters.CharFilter(field_name="customer__stage__key")
    tag = IdsFilter(method="with_any_tag", help_text="Ids of tags; several mean any of them.")
    q = filters.CharFilter(method="named", help_text="Part of a name or remark, or an id.")
    kind = filters.ChoiceFilter(
        choices=[("customers", "customers"), ("groups", "groups")],
        method="of_kind",
        help_text="customers (default), or groups: chats whose owner left or leaves.",
    )

    def of_staff(self, queryset: FollowQuerySet, name: str, value: str) -> FollowQuerySet:
        corp = cast("ApiKey", cast("Request", self.request).auth).corp
        if not Staff.objects.for_corp(corp).filter(userid__iexact=value).exists():
            raise unknown_id("/staff", _("There is no such member of staff."))
        return queryset.filter(staff__userid__iexact=value)

    def with_any_tag(self, queryset: FollowQuerySet, name: str, value: list[int]) -> FollowQuerySet:
        carried = CustomerTagSet.objects.filter(
            customer=OuterRef("customer"), tag_ids__overlap=sorted(set(value))
        )
        return queryset.filter(Exists(carried))

    def named(self, queryset: FollowQuerySet, name: str, value: str) -> FollowQuerySet:
        words = value.strip()
        return queryset.filter(
            Q(customer__name__icontains=words)
            | Q(remark__icontains=words)
            | Q(customer__external_userid=words)
        )

    def of_kind(self, queryset: FollowQuerySet, name: str, value: str) -> FollowQuerySet:
        return queryset


class WaitingViewSet(CorpViewSet):
    """Customers, and groups, of those who have left or are leaving."""

    area = "handover"
    queryset = Follow.objects.select_related("staff", "customer__stage")
    serializer_class = shapes.HandoverWaitingSerializer
    filterset_class = WaitingFilter

    def get_queryset(self) -> QuerySet[Follow]:
        follows = cast("FollowQuerySet", super().get_queryset())
        return follows if self._is_described else waiting_follows(follows, now=self.now)

    @extend_schema(
        operation_id="handover_unassigned_list",
        responses=shapes.HandoverWaitingSerializer(many=True),
    )
    def list(self, request: Request, **__: Any) -> Response:
        """Who waits for a new colleague, since when, and whether they can be handed over."""
        if request.query_params.get("kind") == "groups":
            self.filter_queryset(self.get_queryset())
            return Response({"results": self._groups(), "next": None})
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        tags = tags_of_customers([follow.customer_id for follow in page])
        context = {**self.get_serializer_context(), "tags": tags}
        shown = shapes.HandoverWaitingSerializer(page, many=True, context=context)
        return self.get_paginated_response(shown.data)

    def _groups(self) -> Sequence[dict[str, Any]]:
        wanted = self.request.query_params.get("staff", "").lower()
        leavers = {staff.pk: staff for staff in leavers_of(self.corp)}
        chats = waiting_chats(leavers.values(), corp=self.corp)
        return [
            {
                "chat_id": chat.chat_id,
                "name": chat.name,
                "from_userid": leavers[chat.staff_id].userid,
                "member_count": chat.member_count,
                "waits_since": leavers[chat.staff_id].left_at
                or leavers[chat.staff_id].leaving_since,
            }
            for chat in chats
            if not wanted or leavers[chat.staff_id].userid.lower() == wanted
        ]


class PlanViewSet(ActingViewSet):
    """Handing customers and groups of one colleague over to others."""

    area = "handover"
    queryset = HandoverPlan.objects.with_page()
    serializer_class = shapes.HandoverPlanSerializer
    newest_first = True
    scopes = {
        "preflight": ("handover:read", "handover:write"),
        "execute": _EXECUTE,
        "cancel": _EXECUTE,
        "refresh": _LOOK,
    }
    dry_run_actions = frozenset({"create", "execute"})
    paged_actions = frozenset({"list", "items"})
    parameters = {"items": shapes.HandoverItemParameters}

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return (
            shapes.HandoverPlanListSerializer
            if self.action == "list"
            else super().get_serializer_class()
        )

    @extend_schema(
        request=shapes.HandoverPlanBody,
        responses={201: shapes.HandoverPlanSerializer, 200: shapes.HandoverPreflightSerializer},
    )
    def create(self, request: Request) -> Response:
        """Plan a handover: everybody gets a taker; a dry run says who, and who cannot go."""
        wish = PlanWish(**self.read_body(shapes.HandoverPlanBody))
        plan = create_plan(wish, corp=self.corp, actor=self.actor, now=self.now)
        if self.is_dry_run:
            return self._trace(plan)
        return Response(self._describe(plan), status=status.HTTP_201_CREATED)

    @extend_schema(request=EmptyBody, responses={200: shapes.HandoverPreflightSerializer})
    @action(detail=True, methods=["post"])
    def preflight(self, request: Request, **__: Any) -> Response:
        """Which items could go now, and why the others could not; nothing changes."""
        self.read_body(EmptyBody)
        return self._trace(self.get_object())

    @extend_schema(request=EmptyBody, responses={202: AcceptedSerializer})
    @action(detail=True, methods=["post"])
    def execute(self, request: Request, **__: Any) -> Response:
        """Carry the plan out; the operation ends when the platform has answered everything."""
        plan: HandoverPlan = self.get_object()
        job = self.do_without_body(lambda: execute_plan(plan, actor=self.actor, now=self.now))
        return self._trace(plan) if self.is_dry_run else accepted(job, request)

    @extend_schema(request=EmptyBody, responses={202: AcceptedSerializer})
    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, **__: Any) -> Response:
        """Read the platform now instead of at the next look."""
        plan: HandoverPlan = self.get_object()
        job = self.do_without_body(lambda: refresh_plan(plan, now=self.now))
        return accepted(job, request)

    @extend_schema(request=EmptyBody, responses={200: shapes.HandoverPlanSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **__: Any) -> Response:
        """Stop what has not been asked; what the platform has taken up goes on."""
        plan: HandoverPlan = self.get_object()
        self.do_without_body(lambda: cancel_plan(plan, actor=self.actor, now=self.now))
        return Response(self._describe(plan))

    @extend_schema(responses=shapes.HandoverItemSerializer(many=True))
    @action(detail=True, serializer_class=shapes.HandoverItemSerializer)
    def items(self, request: Request, **__: Any) -> Response:
        """The customers and groups of the plan, each with where it stands and why."""
        items = self.get_object().items.with_page()
        if word := self.read_parameters().get("status"):
            items = items.filter(status=word)
        return self.answer_page(items)

    @extend_schema(
        request=shapes.HandoverItemBody,
        responses=shapes.HandoverItemSerializer,
        parameters=[_ITEM],
    )
    @action(detail=True, methods=["patch"], url_path=r"items/(?P<item>[^/.]+)")
    def item(self, request: Request, item: str = "", **__: Any) -> Response:
        """Give an item of a plan that was not executed to another taker."""
        found = self._item_or_404(item)
        # Told before what the body says wrong; the action looks again under its lock.
        check_editable(found.plan, found)
        to_userid = self.read_body(shapes.HandoverItemBody)["to_userid"]
        set_taker(found, to_userid, actor=self.actor, now=self.now)
        return Response(shapes.HandoverItemSerializer(self._item_or_404(item)).data)

    @extend_schema(responses={204: None}, parameters=[_ITEM])
    @item.mapping.delete
    def take_out(self, request: Request, item: str = "", **__: Any) -> Response:
        """Take an item out of a plan that was not executed."""
        remove_item(self._item_or_404(item), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _item_or_404(self, text: str) -> HandoverItem:
        plan: HandoverPlan = self.get_object()
        is_id = text.isascii() and text.isdecimal() and len(text) < 19
        items = HandoverItem.objects.with_page().filter(plan=plan)
        found = items.filter(pk=int(text)).first() if is_id else None
        if found is None:
            raise Http404
        return found

    def _describe(self, plan: HandoverPlan) -> dict[str, Any]:
        fresh = self.get_queryset().get(pk=plan.pk)
        return dict(shapes.HandoverPlanSerializer(fresh).data)

    def _trace(self, plan: HandoverPlan) -> Response:
        fresh = self.get_queryset().get(pk=plan.pk)
        checked = preflight_plan(fresh, now=self.now)
        return Response(shapes.HandoverPreflightSerializer(_in_words(fresh, checked)).data)


def _in_words(plan: HandoverPlan, checked: Preflight) -> dict[str, Any]:
    items = HandoverItem.objects.filter(plan=plan).select_related("customer", "to_staff")
    by_id = {item.pk: item for item in items}
    verdicts = [
        {
            "item": verdict.item_id,
            "external_userid": item.customer.external_userid if item.customer else None,
            "chat_id": item.chat_id or None,
            "to_userid": item.to_staff.userid if item.to_staff else None,
            "status": "blocked" if verdict.reason else "planned",
            "reason": verdict.reason,
            "explanation": sentence_of(verdict.reason),
            "free_at": verdict.free_at,
        }
        for verdict in checked.verdicts
        for item in [by_id[verdict.item_id]]
    ]
    return {
        "planned": len(verdicts),
        "ready": checked.ready,
        "groups_ready": checked.chats_ready,
        "blocked": checked.blocked,
        "loads": [asdict(load) for load in checked.loads],
        "items": verdicts,
    }

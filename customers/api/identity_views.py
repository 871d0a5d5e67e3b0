"""What a customer is known by, below `/customers/{id}/`: linked, moved, moved back."""

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.identities import link_identity, mask, unlink_identity
from customers.actions.merging import move_identity, undo_move
from customers.api import commerce_serializers as shapes
from customers.models import Customer, Identity, IdentityMove
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.bodies import unknown_id
from scrm.tenancy.models import Scope

_IDENTITY = OpenApiParameter("identity", int, OpenApiParameter.PATH)
_ONE = r"identities/(?P<identity>[^/.]+)"


class IdentityActions(ActingViewSet):
    """Part of the customers' endpoint."""

    @extend_schema(responses=shapes.IdentitySerializer(many=True))
    @action(detail=True)
    def identities(self, request: Request, **__: Any) -> Response:
        """Phones, unionids and member numbers of the customer, masked without `customers:pii`."""
        rows = Identity.objects.filter(customer=self.get_object())
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response([self._describe_identity(each) for each in page])

    @extend_schema(
        request=shapes.IdentityBody,
        responses={201: shapes.IdentitySerializer},
    )
    @identities.mapping.post
    def link(self, request: Request, **__: Any) -> Response:
        """Say what the customer is known by; 409 `identity_taken` when it is somebody else's."""
        customer: Customer = self.get_object()
        identity = link_identity(
            customer,
            **self.read_body(shapes.IdentityBody),
            actor=self.actor,
            now=self.now,
            # A key is for the whole corp.
            seen_by=Scope(corp_ids=frozenset({self.corp.pk})),
        )
        shown = self._describe_identity(identity)
        return Response(shown, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None}, parameters=[_IDENTITY])
    @action(detail=True, methods=["delete"], url_path=_ONE)
    def unlink(self, request: Request, identity: str = "", **__: Any) -> Response:
        """The customer is not known by this any more; orders that came by it stay hers."""
        unlink_identity(self._identity_or_404(identity), actor=self.actor, now=self.now)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=shapes.IdentityMoveBody,
        responses=shapes.IdentityMoveAnswer,
        parameters=[_IDENTITY],
    )
    @action(detail=True, methods=["post"], url_path=f"{_ONE}/move")
    def move_identity(self, request: Request, identity: str = "", **__: Any) -> Response:
        """It is another customer's, and so are the orders and events that came by it."""
        found = self._identity_or_404(identity)
        named = self.read_body(shapes.IdentityMoveBody)["external_userid"]
        taker = Customer.objects.for_corp(self.corp).filter(external_userid=named).first()
        if taker is None:
            raise unknown_id("/external_userid", _("There is no such customer."))
        move = move_identity(found, to=taker, actor=self.actor, now=self.now)
        return self._answer_move(move)

    @extend_schema(request=None, responses=shapes.IdentityMoveAnswer, parameters=[_IDENTITY])
    @action(detail=True, methods=["post"], url_path=f"{_ONE}/undo")
    def undo_identity_move(self, request: Request, identity: str = "", **__: Any) -> Response:
        """Take the last move back: exactly what was moved returns."""
        found = self._identity_or_404(identity)
        move = self.do_without_body(lambda: undo_move(found, actor=self.actor, now=self.now))
        return self._answer_move(move)

    def _answer_move(self, move: IdentityMove) -> Response:
        return Response(shapes.IdentityMoveAnswer(move).data)

    def _describe_identity(self, identity: Identity) -> dict[str, Any]:
        is_shown = self.api_key.allows("customers:pii")
        value = identity.value if is_shown else mask(identity.kind, identity.value)
        shown = {
            "id": identity.pk,
            "kind": identity.kind,
            "value": value,
            "linked_at": identity.linked_at,
        }
        return dict(shapes.IdentitySerializer(shown).data)

    def _identity_or_404(self, text: str) -> Identity:
        customer: Customer = self.get_object()
        is_id = text.isascii() and text.isdecimal() and len(text) < 19
        rows = Identity.objects.filter(customer=customer).select_related("customer", "corp")
        found = rows.filter(pk=int(text)).first() if is_id else None
        if found is None:
            raise Http404
        return found

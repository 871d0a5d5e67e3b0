"""`/pretags/`: tags for people who may not have arrived yet, by what the brand knows them by."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actions.identities import KINDS
from customers.actions.pretags import PretagRow, save_pretags
from customers.api import serializers
from scrm.audit.actions.recording import Actor
from scrm.common.errors import FieldProblem
from scrm.tenancy.api.base import CorpViewSet


class PretagViewSet(CorpViewSet):
    """What people are to carry once they are there."""

    area = "tags"
    dry_run_actions = frozenset({"create"})

    @extend_schema(request=serializers.PretagBody, responses={207: serializers.PretagAnswer})
    def create(self, request: Request) -> Response:
        """Give tags to up to 500 people, each named by one identity; who is not known is waited
        for. Every row has its own answer, in the order of the rows."""
        items = self.read_body(serializers.PretagBody)["items"]
        rows = [_row(item) for item in items]
        sound = [row for row in rows if not row.problems]
        actor = Actor.of_key(self.api_key)
        save_pretags(sound, corp=self.corp, actor=actor, now=self.now)
        results = [_answer(index, row) for index, row in enumerate(rows)]
        return Response({"results": results}, status=status.HTTP_207_MULTI_STATUS)


def _row(item: dict[str, Any]) -> PretagRow:
    named = [kind for kind in KINDS if kind in item]
    kind = named[0] if named else ""
    row = PretagRow(kind, item.get(kind, ""), item["tags"])
    if len(named) != 1:
        message = _("Name the person by one of phone, unionid, member_id and external_userid.")
        row.refuse(422, FieldProblem("", "wrong_number", message))
    return row


def _answer(index: int, row: PretagRow) -> dict[str, Any]:
    # Not the identity itself: answers are kept for repetitions of the call.
    return {
        "status": row.status,
        "matched": row.is_known,
        "errors": [
            {"path": f"/items/{index}{each.path}", "code": each.code, "message": each.message}
            for each in row.problems
        ],
    }

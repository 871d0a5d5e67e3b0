"""Reading bodies whose rows an action checks, and telling what became of each row."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from customers.api.commerce_serializers import RowsBody
from scrm.audit.api.acting import ActingViewSet
from scrm.common.api.problems import sentence_of
from scrm.common.errors import FieldProblem, InvalidInput

STATUSES = {"created": 201, "taken": 201, "quarantined": 201, "refused": 422}


def read_rows(view: ActingViewSet) -> list[dict[str, Any]]:
    """The rows of a batch: `{"items": […]}`, or the bare list."""
    data = view.request.data
    if isinstance(data, list):
        view.check_parameters()
        return list(RowsBody(data={"items": data}).checked()["items"])
    return list(view.read_body(RowsBody)["items"])


def read_object(view: ActingViewSet) -> dict[str, Any]:
    """The body as an object, its fields unread."""
    view.check_parameters()
    data = view.request.data
    if not isinstance(data, Mapping):
        message = _("This is to be an object.")
        raise InvalidInput(message, errors=(FieldProblem("", "invalid", message),))
    return dict(data)


def refuse_row(errors: tuple[FieldProblem, ...]) -> InvalidInput:
    return InvalidInput(sentence_of(errors), errors=errors)


def describe_problems(position: int, errors: tuple[FieldProblem, ...]) -> list[dict[str, str]]:
    return [
        {"path": f"/items/{position}{each.path}", "code": each.code, "message": str(each.message)}
        for each in errors
    ]


def status_of(outcome: str) -> int:
    return STATUSES.get(outcome, 200)

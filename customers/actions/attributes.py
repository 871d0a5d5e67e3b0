"""What a brand knows about a customer beyond the platform: free attributes."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from customers.models import Customer
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput

MAX_ATTRIBUTES = 200
MAX_TEXT = 1000
MAX_VALUES = 100
_KEY = re.compile(r"[\w-]{1,64}")


@transaction.atomic
def change_attributes(
    customer: Customer, *, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> Customer:
    """Merge `changes` into the attributes; None takes a key away. Raises InvalidInput."""
    problems = tuple(_problems_of(changes))
    if problems:
        raise InvalidInput(" ".join(each.message for each in problems), errors=problems)
    # Two brands' systems may write different keys at once: neither may undo the other.
    locked = Customer.objects.select_for_update(of=["self"]).get(pk=customer.pk)
    merged = {**locked.attributes, **changes}
    attributes = {key: value for key, value in merged.items() if value is not None}
    if len(attributes) > MAX_ATTRIBUTES:
        message = _("A customer can have %(limit)d attributes.") % {"limit": MAX_ATTRIBUTES}
        raise InvalidInput(message, errors=(FieldProblem("/attributes", "too_many", message),))
    if attributes != locked.attributes:
        locked.attributes, locked.updated_at = attributes, now
        locked.save(update_fields=["attributes", "updated_at"])
        keys = sorted(changes)
        record(
            "customers.attributes_changed",
            actor=actor,
            corp=locked.corp,
            subject=locked,
            now=now,
            data={"keys": keys},
        )
    return locked


def _problems_of(changes: Mapping[str, Any]) -> Iterator[FieldProblem]:
    for key, value in changes.items():
        path = f"/attributes/{key.replace('~', '~0').replace('/', '~1')}"
        if not _KEY.fullmatch(key):
            message = _("An attribute's key has 1 to 64 letters, digits, - and _.")
            yield FieldProblem(path, "invalid_key", message)
        elif not _is_value(value):
            message = _("An attribute is text, a number, true, false, or a list of these.")
            yield FieldProblem(path, "invalid", message)


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= MAX_VALUES and all(_is_scalar(each) for each in value)
    return value is None or _is_scalar(value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (bool, int, float)) or (
        isinstance(value, str) and len(value) <= MAX_TEXT
    )

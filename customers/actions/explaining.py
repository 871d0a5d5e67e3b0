"""Why something means a customer or does not, asked of whoever decides it.

Segments are explained by their rule; upper apps explain what is theirs (campaigns, SOPs).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from customers.actions.segments import explain
from customers.models import Customer, Segment

Explain = Callable[[Customer, int, datetime], dict[str, Any] | None]

_explainers: dict[str, Explain] = {}


def register_explainer(kind: str, find: Explain) -> None:
    """`find(customer, id, now)` explains one subject; None when the corp has no such subject."""
    _explainers[kind] = find


def explain_for(
    customer: Customer, kind: str, subject_id: int, *, now: datetime
) -> dict[str, Any] | None:
    """Why the customer is meant or not; None when there is no such subject, or nobody to ask."""
    find = _explainers.get(kind)
    return find(customer, subject_id, now) if find else None


def _explain_segment(customer: Customer, segment_id: int, now: datetime) -> dict[str, Any] | None:
    segment = Segment.objects.for_corp(customer.corp).filter(pk=segment_id).first()
    return explain(segment.rule, customer, now=now) if segment else None


register_explainer("segment", _explain_segment)

"""Timelines as the API shows them: pages by moment, since their entries come from many tables."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from customers.actions.timeline import Entry, Place, timeline_of
from customers.models import Customer
from scrm.common.api.pagination import CursorPages, refused_cursor


class TimelinePages(CursorPages):
    """`?limit=` and `?cursor=` as everywhere; a cursor is good for the customer it was given for."""

    def read(
        self, customer: Customer, request: Request, *, types: Collection[str]
    ) -> list[dict[str, Any]]:
        limit = self._limit(request)
        signer = Signer(salt=f"cursor:timeline:{customer.pk}")
        before = _place_of(request.query_params.get("cursor"), signer)
        page = timeline_of(customer, before=before, limit=limit, types=types)
        self.next = None
        if page.next:
            cursor = signer.sign(f"{page.next.at.isoformat()}|{page.next.name}|{page.next.pk}")
            self.next = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
        return [describe_entry(entry) for entry in page.entries]


def describe_entry(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": timezone.localtime(entry.at).isoformat(),
        "type": entry.type,
        "title": entry.title,
        "data": entry.data,
        "source": entry.source,
    }


def _place_of(cursor: str | None, signer: Signer) -> Place | None:
    if cursor is None:
        return None
    try:
        at, name, pk = signer.unsign(cursor).split("|")
    except BadSignature:
        raise refused_cursor() from None
    return Place(datetime.fromisoformat(at), name, int(pk))

"""Customers as a file: what the list shows, in chunks, with a line in the audit log."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field

from customers.admin.pieces import attach_followers, attach_tags
from customers.models import Customer
from scrm.common.badges import listed

if TYPE_CHECKING:

    class ModelResource:
        def __init__(self, **kwargs: Any) -> None: ...
else:
    from import_export.resources import ModelResource

_CHUNK = 1000
# The file is made while the browser waits.
MOST_ROWS = 50_000


class CustomerResource(ModelResource):
    external_userid = Field(attribute="external_userid", column_name=_("external id"))
    name = Field(attribute="name", column_name=_("name"))
    gender = Field(attribute="get_gender_display", column_name=_("gender"))
    type = Field(attribute="get_type_display", column_name=_("type"))
    company = Field(attribute="company", column_name=_("company"))
    stage = Field(attribute="stage__name", column_name=_("stage"))
    tags = Field(column_name=_("tags"))
    followed_by = Field(column_name=_("followed by"))
    added_at = Field(column_name=_("added"))
    is_blocked = Field(column_name=_("never write to"))

    class Meta:
        model = Customer
        fields = ("external_userid", "name", "gender", "type", "company", "stage", "tags", "followed_by", "added_at", "is_blocked")  # fmt: skip
        export_order = fields

    def iter_queryset(self, queryset: QuerySet[Customer]) -> Iterator[Customer]:
        rows = queryset.select_related("stage")
        chunk: list[Customer] = []
        for customer in rows.iterator(chunk_size=_CHUNK):
            chunk.append(customer)
            if len(chunk) == _CHUNK:
                yield from _prepared(chunk)
                chunk = []
        yield from _prepared(chunk)

    def dehydrate_tags(self, customer: Customer) -> str:
        return listed(tag.name for tag in customer.shown_tags)  # type: ignore[attr-defined]

    def dehydrate_followed_by(self, customer: Customer) -> str:
        return listed(customer.followers)  # type: ignore[attr-defined]

    def dehydrate_added_at(self, customer: Customer) -> str:
        return _local(customer.added_at)

    def dehydrate_is_blocked(self, customer: Customer) -> str:
        return str(_("yes")) if customer.is_blocked else ""


def _prepared(chunk: list[Customer]) -> list[Customer]:
    attach_tags(chunk)
    attach_followers(chunk)
    return chunk


def _local(moment: datetime | None) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M") if moment else ""

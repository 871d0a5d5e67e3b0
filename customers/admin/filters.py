"""How operators narrow the list of customers."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import CustomerTagSet, Follow, Stage, TagAssignment
from scrm.common.admin_filters import WordFilter, start_of_days
from scrm.tenancy.scoped_admin import AutocompleteFilter, rows_of


class StateFilter(WordFilter):
    """Customers with a friend among the staff, unless asked otherwise."""

    title = _("status")
    parameter_name = "state"
    all_label = _("friends")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("lost", _("lost")), ("blocked", _("never write to")), ("all", _("all"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        if self.value() == "lost":
            return queryset.filter(live_follows=0)
        if self.value() == "blocked":
            return queryset.filter(is_blocked=True)
        return queryset.filter(live_follows__gt=0)


class NewSinceFilter(WordFilter):
    title = _("new in the last")
    parameter_name = "new"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("7", _("7 days")), ("30", _("30 days")), ("90", _("90 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in dict(self.lookup_choices):
            return queryset
        since = start_of_days(int(self.value() or 1), now=timezone.now())
        new: QuerySet[Any] = queryset.new_since(since)  # type: ignore[attr-defined]
        return new


class LostSinceFilter(WordFilter):
    title = _("lost in the last")
    parameter_name = "lost"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("7", _("7 days")), ("30", _("30 days")), ("90", _("90 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in dict(self.lookup_choices):
            return queryset
        since = start_of_days(int(self.value() or 1), now=timezone.now())
        ended = Follow.objects.filter(customer=OuterRef("pk"), ended_at__gte=since)
        return queryset.filter(Exists(ended), live_follows=0)


class StageFilter(WordFilter):
    title = _("stage")
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        stages = rows_of(Stage, request).order_by("corp", "order")
        return [("none", _("no stage")), *((str(stage.pk), stage.name) for stage in stages)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.filter(stage__isnull=True)
        return queryset.filter(stage=self.value()) if (self.value() or "").isdigit() else queryset


class TagFilter(AutocompleteFilter):
    title = _("tags (any of them)")
    parameter_name = "tag"
    source = TagAssignment._meta.get_field("tag")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        if not chosen:
            return queryset
        carried = CustomerTagSet.objects.filter(customer=OuterRef("pk"), tag_ids__overlap=chosen)
        return queryset.filter(Exists(carried))


class StaffFilter(AutocompleteFilter):
    title = _("followed by")
    parameter_name = "staff"
    source = Follow._meta.get_field("staff")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        if not chosen:
            return queryset
        follows = Follow.objects.filter(customer=OuterRef("pk"), staff__in=chosen)
        if request.GET.get("state", "") in {"", "blocked"}:
            follows = follows.live()
        return queryset.filter(Exists(follows))

"""Filters of lists: a few words, a span of days."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.admin import FieldListFilter, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.forms import DropdownForm

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

    ThemedRangeDateFilter = FieldListFilter
else:
    from unfold.contrib.filters.admin import RangeDateFilter as ThemedRangeDateFilter


class WordFilter(SimpleListFilter):
    """A drop-down over a few words of our own."""

    template = "unfold/filters/filters_field.html"
    form_class = DropdownForm
    all_label: Any = _("All")

    def choices(self, changelist: "ChangeList") -> Iterator[Any]:
        name = self.parameter_name
        yield {
            "form": DropdownForm(
                label=capfirst(self.title),
                name=name,
                choices=[("", self.all_label), *self.lookup_choices],
                data={name: self.value()},
            )
        }


class ChoiceWordFilter(FieldListFilter):
    """The same over the choices of a field."""

    template = "unfold/filters/filters_field.html"
    form_class = DropdownForm

    def expected_parameters(self) -> list[str | None]:
        return [self.field_path]

    def chosen(self) -> str:
        given = self.used_parameters.get(self.field_path, "")
        value = given[0] if isinstance(given, list) and given else given
        return value if value in dict(self._words()) else ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen()
        return queryset.filter(**{self.field_path: chosen}) if chosen else queryset

    def choices(self, changelist: "ChangeList") -> Iterator[Any]:
        yield {
            "form": DropdownForm(
                label=capfirst(self.title),
                name=self.field_path,
                choices=[("", _("All")), *self._words()],
                data={self.field_path: self.chosen()},
            )
        }

    def _words(self) -> list[tuple[str, Any]]:
        choices = getattr(self.field, "flatchoices", [])
        return [(str(value), words) for value, words in choices]


class DayRangeFilter(ThemedRangeDateFilter):
    """From a day to a day, both whole, in the zone the admin shows times in."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        path = self.field_path
        first, last = self._day("from"), self._day("to")
        if first:
            queryset = queryset.filter(**{f"{path}__gte": _midnight(first)})
        if last:
            queryset = queryset.filter(**{f"{path}__lt": _midnight(last + timedelta(days=1))})
        return queryset

    def _day(self, end: str) -> date | None:
        text = self.used_parameters.get(f"{self.field_path}_{end}")
        try:
            return parse_date(text) if isinstance(text, str) else None
        except ValueError:
            return None


def start_of_days(days: int, *, now: datetime) -> datetime:
    """The midnight that begins the last `days` days, today included."""
    return _midnight(timezone.localdate(now) - timedelta(days=days - 1))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))

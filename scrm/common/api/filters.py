"""Query parameters that django-filter has no strict filter for."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from scrm.common.api.bodies import MAX_BIGINT, MAX_INT, parse_moment


class MomentFormField(forms.Field):
    def clean(self, value: Any) -> datetime | None:
        if not value:
            return None
        # A "+" that was not escaped arrives as a space.
        moment = parse_moment(value) or parse_moment(value.replace(" ", "+"))
        if moment is None or moment.tzinfo is None:
            message = _("Give the time with its offset, such as 2026-03-01T09:00:00+08:00.")
            raise forms.ValidationError(message, code="invalid")
        return moment


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(filters.Filter):
    field_class = MomentFormField


class IdsFormField(forms.Field):
    """Ids that are repeated (`tag=1&tag=2`) or separated by commas."""

    widget = forms.SelectMultiple

    def clean(self, value: Iterable[str] | None) -> list[int]:
        texts = [text.strip() for part in value or () for text in part.split(",")]
        ids = [int(t) for t in texts if t.isascii() and t.isdecimal() and len(t) < 19]
        if len(ids) != len(texts) or any(each > MAX_INT for each in ids):
            raise forms.ValidationError(_("Give whole numbers."), code="invalid")
        return ids


@extend_schema_field({"type": "array", "items": {"type": "integer"}})
class IdsFilter(filters.Filter):
    field_class = IdsFormField


@extend_schema_field(OpenApiTypes.INT)
class IdFilter(filters.Filter):
    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, max_value=MAX_BIGINT, **kwargs)

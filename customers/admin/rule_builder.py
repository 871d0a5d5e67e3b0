"""A form field for segment rules: put together by clicking, counted while it is written."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.translation import gettext as _

from customers.admin.rule_fields import (
    MOST_SHOWN,
    fields_for_builder,
    keys_for_builder,
    options_for_builder,
)
from scrm.tenancy.models import Corp


def rule_widget() -> forms.HiddenInput:
    return forms.HiddenInput(attrs={"x-ref": "rule"})


def builder_config(
    corp: Corp, request: HttpRequest, *, preview: str, problems: list[dict[str, str]]
) -> dict[str, Any]:
    """What the builder's script has to know; `preview` is the address that counts a rule."""
    return {
        "fields": fields_for_builder(),
        "options": options_for_builder(corp, request),
        "mostShown": MOST_SHOWN,
        "optionsUrl": f"{reverse('admin:customers_segment_options')}?corp={corp.pk}",
        "keys": keys_for_builder(corp),
        "previewUrl": f"{preview}?corp={corp.pk}",
        "csrf": get_token(request),
        "problems": problems,
        "words": {"text": _("text"), "number": _("number"), "yes": _("yes"), "no": _("no")},
    }

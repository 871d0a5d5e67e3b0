"""What customers are worth: a board of recency and frequency, the list, who is about to leave."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from customers.actions.value import (
    HIGH,
    Scoring,
    save_value_settings,
    start_computing,
    typical_cycle,
)
from customers.models import CustomerValue, ValueClass, ValueSettings
from customers.segments.fields.numbers import in_yuan
from risk.admin.prohibitions import list_link
from scrm.audit.actions.recording import Actor
from scrm.common.admin import ReadOnlyMixin, display
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.badges import UNKNOWN, badge
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import (
    CorpFirstMixin,
    ScopedModelAdmin,
    scope_for,
    visible_corps,
)

TONES = {
    ValueClass.CHAMPION: "green",
    ValueClass.DEVELOP: "teal",
    ValueClass.KEEP: "amber",
    ValueClass.WIN_BACK: "red",
}
_SCORES = (5, 4, 3, 2, 1)
_MOST_SHOWN = 200
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")


@admin.register(CustomerValue)
class CustomerValueAdmin(ReadOnlyMixin, ScopedModelAdmin[CustomerValue]):
    empty_hint = _("Values are reckoned at night from the orders that the brand's systems tell.")
    list_display = ("whose", "class_badge", "scores", "recency_days", "frequency", "spent",
                    "rhythm", "last_order_at", "brand")  # fmt: skip
    list_display_links = None
    list_filter = (("value_class", ChoiceWordFilter),)
    list_select_related = ("corp", "customer")
    list_before_template = "admin/customers/value_figures.html"
    ordering = ("-monetary_fen", "-pk")
    sortable_by = ("recency_days", "frequency", "last_order_at")
    actions_list = ("open_churn", "open_settings")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CustomerValue]:
        rows = super().get_queryset(request)
        # A square of the board leads here.
        place = {name: request.GET.get(name, "") for name in ("r", "f")}
        return rows.filter(**{name: int(at) for name, at in place.items() if at in {*"12345"}})

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("churn/", wrap(self.churn_view), name="customers_customervalue_churn"),
            path("reckon/", wrap(self.reckon_view), name="customers_customervalue_reckon"),
            *super().get_urls(),
        ]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup in {"r", "f"} or super().lookup_allowed(lookup, value, request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        whole = self.limit(CustomerValue.objects.all(), scope_for(request))
        corps = visible_corps(request)
        wanted = [corp for corp in corps if str(corp.pk) == request.GET.get("corp", "")]
        whole = whole.filter(corp__in=wanted or corps)
        context = {
            "board": board_of(whole),
            "classes": classes_of(whole),
            "corps": corps,
            "may_reckon": self.may_reckon(request),
            "computed_on": whole.order_by("-pk").values_list("computed_on", flat=True).first(),
        }
        return super().changelist_view(request, {**(extra_context or {}), **context})

    @list_link(_("Who may leave"), icon="trending_down")
    def open_churn(self, request: HttpRequest) -> str:
        return reverse("admin:customers_customervalue_churn")

    @list_link(_("How it is scored"), icon="tune")
    def open_settings(self, request: HttpRequest) -> str:
        return reverse("admin:customers_valuesettings_changelist")

    def may_reckon(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.change_valuesettings")

    def churn_view(self, request: HttpRequest) -> HttpResponse:
        """Who should have bought again by her own rhythm, the most valuable first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        corp, is_lost = self._corp(request), request.GET.get("who") == "lost"
        typical = typical_cycle(corp)
        values: Any = self.limit(CustomerValue.objects.for_corp(corp), scope_for(request))
        late, lost = values.at_risk(typical), values.lost(typical)
        chosen: Any = lost if is_lost else late
        rows = chosen.select_related("customer").order_by("-monetary_fen", "-overdue", "-pk")
        title = _t("Who may leave")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": title,
            "title": title,
            "page_title": title,
            "corp": corp,
            "corps": visible_corps(request),
            "is_lost": is_lost,
            "typical": typical,
            "counts": {"late": late.count(), "lost": lost.count()},
            "rows": [(each, self.class_badge(each), in_yuan(each.monetary_fen))
                     for each in rows[:_MOST_SHOWN]],
            "most": _MOST_SHOWN,
        }  # fmt: skip
        return TemplateResponse(request, "admin/customers/value_churn.html", context)

    def reckon_view(self, request: HttpRequest) -> HttpResponse:
        """Reckon now, in the background."""
        if request.method != "POST" or not self.may_reckon(request):
            raise PermissionDenied
        job = start_computing(self._corp(request), now=timezone.now())
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))

    def _corp(self, request: HttpRequest) -> Corp:
        corps, wanted = visible_corps(request), request.GET.get("corp")
        chosen = [corp for corp in corps if wanted in {None, str(corp.pk)}]
        if not chosen:
            raise Http404
        return chosen[0]

    @display(_("customer"))
    def whose(self, value: CustomerValue) -> SafeString:
        link = reverse("admin:customers_customer_change", args=[value.pk])
        return format_html('<a class="scrm-link" href="{}">{}</a>', link, value.customer)

    @display(_("value class"))
    def class_badge(self, value: CustomerValue) -> SafeString:
        tone = TONES.get(ValueClass(value.value_class), "grey")
        return badge(value.get_value_class_display(), tone)

    @display("R · F · M")
    def scores(self, value: CustomerValue) -> str:
        return f"{value.r} · {value.f} · {value.m}"

    @display(_("amount in 365 days"), ordering="monetary_fen")
    def spent(self, value: CustomerValue) -> str:
        return in_yuan(value.monetary_fen)

    @display(_("days between orders"))
    def rhythm(self, value: CustomerValue) -> str:
        return UNKNOWN if value.cycle_days is None else f"{value.cycle_days:g}"


def board_of(values: QuerySet[CustomerValue]) -> list[tuple[int, list[dict[str, Any]]]]:
    """Rows of recency, the best on top, of squares of frequency: how many, how dark, where to."""
    rows = values.order_by().values("r", "f").annotate(number=Count("pk"))
    counts = {(row["r"], row["f"]): row["number"] for row in rows}
    most = max(counts.values(), default=0)
    return [
        (
            r,
            [
                {
                    "f": f,
                    "number": (number := counts.get((r, f), 0)),
                    "shade": round(8 + 72 * number / most) if number else 0,
                    "is_high": r >= HIGH and f >= HIGH,
                }
                for f in reversed(_SCORES)
            ],
        )
        for r in _SCORES
    ]


def classes_of(values: QuerySet[CustomerValue]) -> list[tuple[str, Any, str, int]]:
    """Each class with its words, its tone and how many customers are in it."""
    rows = values.order_by().values_list("value_class").annotate(number=Count("pk"))
    counts: dict[str, int] = dict(rows)
    return [
        (each.value, each.label, TONES.get(each, "grey"), counts.get(each.value, 0))
        for each in ValueClass
        if each != ValueClass.NON_BUYER
    ]


class ThresholdsField(forms.CharField):
    """Four numbers with commas between them."""

    def __init__(self, label: Any, *, factor: int = 1) -> None:
        super().__init__(
            label=capfirst(label),
            required=False,
            widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "15, 30, 60, 90"}),
        )
        self.factor = factor

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return ", ".join(f"{Decimal(each) / self.factor:f}" for each in value)
        return value

    def to_python(self, value: Any) -> Any:
        # The comma of a Chinese keyboard, too.
        words = [word.strip() for word in str(value or "").replace("，", ",").split(",")]
        numbers = [Decimal(word) * self.factor for word in words if _NUMBER.fullmatch(word)]
        if len(numbers) < len([word for word in words if word]) or any(
            number != int(number) for number in numbers
        ):
            raise forms.ValidationError(_t("Give four ascending whole numbers."))
        return [int(number) for number in numbers]

    def validate(self, value: Any) -> None:
        """The action does."""

    def run_validators(self, value: Any) -> None:
        """Nor here."""


class ValueSettingsForm(ActionModelForm[ValueSettings]):
    recency = ThresholdsField(_("days since the last order"))
    frequency = ThresholdsField(_("orders in 365 days"))
    monetary = ThresholdsField(_("amount in 365 days (yuan)"), factor=100)

    class Meta:
        model = ValueSettings
        fields = ("method", "recency", "frequency", "monetary", "margin")
        widgets = {"method": UnfoldAdminSelectWidget, "margin": UnfoldAdminDecimalFieldWidget}
        help_texts = {
            "method": _("Thresholds count when they are fixed: four numbers each, between scores 5 and 1."),
            "margin": _("Of what is paid, so much is left after costs: 0.35 for 35 %."),
        }  # fmt: skip

    def act(self) -> ValueSettings:
        given = self.cleaned_data
        if not self.instance.pk and ValueSettings.objects.filter(corp=self.corp).exists():
            text = _t("This corp has settings already: change those.")
            raise InvalidInput(text, errors=(FieldProblem("/method", "taken", text),))
        scoring = Scoring(
            ValueSettings.Method(given["method"]),
            given["recency"],
            given["frequency"],
            given["monetary"],
            given["margin"],
        )
        actor, now = Actor.of_user(self.request.user), timezone.now()
        return save_value_settings(scoring, corp=self.corp, actor=actor, now=now)


@admin.register(ValueSettings)
class ValueSettingsAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[ValueSettings]):
    scoping = "whole_corp"
    empty_hint = _("Buyers are scored by fifths until somebody gives thresholds.")
    form = ValueSettingsForm
    list_display = ("corp", "method", "margin")
    sortable_by = ()

    def get_fields(self, request: HttpRequest, obj: ValueSettings | None = None) -> Any:
        return ("method", "recency", "frequency", "monetary", "margin")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

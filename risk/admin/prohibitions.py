"""What the pages of lexicons and rules have in common."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from risk.actions.screening import Direction
from risk.admin.words import severity_badge
from risk.models import Severity
from risk.models.rules import Prohibition
from scrm.audit.admin import ACTS
from scrm.audit.models import AuditEntry
from scrm.common.admin import display
from scrm.common.admin_forms import ActionModelForm
from scrm.common.badges import UNKNOWN, badge, listed
from scrm.tenancy.models import Corp, Department
from scrm.tenancy.scoped_admin import rows_of, scope_for, visible_corps

DIRECTION_WORDS: dict[str, Any] = {
    Direction.STAFF: _("staff to customers"),
    Direction.CUSTOMER: _("customers to staff"),
    Direction.CAMPAIGN: _("campaigns, SOPs and materials"),
}
_HISTORY = 12


class Checks(forms.CheckboxSelectMultiple):
    """Check boxes below each other, in the look of the admin."""

    template_name = "admin/risk/checks.html"
    option_template_name = "admin/risk/check.html"


class Lines(forms.Field):
    """A list of short texts, one a line."""

    def __init__(self, *, rows: int = 6, **options: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": rows, "spellcheck": "false"})
        super().__init__(widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else "\n".join(value)

    def to_python(self, value: Any) -> list[str]:
        lines = value.splitlines() if isinstance(value, str) else value or ()
        return [line.strip() for line in lines if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


def common_widgets() -> dict[str, Any]:
    return {
        "name": UnfoldAdminTextInputWidget,
        "category": UnfoldAdminTextInputWidget,
        "severity": forms.RadioSelect,
    }


class ProhibitionForm(ActionModelForm[Any]):
    directions = forms.MultipleChoiceField(
        label=capfirst(_("who says it")),
        choices=list(DIRECTION_WORDS.items()),
        required=False,
        widget=Checks,
        help_text=_("None chosen: whoever says it."),
    )
    allow = Lines(
        label=capfirst(_("allowed phrases")),
        required=False,
        rows=4,
        help_text=_("One a line. A hit inside one of them does not count."),
    )
    departments = forms.ModelMultipleChoiceField(
        label=capfirst(_("departments")),
        queryset=Department.objects.none(),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text=_("With everything below them. Empty: the whole corp."),
    )

    places: ClassVar[dict[str, str]] = {"settings": "settings"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        departments = rows_of(Department, self.request).filter(corp=self.corp)
        field: Any = self.fields["departments"]
        field.queryset = departments.order_by("name", "pk")
        # Who may only look has a page without fields.
        if severity := self.fields.get("severity"):
            severity.choices = Severity.choices  # type: ignore[attr-defined]
        if not self.instance.pk:
            self.initial.setdefault("severity", Severity.MEDIUM)

    def written(self) -> dict[str, Any]:
        """The fields as the actions take them."""
        cleaned = self.cleaned_data
        names = ("name", "category", "severity", "directions", "allow", "is_draft")
        departments = [each.department_id for each in cleaned["departments"]]
        return {**{name: cleaned[name] for name in names}, "departments": departments}


class ProhibitionMixin:
    """Everybody of the corp may read what must not be said; who sees all of it may change it."""

    opts: Any

    def corps_to_add_to(self, request: HttpRequest) -> list[Corp]:
        return [corp for corp in visible_corps(request) if _sees_all(request, corp.pk)]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may: bool = super().has_change_permission(request, obj)  # type: ignore[misc]
        return may and self._may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # `remove` does it, with an entry in the audit log.
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may: bool = request.user.has_perm(f"risk.delete_{self.opts.model_name}")
        return may and self._may_change(request, obj)

    def _may_change(self, request: HttpRequest, obj: Any) -> bool:
        """Buttons ask with the id of the object, pages with the object."""
        if isinstance(obj, str | int):
            obj = self.get_object(request, str(obj))  # type: ignore[attr-defined]
        return not isinstance(obj, Prohibition) or _sees_all(request, obj.corp_id)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        thing = self.get_object(request, str(object_id))  # type: ignore[attr-defined]
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        if thing is None:
            return []
        hidden = {"withdraw"} if thing.is_draft else {"publish"}
        if not self.has_change_permission(request, thing):
            hidden = {"publish", "withdraw", "remove"}
        return [each for each in actions if each.action_name.rpartition("_")[2] not in hidden]

    @display(_("severity"), ordering="severity")
    def grade(self, prohibition: Prohibition) -> SafeString:
        return severity_badge(prohibition.severity)

    @display(_("state"), ordering="is_draft")
    def state(self, prohibition: Prohibition) -> SafeString:
        is_draft = prohibition.is_draft
        return badge(_t("draft"), "grey") if is_draft else badge(_t("in force"), "green")

    @display(_("who says it"))
    def said_by(self, prohibition: Prohibition) -> str:
        words = [DIRECTION_WORDS[each] for each in Direction if each in prohibition.directions]
        return listed(words) if words else _t("anybody")

    @display(_("departments"))
    def said_in(self, prohibition: Prohibition) -> str:
        names = [each.name for each in prohibition.departments.all()]
        return listed(names) if names else _t("the whole corp")

    @display(_("allowed phrases"))
    def allowed_words(self, prohibition: Prohibition) -> str:
        return listed(prohibition.allow) if prohibition.allow else UNKNOWN

    @display(_("history"))
    def history(self, prohibition: Prohibition) -> SafeString | str:
        """Who changed what, from the audit log."""
        if prohibition.pk is None:
            return UNKNOWN
        entries = AuditEntry.objects.filter(
            corp=prohibition.corp_id,
            subject_type=prohibition._meta.label_lower,
            subject_id=str(prohibition.pk),
        ).order_by("-at", "-pk")[:_HISTORY]
        rows = format_html_join(
            "",
            "<tr><td class='scrm-num'>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (
                    timezone.localtime(entry.at).strftime("%Y-%m-%d %H:%M"),
                    ACTS.get(entry.action, entry.action),
                    _t("system") if entry.actor_kind == "system" else entry.actor_name,
                    _told(entry.data),
                )
                for entry in entries
            ),
        )
        return format_html('<table class="scrm-table"><tbody>{}</tbody></table>', rows)


def list_link(label: Any, *, icon: str, permission: str = "view") -> Callable[[Any], Any]:
    """A button above a list that leads to another page; the method returns its address."""

    def decorate(find: Any) -> Any:
        @wraps(find)
        def run(model_admin: Any, request: HttpRequest) -> HttpResponse:
            return HttpResponseRedirect(find(model_admin, request))

        return action(description=label, permissions=[permission], icon=icon)(run)

    return decorate


def bench_address(prohibition: Prohibition) -> str:
    return f"{reverse('admin:risk_lexicon_bench')}?corp={prohibition.corp_id}"


def _told(data: Mapping[str, Any]) -> str:
    """What a change of words was, in a line."""
    parts = []
    for name, sign in (("added", "+"), ("removed", "−")):
        words = data.get(name) or []
        count = data.get(f"{name}_count", len(words))
        if words:
            more = "…" if count > len(words[:5]) else ""
            parts.append(f"{sign}{count} ({listed(words[:5])}{more})")
    return " ".join(parts)


def _sees_all(request: HttpRequest, corp_pk: int) -> bool:
    scope = scope_for(request)
    return scope.everything or corp_pk in scope.corp_ids

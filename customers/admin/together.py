"""What is done to one customer from her page and to many from the list: tags, stage."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelect2MultipleWidget, UnfoldAdminSelectWidget

from customers.actions.stages import set_stage
from customers.actions.tagging import Tagged, tag_customers
from customers.models import Customer, CustomerTagSet, Stage, Tag
from scrm.audit.actions.recording import Actor
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp

if TYPE_CHECKING:
    from customers.admin.customers import CustomerAdmin

# Changed one by one; more at a time belongs to a rule, not to a click.
MOST_ONE_BY_ONE = 2000


class TagChoiceForm(forms.Form):
    title = gettext_lazy("Tags")
    add = forms.MultipleChoiceField(
        label=gettext_lazy("Give"), required=False, widget=UnfoldAdminSelect2MultipleWidget()
    )
    remove = forms.MultipleChoiceField(
        label=gettext_lazy("Take"), required=False, widget=UnfoldAdminSelect2MultipleWidget()
    )

    def __init__(self, *args: Any, corp: Corp, customer: Customer | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tags = Tag.objects.for_corp(corp).current().filter(tagrule__isnull=True)
        tags = tags.select_related("group")
        self.tags = {str(tag.pk): tag for tag in tags.order_by("kind", "group", "order", "pk")}
        carried = _carried_by(customer) if customer else None
        self.fields["add"].choices = _grouped(self.tags.values(), without=carried or set())  # type: ignore[attr-defined]
        removable = [tag for tag in self.tags.values() if carried is None or tag.pk in carried]
        self.fields["remove"].choices = _grouped(removable)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("add") and not cleaned.get("remove") and not self.errors:
            raise forms.ValidationError(_("Choose at least one tag to give or to take."))
        return cleaned

    def chosen(self, name: str) -> list[Tag]:
        return [self.tags[pk] for pk in self.cleaned_data[name]]


class StageChoiceForm(forms.Form):
    title = gettext_lazy("Stage")
    stage = forms.ChoiceField(
        label=capfirst(gettext_lazy("stage")), required=False, widget=UnfoldAdminSelectWidget()
    )

    def __init__(self, *args: Any, corp: Corp, customer: Customer | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stages = Stage.objects.for_corp(corp).order_by("order", "pk")
        choices = [("", _("no stage")), *((stage.key, stage.name) for stage in stages)]
        self.fields["stage"].choices = choices  # type: ignore[attr-defined]
        if customer and customer.stage:
            self.fields["stage"].initial = customer.stage.key


def _carried_by(customer: Customer) -> set[int]:
    carried = CustomerTagSet.objects.filter(pk=customer.pk).values_list("tag_ids", flat=True)
    return {tag_id for tag_ids in carried for tag_id in tag_ids}


def _grouped(
    tags: Any, *, without: set[int] | None = None
) -> list[tuple[str, list[tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for tag in tags:
        if not without or tag.pk not in without:
            heading = f"{tag.group.name} · {tag.get_kind_display()}"
            groups.setdefault(heading, []).append((str(tag.pk), tag.name))
    return list(groups.items())


def tag_together(
    page: "CustomerAdmin", request: HttpRequest, rows: QuerySet[Customer], *, action: str = ""
) -> HttpResponse:
    """Ask which tags, then give and take them."""

    def act(form: TagChoiceForm, corp: Corp) -> str:
        add, remove = form.chosen("add"), form.chosen("remove")
        actor = Actor.of_user(request.user)
        tagged = tag_customers(
            rows, corp=corp, actor=actor, now=timezone.now(), add=add, remove=remove
        )
        return _told(tagged)

    return _together(page, request, rows, action=action, form_class=TagChoiceForm, act=act)


def _told(tagged: Tagged) -> str:
    parts = []
    if tagged.added or tagged.removed:
        parts.append(
            _("%(added)d tags given, %(removed)d taken.")
            % {"added": tagged.added, "removed": tagged.removed}
        )
    if tagged.asked:
        parts.append(
            _("WeCom is asked to change %(count)d relations; they show here when it has agreed.")
            % {"count": tagged.asked}
        )
    return " ".join(parts) or _("Nothing had to be changed: they were so already.")


def set_stage_together(
    page: "CustomerAdmin", request: HttpRequest, rows: QuerySet[Customer], *, action: str = ""
) -> HttpResponse:
    """Ask which stage, then move them there."""

    def act(form: StageChoiceForm, corp: Corp) -> str:
        key = form.cleaned_data["stage"] or None
        actor, now = Actor.of_user(request.user), timezone.now()
        chosen = list(rows.select_related("corp", "stage").order_by("pk")[: MOST_ONE_BY_ONE + 1])
        for customer in chosen[:MOST_ONE_BY_ONE]:
            set_stage(customer, key=key, actor=actor, now=now)
        if len(chosen) > MOST_ONE_BY_ONE:
            return _("The first %(count)d were moved; choose the rest again.") % {
                "count": MOST_ONE_BY_ONE
            }
        return _("%(count)d customers moved.") % {"count": len(chosen)}

    return _together(page, request, rows, action=action, form_class=StageChoiceForm, act=act)


def _together(
    page: "CustomerAdmin",
    request: HttpRequest,
    rows: QuerySet[Customer],
    *,
    action: str,
    form_class: Any,
    act: Any,
) -> HttpResponse:
    if not page.has_tend_permission(request):
        raise PermissionDenied
    corps = list(Corp.objects.filter(pk__in=rows.order_by().values("corp").distinct())[:2])
    back = request.get_full_path() if action else _page_of(rows)
    if len(corps) != 1:
        page.message_user(request, _("Choose customers of one corp at a time."), level="warning")
        return HttpResponseRedirect(back)
    customer = None if action else rows.select_related("stage").get()
    is_answer = request.method == "POST" and (not action or "apply" in request.POST)
    form = form_class(request.POST if is_answer else None, corp=corps[0], customer=customer)
    if is_answer and form.is_valid():
        try:
            page.message_user(request, act(form, corps[0]))
            return HttpResponseRedirect(back)
        except DomainError as error:
            form.add_error(None, error.detail)
    title = form.title if customer else _("Chosen customers")
    context = {
        **page.admin_site.each_context(request),
        "title": title,
        "page_title": title,
        "original": customer,
        "opts": page.opts,
        "form": form,
        "count": 1 if customer else page.get_paginator(request, rows, 1).count,
        "action": action,
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "back": back,
    }
    return TemplateResponse(request, "admin/customers/together.html", context)


def _page_of(rows: QuerySet[Customer]) -> str:
    return reverse("admin:customers_customer_change", args=[rows.get().pk])

"""The stages of a customer's life, in the brand's own words."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from customers.models import Customer, Stage
from scrm.audit.actions.recording import Actor, record
from scrm.common.admin import display
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin


class StageForm(ActionModelForm[Stage]):
    class Meta:
        model = Stage
        fields = ("name", "key", "order")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "key": UnfoldAdminTextInputWidget,
            "order": UnfoldAdminIntegerFieldWidget,
        }
        help_texts = {
            "key": _("What rules and the API call it; it cannot be changed later."),
            "order": _("Stages are listed from the lowest number on."),
        }

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        others = Stage.objects.for_corp(self.corp).exclude(pk=self.instance.pk)
        if others.filter(key=key).exists():
            raise ValidationError(_("There is a stage with this key already."))
        return key

    def act(self) -> Stage:
        stage = self.instance
        verb = "changed" if stage.pk else "created"
        stage.corp = self.corp
        stage.save()
        actor, data = Actor.of_user(self.request.user), {"name": stage.name, "key": stage.key}
        now = timezone.now()
        record(f"stages.{verb}", actor=actor, corp=self.corp, subject=stage, now=now, data=data)
        return stage


@admin.register(Stage)
class StageAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Stage]):
    scoping = "corp"
    empty_hint = _("Every corp begins with the usual stages when it is connected.")
    form = StageForm
    list_display = ("name", "key", "order", "customers", "brand")
    list_select_related = ("corp",)
    search_fields = ("name", "key")
    ordering = ("corp", "order", "pk")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stage]:
        living = (
            Customer.objects.live()
            .filter(corp=OuterRef("corp"), stage=OuterRef("pk"))
            .order_by()
            .values("stage")
            .annotate(count=Count("pk"))
            .values("count")
        )
        return super().get_queryset(request).annotate(customer_count=Coalesce(Subquery(living), 0))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Rules name stages by their key: a stage that is gone would break them.
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Stage | None = None) -> Any:
        return ("key",) if obj else ()

    @display(_("customers"))
    def customers(self, stage: Stage) -> SafeString | str:
        count: int = getattr(stage, "customer_count", 0)
        link = f"{reverse('admin:customers_customer_changelist')}?stage={stage.pk}"
        return format_html('<a class="scrm-link scrm-num" href="{}">{}</a>', link, f"{count:,}")

"""What customers are known by: masked, found by the whole value, moved and moved back."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from customers.actions.identities import digest_of, link_identity, mask, unlink_identity
from customers.actions.merging import move_identity, undo_move
from customers.models import Customer, Identity, IdentityMove
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.admin_forms import ActionModelForm, ActionSaveMixin
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin, scope_for, visible_corps


class IdentityForm(ActionModelForm[Identity]):
    external_userid = forms.CharField(
        label=_("external id"), max_length=64, widget=UnfoldAdminTextInputWidget()
    )

    class Meta:
        model = Identity
        fields = ("external_userid", "kind", "value")
        widgets = {"kind": UnfoldAdminSelectWidget, "value": UnfoldAdminTextInputWidget}

    def act(self) -> Identity:
        return link_identity(
            customer_in_scope(self.cleaned_data["external_userid"], self.request, corp=self.corp),
            kind=self.cleaned_data["kind"],
            value=self.cleaned_data["value"],
            actor=Actor.of_user(self.request.user),
            now=timezone.now(),
            seen_by=scope_for(self.request),
        )


class TakerForm(DialogForm):
    external_userid = forms.CharField(
        label=_("external id of whose it is"), max_length=64, widget=UnfoldAdminTextInputWidget()
    )


def customer_in_scope(external_userid: str, request: HttpRequest, *, corp: Corp) -> Customer:
    """The customer a person names; raises InvalidInput for one she may not see."""
    rows = Customer.objects.for_corp(corp).in_scope(scope_for(request)).select_related("corp")
    customer = rows.filter(external_userid=external_userid.strip()).first()
    if customer is None:
        message = _t("There is no such customer.")
        raise InvalidInput(message, errors=(FieldProblem("/external_userid", "unknown", message),))
    return customer


@admin.register(Identity)
class IdentityAdmin(CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Identity]):
    form = IdentityForm
    empty_hint = _("Link phones, unionids and member numbers here or over REST.")
    list_display = ("masked", "kind", "whose", "linked_at", "brand")
    list_filter = (("kind", ChoiceWordFilter),)
    list_select_related = ("corp", "customer")
    search_fields = ("customer__external_userid",)
    search_help_text = _("Search by the whole phone or number, or by external id.")
    ordering = ("-id",)
    sortable_by = ()
    actions_detail = ("move", "undo", "unlink")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Identity]:
        moves = IdentityMove.objects.filter(identity=OuterRef("pk"), undone_at__isnull=True)
        rows = super().get_queryset(request).select_related("customer", "corp")
        return rows.annotate(is_moved=Exists(moves))

    def get_fields(self, request: HttpRequest, obj: Identity | None = None) -> Any:
        if obj is None:
            return ("external_userid", "kind", "value")
        return ("masked", "kind_word", "whose", "linked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Identity | None = None) -> Any:
        return ("masked", "kind_word", "whose", "linked_at") if obj else ()

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        identity = self.get_object(request, object_id)
        return self.masked(identity) if identity else ""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Identity], search_term: str
    ) -> tuple[QuerySet[Identity], bool]:
        words = search_term.strip()
        if not words:
            return queryset, False
        found = Q(customer__external_userid=words)
        for corp in visible_corps(request):
            for kind in ("phone", "member_id", "unionid"):
                try:
                    digest = digest_of(kind, words, corp=corp)
                except InvalidInput:
                    continue
                found |= Q(corp=corp, kind=kind, digest=digest)
        return queryset.filter(found), False

    # A row is linked, moved or unlinked; its value is never edited.
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_tend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.change_identity")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        identity = self.get_object(request, str(object_id))
        actions = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        if identity is not None and getattr(identity, "is_moved", False):
            return actions
        return [each for each in actions if each.action_name != "customers_identity_undo"]

    @object_action(
        _("It is another customer's"),
        explanation=_(
            "The orders and events that came by it go with it. It can be undone: exactly what "
            "went comes back."
        ),
        permission="tend",
        form_class=TakerForm,
        icon="call_merge",
    )
    def move(self, request: HttpRequest, identity: Identity, form: DialogForm) -> None:
        named = form.cleaned_data["external_userid"]
        taker = customer_in_scope(named, request, corp=identity.corp)
        done = move_identity(
            identity, to=taker, actor=Actor.of_user(request.user), now=timezone.now()
        )
        self.message_user(request, _told(done))

    @object_action(
        _("Undo the move"),
        explanation=_("It goes back to whom it was taken from, with exactly what came along."),
        permission="tend",
        icon="call_split",
    )
    def undo(self, request: HttpRequest, identity: Identity, form: DialogForm) -> str | None:
        done = undo_move(identity, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _told(done))
        # The former customer may be out of this person's sight.
        return reverse("admin:customers_identity_changelist")

    @object_action(
        _("Unlink"),
        explanation=_("The customer is not found by it any more; orders that came by it stay."),
        permission="tend",
        icon="link_off",
    )
    def unlink(self, request: HttpRequest, identity: Identity, form: DialogForm) -> str:
        unlink_identity(identity, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("It is unlinked."))
        return reverse("admin:customers_identity_changelist")

    @display(_("value"))
    def masked(self, identity: Identity) -> str:
        return mask(identity.kind, identity.value)

    @display(_("kind"))
    def kind_word(self, identity: Identity) -> str:
        return identity.get_kind_display()

    @display(_("customer"))
    def whose(self, identity: Identity) -> SafeString:
        where = reverse("admin:customers_customer_change", args=[identity.customer_id])
        return format_html('<a class="scrm-link" href="{}">{}</a>', where, identity.customer)


def _told(move: IdentityMove) -> str:
    words = {"orders": len(move.order_ids), "events": len(move.event_ids)}
    return _t("Moved, with %(orders)d orders and %(events)d events.") % words

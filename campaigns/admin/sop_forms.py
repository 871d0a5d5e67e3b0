"""The editor of a SOP: one form, whose script writes the whole definition into one field."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.actions.content import TEXT_BYTES
from campaigns.actions.screening import BlockedByRisk
from campaigns.actions.sops.drafting import create_sop, draft_of, update_sop
from campaigns.actions.sops.grammar import SopDraft
from campaigns.actions.sops.screening import tell_stopped
from campaigns.admin.sop_presets import preset_of
from campaigns.models import Sop, Step
from customers.actions.stages import ensure_stages
from customers.admin.rule_builder import builder_config
from groups.models import GroupChat, GroupTag
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm
from scrm.common.admin_forms import ActionModelForm
from scrm.tenancy.scoped_admin import rows_of

DEFINED = ("trigger", "steps", "exit", "quiet_hours", "late_policy", "grace_minutes")
_MOST_CHATS = 500


class SopForm(ActionModelForm[Sop]):
    definition = forms.JSONField(widget=forms.HiddenInput(attrs={"x-ref": "definition"}))

    class Meta:
        model = Sop
        fields = ("name",)
        widgets = {"name": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.blocked: BlockedByRisk | None = None
        if self.instance.pk:
            draft = draft_of(self.instance)
            self.initial["definition"] = {name: getattr(draft, name) for name in DEFINED}
        else:
            preset = preset_of(self.request.GET.get("preset", "")) or preset_of("blank")
            if preset is not None:
                self.initial["definition"] = preset.make()
                if preset.key != "blank":
                    self.initial.setdefault("name", str(preset.name))

    def clean_definition(self) -> dict[str, Any]:
        given = self.cleaned_data["definition"]
        if not isinstance(given, dict) or "trigger" not in given:
            raise ValidationError(_t("The definition must be an object with a trigger."))
        return {name: given[name] for name in DEFINED if name in given}

    def act(self) -> Sop:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        written = {"name": self.cleaned_data["name"], **self.cleaned_data["definition"]}
        try:
            if self.instance.pk:
                sop = Sop.objects.get(pk=self.instance.pk)
                return update_sop(sop, changes=written, actor=actor, now=now)
            return create_sop(self.corp, draft=SopDraft(**written), actor=actor, now=now)
        except BlockedByRisk as error:
            self.blocked = error
            raise

    def _post_clean(self) -> None:
        super()._post_clean()
        if self.blocked is not None:
            # What was refused is undone by now; that it was tried is kept.
            with transaction.atomic():
                tell_stopped(
                    self.blocked, corp=self.corp, sop_id=self.instance.pk, now=timezone.now()
                )

    def editor(self) -> dict[str, Any]:
        """What the editor's script has to know."""
        ensure_stages(self.corp)
        rules = builder_config(
            self.corp, self.request, preview=reverse("admin:customers_segment_preview"), problems=[]
        )
        return {
            "definition": _read(self["definition"].value()),
            "problems": [{"path": each.path, "message": each.message} for each in self.problems],
            "rules": rules,
            "chats": self._chats(),
            "groupTags": self._group_tags(),
            "limit": TEXT_BYTES,
            "kinds": [{"kind": kind, "words": str(label)} for kind, label in Step.Action.choices],
            "triggers": [{"type": kind, "words": str(label)} for kind, label in Sop.Trigger.choices],
            "isDraft": not self.instance.pk or self.instance.status == Sop.Status.DRAFT,
        }  # fmt: skip

    def _chats(self) -> list[dict[str, Any]]:
        chats = rows_of(GroupChat, self.request).filter(corp=self.corp).order_by("name", "pk")
        rows = chats.values_list("chat_id", "name")[:_MOST_CHATS]
        return [{"value": chat_id, "label": name or chat_id} for chat_id, name in rows]

    def _group_tags(self) -> list[dict[str, Any]]:
        tags = GroupTag.objects.for_corp(self.corp).order_by("name")
        return [{"value": tag.pk, "label": tag.name} for tag in tags]


class EnrolDialog(DialogForm):
    """Whom to take in, and from which moment her days are counted."""

    external_userid = forms.CharField(
        label=capfirst(_("external id")),
        max_length=64,
        help_text=_("As on the customer's page."),
        widget=UnfoldAdminTextInputWidget(),
    )
    anchor = forms.SplitDateTimeField(
        label=capfirst(_("counted from")),
        required=False,
        help_text=_("Empty: from now."),
        widget=UnfoldAdminSplitDateTimeWidget(),
    )


def _read(given: Any) -> Any:
    """The definition, or what came back with an error, as the script takes it."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return None

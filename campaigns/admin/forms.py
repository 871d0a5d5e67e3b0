"""Writing a campaign down: what is said, to whom, by whom, when."""

import json
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.actions.attaching import attachment_of
from campaigns.actions.content import ATTACHMENT_FIELDS, MAX_ATTACHMENTS, TEXT_BYTES
from campaigns.actions.drafts import CampaignDraft, create_campaign, update_campaign
from campaigns.admin.attachment_fields import fields_of, upload_config
from campaigns.admin.chats import chosen_chats, tag_choices
from campaigns.admin.words import KIND_WORDS
from campaigns.models import Campaign, Material
from customers.models import Segment
from scrm.audit.actions.recording import Actor
from scrm.common.admin_forms import ActionModelForm
from scrm.tenancy.models import Staff
from scrm.tenancy.scoped_admin import rows_of

# So many of the latest materials are offered in the composer.
_OFFERED = 200


class DraftForm(ActionModelForm[Campaign]):
    kind = forms.ChoiceField(
        label=capfirst(_("kind")),
        choices=Campaign.Kind.choices,
        required=False,
        initial=Campaign.Kind.CUSTOMERS,
        widget=forms.RadioSelect,
    )
    chat_ids = forms.JSONField(
        label=capfirst(_("chats")),
        required=False,
        widget=forms.HiddenInput(attrs={"x-ref": "chatIds"}),
    )
    senders = forms.ModelMultipleChoiceField(
        label=capfirst(_("named staff")),
        queryset=Staff.objects.none(),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(),
    )

    class Meta:
        model = Campaign
        fields = (
            "name", "kind", "content", "attachments", "segment", "chat_ids", "sender_policy",
            "senders", "send_at",
        )  # fmt: skip
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "content": forms.Textarea(
                attrs={"rows": 9, "class": "scrm-in wide", "x-model": "text", "x-ref": "text"}
            ),
            "attachments": forms.HiddenInput(attrs={"x-ref": "attachments"}),
            "segment": UnfoldAdminSelectWidget(attrs={"x-model": "segment"}),
            "sender_policy": forms.RadioSelect,
            "send_at": UnfoldAdminSplitDateTimeWidget,
        }

    places: ClassVar[dict[str, str]] = {"segment_id": "segment"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        segments = rows_of(Segment, self.request).filter(corp=self.corp).order_by("name")
        staff = rows_of(Staff, self.request).filter(corp=self.corp).employed()  # type: ignore[attr-defined]
        self.fields["segment"].queryset = segments  # type: ignore[attr-defined]
        self.fields["segment"].empty_label = _t("choose a segment")  # type: ignore[attr-defined]
        self.fields["senders"].queryset = staff.order_by("name", "pk")  # type: ignore[attr-defined]
        self.fields["attachments"].required = False
        policies = self.fields["sender_policy"]
        policies.choices = Campaign.SenderPolicy.choices  # type: ignore[attr-defined]

    def clean_attachments(self) -> list[Any]:
        given = self.cleaned_data["attachments"] or []
        if not isinstance(given, list):
            raise ValidationError(_t("Attachments must be a list."))
        # Fields that were left empty are not said at all.
        return [
            {name: value for name, value in each.items() if value != ""} if isinstance(each, dict) else each
            for each in given
        ]  # fmt: skip

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or Campaign.Kind.CUSTOMERS

    def clean_chat_ids(self) -> list[str] | None:
        given = self.cleaned_data["chat_ids"]
        if not given:
            return None
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise ValidationError(_t("Chats must be a list of chat ids."))
        return given

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("sender_policy") != Campaign.SenderPolicy.NAMED:
            # Names that were chosen before the policy was changed mean nothing.
            cleaned["senders"] = []
        return cleaned

    def act(self) -> Campaign:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        changes = self._written()
        if self.instance.pk:
            campaign = Campaign.objects.get(pk=self.instance.pk)
            return update_campaign(campaign, changes=changes, actor=actor, now=now)
        draft = CampaignDraft(**changes)
        return create_campaign(self.corp, draft=draft, actor=actor, now=now)

    def composer(self) -> dict[str, Any]:
        """What the composer's script has to know."""
        attachments = _read(self["attachments"].value())
        attachments = attachments if isinstance(attachments, list) else []
        return {
            "limit": TEXT_BYTES,
            "most": MAX_ATTACHMENTS,
            "attachments": attachments,
            "kindOfCampaign": self["kind"].value() or Campaign.Kind.CUSTOMERS,
            "chosen": chosen_chats(_read(self["chat_ids"].value()), self.request, self.corp),
            "tags": tag_choices(self.corp),
            "materials": self._materials(attachments),
            "kinds": [
                {
                    "kind": kind,
                    "words": str(KIND_WORDS[kind]),
                    "fields": fields_of(kind),
                }
                for kind in ATTACHMENT_FIELDS
            ],
            "upload": upload_config(self.corp),
            "problems": [
                {"path": each.path, "message": each.message}
                for each in self.problems
                if each.path.startswith("/attachments")
            ],
            "text": self["content"].value() or "",
            "segment": str(self["segment"].value() or ""),
            "policy": self["sender_policy"].value(),
        }

    def _materials(self, attachments: list[Any]) -> list[dict[str, Any]]:
        """What can be put in, the latest first, and what the draft names already."""
        named = [each.get("material") for each in attachments if isinstance(each, dict)]
        numbers = [number for number in named if isinstance(number, int)]
        kept = rows_of(Material, self.request).filter(corp=self.corp)
        offered = kept.filter(status=Material.Status.READY).order_by("-pk")[:_OFFERED]
        found = {each.pk: each for each in [*offered, *kept.filter(pk__in=numbers)]}
        return [
            {
                "id": each.pk,
                "title": each.title,
                "words": each.get_kind_display(),
                "ready": each.status == Material.Status.READY,
                "text": each.content.get("text", "") if each.kind == Material.Kind.TEXT else None,
                "shown": None if each.kind == Material.Kind.TEXT else attachment_of(each),
            }
            for each in found.values()
        ]

    def _written(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        segment = cleaned["segment"]
        written = {name: cleaned[name] for name in ("name", "content", "attachments", "send_at")}
        written["kind"] = cleaned["kind"]
        if cleaned["kind"] == Campaign.Kind.GROUPS:
            nobody: dict[str, Any] = {"segment_id": None, "external_userids": None, "senders": []}
            policy = Campaign.SenderPolicy.LAST_CHAT
            return written | nobody | {"chat_ids": cleaned["chat_ids"], "sender_policy": policy}
        written["chat_ids"] = None
        written["sender_policy"] = cleaned["sender_policy"]
        written["senders"] = [staff.userid for staff in cleaned["senders"]]
        # A campaign a brand made with a list of customers keeps its list until a segment is chosen.
        if segment is not None:
            written |= {"segment_id": segment.pk, "external_userids": None}
        elif self.instance.external_userids is None:
            written["segment_id"] = None
        return written


def _read(given: Any) -> Any:
    """What the field holds: a list, or the text of one that was sent back with an error."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given or "[]")
    except ValueError:
        return []

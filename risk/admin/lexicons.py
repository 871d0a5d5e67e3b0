"""Lexicons in the admin: words one a line, imported, published, tried; packs to begin with."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import F, Func, IntegerField, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminFileFieldWidget

from risk.actions.lexicons import LexiconDraft, create_lexicon, delete_lexicon, update_lexicon
from risk.actions.packs import install_pack, packs
from risk.admin.bench import bench_view
from risk.admin.prohibitions import (
    Checks,
    Lines,
    ProhibitionForm,
    ProhibitionMixin,
    bench_address,
    common_widgets,
    list_link,
)
from risk.admin.words import severity_badge
from risk.models import Lexicon
from scrm.audit.actions.recording import Actor
from scrm.common.admin import DialogForm, display, object_action, object_link, refuse
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.admin_forms import ActionSaveMixin
from scrm.common.badges import UNKNOWN, listed
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import CorpFirstMixin, ScopedModelAdmin

OPTION_WORDS: dict[str, Any] = {
    "repeats": _("repeated characters: 加加加微信"),
    "lookalikes": _("look-alikes: V❤, 薇信, ➕vx"),
    "split": _("split characters: 亻尔女子"),
    "pinyin": _("pinyin: jia weixin"),
}
_MOST_BYTES = 4_000_000
_WORDS_SHOWN = 300


class LexiconForm(ProhibitionForm):
    words = Lines(
        label=capfirst(_("words")),
        rows=16,
        required=False,
        help_text=_("One a line. Width, case, traditional characters and whatever stands between the characters make no difference."),
    )  # fmt: skip
    word_file = forms.FileField(
        label=capfirst(_("words from a file")),
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("A text file, one word a line; they are added to those above."),
    )
    options = forms.MultipleChoiceField(
        label=capfirst(_("sees through")),
        choices=list(OPTION_WORDS.items()),
        required=False,
        widget=Checks,
    )

    class Meta:
        model = Lexicon
        fields = ("name", "category", "severity", "is_draft")
        widgets = common_widgets()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("words", "allow", "directions", "options"):
            self.initial.setdefault(name, getattr(self.instance, name))
        if self.instance.pk:
            self.initial.setdefault("departments", self.instance.departments.all())

    def clean_word_file(self) -> list[str]:
        given = self.cleaned_data["word_file"]
        if not given:
            return []
        if given.size > _MOST_BYTES:
            raise ValidationError(_t("The file is too large: at most 4 MB."))
        content = given.read()
        for encoding in ("utf-8-sig", "gb18030"):
            try:
                lines = content.decode(encoding).splitlines()
            except UnicodeDecodeError:
                continue
            return [line.strip().strip(",，") for line in lines if line.strip(" ,，\t")]
        raise ValidationError(_t("This is not a text file: save it as UTF-8."))

    def act(self) -> Lexicon:
        actor, now = Actor.of_user(self.request.user), timezone.now()
        cleaned = self.cleaned_data
        changes = self.written() | {
            "words": [*cleaned["words"], *cleaned["word_file"]],
            "options": cleaned["options"],
        }
        if self.instance.pk:
            lexicon = Lexicon.objects.select_related("corp").get(pk=self.instance.pk)
            return update_lexicon(lexicon, changes=changes, actor=actor, now=now)
        return create_lexicon(LexiconDraft(**changes), corp=self.corp, actor=actor, now=now)


@admin.register(Lexicon)
class LexiconAdmin(ProhibitionMixin, CorpFirstMixin, ActionSaveMixin, ScopedModelAdmin[Lexicon]):
    scoping = "corp"
    form = LexiconForm
    empty_hint = _("Install a pack to begin with, or write down the words that must not be said.")
    list_display = (
        "name", "category", "grade", "state", "word_count", "said_by", "version", "updated_at", "brand",
    )  # fmt: skip
    list_filter = (("severity", ChoiceWordFilter),)
    list_select_related = ("corp",)
    search_fields = ("name", "category")
    ordering = ("name", "pk")
    sortable_by = ("name", "category", "updated_at")
    actions_list = ("open_test_bench", "open_packs")
    actions_detail = ("open_bench", "publish", "withdraw", "remove")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lexicon]:
        counted = Func(F("words"), function="cardinality", output_field=IntegerField())
        return super().get_queryset(request).annotate(counted=counted)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        # A list does not read a hundred thousand words to show how many there are.
        changelist.queryset = changelist.queryset.defer("words", "allow")
        return changelist

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("bench/", wrap(self.bench_view), name="risk_lexicon_bench"),
            path("packs/", wrap(self.packs_view), name="risk_lexicon_packs"),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Lexicon | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            shown = (
                "name", "category", "grade", "state", "words_shown", "allowed_words", "said_by",
                "said_in", "seen_through", "version", "history",
            )  # fmt: skip
            return [(None, {"fields": shown})]
        sets = [
            (None, {"fields": ("name", "category", "severity", "is_draft")}),
            (_("Words"), {"fields": ("words", "word_file", "options", "allow")}),
            (_("For whom"), {"fields": ("directions", "departments")}),
        ]
        if obj is not None:
            sets.append((_("So far"), {"fields": ("state", "word_count", "version", "history")}))
        return sets

    def get_readonly_fields(self, request: HttpRequest, obj: Lexicon | None = None) -> Any:
        return (
            "grade", "state", "word_count", "words_shown", "allowed_words", "said_by", "said_in",
            "seen_through", "version", "history",
        )  # fmt: skip

    def response_add(self, request: HttpRequest, obj: Lexicon, *args: Any) -> HttpResponse:
        self._tell_merged(request, obj)
        return super().response_add(request, obj, *args)

    def response_change(self, request: HttpRequest, obj: Lexicon) -> HttpResponse:
        self._tell_merged(request, obj)
        return super().response_change(request, obj)

    def bench_view(self, request: HttpRequest) -> HttpResponse:
        """Try a text against what is published, or with the drafts."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return bench_view(request, self)

    def packs_view(self, request: HttpRequest) -> HttpResponse:
        """What comes with the product; each becomes a draft of the corp by a click."""
        corps = self.corps_to_add_to(request)
        if not self.has_add_permission(request) or not corps:
            raise PermissionDenied
        chosen = request.POST.get("corp") or request.GET.get("corp") or str(corps[0].pk)
        corp = next((each for each in corps if str(each.pk) == chosen), None)
        if corp is None:
            raise Http404
        if request.method == "POST":
            return self._install(request, corp)
        return TemplateResponse(request, "admin/risk/packs.html", self._packs(request, corps, corp))

    def _install(self, request: HttpRequest, corp: Corp) -> HttpResponse:
        actor, now = Actor.of_user(request.user), timezone.now()
        try:
            lexicon = install_pack(request.POST.get("pack", ""), corp=corp, actor=actor, now=now)
        except DomainError as error:
            refuse(request, error)
            return HttpResponseRedirect(f"{reverse('admin:risk_lexicon_packs')}?corp={corp.pk}")
        self.message_user(request, _t("It is a draft now: read the words, then publish them."))
        return HttpResponseRedirect(reverse("admin:risk_lexicon_change", args=[lexicon.pk]))

    def _packs(self, request: HttpRequest, corps: list[Corp], corp: Corp) -> dict[str, Any]:
        names = set(Lexicon.objects.for_corp(corp).values_list("name", flat=True))
        return {
            **self.admin_site.each_context(request),
            "title": _t("Packs"),
            "page_title": _t("Packs"),
            "opts": self.opts,
            "corps": corps,
            "corp": corp,
            "packs": [
                {
                    "key": pack.key,
                    "draft": pack.draft,
                    "grade": severity_badge(pack.draft.severity),
                    "is_installed": pack.draft.name in names,
                }
                for pack in packs().values()
            ],
        }

    def _tell_merged(self, request: HttpRequest, lexicon: Lexicon) -> None:
        if count := len(lexicon.merged_words):
            message = ngettext(
                "%(count)d word means the same as another one and is kept once.",
                "%(count)d words mean the same as others and are kept once.",
                count,
            )
            self.message_user(request, message % {"count": count})

    @list_link(_("Packs"), icon="inventory_2", permission="add")
    def open_packs(self, request: HttpRequest) -> str:
        return reverse("admin:risk_lexicon_packs")

    @list_link(_("Test bench"), icon="science")
    def open_test_bench(self, request: HttpRequest) -> str:
        return reverse("admin:risk_lexicon_bench")

    @object_link(_("Try it"), icon="science")
    def open_bench(self, request: HttpRequest, lexicon: Lexicon) -> str:
        return bench_address(lexicon)

    @object_action(
        _("Publish"),
        explanation=_("From now on every text is screened by it, everywhere within two seconds."),
        icon="publish",
        variant="primary",
    )
    def publish(self, request: HttpRequest, lexicon: Lexicon, form: DialogForm) -> None:
        self._switch(request, lexicon, is_draft=False)
        self.message_user(request, _t("The lexicon is in force."))

    @object_action(
        _("Take out of force"),
        explanation=_("It becomes a draft: kept, and no text is screened by it."),
        icon="unpublished",
    )
    def withdraw(self, request: HttpRequest, lexicon: Lexicon, form: DialogForm) -> None:
        self._switch(request, lexicon, is_draft=True)
        self.message_user(request, _t("The lexicon is a draft again."))

    @object_action(
        _("Delete lexicon"),
        explanation=_("Its words hold no longer. Incidents that it raised stay."),
        permission="remove",
        icon="delete",
    )
    def remove(self, request: HttpRequest, lexicon: Lexicon, form: DialogForm) -> str:
        delete_lexicon(lexicon, actor=Actor.of_user(request.user), now=timezone.now())
        self.message_user(request, _t("The lexicon is deleted."))
        return reverse("admin:risk_lexicon_changelist")

    def _switch(self, request: HttpRequest, lexicon: Lexicon, *, is_draft: bool) -> None:
        actor, now = Actor.of_user(request.user), timezone.now()
        update_lexicon(lexicon, changes={"is_draft": is_draft}, actor=actor, now=now)

    @display(_("words"))
    def word_count(self, lexicon: Lexicon) -> str:
        counted: int | None = getattr(lexicon, "counted", None)
        return f"{len(lexicon.words) if counted is None else counted:,}"

    @display(_("words"))
    def words_shown(self, lexicon: Lexicon) -> str:
        more = len(lexicon.words) - _WORDS_SHOWN
        words = listed(lexicon.words[:_WORDS_SHOWN])
        return words if more <= 0 else _t("%(words)s and %(count)d more") % {"words": words, "count": more}  # fmt: skip

    @display(_("sees through"))
    def seen_through(self, lexicon: Lexicon) -> SafeString | str:
        return listed(OPTION_WORDS[each] for each in lexicon.options) or UNKNOWN

"""Giving and taking group tags: of one chat from its page, of many from the list."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelect2MultipleWidget, UnfoldAdminTextInputWidget

from groups.actions.group_tags import find_group_tags, tag_chats
from groups.models import GroupChat, GroupTag
from scrm.audit.actions.recording import Actor
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp

if TYPE_CHECKING:
    from groups.admin.chats import GroupChatAdmin


class GroupTagsForm(forms.Form):
    """Tags to give, new ones among them, and tags to take."""

    add = forms.MultipleChoiceField(
        label=gettext_lazy("Give"), required=False, widget=UnfoldAdminSelect2MultipleWidget()
    )
    new = forms.CharField(
        label=gettext_lazy("Give a new tag"),
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget(),
    )
    remove = forms.MultipleChoiceField(
        label=gettext_lazy("Take"), required=False, widget=UnfoldAdminSelect2MultipleWidget()
    )

    def __init__(self, *args: Any, corp: Corp, chats: QuerySet[GroupChat], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.corp = corp
        self.tags = {str(tag.pk): tag for tag in GroupTag.objects.for_corp(corp).order_by("name")}
        carried = GroupTag.objects.for_corp(corp).filter(groupchat__in=chats.order_by())
        pks = set(carried.values_list("pk", flat=True))
        choices = [(pk, tag.name) for pk, tag in self.tags.items()]
        self.fields["add"].choices = choices  # type: ignore[attr-defined]
        self.fields["remove"].choices = [each for each in choices if int(each[0]) in pks]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not any(cleaned.get(name) for name in ("add", "new", "remove")):
            raise forms.ValidationError(_("Choose at least one tag to give or to take."))
        return cleaned

    def apply(self, chats: QuerySet[GroupChat], request: HttpRequest) -> str:
        actor, now = Actor.of_user(request.user), timezone.now()
        add = [self.tags[pk] for pk in self.cleaned_data["add"]]
        remove = [self.tags[pk] for pk in self.cleaned_data["remove"]]
        if new := self.cleaned_data["new"].strip():
            add += find_group_tags(
                [new], corp=self.corp, path="/new", actor=actor, now=now, make=True
            )
        tagged = tag_chats(chats, corp=self.corp, actor=actor, now=now, add=add, remove=remove)
        if not tagged.added and not tagged.removed:
            return _("Nothing had to be changed: they were so already.")
        return _("%(added)d tags given, %(removed)d taken.") % {
            "added": tagged.added,
            "removed": tagged.removed,
        }


def tag_together(
    page: "GroupChatAdmin",
    request: HttpRequest,
    chats: QuerySet[GroupChat],
    *,
    back: str,
    action: str = "",
) -> HttpResponse:
    """Ask which tags, then give and take them."""
    if not page.has_tend_permission(request):
        raise PermissionDenied
    corps = list(Corp.objects.filter(pk__in=chats.order_by().values("corp").distinct())[:2])
    if len(corps) != 1:
        page.message_user(request, _("Choose chats of one corp at a time."), level="warning")
        return HttpResponseRedirect(back)
    is_answer = request.method == "POST" and (not action or "apply" in request.POST)
    form = GroupTagsForm(request.POST if is_answer else None, corp=corps[0], chats=chats)
    if is_answer and form.is_valid():
        try:
            page.message_user(request, form.apply(chats, request))
            return HttpResponseRedirect(back)
        except DomainError as error:
            form.add_error(None, error.detail)
    title = _("Chosen chats") if action else str(chats.get())
    context = {
        **page.admin_site.each_context(request),
        "title": title,
        "page_title": title,
        "original": None if action else title,
        "opts": page.opts,
        "form": form,
        "count": chats.order_by().count(),
        "action": action,
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "back": back,
    }
    return TemplateResponse(request, "admin/groups/tagging.html", context)

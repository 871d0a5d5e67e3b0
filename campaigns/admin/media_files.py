"""Media files: what was uploaded, whether the platform has it, and the view that shows it."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from scrm.audit.actions.recording import Actor
from scrm.channels.actions.media import keep_media, want_media
from scrm.channels.models import MediaFile
from scrm.common.admin import DialogForm, display, object_action
from scrm.common.admin_filters import ChoiceWordFilter
from scrm.common.badges import UNKNOWN, badge
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp, Scope
from scrm.tenancy.scoped_admin import ScopedModelAdmin, scope_for

_KB, _MB = 1024, 1024 * 1024


class UploadForm(forms.Form):
    corp = forms.IntegerField(min_value=1)
    kind = forms.ChoiceField(choices=MediaFile.Kind.choices)
    file = forms.FileField()


@admin.register(MediaFile)
class MediaFileAdmin(ScopedModelAdmin[MediaFile]):
    scoping = "corp"
    empty_hint = _("Files come here from the forms of materials and campaigns.")
    list_display = ("thumb", "name", "kind", "weight", "state", "used_at", "created_at", "brand")
    list_display_links = ("name",)
    list_filter = (("kind", ChoiceWordFilter),)
    list_select_related = ("corp",)
    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ("name", "created_at")
    actions_detail = ("upload_again",)
    fields = ("shown", "name", "kind", "weight", "state", "expires_at", "used_at", "problem")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Materials and messages name it.
        return False

    def has_upload_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.change_material")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("upload/", wrap(self.upload_view), name="channels_mediafile_upload"),
            path("<int:pk>/content/", wrap(self.content_view), name="channels_mediafile_content"),
            *super().get_urls(),
        ]

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """What the forms' scripts send: one file; the answer names it or says what is wrong."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_upload_permission(request):
            return JsonResponse({"problem": str(_("You may not change materials."))}, status=403)
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            problem = " ".join(str(each) for errors in form.errors.values() for each in errors)
            return JsonResponse({"problem": problem}, status=422)
        corp = _corps_of(scope_for(request)).filter(pk=form.cleaned_data["corp"]).first()
        if corp is None:
            raise Http404
        file = form.cleaned_data["file"]
        try:
            media = keep_media(
                file,
                corp=corp,
                kind=form.cleaned_data["kind"],
                name=file.name,
                actor=Actor.of_user(request.user),
                now=timezone.now(),
            )
        except DomainError as error:
            return JsonResponse({"problem": error.detail}, status=422)
        return JsonResponse({"id": media.pk, "name": media.name, "url": content_url(media.pk)})

    def content_view(self, request: HttpRequest, pk: int) -> HttpResponse | FileResponse:
        media = self.get_queryset(request).filter(pk=pk).first()
        if media is None or not default_storage.exists(media.path):
            raise Http404
        content = default_storage.open(media.path)
        # Only pictures are shown in a page; all else is downloaded, whatever it contains.
        kind = _picture_type(content.read(4)) if media.kind == MediaFile.Kind.IMAGE else ""
        content.seek(0)
        answer = FileResponse(
            content,
            as_attachment=not kind,
            filename=media.name,
            content_type=kind or "application/octet-stream",
        )
        answer["X-Content-Type-Options"] = "nosniff"
        answer["Cache-Control"] = "private, max-age=86400, immutable"
        return answer

    @object_action(
        _("Upload again"),
        explanation=_("Gives the file to the platform now. Messages that wait for it go on."),
        permission="upload",
        icon="cloud_upload",
    )
    def upload_again(self, request: HttpRequest, media: MediaFile, form: DialogForm) -> None:
        want_media(media, now=timezone.now())
        self.message_user(request, _("It is given to the platform within seconds."))

    @display(_("picture"))
    def thumb(self, media: MediaFile) -> SafeString | str:
        if media.kind != MediaFile.Kind.IMAGE:
            return UNKNOWN
        return format_html(
            '<img src="{}" alt="" class="scrm-thumb" loading="lazy">', content_url(media.pk)
        )

    @display(_("picture"))
    def shown(self, media: MediaFile) -> SafeString:
        url = content_url(media.pk)
        if media.kind != MediaFile.Kind.IMAGE:
            return format_html('<a class="scrm-link" href="{}">{}</a>', url, media.name)
        return format_html('<img src="{}" alt="" style="max-width:360px;max-height:360px">', url)

    @display(_("size"), ordering="size")
    def weight(self, media: MediaFile) -> str:
        if media.size < _MB:
            return f"{-(-media.size // _KB)} KB"
        return f"{media.size / _MB:.1f} MB"

    @display(_("on the platform"))
    def state(self, media: MediaFile) -> SafeString:
        if media.expires_at and media.expires_at > timezone.now():
            return badge(_("there"), "green")
        if media.problem:
            return badge(_("refused") if media.next_upload_at is None else _("trying"), "amber")
        return badge(_("on its way"), "blue") if media.next_upload_at else badge(_("when wanted"))


def content_url(pk: int) -> str:
    return reverse("admin:channels_mediafile_content", args=[pk])


def _picture_type(beginning: bytes) -> str:
    return "image/png" if beginning.startswith(b"\x89PNG") else "image/jpeg"


def _corps_of(scope: Scope) -> QuerySet[Corp]:
    return Corp.objects.in_scope(scope)

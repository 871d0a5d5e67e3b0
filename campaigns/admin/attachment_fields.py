"""The fields of attachments as the forms' scripts know them: texts to type, files to upload."""

from typing import Any

from django.urls import reverse

from campaigns.actions.content import ATTACHMENT_FIELDS
from campaigns.admin.words import FIELD_WORDS
from scrm.channels.base import FILE_FIELDS
from scrm.channels.models import MediaFile
from scrm.tenancy.models import Corp

_OURS = {theirs: ours for ours, theirs in FILE_FIELDS.items()}
_ACCEPTED = {"image": "image/png,image/jpeg", "video": "video/mp4"}


def fields_of(kind: str) -> list[dict[str, Any]]:
    """Each field's name and words; a file has `upload`, its kind, and `accept`."""
    fields = ATTACHMENT_FIELDS[kind].items()
    return [_field(kind, name, is_required=is_required) for name, (is_required, _) in fields]


def _field(kind: str, name: str, *, is_required: bool) -> dict[str, Any]:
    ours = _OURS.get(name)
    if ours is None:
        return {"name": name, "words": str(FIELD_WORDS[name]), "required": is_required}
    upload = kind if ours == "file" else MediaFile.Kind.IMAGE.value
    return {
        "name": ours,
        # What stands in its place where somebody named the platform's id by hand.
        "theirs": name,
        "words": str(FIELD_WORDS[ours]),
        "required": is_required,
        "upload": upload,
        "accept": _ACCEPTED.get(upload, ""),
    }


def upload_config(corp: Corp) -> dict[str, Any]:
    """What the scripts need to upload a file of the corp and to show one."""
    return {
        "corp": corp.pk,
        "uploadUrl": reverse("admin:channels_mediafile_upload"),
        # The script puts the id in the place of the nought.
        "contentUrl": reverse("admin:channels_mediafile_content", args=[0]),
    }

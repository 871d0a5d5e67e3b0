"""What a mass message may contain, checked before anybody is asked to send it.

Limits of add_msg_template [doc 92135]; lengths are bytes of UTF-8.
"""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from scrm.channels.base import FILE_FIELDS
from scrm.common.errors import FieldProblem

TEXT_BYTES = 4000
MAX_ATTACHMENTS = 9

# The platform's field that is given by naming a file of ours instead.
_GIVEN_BY = {theirs: ours for ours, theirs in FILE_FIELDS.items()}

# kind → field → (must be given, longest in bytes; None: no limit is documented)
ATTACHMENT_FIELDS: dict[str, dict[str, tuple[bool, int | None]]] = {
    "image": {"media_id": (False, None), "pic_url": (False, 2048)},
    "link": {
        "title": (True, 128),
        "url": (True, 2048),
        "desc": (False, 512),
        "picurl": (False, 2048),
    },
    "miniprogram": {
        "title": (True, 64),
        "pic_media_id": (True, None),
        "appid": (True, None),
        "page": (True, None),
    },
    "video": {"media_id": (True, None)},
    "file": {"media_id": (True, None)},
}


def problems_of_message(content: str, attachments: Any) -> Iterator[FieldProblem]:
    """Everything the platform would refuse, each with the place and what to change."""
    size = len(content.encode())
    if size > TEXT_BYTES:
        yield FieldProblem(
            "/content",
            "too_long",
            _("The text has %(size)d bytes; the platform takes at most %(limit)d.")
            % {"size": size, "limit": TEXT_BYTES},
        )
    if not isinstance(attachments, list):
        yield FieldProblem("/attachments", "invalid", _("Attachments must be a list."))
        return
    if len(attachments) > MAX_ATTACHMENTS:
        yield FieldProblem(
            "/attachments",
            "too_many",
            _("%(count)d attachments; the platform takes at most %(limit)d.")
            % {"count": len(attachments), "limit": MAX_ATTACHMENTS},
        )
    for position, attachment in enumerate(attachments):
        path = f"/attachments/{position}"
        if isinstance(attachment, dict) and "material" in attachment and "kind" not in attachment:
            # What the material is, and whether it may be used, is looked up (materials.py).
            yield from _problems_of_reference(attachment, path=path)
        else:
            yield from problems_of_attachment(attachment, path=path)


def bare_attachment(attachment: dict[str, Any]) -> dict[str, Any]:
    """An attachment without the note which material it was taken from."""
    return {name: value for name, value in attachment.items() if name != "material"}


def _problems_of_reference(attachment: dict[str, Any], *, path: str) -> Iterator[FieldProblem]:
    for name in attachment.keys() - {"material"}:
        yield FieldProblem(f"{path}/{name}", "unknown", _("There is no such field."))
    number = attachment["material"]
    if not isinstance(number, int) or isinstance(number, bool):
        message = _("A material is named by its id, a number.")
        yield FieldProblem(f"{path}/material", "invalid", message)


def problems_of_attachment(attachment: Any, *, path: str) -> Iterator[FieldProblem]:
    """What is wrong with one attachment that says what it is."""
    kind = attachment.get("kind") if isinstance(attachment, dict) else None
    fields = ATTACHMENT_FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        kinds = ", ".join(ATTACHMENT_FIELDS)
        message = _("An attachment needs a kind: one of %(kinds)s.") % {"kinds": kinds}
        yield FieldProblem(f"{path}/kind", "invalid", message)
        return
    files = {name: _GIVEN_BY[name] for name in fields if name in _GIVEN_BY}
    for name in attachment.keys() - fields.keys() - set(files.values()) - {"kind"}:
        yield FieldProblem(f"{path}/{name}", "unknown", _("There is no such field."))
    for name, (is_required, limit) in fields.items():
        file = attachment.get(files.get(name, ""))
        given = attachment.get(name, "")
        if file is not None:
            yield from _problems_of_file(file, given, f"{path}/{files[name]}")
        elif name in files and is_required and not given:
            yield FieldProblem(f"{path}/{files[name]}", "required", _("Choose a file."))
            continue
        limits = (is_required and file is None, limit)
        yield from _problems_of_field(given, limits, f"{path}/{name}")
    if kind == "image" and not any(attachment.get(name) for name in ("file", *fields)):
        yield FieldProblem(f"{path}/file", "required", _("Choose a file."))


def _problems_of_file(file: Any, theirs: Any, path: str) -> Iterator[FieldProblem]:
    if not isinstance(file, int) or isinstance(file, bool):
        yield FieldProblem(path, "invalid", _("A file is named by its id, a number."))
    elif theirs:
        message = _("Name the file or its media_id, not both.")
        yield FieldProblem(path, "conflict", message)


def _problems_of_field(
    value: Any, limits: tuple[bool, int | None], path: str
) -> Iterator[FieldProblem]:
    is_required, limit = limits
    is_address = path.endswith(("/url", "/picurl", "/pic_url"))
    if not isinstance(value, str):
        yield FieldProblem(path, "invalid", _("This must be text."))
    elif is_required and not value.strip():
        yield FieldProblem(path, "required", _("This must not be empty."))
    elif limit is not None and len(value.encode()) > limit:
        message = _("At most %(limit)d bytes.") % {"limit": limit}
        yield FieldProblem(path, "too_long", message)
    elif is_address and value and not value.startswith(("http://", "https://")):
        yield FieldProblem(path, "invalid", _("It must start with http:// or https://."))

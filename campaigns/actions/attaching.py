"""Putting materials and media files into messages, by their ids."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from campaigns.models import Material
from scrm.channels.models import MediaFile
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

_MAX_ID = 2**63 - 1


# What a file has to be for the field that names it; None: what the attachment is.
_KIND_OF_FILE = {"file": None, "pic_file": MediaFile.Kind.IMAGE}


def problems_of_references(
    attachments: Any, *, corp: Corp, path: str = "/attachments"
) -> Iterator[FieldProblem]:
    """Materials that cannot be used (unknown, another corp's, texts, archived or blocked), and files."""
    if not isinstance(attachments, (list, tuple)):
        return
    found = _materials_of(attachments, corp=corp)
    for position, attachment in enumerate(attachments):
        number = _reference_of(attachment)
        if number is not None and (problem := _problem_of(found.get(number))):
            yield FieldProblem(f"{path}/{position}/material", *problem)
    yield from _problems_of_files(attachments, corp=corp, path=path)


def problems_of_files(
    attachment: dict[str, Any], *, corp: Corp, path: str
) -> Iterator[FieldProblem]:
    """Files that one attachment names and that do not exist, or are of another kind."""
    for problem in _problems_of_files([attachment], corp=corp, path=""):
        yield FieldProblem(problem.path.replace("/0", path, 1), problem.code, problem.message)


def _problems_of_files(
    attachments: Iterable[Any], *, corp: Corp, path: str
) -> Iterator[FieldProblem]:
    named = [
        (f"{path}/{position}/{field}", number, kind or attachment.get("kind"))
        for position, attachment in enumerate(attachments)
        if isinstance(attachment, dict)
        for field, kind in _KIND_OF_FILE.items()
        if isinstance(number := attachment.get(field), int)
    ]
    wanted = {number for _path, number, _kind in named if 0 < number <= _MAX_ID}
    files = MediaFile.objects.for_corp(corp).in_bulk(wanted) if wanted else {}
    for place, number, kind in named:
        file = files.get(number)
        if file is None:
            yield FieldProblem(place, "unknown", _("There is no such file."))
        elif file.kind != kind:
            message = _("«%(name)s» is no %(kind)s.") % {"name": file.name, "kind": kind}
            yield FieldProblem(place, "conflict", message)


def resolve_attachments(
    attachments: Sequence[dict[str, Any]], *, corp: Corp
) -> list[dict[str, Any]]:
    """Put what stands in the materials now into their places, each with its material's id.

    Raises InvalidInput when one cannot be used.
    """
    if problems := tuple(problems_of_references(attachments, corp=corp)):
        raise InvalidInput(" ".join(each.message for each in problems), errors=problems)
    return shown_attachments(attachments, corp=corp)


def shown_attachments(attachments: Sequence[dict[str, Any]], *, corp: Corp) -> list[dict[str, Any]]:
    """The same for looking at: what cannot be used stays a bare reference."""
    found = _materials_of(attachments, corp=corp)
    return [
        {"material": material.pk, **attachment_of(material)}
        if (material := found.get(_reference_of(each) or 0)) and not _problem_of(material)
        else each
        for each in attachments
    ]


def attachment_of(material: Material) -> dict[str, Any]:
    return {"kind": material.kind, **material.content}


def _problem_of(material: Material | None) -> tuple[str, str] | None:
    if material is None:
        return "unknown", _("There is no such material.")
    if material.kind == Material.Kind.TEXT:
        return "conflict", _("«%(title)s» is a text: put it into the content.") % {
            "title": material.title
        }
    if material.status == Material.Status.ARCHIVED:
        return "archived", _("The material «%(title)s» is archived.") % {"title": material.title}
    if material.status == Material.Status.BLOCKED:
        return "blocked", _("The material «%(title)s» must not be sent.") % {
            "title": material.title
        }
    return None


def _reference_of(attachment: Any) -> int | None:
    """The id of the material that an attachment still has to be taken from."""
    if not isinstance(attachment, dict) or "kind" in attachment:
        return None
    number = attachment.get("material")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _materials_of(attachments: Iterable[Any], *, corp: Corp) -> dict[int, Material]:
    numbers = {_reference_of(each) for each in attachments}
    wanted = [number for number in numbers if number is not None and 0 < number <= _MAX_ID]
    return Material.objects.for_corp(corp).in_bulk(wanted) if wanted else {}

"""Keeping materials: made, changed, archived, each screened as it is written."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.actions.attaching import attachment_of, problems_of_files
from campaigns.actions.content import TEXT_BYTES, problems_of_attachment
from campaigns.actions.screening import screen_message
from campaigns.models import Material
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp


class MaterialArchived(DomainError):
    code = "wrong_status"

    @classmethod
    def of(cls, material: Material) -> Self:
        message = _("The material «%(title)s» is archived: bring it back before you change it.")
        return cls(message % {"title": material.title})


@dataclass(frozen=True)
class MaterialDraft:
    """A material as a person writes it down; `content` is {"text"} or an attachment's fields."""

    kind: str
    title: str
    content: dict[str, Any] = field(default_factory=dict)


MATERIAL_FIELDS = tuple(each.name for each in fields(MaterialDraft))


@transaction.atomic
def create_material(corp: Corp, *, draft: MaterialDraft, actor: Actor, now: datetime) -> Material:
    """Keep a material; one that must not be said is kept too, blocked, with what was found."""
    _check(draft, corp=corp)
    material = Material(corp=corp, created_by=actor.key, created_at=now)
    _write(material, draft, now=now)
    material.save(force_insert=True)
    record("materials.created", actor=actor, corp=corp, subject=material, now=now)
    return material


@transaction.atomic
def update_material(
    material: Material, *, changes: dict[str, Any], actor: Actor, now: datetime
) -> Material:
    """Change a material; campaigns that were submitted keep what stood in it then."""
    locked = _lock(material)
    if locked.status == Material.Status.ARCHIVED:
        raise MaterialArchived.of(locked)
    before = {name: getattr(locked, name) for name in MATERIAL_FIELDS}
    draft = MaterialDraft(**(before | changes))
    if draft.kind != locked.kind:
        message = _("A material keeps its kind: make another one instead.")
        raise InvalidInput(message, errors=(FieldProblem("/kind", "conflict", message),))
    _check(draft, corp=locked.corp)
    _write(locked, draft, now=now)
    locked.save()
    record(
        "materials.changed",
        actor=actor,
        corp=locked.corp,
        subject=locked,
        now=now,
        data={"fields": sorted(changes), "status": locked.status},
    )
    return locked


@transaction.atomic
def archive_material(material: Material, *, actor: Actor, now: datetime) -> Material:
    """Take it out of use; what it went into stays as it is. Archiving twice is once."""
    locked = _lock(material)
    if locked.status != Material.Status.ARCHIVED:
        locked.status, locked.updated_at = Material.Status.ARCHIVED, now
        locked.save(update_fields=["status", "updated_at"])
        record("materials.archived", actor=actor, corp=locked.corp, subject=locked, now=now)
    return locked


@transaction.atomic
def restore_material(material: Material, *, actor: Actor, now: datetime) -> Material:
    """Bring an archived material back; it is screened by today's rules."""
    locked = _lock(material)
    if locked.status == Material.Status.ARCHIVED:
        _screen(locked)
        locked.updated_at = now
        locked.save(update_fields=["status", "hits", "updated_at"])
        record("materials.restored", actor=actor, corp=locked.corp, subject=locked, now=now)
    return locked


def _lock(material: Material) -> Material:
    rows = Material.objects.select_for_update(of=["self"]).select_related("corp")
    return rows.get(pk=material.pk)


def _write(material: Material, draft: MaterialDraft, *, now: datetime) -> None:
    material.kind, material.title = draft.kind, draft.title.strip()
    # Fields that were left empty are not said at all.
    material.content = {name: value for name, value in draft.content.items() if value != ""}
    material.updated_at = now
    _screen(material)


def _screen(material: Material) -> None:
    content = material.content.get("text", "")
    attachments = [] if material.kind == Material.Kind.TEXT else [attachment_of(material)]
    screened = screen_message(content, attachments, corp=material.corp)
    # Where it is in the material, whose text is a message's content and whose rest an attachment.
    material.hits = [
        {**each.as_dict(), "path": f"/content/{_part_of(each.path)}"} for each in screened.found
    ]
    blocked, ready = Material.Status.BLOCKED, Material.Status.READY
    material.status = blocked if screened.is_blocked else ready


def _part_of(path: str) -> str:
    return "text" if path == "/content" else path.rpartition("/")[2]


def _check(draft: MaterialDraft, *, corp: Corp) -> None:
    problems = tuple(_problems_of(draft, corp=corp))
    if problems:
        raise InvalidInput(" ".join(each.message for each in problems), errors=problems)


def _problems_of(draft: MaterialDraft, *, corp: Corp) -> Iterator[FieldProblem]:
    if not draft.title.strip():
        yield FieldProblem("/title", "required", _("A material needs a title."))
    if draft.kind not in Material.Kind.values:
        kinds = ", ".join(Material.Kind.values)
        message = _("A material is one of %(kinds)s.") % {"kinds": kinds}
        yield FieldProblem("/kind", "invalid", message)
    elif draft.kind == Material.Kind.TEXT:
        yield from _problems_of_text(draft.content)
    elif "kind" in draft.content:
        message = _("The kind stands beside the content, not in it.")
        yield FieldProblem("/content/kind", "unknown", message)
    else:
        attachment = {**draft.content, "kind": draft.kind}
        yield from problems_of_attachment(attachment, path="/content")
        yield from problems_of_files(attachment, corp=corp, path="/content")


def _problems_of_text(content: dict[str, Any]) -> Iterator[FieldProblem]:
    for name in content.keys() - {"text"}:
        yield FieldProblem(f"/content/{name}", "unknown", _("There is no such field."))
    text = content.get("text", "")
    if not isinstance(text, str):
        yield FieldProblem("/content/text", "invalid", _("This must be text."))
    elif not text.strip():
        yield FieldProblem("/content/text", "required", _("This must not be empty."))
    elif (size := len(text.encode())) > TEXT_BYTES:
        message = _("The text has %(size)d bytes; the platform takes at most %(limit)d.") % {
            "size": size,
            "limit": TEXT_BYTES,
        }
        yield FieldProblem("/content/text", "too_long", message)

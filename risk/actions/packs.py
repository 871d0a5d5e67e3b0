"""Lexicons that come with the product, taken over by a corp and its own from then on."""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import ClassVar

from django.utils.translation import gettext as _

from risk.actions.lexicons import LexiconDraft, create_lexicon
from risk.models import Lexicon
from scrm.audit.actions.recording import Actor
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp


class PackUnknown(DomainError):
    code = "unknown_pack"
    status: ClassVar[int] = 404


class PackInstalled(DomainError):
    code = "pack_installed"


@dataclass(frozen=True)
class Pack:
    """A lexicon as it is delivered."""

    key: str
    draft: LexiconDraft


@cache
def packs() -> dict[str, Pack]:
    """All packs by their key."""
    found = sorted(
        (each for each in files("risk.packs").iterdir() if each.name.endswith(".toml")),
        key=lambda each: each.name,
    )
    return {
        (key := each.name.removesuffix(".toml")): Pack(
            key, LexiconDraft(**tomllib.loads(each.read_text("utf-8")))
        )
        for each in found
    }


def install_pack(
    key: str, *, corp: Corp, actor: Actor, now: datetime, is_draft: bool = True
) -> Lexicon:
    """Make the pack a lexicon of the corp: a draft, unless it shall hold at once."""
    if key not in packs():
        message = _("There is no pack «%(key)s»; there are: %(keys)s.")
        raise PackUnknown(message % {"key": key, "keys": ", ".join(packs())})
    delivered = packs()[key].draft
    if Lexicon.objects.for_corp(corp).filter(name=delivered.name).exists():
        message = _("A lexicon «%(name)s» is there already: edit it, or rename it first.")
        raise PackInstalled(message % {"name": delivered.name})
    draft = LexiconDraft(**{**vars(delivered), "is_draft": is_draft})
    return create_lexicon(draft, corp=corp, actor=actor, now=now)

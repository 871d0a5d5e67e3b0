"""The platform's documented payloads: a folder that lies beside the project where there is one."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

FOLDER = Path(settings.BASE_DIR).parent / "shared" / "wecom" / "fixtures"

needs_fixtures = pytest.mark.skipif(
    not FOLDER.is_dir(),
    reason="NOT COMPARED: the platform's documented payloads (shared/wecom/fixtures) are not"
    " beside the project",
)


@dataclass(frozen=True)
class Documented:
    """One endpoint as the documentation lists it."""

    slug: str
    method: str
    path: str


@cache
def endpoints() -> dict[str, Documented]:
    """The documented endpoints by their slug."""
    rows = _read(FOLDER / "endpoints.json") if FOLDER.is_dir() else []
    return {
        row["slug"]: Documented(row["slug"], row["method"], row["path"].removeprefix("/cgi-bin/"))
        for row in rows
    }


def named(pattern: str) -> list[str]:
    """The files of the folder that fit; none where it is missing."""
    return sorted(file.name for file in FOLDER.glob(pattern))


def payload(name: str) -> Any:
    return _read(FOLDER / name)


def content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def endpoint_of(name: str) -> Documented:
    """The endpoint a payload belongs to: its name begins with the slug."""
    return endpoints()[name.partition(".")[0]]


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))

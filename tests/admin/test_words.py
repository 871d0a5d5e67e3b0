"""Whatever the product records, runs or asks has a word an operator understands."""

import re
from pathlib import Path

import pytest

from scrm.audit.admin import ACTS
from scrm.celery import app
from scrm.channels import operations
from scrm.channels.admin import OPERATIONS
from scrm.jobs.actions import running
from scrm.jobs.admin import KINDS, TICKS
from scrm.jobs.ticks import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
RECORDED = re.compile(r"\brecord\(\s*f?\"([a-z_]+\.[a-z_{}]+)\"")


def recorded_acts() -> set[str]:
    files = [
        file
        for package in ("scrm", "risk", "customers", "groups", "campaigns")
        for file in (ROOT / package).rglob("*.py")
        if "sandbox" not in file.parts
    ]
    return {act for file in files for act in RECORDED.findall(file.read_text())}


def test_acts_are_found_at_all() -> None:
    assert len(recorded_acts()) > 15


@pytest.mark.parametrize("act", sorted(recorded_acts()))
def test_every_recorded_act_has_a_word(act: str) -> None:
    # `f"stages.{verb}"` stands for several.
    stem = act.partition("{")[0]

    assert act in ACTS or (stem != act and any(known.startswith(stem) for known in ACTS))


def test_every_kind_of_long_work_has_a_word() -> None:
    assert set(running._works) <= set(KINDS)


def test_every_tick_has_a_word() -> None:
    app.loader.import_default_modules()

    assert set(REGISTRY) <= set(TICKS)


def test_every_kind_of_operation_has_a_word() -> None:
    kinds = {
        value
        for name, value in vars(operations).items()
        if name.isupper() and isinstance(value, str)
    }

    assert kinds <= set(OPERATIONS)

"""Reproducible chance and the forms of the platform's identifiers."""

import random
import string
from collections.abc import Sequence

LETTERS = string.ascii_letters + string.digits


def make_dice(*seed: object) -> random.Random:
    """Return a generator that always rolls the same for the same seed."""
    return random.Random(":".join(map(str, seed)))  # noqa: S311 - a made-up world, no secrets


def draw_text(dice: random.Random, length: int, alphabet: Sequence[str] = LETTERS) -> str:
    return "".join(dice.choices(alphabet, k=length))


def draw_id(dice: random.Random, prefix: str) -> str:
    """Return an identifier such as `wm…` (customer), `wr…` (group), `et…` (tag), `msg…`."""
    return f"{prefix}{draw_text(dice, 8)}AA{draw_text(dice, 16)}AA"

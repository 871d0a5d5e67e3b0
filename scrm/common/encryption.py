"""Secrets at rest: a text column that only holders of `SCRM_FIELD_KEYS` can read."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "SCRM_FIELD_KEYS must be Fernet keys (32 url-safe base64 bytes), newest first."
        ) from error


def encrypt(text: str) -> str:
    return _cipher(tuple(settings.FIELD_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return _cipher(tuple(settings.FIELD_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise ImproperlyConfigured(
            "A stored secret cannot be read with SCRM_FIELD_KEYS: put the key it was written with "
            "back into the list (newest first)."
        ) from None


class EncryptedTextField(models.TextField[str, str]):
    """Text that is encrypted with the newest key on its way into the database."""

    def get_prep_value(self, value: Any) -> Any:
        return encrypt(str(value)) if value else ""

    def from_db_value(self, value: str | None, *_: object) -> str:
        return decrypt(value) if value else ""

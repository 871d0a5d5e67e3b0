"""Taking a corp on: its settings checked before anything is kept."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")
_CORP_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_AGENT_ID = re.compile(r"[0-9]{1,32}")
_TOKEN = re.compile(r"[A-Za-z0-9]{1,32}")
_BASE_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


class CorpExists(DomainError):
    code = "corp_exists"


@dataclass(frozen=True)
class CorpSettings:
    """What the console of the platform shows for one self-built app, as typed in by a person."""

    corp_id: str
    secret: str
    callback_token: str
    callback_aes_key: str
    agent_id: str = ""
    name: str = ""
    base_url: str = ""
    time_zone: str = "Asia/Shanghai"
    contact_secret: str = ""
    archive_secret: str = ""
    quota_mode: str = Corp.QuotaMode.MONTH


def prepare_corp(typed: CorpSettings, *, now: datetime) -> Corp:
    """Check the form of the settings and build the unsaved corp; raises InvalidInput."""
    problems = tuple(_problems_of(typed))
    if problems:
        raise InvalidInput(" ".join(problem.message for problem in problems), errors=problems)
    return Corp(
        corp_id=typed.corp_id,
        name=typed.name or typed.corp_id,
        secret=typed.secret,
        contact_secret=typed.contact_secret,
        archive_secret=typed.archive_secret,
        agent_id=typed.agent_id,
        callback_token=typed.callback_token,
        callback_aes_key=typed.callback_aes_key,
        base_url=complete_base_url(typed.base_url or settings.WECOM_BASE_URL),
        time_zone=typed.time_zone,
        quota_mode=typed.quota_mode,
        created_at=now,
    )


@transaction.atomic
def create_corp(corp: Corp) -> Corp:
    """Keep a prepared corp; raises CorpExists."""
    if Corp.objects.filter(corp_id=corp.corp_id).exists():
        raise CorpExists(
            _("Corp %(id)s is here already: change it in the admin instead.") % {"id": corp.corp_id}
        )
    corp.save(force_insert=True)
    return corp


def complete_base_url(url: str) -> str:
    """`http://host` and `http://host/cgi-bin` both become `http://host/cgi-bin/`."""
    bare = url.rstrip("/")
    return f"{bare}/" if bare.endswith("/cgi-bin") else f"{bare}/cgi-bin/"


def _problems_of(typed: CorpSettings) -> Iterator[FieldProblem]:
    checks = [
        ("corp_id", _CORP_ID.fullmatch(typed.corp_id), _("--corp-id is the ww… id from the console's «My enterprise» page.")),
        ("secret", typed.secret.strip(), _("--secret is missing: copy it from the app's page in the console.")),
        ("name", len(typed.name) <= 128, _("--name has at most 128 characters.")),
        ("agent_id", not typed.agent_id or _AGENT_ID.fullmatch(typed.agent_id), _("--agent-id is the number from the app's page in the console.")),
        ("callback_token", _TOKEN.fullmatch(typed.callback_token), _("--callback-token has 1 to 32 letters and digits.")),
        ("callback_aes_key", _is_aes_key(typed.callback_aes_key), _("--callback-aes-key must be the EncodingAESKey of exactly 43 letters and digits.")),
        ("base_url", not typed.base_url or _BASE_URL.fullmatch(typed.base_url), _("--base-url must look like https://qyapi.weixin.qq.com/cgi-bin/.")),
        ("time_zone", _is_time_zone(typed.time_zone), _("--time-zone must be a name such as Asia/Shanghai.")),
        ("quota_mode", typed.quota_mode in Corp.QuotaMode.values, _("--quota-mode is one of month, week, day, legacy.")),
    ]  # fmt: skip
    for path, is_right, message in checks:
        if not is_right:
            yield FieldProblem(path=f"/{path}", code="invalid", message=message)


def _is_aes_key(text: str) -> bool:
    if not _AES_KEY.fullmatch(text):
        return False
    try:
        return len(b64decode(text + "=")) == 32
    except binascii.Error:
        return False


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True

"""Whether the callback address answers: asked from outside as the platform's console asks."""

import secrets
import time
from urllib.parse import urljoin

import requests
from django.conf import settings
from django.utils.translation import gettext as _

from scrm.channels.wecom.client import is_loopback
from scrm.channels.wecom.crypto import Seal
from scrm.dashboard.actions.connecting import callback_path
from scrm.dashboard.doctor.findings import Finding, Verdict
from scrm.tenancy.models import Corp


def call_ourselves(corp: Corp, public_url: str) -> Finding:
    """Send the console's sealed question to the public address and compare the echo [doc 90930]."""
    title = _("Callback address")
    address = urljoin(public_url, callback_path(corp))
    echo = secrets.token_hex(16)
    try:
        with requests.Session() as session:
            # A proxy of the environment is for the outer world.
            session.trust_env = not is_loopback(public_url)
            answer = session.get(
                address,
                params=_question(corp, echo.encode()),
                timeout=settings.CHANNEL_TIMEOUTS,
                allow_redirects=False,
            )
    except (requests.RequestException, ValueError):
        sentence = _("%(address)s cannot be reached from here.") % {"address": address}
        remedy = _("Let your proxy lead this path to the web server; the platform has to reach it over the internet.")  # fmt: skip
        return Finding("callback_address", Verdict.WRONG, title, sentence, remedy)
    if answer.status_code == requests.codes.ok and answer.text == echo:
        sentence = _("%(address)s answers the platform's question.") % {"address": address}
        return Finding("callback_address", Verdict.OK, title, sentence)
    sentence = _("%(address)s answers HTTP %(status)s, but not to the platform's question.")
    values = {"address": address, "status": answer.status_code}
    remedy = _("Let your proxy pass path and query on unchanged, without log-in or redirect.")
    return Finding("callback_address", Verdict.WRONG, title, sentence % values, remedy)


def _question(corp: Corp, echo: bytes) -> dict[str, str]:
    seal = Seal(token=corp.callback_token, aes_key=corp.callback_aes_key, receive_id=corp.corp_id)
    sealed, timestamp, nonce = seal.encrypt(echo), str(int(time.time())), secrets.token_hex(8)
    return {
        "msg_signature": seal.sign(sealed, timestamp=timestamp, nonce=nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "echostr": sealed,
    }

"""Checks that ask the platform. None changes anything there."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from risk.models import ArchiveCursor
from scrm.channels.base import Channel
from scrm.channels.errors import ChannelError
from scrm.channels.opening import open_archive, open_channel
from scrm.channels.wecom.clock import clock_skew
from scrm.channels.wecom.errcodes import UNTRUSTED_ADDRESS
from scrm.dashboard.doctor.findings import Finding, Verdict
from scrm.tenancy.models import Corp, Staff

_TOLERATED_SKEW = timedelta(seconds=30)
_ADDRESS = re.compile(r"from ip: ?([0-9a-fA-F.:]*[0-9a-fA-F])")


def ask_platform(corp: Corp) -> Iterator[Finding]:
    """Ask as far as the answers carry: without a token no other question makes sense."""
    clock = _clock(corp)
    yield clock
    if clock.verdict == Verdict.WRONG and clock.check == "address":
        return
    channel = open_channel(corp)
    token = _token(channel, corp)
    yield token
    if token.verdict == Verdict.OK:
        yield from _contact(channel, corp)
    yield _archive(corp)


def _clock(corp: Corp) -> Finding:
    try:
        skew = clock_skew(corp.base_url)
    except ChannelError as error:
        return Finding(
            "address", Verdict.WRONG, _("Platform address"), error.detail, link=_corp_page(corp)
        )
    title = _("Clock")
    if skew is None:
        sentence = _("The platform is reached at %(address)s, but shows no clock to compare with.")
        return Finding("clock", Verdict.UNKNOWN, title, sentence % {"address": corp.base_url})
    seconds = round(skew.total_seconds())
    if abs(skew) <= _TOLERATED_SKEW:
        return Finding("clock", Verdict.OK, title, _("This machine and the platform agree."))
    sentence = _("This machine's clock is %(seconds)s seconds away from the platform's.")
    return Finding(
        "clock",
        Verdict.WRONG,
        title,
        sentence % {"seconds": abs(seconds)},
        _("Let the system keep time by NTP: planned moments and tokens depend on it."),
    )


def _token(channel: Channel, corp: Corp) -> Finding:
    try:
        channel.check_credentials()
    except ChannelError as error:
        return _refusal("token", _("Token"), error, corp)
    return Finding("token", Verdict.OK, _("Token"), _("The platform accepts the stored secrets."))


def _contact(channel: Channel, corp: Corp) -> Iterator[Finding]:
    try:
        with_contact = channel.contacts.staff_with_customer_contact()
    except ChannelError as error:
        yield _refusal("callable_app", _("Customer contact"), error, corp)
        return
    yield Finding(
        "callable_app",
        Verdict.OK,
        _("Customer contact"),
        _("The app may call customer contact, from this address."),
    )
    yield _seats(with_contact, corp)
    yield _range(channel, with_contact, corp)


def _seats(with_contact: Sequence[str], corp: Corp) -> Finding:
    title = _("Seats of customer contact")
    userids = {userid.lower() for userid in with_contact}
    remedy = _("Console › Customer contact › Permissions › range of use: add them.")
    if not userids:
        sentence = _("No member has customer contact.")
        return Finding("seats", Verdict.WRONG, title, sentence, remedy)
    active = [one.lower() for one in _active_userids(corp)]
    without = sum(1 for userid in active if userid not in userids)
    sentence = ngettext(
        "%(count)s member has customer contact.", "%(count)s members have customer contact.",
        len(userids),
    ) % {"count": len(userids)}  # fmt: skip
    if without:
        sentence += " " + ngettext(
            "%(count)s active member has not.", "%(count)s active members have not.", without
        ) % {"count": without}  # fmt: skip
    link = reverse("admin:tenancy_staff_changelist")
    return Finding("seats", Verdict.OK, title, sentence, remedy if without else "", link)


def _range(channel: Channel, with_contact: Sequence[str], corp: Corp) -> Finding:
    title = _("Visible range")
    remedy = _("Console › App management › your app › Visible range: widen it, then sync.")
    try:
        departments = channel.directory.departments()
    except ChannelError as error:
        return _refusal("range", title, error, corp)
    if not departments:
        sentence = _("The app sees no department, so no member either.")
        return Finding("range", Verdict.WRONG, title, sentence, remedy)
    known = {one.lower() for one in _active_userids(corp)}
    unseen = [one for one in with_contact if one.lower() not in known]
    if not known:
        sentence = _("The app sees %(count)s departments; members were not read yet.")
        return Finding(
            "range", Verdict.UNKNOWN, title, sentence % {"count": len(departments)},
            _("Sync the corp, then look again."), _corp_page(corp),
        )  # fmt: skip
    if unseen:
        names = ", ".join(sorted(unseen)[:5])
        sentence = _(
            "%(count)s members with customer contact are outside the app's range: %(names)s."
        )
        values = {"count": len(unseen), "names": names}
        return Finding("range", Verdict.WARNING, title, sentence % values, remedy)
    sentence = _("The app sees %(count)s departments and everybody with customer contact.")
    return Finding("range", Verdict.OK, title, sentence % {"count": len(departments)})


def _archive(corp: Corp) -> Finding:
    title = _("Message archive")
    if not corp.archive_secret:
        return Finding("archive", Verdict.OK, title, _("Not used: there is no archive secret."))
    try:
        cursor = ArchiveCursor.objects.for_corp(corp).first()
        open_archive(corp).messages_after(cursor.seq if cursor else 0, limit=1)
    except ChannelError as error:
        return _refusal("archive", title, error, corp)
    return Finding("archive", Verdict.OK, title, _("The archive opens."))


def _refusal(check: str, title: str, error: ChannelError, corp: Corp) -> Finding:
    """The error's own sentence says what to change; an untrusted address is named to be copied."""
    if error.errcode == UNTRUSTED_ADDRESS:
        address = _ADDRESS.search(error.detail)
        sentence = _("Console › App management › your app › Trusted IPs: add %(address)s.")
        named = address.group(1) if address else _("this server's public address")
        return Finding(
            "trusted_ip",
            Verdict.WRONG,
            _("Trusted IP"),
            error.detail,
            sentence % {"address": named},
        )
    return Finding(check, Verdict.WRONG, title, error.detail, link=_corp_page(corp))


def _active_userids(corp: Corp) -> list[str]:
    return list(Staff.objects.for_corp(corp).active().values_list("userid", flat=True))


def _corp_page(corp: Corp) -> str:
    return reverse("admin:tenancy_corp_change", args=[corp.pk])

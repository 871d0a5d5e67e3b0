"""The platform's error codes as data: what has to be done about each, and how to tell people.

Codes and classes follow the official list [doc 90313]; each row names what has to be changed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from scrm.channels.errors import (
    AlreadyDone,
    BackOff,
    ChannelError,
    InputRefused,
    Misconfigured,
    NotOurs,
    NotReady,
    QuotaExhausted,
    RetryLater,
    Stale,
)

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# Answers that say "this token is no good"; 40001 from gettoken itself is about the secret.
TOKEN_REFUSED = frozenset({40001, 40014, 42001})
NO_RELATION = 84061
NO_RECEIVER = 81013
# The platform forgets media after three days, or sooner.
MEDIA_GONE = frozenset({40007, 40145})
UNTRUSTED_ADDRESS = 60020
# The directory's detailed lists are closed to some apps, its id lists are not.
DETAILS_WITHHELD = frozenset({48002, 48009, 60011, 45029})


_CALLER = re.compile(r"from ip: ?[0-9a-fA-F.:]*[0-9a-fA-F]")


@dataclass(frozen=True)
class Meaning:
    """What a code calls for; `delay` only for what may be repeated."""

    error: type[ChannelError]
    sentence: "_StrPromise"
    delay: timedelta | None = None


def _upto(first: int, last: int) -> range:
    return range(first, last + 1)


def _second(count: float) -> timedelta:
    return timedelta(seconds=count)


_GETTOKEN: list[tuple[Iterable[int], type[ChannelError], "_StrPromise"]] = [
    (
        [40001],
        Misconfigured,
        _("The secret does not belong to this corp id: copy the secret from the app's page in the console, and check that the app is enabled."),
    ),
    ([40091], Misconfigured, _("The secret belongs to another corp: correct the corp id or the secret.")),
    ([41002], Misconfigured, _("The corp id is missing: fill it in.")),
    ([41004], Misconfigured, _("The secret is missing: fill it in.")),
]  # fmt: skip

_TABLE: list[tuple[Iterable[int], type[ChannelError], "_StrPromise"]] = [
    # System, token, permission
    ([-1], RetryLater, _("The platform is busy.")),
    ([6000, 45035], RetryLater, _("Somebody else is changing the same record on the platform.")),
    ([40013], Misconfigured, _("The platform does not know this corp id: copy it from «My enterprise» in the console.")),
    ([40001, 40014, 42001], Misconfigured, _("The platform refuses even a fresh token: check that the secret and the address belong to the same corp and that the app is enabled.")),
    ([40091], Misconfigured, _("The secret belongs to another corp: correct the corp id or the secret.")),
    ([41001], InputRefused, _("The call carried no token.")),
    ([41002, 41004], InputRefused, _("The corp id or the secret is missing: fill it in.")),
    ([42007, 42009, 40082, *_upto(40083, 40086)], Misconfigured, _("The platform takes this app for a third-party one: use the secret of a self-built app.")),
    ([42012, 40093, 91040], Misconfigured, _("The page's ticket or signature is not of this app: check the trusted domain and the agent id.")),
    ([43009], Misconfigured, _("The corp is not verified: verify it in the console.")),
    ([43012], Misconfigured, _("The app has no callback address: set one in the console.")),
    ([48001, 48002], Misconfigured, _("The app may not call this: add it under «Customer contact › API › callable apps» in the console.")),
    ([*_upto(48003, 48006)], Misconfigured, _("The app's permission was withdrawn or the interface retired: renew it in the console.")),
    ([48008, 48009], Misconfigured, _("This secret may not read the directory's details: use the secret of a self-built app.")),
    ([48010], InputRefused, _("The connection's encryption is too old: allow TLS 1.2 on this server.")),
    ([48011], Misconfigured, _("The platform withholds customer data because too few members are active.")),
    ([50001], Misconfigured, _("The page's domain is not the app's trusted domain: set it in the console, with its port.")),
    ([50002, 60011, 60021, 60030, 92000], Misconfigured, _("The member, department or tag is outside the app's visible range: widen it in the console.")),
    ([50003, 60031], Misconfigured, _("The app is disabled: enable it in the console.")),
    ([60020], Misconfigured, _("This server's address is not trusted: add it to the app's trusted IPs in the console (takes a minute).")),
    ([301002], InputRefused, _("The secret belongs to another app than the agent id: correct one of them.")),
    ([301007], Misconfigured, _("The corp was dissolved or banned by the platform.")),
    ([701008], Misconfigured, _("The member has no valid licence: assign one in the console.")),
    ([610023, 610024], Misconfigured, _("The corp's contact scale is used up or its papers are missing: extend it in the console.")),
    # Rate and concurrency
    ([45009], BackOff, _("The platform's limit of calls is reached.")),
    ([45033], BackOff, _("Too many calls at a time.")),
    ([45036], BackOff, _("The platform takes the traffic for abnormal: look for unofficial clients.")),
    ([45029], InputRefused, _("The answer would be too large: ask for less.")),
    ([81017], InputRefused, _("Too much asked at once: name the group owners.")),
    ([301058, 301060, 301112], InputRefused, _("Too much asked at once: ask for less.")),
    # Parameters
    ([40003, 46004, 60111], Stale, _("The member does not exist, has left or is outside the app's range.")),
    ([40031, 40032], InputRefused, _("The list of members is wrong or too long.")),
    ([40033], InputRefused, _("The text has characters the platform does not take.")),
    ([40035, 40058, 40063], InputRefused, _("A value is missing, too long or of the wrong form.")),
    ([40039, 45034, 40127], InputRefused, _("The link is too long or does not begin with http.")),
    ([40056, 41011], InputRefused, _("The agent id is wrong or missing: copy it from the app's page in the console.")),
    ([40096, 41035, 41056], Stale, _("The platform does not know this customer for this app.")),
    ([40206], InputRefused, _("The request is too large.")),
    ([50100, 60268], Stale, _("The list changed while it was read: read it again from its beginning.")),
    ([60123, 60003], Stale, _("The department does not exist any more.")),
    ([60267], InputRefused, _("The time span is wrong: at most 7 days, at most 180 days back.")),
    ([40201, 40204], InputRefused, _("The platform's spam guard blocks the text: change it.")),
    # Relations, customers, tags
    ([NO_RELATION], Stale, _("The member does not have this customer any more, or has not confirmed yet.")),
    ([84074], Misconfigured, _("The member has no customer contact: add them to its range of use in the console.")),
    ([84083, 84084], Stale, _("The member does not serve this customer.")),
    ([40126], QuotaExhausted, _("The corp has all the 10,000 tags it may have: delete some.")),
    ([40144], QuotaExhausted, _("The customer has all the tags a customer may have: remove some.")),
    ([40068, 41110], Stale, _("The tag does not exist on the platform any more.")),
    ([40071], InputRefused, _("A tag of this name exists already: choose another name.")),
    ([40072], InputRefused, _("A tag's name has 1 to 30 characters.")),
    ([41111], InputRefused, _("Between 1 and 1000 tags at a time.")),
    ([81011], NotOurs, _("The tag was made by another app: only that one may change it.")),
    # Contact way, join way, acquisition
    ([*_upto(41037, 41040), 41042], InputRefused, _("The code's type, scene or style is wrong.")),
    ([41041], InputRefused, _("A code leads to at most 100 members, a single one to one.")),
    ([41043, 41044], Stale, _("The platform does not know this code any more.")),
    ([41045], QuotaExhausted, _("The corp has all the codes it may have: delete some.")),
    ([41054], Stale, _("The member is not activated or not verified: choose another.")),
    ([41091], InputRefused, _("A group code leads to at most 5 groups.")),
    ([41095], QuotaExhausted, _("The corp has all the acquisition links it may have.")),
    ([41098, 41099, 41200], Misconfigured, _("Acquisition links are not open to this app: check their grant and balance in the console.")),
    ([41201], Stale, _("The chat key is void.")),
    # Welcome and mass messages
    ([41049, 41050], ChannelError, _("The welcome came too late: its code is good for 20 seconds.")),
    ([41051], AlreadyDone, _("The customer was welcomed already, or is chatting.")),
    ([41096], RetryLater, _("Another app is welcoming the customer.")),
    ([41053], NotReady, _("The customer has not agreed to archiving yet.")),
    ([41046, 41047], Stale, _("The platform does not know this message.")),
    ([41048], InputRefused, _("None of these customers can receive the message.")),
    ([41052], InputRefused, _("The time of sending is wrong.")),
    ([41063, 41079], NotReady, _("The platform is still dispatching the message.")),
    ([41064, 41065], InputRefused, _("At most 9 attachments: pictures, links, mini-programs, videos, files.")),
    ([41093], AlreadyDone, _("The message was cancelled already.")),
    ([41094], QuotaExhausted, _("Staff were reminded 3 times within 24 hours already.")),
    ([86214], InputRefused, _("The kind of chat is wrong.")),
    ([41055], QuotaExhausted, _("The corp has all the 100 group welcome texts it may have: delete some.")),
    ([41058], Misconfigured, _("The group welcome text was made by another app: only that one may change it.")),
    # Handover, groups
    ([40097], InputRefused, _("The member has not resigned: hand over in service instead.")),
    ([40098, 40205], Stale, _("The successor is not verified or has not logged in for a year: choose another.")),
    ([40099], QuotaExhausted, _("The successor has all the customers a member may have: choose another.")),
    ([40100, 40129], AlreadyDone, _("The customer is being handed over already.")),
    ([40128], QuotaExhausted, _("The customer was handed over twice within 90 days already.")),
    ([*_upto(40130, 40132), 40143], Stale, _("The successor is the same member, the member is not the customer's, or is banned.")),
    ([90500], InputRefused, _("The group's owner has not resigned: hand over in service instead.")),
    ([90501, 90502, 90503, 90509, 90510], Stale, _("The group cannot be handed over: it is full, its owner has resigned, or it is no customer group.")),
    ([90504, 90507, 90508], AlreadyDone, _("The group has this owner or is being handed over already.")),
    ([49008], Stale, _("The group was dismissed.")),
    ([40050, 86001, 86003, 93006], Stale, _("The platform does not know this group.")),
    ([90511], Stale, _("The group's mini-program id is wrong.")),
    # Moments, album, words, media
    ([*_upto(41059, 41061), 41067], Stale, _("The moment does not exist or is not this member's.")),
    ([41062], NotReady, _("The moment is not published yet.")),
    ([41078], BackOff, _("Too many moments at a time.")),
    ([41210], QuotaExhausted, _("The corp has posted all the moments of this month.")),
    ([41211], Misconfigured, _("Moments are not enabled: enable them in the console.")),
    ([41088, 41089], InputRefused, _("There is nothing to post: add a text or a picture.")),
    ([41072, *_upto(41080, 41082), 41090], InputRefused, _("The picture or video has the wrong size, length or format.")),
    ([41073, 41085, 41086, 41087], InputRefused, _("The product's text, number, price or description is wrong.")),
    ([41074, 41075], Stale, _("The product does not exist any more.")),
    ([41202], QuotaExhausted, _("The corp has all the products it may have.")),
    ([41069], QuotaExhausted, _("The corp has all the word rules it may have.")),
    ([41068, 41076, 41077, 41083, 41084], InputRefused, _("The word rule has too many words or members, or a wrong name or word.")),
    ([41070, 41071], Stale, _("The word rule does not exist any more.")),
    ([*_upto(40004, 40006), 40008, 40009, 40011, 45001, 44001, 40123], InputRefused, _("The file is empty, broken, too large or of the wrong kind.")),
    ([40007, 40145, 41006], Stale, _("The file on the platform has expired: it is kept for 3 days.")),
    ([*_upto(830001, 830003), 301019], InputRefused, _("The platform could not fetch the file from its address.")),
    # App messages and OAuth
    ([40029, 42003, 42022, 84014, 84015], Stale, _("The log-in has expired: open the page again.")),
    ([44004, 45002, 82004], InputRefused, _("The text is empty or too long.")),
    ([81013], Stale, _("None of the receivers is in the app's range.")),
    ([*_upto(82001, 82003)], InputRefused, _("There is no receiver, or too many departments or tags.")),
    ([*_upto(42014, 42020), *_upto(42027, 42051)], InputRefused, _("A field of the card is wrong.")),
    ([42052], ChannelError, _("The message is older than 24 hours and cannot be recalled.")),
    # Archive
    ([301042], Misconfigured, _("This server's address is not on the archive's list: add it in the console.")),
    ([301048, 10010], ChannelError, _("The archive keeps messages and files for 5 days only.")),
    ([301052, 301053], Misconfigured, _("The archive is not enabled or has expired: renew it in the console.")),
    ([301059], InputRefused, _("This is a customer group: ask for it as such.")),
    ([301061], Stale, _("The archive does not know this member.")),
    ([301111, 301116, 10009, 10011], Misconfigured, _("The archive refuses this server: check its address, its SDK and TLS.")),
    ([*_upto(10001, 10003)], RetryLater, _("The archive did not answer.")),
    ([10000, 10005], InputRefused, _("The archive does not take these arguments.")),
    ([10006, 10008], Misconfigured, _("The archive's key does not fit: keep the private key of every version.")),
    # Customer service
    ([95000, 95004], Stale, _("The customer service account does not exist.")),
    ([95001, 95002, 95018], QuotaExhausted, _("At most 5 messages within 48 hours after the customer's last one.")),
    ([95005, 95020, 95026, 95027], QuotaExhausted, _("The corp has all the customer service accounts or servicers it may have.")),
    ([95007, 95013, 95014, 95016, 95019], Stale, _("The customer service session has ended or changed.")),
    ([95011, 95012, 95017, 95023], Misconfigured, _("Customer service is switched off for this app: check its mode in the console.")),
    ([95033], AlreadyDone, _("This message was sent already.")),
]  # fmt: skip

_DELAYS = {
    -1: _second(5),
    6000: _second(2),
    45035: _second(2),
    41096: _second(1),
    41063: _second(10),
    41079: _second(10),
    # Nobody tells which limit it was: a minute first; pauses in a row are doubled.
    45009: _second(60),
    45033: _second(2),
    45036: _second(600),
    41078: _second(60),
}


def _meanings(
    rows: Iterable[tuple[Iterable[int], type[ChannelError], "_StrPromise"]],
) -> Iterator[tuple[int, Meaning]]:
    for codes, error, sentence in rows:
        for code in codes:
            yield code, Meaning(error, sentence, _DELAYS.get(code))


MEANINGS: dict[int, Meaning] = dict(_meanings(_TABLE))
_MEANINGS_OF_GETTOKEN = dict(chain(MEANINGS.items(), _meanings(_GETTOKEN)))


def error_of(errcode: int, errmsg: str, path: str) -> ChannelError:
    """The error that an answer calls for; its text ends with the platform's own words."""
    # The tail is for the platform's support page and differs in every answer; of it only the
    # caller's address is of use, to whoever has to trust it.
    said = f"{errcode} {errmsg.partition(', hint:')[0]}".strip()
    if errcode == UNTRUSTED_ADDRESS and (address := _CALLER.search(errmsg)):
        said = f"{said}, {address.group()}"
    meanings = _MEANINGS_OF_GETTOKEN if path == "gettoken" else MEANINGS
    meaning = meanings.get(errcode)
    if meaning is None:
        refusal = gettext("The platform refused %(path)s (%(said)s).")
        return ChannelError(refusal % {"path": path, "said": said}, errcode=errcode)
    detail = f"{meaning.sentence} ({said})"
    if issubclass(meaning.error, BackOff):
        return meaning.error(detail, errcode=errcode, delay=meaning.delay or _second(60))
    error = meaning.error(detail, errcode=errcode)
    if isinstance(error, RetryLater) and meaning.delay:
        error.delay = meaning.delay
    return error

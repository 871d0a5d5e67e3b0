"""The platform's XML as a mapping; document types and entities are refused."""

from typing import Any, Never
from xml.parsers import expat

import xmltodict
from django.utils.translation import gettext as _


class UnreadableXml(Exception):
    """Not XML, XML with a document type, or without what it has to say."""


class _Expat:
    """What xmltodict needs of expat, with parsers that stop at a document type.

    Without one there is no entity that could grow and no look outside; the platform sends none.
    """

    @staticmethod
    def ParserCreate(encoding: str | None, separator: str | None) -> expat.XMLParserType:  # noqa: N802
        parser = expat.ParserCreate(encoding, separator)
        parser.StartDoctypeDeclHandler = _refuse_document_type
        return parser


def read_xml(content: bytes) -> dict[str, Any]:
    """The children of the root `<xml>`; an element that repeats is a list."""
    try:
        root = xmltodict.parse(content, encoding="utf-8", expat=_Expat)
    except (expat.ExpatError, ValueError) as error:
        raise UnreadableXml(_("The content is not XML.")) from error
    children = root.get("xml") if isinstance(root, dict) else None
    if not isinstance(children, dict):
        raise UnreadableXml(_("The XML has no root element <xml> with content."))
    return children


def text_in(children: dict[str, Any], name: str) -> str:
    """The text of an element; "" when it is absent, empty or not a single text."""
    value = children.get(name)
    return value if isinstance(value, str) else ""


def _refuse_document_type(*_args: object) -> Never:
    raise UnreadableXml(_("The XML carries a document type."))

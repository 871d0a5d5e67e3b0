"""How figures are written: in groups of three, and "—" for what is not known."""

from django import template

from scrm.common.badges import UNKNOWN

register = template.Library()


@register.filter
def grouped(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


@register.filter
def share_of(part: int | None, whole: int | None) -> str:
    """ "12.3 %"; unknown when there is no whole."""
    if part is None or not whole:
        return UNKNOWN
    percent = 100 * part / whole
    # Never 100 or 0 for almost all or almost none.
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.9 < percent < 100:
        return ">99.9%"
    return f"{percent:.1f}".removesuffix(".0") + "%"


@register.filter
def width_of(part: int | None, whole: int | None) -> str:
    """The same for a style attribute."""
    return f"{100 * part / whole:.2f}" if part and whole else "0"

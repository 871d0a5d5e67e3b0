"""The pictures that people scan."""

import io

import segno


def draw_code(text: str) -> bytes:
    """Return a QR code as PNG."""
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=6)
    return picture.getvalue()

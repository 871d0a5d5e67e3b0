"""What the first bytes of pictures, sound and films tell."""

import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
AMR = b"#!AMR\n"
# Bytes of a frame (20 ms) after its head, by the kind of frame.
AMR_FRAMES = (12, 13, 15, 17, 19, 20, 26, 31, 5)
FRAMES_PER_SECOND = 50
# The markers of JPEG that carry a size, and those that carry nothing.
SIZED = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
BARE = frozenset({0x01, *range(0xD0, 0xD9)})


def is_picture(content: bytes) -> bool:
    return content.startswith((PNG, JPEG))


def name_picture(content: bytes) -> str:
    return "png" if content.startswith(PNG) else "jpeg"


def is_voice(content: bytes) -> bool:
    return content.startswith(AMR)


def is_film(content: bytes) -> bool:
    return content[4:8] == b"ftyp"


def measure_picture(content: bytes) -> tuple[int, int] | None:
    """Return width and height, or None when the picture is broken."""
    if content.startswith(PNG):
        return _measure_png(content)
    return _measure_jpeg(content)


def measure_voice(content: bytes) -> float:
    """Return the seconds of an AMR recording."""
    position, frames = len(AMR), 0
    while position < len(content):
        kind = content[position] >> 3 & 0x0F
        position += 1 + (AMR_FRAMES[kind] if kind < len(AMR_FRAMES) else 0)
        frames += 1
    return frames / FRAMES_PER_SECOND


def measure_film(content: bytes) -> float | None:
    """Return the seconds of a film by its movie header, or None when it has none."""
    head = content.find(b"mvhd")
    if head < 0 or len(content) < head + 32:
        return None
    # The second version of the header has times of twice the size before the scale.
    is_long = content[head + 4] == 1
    form, place = (">IQ", head + 24) if is_long else (">II", head + 16)
    scale, length = struct.unpack_from(form, content, place)
    return length / scale if scale else None


def paint(width: int, height: int) -> bytes:
    """Return a grey picture as PNG: what stands for a still of a film."""
    rows = (b"\x00" + b"\x80" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return PNG + b"".join(_pack_chunk(*chunk) for chunk in chunks)


def _pack_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _measure_png(content: bytes) -> tuple[int, int] | None:
    if len(content) < 24:
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _measure_jpeg(content: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker in BARE:
            position += 2
        elif marker in SIZED:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return width, height
        else:
            position += 2 + struct.unpack_from(">H", content, position + 2)[0]
    return None

"""Pictures read without any library but numpy: PNG, the frames of a GIF, the headers of a JPEG."""
import struct
import zlib

import numpy


def read_png(data):
    """(rows, columns) or (rows, columns, 3), uint8 or uint16."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at, packed, head = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0], kind
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    columns, rows, bits, colour = head[:4]
    samples = {0: 1, 2: 3}[colour]
    pixel = samples * bits // 8
    raw = numpy.frombuffer(zlib.decompress(packed), numpy.uint8).reshape(rows, 1 + columns * pixel)
    image = numpy.zeros((rows, columns * pixel), numpy.uint8)
    for r in range(rows):
        kind, line = raw[r, 0], raw[r, 1:]
        if kind == 0:
            image[r] = line
        elif kind == 1:
            image[r] = numpy.cumsum(line.reshape(columns, pixel), axis=0, dtype=numpy.uint8).reshape(-1)
        else:
            raise AssertionError(f"filter {kind}")
    if bits == 16:
        image = image.view(">u2").astype(numpy.uint16)
    return image.reshape((rows, columns) if samples == 1 else (rows, columns, 3))


def jpeg_markers(data):
    """[(marker, body)] up to the scan."""
    assert data[:2] == b"\xff\xd8" and data[-2:] == b"\xff\xd9", "no JPEG"
    at, found = 2, []
    while data[at + 1] != 0xDA:
        size = struct.unpack(">H", data[at + 2:at + 4])[0]
        found.append((data[at + 1], data[at + 4:at + 2 + size]))
        at += 2 + size
    return found


def jpeg_size(data):
    """rows, columns, components; only a baseline frame header will do."""
    frames = [(marker, body) for marker, body in jpeg_markers(data) if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xCC)]
    assert [marker for marker, _ in frames] == [0xC0], frames
    bits, rows, columns, components = struct.unpack(">BHHB", frames[0][1][:6])
    assert bits == 8
    return rows, columns, components


def gif_frames(data):
    """(columns, rows, [delay in hundredths of each frame or None])."""
    assert data[:6] == b"GIF89a", data[:6]
    columns, rows, flags = struct.unpack("<HHB", data[6:11])
    at, delay, frames = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0), None, []

    def blocks(at):
        while data[at]:
            at += data[at] + 1
        return at + 1
    while data[at] != 0x3B:
        if data[at] == 0x21:
            if data[at + 1] == 0xF9:
                delay = struct.unpack("<H", data[at + 4:at + 6])[0]
            at = blocks(at + 2)
        else:
            assert data[at] == 0x2C, data[at]
            flags = data[at + 9]
            at = blocks(at + 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0) + 1)
            frames.append(delay)
            delay = None
    return columns, rows, frames

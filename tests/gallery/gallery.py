#!/usr/bin/env python3
"""A sheet of pictures to look through: every file of a folder as the server renders it.

usage: GANTRY_BINARY=build/test/gantry tests/gallery/gallery.py FOLDER_OF_DICOM OUTPUT_FOLDER [WORD...]

Writes OUTPUT_FOLDER/index.html with one picture a file, its name, the status and the time it took, and sheet-N.png, the
same pictures in grids of 8 x 8. With words only the files whose path holds one of them. A file that the server does not store,
or answers without a picture, is shown by its status.
"""
import html
import os
import struct
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "web"))
import numpy  # noqa: E402
from gantry import Server  # noqa: E402
from pictures import read_png  # noqa: E402

CELL, LABEL, ACROSS = 150, 26, 8


def write_png(path, pixels):
    rows, columns = pixels.shape[:2]
    raw = b"".join(b"\0" + pixels[r].tobytes() for r in range(rows))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)) +
                  chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b""))


def instance_of(server, path):
    """The URL path of the stored instance, or None and why not."""
    with open(path, "rb") as file:
        answer = server.store([file.read()])
    if answer.status not in (200, 202, 409):
        return None, answer.status
    listed = answer.json().get("00081199", {}).get("Value", [])
    if not listed:
        return None, answer.status
    url = listed[0]["00081190"]["Value"][0]
    return url[url.index("/studies/"):], answer.status


def main():
    folder, out, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.makedirs(out, exist_ok=True)
    files = sorted(os.path.join(root, name) for root, _, names in os.walk(folder) for name in names
                   if not name.endswith((".tsv", ".md")))
    files = [path for path in files if not words or any(word in path for word in words)]
    rows, pictures = [], []
    server = Server("--duplicates", "replace")
    try:
        for n, path in enumerate(files):
            name = os.path.relpath(path, folder)
            where, status = instance_of(server, path)
            picture, note, spent = None, f"store {status}", 0.0
            if where:
                began = time.monotonic()
                answer = server.get(where + f"/rendered?viewport={CELL},{CELL}&accept=image/png",
                                    {"Accept": "*/*"})
                spent = (time.monotonic() - began) * 1000
                note = str(answer.status)
                if answer.status == 200 and answer.headers["Content-Type"] == "image/png":
                    picture = read_png(answer.body)
                    with open(os.path.join(out, f"{n}.png"), "wb") as file:
                        file.write(answer.body)
                elif answer.status == 200:
                    note += " " + answer.headers["Content-Type"]
                else:
                    note += " " + answer.body.decode("utf-8", "replace")[-160:]
            pictures.append((name, picture, note))
            rows.append(f"<div><img src='{n}.png' alt=''><br>{html.escape(name)}<br>{html.escape(note)} {spent:.0f} ms</div>")
            print(f"{n} {name}: {note}", flush=True)
    finally:
        server.stop()
    with open(os.path.join(out, "index.html"), "w", encoding="utf-8") as page:
        page.write("<!DOCTYPE html><meta charset=utf-8><style>div{display:inline-block;width:200px;font:11px sans-serif;"
                   "vertical-align:top;margin:4px;overflow-wrap:anywhere}body{background:#ccc}</style>" + "\n".join(rows))
    shown = [entry for entry in pictures if entry[1] is not None]
    for first in range(0, len(shown), ACROSS * ACROSS):
        some = shown[first:first + ACROSS * ACROSS]
        down = (len(some) + ACROSS - 1) // ACROSS
        sheet = numpy.full((down * (CELL + 4), ACROSS * (CELL + 4), 3), 90, numpy.uint8)
        for i, (_, picture, _) in enumerate(some):
            y, x = i // ACROSS * (CELL + 4), i % ACROSS * (CELL + 4)
            picture = picture if picture.ndim == 3 else numpy.repeat(picture[:, :, None], 3, axis=2)
            sheet[y:y + picture.shape[0], x:x + picture.shape[1]] = picture
        write_png(os.path.join(out, f"sheet-{first // (ACROSS * ACROSS)}.png"), sheet)
        with open(os.path.join(out, f"sheet-{first // (ACROSS * ACROSS)}.txt"), "w", encoding="utf-8") as names:
            names.writelines(f"{i // ACROSS + 1},{i % ACROSS + 1} {name}\n" for i, (name, _, _) in enumerate(some))


if __name__ == "__main__":
    main()

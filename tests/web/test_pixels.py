"""Every real file with pixel data, in every way in which its pixels can be asked for: pixels.tsv says with which status and
for which reason. What is sent is what pydicom makes of it: frames alone are those of the whole instance, and RLE made of
whatever is stored comes out of pydicom's decoder bit by bit.

    tests/web/test_pixels.py table   prints pixels.tsv as it would be now, to be read before it is kept"""
import csv
import hashlib
import io
import os
import sys
import unittest
from pathlib import Path

import numpy
from gantry import JSON, SANITIZED, Server, value
from test_real_files import pydicom_files

ROOT = "1.2.840.10008.1.2"
TARGETS = (".4.50", ".4.51", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".4.110", ".4.112", ".4.201", ".4.203", ".5", ".8.1")
TABLE = Path(__file__).with_name("pixels.tsv")
COLUMNS = ("path", "frames", "native", "rendered", "thumbnail", "file", "refused")
EACH = 5 if SANITIZED else 1  # with a sanitizer each file takes long, and a part of them is enough
SAMPLES_MOST = 4_000_000  # of files that pydicom's RLE decoder looks at, and of frames that are fetched one by one


def files():
    """(name, path) of the collection and of what python3-pydicom ships beside it, each content once."""
    folder, seen = os.environ.get("GANTRY_TEST_DATA"), set()
    paths = []
    if folder and Path(folder, "MANIFEST.tsv").exists():
        with open(Path(folder, "MANIFEST.tsv"), newline="") as manifest:
            paths = [(row["path"], Path(folder, row["path"])) for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE)]
    for name, path in paths + [(f"pydicom/{path.name}", path) for path in pydicom_files()]:
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in seen:
            seen.add(digest)
            yield name, path


def told(answer):
    """200, or the status and the reason: what stands behind the fault's own sentence."""
    if answer.status == 200:
        return "200"
    text = answer.body.decode("utf-8", "replace").partition("\nRequest ")[0].partition(". ")[2]
    for rest in ("Available as", "Available:", "There is no form"):
        text = text.partition(rest)[0] or text
    return f"{answer.status} {' '.join(text.split())[:110]}".strip()


class Asked:
    """One stored file, and what comes of it."""
    def __init__(self, server, name, path):
        self.server, self.name, self.data = server, name, path.read_bytes()
        self.stored = server.store([self.data])
        module = self.stored.json() if self.stored.body else {}
        item = module.get("00081199", {}).get("Value", [None])[0]
        self.url = value(item, "00081190").removeprefix(server.url) if item else None
        self.metadata = {}
        if self.url:
            answer = server.get(self.url + "/metadata", JSON)
            self.metadata = answer.json()[0] if answer.status == 200 else {}
        self.has_pixels = any(tag in self.metadata for tag in ("7FE00010", "7FE00008", "7FE00009"))
        self.frames = int((self.metadata.get("00280008", {}).get("Value") or [1])[0])

    def forget(self):
        if self.url:
            self.server.call("DELETE", self.url)

    def number(self, tag):
        return int((self.metadata.get(tag, {}).get("Value") or [0])[0])

    def first_and_last(self):
        return sorted({1, max(self.frames, 1)})

    def row(self):
        get = self.server.get
        native = {told(get(f"{self.url}/frames/{n}", {"Accept": "application/octet-stream"})) for n in self.first_and_last()}
        refused = {}
        for syntax in TARGETS:
            wanted = {"Accept": f"application/dicom; transfer-syntax={ROOT}{syntax}"}
            if self.server.call("HEAD", self.url, headers=wanted).status != 200:
                reason = told(get(self.url, wanted)).replace(ROOT + syntax + " ", "")
                refused.setdefault(reason, []).append(syntax)
        return {"path": self.name, "frames": str(self.frames), "native": "; ".join(sorted(native)),
                "rendered": told(get(f"{self.url}/rendered", {"Accept": "multipart/related; type=image/jpeg, image/jpeg"})),
                "thumbnail": told(get(f"{self.url}/thumbnail")), "file": told(get(self.url, {"Accept": "application/dicom"})),
                "refused": "; ".join(f"{' '.join(syntaxes)}: {reason}" for reason, syntaxes in refused.items())}

    def samples(self, syntax):
        """The whole instance in a transfer syntax, as pydicom reads it."""
        from pydicom import dcmread
        answer = self.server.get(self.url, {"Accept": f"application/dicom; transfer-syntax={ROOT}{syntax}"})
        try:
            return dcmread(io.BytesIO(answer.body)) if answer.status == 200 else None
        except Exception:
            return None  # broken files, which pydicom does not read


@unittest.skipUnless(os.environ.get("GANTRY_TEST_DATA"), "no collection of real files")
class Pixels(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        with open(TABLE, newline="") as table:
            self.rows = {row["path"]: row for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)}

    def each(self, check):
        """`check` of each stored file with pixels; what one fails in costs that one."""
        seen = 0
        for name, path in list(files())[::EACH]:
            asked = Asked(self.server, name, path)
            with self.subTest(name):
                if asked.has_pixels:
                    seen += 1
                    check(asked)
            asked.forget()
        return seen

    def test_every_file_is_answered_as_the_table_says(self):
        seen = self.each(lambda asked: self.assertEqual(asked.row(), self.rows.get(asked.name)))
        if EACH == 1:
            self.assertEqual(seen, len(self.rows))
        self.assertGreater(seen, 280 // EACH - 20)
        self.assertNotIn("500\t", TABLE.read_text(), "a failure without a reason")

    def test_frames_alone_are_those_of_the_instance_and_rle_of_it_is_what_pydicom_decodes(self):
        compared = {"frames": 0, "instances": 0}

        def check(asked):
            samples = asked.number("00280010") * asked.number("00280011") * (asked.number("00280002") or 1) * asked.frames
            sound = not asked.name.startswith("broken/")  # pydicom does not bear what those leave out
            native = asked.samples(".1") if sound and 0 < samples <= SAMPLES_MOST else None
            if native is None or "PixelData" not in native or native["PixelData"].is_undefined_length:
                return
            bits = native.Rows * native.Columns * native.get("SamplesPerPixel", 1) * native.BitsAllocated
            if native.get("PhotometricInterpretation") == "YBR_FULL_422":
                bits = bits * 2 // 3
            for n in asked.first_and_last() if bits % 8 == 0 else ():
                got = self.server.get(f"{asked.url}/frames/{n}", {"Accept": "application/octet-stream"})
                if got.status == 200:
                    self.assertEqual(got.body, native.PixelData[(n - 1) * bits // 8:n * bits // 8])
                    compared["frames"] += 1
            made = asked.samples(".5")
            if made is None or native.BitsAllocated == 1 or "SamplesPerPixel" not in native or native.PhotometricInterpretation == "YBR_FULL_422":
                return
            for ds in (native, made):
                ds.PixelRepresentation = 0  # the bits are compared
            self.assertTrue(numpy.array_equal(native.pixel_array, made.pixel_array))
            compared["instances"] += 1
        self.each(check)
        self.assertGreater(compared["instances"], 150 // EACH - 20)
        self.assertGreater(compared["frames"], 180 // EACH - 20)


if __name__ == "__main__":
    if sys.argv[1:] == ["table"]:
        server, table = Server(), csv.DictWriter(sys.stdout, COLUMNS, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        table.writeheader()
        for name, path in files():
            asked = Asked(server, name, path)
            if asked.has_pixels:
                table.writerow(asked.row())
            asked.forget()
        server.stop()
    else:
        unittest.main()

"""Real files as rendered here and by DCMTK's dcmj2pnm, pixel by pixel; where DCMTK is not right, or cannot, the reason stands below.
Needs GANTRY_TEST_DATA and dcmj2pnm."""
import csv
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import warnings

import numpy
from gantry import ServerCase
from pictures import read_png

FOLDER = os.environ.get("GANTRY_TEST_DATA", "")
CHOSEN = ("colour/", "modalities/", "syntaxes/", "fragments/", "objects/", "wsi/", "structure/")
LARGEST = 2_500_000
# DCMTK does not colour by a supplemental palette (Pixel Presentation COLOR).
SUPPLEMENTAL = ("fragments/CT0012.",)
# DCMTK 3.6.7 reckons YBR_FULL in whole numbers and is off by up to 2.
ROUNDED = ("colour/Issue19.dcm", "colour/SC_ybr_full_uncompressed.dcm")


def read_pnm(data):
    head = re.match(rb"(P[56])\s+(?:#.*\n)?(\d+)\s+(\d+)\s+\d+\s", data)
    columns, rows = int(head.group(2)), int(head.group(3))
    samples = 3 if head.group(1) == b"P6" else 1
    pixels = numpy.frombuffer(data[head.end():], numpy.uint8)[:rows * columns * samples]
    return pixels.reshape((rows, columns) if samples == 1 else (rows, columns, 3))


def window_for(ds):
    """What is asked of both: the file's window or table, or one that both are told."""
    if "MONO" not in str(ds.get("PhotometricInterpretation", "")):
        return "", []
    if ds.get("WindowCenter") not in (None, ""):
        return "", ["+Wi", "1"]
    if "VOILUTSequence" in ds:
        return "", ["+Wl", "1"]
    center, width = (128, 256) if int(ds.get("BitsStored", 16)) <= 8 else (600, 1800)
    return f"?window={center},{width},linear", ["+Ww", str(center), str(width)]


@unittest.skipUnless(os.path.isfile(os.path.join(FOLDER, "MANIFEST.tsv")), "GANTRY_TEST_DATA names no collection of files")
@unittest.skipUnless(shutil.which("dcmj2pnm"), "dcmj2pnm is not installed")
class AgainstDcmtk(ServerCase):
    arguments = ("--duplicates", "replace")

    def compare(self, row):
        from pydicom import dcmread
        path = os.path.join(FOLDER, row["path"])
        ds = dcmread(path, force=True, stop_before_pixels=True)
        with open(path, "rb") as file:
            stored = self.server.store([file.read()])
        if stored.status == 409 and "00081199" not in stored.json():
            return False  # one of those that share a SOP Instance UID, or not storable
        url = stored.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
        query, options = window_for(ds)
        with tempfile.NamedTemporaryFile(suffix=".pnm") as out:
            reference = subprocess.run(["dcmj2pnm", "-q", "-O", "+op", *options, "+F", "1", path, out.name], capture_output=True)
            if reference.returncode:
                return False
            want = read_pnm(out.read())
        answer = self.server.get(url[url.index("/studies/"):] + "/frames/1/rendered" + query, {"Accept": "image/png"})
        if answer.status == 406 and row["dcmtk367_decodes"] != "ok":
            return False
        self.assertStatus(answer, 200)
        got = read_png(answer.body)
        if got.ndim != want.ndim:
            got, want = (p if p.ndim == 3 else numpy.repeat(p[:, :, None], 3, axis=2) for p in (got, want))
        self.assertEqual(got.shape, want.shape)
        off = numpy.abs(got.astype(int) - want)
        self.assertLessEqual(int(off.max()), 2 if row["path"].startswith(ROUNDED) else 1)
        return True

    def test_REN_61_real_files_agree_with_dcmtk_within_one_level(self):
        warnings.simplefilter("ignore")
        compared = 0
        with open(os.path.join(FOLDER, "MANIFEST.tsv"), encoding="utf-8") as manifest:
            rows = [row for row in csv.DictReader(manifest, delimiter="\t")
                    if row["path"].startswith(CHOSEN) and row["rows"] and row["storable"] == "yes" and int(row["size"]) <= LARGEST
                    and not row["path"].startswith(SUPPLEMENTAL) and row["dcmtk367_decodes"] == "ok"]
        for row in rows:
            with self.subTest(row["path"]):
                compared += self.compare(row)
        self.assertGreater(compared, 80)


if __name__ == "__main__":
    unittest.main()

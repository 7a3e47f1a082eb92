"""Every real file through every representation that it can have without a codec, each against pydicom's reading of the
file that was sent: whole instances (as stored, rewritten as Explicit VR Little Endian), every frame alone and in lists,
native pixel data, ranges of each."""
import csv
import io
import os
import random
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path

from gantry import ServerCase, make_dicom, path_of
from test_real_files import describe, pydicom_files

IMPLICIT, EXPLICIT, DEFLATED, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
REWRITTEN = {IMPLICIT, DEFLATED, BIG}
ANY_FILE = {"Accept": "application/dicom; transfer-syntax=*"}
ANY_FRAMES = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}


def real_files():
    folder = os.environ.get("GANTRY_TEST_DATA")
    if folder and Path(folder, "MANIFEST.tsv").exists():
        with open(Path(folder, "MANIFEST.tsv"), newline="") as manifest:
            rows = csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE)
            return [Path(folder, row["path"]) for row in rows if row["storable"] == "yes" and not row["path"].startswith("broken/")]
    return pydicom_files()


def values(ds, into=None, path=()):
    """{path: (VR or None, value)} of a data set, sequences gone into, group lengths left out."""
    into = {} if into is None else into
    for element in ds:
        if element.tag.element == 0:
            continue
        here = path + (int(element.tag),)
        if element.VR == "SQ":
            into[here] = "SQ", len(element.value)
            for n, item in enumerate(element.value):
                values(item, into, here + (n,))
        else:
            into[here] = element.VR, element.value
    return into


def swapped(data, unit):
    from array import array
    if unit == 1:
        return data
    numbers = array({2: "H", 4: "I", 8: "Q"}[unit], data[:len(data) // unit * unit])
    numbers.byteswap()
    return numbers.tobytes() + data[len(data) // unit * unit:]


def pixels_of(ds):
    """Native pixel data, little endian, and the bits of a frame."""
    keyword, bits = next(((k, b) for k, b in (("PixelData", ds.get("BitsAllocated", 0)), ("FloatPixelData", 32),
                                              ("DoubleFloatPixelData", 64)) if k in ds), (None, 0))
    if keyword is None:
        return None, 0
    data = ds[keyword].value
    if not ds.is_little_endian and ds[keyword].VR != "OB":
        data = swapped(data, max(bits // 8, 2))
    frame = ds.get("Rows", 0) * ds.get("Columns", 0) * ds.get("SamplesPerPixel", 1) * bits
    if ds.get("PhotometricInterpretation") == "YBR_FULL_422":
        frame = frame * 2 // 3
    return data, frame


def cut_bits(data, start, bits):
    number = int.from_bytes(data[start // 8:(start + bits + 7) // 8], "little") >> start % 8
    return (number & ((1 << bits) - 1)).to_bytes((bits + 7) // 8, "little")


class Representations(ServerCase):
    def setUp(self):
        from pydicom import config
        self.addCleanup(setattr, config, "replace_un_with_known_vr", config.replace_un_with_known_vr)
        config.replace_un_with_known_vr = False

    def each_stored(self):
        from pydicom import dcmread
        for path in real_files():
            data, syntax, storable, _ = describe(path)
            if not storable:
                continue
            self.server.store([data])
            if self.server.get(path_of(data) + "/metadata").status != 200:
                continue
            stored = self.server.get(path_of(data), {"Accept": f"application/dicom; transfer-syntax={syntax}"})
            if syntax not in (IMPLICIT, BIG) and stored.body != data:
                continue  # another file of the collection has the same UID
            yield path, data, syntax, dcmread(io.BytesIO(data), force=True)
            self.server.call("DELETE", path_of(data))

    def test_GEN_08_NEG_33_every_file_that_has_to_be_rewritten_says_what_it_said(self):
        from pydicom import dcmread
        compared = 0
        for path, data, syntax, was in self.each_stored():
            if syntax not in REWRITTEN:
                continue
            with self.subTest(path.name):
                answer = self.assertStatus(self.server.get(path_of(data), ANY_FILE), 200)
                self.assertEqual(answer.headers["Content-Type"], f"application/dicom; transfer-syntax={EXPLICIT}")
                if syntax != DEFLATED:
                    self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
                now = dcmread(io.BytesIO(answer.body))
                self.assertEqual(str(now.file_meta.TransferSyntaxUID), EXPLICIT)
                for keyword in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID"):
                    self.assertEqual(now.file_meta[keyword].value, was[keyword.removeprefix("MediaStorage")].value)
                meta = 132 + 12 + now.file_meta.FileMetaInformationGroupLength
                self.assertEqual(answer.body[meta:meta + 1], bytes([was[sorted(k for k in was.keys() if k.element)[0]].tag.group & 255]))
                pixels, _ = pixels_of(was)
                got, _ = pixels_of(now)
                self.assertEqual(got, pixels)
                before, after = values(was), values(now)
                self.assertEqual(set(before), set(after))
                for where, (vr, value) in before.items():
                    if where[-1] in (0x7FE00010, 0x7FE00008, 0x7FE00009):
                        continue
                    if syntax == BIG and vr in ("OW", "OF", "OL", "OD", "OV") and isinstance(value, bytes):
                        value = swapped(value, {"OW": 2, "OF": 4, "OL": 4}.get(vr, 8))
                    if after[where][0] != vr and "UN" in (vr, after[where][0]):
                        continue  # the dictionaries of private elements differ
                    self.assertEqual(repr(after[where][1]), repr(value), [hex(w) for w in where])
                compared += 1
        self.assertGreater(compared, 15)

    def test_RET_50_to_54_every_frame_of_every_file(self):
        from pydicom.encaps import generate_pixel_data_frame
        compared = refused = 0
        for path, data, syntax, ds in self.each_stored():
            count = int(ds.get("NumberOfFrames") or 1)
            encapsulated = "PixelData" in ds and ds["PixelData"].is_undefined_length
            try:
                if encapsulated:
                    expected = list(generate_pixel_data_frame(ds.PixelData, count))
                else:
                    pixels, bits = pixels_of(ds)
                    if not bits or not pixels:
                        continue
                    expected = [cut_bits(pixels, n * bits, bits) if bits % 8 else pixels[n * bits // 8:(n + 1) * bits // 8]
                                for n in range(min(count, len(pixels) * 8 // bits))]
            except Exception:
                continue  # pydicom cannot tell the frames apart
            with self.subTest(path.name):
                label = syntax if encapsulated else EXPLICIT
                got = []
                for n in sorted({*range(1, min(count, 5) + 1), count}):
                    answer = self.server.get(f"{path_of(data)}/frames/{n}", ANY_FRAMES)
                    if n > len(expected):
                        self.assertEqual(answer.status, 404)
                        continue
                    if answer.status in (404, 406):
                        self.assertTrue(encapsulated, answer)
                        refused += 1
                        continue
                    self.assertStatus(answer, 200)
                    self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
                    (headers, payload), = answer.parts()
                    self.assertEqual(headers["Content-Type"], f"application/octet-stream; transfer-syntax={label}")
                    if encapsulated:
                        self.assertEqual(payload.rstrip(b"\0"), expected[n - 1].rstrip(b"\0"))
                    else:
                        self.assertEqual(payload, expected[n - 1])
                    got.append((n, payload, answer))
                    compared += 1
                if not got:
                    continue
                listed = self.server.get(f"{path_of(data)}/frames/" + ",".join(str(n) for n, _, _ in reversed(got)), ANY_FRAMES)
                self.assertEqual([p for _, p in listed.parts()], [p for _, p, _ in reversed(got)])
                n, payload, whole = got[-1]
                alone = self.server.get(f"{path_of(data)}/frames/{n}", {"Accept": "application/octet-stream; transfer-syntax=*"})
                self.assertEqual(alone.body, payload)
                for _ in range(2):
                    start = random.randrange(len(whole.body))
                    end = random.randrange(start, len(whole.body))
                    part = self.server.get(f"{path_of(data)}/frames/{n}", {**ANY_FRAMES, "Range": f"bytes={start}-{end}", "If-Range": whole.headers["ETag"]})
                    self.assertEqual((part.status, part.body), (206, whole.body[start:end + 1]), path.name)
        self.assertGreater(compared, 40)
        self.assertLess(refused, compared / 10)

    def test_RET_54_frames_of_bytes_in_big_endian_words_that_begin_within_a_word(self):
        pixels = bytes(range(27)) + b"\0"
        data = make_dicom(syntax=BIG, rows=3, columns=3, frames=3, pixels=swapped(pixels, 2), BitsAllocated=8, BitsStored=8, HighBit=7)
        self.assertStatus(self.server.store([data]), 200)
        for n in (1, 2, 3):
            answer = self.assertStatus(self.server.get(f"{path_of(data)}/frames/{n}", {"Accept": "application/octet-stream"}), 200)
            self.assertEqual(answer.body, pixels[9 * (n - 1):9 * n])

    def test_RET_03_dcmtk_finds_nothing_wrong_with_a_rewritten_file(self):
        for syntax in (IMPLICIT, BIG):
            data = make_dicom(syntax=syntax, PatientComments="x" * 101)
            self.assertStatus(self.server.store([data]), 200)
            answer = self.assertStatus(self.server.get(path_of(data), ANY_FILE), 200)
            with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
                file.write(answer.body)
                file.flush()
                self.assertEqual(subprocess.run(["dcmftest", file.name], capture_output=True).returncode, 0)
                told = subprocess.run(["dcmdump", "-v", "-d", file.name], capture_output=True, text=True)
                self.assertEqual(told.returncode, 0, told.stderr)
                self.assertNotIn("W:", told.stderr)

    def test_RET_03_files_without_preamble_or_meta_leave_as_files(self):
        from pydicom import dcmread
        rle = "1.2.840.10008.1.2.5"
        plain, coded, deflated = make_dicom(), make_dicom(syntax=rle, encapsulated=[b"\1" + b"\0" * 3 + b"\x40" + b"\0" * 61]), make_dicom(syntax=DEFLATED)
        meta = lambda file: 132 + 12 + dcmread(io.BytesIO(file), stop_before_pixels=True).file_meta.FileMetaInformationGroupLength
        study = dcmread(io.BytesIO(plain)).StudyInstanceUID
        cases = [(plain, plain[meta(plain):], EXPLICIT), (make_dicom(study=study), None, EXPLICIT), (coded, coded[132:], rle), (deflated, deflated[132:], DEFLATED)]
        for file, sent, syntax in cases:
            with self.subTest(syntax, bare=sent is not None):
                self.assertStatus(self.server.store([sent or file[132:]]), 200)
                whole = self.assertStatus(self.server.get(path_of(file), {"Accept": f"application/dicom; transfer-syntax={syntax}"}), 200)
                self.assertEqual(int(whole.headers["Content-Length"]), len(whole.body))
                self.assertEqual(whole.body[:132], b"\0" * 128 + b"DICM")
                now = dcmread(io.BytesIO(whole.body))
                self.assertEqual(str(now.file_meta.TransferSyntaxUID), syntax)
                self.assertEqual((now.file_meta.MediaStorageSOPInstanceUID, now.file_meta.MediaStorageSOPClassUID), (now.SOPInstanceUID, now.SOPClassUID))
                self.assertEqual(whole.body[meta(whole.body):], file[meta(file):])
                with tempfile.NamedTemporaryFile(suffix=".dcm") as stored:
                    stored.write(whole.body)
                    stored.flush()
                    self.assertEqual(subprocess.run(["dcmftest", stored.name], capture_output=True).returncode, 0)
                wanted = {"Accept": f"application/dicom; transfer-syntax={syntax}", "If-Range": whole.headers["ETag"]}
                for start, end in ((0, 200), (100, len(whole.body) - 2), (len(whole.body) - 5, len(whole.body) - 1)):
                    part = self.server.get(path_of(file), {**wanted, "Range": f"bytes={start}-{end}"})
                    self.assertEqual((part.status, part.body), (206, whole.body[start:end + 1]))
        parts = self.assertStatus(self.server.get(f"/studies/{study}", {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}), 200).parts()
        self.assertEqual([body[128:132] for _, body in parts], [b"DICM"] * 2)
        archive = zipfile.ZipFile(io.BytesIO(self.server.get(f"/studies/{study}", {"Accept": "application/zip"}).body))
        self.assertEqual([archive.read(name)[128:132] for name in archive.namelist()], [b"DICM"] * 2)

    def test_TSX_19_a_text_too_long_for_its_length_field_is_sent_as_unknown(self):
        data = make_dicom(syntax=IMPLICIT, InstitutionAddress="A" * 70_000)
        self.assertStatus(self.server.store([data]), 200)
        from pydicom import dcmread
        now = dcmread(io.BytesIO(self.assertStatus(self.server.get(path_of(data), ANY_FILE), 200).body))
        self.assertEqual(len(now[0x00080081].value), 70_000)
        raw = self.server.get(path_of(data), ANY_FILE).body
        self.assertIn(b"\x08\x00\x81\x00UN\0\0" + (70_000).to_bytes(4, "little") + b"AAAA", raw)

    def test_GEN_09_a_stored_file_that_is_shorter_now_never_yields_an_answer_that_looks_whole(self):
        import http.client
        for syntax in (EXPLICIT, IMPLICIT):
            data = make_dicom(syntax=syntax, rows=600, columns=600, frames=3)
            self.assertStatus(self.server.store([data]), 200)
            newest = max(self.server.folder.rglob("*.dcm"), key=lambda p: p.stat().st_mtime_ns)
            os.truncate(newest, len(data) - 100_000)
            for target in ("", "/frames/3", "/frames/1,2,3", "/bulkdata/7FE00010"):
                for accept in ("*/*", "application/octet-stream; transfer-syntax=*, application/dicom; transfer-syntax=*, */*;q=0.1"):
                    with self.subTest(f"{syntax} {target} {accept}"):
                        try:
                            answer = self.server.get(path_of(data) + target, {"Accept": accept})
                        except (http.client.IncompleteRead, ConnectionError):
                            continue  # the connection was closed on a body that was not complete
                        self.assertEqual(answer.status, 500, answer)
            self.assertStatus(self.server.get(path_of(data) + "/frames/1", ANY_FRAMES), 200)


if __name__ == "__main__":
    unittest.main()

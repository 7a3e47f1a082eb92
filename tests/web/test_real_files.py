"""Real files: those that Debian's python3-pydicom ships, and a larger collection where it is present
(GANTRY_TEST_DATA names its folder). Every storable file is posted, found and fetched back byte-identical; every broken
one is answered, and nothing half-visible stays."""
import csv
import io
import os
import unittest
from pathlib import Path

from gantry import JSON, Server, ServerCase, data_set_of, path_of, uids_of, value

# Implicit VR elements under the label of a compressed syntax: not understood (C000).
MISLABELLED = {"SC_rgb_jpeg.dcm"}
EXACT = {"Accept": "application/dicom; transfer-syntax=*"}
NEVER_AS_STORED = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"}  # GEN-08


def pydicom_files():
    import pydicom.data
    folder = Path(pydicom.data.__file__).parent
    return sorted(p for p in (folder / "test_files").rglob("*.dcm") if p.stat().st_size < 20_000_000)


def describe(path):
    from pydicom import dcmread
    data = path.read_bytes()
    try:
        ds = dcmread(io.BytesIO(data), stop_before_pixels=True)
        uids = [str(ds[k].value) for k in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")]
        whole = all(u and len(u) <= 64 and not set(u) - set("0123456789.") for u in uids)
        # STO-23: file meta information that contradicts the data set is refused.
        whole = whole and uids[0] == str(ds.file_meta.get("MediaStorageSOPClassUID", uids[0]))
        whole = whole and uids[1] == str(ds.file_meta.get("MediaStorageSOPInstanceUID", uids[1])) and "truncated" not in path.name and path.name not in MISLABELLED
        return data, str(ds.file_meta.TransferSyntaxUID), whole and "DirectoryRecordSequence" not in ds, uids[1]
    except Exception:
        return data, None, False, None


class RealFiles(ServerCase):
    def round_trip(self, paths, must_store):
        stored, refused, seen = 0, [], set()
        for path in paths:
            data, syntax, storable, instance = describe(path)
            with self.subTest(path.name):
                answer = self.server.store([data])
                self.assertIn(answer.status, (200, 202, 409), f"{path.name}: {answer!r}")
                self.assertIsNone(self.server.process.poll(), f"{path.name} ended the server")
                if "00081199" not in answer.json():
                    if storable and instance not in seen and must_store:
                        refused.append((path.name, answer.json()))
                    continue
                stored += 1
                item = answer.json()["00081199"]["Value"][0]
                seen.add(value(item, "00081155"))
                url = value(item, "00081190").removeprefix(self.server.url)
                rows = self.server.get(f"/instances?SOPInstanceUID={value(item, '00081155')}", JSON)
                self.assertStatus(rows, 200)
                metadata = self.assertStatus(self.server.get(url + "/metadata", JSON), 200)
                self.assertEqual(value(metadata.json()[0], "00080018"), value(item, "00081155"))
                got = self.server.get(url, EXACT)
                if syntax in NEVER_AS_STORED:
                    self.assertIn(got.status, (200, 406), path.name)
                elif syntax:
                    self.assertStatus(got, 200)
                    # RET-03: a head that names no syntax is not sent on.
                    exact = not set(syntax) - set("0123456789.")
                    self.assertEqual(*(each if exact else data_set_of(each) for each in (got.body, data)), path.name)
                frames = self.server.get(url + "/frames/1", {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"})
                self.assertIn(frames.status, (200, 404, 406, 500), path.name)
        self.assertEqual([], refused, "\n".join(f"{name}: {module}" for name, module in refused))
        return stored

    def test_files_of_pydicom(self):
        self.assertGreater(self.round_trip(pydicom_files(), True), 30)

    def test_every_frame_of_pydicoms_files_against_pydicom(self):
        from pydicom import dcmread
        from pydicom.encaps import generate_pixel_data_frame
        compared = 0
        for path in pydicom_files():
            data, syntax, storable, _ = describe(path)
            if not storable:
                continue
            try:
                ds = dcmread(io.BytesIO(data))
                if "PixelData" not in ds:
                    continue
                count = int(ds.get("NumberOfFrames") or 1)
                if ds.file_meta.TransferSyntaxUID.is_encapsulated:
                    expected = list(generate_pixel_data_frame(ds.PixelData, count))
                elif ds.BitsAllocated >= 8 and syntax == "1.2.840.10008.1.2.1":
                    size = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8
                    expected = [ds.PixelData[i * size:(i + 1) * size] for i in range(count)]
                else:
                    continue
            except Exception:
                continue
            self.server.store([data])
            if self.server.get(path_of(data) + "/metadata").status != 200:
                continue
            got = self.server.get(path_of(data), EXACT)
            if got.body != data:
                continue  # another file of the collection has the same UID
            for n in sorted({1, count // 2 or 1, count}):
                with self.subTest(f"{path.name} frame {n}"):
                    answer = self.server.get(path_of(data) + f"/frames/{n}", {"Accept": "application/octet-stream; transfer-syntax=*"})
                    if n > len(expected) or not expected[n - 1]:
                        continue
                    self.assertStatus(answer, 200)
                    self.assertEqual(answer.body.rstrip(b"\0"), expected[n - 1].rstrip(b"\0"), path.name)
                    compared += 1
        self.assertGreater(compared, 20)


class Collection(RealFiles):
    """Each test has a server of its own: files of the collection share UIDs."""
    def setUp(self):
        folder = os.environ.get("GANTRY_TEST_DATA")
        if not folder or not Path(folder, "MANIFEST.tsv").exists():
            self.skipTest("the larger collection of real files is not here (GANTRY_TEST_DATA)")
        self.folder = Path(folder)
        with open(self.folder / "MANIFEST.tsv", newline="") as manifest:
            self.rows = list(csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE))
        self.server = Server()
        self.addCleanup(self.server.stop)

    def test_files_of_pydicom(self):
        self.skipTest("done by RealFiles")

    def test_every_frame_of_pydicoms_files_against_pydicom(self):
        self.skipTest("done by RealFiles")

    def test_every_storable_file_comes_back(self):
        paths = [self.folder / row["path"] for row in self.rows if row["storable"] == "yes" and not row["path"].startswith("broken/")]
        self.assertGreater(self.round_trip(paths, True), 230)

    def test_every_broken_file_is_answered(self):
        paths = [self.folder / row["path"] for row in self.rows if row["path"].startswith("broken/") or row["storable"] != "yes"]
        self.round_trip(paths, False)
        self.assertStatus(self.server.get("//readyz"), 200)
        rows = self.server.get("/instances?limit=5000", JSON).json()
        for row in rows:
            url = value(row, "00081190").removeprefix(self.server.url)
            self.assertIn(self.server.get(url, EXACT).status, (200, 406))


def verdict_of(module):
    """What became of the instances of a store, one text each."""
    out = []
    for tag, word in (("00081199", "stored"), ("00081198", "failed"), ("0008119A", "other")):
        for item in module.get(tag, {}).get("Value", []):
            reason = item.get("00081196" if word == "stored" else "00081197")
            out.append(word + (f" {reason['Value'][0]:04X}" if reason else ""))
    return out


class Verdicts(unittest.TestCase):
    """verdicts.tsv says of each file of the collection, stored in this order, what becomes of it and with which reason."""
    def setUp(self):
        folder = os.environ.get("GANTRY_TEST_DATA")
        if not folder or not Path(folder, "MANIFEST.tsv").exists():
            self.skipTest("the larger collection of real files is not here (GANTRY_TEST_DATA)")
        self.folder = Path(folder)
        with open(Path(__file__).with_name("verdicts.tsv"), newline="") as table:
            self.rows = list(csv.DictReader(table, delimiter="\t"))
        self.server = Server()
        self.addCleanup(self.server.stop)

    def test_every_file_has_its_verdict(self):
        self.assertGreater(len(self.rows), 460)
        for row in self.rows:
            with self.subTest(row["path"]):
                answer = self.server.store([(self.folder / row["path"]).read_bytes()])
                module = answer.json()
                self.assertEqual(verdict_of(module), [row["verdict"]])
                self.assertEqual(answer.status, {"stored": 200}.get(row["verdict"], 202 if row["verdict"].startswith("stored") else 409))
                if not row["verdict"].startswith("stored") and not row["verdict"].endswith("0111"):
                    item = (module.get("00081198") or module["0008119A"])["Value"][0]
                    self.assertTrue(item["00741048"]["Value"][0]["00000902"]["Value"][0], "a failure says why")

    def test_all_in_one_store_fare_as_one_by_one(self):
        def body():
            for row in self.rows:
                yield b"--B\r\nContent-Type: application/dicom\r\n\r\n" + (self.folder / row["path"]).read_bytes() + b"\r\n"
            yield b"--B--\r\n"
        answer = self.server.call("POST", "/studies", body(), {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B',
                                                               "Transfer-Encoding": "chunked"})
        self.assertEqual(answer.status, 202)
        self.assertEqual(sorted(verdict_of(answer.json())), sorted(row["verdict"] for row in self.rows))


if __name__ == "__main__":
    unittest.main()

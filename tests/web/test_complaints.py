"""What users of other DICOMweb servers complain of (docs/complaints.md) and no test of one transaction shows."""
import io
import json
import os
import re
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path
from urllib.parse import quote

from gantry import JSON, REPOSITORY, SLOWER, Server, ServerCase, make_dicom, path_of, uid, uids_of, value

OCTETS = {"Accept": "application/octet-stream"}
NAMES = (("GB18030", "王^小东", "王*"), ("ISO_IR 126", "Διονύσιος^Α", "διονυσιος*"), ("ISO_IR 144", "Иванов^Пётр", "*иванов*"),
         ("ISO_IR 192", "Şahin^Ömer", "sahin*"), ("ISO_IR 100", "Müller^Jörg", "MULLER*"))


def with_elements(file, change):
    """The file again, after change(data set)."""
    from pydicom import dcmread
    ds = dcmread(io.BytesIO(file))
    change(ds)
    again = io.BytesIO()
    ds.save_as(again)
    return again.getvalue()


class Metadata(ServerCase):
    def test_searches_and_metadata_open_no_stored_file(self):
        study = uid(os.getpid(), 31)
        files = [make_dicom(study=study, series=f"{study}.{n % 3}", instance=f"{study}.{n}.1") for n in range(1, 31)]
        server = Server()
        try:
            self.assertStatus(server.store(files), 200)
            server.terminate()
            for stored in (server.folder / "objects").rglob("*.dcm"):
                stored.unlink()
            server.start()
            for path, rows in ((f"/studies?StudyInstanceUID={study}&includefield=all", 1), (f"/studies/{study}/series?includefield=all", 3),
                               (f"/studies/{study}/instances?includefield=all", 30), (f"/studies/{study}/metadata", 30),
                               (f"/studies/{study}/series/{study}.1/metadata", 10), (path_of(files[0]) + "/metadata", 1)):
                answer = self.assertStatus(server.get(path, JSON), 200)
                self.assertEqual(len(answer.json()), rows, path)
                self.assertRegex(answer.headers["Server-Timing"], r"^total;dur=\d+\.\d{3}$")
            xml = {"Accept": 'multipart/related; type="application/dicom+xml"'}
            self.assertEqual(len(self.assertStatus(server.get(f"/studies/{study}/metadata", xml), 200).parts()), 30)
            self.assertIn(server.get(path_of(files[0]) + "/frames/1").status, (404, 500))  # so the files were really away
        finally:
            server.stop()

    def test_long_and_unwritable_numbers_are_links_at_any_depth(self):
        """A registration of 429 MB as JSON numbers; NaN, which JSON has not."""
        import numpy
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence
        vectors = numpy.arange(30000, dtype="<f4").tobytes()

        def change(ds):
            item, grid = Dataset(), Dataset()
            grid.VectorGridData = vectors
            item.DeformableRegistrationGridSequence = Sequence([grid])
            ds.DeformableRegistrationSequence = Sequence([item])
            ds.add_new(0x00189461, "FL", [1.5] * 20000)
            ds.add_new(0x00189306, "FD", [float("nan"), 1.0, float("-inf")])
            ds.add_new(0x30060050, "DS", [f"{n}.5" for n in range(8000)])
        file = with_elements(make_dicom(rows=0, sop_class="1.2.840.10008.5.1.4.1.1.66.3", Modality="REG"), change)
        self.assertStatus(self.server.store([file]), 200)
        answer = self.assertStatus(self.server.get(path_of(file) + "/metadata", JSON), 200)
        row, = json.loads(answer.body, parse_constant=lambda name: self.fail(f"{name} is no JSON"))
        self.assertLess(len(answer.body), 200_000)
        grid, = row["00640002"]["Value"][0]["00640005"]["Value"]
        for attribute, size in ((grid["00640009"], len(vectors)), (row["00189461"], 80000), (row["00189306"], 24)):
            link = attribute["BulkDataURI"].removeprefix(self.server.url)
            head = self.assertStatus(self.server.call("HEAD", link, headers=OCTETS), 200)
            self.assertEqual(int(head.headers["Content-Length"]), size)
            self.assertTrue(head.headers["ETag"])
            part = self.assertStatus(self.server.get(link, {**OCTETS, "Range": "bytes=4-7"}), 206)
            self.assertEqual(len(part.body), 4)
        self.assertEqual(self.server.get(grid["00640009"]["BulkDataURI"].removeprefix(self.server.url), OCTETS).body, vectors)
        self.assertEqual(len(row["30060050"]["Value"]), 8000)  # contours stay numbers: few readers follow links there

    def test_names_in_any_script_are_found_and_shown_whatever_their_case(self):
        for charset, name, pattern in NAMES:
            with self.subTest(charset):
                file = make_dicom(SpecificCharacterSet=charset, PatientName=name, InstitutionName=name.split("^")[0])
                self.assertStatus(self.server.store([file]), 200)
                query = f"/studies?StudyInstanceUID={uids_of(file)[0]}&includefield=InstitutionName&PatientName=" + quote(pattern)
                row, = self.assertStatus(self.server.get(query, JSON), 200).json()
                metadata, = self.server.get(path_of(file) + "/metadata", JSON).json()
                for told in (row, metadata):
                    self.assertEqual(value(told, "00100010"), {"Alphabetic": name})
                    self.assertEqual(value(told, "00080005"), "ISO_IR 192")
                self.assertEqual(value(metadata, "00080080"), name.split("^")[0])
                other = quote("ж" * len(pattern))  # as long, in other letters
                self.assertStatus(self.server.get(f"/studies?StudyInstanceUID={uids_of(file)[0]}&PatientName={other}", JSON), 204)

    def test_the_three_ways_to_write_a_name_stay_apart(self):
        file = make_dicom(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
        self.assertStatus(self.server.store([file]), 200)
        groups = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
        for pattern in ("yamada*", "山田*", "やまだ*"):
            row, = self.assertStatus(self.server.get(f"/studies?StudyInstanceUID={uids_of(file)[0]}&PatientName={quote(pattern)}", JSON), 200).json()
            self.assertEqual(value(row, "00100010"), groups)


class Searching(ServerCase):
    def test_what_viewers_read_from_rows_is_there_even_where_the_files_lack_it(self):
        def change(ds):
            for keyword in ("Modality", "SeriesNumber", "InstanceNumber", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "PatientName"):
                delattr(ds, keyword)
        file = with_elements(make_dicom(), change)
        self.assertStatus(self.server.store([file]), 200)
        study, series, _ = uids_of(file)
        required = {
            f"/studies?StudyInstanceUID={study}": "00080020 00080030 00080050 00080056 00080061 00080090 00081190 00100010 00100020 00100030 "
                                                  "00100040 0020000D 00200010 00201206 00201208",
            f"/studies/{study}/series": "00080060 00081190 0020000E 00200011 00201209",
            f"/studies/{study}/series/{series}/instances": "00080016 00080018 00080056 00081190 00083002 00200013 00280010 00280011 00280100",
        }
        for path, tags in required.items():
            row, = self.assertStatus(self.server.get(path, JSON), 200).json()
            self.assertEqual([tag for tag in tags.split() if tag not in row], [], path)
            self.assertTrue(all(row[tag]["vr"] for tag in row))

    def test_keys_that_other_servers_refuse_are_matched_or_ignored_with_a_word(self):
        file = make_dicom()
        self.assertStatus(self.server.store([file]), 200)
        study = uids_of(file)[0]
        matched = (f"/studies/{study}/instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.2", f"/studies?StudyInstanceUID={study}&ModalitiesInStudy=CT",
                   f"/studies/{study}/instances?includefield=AvailableTransferSyntaxUID", f"/studies?StudyInstanceUID={study}&PatientName=*o?*",
                   f"/studies?StudyInstanceUID={study}&includefield=00091001")
        for path in matched:
            answer = self.assertStatus(self.server.get(path, JSON), 200)
            self.assertEqual((len(answer.json()), answer.headers["Warning"]), (1, None), path)
        self.assertStatus(self.server.get(f"/studies/{study}/instances?SOPClassUID=1.2.3", JSON), 204)
        ignored = ("00091001=x", "0009xx01=x", "Modality=MR", "WindowCenter=1")
        for key in ignored:
            answer = self.assertStatus(self.server.get(f"/studies?StudyInstanceUID={study}&{key}", JSON), 200)
            self.assertIn("ignored", answer.headers["Warning"])

    def test_paging_while_studies_arrive_skips_none_that_was_there(self):
        here = [make_dicom(StudyDate="20240301", AccessionNumber="PAGED") for _ in range(30)]
        self.assertStatus(self.server.store(here), 200)
        seen, offset = [], 0
        while True:
            answer = self.server.get(f"/studies?AccessionNumber=PAGED&limit=4&offset={offset}", JSON)
            if answer.status == 204:
                break
            seen += [value(row, "0020000D") for row in answer.json()]
            offset += 4
            newer, older = (make_dicom(StudyDate=date, AccessionNumber="PAGED") for date in ("20250101", "20230101"))
            if offset < 60:
                self.assertStatus(self.server.store([newer, older]), 200)
        self.assertEqual({uids_of(file)[0] for file in here} - set(seen), set())


class Negotiation(ServerCase):
    def test_what_is_not_acceptable_is_406_on_every_resource(self):
        """And never 400, 500, or an answer in another type."""
        file = make_dicom()
        self.assertStatus(self.server.store([file]), 200)
        study, series, instance = uids_of(file)
        known = iter((study, series, instance, "1"))
        routes = re.findall(r'^ROUTE\(GET,\s+"([^"]+)"', (REPOSITORY / "handlers/routes.def").read_text(), re.M)
        self.assertGreater(len(routes), 25)
        metadata = self.server.get(path_of(file) + "/metadata", JSON).json()[0]
        for route in routes:
            if route in ("/", "/wado"):
                continue
            known = iter((study, series, instance, "1"))
            path = re.sub(r"\{\}", lambda _: next(known), route)
            if "{...}" in path:
                path = metadata["7FE00010"]["BulkDataURI"].removeprefix(self.server.url)
            for accept in ("application/x-nothing", 'multipart/related; type="application/x-nothing"', "image/x-nothing;q=0.5"):
                with self.subTest(f"{path} {accept}"):
                    self.assertStatus(self.server.get(path, {"Accept": accept}), 406)


class Pictures(ServerCase):
    def test_pictures_of_every_kind_in_every_syntax_come_in_every_size(self):
        """Scaling what is compressed or coloured by a palette; thumbnails that are no pictures."""
        import numpy
        from PIL import Image
        ramp = numpy.tile(numpy.arange(64, dtype=numpy.uint16), 64)
        table = numpy.arange(256, dtype=numpy.uint16) * 257
        kinds = {
            "MONOCHROME1": dict(pixels=(ramp * 64).tobytes(), PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11),
            "signed": dict(pixels=(ramp.astype(numpy.int16) - 32).tobytes(), PixelRepresentation=1),
            "PALETTE COLOR": dict(pixels=ramp.astype(numpy.uint8).tobytes(), PhotometricInterpretation="PALETTE COLOR", BitsAllocated=8, BitsStored=8,
                                  HighBit=7, elements=[(0x00281101 + n, "US", [256, 0, 16]) for n in range(3)] +
                                                      [(0x00281201 + n, "OW", table.tobytes()) for n in range(3)]),
            "RGB": dict(pixels=numpy.repeat(ramp.astype(numpy.uint8), 3).tobytes(), PhotometricInterpretation="RGB", SamplesPerPixel=3, BitsAllocated=8,
                        BitsStored=8, HighBit=7, PlanarConfiguration=0),
        }
        for kind, attributes in kinds.items():
            native = make_dicom(rows=64, columns=64, **attributes)
            self.assertStatus(self.server.store([native]), 200)
            for syntax in ("1", "5", "4.70", "4.80", "4.90", "4.201"):
                with self.subTest(f"{kind} {syntax}"):
                    file = native
                    if syntax != "1":
                        named = {"Accept": f"application/dicom; transfer-syntax=1.2.840.10008.1.2.{syntax}"}
                        made = self.assertStatus(self.server.get(path_of(native), named), 200).body
                        old = uids_of(made)[2]
                        file = made.replace(old.encode(), (old[:-1] + ("2" if old[-1] != "2" else "3")).encode())
                        self.server.call("DELETE", path_of(file))
                        self.assertStatus(self.server.store([file]), 200)
                    for resource, size in (("/rendered", (64, 64)), ("/rendered?viewport=16,16", (16, 16)), ("/rendered?viewport=100,100", (100, 100)),
                                           ("/thumbnail?viewport=8,8", (8, 8)), ("/thumbnail", None)):
                        answer = self.assertStatus(self.server.get(path_of(file) + resource, {"Accept": "image/png"}), 200)
                        picture = Image.open(io.BytesIO(answer.body))
                        picture.load()
                        if size:
                            self.assertEqual(picture.size, size, resource)
                        row = [sum(pixel) if isinstance(pixel, tuple) else pixel
                               for pixel in (picture.getpixel((x, picture.height // 2)) for x in range(picture.width))]
                        self.assertEqual(row, sorted(row, reverse=kind == "MONOCHROME1"), resource)
                        self.assertGreater(max(row), min(row))


class Deleting(ServerCase):
    def test_deletes_and_stores_of_one_study_from_many_sides_are_never_5xx(self):
        study = uid(os.getpid(), 77)
        files = [make_dicom(study=study, series=f"{study}.{n % 2}", instance=f"{study}.{n}.9") for n in range(8)]
        self.assertStatus(self.server.store(files), 200)
        heard = {"DELETE": set(), "POST": set()}

        def delete(path):
            for _ in range(6):
                heard["DELETE"].add(self.server.call("DELETE", path).status)

        def store():
            for _ in range(6):
                heard["POST"].add(self.server.store(files).status)
        paths = [f"/studies/{study}"] * 2 + [f"/studies/{study}/series/{study}.1"] * 2 + [path_of(files[0])] * 2
        threads = [threading.Thread(target=delete, args=(path,)) for path in paths] + [threading.Thread(target=store) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(heard["DELETE"], {204, 404, 410}, heard)
        self.assertEqual(heard["POST"], {200})
        # What is left is whole: as many files as rows, each served.
        rows = self.server.get(f"/studies/{study}/instances", JSON)
        left = rows.json() if rows.status == 200 else []
        for row in left:
            link = value(row, "00081190").removeprefix(self.server.url)
            self.assertStatus(self.server.get(link, {"Accept": "application/dicom"}), 200)
        self.assertEqual(len(list(self.server.folder.rglob("*.dcm"))), len(left))
        if left:
            self.assertEqual(value(self.server.get(f"/studies?StudyInstanceUID={study}", JSON).json()[0], "00201208"), len(left))


class Readme(unittest.TestCase):
    def test_the_first_steps_of_the_readme_work_as_they_are_written(self):
        steps = (REPOSITORY / "README.md").read_text().split("## First steps")[1].split("```")[1]
        steps = re.sub(r"^(B|CA)=.*$", "", steps, flags=re.M)
        one, two = make_dicom(PatientName="Doe^One"), make_dicom(PatientName="DOE^Two")
        server = Server()
        try:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "one.dcm").write_bytes(one)
                (folder / "two.dcm").write_bytes(two)
                study, series, instance = uids_of(one)
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", steps.replace("curl ", "curl -sS --fail-with-body ")], cwd=folder,
                                      capture_output=True, timeout=120 * SLOWER,
                                      env=os.environ | {"B": server.url, "CA": server.ca, "STUDY": study, "SERIES": series, "INSTANCE": instance})
                self.assertEqual((done.returncode, done.stderr), (0, b""), done.stdout)
                self.assertEqual((folder / "frame.raw").read_bytes(), one[-512:])
                self.assertEqual((folder / "frame.jpg").read_bytes()[:3], b"\xff\xd8\xff")
                self.assertEqual((folder / "study.jpg").read_bytes()[:3], b"\xff\xd8\xff")
                self.assertEqual(len(server.get("/studies", JSON).json()), 2)
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()

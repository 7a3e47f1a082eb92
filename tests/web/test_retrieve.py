"""WADO-RS (PS3.18 10.4) over TLS: instances, metadata, frames, bulk data; DELETE."""
import io
import os
import unittest

from gantry import JSON, ServerCase, make_dicom, path_of, uid, uids_of, value

ANY = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}  # Cornerstone's exact text
DICOM = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
JLS = "1.2.840.10008.1.2.4.80"
JPEG = "1.2.840.10008.1.2.4.50"


class Retrieve(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.study = uid(8, 1)
        cls.files = [make_dicom(study=cls.study, series=f"{cls.study}.{s}", instance=f"{cls.study}.{s}.{i}",
                                SeriesNumber=s, InstanceNumber=i) for s in (1, 2) for i in (1, 2, 3)]
        cls.multi = make_dicom(study=cls.study, series=f"{cls.study}.3", SeriesNumber=3, frames=10)
        cls.streams = [b"\xff\xd8\xff" + os.urandom(1000 + 2 * n) + b"\x01\xff\xd9" for n in range(5)]
        cls.jls = make_dicom(study=cls.study, series=f"{cls.study}.4", SeriesNumber=4, frames=5, syntax=JLS,
                             encapsulated=cls.streams)
        cls.jpeg = make_dicom(study=cls.study, series=f"{cls.study}.5", SeriesNumber=5, frames=5, syntax=JPEG,
                              encapsulated=cls.streams)
        cls.report = make_dicom(study=cls.study, series=f"{cls.study}.6", SeriesNumber=6, rows=0,
                                sop_class="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR")
        cls.all = cls.files + [cls.multi, cls.jls, cls.jpeg, cls.report]
        answer = cls.server.store(cls.all)
        assert answer.status == 200, answer

    def test_RET_01_study_series_and_instance_come_back_byte_identical(self):
        for path, files in ((f"/studies/{self.study}", self.all),
                            (f"/studies/{self.study}/series/{self.study}.2", self.files[3:]),
                            (path_of(self.files[0]), self.files[:1])):
            answer = self.assertStatus(self.server.get(path, DICOM), 200)
            self.assertTrue(answer.headers["Content-Type"].startswith('multipart/related; type="application/dicom"'))
            self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
            parts = answer.parts()
            self.assertEqual([payload for _, payload in parts], files)
            for (headers, _), file in zip(parts, files):
                self.assertEqual(headers["Content-Location"], self.server.url + path_of(file))
                self.assertIn("transfer-syntax=", headers["Content-Type"])

    def test_RET_06_NEG_14_default_accept_and_single_part(self):
        answer = self.assertStatus(self.server.get(path_of(self.files[0]), {"Accept": "*/*"}), 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("multipart/related"))
        answer = self.assertStatus(self.server.get(path_of(self.files[0]), {"Accept": "application/dicom"}), 200)
        self.assertEqual(answer.body, self.files[0])
        self.assertEqual(answer.headers["Content-Type"], "application/dicom; transfer-syntax=1.2.840.10008.1.2.1")

    def test_NEG_13_16_406_says_what_could_be_had(self):
        self.assertStatus(self.server.get(f"/studies/{self.study}", {"Accept": "application/dicom"}), 406)
        answer = self.assertStatus(self.server.get(path_of(self.files[0]), {"Accept": "text/csv"}), 406)
        self.assertIn(b"application/dicom", answer.body)

    def test_GEN_03_uids(self):
        self.assertStatus(self.server.get("/studies/1.2.abc"), 400)
        self.assertStatus(self.server.get("/studies/1.2.3.4.5.6.7.8.9"), 404)
        self.assertStatus(self.server.get("/studies/" + "1" * 65), 400)

    def test_RET_02_an_instance_under_the_wrong_series_is_404(self):
        study, series, instance = uids_of(self.files[0])
        self.assertStatus(self.server.get(f"/studies/{study}/series/{study}.2/instances/{instance}"), 404)
        self.assertStatus(self.server.get(f"/studies/1.2.3/series/{series}/instances/{instance}/frames/1", ANY), 404)

    def test_RET_20_21_metadata_at_three_levels(self):
        from pydicom import dcmread
        for path, count in ((f"/studies/{self.study}/metadata", 10), (f"/studies/{self.study}/series/{self.study}.1/metadata", 3),
                            (path_of(self.files[0]) + "/metadata", 1)):
            answer = self.assertStatus(self.server.get(path, JSON), 200)
            self.assertEqual(answer.headers["Content-Type"], "application/dicom+json")
            rows = answer.json()
            self.assertEqual(len(rows), count)
            for row in rows:
                self.assertEqual(list(row), sorted(row))
                self.assertFalse([tag for tag in row if tag.startswith("0002")])
        expected = dcmread(io.BytesIO(self.files[0])).to_json_dict(bulk_data_threshold=10 ** 9)
        row = rows[0]
        del expected["7FE00010"]
        uri = row.pop("7FE00010")["BulkDataURI"]
        row.pop("00083002", None)
        self.assertEqual(row, expected)
        self.assertTrue(uri.startswith(f"{self.server.url}{path_of(self.files[0])}/"), uri)

    def test_RET_24_40_the_bulk_data_uri_gives_the_value(self):
        row = self.server.get(path_of(self.files[0]) + "/metadata", JSON).json()[0]
        uri = row["7FE00010"]["BulkDataURI"].removeprefix(self.server.url)
        pixels = self.files[0][-512:]
        answer = self.assertStatus(self.server.get(uri, {"Accept": 'multipart/related; type="application/octet-stream"'}), 200)
        (headers, payload), = answer.parts()
        self.assertEqual(payload, pixels)
        self.assertEqual(headers["Content-Location"], self.server.url + uri)
        answer = self.assertStatus(self.server.get(uri, {"Accept": "application/octet-stream"}), 200)
        self.assertEqual(answer.body, pixels)

    def test_RET_51_native_frames(self):
        path = path_of(self.multi) + "/frames/"
        pixels = self.multi[-5120:]
        for accept in ('multipart/related; type="application/octet-stream"', ANY["Accept"], "*/*"):
            answer = self.assertStatus(self.server.get(path + "1,3,10", {"Accept": accept}), 200)
            self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
            parts = answer.parts()
            self.assertEqual([payload for _, payload in parts], [pixels[(f - 1) * 512:f * 512] for f in (1, 3, 10)])
            for headers, _ in parts:
                self.assertEqual(headers["Content-Type"], "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1")
            self.assertEqual(parts[1][0]["Content-Location"], self.server.url + path + "3")
        self.assertEqual(len(self.server.get(path + "2%2C4", ANY).parts()), 2)
        answer = self.server.get(path + "2", {"Accept": "application/octet-stream; transfer-syntax=*"})
        self.assertEqual(answer.body, pixels[512:1024])

    def test_NEG_36_stored_streams_as_they_are(self):
        for file, syntax, media in ((self.jls, JLS, "image/jls"), (self.jpeg, JPEG, "image/jpeg")):
            path = path_of(file) + "/frames/"
            for accept, part_type in ((ANY["Accept"], "application/octet-stream"),
                                      (f'multipart/related; type="{media}"; transfer-syntax={syntax}', media),
                                      (f'multipart/related; type="{media}"; transfer-syntax="{syntax}"', media),
                                      (f'multipart/related; type="{media}; transfer-syntax={syntax}"', media),
                                      (f'multipart/related; type="{media}"', media)):
                answer = self.assertStatus(self.server.get(path + "2", {"Accept": accept}), 200)
                (headers, payload), = answer.parts()
                self.assertEqual(payload, self.streams[1])
                self.assertEqual(headers["Content-Type"], f"{part_type}; transfer-syntax={syntax}")
            answer = self.assertStatus(self.server.get(path + "1,2,3,4,5", ANY), 200)
            self.assertEqual([payload for _, payload in answer.parts()], self.streams)

    def test_clients_microscopy_gets_the_stored_jpeg(self):
        alternatives = ["image/jls; .80", "image/jls; .81", "image/jp2; .90", "image/jp2; .91", "image/jpx; .92",
                        "image/jpx; .93", "application/octet-stream; *", "image/jpeg; .50"]
        accept = ", ".join('multipart/related; type="{}"; transfer-syntax={}'.format(
            *(a.replace("; .", "; 1.2.840.10008.1.2.4.").split("; "))) for a in alternatives)
        answer = self.assertStatus(self.server.get(path_of(self.jpeg) + "/frames/1", {"Accept": accept}), 200)
        (headers, payload), = answer.parts()
        self.assertEqual(payload, self.streams[0])
        self.assertEqual(headers["Content-Type"], f"image/jpeg; transfer-syntax={JPEG}")

    def test_clients_every_accept_header_for_frames(self):
        """clients.md: what viewers were seen to send, for a native image and for a stored JPEG."""
        related = 'multipart/related; type='
        octets, any_part = "application/octet-stream", ANY["Accept"]
        le = "1.2.840.10008.1.2.1"
        microscopy = ", ".join(f'{related}"{t}"; transfer-syntax={s}' for t, s in (
            ("image/jls", "1.2.840.10008.1.2.4.80"), ("image/jls", "1.2.840.10008.1.2.4.81"), ("image/jp2", "1.2.840.10008.1.2.4.90"),
            ("image/jp2", "1.2.840.10008.1.2.4.91"), ("image/jpx", "1.2.840.10008.1.2.4.92"), ("image/jpx", "1.2.840.10008.1.2.4.93"),
            (octets, "*"), ("image/jpeg", JPEG)))
        cases = [  # header, what a native image comes as, what a JPEG comes as: None, anything that can be had
            (any_part, (octets, le), (octets, JPEG)),                                                   # OHIF, Cornerstone3D, the old loader
            (f'{related}"{octets}"; transfer-syntax=*', (octets, le), (octets, JPEG)),
            (f'{related}"{octets}"; transfer-syntax="*"', (octets, le), (octets, JPEG)),
            (f'{related}"image/jpeg"; transfer-syntax="{JPEG}"', None, ("image/jpeg", JPEG)),            # OHIF with a chosen syntax
            (f"{octets}; transfer-syntax=*", (octets, le), (octets, JPEG)),                              # OHIF, single part
            (microscopy, (octets, le), ("image/jpeg", JPEG)),                                            # dicom-microscopy-viewer, Slim
            (f'{related}"*/*"', (octets, le), None),                                                     # the Python client
            ("*/*", (octets, le), None),                                                                 # curl, browsers' fetch
            ('image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', None, ("image/jpeg", JPEG)),     # a browser's <img>
            (f'{related}"image/*"; boundary=**', None, ("image/jpeg", JPEG)),
        ]
        for accept, native, jpeg in cases:
            for file, expected in ((self.multi, native), (self.jpeg, jpeg)):
                with self.subTest(f"{accept} {expected}"):
                    answer = self.server.get(path_of(file) + "/frames/1", {"Accept": accept})
                    if expected is None:
                        self.assertIn(answer.status, (200, 406, 500))  # code streams of these tests are none that decode
                        continue
                    self.assertStatus(answer, 200)
                    single = not answer.headers["Content-Type"].startswith("multipart/")
                    label = answer.headers["Content-Type"] if single else answer.parts()[0][0]["Content-Type"]
                    self.assertEqual(label, "{}; transfer-syntax={}".format(*expected))

    def test_RET_48_frame_lists(self):
        path = path_of(self.multi) + "/frames/"
        for listed, status in (("0", 400), ("x", 400), ("1,,2", 400), ("-1", 400), ("11", 404), ("1,11", 404),
                               ("10,1,1", 200), ("99999999999999999999", 400)):
            self.assertStatus(self.server.get(path + listed, ANY), status)

    def test_RET_55_an_instance_without_pixels_has_no_frames(self):
        self.assertStatus(self.server.get(path_of(self.report) + "/frames/1", ANY), 404)

    def test_HTP_40_41_etag_and_304(self):
        for path, headers in ((path_of(self.multi) + "/frames/1", ANY), (path_of(self.files[0]), DICOM),
                              (f"/studies/{self.study}/series/{self.study}.1/metadata", JSON)):
            answer = self.server.get(path, headers)
            tag = answer.headers["ETag"]
            self.assertTrue(tag and tag.startswith('"'), path)
            again = self.server.get(path, {**headers, "If-None-Match": tag})
            self.assertEqual((again.status, again.body), (304, b""), path)
            self.assertEqual(again.headers["ETag"], tag)
            self.assertEqual(self.server.get(path, {**headers, "If-None-Match": '"x"'}).status, 200)

    def test_MPR_08_HTP_50_ranges_over_the_frame_answer(self):
        path = path_of(self.multi) + "/frames/4"
        whole = self.server.get(path, ANY)
        first = self.assertStatus(self.server.get(path, {**ANY, "Range": "bytes=0-99"}), 206)
        rest = self.assertStatus(self.server.get(path, {**ANY, "Range": "bytes=100-"}), 206)
        self.assertEqual(first.body + rest.body, whole.body)
        self.assertEqual(first.headers["Content-Range"], f"bytes 0-99/{len(whole.body)}")
        self.assertEqual(self.server.get(path, {**ANY, "Range": "bytes=-7"}).body, whole.body[-7:])
        answer = self.assertStatus(self.server.get(path, {**ANY, "Range": "bytes=99999999-"}), 416)
        self.assertEqual(answer.headers["Content-Range"], f"bytes */{len(whole.body)}")

    def test_HTP_01_head(self):
        path = path_of(self.multi) + "/frames/1"
        whole, head = self.server.get(path, ANY), self.server.call("HEAD", path, headers=ANY)
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["Content-Length"], whole.headers["Content-Length"])

    def test_NEG_18_vary_and_HTP_44_private(self):
        for path, headers in ((path_of(self.multi) + "/frames/1", ANY), (f"/studies/{self.study}/metadata", JSON), ("/studies", JSON)):
            answer = self.server.get(path, headers)
            self.assertIn("accept", answer.headers["Vary"].lower())
            self.assertIn("private", answer.headers["Cache-Control"])
            self.assertIn("max-age", answer.headers["Strict-Transport-Security"])


class Delete(ServerCase):
    def test_STO_70_delete_at_three_levels(self):
        study = uid(9, 1)
        files = [make_dicom(study=study, series=f"{study}.{s}", instance=f"{study}.{s}.{i}") for s in (1, 2) for i in (1, 2)]
        self.assertStatus(self.server.store(files), 200)
        call = lambda path: self.server.call("DELETE", path)
        self.assertStatus(call(path_of(files[0])), 204)
        self.assertEqual(self.server.get(path_of(files[0])).status, 410)
        self.assertEqual(call(path_of(files[0])).status, 410)
        row = self.server.get(f"/studies?StudyInstanceUID={study}", JSON).json()[0]
        self.assertEqual((value(row, "00201206"), value(row, "00201208")), (2, 3))
        self.assertStatus(call(f"/studies/{study}/series/{study}.2"), 204)
        self.assertEqual(len(self.server.get(f"/studies/{study}/instances", JSON).json()), 1)
        self.assertStatus(call(f"/studies/{study}"), 204)
        self.assertStatus(self.server.get(f"/studies?StudyInstanceUID={study}", JSON), 204)
        self.assertEqual(self.server.get(f"/studies/{study}").status, 410)
        # Nothing is left on disk, and the study can come again.
        left = [p for p in self.server.folder.rglob("*.dcm")]
        self.assertEqual(left, [])
        self.assertStatus(self.server.store(files), 200)
        self.assertStatus(call("/studies"), 405)

    def test_deletion_can_be_switched_off(self):
        from gantry import Server
        server = Server("--deletion", "no")
        try:
            file = make_dicom()
            server.store([file])
            self.assertIn(server.call("DELETE", path_of(file)).status, (403, 405))
            self.assertEqual(server.get(path_of(file)).status, 200)
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()

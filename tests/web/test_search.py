"""QIDO-RS (PS3.18 10.6) over TLS."""
import os
import unittest
from urllib.parse import quote

from gantry import JSON, ServerCase, make_dicom, uid, value


class Search(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.studies = [uid(7, n) for n in range(1, 8)]
        files = []
        for n, study in enumerate(cls.studies, 1):
            for s, modality in ((1, "CT"), (2, "SR")) if n == 1 else ((1, "MR" if n % 2 else "CT"),):
                for i in (1, 2, 10):
                    files.append(make_dicom(
                        study=study, series=f"{study}.{s}", instance=f"{study}.{s}.{i}", Modality=modality,
                        StudyDate=f"202401{n:02d}", PatientName=("Müller^Jörg" if n == 3 else f"Smith{n}^John"),
                        PatientID=f"ID{n}", StudyDescription=f"Head {n}", SeriesNumber=s, InstanceNumber=i,
                        SpecificCharacterSet="ISO_IR 100", AccessionNumber=f"ACC{n}",
                        SeriesDescription="axial"))
        answer = cls.server.store(files)
        assert answer.status == 200, answer

    def rows(self, query, expect=None):
        answer = self.server.get(query, JSON)
        if answer.status == 204:
            self.assertEqual(answer.body, b"")
            rows = []
        else:
            self.assertStatus(answer, 200)
            self.assertEqual(answer.headers["Content-Type"], "application/dicom+json")
            rows = answer.json()
            self.assertTrue(rows)
            for row in rows:
                self.assertEqual(list(row), sorted(row))  # JSN-04
        if expect is not None:
            self.assertEqual(len(rows), expect, query)
        return rows

    def test_SEA_01_all_six_resources(self):
        s = self.studies[0]
        for path, count in (("/studies", 7), ("/series", 8), ("/instances", 24), (f"/studies/{s}/series", 2),
                            (f"/studies/{s}/instances", 6), (f"/studies/{s}/series/{s}.1/instances", 3)):
            self.rows(path, count)

    def test_SEA_04_no_match_is_204(self):
        self.rows("/studies?PatientID=none", 0)
        self.rows("/studies/1.2.3.4/series", 0)

    def test_SEA_06_bad_values_are_400_and_named(self):
        for query, name in (("StudyDate=2024-01-01", b"StudyDate"), ("limit=ten", b"limit"), ("limit=-1", b"limit"),
                            ("offset=x", b"offset"), ("StudyInstanceUID=1.2.*", b"StudyInstanceUID"),
                            ("StudyDate=20240201-20240101", b"StudyDate")):
            answer = self.assertStatus(self.server.get("/studies?" + query, JSON), 400)
            self.assertIn(name, answer.body)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")

    def test_SEA_10_keyword_and_tag_mean_the_same(self):
        for key in ("PatientID", "00100020"):
            row, = self.rows(f"/studies?{key}=ID2", 1)
            self.assertEqual(value(row, "0020000D"), self.studies[1])

    def test_SEA_11_the_same_attribute_twice_is_400(self):
        self.assertStatus(self.server.get("/studies?PatientID=1&00100020=2", JSON), 400)

    def test_SEA_12_uid_lists(self):
        self.rows(f"/studies?StudyInstanceUID={self.studies[0]},{self.studies[1]}", 2)
        self.rows(f"/studies?StudyInstanceUID={self.studies[0]}%5C{self.studies[1]}", 2)
        self.rows(f"/studies?StudyInstanceUID={self.studies[0]}%2C{self.studies[1]}", 2)

    def test_SEA_15_43_74_modalities(self):
        row, = self.rows("/studies?ModalitiesInStudy=SR", 1)
        self.assertEqual(sorted(row["00080061"]["Value"]), ["CT", "SR"])
        self.rows("/studies?ModalitiesInStudy=CT%2CMR", 7)

    def test_SEA_16_60_utf8_finds_what_was_stored_as_latin1(self):
        row, = self.rows("/studies?PatientName=" + quote("müller*"), 1)
        self.assertEqual(value(row, "00100010"), {"Alphabetic": "Müller^Jörg"})
        self.assertStatus(self.server.get("/studies?PatientName=%FF", JSON), 400)

    def test_SEA_20_includefield_as_viewers_send_it(self):
        query = ("/studies?limit=101&offset=0&fuzzymatching=false"
                 "&includefield=00081030%2C00080060%2C00080090%2C00100030")
        for row in self.rows(query, 7):
            self.assertIn("00081030", row)
            self.assertNotIn("00080060", row)

    def test_SEA_23_includefield_of_what_is_no_column(self):
        row = self.rows(f"/studies/{self.studies[0]}/instances?includefield=PhotometricInterpretation&limit=1", 1)[0]
        self.assertEqual(value(row, "00280004"), "MONOCHROME2")

    def test_SEA_30_31_paging_covers_everything_once(self):
        seen = []
        for offset in range(0, 24, 5):
            seen += [value(row, "00080018") for row in self.rows(f"/instances?limit=5&offset={offset}")]
        self.assertEqual(len(seen), 24)
        self.assertEqual(len(set(seen)), 24)
        self.rows("/instances?offset=99999", 0)
        self.rows("/instances?limit=0", 0)

    def test_SEA_32_order(self):
        dates = [value(row, "00080020") for row in self.rows("/studies", 7)]
        self.assertEqual(dates, sorted(dates, reverse=True))
        s = self.studies[0]
        self.assertEqual([value(row, "00200013") for row in self.rows(f"/studies/{s}/series/{s}.1/instances")], [1, 2, 10])

    def test_SEA_33_remaining_results_are_told(self):
        answer = self.server.get("/studies?limit=3", JSON)
        self.assertIn("There are 4 additional results that can be requested", answer.headers["Warning"])
        self.assertTrue(answer.headers["Warning"].startswith(f"299 {self.server.url}"), answer.headers["Warning"])
        self.assertIsNone(self.server.get("/studies?limit=7", JSON).headers["Warning"])

    def test_SEA_39_fuzzymatching_false_never_warns(self):
        self.assertIsNone(self.server.get("/studies?fuzzymatching=false", JSON).headers["Warning"])

    def test_SEA_44_56_wildcards_and_person_names(self):
        for pattern, count in (("SMITH*", 6), ("smith?^john", 6), ("*john", 6), ("smith1^john", 1), ("smith1", 0),
                               ("*", 7), ("*m*", 7), ("?mith2*", 1), ("*" * 60 + "zz", 0)):
            self.rows("/studies?PatientName=" + quote(pattern), count)

    def test_SEA_48_dates(self):
        for text, count in (("20240103", 1), ("20240103-", 5), ("-20240103", 3), ("20240102-20240104", 3)):
            self.rows(f"/studies?StudyDate={text}", count)

    def test_SEA_61_a_contradicting_uid_finds_nothing(self):
        self.rows(f"/studies/{self.studies[0]}/series?StudyInstanceUID={self.studies[1]}", 0)

    def test_SEA_70_72_required_attributes_and_links(self):
        row, = self.rows("/studies?PatientID=ID1", 1)
        for tag in ("00080020 00080030 00080050 00080061 00080090 00081190 00100010 00100020 00100030 00100040 "
                    "0020000D 00200010 00201206 00201208").split():
            self.assertIn(tag, row)
        self.assertEqual(value(row, "00081190"), f"{self.server.url}/studies/{self.studies[0]}")
        self.assertEqual((value(row, "00201206"), value(row, "00201208")), (2, 6))
        series = self.rows(f"/studies/{self.studies[0]}/series")[0]
        self.assertEqual(value(series, "00081190"), f"{self.server.url}/studies/{self.studies[0]}/series/{self.studies[0]}.1")
        self.assertEqual(value(series, "00201209"), 3)
        self.assertEqual(value(series, "0020000D"), self.studies[0])  # SEA-78
        instance = self.rows(f"/studies/{self.studies[0]}/series/{self.studies[0]}.1/instances")[0]
        self.assertEqual(self.server.get(value(instance, "00081190").removeprefix(self.server.url)).status, 200)

    def test_SEA_75_matching_keys_are_returned(self):
        self.assertIn("00081030", self.rows("/studies?StudyDescription=*ead*", 7)[0])

    def test_SEA_03_json_alias_and_406(self):
        self.assertStatus(self.server.get("/studies", {"Accept": "application/json"}), 200)
        self.assertStatus(self.server.get("/studies", {"Accept": "text/csv"}), 406)

    def test_GEN_04_unknown_parameters_are_ignored(self):
        self.rows("/studies?foo=1&_=12345", 7)

    def test_HTP_01_head_is_get_without_the_body(self):
        head = self.server.call("HEAD", "/studies?limit=2")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["Content-Type"], "application/dicom+json")


class PublicBase(ServerCase):
    arguments = ("--public-url", "https://pacs.example/x", "--base-path", "/x/rs")

    def test_GEN_02_every_url_starts_with_the_public_base(self):
        self.server.base = "/x/rs"
        file = make_dicom()
        answer = self.server.store([file])
        self.assertStatus(answer, 200)
        self.assertTrue(value(answer.json(), "00081190").startswith("https://pacs.example/x"), answer)
        row = self.server.get("/studies", JSON).json()[0]
        self.assertTrue(value(row, "00081190").startswith("https://pacs.example/x"), row)
        metadata = self.server.get(f"/studies/{value(row, '0020000D')}/metadata", JSON).json()[0]
        self.assertTrue(metadata["7FE00010"]["BulkDataURI"].startswith("https://pacs.example/x"))
        self.assertNotIn(b"localhost", self.server.get("/studies", JSON).body)


if __name__ == "__main__":
    unittest.main()

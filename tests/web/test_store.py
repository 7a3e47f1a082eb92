"""STOW-RS (PS3.18 10.5) over TLS, against the real binary."""
import os
import unittest

from gantry import JSON, ServerCase, data_set_of, make_dicom, multipart, path_of, uid, uids_of, value

REFERENCED, FAILED, OTHER, REASON = "00081199", "00081198", "0008119A", "00081197"


class Store(ServerCase):
    def test_STO_01_a_study_goes_in_and_every_instance_is_reported(self):
        study = uid(os.getpid(), 900)
        files = [make_dicom(study=study, series=study + ".1", InstanceNumber=n) for n in range(1, 6)]
        answer = self.assertStatus(self.server.store(files), 200)
        module = answer.json()
        self.assertIsInstance(module, dict)  # STO-45
        self.assertEqual(answer.headers["Content-Type"], "application/dicom+json")
        self.assertNotIn(FAILED, module)  # STO-56
        self.assertNotIn(OTHER, module)
        self.assertEqual([value(item, "00081155") for item in module[REFERENCED]["Value"]],
                         [uids_of(file)[2] for file in files])
        self.assertEqual(value(module, "00081190"), f"{self.server.url}/studies/{study}")
        for item, file in zip(module[REFERENCED]["Value"], files):
            self.assertEqual(value(item, "00081190"), self.server.url + path_of(file))
            self.assertEqual(value(item, "00081150"), "1.2.840.10008.5.1.4.1.1.2")
        # STO-67: read your writes.
        row = self.server.get(f"/studies?StudyInstanceUID={study}", JSON).json()[0]
        self.assertEqual(value(row, "00201208"), 5)

    def test_STO_02_boundary_and_type_in_any_form(self):
        for form in ('multipart/related; boundary="B7"; type=application/dicom',
                     'multipart/related;BOUNDARY=B7;Type="application/dicom";start="<x>"',
                     'Multipart/Related; type="application/dicom"; boundary=B7; charset=utf-8',
                     'multipart/related; boundary=B7'):
            body, _ = multipart([make_dicom()], boundary="B7")
            answer = self.server.call("POST", "/studies", body, {"Content-Type": form})
            self.assertStatus(answer, 200)

    def test_STO_03_a_bad_boundary_is_400(self):
        body, _ = multipart([make_dicom()], boundary="B7")
        for form in ('multipart/related; type="application/dicom"',
                     'multipart/related; type="application/dicom"; boundary=""',
                     'multipart/related; type="application/dicom"; boundary="' + "b" * 71 + '"',
                     'multipart/related; type="application/dicom"; boundary="b "'):
            self.assertStatus(self.server.call("POST", "/studies", body, {"Content-Type": form}), 400)

    def test_STO_04_05_other_types_are_415_and_the_accepted_ones_are_named(self):
        for form in ("text/plain", "multipart/form-data; boundary=x", "multipart/mixed; boundary=x", None):
            answer = self.server.call("POST", "/studies", b"x" * 100, {"Content-Type": form} if form else {})
            self.assertStatus(answer, 415)
            self.assertIn(b"application/dicom", answer.body)

    def test_STO_06_chunked_is_as_good_as_content_length(self):
        file = make_dicom(rows=256, columns=256)
        body, content_type = multipart([file])
        pieces = (body[at:at + 1000] for at in range(0, len(body), 1000))
        answer = self.server.call("POST", "/studies", pieces, {"Content-Type": content_type,
                                                               "Transfer-Encoding": "chunked"})
        self.assertStatus(answer, 200)
        got = self.server.get(path_of(file), {"Accept": "application/dicom; transfer-syntax=*"})
        self.assertEqual(got.body, file)

    def test_STO_08_preamble_leading_crlf_and_no_final_crlf(self):
        for preamble in (b"\r\n", b"a preamble\r\nof two lines\r\n"):
            file = make_dicom()
            body, content_type = multipart([file], preamble=preamble)
            answer = self.server.call("POST", "/studies", body[:-2], {"Content-Type": content_type})
            self.assertStatus(answer, 200)

    def test_STO_09_delimiters_inside_the_data_are_data(self):
        tricky = b"y--BND\r\n" + b"x\r\n--BNX\r\n--BN" + b"\r\n-BND--\r\n"
        file = make_dicom(rows=16, columns=16, pixels=(tricky * 40)[:512])
        body, content_type = multipart([file], boundary="BND")
        self.assertStatus(self.server.call("POST", "/studies", body, {"Content-Type": content_type}), 200)
        got = self.server.get(path_of(file), {"Accept": "application/dicom; transfer-syntax=*"})
        self.assertEqual(got.body, file)

    def test_STO_10_44_a_missing_closing_boundary_keeps_what_was_whole(self):
        files = [make_dicom() for _ in range(3)]
        body, content_type = multipart(files, closing=False)
        cut = body[:-300]
        answer = self.assertStatus(self.server.call("POST", "/studies", cut, {"Content-Type": content_type}), 202)
        module = answer.json()
        self.assertEqual(len(module[REFERENCED]["Value"]), 2)
        self.assertEqual(value(module[OTHER]["Value"][0], REASON), 0x0110)
        self.assertStatus(self.server.get(path_of(files[1])), 200)
        self.assertStatus(self.server.get(path_of(files[2])), 404)

    def test_STO_14_empty_bodies_are_400(self):
        _, content_type = multipart([], boundary="B")
        for body in (b"", b"--B--\r\n", b"\r\n--B--"):
            self.assertStatus(self.server.call("POST", "/studies", body, {"Content-Type": content_type}), 400)

    def test_STO_21_implicit_and_big_endian_are_stored_as_they_came(self):
        for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2"):
            file = make_dicom(syntax=syntax)
            self.assertStatus(self.server.store([file]), 200)
            row = self.server.get(f"/instances?SOPInstanceUID={uids_of(file)[2]}", JSON).json()[0]
            self.assertEqual(value(row, "00280010"), 16)

    def test_STO_22_55_one_bad_part_never_hurts_its_neighbours(self):
        good = [make_dicom() for _ in range(4)]
        parts = [b"no dicom at all", good[0], good[1][:200], good[2], b"", good[3]]
        answer = self.assertStatus(self.server.store(parts), 202)
        module = answer.json()
        self.assertEqual([value(i, "00081155") for i in module[REFERENCED]["Value"]],
                         [uids_of(good[n])[2] for n in (0, 2, 3)])
        reasons = [value(item, REASON) for item in module[OTHER]["Value"]]
        self.assertEqual(len(reasons) + len(module.get(FAILED, {}).get("Value", [])), 3)
        self.assertTrue(all(0xC000 <= reason <= 0xCFFF or 0xA900 <= reason <= 0xA9FF for reason in reasons), reasons)

    def test_STO_43_nothing_stored_is_409(self):
        answer = self.assertStatus(self.server.store([b"no dicom"]), 409)
        self.assertNotIn(REFERENCED, answer.json())

    def test_STO_47_an_unreadable_accept_is_406_before_anything_is_stored(self):
        file = make_dicom()
        self.assertStatus(self.server.store([file], headers={"Accept": "text/csv"}), 406)
        self.assertStatus(self.server.get(path_of(file)), 404)

    def test_STO_60_a_foreign_study_is_refused_and_its_own_is_stored(self):
        study = uid(os.getpid(), 901)
        own, foreign = make_dicom(study=study), make_dicom()
        answer = self.assertStatus(self.server.store([foreign, own], study=study), 202)
        module = answer.json()
        self.assertEqual(value(module[FAILED]["Value"][0], "00081155"), uids_of(foreign)[2])
        self.assertEqual(value(module[FAILED]["Value"][0], REASON), 0xA901)
        self.assertEqual(value(module[REFERENCED]["Value"][0], "00081155"), uids_of(own)[2])
        self.assertStatus(self.server.get(path_of(foreign)), 404)
        self.assertStatus(self.server.store([make_dicom()], study=study), 409)

    def test_STO_63_the_same_bytes_again_are_a_success(self):
        file = make_dicom()
        for _ in range(2):
            module = self.assertStatus(self.server.store([file, file]), 200).json()
            self.assertEqual(len(module[REFERENCED]["Value"]), 2)
        self.assertEqual(len(self.server.get(f"/studies/{uids_of(file)[0]}/instances", JSON).json()), 1)

    def test_STO_64_65_another_content_under_a_known_uid_is_refused(self):
        first = make_dicom()
        study, series, instance = uids_of(first)
        self.assertStatus(self.server.store([first]), 200)
        second = make_dicom(study=study, series=series, instance=instance, PatientName="Other")
        elsewhere = make_dicom(instance=instance)
        for file in (second, elsewhere):
            module = self.assertStatus(self.server.store([file]), 409).json()
            self.assertEqual(value(module[FAILED]["Value"][0], REASON), 0x0111)
        got = self.server.get(path_of(first), {"Accept": "application/dicom; transfer-syntax=*"})
        self.assertEqual(got.body, first)

    def test_STO_a_single_file_without_multipart(self):
        file = make_dicom()
        answer = self.server.call("POST", "/studies", file, {"Content-Type": "application/dicom"})
        self.assertStatus(answer, 200)
        self.assertStatus(self.server.get(path_of(file)), 200)

    def test_STO_17_put_is_405_with_allow(self):
        answer = self.assertStatus(self.server.call("PUT", "/studies", b"x"), 405)
        self.assertIn("POST", answer.headers["Allow"])

    def test_STO_a_wrong_study_in_the_url_is_400(self):
        self.assertStatus(self.server.store([make_dicom()], study="1.2.abc"), 400)

    def test_STO_54_sixteen_at_once_end_in_one_instance(self):
        from concurrent.futures import ThreadPoolExecutor
        file = make_dicom(rows=64, columns=64)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: self.server.store([file]), range(16)))
        self.assertEqual({answer.status for answer in answers}, {200})
        row = self.server.get(f"/studies?StudyInstanceUID={uids_of(file)[0]}", JSON).json()[0]
        self.assertEqual((value(row, "00201206"), value(row, "00201208")), (1, 1))

    def test_many_parts_in_one_request(self):
        study = uid(os.getpid(), 902)
        files = [make_dicom(study=study, series=study + ".1", rows=4, columns=4, InstanceNumber=n + 1)
                 for n in range(400)]
        module = self.assertStatus(self.server.store(files), 200).json()
        self.assertEqual(len(module[REFERENCED]["Value"]), 400)
        answer = self.server.get(f"/studies/{study}", {"Accept": 'multipart/related; type="application/dicom"'})
        self.assertEqual([payload for _, payload in answer.parts()], files)

    def test_STO_23_a_meta_that_names_another_instance_is_refused_or_warned_of(self):
        from gantry import Server
        file = make_dicom()
        was = uids_of(file)[2].encode()
        at = file.index(was)  # the first is the one in the meta information
        foreign = file[:at] + was[:-1] + (b"7" if was[-1:] != b"7" else b"8") + file[at + len(was):]
        item = self.assertStatus(self.server.store([foreign]), 409).json()["00081198"]["Value"][0]
        self.assertEqual(value(item, "00081197"), 0xA900)
        server = Server("--foreign-meta", "warn")
        try:
            answer = server.store([foreign])
            self.assertEqual(answer.status, 202, repr(answer))
            self.assertEqual(value(answer.json()[REFERENCED]["Value"][0], "00081196"), 0xB007)
            got = server.get(path_of(file), {"Accept": "application/dicom; transfer-syntax=*"})
            self.assertEqual(data_set_of(got.body), data_set_of(foreign))
            self.assertIn(was, got.body[:got.body.index(data_set_of(foreign))])  # RET-03: it leaves under its own name
        finally:
            server.stop()

    def test_STO_16_a_body_over_the_ceiling_is_413(self):
        from gantry import Server
        server = Server("--request-ceiling", "1048576", "--instance-ceiling", "65536")
        try:
            answer = server.store([make_dicom(rows=1024, columns=1024)])
            self.assertEqual(answer.status, 413, repr(answer))
            answer = server.store([make_dicom(rows=256, columns=256), make_dicom()])
            self.assertEqual(answer.status, 202, repr(answer))
            self.assertEqual(value(answer.json()[REFERENCED]["Value"][0], "00081150"), "1.2.840.10008.5.1.4.1.1.2")
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()

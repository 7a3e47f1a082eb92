"""STOW-RS over TLS: what PS3.18 10.5 asks for and what senders are known to stumble over, row by row."""
import io
import json
import os
import struct

from gantry import JSON, Server, ServerCase, data_set_of, make_dicom, multipart, path_of, uid, uids_of, value
from test_store_metadata import EXACT, message, model, native

REFERENCED, FAILED, OTHER, REASON, WARNING = "00081199", "00081198", "0008119A", "00081197", "00081196"


def with_meta(file, version):
    """The same data set behind a meta of another implementation."""
    from pydicom import dcmread
    read = dcmread(io.BytesIO(file))
    read.file_meta.ImplementationVersionName = version
    read.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    out = io.BytesIO()
    read.save_as(out)
    made = out.getvalue()
    return made[:len(made) - len(data_set_of(made))] + data_set_of(file)


def comment(item):
    return value(item["00741048"]["Value"][0], "00000902")


class Rows(ServerCase):
    def send(self, body, headers, target="/studies"):
        return self.server.call("POST", target, body, headers)

    def failed(self, answer, status=409):
        return self.assertStatus(answer, status).json()[FAILED]["Value"][0]

    def test_STO_63_the_same_data_set_behind_another_meta_is_a_success_and_stays_as_it_came(self):
        file = make_dicom(rows=300, columns=300)
        again = with_meta(file, "OTHER_1")
        self.assertNotEqual(again, file)
        self.assertEqual(data_set_of(again), data_set_of(file))
        for duplicates in ("reject", "keep"):
            with self.subTest(duplicates):
                server = Server("--duplicates", duplicates)
                try:
                    self.assertEqual(server.store([file]).status, 200)
                    for files in ([again], [again, file, again]):
                        answer = server.store(files)
                        self.assertEqual((answer.status, FAILED in answer.json()), (200, False), repr(answer))
                    self.assertEqual(server.get(path_of(file), EXACT).body, file)
                    changed = again[:-1] + bytes([again[-1] ^ 1])
                    self.assertEqual(server.store([changed]).status, 409 if duplicates == "reject" else 202)
                finally:
                    server.stop()

    def test_STO_11_a_part_whose_length_is_wrong_fails_alone(self):
        files = [make_dicom(), make_dicom()]
        body = b"".join(b"--B\r\nContent-Type: application/dicom\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(f) - n, f)
                        for n, f in enumerate(files)) + b"--B--\r\n"
        answer = self.assertStatus(self.send(body, {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B'}), 202).json()
        self.assertEqual(value(answer[OTHER]["Value"][0], REASON), 0x0110)
        self.assertEqual(value(answer[REFERENCED]["Value"][0], "00081155"), uids_of(files[0])[2])

    def test_STO_12_a_part_may_say_nothing_or_in_any_case_but_not_fold_its_lines(self):
        for head, status in ((b"", 200), (b"CONTENT-type: APPLICATION/Dicom\r\n", 200), (b"Content-Type:\r\n application/dicom\r\n", 400),
                             (b"X-Long: " + b"a" * 17000 + b"\r\n", 400)):
            body = b"--B\r\n" + head + b"\r\n" + make_dicom() + b"\r\n--B--\r\n"
            self.assertStatus(self.send(body, {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B'}), status)

    def test_STO_13_a_query_is_ignored(self):
        body, kind = multipart([make_dicom()])
        self.assertStatus(self.send(body, {"Content-Type": kind}, "/studies?limit=3&x=%20"), 200)

    def test_STO_15_a_coding_that_is_not_known_is_told_the_known_one(self):
        body, kind = multipart([make_dicom()])
        answer = self.assertStatus(self.send(body, {"Content-Type": kind, "Content-Encoding": "br"}), 415)
        self.assertEqual(answer.headers["Accept-Encoding"], "gzip")

    def test_STO_20_private_transfer_syntaxes_are_stored_as_they_came(self):
        file = make_dicom()
        known = b"1.2.840.10008.1.2.1\0"
        private = file.replace(known, b"1.3.6.1.4.1.99999.7\0", 1)
        self.assertEqual(len(private), len(file))
        self.assertStatus(self.server.store([private]), 200)
        self.assertEqual(self.assertStatus(self.server.get(path_of(file), EXACT), 200).body, private)

    def test_STO_22_an_identifier_that_is_missing_or_bad_is_named(self):
        from pydicom import dcmread
        for keyword, reasons in (("StudyInstanceUID", {0xA900, 0xC000}), ("SeriesInstanceUID", {0xA900, 0xC000}),
                                 ("SOPInstanceUID", {0xA900, 0xC000}), ("SOPClassUID", {0xA900, 0xC000})):
            for bad in (None, "", "1.2.x", "1." + "2" * 64):
                with self.subTest((keyword, bad)):
                    read = dcmread(io.BytesIO(make_dicom()))
                    if bad is None:
                        delattr(read, keyword)
                    else:
                        read[keyword].value = "1.2.3" if bad else ""
                    out = io.BytesIO()
                    read.save_as(out)
                    made = out.getvalue()
                    if bad:
                        text = bad.encode() + b"\0" * (len(bad) % 2)
                        at = made.rindex(b"UI\x06\0" + b"1.2.3\0")
                        made = made[:at] + b"UI" + struct.pack("<H", len(text)) + text + made[at + 10:]
                    answer = self.assertStatus(self.server.store([made]), 409).json()
                    items = answer.get(FAILED, answer.get(OTHER))["Value"]
                    self.assertIn(value(items[0], REASON), reasons)
                    self.assertIn(keyword, comment(items[0]).replace(" ", ""))

    def test_STO_24_what_may_be_empty_or_absent_is_stored(self):
        from pydicom import dcmread
        read = dcmread(io.BytesIO(make_dicom()))
        for keyword in ("PatientName", "PatientID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "SeriesNumber", "InstanceNumber"):
            if keyword in read:
                delattr(read, keyword)
        out = io.BytesIO()
        read.save_as(out)
        self.assertIn(self.server.store([out.getvalue()]).status, (200, 202))
        self.assertStatus(self.server.store([make_dicom(PatientName="", PatientID="", StudyDate="")]), 200)

    def test_STO_25_without_preamble_or_meta_it_is_stored(self):
        bare, naked = make_dicom(), make_dicom()
        self.assertIn(self.server.store([bare[132:]]).status, (200, 202))
        self.assertIn(self.server.store([data_set_of(naked)]).status, (200, 202))
        for file in (bare, naked):
            got = self.assertStatus(self.server.get(path_of(file), {"Accept": "application/dicom"}), 200).body
            self.assertTrue(got.endswith(data_set_of(file)))

    def test_STO_26_private_elements_padding_and_the_senders_meta_are_kept(self):
        from pydicom import dcmread
        read = dcmread(io.BytesIO(make_dicom()))
        block = read.private_block(0x0029, "GANTRY TEST", create=True)
        block.add_new(1, "OB", os.urandom(999))
        read.add_new(0xFFFCFFFC, "OB", bytes(30))
        out = io.BytesIO()
        read.save_as(out)
        file = with_meta(out.getvalue(), "SENDER_9")
        self.assertStatus(self.server.store([file]), 200)
        self.assertEqual(self.server.get(path_of(file), EXACT).body, file)

    def test_STO_32_bulk_data_may_come_before_the_metadata(self):
        item = native(model(950), 16, 16, "p")
        body, kind = message([({"Content-Type": "application/octet-stream", "Content-Location": "p"}, bytes(512)),
                              ({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode())])
        self.assertStatus(self.send(body, {"Content-Type": kind}), 200)

    def test_STO_36_the_meta_of_what_comes_as_metadata_is_made_here(self):
        from pydicom import dcmread
        item = native(model(951), 16, 16, "p")
        body, kind = message([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode()),
                              ({"Content-Type": "application/octet-stream", "Content-Location": "p"}, bytes(512))])
        answer = self.assertStatus(self.send(body, {"Content-Type": kind}), 200).json()
        url = value(answer[REFERENCED]["Value"][0], "00081190").removeprefix(self.server.url)
        meta = dcmread(io.BytesIO(self.server.get(url, EXACT).body)).file_meta
        self.assertEqual((meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID),
                         (value(item, "00080016"), value(item, "00080018"), "1.2.840.10008.1.2.1"))
        self.assertTrue(meta.ImplementationClassUID)

    def test_STO_46_48_51_56_57_58_the_answer_is_as_clients_read_it(self):
        good, bad = make_dicom(), make_dicom()[:-400]
        answer = self.send(*(lambda body, kind: (body, {"Content-Type": kind, "Accept": "*/*"}))(*multipart([good])))
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/dicom+json"))
        self.assertEqual({FAILED, OTHER} & set(answer.json()), set())
        self.assertEqual(answer.headers["Location"], self.server.url + "/studies/" + uids_of(good)[0])
        foreign = make_dicom()
        body, kind = multipart([good, foreign, b"no DICOM", bad])
        answer = self.assertStatus(self.send(body, {"Content-Type": kind}, "/studies/" + uids_of(good)[0]), 202)
        told = answer.json()
        self.assertEqual(value(told[FAILED]["Value"][0], REASON), 0xA901)
        for tag, reason, other in ((FAILED, REASON, WARNING), (OTHER, REASON, WARNING), (REFERENCED, WARNING, REASON)):
            for item in told.get(tag, {"Value": []})["Value"]:
                self.assertNotIn(other, item)
                if reason in item:
                    self.assertIsInstance(value(item, reason), int)
                    self.assertEqual(0xB000 <= value(item, reason) <= 0xBFFF, reason == WARNING)
        self.assertRegex(answer.headers["Warning"], r"^A901 https://\S+: .+")  # STO-50

    def test_STO_59_of_two_with_one_uid_in_a_request_the_first_wins(self):
        first = make_dicom()
        study, series, instance = uids_of(first)
        second = make_dicom(study=study, series=series, instance=instance, PatientName="Second")
        answer = self.assertStatus(self.server.store([first, second, first]), 202).json()
        self.assertEqual([value(item, REASON) for item in answer[FAILED]["Value"]], [0x0111])
        self.assertEqual(len(answer[REFERENCED]["Value"]), 2)
        self.assertEqual(self.server.get(path_of(first), EXACT).body, first)

    def test_STO_66_the_first_instance_says_what_a_study_is_of(self):
        study = uid(os.getpid(), 960)
        for n, patient in enumerate(("FIRST", "SECOND")):
            self.assertStatus(self.server.store([make_dicom(study=study, series=f"{study}.{n}", PatientID=patient)]), 200)
        rows = self.server.get(f"/studies?StudyInstanceUID={study}", JSON).json()
        self.assertEqual([(value(r, "00100020"), value(r, "00201208")) for r in rows], [("FIRST", 2)])

    def test_STO_69_objects_without_a_patient_are_refused_by_their_class(self):
        for sop_class in ("1.2.840.10008.5.1.4.39.1", "1.2.840.10008.5.1.4.1.1.200.1", "1.2.840.10008.5.1.4.38.1"):
            item = model(970) | {"00080016": {"vr": "UI", "Value": [sop_class]}}
            body, kind = message([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode())])
            self.assertEqual(value(self.failed(self.send(body, {"Content-Type": kind})), REASON), 0x0122, sop_class)

    def test_searching_while_a_study_arrives_never_fails_and_never_goes_back(self):
        import threading
        study, stop, seen, wrong = uid(os.getpid(), 980), threading.Event(), [], []

        def search():
            while not stop.is_set():
                answer = self.server.get(f"/studies?StudyInstanceUID={study}", JSON)
                if answer.status not in (200, 204):
                    wrong.append(answer.status)
                elif answer.status == 200:
                    seen.append(value(answer.json()[0], "00201208"))
        threads = [threading.Thread(target=search) for _ in range(3)]
        [t.start() for t in threads]
        for n in range(15):
            self.assertStatus(self.server.store([make_dicom(study=study, series=study + ".1") for _ in range(4)]), 200)
        stop.set()
        [t.join() for t in threads]
        self.assertEqual(wrong, [])
        self.assertTrue(seen and max(seen) <= 60 and min(seen) >= 1, seen)

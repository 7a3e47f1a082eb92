"""Answers of many instances, all of which are deleted or replaced when the first bytes are out."""
import io
import os
import socket
import subprocess
import time
import unittest
import zipfile

import numpy

from gantry import BINARY, SLOWER, Answer, Server, ServerCase, make_dicom, path_of, uid, uids_of

NATIVE, IMPLICIT, JPEG_LS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80"
DICOM = 'multipart/related; type="application/dicom"'
COUNT, ROWS, COLUMNS = 10, 1024, 1024  # 2 MiB each: far more than sockets and blocks hold


class DeletedWhileSent(ServerCase):
    arguments = ("--duplicates", "replace", "--pace-period", "600000")  # it does not read while others store

    def files(self, number, **attributes):
        study = uid(88, os.getpid(), number)
        return [make_dicom(study=study, series=f"{study}.1", instance=f"{study}.1.{n}", rows=ROWS, columns=COLUMNS, InstanceNumber=n,
                           pixels=numpy.random.default_rng(n).integers(0, 65536, ROWS * COLUMNS, "<u2").tobytes(), **attributes)
                for n in range(1, COUNT + 1)]

    def store(self, files):
        self.assertStatus(self.server.store(files), 200)

    def objects(self):
        return len(list((self.server.folder / "objects").rglob("*.dcm")))

    def wait_for_objects(self, count):
        deadline = time.monotonic() + 20 * SLOWER
        while self.objects() != count and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(self.objects(), count)

    def connected(self):
        """Its sockets hold less than any of the answers."""
        link = self.server.connection()
        self.addCleanup(link.close)
        link.connect()
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        return link

    def begin(self, path, accept):
        link = self.connected()
        link.request("GET", self.server.base + path, headers={"Accept": accept})
        response = link.getresponse()
        begin = response.read(1000)
        return lambda: Answer(response.status, response.headers, begin + response.read())

    def whole_although(self, path, accept, happens, waiting, left):
        """The answer is what it was before that happened; and files wait for it, and then do not."""
        want = self.assertStatus(self.server.get(path, {"Accept": accept}), 200)
        self.assertGreater(len(want.body), 8 << 20)
        rest = self.begin(path, accept)
        happens()
        self.assertEqual(self.objects(), waiting)
        got = rest()
        self.assertTrue(got.body == want.body, f"{len(got.body)} bytes instead of {len(want.body)}")
        self.wait_for_objects(left)

    def delete(self, files):
        study = "/studies/" + uids_of(files[0])[0]
        self.assertEqual(self.server.call("DELETE", study).status, 204)
        self.assertStatus(self.server.get(study, {"Accept": DICOM}), 410)  # for whoever comes later

    def test_STO_70_a_study_that_is_deleted_while_it_is_sent_is_whole_in_every_form(self):
        forms = (("", DICOM + "; transfer-syntax=*", {}),  # as it lies there
                 ("", DICOM, {"syntax": IMPLICIT}),  # written anew
                 ("", f"{DICOM}; transfer-syntax={JPEG_LS}", {}),  # with other pixels
                 ("/series/{}.1", DICOM, {}),
                 ("", "application/zip", {}),
                 ("", "application/zip", {"syntax": IMPLICIT}),
                 ("/bulkdata", 'multipart/related; type="application/octet-stream"', {}),
                 ("/pixeldata", 'multipart/related; type="application/octet-stream"', {}),
                 ("/pixeldata", f'multipart/related; type="image/jls"; transfer-syntax={JPEG_LS}', {}),
                 ("/rendered?window=32768,65536,linear", 'multipart/related; type="image/png"', {}),
                 ("/rendered?annotation=patient", 'multipart/related; type="image/png"', {}))
        for number, (path, accept, attributes) in enumerate(forms):
            with self.subTest(path=path, accept=accept, **attributes):
                files = self.files(number, **attributes)
                self.store(files)
                study = uids_of(files[0])[0]
                self.whole_although(f"/studies/{study}" + path.format(study), accept, lambda: self.delete(files), waiting=COUNT, left=0)

    def test_STO_64_a_study_that_is_replaced_while_it_is_sent_is_the_old_one(self):
        for number, (accept, attributes) in enumerate(((DICOM, {}), (DICOM, {"syntax": IMPLICIT}), (f"{DICOM}; transfer-syntax={JPEG_LS}", {})), 100):
            with self.subTest(accept=accept, **attributes):
                old, new = self.files(number, **attributes), self.files(number, PatientName="Another", **attributes)
                self.store(old)
                path = f"/studies/{uids_of(old[0])[0]}"
                self.whole_although(path, accept, lambda: self.store(new), waiting=2 * COUNT, left=COUNT)
                if not attributes and accept == DICOM:
                    self.assertEqual([body for _, body in self.server.get(path, {"Accept": DICOM}).parts()], new)
                self.delete(new)
                self.wait_for_objects(0)

    def test_an_archive_of_what_was_deleted_can_be_unpacked(self):
        files = self.files(200)
        self.store(files)
        rest = self.begin(f"/studies/{uids_of(files[0])[0]}", "application/zip")
        self.delete(files)
        archive = zipfile.ZipFile(io.BytesIO(rest().body))
        self.assertEqual([archive.read(name) for name in archive.namelist()], files)
        self.wait_for_objects(0)

    def test_who_leaves_or_never_reads_holds_nothing_for_others(self):
        """A client that vanishes lets go; what is held for one does not hold what goes later."""
        held, free = self.files(300), self.files(301)[:1]
        self.store(held)
        link = self.connected()
        link.request("GET", f"{self.server.base}/studies/{uids_of(held[0])[0]}", headers={"Accept": DICOM})
        link.getresponse().read(1000)
        self.delete(held)
        self.assertEqual(self.objects(), COUNT)
        link.close()
        self.wait_for_objects(0)
        self.store(free)
        self.delete(free)
        self.wait_for_objects(0)


class Crash(unittest.TestCase):
    def test_files_that_an_answer_held_are_gone_after_a_crash_and_after_a_stop(self):
        for how in ("kill", "terminate"):
            with self.subTest(how):
                server = Server("--stop-deadline", "1", "--pace-period", "600000")
                self.addCleanup(server.stop)
                study = uid(89, os.getpid(), len(how))
                files = [make_dicom(study=study, rows=1024, columns=1024, InstanceNumber=n) for n in range(1, 11)]
                kept = make_dicom()
                for file in files + [kept]:
                    self.assertEqual(server.store([file]).status, 200)
                link = server.connection()
                link.request("GET", f"{server.base}/studies/{study}", headers={"Accept": DICOM})
                link.getresponse().read(1000)
                self.assertEqual(server.call("DELETE", f"/studies/{study}").status, 204)
                objects = lambda: len(list((server.folder / "objects").rglob("*.dcm")))
                self.assertEqual(objects(), 11)
                # Beside the running server: nothing that nobody knows.
                self.check(server)
                getattr(server, how)()
                link.close()
                server.start()
                self.assertEqual(objects(), 1)
                self.assertEqual(server.get(f"/studies/{study}").status, 410)
                self.assertEqual(server.get(path_of(kept), {"Accept": "application/dicom"}).body, kept)
                self.check(server)

    def check(self, server):
        done = subprocess.run([BINARY, "check", "--data", str(server.folder)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100 * SLOWER)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()

"""application/zip at the three levels: read by three other programs, in ranges, with instances that are rewritten."""
import io
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from gantry import ServerCase, make_dicom, path_of, uid, uids_of

ZIP = {"Accept": "application/zip"}
IMPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"


class Archive(ServerCase):
    def setUp(self):
        self.study = uid(77, abs(hash(self.id())) % 10 ** 9)
        self.files = [make_dicom(study=self.study, series=f"{self.study}.{s}", instance=f"{self.study}.{s}.{i}", rows=rows, columns=rows)
                      for s in (1, 2) for i, rows in enumerate((1, 128, 200, 300), 1)]
        self.assertStatus(self.server.store(self.files), 200)

    def test_NEG_20_a_study_a_series_and_an_instance(self):
        for path, files in ((f"/studies/{self.study}", self.files), (f"/studies/{self.study}/series/{self.study}.1", self.files[:4]),
                            (path_of(self.files[1]), self.files[1:2])):
            answer = self.assertStatus(self.server.get(path, ZIP), 200)
            self.assertEqual(answer.headers["Content-Type"], "application/zip")
            self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
            self.assertIn("attachment", answer.headers["Content-Disposition"])
            archive = zipfile.ZipFile(io.BytesIO(answer.body))
            self.assertIsNone(archive.testzip())
            names = ["{1}/{2}.dcm".format(*uids_of(file)) for file in files]
            self.assertEqual(archive.namelist(), names)
            self.assertEqual([archive.read(name) for name in names], files)
            again = self.server.get(path, {**ZIP, "If-None-Match": answer.headers["ETag"]})
            self.assertEqual((again.status, again.body), (304, b""))
            for start, end in ((0, 99), (70_000, 140_000), (len(answer.body) - 300, len(answer.body) - 1)):
                if start < len(answer.body):
                    part = self.assertStatus(self.server.get(path, {**ZIP, "Range": f"bytes={start}-{end}"}), 206)
                    self.assertEqual(part.body, answer.body[start:end + 1])

    def test_other_programs_read_it_too(self):
        body = self.server.get(f"/studies/{self.study}", ZIP).body
        with tempfile.NamedTemporaryFile(suffix=".zip") as file:
            file.write(body)
            file.flush()
            for program in (["unzip", "-tqq"], ["bsdtar", "-tf"], ["7z", "t"]):
                if shutil.which(program[0]):
                    self.assertEqual(subprocess.run([*program, file.name], capture_output=True).returncode, 0, program)
        # As a reader does that sees it only pass by: sizes are behind the bytes, and deflate tells the end.
        if shutil.which("bsdtar"):
            told = subprocess.run(["bsdtar", "-xOf", "-"], input=body, capture_output=True)
            self.assertEqual(told.stdout, b"".join(self.files))

    def test_what_must_not_leave_as_it_is_stored_is_rewritten_in_it_too(self):
        from pydicom import dcmread
        study = uid(78, abs(hash(self.id())) % 10 ** 9)
        files = [make_dicom(study=study, series=f"{study}.1", instance=f"{study}.1.{i}", syntax=syntax, rows=200, columns=100)
                 for i, syntax in enumerate((IMPLICIT, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"), 1)]
        self.assertStatus(self.server.store(files), 200)
        answer = self.assertStatus(self.server.get(f"/studies/{study}", ZIP), 200)
        archive = zipfile.ZipFile(io.BytesIO(answer.body))
        self.assertIsNone(archive.testzip())
        for name in archive.namelist():
            self.assertEqual(str(dcmread(io.BytesIO(archive.read(name))).file_meta.TransferSyntaxUID), "1.2.840.10008.1.2.1")
        self.assertEqual(len(archive.namelist()), 3)

    def test_parts_are_sent_where_both_are_liked_alike(self):
        for accept, expected in (('multipart/related; type="application/dicom", application/zip', "multipart/related"),
                                 ('multipart/related; type="application/dicom"; q=0.5, application/zip', "application/zip"),
                                 ("*/*", "multipart/related"), ("application/zip;q=0, */*", "multipart/related")):
            answer = self.assertStatus(self.server.get(f"/studies/{self.study}", {"Accept": accept}), 200)
            self.assertTrue(answer.headers["Content-Type"].startswith(expected), accept)


if __name__ == "__main__":
    unittest.main()

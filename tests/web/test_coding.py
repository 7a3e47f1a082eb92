"""Content coding, conditions and ranges over the wire (http.md sections 3 to 5)."""
import gzip
import json
import re
import shutil
import subprocess
import unittest

from gantry import JSON, ServerCase, make_dicom, path_of, uids_of

FRAME = {"Accept": "application/octet-stream; transfer-syntax=*"}


def decode(answer):
    coding = answer.headers.get("Content-Encoding")
    if coding == "gzip":
        return gzip.decompress(answer.body)
    if coding == "zstd":
        return subprocess.run(["zstd", "-dc"], input=answer.body, capture_output=True, check=True).stdout
    return answer.body


class Coding(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.files = [make_dicom(PatientName=f"Doe^{n}") for n in range(60)]
        assert cls.server.store(cls.files).status == 200

    def test_HTP_60_61_searches_are_coded_as_the_client_likes(self):
        plain = self.server.get("/studies", JSON)
        self.assertNotIn("Content-Encoding", plain.headers)  # HTP-63
        self.assertIn("Accept-Encoding", plain.headers["Vary"])
        codings = [("gzip", "gzip"), ("x-gzip", "gzip"), ("gzip;q=0.5, identity;q=0", "gzip"), ("br", None), ("gzip;q=0", None), ("identity", None)]
        if shutil.which("zstd"):
            codings += [("gzip, deflate, br, zstd", "zstd"), ("gzip;q=0, zstd", "zstd"), ("*", "zstd")]
        for wanted, coding in codings:
            answer = self.assertStatus(self.server.get("/studies", {**JSON, "Accept-Encoding": wanted}), 200)
            self.assertEqual(answer.headers.get("Content-Encoding"), coding, wanted)
            self.assertIn("Accept-Encoding", answer.headers["Vary"])
            self.assertEqual(decode(answer), plain.body, wanted)
            if coding:
                self.assertLess(len(answer.body) * 5, len(plain.body))

    def test_HTP_60_over_both_versions_of_http(self):
        plain = self.server.get("/studies", JSON).body
        for http in ("--http1.1", "--http2"):
            for method in ("GET", "HEAD"):
                command = ["curl", "-s", "-i", http, "--cacert", self.server.ca, "-H", "Accept: application/dicom+json", "-H", "Accept-Encoding: gzip",
                           *(["-I"] if method == "HEAD" else []), self.server.url + "/studies"]
                top, _, body = subprocess.run(command, capture_output=True, check=True).stdout.partition(b"\r\n\r\n")
                self.assertRegex(top.lower(), rb"^http/[12.]+ 200")
                self.assertIn(b"content-encoding: gzip", top.lower())
                self.assertEqual(gzip.decompress(body) if method == "GET" else body, plain if method == "GET" else b"")

    def test_HTP_60_many_coded_answers_on_one_connection(self):
        link = self.server.connection()
        for n in range(30):
            headers = {**JSON, "Accept-Encoding": "gzip"} if n % 2 else JSON
            answer = self.server.call("GET", f"/studies?limit={n + 1}", headers=headers, connection=link)
            self.assertEqual(len(json.loads(decode(answer))), n + 1)
        link.close()

    def test_HTP_01_head_tells_of_the_same_coding(self):
        for wanted in ("gzip", "identity"):
            headers = {"Accept": "application/json", "Accept-Encoding": wanted}
            got, head = self.server.get("/", headers), self.server.call("HEAD", "/", headers=headers)
            self.assertEqual((got.status, head.status, head.body), (200, 200, b""))
            for name in ("Content-Encoding", "Content-Length", "ETag", "Vary", "Content-Type"):
                self.assertEqual(head.headers.get(name), got.headers.get(name), (wanted, name))

    def test_HTP_01_head_is_a_get_without_its_body_on_every_resource(self):
        path, changing = path_of(self.files[0]), {"Date", "X-Request-Id", "Server-Timing", "Connection", "Transfer-Encoding", "Content-Length"}
        study, series, _ = uids_of(self.files[0])
        for target, accept in (("/studies", "application/dicom+json"), (f"/studies/{study}/series", "application/dicom+json"),
                               (f"/studies/{study}/metadata", "application/dicom+json"), (f"/studies/{study}", "multipart/related; type=\"application/dicom\""),
                               (f"/studies/{study}/series/{series}", "multipart/related; type=\"application/dicom\""), (path, "application/dicom"),
                               (path + "/metadata", "application/dicom+json"), (path + "/frames/1", FRAME["Accept"]), (path + "/frames/9", "*/*"),
                               ("/", "application/json"), ("//healthz", "*/*"), ("//readyz", "*/*"), ("/nowhere", "*/*"), ("/studies/1.2.3.4", "*/*")):
            got, head = (self.server.call(method, target, headers={"Accept": accept}) for method in ("GET", "HEAD"))
            self.assertEqual((head.status, head.body), (got.status, b""), target)
            self.assertEqual({n: v for n, v in head.headers.items() if n not in changing}, {n: v for n, v in got.headers.items() if n not in changing}, target)
            if "Content-Length" in head.headers:
                self.assertEqual(head.headers["Content-Length"], str(len(got.body)), target)

    def test_a_method_is_never_overridden(self):
        for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
            self.assertStatus(self.server.call("POST", "/studies/" + uids_of(self.files[0])[0], b"", {name: "DELETE"}), 415)
        self.assertStatus(self.server.get(f"/studies/{uids_of(self.files[0])[0]}?_method=DELETE", {"Accept": "multipart/related; type=\"application/dicom\""}), 200)

    def test_HTP_61_tags_differ_by_coding_and_each_gives_304(self):
        path = path_of(self.files[0]) + "/metadata"
        for target in (path, "/"):
            tags = set()
            for wanted in ("identity", "gzip"):
                headers = {"Accept": "application/dicom+json, application/json;q=0.9", "Accept-Encoding": wanted}
                answer = self.assertStatus(self.server.get(target, headers), 200)
                tags.add(answer.headers["ETag"])
                for sent in (answer.headers["ETag"], '"x", ' + answer.headers["ETag"], "*"):
                    again = self.assertStatus(self.server.get(target, {**headers, "If-None-Match": sent}), 304)
                    self.assertEqual(again.body, b"")
                    self.assertIn("Vary", again.headers)
                    if sent != "*":
                        self.assertEqual(again.headers["ETag"], answer.headers["ETag"])
                self.assertStatus(self.server.get(target, {**headers, "If-None-Match": '"other"'}), 200)
            self.assertEqual(len(tags), 2, target)

    def test_HTP_62_pixels_are_never_coded(self):
        path = path_of(self.files[0])
        everything = {"Accept-Encoding": "gzip, deflate, br, zstd"}
        for target, headers in ((path + "/frames/1", FRAME), (path, {"Accept": "application/dicom"})):
            answer = self.assertStatus(self.server.get(target, {**headers, **everything}), 200)
            self.assertNotIn("Content-Encoding", answer.headers)
            self.assertTrue(answer.headers["ETag"].startswith('"'))

    def test_HTP_64_problems_are_not_coded(self):
        answer = self.assertStatus(self.server.get("/studies?limit=" + "x" * 2000, {**JSON, "Accept-Encoding": "gzip"}), 400)
        self.assertNotIn("Content-Encoding", answer.headers)
        self.assertNotIn(b"xxx", answer.body)

    def test_HTP_51_several_ranges_of_a_frame(self):
        path = path_of(self.files[0]) + "/frames/1"
        whole = self.assertStatus(self.server.get(path, FRAME), 200).body
        answer = self.assertStatus(self.server.get(path, {**FRAME, "Range": "bytes=0-9,100-109,-5"}), 206)
        boundary = re.fullmatch(r"multipart/byteranges; boundary=(\S+)", answer.headers["Content-Type"]).group(1).encode()
        parts = answer.body.split(b"--" + boundary)
        self.assertEqual((parts[0], parts[-1]), (b"", b"--\r\n"))
        for part, (first, last) in zip(parts[1:-1], ((0, 9), (100, 109), (len(whole) - 5, len(whole) - 1)), strict=True):
            top, _, data = part.partition(b"\r\n\r\n")
            self.assertIn(f"Content-Range: bytes {first}-{last}/{len(whole)}".encode(), top)
            self.assertIn(b"Content-Type: application/octet-stream", top)
            self.assertEqual(data, whole[first:last + 1] + b"\r\n")
        for range_ in ("bytes=0-9,5-20", "bytes=50-60,0-9", "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(200))):
            self.assertEqual(self.assertStatus(self.server.get(path, {**FRAME, "Range": range_}), 200).body, whole)

    def test_HTP_52_if_range(self):
        path = path_of(self.files[0]) + "/frames/1"
        tag = self.server.get(path, FRAME).headers["ETag"]
        for condition, status in ((tag, 206), ('"stale"', 200), ("W/" + tag, 200)):
            self.assertStatus(self.server.get(path, {**FRAME, "Range": "bytes=0-9", "If-Range": condition}), status)

    def test_HTP_43_if_match(self):
        path = path_of(self.files[0]) + "/frames/1"
        tag = self.server.get(path, FRAME).headers["ETag"]
        self.assertStatus(self.server.get(path, {**FRAME, "If-Match": tag}), 200)
        self.assertStatus(self.server.get(path, {**FRAME, "If-Match": "*"}), 200)
        answer = self.assertStatus(self.server.get(path, {**FRAME, "If-Match": '"stale"'}), 412)
        self.assertIn(b"If-Match", answer.body)

    def test_metadata_of_a_study_in_every_coding(self):
        study = uids_of(self.files[5])[0]
        plain = self.server.get(f"/studies/{study}/metadata", JSON)
        for coding in ("gzip", "zstd") if shutil.which("zstd") else ("gzip",):
            answer = self.server.get(f"/studies/{study}/metadata", {**JSON, "Accept-Encoding": coding})
            self.assertEqual(answer.headers["Content-Encoding"], coding)
            self.assertEqual(decode(answer), plain.body)


if __name__ == "__main__":
    unittest.main()

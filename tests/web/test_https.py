"""TLS, HTTP hygiene, CORS, errors and the life of the process."""
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest
from pathlib import Path

from gantry import JSON, SANITIZED, SLOWER, Server, ServerCase, make_dicom, multipart, path_of, uids_of


def openssl(server, *arguments, data=b""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", "localhost",
                           "-CAfile", server.ca, *arguments], input=data, capture_output=True, timeout=60)


class Tls(ServerCase):
    def test_TLS_01_old_versions_are_refused(self):
        for version in ("-tls1", "-tls1_1"):
            done = openssl(self.server, version, "-cipher", "ALL:@SECLEVEL=0")
            self.assertNotEqual(done.returncode, 0, version)
            self.assertIn(b"alert protocol version", done.stderr)

    def test_TLS_02_04_both_versions_with_aes_256_first(self):
        for version, suite in (("-tls1_2", b"ECDHE-ECDSA-AES256-GCM-SHA384"), ("-tls1_3", b"TLS_AES_256_GCM_SHA384")):
            done = openssl(self.server, version, "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ALL",
                           "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384")
            self.assertIn(b"Verify return code: 0 (ok)", done.stdout)
            self.assertIn(suite, done.stdout)

    def test_TLS_03_only_ephemeral_aead_suites(self):
        for suite in ("AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES256-SHA", "DHE-RSA-AES256-GCM-SHA384",
                      "ADH-AES256-GCM-SHA384", "NULL"):
            self.assertNotEqual(openssl(self.server, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0").returncode, 0, suite)

    def test_TLS_05_groups(self):
        for group in ("X25519", "P-256", "P-384"):
            self.assertEqual(openssl(self.server, "-groups", group).returncode, 0, group)
        self.assertNotEqual(openssl(self.server, "-groups", "ffdhe2048").returncode, 0)

    def test_TLS_07_no_compression_extended_master_secret_no_renegotiation(self):
        done = openssl(self.server, "-tls1_2")
        self.assertIn(b"Compression: NONE", done.stdout)
        self.assertIn(b"Extended master secret: yes", done.stdout)
        self.assertIn(b"Secure Renegotiation IS supported", done.stdout)

    def test_TLS_09_sessions_resume(self):
        context = ssl.create_default_context(cafile=self.server.ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        session, reused = None, []
        for _ in range(2):
            with context.wrap_socket(socket.create_connection(("127.0.0.1", self.server.port)), server_hostname="localhost",
                                     session=session) as link:
                link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                link.recv(1000)
                session, reused = link.session, reused + [link.session_reused]
        self.assertEqual(reused, [False, True])

    def test_TLS_11_alpn(self):
        self.assertIn(b"ALPN protocol: http/1.1", openssl(self.server, "-alpn", "http/1.1").stdout)
        self.assertNotEqual(openssl(self.server, "-alpn", "nonsense").returncode, 0)

    def test_TLS_13_plain_http_is_closed_and_a_hello_in_single_bytes_works(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20 * SLOWER) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while chunk := plain.recv(1000):
                self.assertNotIn(b"200", chunk)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.server.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20 * SLOWER) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            first = True
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    data = outgoing.read()
                    if first:
                        for byte in data:
                            plain.sendall(bytes([byte]))
                            time.sleep(0.0005)
                        first = False
                    elif data:
                        plain.sendall(data)
                    chunk = plain.recv(65536)
                    self.assertTrue(chunk, "closed")
                    incoming.write(chunk)
            self.assertEqual(tls.version(), "TLSv1.3")

    def test_the_throwaway_certificate_is_kept_and_its_key_is_private(self):
        folder = self.server.folder / "tls"
        self.assertEqual(sorted(p.name for p in folder.iterdir()), ["ca.pem", "server.key", "server.pem"])
        self.assertEqual((folder / "server.key").stat().st_mode & 0o077, 0)
        text = subprocess.run(["openssl", "x509", "-in", folder / "server.pem", "-noout", "-text"],
                              capture_output=True, text=True, check=True).stdout
        self.assertIn("DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1", text)
        self.assertIn("TLS Web Server Authentication", text)

    def test_stalled_handshakes_cost_no_cpu_and_delay_nobody(self):
        hello = ssl.MemoryBIO()
        tls = self.server.context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        hello = hello.read()
        stalled = []
        try:
            for n in range(51):
                link = socket.create_connection(("127.0.0.1", self.server.port))
                link.sendall((b"", hello[:100], hello)[n % 3])
                stalled.append(link)
            time.sleep(0.5)
            before = self.server.cpu_seconds()
            time.sleep(3)
            spent = self.server.cpu_seconds() - before
            self.assertLess(spent, 0.3 * SLOWER)  # a spinning thread would spend 3 s
            self.assertEqual(self.server.get("//healthz").status, 200)
        finally:
            for link in stalled:
                link.close()

    def test_many_idle_connections(self):
        links = []
        try:
            for _ in range(300):
                link = self.server.connection()
                link.request("GET", "/healthz")
                self.assertEqual(link.getresponse().read() and 200, 200)
                links.append(link)
            before = self.server.cpu_seconds()
            time.sleep(2)
            self.assertLess(self.server.cpu_seconds() - before, 0.2 * SLOWER)
            for link in links[::50]:
                link.request("GET", "/healthz")
                self.assertEqual(link.getresponse().status, 200)
        finally:
            for link in links:
                link.close()


class Http(ServerCase):
    def test_HTP_02_03_methods(self):
        for method, status in ((b"TRACE", (405, 501)), (b"CONNECT", (405, 501)), (b"get", (501,)), (b"BREW", (501,))):
            got = self.server.raw(method + b" /dicom-web/studies HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertIn(int(got.split(b" ")[1]), status, got)
        answer = self.assertStatus(self.server.call("POST", "/series"), 405)
        self.assertIn("GET", answer.headers["Allow"])
        self.assertStatus(self.server.get("/nonsense"), 404)
        self.assertStatus(self.server.get("//nowhere"), 404)

    def test_HTP_10_paths_that_climb(self):
        for path in ("/studies/%2e%2e/x", "/studies/../x", "/studies/1.2%2F3", "/studies/1.2%00", "/studies/1.2%5C3", "/studies//x",
                     "/studies/%zz"):
            got = self.server.raw(f"GET /dicom-web{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            self.assertIn(got.split(b" ")[1], (b"400", b"404"), (path, got))

    def test_HTP_11_a_trailing_slash(self):
        self.assertStatus(self.server.get("/studies/"), 204)

    def test_HTP_18_30_to_33_framing_attacks_are_400_and_closed(self):
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        head = b"POST /dicom-web/studies HTTP/1.1\r\n"
        for fields in (b"Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
                       b"Host: x\r\nContent-Length: 3, 3\r\n", b"Host: x\r\nContent-Length: +3\r\n", b"Host: x\r\nContent-Length: -1\r\n",
                       b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", b"Host: x\r\nTransfer-Encoding: identity\r\n",
                       b"Host: x\r\nTransfer-Encoding: xchunked\r\n", b"Host: x\r\nTransfer-Encoding : chunked\r\n",
                       b"Content-Length: 0\r\n", b"Host: x\r\nHost: y\r\nContent-Length: 0\r\n", b"Host: x\r\nX-A: a\rb\r\nContent-Length: 0\r\n"):
            got = self.server.raw(head + fields + b"\r\n0\r\n\r\n" + smuggled, timeout=5)
            statuses = re.findall(rb"HTTP/1\.1 (\d+)", got)
            if statuses:  # some are closed without a word
                self.assertIn(statuses[0], (b"400", b"501"), (fields, got))
            self.assertNotIn(b"404", statuses, (fields, got))
        self.assertNotIn("smuggled", self.server.log_text())

    def test_HTP_12_long_targets_and_many_uids(self):
        uids = ",".join(f"1.2.826.0.1.3680043.10.1081.{n}.1234567890123456789012345" for n in range(100))
        self.assertStatus(self.server.get("/studies?StudyInstanceUID=" + uids, JSON), 204)
        got = self.server.raw(b"GET /dicom-web/studies?x=" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(got.split(b" ")[1], (b"414", b"431", b"400"))

    def test_HTP_13_refused_before_the_body_is_sent(self):
        got = self.server.raw(b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                              b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 415"), got)
        got = self.server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: nonsense\r\nConnection: close\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 417"), got)

    def test_HTP_20_absolute_form(self):
        for host, status in ((b"other", b"204"), (b"x", b"400")):
            got = self.server.raw(b"GET https://other/dicom-web/studies HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
            self.assertTrue(got.startswith(b"HTTP/1.1 " + status), got)

    def test_HTP_06_no_version_is_told(self):
        answer = self.server.get("//healthz")
        self.assertTrue(answer.headers["Date"])
        self.assertNotRegex(answer.headers.get("Server", ""), r"\d")
        self.assertTrue(answer.headers["X-Request-Id"])

    def test_HTP_07_pipelined_requests_are_answered_in_order(self):
        got = self.server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /dicom-web/studies HTTP/1.1\r\nHost: x\r\n\r\n"
                              b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", got), [b"200", b"204", b"404"])

    def test_ERR_02_05_errors_are_problem_documents_with_the_request_id(self):
        answer = self.assertStatus(self.server.get("/studies/1.2.x"), 400)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        problem = answer.json()
        self.assertEqual(problem["status"], 400)
        self.assertIn(answer.headers["X-Request-Id"], problem["instance"])

    def test_COR_02_03_04_cross_origin(self):
        origin = {"Origin": "https://viewer.example"}
        answer = self.server.call("OPTIONS", "/studies/1.2/series/1.3/instances/1.4/frames/1",
                                  headers={**origin, "Access-Control-Request-Method": "GET",
                                           "Access-Control-Request-Headers": "authorization,accept"})
        self.assertEqual((answer.status, answer.body), (204, b""))
        for name in ("authorization", "accept"):
            self.assertIn(name, answer.headers["Access-Control-Allow-Headers"].lower())
        self.assertIn("POST", answer.headers["Access-Control-Allow-Methods"])
        for path, status in (("/studies", 204), ("/studies/1.2.3", 404), ("/studies/x", 400), ("/nowhere", 404)):
            answer = self.assertStatus(self.server.get(path, origin), status)
            self.assertIn(answer.headers["Access-Control-Allow-Origin"], ("*", origin["Origin"]))
            self.assertIn("Content-Range", answer.headers["Access-Control-Expose-Headers"])
            self.assertEqual(answer.headers["Cross-Origin-Resource-Policy"], "cross-origin")

    def test_HTP_04_options(self):
        self.assertIn(self.server.call("OPTIONS", "/studies").status, (200, 204))
        self.assertIn("POST", self.server.call("OPTIONS", "/studies").headers["Allow"])

    def test_HTP_17_health(self):
        self.assertStatus(self.server.get("//healthz"), 200)
        self.assertStatus(self.server.get("//readyz"), 200)

    def test_no_patient_data_in_the_log(self):
        file = make_dicom(PatientName="Secretname^Hidden", PatientID="SECRETID77")
        self.server.store([file, file[:400]])
        self.server.get("/studies?PatientName=Secretname*&PatientID=SECRETID77", JSON)
        self.server.get("/studies?StudyDate=Secretname", JSON)
        self.server.get(path_of(file) + "/metadata", JSON)
        time.sleep(0.5)
        text = self.server.log_text()
        for secret in ("Secretname", "SECRETID77", uids_of(file)[0]):
            self.assertNotIn(secret, text)


class Life(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(lambda: self.server.stop())

    def test_what_was_answered_survives_kill_9(self):
        files = [make_dicom() for _ in range(5)]
        self.assertEqual(self.server.store(files).status, 200)
        self.server.kill()
        self.server.start()
        for file in files:
            self.assertEqual(self.server.get(path_of(file), {"Accept": "application/dicom"}).body, file)
        self.assertEqual(list((self.server.folder / "drafts").iterdir()), [])

    def test_kill_9_during_stores_loses_nothing_acknowledged_and_shows_nothing_else(self):
        stored, stop = [], threading.Event()

        def sender():
            while not stop.is_set():
                files = [make_dicom(rows=64, columns=64) for _ in range(3)]
                try:
                    if self.server.store(files).status == 200:
                        stored.extend(files)
                except (OSError, http.client.HTTPException):
                    return
        for _ in range(3):
            stop.clear()
            senders = [threading.Thread(target=sender) for _ in range(4)]
            for thread in senders:
                thread.start()
            time.sleep(0.5 * SLOWER)
            self.server.kill()
            stop.set()
            for thread in senders:
                thread.join()
            self.server.start()
            self.assertEqual(list((self.server.folder / "drafts").iterdir()), [])
            for file in stored:
                self.assertEqual(self.server.get(path_of(file), {"Accept": "application/dicom"}).body, file)
            rows, more = [], True
            while more:  # an answer has a ceiling
                answer = self.server.get(f"/instances?limit=1000&offset={len(rows)}", JSON)
                more = answer.json() if answer.status == 200 else []
                rows += more
            for row in rows:
                url = row["00081190"]["Value"][0].split("/dicom-web")[1]
                self.assertEqual(self.server.get(url, {"Accept": "application/dicom"}).status, 200)
            on_disk = len(list(self.server.folder.rglob("*.dcm")))
            self.assertEqual(on_disk, len(rows))
        self.assertTrue(stored)

    def test_HTP_16_sigterm_finishes_what_is_under_way(self):
        body, content_type = multipart([make_dicom(rows=512, columns=512) for _ in range(4)])
        link = self.server.connection()
        link.putrequest("POST", "/dicom-web/studies")
        link.putheader("Content-Type", content_type)
        link.putheader("Content-Length", str(len(body)))
        link.endheaders()
        link.send(body[:len(body) // 2])
        drafts, deadline = self.server.folder / "drafts", time.monotonic() + 30 * SLOWER
        while not any(drafts.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)  # until it is under way
        self.server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        link.send(body[len(body) // 2:])
        self.assertEqual(link.getresponse().status, 200)
        link.close()
        self.assertEqual(self.server.process.wait(60 * SLOWER), 0)

    def test_sighup_swaps_the_certificate_and_keeps_connections(self):
        link = self.server.connection()
        self.assertEqual(self.server.call("GET", "//healthz", connection=link).status, 200)
        self.server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        self.assertEqual(self.server.call("GET", "//healthz", connection=link).status, 200)
        link.close()
        self.assertEqual(self.server.get("//readyz").status, 200)

    def test_a_second_server_on_the_same_folder_is_refused(self):
        done = subprocess.run([os.environ.get("GANTRY_BINARY", "gantry"), "serve", "--listen", "127.0.0.1:0", "--data",
                               str(self.server.folder)], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        self.assertNotEqual(done.returncode, 0)

    def test_a_client_that_vanishes_leaves_nothing(self):
        body, content_type = multipart([make_dicom(rows=256, columns=256)])
        for _ in range(5):
            link = self.server.connection()
            link.putrequest("POST", "/dicom-web/studies")
            link.putheader("Content-Type", content_type)
            link.putheader("Content-Length", str(len(body)))
            link.endheaders()
            link.send(body[:len(body) // 2])
            link.sock.unwrap() if False else link.sock.close()
            link.close()
        drafts = self.server.folder / "drafts"
        deadline = time.monotonic() + 30 * SLOWER
        while list(drafts.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(list(drafts.iterdir()), [])
        self.assertEqual(self.server.get("/instances", JSON).status, 204)

    def test_memory_does_not_grow_with_the_body(self):
        if SANITIZED:
            self.skipTest("memory figures mean nothing under a sanitizer")
        megabytes = 300
        head = make_dicom(rows=1024, columns=1024, frames=1, pixels=b"\0" * 2 ** 21)[:-(2 ** 21) - 12]
        size = megabytes * 2 ** 20
        file = [head, b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little")]

        def pieces():
            yield b"--B\r\nContent-Type: application/dicom\r\n\r\n"
            yield from file
            for _ in range(megabytes):
                yield b"\x55" * 2 ** 20
            yield b"\r\n--B--\r\n"
        answer = self.server.call("POST", "/studies", pieces(), {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B',
                                                                 "Transfer-Encoding": "chunked"},
                                  connection=self.server.connection(timeout=600))
        self.assertEqual(answer.status, 200, repr(answer))
        self.assertLess(self.server.memory("VmHWM"), 150 * 2 ** 20)


class Commands(unittest.TestCase):
    def run_it(self, *arguments, **more):
        return subprocess.run([os.environ.get("GANTRY_BINARY", "gantry"), *arguments], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, **more)

    def test_version_settings_and_usage(self):
        self.assertRegex(self.run_it("--version").stdout, r"^[Gg]antry \d+\.\d+\.\d+")
        printed = self.run_it("--print-settings")
        self.assertEqual(printed.returncode, 0)
        shipped = (Path(__file__).resolve().parents[2] / "config/gantry.ini").read_text()
        self.assertEqual(printed.stdout, shipped)
        self.assertEqual(self.run_it("--nonsense").returncode, 2)
        done = self.run_it("serve", "--workers", "many")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("workers", done.stderr)

    def test_check_config(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_it("check-config", "--listen", "127.0.0.1:0", "--data", folder).returncode, 0)
            done = self.run_it("check-config", "--listen", "nonsense", "--data", folder)
            self.assertEqual(done.returncode, 1)
            done = self.run_it("check-config", "--data", folder, "--tls-certificate", folder + "/none.pem", "--tls-key", folder + "/none.key")
            self.assertEqual(done.returncode, 1)
            self.assertIn("none.pem", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()

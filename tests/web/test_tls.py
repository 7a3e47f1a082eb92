"""TLS as clients meet it: certificates chosen, swapped, stapled; sessions resumed; names that nobody has."""
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from gantry import SLOWER, Server
from pki import Pki


def s_client(port, ca, *arguments, name="localhost", data=b""):
    """What openssl says of a connection; with `data`, which is sent, until the server closes."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", ca, *arguments]
    command += ["-servername", name] if name else ["-noservername"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT)
        try:
            if data:
                process.stdin.write(data)
                process.stdin.flush()
                process.wait(30 * SLOWER)
            process.stdin.close()  # its end is the end of s_client
            process.wait(30 * SLOWER)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            process.kill()
            process.wait(30)
        said.seek(0)
        return said.read().decode(errors="replace")


class PkiCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pki = Pki()
        cls.addClassCleanup(lambda: shutil.rmtree(cls.pki.folder, ignore_errors=True))
        cls.make()

    @classmethod
    def make(cls):
        cls.pki.ca("root")

    def serve(self, *arguments, certificate="server", ca="root", **more):
        names = certificate.split(",")
        server = Server("--tls-certificate", ",".join(self.pki.path(n + ".pem") for n in names), "--tls-key",
                        ",".join(self.pki.path(n + ".key") for n in names), *arguments, ca=self.pki.path(ca + ".pem"), **more)
        self.addCleanup(server.stop)
        return server

    def wait_for(self, condition, what, seconds=20):
        deadline = time.monotonic() + seconds * SLOWER
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)
        self.fail("did not happen: " + what)


class Certificates(PkiCase):
    @classmethod
    def make(cls):
        pki = cls.pki
        pki.ca("root")
        pki.ca("middle", "root")
        pki.server("ecdsa", "middle", chain=["middle", "root"])
        pki.server("rsa", "root", kind="rsa")
        pki.server("a", "root", ["a.example"])
        pki.server("wild", "root", ["*.b.example"])
        pki.server("exact", "root", ["x.b.example", "*.c.example"])

    def serial(self, said):
        pem = said[said.index("-----BEGIN"):said.index("-----END") + 26]
        return int(subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem.encode(), capture_output=True).stdout
                   .decode().strip().split("=")[1], 16)

    def test_TLS_42_RSA_and_ECDSA_side_by_side_by_what_the_client_can(self):
        server = self.serve(certificate="rsa,ecdsa")
        rsa, ecdsa = self.pki.serials["rsa"], self.pki.serials["ecdsa"]
        for arguments, wanted in ((["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], rsa),
                                  (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], ecdsa),
                                  (["-tls1_2"], ecdsa),
                                  (["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"], rsa),
                                  (["-tls1_3", "-sigalgs", "ECDSA+SHA256"], ecdsa)):
            said = s_client(server.port, server.ca, *arguments)
            self.assertIn("Verify return code: 0 (ok)", said, arguments)
            self.assertEqual(self.serial(said), wanted, arguments)

    def test_TLS_12_the_chain_is_sent_without_its_root(self):
        said = s_client(self.serve(certificate="ecdsa").port, self.pki.path("root.pem"), "-showcerts")
        self.assertIn("Verify return code: 0 (ok)", said)
        self.assertEqual(said.count("-----BEGIN CERTIFICATE"), 2)

    def test_TLS_10_certificates_by_server_name(self):
        server = self.serve(certificate="rsa,a,wild,exact")
        for name, wanted in (("localhost", "rsa"), ("a.example", "a"), ("A.Example", "a"), ("y.b.example", "wild"), ("x.b.example", "exact"),
                             ("z.c.example", "exact"), ("nobody.example", "rsa"), ("b.example", "rsa"), ("q.y.b.example", "rsa"),
                             ("", "rsa")):
            for version in ("-tls1_2", "-tls1_3"):
                self.assertEqual(self.serial(s_client(server.port, server.ca, version, name=name)), self.pki.serials[wanted],
                                 (name, version))

    def test_TLS_10_a_name_that_nobody_has_is_refused_by_setting(self):
        server = self.serve("--unknown-server-name", "refuse", certificate="rsa,a")
        for version in ("-tls1_2", "-tls1_3"):
            self.assertIn("unrecognized name", s_client(server.port, server.ca, version, name="nobody.example"))
            for name in ("a.example", ""):
                self.assertIn("BEGIN CERTIFICATE", s_client(server.port, server.ca, version, name=name))

    def test_a_folder_of_certificates_as_certbot_has_them(self):
        folder = self.pki.folder / "live"
        for name in ("a", "wild"):
            (folder / name).mkdir(parents=True)
            shutil.copy(self.pki.path(name + ".pem"), folder / name / "fullchain.pem")
            shutil.copy(self.pki.path(name + ".key"), folder / name / "privkey.pem")
        server = self.serve("--tls-folder", str(folder), certificate="rsa")
        for name, wanted in (("a.example", "a"), ("x.b.example", "wild"), ("localhost", "rsa")):
            self.assertEqual(self.serial(s_client(server.port, server.ca, name=name)), self.pki.serials[wanted], name)
        # A further one is taken when it appears.
        (folder / "exact").mkdir()
        shutil.copy(self.pki.path("exact.pem"), folder / "exact" / "fullchain.pem")
        shutil.copy(self.pki.path("exact.key"), folder / "exact" / "privkey.pem")
        self.wait_for(lambda: self.serial(s_client(server.port, server.ca, name="z.c.example")) == self.pki.serials["exact"],
                      "the new certificate")

    def test_TLS_40_TLS_41_files_are_swapped_when_they_change_and_a_bad_set_is_not_taken(self):
        for name in ("first", "second"):
            self.pki.server(name, "root")
        used = self.pki.folder / "used"
        used.mkdir()

        def put(certificate, key):
            for source, target in ((certificate + ".pem", "used.pem"), (key + ".key", "used.key")):
                shutil.copy(self.pki.path(source), used / (target + ".new"))
                os.chmod(used / (target + ".new"), 0o600)
                os.rename(used / (target + ".new"), used / target)
        put("first", "first")
        server = self.serve(certificate="used/used")
        served = lambda: self.serial(s_client(server.port, server.ca))
        link = server.connection()
        self.assertEqual(server.call("GET", "//healthz", connection=link).status, 200)
        put("second", "second")
        self.wait_for(lambda: served() == self.pki.serials["second"], "the second certificate")
        put("first", "second")  # no pair
        self.wait_for(lambda: "does not belong" in server.log_text(), "the complaint")
        self.assertEqual(served(), self.pki.serials["second"])
        put("first", "first")
        self.wait_for(lambda: served() == self.pki.serials["first"], "the first certificate again")
        self.assertEqual(server.call("GET", "//healthz", connection=link).status, 200)
        link.close()

    def test_TLS_17_profiles_as_clients_meet_them(self):
        modern = self.serve("--tls-profile", "modern", certificate="rsa")
        self.assertIn("alert protocol version", s_client(modern.port, modern.ca, "-tls1_2"))
        for server, arguments in ((modern, ("-tls1_3", "-groups", "P-521")), (self.serve(certificate="rsa"), ("-tls1_2", "-cipher", "AES256-SHA"))):
            for alpn in ("http/1.1", "h2"):
                self.assertIn("alert handshake failure", s_client(server.port, server.ca, *arguments, "-alpn", alpn), (arguments, alpn))
        self.assertIn("Verify return code: 0 (ok)", s_client(modern.port, modern.ca, "-tls1_3"))
        nd = self.serve("--tls-profile", "bcp195-nd", certificate="rsa")
        said = s_client(nd.port, nd.ca, "-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384")
        self.assertIn("Cipher is DHE-RSA-AES256-GCM-SHA384", said)
        self.assertIn("DH, 3072 bits", said)
        modified = self.serve("--tls-profile", "bcp195-modified", certificate="ecdsa")
        self.assertIn("Cipher is ECDHE-ECDSA-AES128-CCM8",
                      s_client(modified.port, modified.ca, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"))


class Resumption(PkiCase):
    @classmethod
    def make(cls):
        cls.pki.ca("root")
        cls.pki.server("server", "root")

    def reused(self, server, version):
        session = str(self.pki.folder / f"session{version}")
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        s_client(server.port, server.ca, version, "-sess_out", session, data=request)
        return "Reused" in s_client(server.port, server.ca, version, "-sess_in", session)

    def test_TLS_09_both_versions_resume_unless_tickets_are_off(self):
        server, without = self.serve(), self.serve("--ticket-lifetime", "0")
        for version in ("-tls1_2", "-tls1_3"):
            self.assertTrue(self.reused(server, version), version)
            self.assertFalse(self.reused(without, version), version)

    def test_TLS_08_no_early_data(self):
        server = self.serve()
        session, early = str(self.pki.folder / "early-session"), self.pki.folder / "early"
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        early.write_bytes(request)
        s_client(server.port, server.ca, "-tls1_3", "-sess_out", session, data=request)
        self.assertNotIn("Early data was accepted",
                         s_client(server.port, server.ca, "-tls1_3", "-sess_in", session, "-early_data", str(early)))

    def test_TLS_07_renegotiation_is_refused_with_its_alert_on_both_transports(self):
        server = self.serve()
        for alpn in ("http/1.1", "h2"):
            process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2", "-CAfile", server.ca,
                                        "-servername", "localhost", "-alpn", alpn, "-msg"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
            said = b""
            # Then it has shaken hands, and of HTTP/2 has the SETTINGS, which openssl does not take once it has said hello again.
            while b"Verify return code" not in said or alpn == "h2" and b"\n    17 03 03 " not in said:
                line = process.stdout.readline()
                self.assertTrue(line, said)
                said += line
            process.stdin.write(b"R\n")
            process.stdin.flush()
            said = process.stdout.read().decode(errors="replace")  # to its end: the server ends the connection
            process.stdin.close()
            self.assertEqual(process.wait(60), 1)
            process.stdout.close()
            self.assertIn("RENEGOTIATING", said)
            self.assertIn("no_renegotiation", said)
            self.assertNotIn("ServerHello", said)

"""What testssl.sh and sslscan find: the reports that are expected lie beside this file. To write them anew after a change
that is meant, run with GANTRY_WRITE_REPORTS=1 and read the difference."""
import difflib
import json
import os
import re
import subprocess
import unittest
from pathlib import Path

from gantry import SANITIZED, SLOWER
from pki import Pki
from test_tls import PkiCase
from test_tls_staples import Responder, free_port

HERE = Path(__file__).resolve().parent
BAD = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
# Of the certificates of this run, of the machine, of the moment: a client that leaves at once may miss its ticket.
CHANGING = re.compile(r"^(cert_(serialNumber|fingerprint\w+|notBefore|notAfter|ocspURL|expirationStatus)( |$)|cert( <|$)|scanTime|"
                      r"engine_problem|DROWN_hint|service|HTTP_|pre_128cipher|TLS_extensions|DNS_CAArecord|sessionresumption_\w+)")


class Scanners(PkiCase):
    @classmethod
    def make(cls):
        pki = cls.pki
        pki.serial = int.from_bytes(b"\x40" + os.urandom(15), "big")
        pki.ca("root")
        cls.port = free_port(cls)
        uri = f'ocsp_uri = "http://127.0.0.1:{cls.port}/"'
        pki.server("ecdsa", "root", lines=[uri], chain=["root"])
        pki.server("rsa", "root", lines=[uri], chain=["root"], kind="rsa")

    def setUp(self):
        Responder(self, self.port, good=["ecdsa", "rsa"])
        self.server = self.serve(certificate="ecdsa,rsa")
        self.wait_for(lambda: self.server.log_text().count("fetched a staple") == 2, "the staples")

    def compare(self, name, lines):
        path = HERE / "reports" / name
        text = "\n".join(lines) + "\n"
        if os.environ.get("GANTRY_WRITE_REPORTS"):
            path.write_text(text)
        expected = path.read_text()
        self.assertEqual(text, expected, "".join(difflib.unified_diff(expected.splitlines(True), text.splitlines(True), "expected", "found")))

    def test_sslscan_finds_what_it_should(self):
        done = subprocess.run(["sslscan", "--no-colour", "--ocsp", "--timeout=30", "--sni-name=localhost", f"127.0.0.1:{self.server.port}"], capture_output=True,
                              text=True, timeout=300 * SLOWER)
        text = done.stdout[done.stdout.index("  SSL/TLS Protocols:"):done.stdout.index("  SSL Certificate:")]
        text = re.sub(r"(?s)  OCSP Stapling Request:.*?(?=\n  Supported Server Cipher)", "", text)
        self.assertIn("OCSP Response Status: successful", done.stdout)
        # What it says of its own build is not about us.
        text = re.sub(r"(?s)  TLS Compression:.*?(?=\n  Heartbleed)", "", text)
        self.compare("sslscan.txt", [line.rstrip() for line in text.splitlines() if line.strip()])

    @unittest.skipIf(SANITIZED, "testssl.sh takes a minute of its own; the server under a sanitizer is scanned by sslscan")
    def test_testssl_finds_nothing_above_LOW_and_what_it_should(self):
        report = self.pki.folder / "report.json"
        # No look-up and nothing sent anywhere else: the address is given, names are not resolved.
        done = subprocess.run(["testssl", "--ip", "127.0.0.1", "--warnings", "off", "--color", "0", "--quiet", "--nodns", "none",
                               "--connect-timeout", "10", "--openssl-timeout", "20", "--add-ca", self.pki.path("root.pem"), "-p", "-f", "-P",
                               "-S", "-U", "--jsonfile", str(report), f"localhost:{self.server.port}"],
                              capture_output=True, text=True, timeout=1200, stdin=subprocess.DEVNULL)
        findings = json.loads(report.read_text())
        self.assertGreater(len(findings), 60, done.stdout[-3000:])
        self.assertEqual([f for f in findings if f["severity"] in BAD], [])
        self.compare("testssl.txt", sorted(f"{f['severity']:5} {f['id']}: {f['finding']}" for f in findings if not CHANGING.match(f["id"])))

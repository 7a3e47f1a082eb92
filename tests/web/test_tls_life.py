"""The life of a certificate from its command line, the audit of what would be served, and port 80."""
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

from gantry import BINARY, JSON, SLOWER, Server
from pki import Pki
from test_tls import PkiCase, s_client


def gantry(*arguments, environment=None):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=120 * SLOWER, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(environment or {})})


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="gantry-cert-"))
        self.addCleanup(lambda: shutil.rmtree(self.folder, ignore_errors=True))

    def test_cert_init_makes_a_laboratory_that_serves_at_once(self):
        lab = self.folder / "lab"
        done = gantry("cert", "init", "--out", str(lab), "--name", "localhost", "--name", "127.0.0.1", "--client", "viewer")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(gantry("cert", "init", "--out", str(lab), "--client", "gateway").returncode, 0)  # one more, later
        again = gantry("cert", "init", "--out", str(lab), "--client", "viewer")
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already", again.stderr)
        for key in lab.glob("*.key"):
            self.assertEqual(key.stat().st_mode & 0o077, 0, key)
        rules = self.folder / "rules"
        rules.write_text("search ca=ca dns=viewer\n")
        server = Server("--tls-certificate", str(lab / "server.pem"), "--tls-key", str(lab / "server.key"), "--client-certificates", "required",
                        "--client-ca", str(lab / "ca.pem"), "--access-rules", str(rules), ca=str(lab / "ca.pem"))
        self.addCleanup(server.stop)
        for client, status in (("viewer", 204), ("gateway", 403)):
            server.context = ssl.create_default_context(cafile=server.ca)
            server.context.load_cert_chain(lab / f"{client}.pem", lab / f"{client}.key")
            self.assertEqual(server.get("/studies", JSON).status, status)

    def test_cert_csr_makes_a_key_and_a_request_and_keeps_a_key(self):
        key, out = str(self.folder / "k"), str(self.folder / "r")
        for arguments, kind in ((("--rsa",), "RSA"), ((), "RSA")):  # the second time the key is there
            done = gantry("cert", "csr", "--name", "pacs.example.org", "--name", "192.0.2.1", "--key", key, "--out", out, *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            text = subprocess.run(["openssl", "req", "-in", out, "-noout", "-text", "-verify"], capture_output=True, text=True)
            self.assertIn("verify OK", text.stdout + text.stderr)
            self.assertIn("DNS:pacs.example.org, IP Address:192.0.2.1", text.stdout)
            self.assertIn("(3072 bit)", text.stdout)
        self.assertEqual(gantry("cert", "csr").returncode, 2)
        self.assertEqual(gantry("cert", "what").returncode, 2)
        self.assertEqual(gantry("cert", "init", "--days", "x").returncode, 2)


class Audit(PkiCase):
    @classmethod
    def make(cls):
        pki = cls.pki
        pki.ca("root")
        pki.ca("middle", "root")
        pki.server("good", "middle", ["pacs.example.org"], chain=["middle"])
        pki.server("soon", "root", days=10.5)
        pki.server("expired", "root", start=-20, days=10)
        pki.server("early", "root", start=10)
        pki.server("short", "root", kind="rsa", bits=1024)
        pki.server("advised", "root", kind="rsa", bits=2048)
        pki.server("sha1", "root", digest="SHA1")
        pki.server("nameless", "root", [])
        pki.client("client", "root", ['dns_name = "localhost"'])
        pki.server("disordered", "middle", chain=["root", "middle"])
        pki.server("lonely", "middle", lines=['ca_issuers_uri = "http://ca.example/middle.crt"'])
        pki.server("must", "root", lines=["tls_feature = 5", 'ocsp_uri = "http://127.0.0.1:9/"'], chain=["root"])
        pki.server("open", "root")
        os.chmod(pki.path("open.key"), 0o644)
        pki.server("grouped", "root")
        os.chmod(pki.path("grouped.key"), 0o640)
        (pki.folder / "bad-rules").write_text("search everyone\n")
        (pki.folder / "good-rules").write_text("search any\n")

    def check(self, *arguments, certificate=None, key=None):
        data = self.pki.folder / "data"
        pair = ["--tls-certificate", self.pki.path(certificate + ".pem"), "--tls-key", self.pki.path((key or certificate) + ".key")] \
            if certificate else []
        return gantry("check-config", "--data", str(data), *pair, *arguments)

    def test_what_is_wrong_is_an_error_with_a_remedy_and_stops_the_start(self):
        clients = ["--client-certificates", "required", "--client-ca", self.pki.path("root.pem")]
        for certificate, arguments, sentence in (
                ("expired", (), "has expired"), ("early", (), "not valid yet"), ("short", (), "RSA with 1024 bits"),
                ("sha1", (), "broken digest"), ("nameless", (), "names no host"), ("client", (), "not meant for servers"),
                ("disordered", (), "out of order"), ("open", (), "others can read"),
                ("good", ("--public-url", "https://other.example.org"), "public_url: no certificate is for other.example.org"),
                ("must", ("--ocsp-stapling", "off"), "demands a staple"), ("must", ("--ocsp-stapling", "file"), "there is no valid one"),
                ("good", ("--listen", "0.0.0.0:0"), "no authentication is configured"),
                ("good", ("--client-certificates", "required"), "there is no client_ca"),
                ("good", clients, "there are no access_rules"),
                ("good", (*clients, "--access-rules", self.pki.path("bad-rules")), "line 1: \"everyone\" is no condition"),
                ("good", (*clients, "--access-rules", self.pki.path("good-rules"), "--client-crl", self.pki.path("root.pem")), "client_crl"),
                ("good", ("--http-listen", "nowhere"), "http_listen"), ("good", ("--acme-folder", "/nonexistent"), "acme_folder")):
            done = self.check(*arguments, certificate=certificate)
            self.assertEqual(done.returncode, 1, (certificate, arguments, done.stdout))
            error = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
            self.assertEqual(len(error), 1, done.stdout)
            self.assertIn(sentence, error[0])
            self.assertRegex(done.stdout, r"error: .*\n  remedy: \S")
        self.assertIn("does not belong", self.check(certificate="good", key="soon").stdout)
        started = gantry("serve", "--listen", "127.0.0.1:0", "--data", str(self.pki.folder / "data"), "--tls-certificate",
                         self.pki.path("expired.pem"), "--tls-key", self.pki.path("expired.key"))
        self.assertEqual(started.returncode, 1)
        self.assertIn("has expired", started.stderr)

    def test_what_is_doubtful_is_a_warning_and_does_not_stop_it(self):
        for certificate, arguments, sentence in (
                ("soon", (), "expires in 9 days"), ("advised", (), "3072 are advised"), ("grouped", (), "can be read by the group"),
                ("lonely", (), "an intermediate seems to be missing"),
                ("good", ("--public-url", "https://other.example.org", "--auth", "none"), "public_url: no certificate is for"),
                ("good", ("--listen", "0.0.0.0:0", "--auth", "none"), "whoever reaches 0.0.0.0:0"),
                ("good", ("--listen", "0.0.0.0:0", "--auth", "none"), "links would lead clients on other machines to localhost"),
                ("good", ("--listen", "0.0.0.0:0", "--auth", "none", "--public-url", "https://127.0.0.1:8443"), "on other machines to 127.0.0.1"),
                ("good", ("--client-ca", self.pki.path("root.pem")), "are not used"),
                ("good", ("--client-certificates", "required", "--client-ca", self.pki.path("root.pem"), "--access-rules",
                          self.pki.path("good-rules")), "a revoked one is not told from others")):
            done = self.check(*arguments, certificate=certificate)
            self.assertEqual(done.returncode, 0, (certificate, arguments, done.stdout))
            self.assertRegex(done.stdout, r"warning: .*" + re.escape(sentence) + r".*\n  remedy: \S")
        done = self.check("--public-url", "https://pacs.example.org", certificate="good")
        self.assertEqual(done.stdout, "The configuration can be used.\n")

    def test_TLS_47_cert_status_tells_all_and_its_exit_status_is_for_monitoring(self):
        def status(*names):
            return gantry("cert", "status", "--data", str(self.pki.folder / "data"), "--tls-certificate",
                          ",".join(self.pki.path(n + ".pem") for n in names), "--tls-key", ",".join(self.pki.path(n + ".key") for n in names))
        none = gantry("cert", "status", "--data", str(self.pki.folder / "never-started"))
        self.assertEqual((none.returncode, "is made at the first start" in none.stdout), (0, True), none.stdout)
        good = status("good")
        self.assertEqual(good.returncode, 0, good.stdout)
        for wanted in ("pacs.example.org", "CN=middle CA", "CN=root CA,O=root (not in the file)", "256 bits", "All is well"):
            self.assertIn(wanted, good.stdout)
        self.assertRegex(good.stdout, "36[34] days left")
        soon = status("good", "soon")
        self.assertEqual(soon.returncode, 1, soon.stdout)
        self.assertIn("expires in 9 days", soon.stdout)
        for name, sentence in (("expired", "expired 10 days ago"), ("short", "RSA with 1024 bits"), ("must", "demands a staple")):
            bad = status("good", name)
            self.assertEqual(bad.returncode, 2, bad.stdout)
            self.assertIn(sentence, bad.stdout)

    def test_TLS_47_the_log_warns_of_the_end(self):
        server = self.serve(certificate="soon")
        self.wait_for(lambda: "expires in 9 days; renew it" in server.log_text(), "the warning")


class PlainHttp(PkiCase):
    @classmethod
    def make(cls):
        cls.pki.ca("root")
        cls.pki.server("server", "root")
        cls.webroot = cls.pki.folder / "webroot"
        (cls.webroot / ".well-known" / "acme-challenge").mkdir(parents=True)
        (cls.webroot / ".well-known" / "acme-challenge" / "Tok-en_1").write_text("Tok-en_1.thumb")
        (cls.webroot / ".well-known" / "acme-challenge" / "link").symlink_to("/etc/passwd")
        (cls.webroot / "secret").write_text("secret")

    def ask(self, port, method, path, headers=None, body=None):
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * SLOWER)
        try:
            link.request(method, path, body=body, headers=headers or {})
            answer = link.getresponse()
            return answer, answer.read()
        finally:
            link.close()

    def plain_port(self, server):
        return int(re.search(r"plain HTTP on port (\d+)", server.log_text()).group(1))

    def test_TLS_15_port_80_serves_challenges_and_sends_all_else_to_https(self):
        server = self.serve("--http-listen", "127.0.0.1:0", "--acme-folder", str(self.webroot))
        port = self.plain_port(server)
        answer, body = self.ask(port, "GET", "/.well-known/acme-challenge/Tok-en_1")
        self.assertEqual((answer.status, body), (200, b"Tok-en_1.thumb"))
        for path in ("missing", "link"):
            self.assertEqual(self.ask(port, "GET", "/.well-known/acme-challenge/" + path)[0].status, 404, path)
        for path in ("../../secret", "%2e%2e/%2e%2e/secret", "Tok-en_1/x", ""):
            answer, body = self.ask(port, "GET", "/.well-known/acme-challenge/" + path)
            self.assertEqual(answer.status, 308, path)
            self.assertNotIn(b"secret", body)
        for method in ("GET", "HEAD"):
            answer, _ = self.ask(port, method, "/dicom-web/studies?x=%0d%0ay", {"Host": "pacs.example.org:80"})
            self.assertEqual(answer.status, 308)
            self.assertEqual(answer.headers["Location"], f"https://pacs.example.org:{server.port}/dicom-web/studies?x=%0d%0ay")
            self.assertIsNone(answer.headers["Strict-Transport-Security"])
        self.assertEqual(self.ask(port, "GET", "/x", {"Host": "[::1]:80"})[0].headers["Location"], f"https://[::1]:{server.port}/x")
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            self.assertEqual(self.ask(port, method, "/dicom-web/studies", body=b"x" if method == "POST" else None)[0].status, 403)
        self.assertEqual(self.ask(port, "GET", "/", {"Host": "a b"})[0].status, 400)

    def test_the_public_url_decides_whereto(self):
        server = self.serve("--http-listen", "127.0.0.1:0", "--public-url", "https://localhost:8443/pacs")
        answer, _ = self.ask(self.plain_port(server), "GET", "/y", {"Host": "evil.example"})
        self.assertEqual(answer.headers["Location"], "https://localhost:8443/y")
        self.assertEqual(self.ask(self.plain_port(server), "GET", "/.well-known/acme-challenge/x")[0].status, 308)

    def test_a_port_that_cannot_be_had_ends_the_start(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = gantry("serve", "--listen", "127.0.0.1:0", "--data", str(self.pki.folder / "data"), "--http-listen",
                          f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("http_listen: the port cannot be had", done.stderr)

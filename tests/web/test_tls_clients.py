"""Client certificates as an administrator means them: who gets in, who gets an alert, who may do what."""
import shutil
import ssl
import subprocess
import time

from gantry import JSON, SLOWER, make_dicom, path_of
from pki import Pki
from test_tls import PkiCase, s_client

REQUEST = b"GET /dicom-web/studies HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
# What openssl calls the alerts.
ALERTS = {"expired": "alert certificate expired", "early": "alert certificate expired", "revoked": "alert certificate revoked",
          "purpose": "alert unsupported certificate", "foreign": "alert unknown ca",
          "weak": "alert bad certificate", "self": "alert unknown ca", "sha1": "alert bad certificate",
          "under-expired": "alert certificate expired", "constrained": "alert bad certificate",
          "under-revoked": "alert certificate revoked"}


class ClientCertificates(PkiCase):
    @classmethod
    def make(cls):
        pki = cls.pki
        pki.ca("root")
        pki.server("server", "root")
        pki.ca("hospital-a")
        pki.ca("hospital-b")
        pki.ca("unknown")
        pki.client("good", "hospital-a", ['dns_name = "ct3.viewers.hospital-a.example"'])
        pki.client("good-b", "hospital-b", ['dns_name = "ct3.viewers.hospital-a.example"'])  # B speaks for A
        pki.client("gateway", "hospital-b", ['uri = "urn:gateway"'])
        pki.client("expired", "hospital-a", start=-20, days=10)
        pki.client("early", "hospital-a", start=10)
        pki.client("revoked", "hospital-a")
        pki.client("purpose", "hospital-a", purpose="tls_www_server")
        pki.issue("usage", "hospital-a", ['cn = "usage"', "tls_www_client", "encryption_key"], kind="rsa", bits=2048)
        pki.client("foreign", "unknown")
        pki.client("weak", "hospital-a", kind="rsa", bits=1024)
        pki.client("sha1", "hospital-a", digest="SHA1")
        pki.client("self", None)
        # Intermediates: a good one, an expired one, a revoked one, one that may vouch for hospital-a.example alone.
        pki.ca("middle", "hospital-a")
        pki.client("under", "middle", chain=["middle"])
        pki.ca("expired-middle", "hospital-a", start=-20, days=10)
        pki.client("under-expired", "expired-middle", chain=["expired-middle"])
        pki.ca("revoked-middle", "hospital-a")
        pki.client("under-revoked", "revoked-middle", chain=["revoked-middle"])
        pki.issue("narrow", "hospital-a", ['cn = "narrow CA"', "ca", "cert_signing_key", 'nc_permit_dns = "hospital-a.example"'])
        pki.client("constrained", "narrow", ['dns_name = "x.hospital-b.example"'], chain=["narrow"])
        # A CA of hospital B that calls itself as hospital A's does.
        pki.issue("impostor", "hospital-b", ['cn = "hospital-a CA"', 'organization = "hospital-a"', "ca", "cert_signing_key"])
        pki.client("impostor-client", "impostor", ['dns_name = "ct3.viewers.hospital-a.example"'], chain=["impostor"])
        cls.authorities = pki.folder / "authorities"
        cls.authorities.mkdir()
        for name in ("hospital-a", "hospital-b"):
            shutil.copy(pki.path(name + ".pem"), cls.authorities / (name + ".pem"))
        cls.lists = pki.folder / "lists"
        cls.lists.mkdir()
        shutil.copy(pki.crl("hospital-a", "hospital-a", ["revoked", "revoked-middle"]), cls.lists / "hospital-a.crl")
        shutil.copy(pki.crl("hospital-b", "hospital-b"), cls.lists / "hospital-b.crl")
        cls.rules = pki.folder / "rules"
        cls.rules.write_text("search,read ca=hospital-a dns=*.viewers.hospital-a.example\n"
                             "store,search ca=hospital-b uri=urn:gateway\n"
                             "search ca=hospital-a subject=\"CN=under,O=Tests\"\n"
                             "search ca=hospital-a subject=\"O=Tests,CN=under\"\n")

    def serve_clients(self, mode="required", lists=True, rules=None, *more):
        return self.serve("--client-certificates", mode, "--client-ca", str(self.authorities), "--access-rules", str(rules or self.rules),
                          *(["--client-crl", str(self.lists)] if lists else []), *more)

    def shown(self, name):
        return ["-cert", self.pki.path(name + ".pem"), "-cert_chain", self.pki.path(name + ".pem"), "-key",
                self.pki.path(name + ".key")] if name else []

    def ask(self, server, name, *arguments, data=REQUEST):
        for _ in range(5):
            said = s_client(server.port, server.ca, "-cipher", "ALL:@SECLEVEL=0", *self.shown(name), *arguments, data=data)
            if "write:errno" not in said:  # else the end of the connection overtook the alert
                break
        return said

    def as_client(self, server, name):
        """The server's own helper functions, with a client certificate (None: without)."""
        server.context = ssl.create_default_context(cafile=server.ca)
        if name:
            server.context.load_cert_chain(self.pki.path(name + ".pem"), self.pki.path(name + ".key"))
        return server

    def test_TLS_43_TLS_44_required_is_enforced_in_the_handshake_with_the_alert_that_says_why(self):
        server = self.serve_clients(lists=False)
        for version in ("-tls1_2", "-tls1_3"):
            self.assertIn("HTTP/1.1 204", self.ask(server, "good", version))
            none = self.ask(server, None, version)
            self.assertIn("alert handshake failure" if version == "-tls1_2" else "alert certificate required", none)
            self.assertNotIn("HTTP/1.1", none)
        with_lists = self.serve_clients()
        for name, alert in ALERTS.items():
            for version in ("-tls1_2", "-tls1_3"):
                for alpn in ("http/1.1", "h2"):
                    said = self.ask(server if name in ("under-expired", "constrained") else with_lists, name, version, "-alpn", alpn)
                    self.assertIn(alert, said, (name, version, alpn))
                    self.assertNotIn("HTTP/1.1", said, (name, version))
        self.assertIn("a client certificate is refused: it has been revoked", with_lists.log_text())
        said = self.ask(server, "usage")  # GnuTLS refuses the signature before we are asked
        self.assertIn("BEGIN CERTIFICATE", said)
        self.assertIn("SSL alert number", said)
        self.assertNotIn("HTTP/1.1", said)

    def test_TLS_43_optional_takes_none_and_refuses_a_bad_one(self):
        rules = self.pki.folder / "anonymous-rules"
        rules.write_text("search anonymous\nread any\n")
        server = self.serve_clients("optional", True, rules)
        self.assertStatus(self.as_client(server, None).get("/studies", JSON), 204)
        self.assertStatus(self.as_client(server, "good").get("/studies", JSON), 403)
        self.assertStatus(server.get("/studies/1.2.3", JSON), 404)
        self.assertIn("alert unknown ca", self.ask(server, "foreign"))

    def assertStatus(self, answer, status):
        self.assertEqual(answer.status, status, repr(answer))
        return answer

    def test_TLS_45_roles_by_rule_and_a_refusal_that_names_the_role(self):
        server = self.serve_clients()
        file = make_dicom()
        self.assertStatus(self.as_client(server, "gateway").store([file]), 200)
        answer = self.assertStatus(server.get(path_of(file), {"Accept": "application/problem+json"}), 403)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertIn('"read"', answer.json()["detail"])
        self.assertIn("retrieving", answer.json()["detail"])
        self.assertStatus(self.as_client(server, "good").get(path_of(file), {"Accept": "application/dicom"}), 200)
        self.assertStatus(server.get("/studies", JSON), 200)
        self.assertStatus(server.store([make_dicom()]), 403)
        self.assertStatus(server.call("DELETE", path_of(file)), 403)
        self.assertStatus(server.get("//healthz"), 200)

    def test_TLS_45_another_hospitals_CA_does_not_speak_for_this_one(self):
        server = self.serve_clients(lists=False)
        for name in ("good-b", "impostor-client"):
            said = self.ask(server, name)
            self.assertIn("HTTP/1.1 403", said, name)

    def test_TLS_44_intermediates_and_their_revocation(self):
        self.assertIn("HTTP/1.1 204", self.ask(self.serve_clients(lists=False), "under"))
        # strict: there is no list of the intermediate.
        self.assertIn("alert bad certificate", self.ask(self.serve_clients(), "under"))
        self.assertIn("HTTP/1.1 204",
                      self.ask(self.serve_clients("required", True, None, "--client-crl-policy", "advised"), "under"))

    def test_TLS_46_lists_CAs_and_rules_are_taken_when_they_change(self):
        authorities, lists, rules = (self.pki.folder / n for n in ("changing-ca", "changing-crl", "changing-rules"))
        shutil.copytree(self.authorities, authorities)
        shutil.copytree(self.lists, lists)
        shutil.copy(self.rules, rules)
        server = self.serve("--client-certificates", "required", "--client-ca", str(authorities), "--client-crl", str(lists),
                            "--access-rules", str(rules))
        session = str(self.pki.folder / "client-session")
        self.assertIn("HTTP/1.1 204", self.ask(server, "good", "-tls1_3", "-sess_out", session))
        self.assertIn("Reused", self.ask(server, "good", "-tls1_3", "-sess_in", session))
        rules.write_text("delete ca=hospital-a\n")
        self.wait_for(lambda: "HTTP/1.1 403" in self.ask(server, "good"), "the new rules")
        shutil.copy(self.pki.crl("newer", "hospital-a", ["revoked", "good"]), lists / "hospital-a.crl")
        self.wait_for(lambda: "alert certificate revoked" in self.ask(server, "good"), "the new list")
        # A ticket from before does not help (TLS-09).
        self.assertIn("alert certificate revoked", self.ask(server, "good", "-tls1_3", "-sess_in", session))
        self.assertIn("alert unknown ca", self.ask(server, "foreign"))
        shutil.copy(self.pki.path("unknown.pem"), authorities / "unknown.pem")
        shutil.copy(self.pki.crl("unknown", "unknown"), lists / "unknown.crl")
        self.wait_for(lambda: "HTTP/1.1 403" in self.ask(server, "foreign"), "the new CA")
        # What is no good is told, and not taken.
        (authorities / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nbroken\n")
        self.wait_for(lambda: "broken.pem" in server.log_text(), "the complaint")
        self.assertIn("HTTP/1.1 403", self.ask(server, "foreign"))
        (authorities / "broken.pem").unlink()
        rules.write_text("everything any\n")
        self.wait_for(lambda: "is no role" in server.log_text(), "the complaint about rules")
        self.assertIn("HTTP/1.1 403", self.ask(server, "foreign"))

    def test_TLS_44_an_expired_list_follows_the_policy(self):
        lists = self.pki.folder / "expired-lists"
        lists.mkdir()
        shutil.copy(self.pki.crl("old", "hospital-a", ["revoked"], start=-10, days=5), lists / "hospital-a.crl")
        arguments = ["--client-certificates", "required", "--client-ca", str(self.authorities), "--client-crl", str(lists),
                     "--access-rules", str(self.rules)]
        strict = self.serve(*arguments)
        self.assertIn("alert bad certificate", self.ask(strict, "good"))
        self.assertIn("no valid revocation list", strict.log_text())
        advised = self.serve(*arguments, "--client-crl-policy", "advised")
        self.assertIn("HTTP/1.1 204", self.ask(advised, "good"))
        self.assertIn("alert certificate revoked", self.ask(advised, "revoked"))

    def test_TLS_09_a_resumed_session_keeps_its_identity(self):
        server = self.serve_clients(lists=False)
        for version in ("-tls1_2", "-tls1_3"):
            session = str(self.pki.folder / ("identity" + version))
            self.assertIn("HTTP/1.1 204", self.ask(server, "good", version, "-sess_out", session))
            said = self.ask(server, None, version, "-sess_in", session)  # no certificate is shown again
            self.assertIn("Reused", said)
            self.assertIn("HTTP/1.1 204", said)

    def test_TLS_43_TLS_45_both_transports_know_the_client(self):
        server = self.serve_clients(lists=False)
        for version, said in (("--http1.1", "1.1"), ("--http2", "2")):
            for name, status in (("good", "204"), ("good-b", "403"), ("foreign", "000"), (None, "000")):
                shown = ["--cert", self.pki.path(name + ".pem"), "--key", self.pki.path(name + ".key")] if name else []
                done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", version, "--cacert", server.ca, *shown,
                                       server.url + "/studies"], capture_output=True, text=True, timeout=60 * SLOWER)
                self.assertEqual(done.stdout.split()[0], status, (version, name, done.stdout))
                if status != "000":
                    self.assertEqual(done.stdout.split()[1], said)

"""OCSP stapling against a real responder: up, down, silent and lying."""
import http.server
import re
import shutil
import socket
import subprocess
import threading
import time

from gantry import SLOWER, Server
from pki import Pki, hex_of
from test_tls import PkiCase, s_client


def free_port(case):
    """Kept from others for the life of the class, and refused until a responder listens beside (SO_REUSEADDR)."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    case.addClassCleanup(kept.close)
    return kept.getsockname()[1]


class Responder:
    """openssl ocsp on a loopback port."""

    def __init__(self, case, port, signer="root", ca="root", good=(), revoked=(), minutes=60):
        self.case, self.port = case, port
        pki = case.pki
        index = pki.folder / f"index-{port}"
        index.write_text("".join(f"V\t400101000000Z\t\t{hex_of(pki.serials[n])}\tunknown\t/CN={n}\n" for n in good) +
                         "".join(f"R\t400101000000Z\t250101000000Z\t{hex_of(pki.serials[n])}\tunknown\t/CN={n}\n" for n in revoked))
        self.process = subprocess.Popen(
            ["openssl", "ocsp", "-index", str(index), "-port", str(port), "-rsigner", pki.path(signer + ".pem"), "-rkey",
             pki.path(signer + ".key"), "-CA", pki.path(ca + ".pem"), "-nmin", str(minutes), "-ignore_err"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        case.addCleanup(self.stop)
        # Not by connecting: it would wait for ever for the request of that connection.
        while b"ACCEPT" not in (line := self.process.stdout.readline()):
            assert line, "the responder did not start"

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self.process.stdout.close()


class Staples(PkiCase):
    @classmethod
    def make(cls):
        pki = cls.pki
        pki.ca("root")
        pki.ca("other")
        cls.port = free_port(cls)
        uri = f'ocsp_uri = "http://127.0.0.1:{cls.port}/"'
        pki.server("server", "root", lines=[uri], chain=["root"])
        pki.server("must", "root", lines=[uri, "tls_feature = 5"], chain=["root"])
        pki.server("second", "root", ["second.example"], lines=[uri], chain=["root"], kind="rsa")
        pki.issue("delegate", "root", ['cn = "OCSP of root"', "ocsp_signing_key", "signing_key"])
        pki.issue("pretender", "root", ['cn = "no OCSP"', "tls_www_server", "signing_key"])

    def staple(self, server, version="-tls1_3", name="localhost"):
        return s_client(server.port, server.ca, "-status", version, name=name)

    def is_stapled(self, server, version="-tls1_3", name="localhost"):
        said = self.staple(server, version, name)
        return "OCSP Response Status: successful" in said and "Cert Status: good" in said

    def wait_for_staple(self, server, **more):
        self.wait_for(lambda: self.is_stapled(server, **more), "the staple: " + server.log_text()[-1000:])

    def test_TLS_30_TLS_33_a_responder_is_asked_and_both_versions_get_the_staple_for_every_certificate(self):
        responder = Responder(self, self.port, good=["server", "second"])
        server = self.serve(certificate="server,second")
        for name in ("localhost", "second.example"):
            for version in ("-tls1_2", "-tls1_3"):
                self.wait_for_staple(server, version=version, name=name)
        # What was fetched outlives the responder and the process.
        self.wait_for(lambda: server.log_text().count("fetched a staple") == 2, "both are kept")
        responder.stop()
        kept = list((server.folder / "tls" / "ocsp").iterdir())
        self.assertEqual(len(kept), 2)
        server.terminate()
        server.start()
        self.wait_for_staple(server)

    def test_TLS_31_a_responder_that_lies_is_not_believed(self):
        for why, arguments in (("nor its responder", {"signer": "other", "good": ["server"]}),
                               ("nor its responder", {"signer": "pretender", "good": ["server"]}),
                               ("does not know", {"good": ["second"]})):
            responder = Responder(self, self.port, **arguments)
            server = self.serve()
            self.wait_for(lambda: "no staple for" in server.log_text(), why)
            self.assertIn(why, server.log_text())
            self.assertIn("OCSP response: no response sent", self.staple(server), why)
            responder.stop()
        Responder(self, self.port, revoked=["server"])
        server = self.serve()
        self.wait_for(lambda: "REVOKED" in server.log_text(), "the alarm")
        self.assertIn("OCSP response: no response sent", self.staple(server))

    def test_TLS_31_the_CA_may_name_another_to_answer(self):
        Responder(self, self.port, signer="delegate", good=["server"])
        self.wait_for_staple(self.serve())

    def test_TLS_33_a_responder_that_is_away_or_silent_delays_no_handshake(self):
        away = self.serve()
        self.wait_for(lambda: "the next try is in 60 s" in away.log_text(), "the note of failure")
        self.assertIn("no response sent", self.staple(away))
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            silent.bind(("127.0.0.1", self.port))
            silent.listen(16)
            server = self.serve("--ocsp-timeout", "1000")
            self.assertIn("no response sent", self.staple(server))
            self.wait_for(lambda: "no staple for" in server.log_text(), "the time-out")

    def test_TLS_33_rubbish_and_floods_are_refused(self):
        class Rubbish(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.send_response(200)
                self.end_headers()
                try:
                    self.wfile.write(b"x" * (1 << 20 if self.server.flood else 100))
                except OSError:
                    pass

            def log_message(self, *_):
                pass
        for flood in (False, True):
            liar = http.server.HTTPServer(("127.0.0.1", self.port), Rubbish)
            liar.flood = flood
            thread = threading.Thread(target=liar.serve_forever)
            thread.start()
            try:
                server = self.serve()
                self.wait_for(lambda: "no staple for" in server.log_text(), "the refusal")
                self.assertIn("over 65536 bytes" if flood else "the response is none", server.log_text().lower())
                self.assertIn("no response sent", self.staple(server))
            finally:
                liar.shutdown()
                liar.server_close()
                thread.join()

    def response(self, name, signer="root", minutes=60, target=None, revoked=False):
        """A response in a file, made without a responder."""
        pki = self.pki
        index = pki.folder / "index-file"
        index.write_text(f"{'R' if revoked else 'V'}\t400101000000Z\t{'250101000000Z' if revoked else ''}\t{hex_of(pki.serials[name])}\tunknown\t/CN={name}\n")
        out = target or pki.path(name + ".response")
        subprocess.run(["openssl", "ocsp", "-index", str(index), "-rsigner", pki.path(signer + ".pem"), "-rkey", pki.path(signer + ".key"),
                        "-CA", pki.path("root.pem"), "-issuer", pki.path("root.pem"), "-cert", pki.path(name + ".pem"), "-nmin", str(minutes),
                        "-no_nonce", "-respout", out, "-noverify"], check=True, capture_output=True, timeout=60)
        return out

    def test_TLS_31_TLS_32_a_response_from_a_file_is_checked_and_replaced_while_serving(self):
        folder = self.pki.folder / "filed"
        folder.mkdir()
        for suffix in (".pem", ".key"):
            shutil.copy(self.pki.path("server" + suffix), folder / ("server" + suffix))
        server = self.serve("--ocsp-stapling", "file", certificate="filed/server")
        self.assertIn("no response sent", self.staple(server))
        put = lambda made: (shutil.copy(made, folder / "server.new"), (folder / "server.new").rename(folder / "server.ocsp"))
        put(self.response("server"))
        self.wait_for_staple(server)
        first = re.search("This Update: (.*)", self.staple(server)).group(1)
        time.sleep(1.1)
        put(self.response("server"))
        self.wait_for(lambda: re.search("This Update: (.*)", self.staple(server)).group(1) != first, "the newer staple")
        for bad in (self.response("second"), self.response("server", signer="other")):
            before = server.log_text().count("is not stapled")
            put(bad)
            self.wait_for(lambda: server.log_text().count("is not stapled") > before, "the complaint")
            self.assertTrue(self.is_stapled(server))  # the good one stays

    def test_TLS_35_must_staple_is_honoured_and_reported(self):
        server = self.serve(certificate="must")
        self.wait_for(lambda: "demands a staple" in server.log_text(), "the complaint")
        said = subprocess.run([__import__("gantry").BINARY, "serve", "--listen", "127.0.0.1:0", "--data", str(self.pki.folder / "refused"),
                               "--tls-certificate", self.pki.path("must.pem"), "--tls-key", self.pki.path("must.key"), "--must-staple",
                               "refuse"], capture_output=True, text=True, timeout=60 * SLOWER, stdin=subprocess.DEVNULL)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("must_staple = refuse", said.stderr)
        done = subprocess.run(["gnutls-cli", "--x509cafile", self.pki.path("root.pem"), "-p", str(server.port), "localhost"],
                              input=b"", capture_output=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)  # a client that honours the demand refuses the one without
        Responder(self, self.port, good=["must"])
        ready = self.serve("--must-staple", "refuse", certificate="must")
        self.assertTrue(self.is_stapled(ready))  # at once: the start waited for it
        self.assertEqual(ready.get("//readyz").status, 200)
        self.assertEqual(server.get("//readyz").status, 200)  # it only reports
        done = subprocess.run(["gnutls-cli", "--x509cafile", self.pki.path("root.pem"), "-p", str(ready.port), "localhost"],
                              input=b"", capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:])

    def test_TLS_35_a_demanded_staple_that_is_lost_makes_the_server_not_ready(self):
        folder = self.pki.folder / "lost"
        folder.mkdir()
        for suffix in (".pem", ".key"):
            shutil.copy(self.pki.path("must" + suffix), folder / ("must" + suffix))
        shutil.copy(self.response("must"), folder / "must.ocsp")
        server = self.serve("--must-staple", "refuse", "--ocsp-stapling", "file", certificate="lost/must")
        self.assertEqual(server.get("//readyz").status, 200)
        self.pki.server("must-next", "root", lines=["tls_feature = 5"], chain=["root"])
        for suffix in (".key", ".pem"):  # the next certificate comes, and its staple does not
            shutil.copy(self.pki.path("must-next" + suffix), folder / ("new" + suffix))
            (folder / ("new" + suffix)).rename(folder / ("must" + suffix))
        self.wait_for(lambda: server.get("//readyz").status == 503, "not ready: " + server.log_text()[-1500:])
        self.assertIn("demands an OCSP staple", server.get("//readyz").body.decode())

"""Each refusal over the wire, HTTP/1.1 and HTTP/2: its sentence, problem type, request id, CORS headers, and what the
status demands beside them (ERR-01 to ERR-07, COR-02)."""
import json
import shutil
import subprocess
import time
import unittest

from pki import Pki

from gantry import JSON, SLOWER, Server, ServerCase, make_dicom, multipart, path_of, uids_of

ORIGIN = "https://viewer.example"
REFUSALS = {  # status: (problem type, title)
    400: ("malformed", "The request is malformed."),
    403: ("forbidden", "This is not permitted."),
    404: ("not-found", "There is no such resource."),
    405: ("method-not-allowed", "This resource does not offer that method."),
    406: ("not-acceptable", "None of the accepted media types can be produced."),
    410: ("gone", "The resource has been deleted."),
    412: ("precondition", "The resource is not in the state that the request expects."),
    413: ("too-large", "Larger than this server accepts."),
    414: ("uri-too-long", "The request target is longer than this server accepts."),
    415: ("unsupported-media", "The media type or transfer syntax is not supported."),
    416: ("range", "The requested range does not exist."),
    417: ("expectation", "The expectation is not known."),
    421: ("misdirected", "This server does not answer for that name."),
    431: ("headers-too-large", "The header fields are longer than this server accepts."),
    501: ("not-implemented", "This server does not implement that method."),
    503: ("disk-full", "Storage is full."),
}


class Heard:
    def __init__(self, text):
        while True:  # curl shows 100 Continue, too
            top, _, text = text.partition(b"\r\n\r\n")
            lines = top.decode("latin-1").split("\r\n")
            self.status = int(lines[0].split(" ")[1])
            if self.status >= 200:
                break
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers.setdefault(name.lower(), []).append(value.strip())
        self.body = text

    def __getitem__(self, name):
        return ", ".join(self.headers.get(name, []))


class RefusalCase(ServerCase):
    arguments = ("--cors-origins", ORIGIN)

    def ask(self, *arguments, http="--http1.1", path="/studies", base=None, data=None, server=None):
        server = server or self.server
        command = ["curl", "-s", "-i", http, "--cacert", server.ca, "--max-time", "120", "--path-as-is", "-H", f"Origin: {ORIGIN}",
                   *arguments, f"https://localhost:{server.port}{server.base if base is None else base}{path}"]
        for _ in range(3):  # who is a second late for a refusal over HTTP/2 finds its stream reset, and curl forgets the answer
            done = subprocess.run(command, input=data, capture_output=True, check=False)
            if done.stdout or done.returncode == 0:
                break
        self.assertTrue(done.stdout, (command, done))
        return Heard(done.stdout)

    def assertRefusal(self, heard, status, detail=None, header=None):
        self.assertEqual(heard.status, status, (heard.headers, heard.body[:500]))
        self.assertEqual(heard["access-control-allow-origin"], ORIGIN)
        self.assertIn("Origin", heard["vary"])
        self.assertIn("X-Request-Id", heard["access-control-expose-headers"])
        self.assertEqual(heard["cross-origin-resource-policy"], "cross-origin")
        self.assertEqual(heard["x-content-type-options"], "nosniff")
        self.assertIn("max-age", heard["strict-transport-security"])
        self.assertRegex(heard["server-timing"], r"^total;dur=\d+\.\d{3}$")
        self.assertEqual(heard["cache-control"], "no-store")
        self.assertEqual(heard["content-type"], "application/problem+json")
        problem = json.loads(heard.body)
        kind, title = REFUSALS[status]
        self.assertEqual((problem["type"], problem["title"], problem["status"]), ("urn:gantry:problem:" + kind, title, status))
        self.assertEqual(problem["instance"], "urn:gantry:request:" + heard["x-request-id"])
        self.assertEqual(problem.get("header"), header, problem)
        if detail:
            self.assertIn(detail, problem.get("detail", ""))
        return heard


class Refusals(RefusalCase):
    versions = ("--http1.1", "--http2")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file, cls.deleted = make_dicom(), make_dicom()
        assert cls.server.store([cls.file, cls.deleted]).status == 200
        assert cls.server.call("DELETE", "/studies/" + uids_of(cls.deleted)[0]).status in (200, 204)

    def both(self, *arguments, **more):
        for http in self.versions:
            yield self.ask(*arguments, http=http, **more)

    def test_400(self):
        for heard in self.both(path="/studies?limit=x"):
            self.assertRefusal(heard, 400, "limit")
        for heard in self.both(path="/studies/1.2.x"):
            self.assertRefusal(heard, 400)
        for heard in self.both("-H", "Authorization: Bearer a", "-H", "Authorization: Bearer b"):
            self.assertRefusal(heard, 400, "Authorization")  # ATH-09

    def test_404(self):
        for heard in self.both(path="/studies/1.2.3"):
            self.assertRefusal(heard, 404)
        for heard in self.both(path="/nowhere", base=""):
            self.assertRefusal(heard, 404)

    def test_405(self):
        for heard in self.both("-X", "DELETE", path="/studies"):
            self.assertRefusal(heard, 405, "GET")
            self.assertIn("POST", heard["allow"])

    def test_406(self):
        for heard in self.both("-H", "Accept: application/problem+json, video/mpeg", path=path_of(self.file) + "/frames/1"):
            self.assertRefusal(heard, 406, "octet-stream", header="Accept")

    def test_409(self):
        """The response module of STOW-RS, not a problem document (ERR-03)."""
        for http in self.versions:
            body, content_type = multipart([self.file])
            heard = self.ask("-H", f"Content-Type: {content_type}", "-H", "Accept: application/dicom+json", "--data-binary", "@-", http=http,
                             path="/studies/1.2.3.4", data=body)
            self.assertEqual(heard.status, 409)
            self.assertEqual(heard["access-control-allow-origin"], ORIGIN)
            self.assertTrue(heard["x-request-id"])
            self.assertIn("00081198", json.loads(heard.body))

    def test_410(self):
        for heard in self.both("-H", "Accept: application/dicom, application/problem+json", path=path_of(self.deleted)):
            self.assertRefusal(heard, 410)

    def test_412(self):
        for heard in self.both("-H", "If-Match: \"x\"", "-H", "Accept: application/octet-stream, application/problem+json",
                               path=path_of(self.file) + "/frames/1"):
            self.assertRefusal(heard, 412, "If-Match", header="If-Match")

    def test_414(self):
        # Over HTTP/1.1 a head is not read beyond its limit; Origin is known when it came in the same record.
        for http, size in (("--http1.1", 12000), ("--http2", 40000)):
            self.assertRefusal(self.ask(http=http, path="/studies?PatientID=" + "a" * size), 414)
        heard = self.ask(path="/studies?PatientID=" + "a" * 40000)
        self.assertEqual((heard.status, heard["content-type"], heard["connection"]), (414, "application/problem+json", "close"))

    def test_415(self):
        for heard in self.both("-H", "Content-Type: text/plain", "--data-binary", "x"):
            self.assertRefusal(heard, 415, "multipart/related", header="Content-Type")

    def test_416(self):
        for heard in self.both("-H", "Range: bytes=100000000-", "-H", "Accept: application/octet-stream, application/problem+json",
                               path=path_of(self.file) + "/frames/1"):
            self.assertRefusal(heard, 416, "Range", header="Range")
            self.assertRegex(heard["content-range"], r"^bytes \*/\d+$")

    def test_417(self):
        for heard in self.both("-H", "Expect: nonsense"):
            self.assertRefusal(heard, 417, "100-continue", header="Expect")

    def test_431(self):
        for heard in self.both("-H", "X-Long: " + "a" * 40000):
            self.assertRefusal(heard, 431)
        for heard in self.both(*[word for n in range(200) for word in ("-H", f"X-{n}: y")]):
            self.assertRefusal(heard, 431)

    def test_501(self):
        for method in ("TRACE", "FOO", "get"):
            for heard in self.both("-X", method):
                self.assertRefusal(heard, 501)

    def test_HTP_05_a_body_that_means_nothing_is_read_off_or_cut(self):
        for http in self.versions:
            for method in ("GET", "DELETE", "OPTIONS"):
                # Over HTTP/2 the window holds a large body up, and this curl waits for it behind a 200 (test_http2_frames has that case).
                for size in (1, 3_000_000) if http == "--http1.1" else (1,):
                    heard = self.ask("-X", method, "--data-binary", "@-", http=http, path="/studies/1.2.3.4/metadata", data=b"x" * size)
                    self.assertIn(heard.status, {"GET": (404,), "DELETE": (405,), "OPTIONS": (200, 204)}[method], (http, size))
                    self.assertTrue(heard["x-request-id"])

    def test_ERR_02_browsers_get_a_page_and_others_text(self):
        heard = self.ask("-H", "Accept: text/html,application/xhtml+xml,*/*;q=0.8", path="/studies/1.2.x")
        self.assertEqual((heard.status, heard["content-type"]), (400, "text/html; charset=utf-8"))
        self.assertIn(heard["x-request-id"].encode(), heard.body)
        heard = self.ask("-H", "Accept: image/jpeg", path="/studies/1.2.x")
        self.assertEqual((heard.status, heard["content-type"]), (400, "text/plain; charset=utf-8"))

    def test_ERR_05_the_id_of_every_refusal_is_in_the_log(self):
        ids = [self.ask(path=path)["x-request-id"] for path in ("/studies?limit=x", "/studies/1.2.3", "/" + "a" * 40000)]
        deadline = time.monotonic() + 20 * SLOWER
        while any(f"id={i}" not in self.server.log_text() for i in ids) and time.monotonic() < deadline:
            time.sleep(0.05)
        for id_ in ids:
            self.assertIn(f"id={id_}", self.server.log_text())

    def test_HEAD_has_the_headers_of_a_refusal_and_no_body(self):
        for path, status in (("/studies/1.2.x", 400), ("/studies/1.2.3", 404)):
            heard = self.ask("-I", path=path)
            self.assertEqual((heard.status, heard.body), (status, b""))
            self.assertEqual(heard["access-control-allow-origin"], ORIGIN)

    def test_COR_01_an_origin_that_is_not_listed_hears_nothing_of_itself(self):
        heard = Heard(subprocess.run(["curl", "-s", "-i", "--cacert", self.server.ca, "-H", "Origin: https://evil.example", self.server.url + "/x"],
                                     capture_output=True, check=True).stdout.replace(b"HTTP/2 404 \r\n", b"HTTP/2 404 x\r\n"))
        self.assertNotIn("access-control-allow-origin", heard.headers)
        self.assertIn("Origin", heard["vary"])


class Ceilings(RefusalCase):
    arguments = ("--cors-origins", ORIGIN, "--request-ceiling", "1048576", "--free-space-floor", "1099511627776")

    def test_413_told_ahead_and_while_it_comes(self):
        body, content_type = multipart([make_dicom(rows=1024, columns=1024)])
        for http in Refusals.versions:
            for more in ((), ("-H", "Transfer-Encoding: chunked")) if http == "--http1.1" else ((),):
                heard = self.ask("-H", f"Content-Type: {content_type}", "--data-binary", "@-", *more, http=http, data=body)
                self.assertRefusal(heard, 413, "1048576 bytes")

    def test_413_instead_of_100_continue(self):
        heard = self.ask("-H", "Expect: 100-continue", "-H", "Content-Length: 99999999999", "-X", "POST")
        self.assertEqual(heard.status, 413)

    def test_503(self):
        """Where nothing could be stored: the response module says why for each instance."""
        body, content_type = multipart([make_dicom()])
        for http in Refusals.versions:
            heard = self.ask("-H", f"Content-Type: {content_type}", "--data-binary", "@-", http=http, data=body)
            self.assertEqual(heard.status, 503, heard.body)
            self.assertEqual(heard["access-control-allow-origin"], ORIGIN)
            self.assertTrue(heard["x-request-id"])


class Names(RefusalCase):
    arguments = ("--cors-origins", ORIGIN, "--server-names", "localhost pacs.example")

    def test_421(self):
        for http in Refusals.versions:
            self.assertRefusal(self.ask("-H", "Host: other.example", http=http), 421, "server_names", header="Host")
            self.assertRefusal(self.ask("-H", "Host: 127.0.0.1", http=http), 421, "server_names", header="Host")
            for name in ("localhost", "PACS.example", "pacs.example:8443"):
                self.assertEqual(self.ask("-H", f"Host: {name}", http=http).status, 204)
            self.assertEqual(self.ask("-H", "Host: 10.0.0.1", http=http, base="", path="/healthz").status, 200)
        heard = self.ask("-X", "OPTIONS", "-H", "Host: other.example", "-H", "Access-Control-Request-Method: GET")
        self.assertRefusal(heard, 421, header="Host")


class Choices(RefusalCase):
    arguments = ("--cors-origins", ORIGIN, "--resource-policy", "same-site", "--hsts", "max-age=60; includeSubDomains")

    def test_COR_07_TLS_16_policies_are_settings(self):
        for path, status in (("/studies", 204), ("/studies/x", 400)):
            heard = self.ask(path=path)
            self.assertEqual((heard.status, heard["cross-origin-resource-policy"], heard["strict-transport-security"]),
                             (status, "same-site", "max-age=60; includeSubDomains"))


class Forbidden(RefusalCase):
    @classmethod
    def setUpClass(cls):
        cls.pki = Pki()
        cls.pki.ca("hospital")
        rules = cls.pki.folder / "rules"
        rules.write_text("search anonymous\n")
        cls.arguments = ("--cors-origins", ORIGIN, "--client-certificates", "optional", "--client-ca", cls.pki.path("hospital.pem"),
                         "--access-rules", str(rules))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.pki.folder, ignore_errors=True)

    def test_403(self):
        body, content_type = multipart([make_dicom()])
        for http in Refusals.versions:
            self.assertEqual(self.ask(http=http).status, 204)
            self.assertRefusal(self.ask(http=http, path="/studies/1.2.3/metadata"), 403, '"read"')
            self.assertRefusal(self.ask(http=http, path="/studies/1.2.3", *("-X", "DELETE")), 403, '"delete"')
            self.assertRefusal(self.ask("-H", f"Content-Type: {content_type}", "--data-binary", "@-", http=http, data=body), 403, '"store"')

    def test_COR_05_client_certificates_are_credentials(self):
        self.assertEqual(self.ask()["access-control-allow-credentials"], "true")
        heard = self.ask("-X", "OPTIONS", "-H", "Access-Control-Request-Method: GET")
        self.assertEqual((heard.status, heard["access-control-allow-credentials"]), (204, "true"))

    def test_HTP_13_ATH_05_403_instead_of_100_continue(self):
        heard = self.ask("-H", "Expect: 100-continue", "-H", "Content-Type: application/dicom", "-H", "Content-Length: 99999999", "-X", "POST")
        self.assertRefusal(heard, 403, '"store"')


class Gateways(RefusalCase):
    """HTP-19: what gateways say counts from configured addresses alone."""
    arguments = ("--cors-origins", ORIGIN, "--trusted-proxies", "127.0.0.0/8, ::1")

    def base_of(self, *arguments, server=None, http="--http1.1"):
        server = server or self.server
        heard = self.ask("-H", "Accept: application/dicom+json", *arguments, server=server, http=http)
        return json.loads(heard.body)[0]["00081190"]["Value"][0].split("/studies/")[0]

    def test_HTP_19_links_are_what_the_gateway_says(self):
        self.server.store([make_dicom()])
        for http in Refusals.versions:
            self.assertEqual(self.base_of("-H", "X-Forwarded-Host: pacs.example", "-H", "X-Forwarded-Proto: https", http=http),
                             "https://pacs.example/dicom-web")
            self.assertEqual(self.base_of("-H", "X-Forwarded-Host: pacs.example:8443", "-H", "X-Forwarded-Prefix: /pacs", http=http),
                             "https://pacs.example:8443/pacs/dicom-web")
            self.assertEqual(self.base_of("-H", "Forwarded: for=1.2.3.4;host=pacs.example;proto=https", http=http), "https://pacs.example/dicom-web")
            self.assertNotIn("evil", self.base_of("-H", "X-Forwarded-Host: evil/x", http=http))

    def test_HTP_19_from_others_they_mean_nothing(self):
        for arguments, want in (((), None), (("--public-url", "from-host"), None), (("--trusted-proxies", "10.0.0.1"), None),
                                (("--trusted-proxies", "127.0.0.1", "--public-url", "https://fixed.example"), "https://fixed.example/dicom-web")):
            server = Server("--cors-origins", ORIGIN, *arguments)
            try:
                server.store([make_dicom()])
                base = self.base_of("-H", "X-Forwarded-Host: evil.example", "-H", "Forwarded: host=evil.example", server=server)
                self.assertNotIn("evil", base)
                if want:
                    self.assertEqual(base, want)
            finally:
                server.stop()


if __name__ == "__main__":
    unittest.main()

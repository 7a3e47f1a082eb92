"""HTTP/2 carries what HTTP/1.1 carries: every route byte for byte, uploads, priorities, the end of connections and of the server."""
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest
from pathlib import Path

import h2
from gantry import JSON, SLOWER, Server, ServerCase, make_dicom, multipart, path_of, uids_of, value
from h2 import DATA, END_STREAM, GOAWAY, HEADERS, Link

REPOSITORY = Path(__file__).resolve().parents[2]
OCTETS = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}
# What is of the connection or of the moment.
CHANGING = {"date", "x-request-id", "connection", "transfer-encoding", "server-timing"}


def routes():
    """(method, pattern, at the root) of handlers/routes.def."""
    text = (REPOSITORY / "handlers/routes.def").read_text()
    return [(m, p, kind == "ROOT_ROUTE") for kind, m, p in re.findall(r'^(ROUTE|ROOT_ROUTE)\((\w+),\s*"([^"]*)"', text, re.M)]


class Agreement(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.files = [make_dicom(rows=64, columns=64, frames=3), make_dicom(rows=600, columns=600)]
        for file in cls.files:
            assert cls.server.store([file]).status == 200

    def both(self, method, path, headers=None, body=None):
        """The same request over HTTP/1.1 and over HTTP/2."""
        first = self.server.call(method, path, body, headers)
        with Link(self.server) as link:
            second = link.call(method, path, body, headers or {})
        self.assertIsNotNone(second, (method, path))
        return first, second

    def assertAgree(self, method, path, headers=None, body=None):
        first, second = self.both(method, path, headers, body)

        def told(answer):
            names = {n.lower() for n in answer.headers.keys()} - CHANGING
            if answer.status == 304 or method == "HEAD" and answer.status >= 400:
                names -= {"content-length"}
            fields = {n: answer.headers.get(n) for n in names}
            number = answer.headers["X-Request-Id"].encode()
            return answer.status, fields, answer.body.replace(number, b"#")
        self.assertEqual(told(first), told(second), (method, path))
        return second

    def filled(self, pattern, file, bulk):
        if "{...}" in pattern:
            return bulk
        values = iter([*uids_of(file), "1", "1"])
        return re.sub(r"\{[^}]*\}", lambda _: next(values), pattern)

    def test_every_route_answers_alike(self):
        asked = 0
        for file in self.files:
            bulk = path_of(file) + "/bulkdata/7FE00010"
            for method, pattern, at_root in routes():
                if method in ("POST", "PUT", "DELETE"):
                    continue
                path = ("/" if at_root else "") + self.filled(pattern, file, bulk)
                for headers in ({}, JSON, OCTETS, {"Accept": "*/*", "Origin": "https://viewer.example"}, {"Accept": "text/nonsense"},
                                {"Accept": "application/dicom+json", "Accept-Encoding": "gzip"}, {"Range": "bytes=5-40"}):
                    with self.subTest(f"{method} {path} {headers}"):
                        self.assertAgree(method, path, headers)
                        asked += 1
                if method == "GET":
                    with self.subTest(f"HEAD {path}"):
                        self.assertAgree("HEAD", path, OCTETS)
        self.assertGreater(asked, 100)

    def test_what_is_not_there_and_what_is_wrong_answers_alike(self):
        for method, path in (("GET", "/studies/1.2.3"), ("GET", "/studies/x"), ("GET", "/nonsense"), ("GET", "//nowhere"), ("POST", "/series"),
                             ("DELETE", "/studies/1.2.3"), ("PUT", "/studies"), ("OPTIONS", "/studies"), ("OPTIONS", "/nowhere"),
                             ("GET", "/studies?StudyDate=nonsense"), ("GET", "/studies?limit=-1"), ("GET", "/studies?%zz=1")):
            with self.subTest(f"{method} {path}"):
                self.assertAgree(method, path, JSON)

    def test_HTP_41_conditional_requests_answer_alike(self):
        path = path_of(self.files[0]) + "/frames/1"
        tag = self.server.get(path, OCTETS).headers["ETag"]
        answer = self.assertAgree("GET", path, {**OCTETS, "If-None-Match": tag})
        self.assertEqual((answer.status, answer.body), (304, b""))

    def test_storing_and_deleting_answer_alike(self):
        for file in (make_dicom(rows=300, columns=300), make_dicom()[:700]):
            body, kind = multipart([file])
            self.assertAgree("POST", "/studies", {**JSON, "Content-Type": kind}, body)
        file = make_dicom()
        self.assertEqual(self.server.store([file]).status, 200)
        with Link(self.server) as link:
            self.assertEqual(link.call("DELETE", path_of(file)).status, 204)
        self.assertEqual(self.server.get(path_of(file)).status, 410)

    def test_RFC9113_8_1_1_a_large_upload_within_the_windows(self):
        files = [make_dicom(rows=512, columns=512) for _ in range(12)]
        body, kind = multipart(files)
        with Link(self.server) as link:
            answer = link.call("POST", "/studies", body, {**JSON, "Content-Type": kind})
            self.assertEqual(answer.status, 200, answer)
            for file in files[::5]:
                self.assertEqual(link.call("GET", path_of(file), headers={"Accept": "application/dicom"}).body, file)

    def test_many_uploads_at_once_on_one_connection(self):
        files = [make_dicom(rows=300, columns=300) for _ in range(20)]
        with Link(self.server) as link:
            link.wait_settings()
            streams, bodies = [], {}
            for file in files:
                body, kind = multipart([file])
                stream = link.ask("POST", "/dicom-web/studies", {**JSON, "Content-Type": kind, "Content-Length": str(len(body))}, end=False)
                streams.append(stream)
                bodies[stream] = body
            step = 9000
            for at in range(0, max(map(len, bodies.values())), step):
                for stream in streams:
                    piece = bodies[stream][at:at + step]
                    if piece:
                        link.push_body(stream, piece, end=at + step >= len(bodies[stream]))
            answers = link.hear_all(streams)
            self.assertEqual({a if isinstance(a, int) else a.status for a in answers.values()}, {200})
        for file in files:
            self.assertEqual(self.server.get(path_of(file), {"Accept": "application/dicom"}).body, file)

    def test_a_hundred_frames_at_once_arrive_whole(self):
        path = path_of(self.files[1]) + "/frames/1"
        want = self.server.get(path, OCTETS).body
        with Link(self.server, window=1 << 20) as link:
            link.send(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30))
            answers = link.hear_all([link.ask("GET", "/dicom-web" + path, OCTETS) for _ in range(100)])
        self.assertEqual({a if isinstance(a, int) else a.status for a in answers.values()}, {200})
        self.assertTrue(all(a.body == want for a in answers.values()))


class Priorities(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = make_dicom(rows=256, columns=256)
        assert cls.server.store([cls.file]).status == 200
        cls.frame = "/dicom-web" + path_of(cls.file) + "/frames/1"
        cls.server.get(path_of(cls.file) + "/frames/1", OCTETS)  # its record and its bytes are in memory from here on

    def order(self, urgencies, update=None, incremental=""):
        """In which order frames of these urgencies end. All are asked for while the window is shut."""
        with Link(self.server, window=1 << 24) as link:
            link.wait_settings()
            filler = link.ask("GET", self.frame, {**OCTETS, "Priority": "u=0"})  # uses the connection's window up
            got = 0
            link.refill = False
            while got < 65535:
                got += len(link.wait_for(DATA, stream=filler).payload)
            streams = [link.ask("GET", self.frame, {**OCTETS, **({"Priority": f"u={u}{incremental}"} if u is not None else {})})
                       for u in urgencies]
            if update:
                link.send(h2.PRIORITY_UPDATE, 0, 0, struct.pack(">I", streams[update[0]]) + update[1])
            link.ping()
            for stream in streams:
                link.wait_for(HEADERS, stream=stream)
            link.send(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30))
            self.arrivals, ended = [], []
            while len(ended) < len(streams):
                frame = link.wait_for(DATA)
                if frame.stream == filler:
                    continue
                self.arrivals.append(streams.index(frame.stream))
                if frame.flags & END_STREAM:
                    ended.append(streams.index(frame.stream))
            return ended

    def test_RFC9218_urgent_frames_come_first(self):
        self.assertEqual(self.order([5, 1, 3]), [1, 2, 0])

    def test_RFC9218_without_a_priority_frames_come_in_the_order_asked(self):
        self.assertEqual(self.order([None, None, None]), [0, 1, 2])

    def test_RFC9218_incremental_ones_share(self):
        self.order([3, 3], incremental=", i")
        first_end = len(self.arrivals) - 1 - self.arrivals[::-1].index(self.arrivals[0])
        self.assertIn(1 - self.arrivals[0], self.arrivals[:first_end])

    def test_RFC9218_a_priority_update_overtakes(self):
        self.assertEqual(self.order([3, 3, 3], update=(2, b"u=0")), [2, 0, 1])


class Life(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(lambda: self.server.stop())
        self.file = make_dicom(rows=1024, columns=1024)
        self.assertEqual(self.server.store([self.file]).status, 200)
        self.frame = "/dicom-web" + path_of(self.file) + "/frames/1"

    def test_HTP_16_sigterm_says_goaway_and_finishes_what_is_under_way(self):
        link = Link(self.server, window=100000)
        link.refill = False
        link.wait_settings()
        stream = link.ask("GET", self.frame, OCTETS)
        body = link.wait_for(DATA, stream=stream).payload
        self.server.process.send_signal(signal.SIGTERM)
        first = link.wait_for(GOAWAY)
        self.assertEqual((first.error(), struct.unpack(">I", first.payload[:4])[0]), (h2.NO_ERROR, 0x7FFFFFFF))
        second = link.wait_for(GOAWAY)
        self.assertEqual((second.error(), struct.unpack(">I", second.payload[:4])[0]), (h2.NO_ERROR, stream))
        link.send(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24))
        link.send(h2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 1 << 24))
        while True:
            frame = link.wait_for(DATA, stream=stream)
            body += frame.payload
            if frame.flags & END_STREAM:
                break
        self.assertIn(self.file[-2 ** 21:], body)
        self.assertEqual(self.server.process.wait(60 * SLOWER), 0)
        with self.assertRaises(h2.Closed):
            while True:
                link.read()
        link.close()

    def test_clients_that_vanish_leave_nothing(self):
        body, kind = multipart([make_dicom(rows=256, columns=256)])
        for n in range(12):
            link = Link(self.server, window=1 << 20)
            link.wait_settings()
            for _ in range(10):
                link.ask("GET", (self.frame, "/dicom-web/studies", "/healthz")[n % 3], OCTETS if n % 3 == 0 else {})
            stream = link.ask("POST", "/dicom-web/studies", {"content-type": kind}, end=False)
            link.push_body(stream, body[:20000 * (n % 4)], end=False)
            if n % 2:
                link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # with a reset
            link.close()
        drafts = self.server.folder / "drafts"
        deadline = time.monotonic() + 30 * SLOWER
        while list(drafts.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(list(drafts.iterdir()), [])
        self.assertEqual(len(self.server.get("/instances", JSON).json()), 1)

    def test_streams_that_are_reset_while_workers_have_them(self):
        link = Link(self.server)
        link.wait_settings()
        for _ in range(40):
            streams = [link.ask("GET", "/dicom-web/studies", JSON) for _ in range(10)]
            link.send_raw(b"".join(link.frame(h2.RST_STREAM, 0, s, struct.pack(">I", h2.CANCEL)) for s in streams))
        link.ping()
        deadline = time.monotonic() + 30 * SLOWER
        while (answer := link.call("GET", "//healthz")) is None and time.monotonic() < deadline:
            self.assertEqual(link.reset, h2.REFUSED_STREAM)  # so many are still with their workers
            time.sleep(0.05)
        self.assertEqual(answer.status, 200)
        link.close()

    def test_many_threads_of_many_streams(self):
        want = self.server.get(path_of(self.file) + "/frames/1", OCTETS).body
        wrong = []

        def viewer(n):
            try:
                with Link(self.server, window=1 << 22, timeout=60) as link:
                    link.send(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30))
                    for turn in range(3):
                        streams = [link.ask("GET", self.frame, OCTETS) for _ in range(4)]
                        streams += [link.ask("GET", "/dicom-web/studies", JSON) for _ in range(8)]
                        for stream, answer in link.hear_all(streams).items():
                            if isinstance(answer, int) or answer.status != 200 or (stream in streams[:4] and answer.body != want):
                                wrong.append((n, turn, answer))
            except Exception as e:  # a thread's failure must reach the test
                wrong.append((n, e))
        threads = [threading.Thread(target=viewer, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class Tools(ServerCase):
    """Other people's clients."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = make_dicom(rows=512, columns=512)
        assert cls.server.store([cls.file]).status == 200
        cls.frame = cls.server.url + path_of(cls.file) + "/frames/1"
        cls.want = cls.server.get(path_of(cls.file) + "/frames/1", OCTETS).body

    def run_tool(self, *arguments):
        if not shutil.which(arguments[0]):
            self.skipTest(f"{arguments[0]} is not installed")
        return subprocess.run(arguments, capture_output=True, timeout=100 * SLOWER, stdin=subprocess.DEVNULL)

    def curl(self, *arguments):
        return self.run_tool("curl", "-sS", "--http2", "--cacert", self.server.ca, *arguments)

    def test_TLS_11_alpn_prefers_h2_and_leaves_others_alone(self):
        for offers, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
            import ssl
            context = ssl.create_default_context(cafile=self.server.ca)
            if offers:
                context.set_alpn_protocols(offers)
            with context.wrap_socket(socket.create_connection(("127.0.0.1", self.server.port)), server_hostname="localhost") as link:
                self.assertEqual(link.selected_alpn_protocol(), chosen, offers)

    def test_curl_downloads_uploads_and_hears_refusals(self):
        done = self.curl("-w", "%{http_version} %{http_code}", "-o", "-", "-H", "Accept: " + OCTETS["Accept"], self.frame)
        self.assertTrue(done.stdout.startswith(self.want) and done.stdout.endswith(b"2 200"), done.stderr)
        body, kind = multipart([make_dicom(rows=512, columns=512) for _ in range(4)])
        path = self.server.folder / "upload"
        path.write_bytes(body)
        for content_type, code in ((kind, b"200"), ("text/plain", b"415")):
            for _ in range(3):  # who is a second late for a refusal finds its stream reset, and curl forgets the answer
                done = self.curl("-w", "%{http_code}", "-o", "/dev/null", "-H", f"Content-Type: {content_type}", "--data-binary", f"@{path}",
                                 self.server.url + "/studies")
                if (done.stdout, done.returncode) == (code, 0):
                    break
            self.assertEqual((done.stdout, done.returncode), (code, 0), done.stderr)

    def test_curl_with_many_at_once(self):
        done = self.curl("--parallel", "--parallel-max", "50", "-H", "Accept: " + OCTETS["Accept"],
                         *sum((["-o", str(self.server.folder / f"out{n}"), self.frame] for n in range(50)), []))
        self.assertEqual(done.returncode, 0, done.stderr)
        for n in range(50):
            self.assertEqual((self.server.folder / f"out{n}").read_bytes(), self.want)

    def test_nghttp(self):
        done = self.run_tool("nghttp", "-v", "-H", "accept: " + OCTETS["Accept"], "-n", self.frame, self.server.url + "/nowhere")
        self.assertEqual(done.returncode, 0, done.stdout[-2000:])
        self.assertIn(b":status: 200", done.stdout)
        self.assertIn(b":status: 404", done.stdout)

    def test_h2load(self):
        done = self.run_tool("h2load", "-n", "400", "-c", "4", "-m", "50", "-H", "accept: " + OCTETS["Accept"], self.frame)
        self.assertRegex(done.stdout.decode(), r"400 total, 400 started, 400 done, 400 succeeded, 0 failed, 0 errored, 0 timeout")
        self.assertEqual(value({"x": {"Value": [re.search(r"\((\d+)\) data", done.stdout.decode()).group(1)]}}, "x"),
                         str(400 * len(self.want)))


if __name__ == "__main__":
    unittest.main()

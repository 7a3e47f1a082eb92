"""Clients that are slow on purpose, over HTTP/1.1, one and a thousand; and clients that want everything for themselves."""
import os
import re
import resource
import socket
import ssl
import threading
import time
import unittest

import h2
from gantry import JSON, SANITIZED, SLOWER, STALL, Server, make_dicom, multipart, path_of
from h2 import Link

OCTETS = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}


class Slow(unittest.TestCase):
    """Time-outs made short. Nothing is measured: only that what should end does, and what should not does not."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(f"--header-timeout={3000 * STALL}", "--least-rate=2000", f"--pace-period={2000 * STALL}",
                            f"--idle-timeout={6000 * STALL}")
        cls.file = make_dicom(rows=2048, columns=1024)
        assert cls.server.store([cls.file]).status == 200
        cls.frame = "/dicom-web" + path_of(cls.file) + "/frames/1"

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def dial(self, receive_buffer=None):
        plain = socket.socket()
        plain.settimeout(40 * SLOWER)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.connect(("127.0.0.1", self.server.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = self.server.context.wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(link.close)
        return link

    def assertCutOff(self, link, drip=b"", every=0.1):
        """The server closes, though bytes keep coming."""
        deadline = time.monotonic() + 30 * SLOWER
        link.settimeout(every)
        while time.monotonic() < deadline:
            try:
                if drip:
                    link.sendall(drip)
                if not link.recv(1000):
                    return
            except TimeoutError:
                continue
            except (OSError, ssl.SSLError):
                return
        self.fail("it is still connected")

    def test_HTP_14_a_handshake_that_stalls(self):
        outgoing = ssl.MemoryBIO()
        with self.assertRaises(ssl.SSLWantReadError):
            self.server.context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=40 * SLOWER) as plain:
            plain.sendall(outgoing.read())
            while plain.recv(65536):
                pass

    def test_HTP_14_nothing_after_the_handshake(self):
        self.assertCutOff(self.dial())

    def test_HTP_14_header_fields_that_drip(self):
        link = self.dial()
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        self.assertCutOff(link, b"X-a: b\r\n")

    def test_HTP_14_a_second_request_line_that_drips(self):
        link = self.dial()
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /")
        self.assertIn(b"200", link.recv(1000))
        self.assertCutOff(link, b"a")

    def test_HTP_14_a_body_that_drips(self):
        for length in (b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
            link = self.dial()
            link.sendall(b'POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/related; type="application/dicom"; '
                         b"boundary=b\r\n" + length)
            self.assertCutOff(link, b"1\r\nx\r\n" if b"chunked" in length else b"xx")

    def test_HTP_14_an_answer_that_is_not_read_or_read_byte_by_byte(self):
        for slowly in (False, True):
            before = self.server.log_text().count("broken")
            link = self.dial(receive_buffer=4096)
            link.sendall(f"GET {self.frame} HTTP/1.1\r\nHost: x\r\nAccept: {OCTETS['Accept']}\r\n\r\n".encode())
            plain, deadline = link, time.monotonic() + 40 * SLOWER
            while self.server.log_text().count("broken") == before:
                self.assertLess(time.monotonic(), deadline, "it is still connected")
                if slowly:
                    try:
                        plain.recv(1)
                    except OSError:
                        break
                time.sleep(0.1)
            link.close()

    def test_HTP_14_who_is_slow_but_above_the_least_rate_is_served(self):
        body, kind = multipart([make_dicom(rows=100 * STALL, columns=100)])
        link = self.dial()
        link.sendall(f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAccept: application/dicom+json\r\nContent-Type: {kind}\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n".encode())
        step = len(body) // 8 + 1
        for at in range(0, len(body), step):
            link.sendall(body[at:at + step])
            time.sleep(0.5 * STALL)
        self.assertTrue(link.recv(100).startswith(b"HTTP/1.1 200"))

    def test_HTP_14_a_steady_upload_that_lasts_longer_than_silence_may_is_served(self):
        for framing in ("length", "chunks"):
            body, kind = multipart([make_dicom(rows=1024, columns=1024)])
            link, step = self.dial(), 16384
            link.sendall(f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAccept: application/dicom+json\r\nContent-Type: {kind}\r\n".encode()
                         + (b"Content-Length: %d\r\n\r\n" % len(body) if framing == "length" else b"Transfer-Encoding: chunked\r\n\r\n"))
            for at in range(0, len(body), step):
                piece = body[at:at + step]
                link.sendall(piece if framing == "length" else b"%x\r\n%s\r\n" % (len(piece), piece))
                time.sleep(0.055 * STALL)
            if framing == "chunks":
                link.sendall(b"0\r\n\r\n")
            self.assertTrue(link.recv(100).startswith(b"HTTP/1.1 200"), framing)


def raise_file_limit(to):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < to <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (to, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= to


class Thousand(unittest.TestCase):
    """Many connections that do as little as they can, from another address than the one that asks meanwhile; GANTRY_THOROUGH=1 makes
    them a thousand each time and not only once."""
    COUNT = 1000 if os.environ.get("GANTRY_THOROUGH") else 200 if not SANITIZED else 100

    def setUp(self):
        if not raise_file_limit(1500):
            self.skipTest("too few descriptors allowed")
        self.server = Server("--connections-per-address=2000", "--header-timeout=60000", "--pace-period=60000")
        self.addCleanup(lambda: self.server.stop())
        self.file = make_dicom(rows=512, columns=512)
        self.assertEqual(self.server.store([self.file]).status, 200)
        self.want = self.server.get(path_of(self.file) + "/frames/1", OCTETS).body
        self.links = []
        self.addCleanup(lambda: [link.close() for link in self.links])

    def attack(self, say, alpn):
        context = ssl.create_default_context(cafile=self.server.ca)
        context.set_alpn_protocols([alpn])

        def some(count):
            for _ in range(count):
                plain = socket.socket()
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                plain.settimeout(60 * SLOWER)
                plain.bind(("127.0.0.2", 0))
                plain.connect(("127.0.0.1", self.server.port))
                link = context.wrap_socket(plain, server_hostname="localhost")
                link.sendall(say)
                self.links.append(link)
        threads = [threading.Thread(target=some, args=(self.COUNT // 4,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.links), self.COUNT // 4 * 4)

    def assertOthersAreServed(self):
        body, kind = multipart([make_dicom()])
        for _ in range(5):
            answer = self.server.get(path_of(self.file) + "/frames/1", OCTETS)
            self.assertEqual((answer.status, answer.body), (200, self.want))
            self.assertEqual(self.server.get("/studies", JSON).status, 200)
            with Link(self.server) as link:
                self.assertEqual(link.call("GET", path_of(self.file) + "/frames/1", headers=OCTETS).body, self.want)
        self.assertEqual(self.server.call("POST", "/studies", body, {**JSON, "Content-Type": kind}).status, 200)
        if not SANITIZED:
            time.sleep(0.5)
            before = self.server.cpu_seconds()
            time.sleep(2)
            self.assertLess(self.server.cpu_seconds() - before, 0.5)  # a spinning thread would spend 2 s

    def test_slow_headers(self):
        if not SANITIZED:
            self.COUNT = 1000
        self.attack(b"GET /healthz HTTP/1.1\r\nHost: x\r\n", "http/1.1")
        self.assertOthersAreServed()

    def test_slow_bodies(self):
        self.attack(b'POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/related; type="application/dicom"; boundary=b\r\n'
                    b"Content-Length: 1000000\r\n\r\n--b\r\n", "http/1.1")
        self.assertOthersAreServed()

    def test_slow_readers(self):
        self.attack(f"GET /dicom-web{path_of(self.file)}/frames/1 HTTP/1.1\r\nHost: x\r\nAccept: {OCTETS['Accept']}\r\n\r\n".encode(), "http/1.1")
        self.assertOthersAreServed()

    def test_slow_readers_over_http_2(self):
        head = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/dicom-web" + path_of(self.file) + "/frames/1"),
                ("accept", OCTETS["Accept"])]
        self.attack(h2.PREFACE + Link.frame(h2.SETTINGS, 0, 0) +
                    b"".join(Link.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, n, h2.block(head)) for n in (1, 3, 5)), "h2")
        self.assertOthersAreServed()


class Share(unittest.TestCase):
    def test_HTP_15_connections_of_one_address_are_counted_over_both_versions(self):
        server = Server("--connections-per-address=16")
        self.addCleanup(lambda: server.stop())
        links = [Link(server) for _ in range(8)]
        for _ in range(8):
            link = server.connection()
            link.connect()
            links.append(link)
        with self.assertRaises((OSError, ssl.SSLError)):
            Link(server).wait_settings()
        with Link(server, source="127.0.0.2") as other:  # another address has its own share
            self.assertEqual(other.call("GET", "//healthz").status, 200)
        links.pop().close()
        links.pop(0).close()
        deadline = time.monotonic() + 20 * SLOWER
        while True:
            try:
                with Link(server) as again:
                    self.assertEqual(again.call("GET", "//healthz").status, 200)
                break
            except (OSError, ssl.SSLError, h2.Closed):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
        for link in links:
            link.close()
        self.assertTrue(re.search("connections_per_address", server.log_text()))

    def test_HTP_15_one_connection_with_a_hundred_searches_does_not_starve_another(self):
        server = Server("--workers=2")
        self.addCleanup(lambda: server.stop())
        for _ in range(3):
            self.assertEqual(server.store([make_dicom() for _ in range(60)]).status, 200)
        for _ in range(5):  # a pause of this process lets all of the hundred end
            ended = self.ended_beside_another(server)
            if ended < 100:
                break
        # Were it first come, first served, all of the hundred would have been answered by then.
        self.assertLess(ended, 100)

    def ended_beside_another(self, server):
        with Link(server, window=1 << 20) as greedy, Link(server) as modest:
            greedy.send(h2.WINDOW_UPDATE, 0, 0, (1 << 30).to_bytes(4, "big"))
            greedy.wait_settings()
            greedy.send_raw(b"".join(greedy.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, n,
                                                  h2.block(greedy.head("HEAD", "/dicom-web/instances?includefield=all", JSON)))
                                     for n in range(1, 201, 2)))
            greedy.wait_for(h2.HEADERS)  # its first answer: all of its requests are in the queue
            self.assertEqual(modest.call("GET", "/studies?limit=1", headers=JSON).status, 200)
            greedy.socket.settimeout(0.001)
            ended = 1
            try:
                while True:
                    ended += greedy.wait_for(h2.HEADERS) is not None
            except TimeoutError:
                pass
            return ended


if __name__ == "__main__":
    unittest.main()

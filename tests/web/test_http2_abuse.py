"""What HTTP/2 can be abused for: each attack ends in a GOAWAY or costs next to nothing, and others are served meanwhile."""
import re
import socket
import ssl
import struct
import time
import unittest

import h2
from gantry import JSON, SANITIZED, SLOWER, STALL, Server, ServerCase, make_dicom, multipart, path_of
from h2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Link,
                block, integer, literal)

OCTETS = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}


def flood(link, data, times):
    """Sends `data` again and again until the server has had enough; the error of its GOAWAY."""
    link.socket.settimeout(20 * SLOWER)
    try:
        for _ in range(times):
            link.send_raw(data)
    except OSError:
        pass
    return link.ending()


class Floods(ServerCase):
    arguments = ("--http2-control-frames=500", "--http2-resets=200")

    def setUp(self):
        self.link = Link(self.server)
        self.link.wait_settings()
        self.addCleanup(self.link.close)
        self.other = Link(self.server)
        self.addCleanup(self.other.close)

    def assertCalmed(self, data, times):
        self.assertEqual(flood(self.link, data, times), h2.ENHANCE_YOUR_CALM)
        self.assertEqual(self.other.call("GET", "//healthz").status, 200)

    def test_rapid_reset(self):
        head = block(self.link.head("GET", "/dicom-web/studies", JSON))
        data = b"".join(Link.frame(HEADERS, END_HEADERS | END_STREAM, n, head) + Link.frame(RST_STREAM, 0, n, struct.pack(">I", h2.CANCEL))
                        for n in range(1, 2001, 2))
        before = self.server.cpu_seconds()
        self.assertCalmed(data, 1)
        self.assertLess(self.server.cpu_seconds() - before, 2 * SLOWER)

    def test_resets_that_the_server_is_made_to_send(self):
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        head = block(self.link.head("POST", "/dicom-web/studies", {"content-type": kind, "content-length": "5"}))
        error = None
        try:
            for first in range(1, 2001, 40):
                self.link.send_raw(b"".join(Link.frame(HEADERS, END_HEADERS, n, head) + Link.frame(DATA, END_STREAM, n, b"x" * 100)
                                            for n in range(first, first + 40, 2)))
                self.link.ping()
        except (OSError, h2.Closed):
            error = self.link.ending()
        self.assertEqual(error, h2.ENHANCE_YOUR_CALM)
        self.assertEqual(self.other.call("GET", "//healthz").status, 200)

    def test_streams_beyond_the_limit_again_and_again(self):
        head = block(self.link.head("POST", "/dicom-web/studies", {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}))
        data = b"".join(Link.frame(HEADERS, END_HEADERS, n, head) for n in range(1, 4001, 2))
        self.assertIn(flood(self.link, data, 1), (h2.ENHANCE_YOUR_CALM, h2.PROTOCOL_ERROR))
        self.assertEqual(self.other.call("GET", "//healthz").status, 200)

    def test_ping_flood(self):
        self.assertCalmed(Link.frame(PING, 0, 0, b"12345678") * 100, 100)

    def test_settings_flood(self):
        self.assertCalmed(Link.frame(SETTINGS, 0, 0, struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 1000)) * 100, 100)

    def test_settings_of_many_entries(self):
        self.assertIsNotNone(flood(self.link, Link.frame(SETTINGS, 0, 0, struct.pack(">HI", 0xABCD, 1) * 2000), 1))

    def test_priority_flood(self):
        self.assertCalmed(b"".join(Link.frame(PRIORITY, 0, n, b"\0\0\0\0\x10") for n in range(1, 2001, 2)), 3)

    def test_priority_update_flood(self):
        self.assertCalmed(b"".join(Link.frame(h2.PRIORITY_UPDATE, 0, 0, struct.pack(">I", n) + b"u=0") for n in range(1, 201, 2)), 30)

    def test_empty_data_flood(self):
        stream = self.link.ask("POST", "/dicom-web/studies", {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}, end=False)
        self.assertCalmed(Link.frame(DATA, 0, stream) * 100, 100)

    def test_flood_of_single_bytes(self):
        stream = self.link.ask("POST", "/dicom-web/studies", {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}, end=False)
        self.assertCalmed(Link.frame(DATA, 0, stream, b"x") * 100, 100)

    def test_window_update_flood(self):
        self.assertCalmed(Link.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 100, 100)

    def test_unknown_frames_flood(self):
        self.assertCalmed(Link.frame(0xBB, 0, 0, b"") * 100, 100)

    def test_CVE_2024_28182_continuation_flood(self):
        self.link.send(HEADERS, END_STREAM, 1, block(self.link.head("GET", "/healthz")))
        self.assertCalmed(Link.frame(CONTINUATION, 0, 1, b""), 600)

    def test_continuation_flood_of_fields_that_never_end(self):
        self.link.send(HEADERS, END_STREAM, 1, block(self.link.head("GET", "/healthz")))
        self.assertCalmed(Link.frame(CONTINUATION, 0, 1, literal("x-a", "b" * 8000) * 2), 600)

    def test_hpack_bomb(self):
        """One entry of 4 KiB in the table, named thousands of times."""
        before, memory = self.server.cpu_seconds(), self.server.memory()
        bomb = block(self.link.head("GET", "/healthz")) + literal("x-a", "b" * 4000, indexed=True) + b"\xbe" * 12000
        self.assertEqual(flood(self.link, Link.frame(HEADERS, END_HEADERS | END_STREAM, 1, bomb), 1), h2.ENHANCE_YOUR_CALM)
        self.assertEqual(self.other.call("GET", "//healthz").status, 200)
        self.assertLess(self.server.cpu_seconds() - before, 1 * SLOWER)
        if not SANITIZED:
            self.assertLess(self.server.memory() - memory, 20 << 20)

    def test_a_table_that_changes_its_size_all_the_time(self):
        sizes = b"".join(integer(n % 2 * 4096, 5, 0x20) for n in range(2))
        for n in range(1, 200, 2):
            self.link.send(HEADERS, END_HEADERS | END_STREAM, n, sizes + block(self.link.head("GET", "/healthz")))
            self.assertEqual(self.link.hear(n).status, 200)

    def test_an_honest_client_is_not_taken_for_a_flood(self):
        for turn in range(5):
            streams = [self.other.ask("GET", "/healthz") for _ in range(100)]
            self.assertEqual({a if isinstance(a, int) else a.status for a in self.other.hear_all(streams).values()}, {200})


class SlowClients(unittest.TestCase):
    """Time-outs made short. Nothing is measured: only that what should end does, and what should not does not."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(f"--header-timeout={3000 * STALL}", "--least-rate=2000", f"--pace-period={2000 * STALL}",
                            f"--idle-timeout={6000 * STALL}")
        cls.file = make_dicom(rows=1024, columns=1024)
        assert cls.server.store([cls.file]).status == 200
        cls.frame = "/dicom-web" + path_of(cls.file) + "/frames/1"

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def link(self, *arguments, **more):
        link = Link(self.server, *arguments, timeout=40, **more)
        self.addCleanup(link.close)
        return link

    def test_HTP_14_who_says_nothing_after_the_handshake(self):
        link = self.link(hello=False)
        link.answers = False
        self.assertIsNone(link.ending())

    def test_HTP_14_who_stalls_in_the_handshake(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=self.server.ca)
        context.set_alpn_protocols(["h2"])
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=40 * SLOWER) as plain:
            plain.sendall(outgoing.read())
            while plain.recv(65536):
                pass

    def test_HTP_14_idle_connections_are_told_goodbye(self):
        link = self.link()
        self.assertEqual(link.call("GET", "//healthz").status, 200)
        self.assertEqual(link.ending(), h2.NO_ERROR)

    def test_HTP_14_a_header_section_that_does_not_end(self):
        link = self.link()
        link.wait_settings()
        link.send(HEADERS, END_STREAM, 1, block(link.head("GET", "/healthz")))
        self.assertEqual(link.ending(), h2.ENHANCE_YOUR_CALM)

    def test_HTP_14_a_body_that_drips(self):
        link = self.link()
        stream = link.ask("POST", "/dicom-web/studies", {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}, end=False)
        link.socket.settimeout(0.2)
        frame = None
        for _ in range(200 * SLOWER):
            link.send(DATA, 0, stream, b"x" * 70)
            try:
                frame = link.wait_for(RST_STREAM)
                break
            except TimeoutError:
                continue
        self.assertEqual((frame.stream, frame.error()), (stream, h2.CANCEL))
        link.socket.settimeout(40 * SLOWER)
        self.assertEqual(link.hear(link.ask("GET", "/healthz")).status, 200)

    def test_HTP_14_windows_that_stay_shut_or_open_by_a_byte(self):
        for step in (0, 1):
            link = self.link(window=100)
            link.refill = False
            stream = link.ask("GET", self.frame, OCTETS)
            link.wait_for(DATA, stream=stream)
            link.socket.settimeout(0.2)
            frame = None
            for _ in range(200 * SLOWER):
                if step:
                    link.send(WINDOW_UPDATE, 0, stream, struct.pack(">I", step))
                try:
                    frame = link.wait_for(RST_STREAM)
                    break
                except TimeoutError:
                    continue
            self.assertEqual((frame.stream, frame.error()), (stream, h2.CANCEL))
            link.close()

    def test_HTP_14_who_does_not_read_the_socket(self):
        link = self.link(window=(1 << 31) - 1, receive_buffer=4096)
        link.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30))
        try:
            for _ in range(50):
                link.ask("GET", self.frame, OCTETS)
        except OSError:
            pass  # it was cut off before it had asked for all
        deadline = time.monotonic() + 60 * SLOWER
        while "frames/{} 200" not in self.server.log_text() or not re.search(r"frames/\{\} 200 .*broken|cut", self.server.log_text()):
            if time.monotonic() > deadline:
                self.fail("it is still connected")
            time.sleep(0.2)

    def test_a_slow_worker_is_not_the_clients_fault(self):
        files = [make_dicom(rows=256, columns=256) for _ in range(8)]
        body, kind = multipart(files)
        link = self.link()
        link.wait_settings()
        stream = link.ask("POST", "/dicom-web/studies", {**JSON, "content-type": kind}, end=False)
        at, step = 0, len(body) // 8 + 1  # slow, yet above the least rate
        while at < len(body):
            link.push_body(stream, body[at:at + step], end=at + step >= len(body))
            at += step
            time.sleep(0.5 * STALL)  # longer than the period, all in all
        self.assertEqual(link.hear(stream).status, 200)


class Stalled(ServerCase):
    def test_stalled_handshakes_and_idle_connections_of_h2_cost_no_cpu(self):
        context = ssl.create_default_context(cafile=self.server.ca)
        context.set_alpn_protocols(["h2"])
        outgoing = ssl.MemoryBIO()
        with self.assertRaises(ssl.SSLWantReadError):
            context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
        hello, open_ones = outgoing.read(), []
        try:
            for n in range(60):
                plain = socket.create_connection(("127.0.0.1", self.server.port))
                plain.sendall(hello if n % 2 else hello[:100])
                open_ones.append(plain)
            for _ in range(100):
                link = Link(self.server)
                self.assertEqual(link.call("GET", "//healthz").status, 200)
                open_ones.append(link)
            time.sleep(0.5)
            before = self.server.cpu_seconds()
            time.sleep(3)
            self.assertLess(self.server.cpu_seconds() - before, 0.3 * SLOWER)  # a spinning thread would spend 3 s
            self.assertEqual(self.server.get("//healthz").status, 200)
        finally:
            for one in open_ones:
                one.close()


if __name__ == "__main__":
    unittest.main()

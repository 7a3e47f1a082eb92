"""HTTP/2 frame by frame: each MUST of RFC 9113 that a client can provoke. A connection error is a GOAWAY with its error and the
end of the connection, a stream error is a RST_STREAM, and in each case other connections are served."""
import struct

import h2
from gantry import ServerCase
from h2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITY, PUSH_PROMISE,
                RST_STREAM, SETTINGS, WINDOW_UPDATE, Link, block, literal)


def number(value):
    return struct.pack(">I", value)


def setting(key, value):
    return struct.pack(">HI", key, value)


class Frames(ServerCase):
    def link(self, *arguments, **more):
        link = Link(self.server, *arguments, **more)
        self.addCleanup(link.close)
        return link

    def assertConnectionError(self, what, errors, *frames, prepare=None):
        """Each of `frames` is (kind, flags, stream, payload); {open} stands for a stream that waits for its body."""
        link = self.link()
        link.wait_settings()
        stream = prepare(link) if prepare else None
        with self.subTest(what):
            for kind, flags, on, payload in frames:
                link.send(kind, flags, stream if on == "open" else on, payload)
            error = link.ending()
            self.assertIn(error, errors, what)
            self.assertEqual(self.server.get("//healthz").status, 200)
        link.close()

    def open_stream(self, link):
        """A POST whose body is still to come."""
        return link.ask("POST", "/dicom-web/studies", {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}, end=False)

    def closed_stream(self, link):
        stream = link.ask("GET", "/healthz")
        self.assertEqual(link.hear(stream).status, 200)
        return stream

    def test_RFC9113_3_4_the_preface_of_both_sides(self):
        link = self.link()
        first = link.read()
        self.assertEqual((first.kind, first.flags), (SETTINGS, 0))  # the server's preface
        link.close()
        for preface in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", PREFACE[:-1] + b"x", b"\0" * 64,
                        PREFACE + Link.frame(PING, 0, 0, b"12345678")):
            link = self.link(hello=False)
            link.send_raw(preface)
            self.assertIn(link.ending(), (None, h2.PROTOCOL_ERROR))
            link.close()

    def test_RFC9113_4_1_unknown_frames_and_reserved_bits_are_ignored(self):
        link = self.link()
        link.send(0xBB, 0xFF, 0, b"whatever")
        link.send(0xBB, 0xFF, 7, b"")
        link.send_raw(struct.pack(">I", 8)[1:] + struct.pack(">BBI", PING, 0xFE, 0x80000000) + b"12345678")
        pong = link.wait_for(PING)
        self.assertEqual((pong.flags, pong.stream, pong.payload), (ACK, 0, b"12345678"))
        self.assertEqual(link.call("GET", "//healthz").status, 200)

    def test_RFC9113_4_2_a_frame_over_the_size_we_allow(self):
        self.assertConnectionError("PING of 16385 bytes", (h2.FRAME_SIZE_ERROR,), (PING, 0, 0, b"x" * 16385))
        self.assertConnectionError("DATA of 16385 bytes", (h2.FRAME_SIZE_ERROR,), (DATA, 0, "open", b"x" * 16385),
                                   prepare=self.open_stream)
        self.assertConnectionError("HEADERS of 16385 bytes", (h2.FRAME_SIZE_ERROR,), (HEADERS, END_HEADERS, 1, b"\0" * 16385))

    def test_RFC9113_4_3_a_header_block_that_cannot_be_unpacked(self):
        for bad in (b"\x80", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\xfe", b"\x00\x85ab", b"\x3f\xe1\xff\xff\x03"):
            self.assertConnectionError(bad.hex(), (h2.COMPRESSION_ERROR,), (HEADERS, END_HEADERS | END_STREAM, 1, bad))

    def test_RFC9113_4_3_headers_of_a_refused_stream_still_count_for_the_table(self):
        link = self.link()
        link.wait_settings()
        head = link.head("GET", "/healthz")
        link.send(HEADERS, END_HEADERS | END_STREAM, 1, block(head) + literal("x-bad", "a\0b") + literal("x-later", "1", indexed=True))
        self.assertEqual(link.hear(1).status, 400)
        link.send(HEADERS, END_HEADERS | END_STREAM, 3, block(head) + b"\xbe")  # the newest entry of the table
        self.assertEqual(link.hear(3).status, 200)

    def test_RFC9113_5_1_frames_on_idle_streams(self):
        for what, frame in (("DATA", (DATA, 0, 1, b"x")), ("RST_STREAM", (RST_STREAM, 0, 1, number(8))),
                            ("WINDOW_UPDATE", (WINDOW_UPDATE, 0, 1, number(1))), ("CONTINUATION", (CONTINUATION, END_HEADERS, 1, b""))):
            self.assertConnectionError(what, (h2.PROTOCOL_ERROR,), frame)

    def test_RFC9113_5_1_data_and_headers_behind_the_end(self):
        link = self.link()
        link.wait_settings()
        stream = link.ask("GET", "/dicom-web/studies")
        link.send_raw(link.frame(DATA, 0, stream, b"too late") * 2)
        error = None
        try:
            while error is None:
                frame = link.read()
                if frame.kind in (RST_STREAM, GOAWAY):
                    error = frame.error()
        except h2.Closed:
            pass
        self.assertEqual(error, h2.STREAM_CLOSED)
        self.assertConnectionError("HEADERS on a closed stream", (h2.STREAM_CLOSED, h2.PROTOCOL_ERROR),
                                   (HEADERS, END_HEADERS | END_STREAM, "open", block([(":method", "GET")])), prepare=self.closed_stream)

    def test_RFC9113_5_1_1_stream_identifiers(self):
        head = block(Link.head(self, "GET", "/healthz", authority="localhost"))
        self.assertConnectionError("an even one", (h2.PROTOCOL_ERROR,), (HEADERS, END_HEADERS | END_STREAM, 2, head))
        self.assertConnectionError("a lower one", (h2.PROTOCOL_ERROR, h2.STREAM_CLOSED), (HEADERS, END_HEADERS | END_STREAM, 5, head),
                                   (HEADERS, END_HEADERS | END_STREAM, 3, head))

    def test_RFC9113_5_1_2_more_streams_than_allowed_are_refused(self):
        link = self.link()
        link.wait_settings()
        most = link.theirs[h2.MAX_CONCURRENT_STREAMS]
        streams = [self.open_stream(link) for _ in range(most + 1)]
        frame = link.wait_for(RST_STREAM, GOAWAY)
        self.assertIn(frame.error(), (h2.REFUSED_STREAM, h2.PROTOCOL_ERROR))
        if frame.kind == RST_STREAM:
            self.assertEqual(frame.stream, streams[-1])

    def test_RFC9113_6_1_data(self):
        self.assertConnectionError("stream 0", (h2.PROTOCOL_ERROR,), (DATA, 0, 0, b"x"))
        self.assertConnectionError("padding longer than the frame", (h2.PROTOCOL_ERROR,), (DATA, PADDED, "open", b"\x05abc"),
                                   prepare=self.open_stream)
        self.assertConnectionError("no room for the length of padding", (h2.FRAME_SIZE_ERROR, h2.PROTOCOL_ERROR),
                                   (DATA, PADDED, "open", b""), prepare=self.open_stream)

    def test_RFC9113_6_1_padding_is_taken_away(self):
        file_part = b"--b\r\nContent-Type: application/dicom\r\n\r\nno DICOM\r\n--b--\r\n"
        link = self.link()
        link.wait_settings()
        stream = self.open_stream(link)
        for at in range(len(file_part)):
            link.send(DATA, PADDED | (END_STREAM if at == len(file_part) - 1 else 0), stream, b"\x10" + file_part[at:at + 1] + b"\0" * 16)
        self.assertEqual(link.hear(stream).status, 409)  # a whole multipart body with one part that is none of ours

    def test_RFC9113_6_2_headers(self):
        head = block(Link.head(self, "GET", "/healthz", authority="localhost"))
        self.assertConnectionError("stream 0", (h2.PROTOCOL_ERROR,), (HEADERS, END_HEADERS | END_STREAM, 0, head))
        self.assertConnectionError("padding longer than the frame", (h2.PROTOCOL_ERROR,),
                                   (HEADERS, END_HEADERS | END_STREAM | PADDED, 1, bytes([255]) + head[:100]))

    def test_RFC9113_6_3_priority(self):
        self.assertConnectionError("stream 0", (h2.PROTOCOL_ERROR,), (PRIORITY, 0, 0, b"\0\0\0\0\x10"))
        self.assertConnectionError("of 4 bytes", (h2.FRAME_SIZE_ERROR,), (PRIORITY, 0, 1, b"\0\0\0\0"))

    def test_RFC9113_6_4_rst_stream(self):
        self.assertConnectionError("stream 0", (h2.PROTOCOL_ERROR,), (RST_STREAM, 0, 0, number(8)))
        self.assertConnectionError("of 3 bytes", (h2.FRAME_SIZE_ERROR,), (RST_STREAM, 0, "open", b"\0\0\0"), prepare=self.open_stream)

    def test_RFC9113_6_5_settings(self):
        self.assertConnectionError("stream 1", (h2.PROTOCOL_ERROR,), (SETTINGS, 0, 1, b""))
        self.assertConnectionError("an acknowledgement with a payload", (h2.FRAME_SIZE_ERROR,), (SETTINGS, ACK, 0, setting(1, 1)))
        self.assertConnectionError("of 5 bytes", (h2.FRAME_SIZE_ERROR,), (SETTINGS, 0, 0, b"12345"))
        self.assertConnectionError("ENABLE_PUSH 2", (h2.PROTOCOL_ERROR,), (SETTINGS, 0, 0, setting(h2.ENABLE_PUSH, 2)))
        self.assertConnectionError("a window of 2^31", (h2.FLOW_CONTROL_ERROR,), (SETTINGS, 0, 0, setting(h2.INITIAL_WINDOW_SIZE, 1 << 31)))
        for size in (16383, 1 << 24):
            self.assertConnectionError(f"frames of {size}", (h2.PROTOCOL_ERROR,), (SETTINGS, 0, 0, setting(h2.MAX_FRAME_SIZE, size)))

    def test_RFC9113_6_5_settings_are_acknowledged_and_unknown_ones_ignored(self):
        link = self.link(settings=[(0xABCD, 7), (h2.MAX_FRAME_SIZE, 32768)])
        while True:
            frame = link.wait_for(SETTINGS)
            if frame.flags & ACK:
                break
        self.assertEqual(frame.payload, b"")
        self.assertEqual(link.call("GET", "//healthz").status, 200)

    def test_RFC9113_6_6_8_push_promise_and_goaway(self):
        self.assertConnectionError("PUSH_PROMISE", (h2.PROTOCOL_ERROR,), (PUSH_PROMISE, END_HEADERS, "open", number(2)), prepare=self.open_stream)
        self.assertConnectionError("GOAWAY on a stream", (h2.PROTOCOL_ERROR,), (GOAWAY, 0, 1, number(0) * 2))

    def test_RFC9113_6_7_ping(self):
        self.assertConnectionError("on a stream", (h2.PROTOCOL_ERROR,), (PING, 0, 1, b"12345678"))
        self.assertConnectionError("of 6 bytes", (h2.FRAME_SIZE_ERROR,), (PING, 0, 0, b"123456"))
        link = self.link()
        link.send(PING, ACK, 0, b"unasked!")  # never answered
        link.send(PING, 0, 0, b"question")
        self.assertEqual(link.wait_for(PING).payload, b"question")

    def test_RFC9113_6_8_after_a_goaway_of_the_client_its_streams_are_still_served(self):
        link = self.link()
        link.wait_settings()
        stream = link.ask("GET", "/readyz")
        link.send(GOAWAY, 0, 0, number(0) + number(h2.NO_ERROR))
        self.assertEqual(link.hear(stream).status, 200)

    def test_RFC9113_6_9_window_update(self):
        self.assertConnectionError("of 3 bytes", (h2.FRAME_SIZE_ERROR,), (WINDOW_UPDATE, 0, 0, b"\0\0\1"))
        self.assertConnectionError("by 0", (h2.PROTOCOL_ERROR,), (WINDOW_UPDATE, 0, 0, number(0)))
        self.assertConnectionError("beyond 2^31", (h2.FLOW_CONTROL_ERROR,), (WINDOW_UPDATE, 0, 0, number(0x7FFFFFFF)))
        for what, step in (("by 0", 0), ("beyond 2^31", 0x7FFFFFFF)):
            link = self.link()
            link.wait_settings()
            stream = self.open_stream(link)
            link.send(WINDOW_UPDATE, 0, stream, number(step))
            error = link.wait_for(RST_STREAM, GOAWAY).error()
            self.assertEqual(error, h2.FLOW_CONTROL_ERROR if step else h2.PROTOCOL_ERROR, what)
            link.close()

    def test_RFC9113_6_9_1_our_window_is_kept(self):
        link = self.link(window=10)
        link.refill = False
        link.wait_settings()
        stream = link.ask("GET", "/dicom-web/studies/1.2.x")  # a problem document of more than ten bytes
        got = b""
        while len(got) < 10:
            got += link.wait_for(DATA, stream=stream).payload
        link.ping()
        self.assertEqual(len(got), 10)
        self.assertFalse([f for f in link.frames if f.kind == DATA])
        link.send(WINDOW_UPDATE, 0, stream, number(5))
        self.assertEqual(len(link.wait_for(DATA, stream=stream).payload), 5)
        link.send(SETTINGS, 0, 0, setting(h2.INITIAL_WINDOW_SIZE, 1000))  # moves the windows of open streams too (6.9.2)
        while not (frame := link.wait_for(DATA, stream=stream)).flags & END_STREAM:
            got += frame.payload
        self.assertTrue(frame.payload.endswith(b"}"))

    def test_RFC9113_6_9_2_a_window_made_smaller_than_what_is_under_way(self):
        link = self.link(window=10)
        link.refill = False
        link.wait_settings()
        stream = link.ask("GET", "/dicom-web/studies/1.2.x")
        link.wait_for(DATA, stream=stream)
        link.send(SETTINGS, 0, 0, setting(h2.INITIAL_WINDOW_SIZE, 0))  # now it is -10
        link.send(WINDOW_UPDATE, 0, stream, number(10))                # now it is 0
        link.ping()
        self.assertFalse([f for f in link.frames if f.kind == DATA])
        link.send(WINDOW_UPDATE, 0, stream, number(3))
        self.assertEqual(len(link.wait_for(DATA, stream=stream).payload), 3)
        self.assertConnectionError("a window that a change of settings lets overflow", (h2.FLOW_CONTROL_ERROR,),
                                   (WINDOW_UPDATE, 0, "open", number(0x7FFFFFFF - 65535)),
                                   (SETTINGS, 0, 0, setting(h2.INITIAL_WINDOW_SIZE, 65536)), prepare=self.open_stream)

    def test_RFC9113_6_9_1_a_client_that_sends_more_than_its_window(self):
        for _ in range(3):
            error = self.error_of_an_overrun()
            if error != h2.NO_ERROR:  # else the refusal was a second old before the window was full
                break
        self.assertEqual(error, h2.FLOW_CONTROL_ERROR)

    def error_of_an_overrun(self):
        link = self.link()
        link.wait_settings()
        stream = link.ask("POST", "/dicom-web/studies", {"content-type": "text/plain"}, end=False)  # refused: its window stays as it is
        error, piece = None, b"x" * 16384
        try:
            for _ in range((link.theirs[h2.INITIAL_WINDOW_SIZE] >> 14) + 300):
                link.send(DATA, 0, stream, piece)
        except OSError:
            pass
        try:
            while error is None:
                frame = link.read()
                if frame.kind in (RST_STREAM, GOAWAY):
                    error = frame.error()
        except h2.Closed:
            pass
        return error

    def test_RFC9113_6_10_continuation(self):
        head = block(Link.head(self, "GET", "/healthz", authority="localhost"))
        self.assertConnectionError("without HEADERS", (h2.PROTOCOL_ERROR,), (CONTINUATION, END_HEADERS, "open", b""),
                                   prepare=self.open_stream)
        self.assertConnectionError("PING in between", (h2.PROTOCOL_ERROR,), (HEADERS, END_STREAM, 1, head[:9]), (PING, 0, 0, b"12345678"))
        self.assertConnectionError("another stream's", (h2.PROTOCOL_ERROR,), (HEADERS, END_STREAM, 1, head[:9]),
                                   (CONTINUATION, END_HEADERS, 3, head[9:]))
        self.assertConnectionError("an unknown frame in between", (h2.PROTOCOL_ERROR,), (HEADERS, END_STREAM, 1, head[:9]), (0xBB, 0, 0, b""))
        link = self.link()
        link.send(HEADERS, END_STREAM, 1, head[:9])
        link.send(CONTINUATION, 0, 1, head[9:20])
        link.send(CONTINUATION, END_HEADERS, 1, head[20:])
        self.assertEqual(link.hear(1).status, 200)


class Messages(ServerCase):
    """What a request may look like. Malformed ones are answered 400 with a sentence, or reset (RFC 9113 8.1.1)."""

    def setUp(self):
        self.link = Link(self.server)
        self.link.wait_settings()
        self.addCleanup(self.link.close)

    def fields(self, **changed):
        """The pseudo fields of a good request, some of them changed or (None) left out."""
        head = {":method": "GET", ":scheme": "https", ":authority": f"localhost:{self.server.port}", ":path": "/healthz"}
        head.update({":" + k: v for k, v in changed.items()})
        return [(k, v) for k, v in head.items() if v is not None]

    def assertMalformed(self, fields, what):
        with self.subTest(what):
            answer = self.link.hear(self.link.ask("", "", fields=fields))
            if answer is None:
                self.assertEqual(self.link.reset, h2.PROTOCOL_ERROR)
            else:
                self.assertEqual(answer.status, 400, answer)
                self.assertTrue(answer.json()["detail"])
        self.assertEqual(self.link.hear(self.link.ask("GET", "/healthz")).status, 200)  # the connection lives on

    def test_RFC9113_8_2_1_names_and_values(self):
        for what, field in (("upper case", ("X-Upper", "1")), ("space in a name", ("x a", "1")), ("NUL in a name", ("x\0a", "1")),
                            ("empty name", ("", "1")), ("colon in a name", ("x:a", "1")), ("NUL in a value", ("x-a", "a\0b")),
                            ("CR in a value", ("x-a", "a\rb")), ("LF in a value", ("x-a", "a\nb")), ("leading space", ("x-a", " b")),
                            ("trailing tab", ("x-a", "b\t"))):
            self.assertMalformed(self.fields() + [field], what)

    def test_RFC9113_8_2_2_fields_of_http_1(self):
        for field in (("connection", "close"), ("keep-alive", "timeout=5"), ("proxy-connection", "x"), ("transfer-encoding", "chunked"),
                      ("upgrade", "h2c"), ("te", "gzip")):
            self.assertMalformed(self.fields() + [field], field)
        self.assertEqual(self.link.hear(self.link.ask("", "", fields=self.fields() + [("te", "trailers")])).status, 200)

    def test_RFC9113_8_3_pseudo_fields(self):
        self.assertMalformed(self.fields()[:-1] + [("x-a", "1"), (":path", "/healthz")], "behind others")
        self.assertMalformed(self.fields() + [(":unknown", "1")], "unknown")
        self.assertMalformed(self.fields() + [(":status", "200")], "of an answer")
        self.assertMalformed(self.fields() + [(":path", "/readyz")], "twice")
        for name in ("method", "scheme", "path"):
            self.assertMalformed(self.fields(**{name: None}), f"no {name}")
        self.assertMalformed(self.fields(path=""), "empty path")
        self.assertMalformed(self.fields(path="healthz"), "path without a slash")
        self.assertMalformed(self.fields(path="*"), "an asterisk without OPTIONS")
        self.assertMalformed(self.fields(scheme="http"), "another scheme")
        self.assertMalformed(self.fields(path="/a b"), "space in the path")
        self.assertMalformed(self.fields(path="/a\0"), "NUL in the path")

    def test_HTP_18_the_host(self):
        self.assertMalformed(self.fields(authority=None), "none at all")
        for bad in ("", "a b", "user@host", "a/b", "a\0b", "[::1", "host:99999", "host:x", "%00"):
            self.assertMalformed(self.fields(authority=bad), bad)
        self.assertMalformed(self.fields(authority="a.example") + [("host", "b.example")], "two that differ")
        self.assertMalformed(self.fields(authority=None) + [("host", "a.example"), ("host", "b.example")], "Host twice")
        for fields in (self.fields(authority=None) + [("host", "a.example")], self.fields(authority="a.example") + [("host", "a.example")],
                       self.fields(authority="[::1]:443")):
            self.assertEqual(self.link.hear(self.link.ask("", "", fields=fields)).status, 200)

    def test_RFC9113_8_1_1_content_length_that_does_not_fit(self):
        part = b"--b\r\nContent-Type: application/dicom\r\n\r\nx\r\n--b--\r\n"
        kind = ("content-type", 'multipart/related; type="application/dicom"; boundary=b')
        for length in (len(part) - 1, len(part) + 1):
            fields = self.fields(method="POST", path="/dicom-web/studies") + [kind, ("content-length", str(length))]
            stream = self.link.ask("", "", fields=fields, end=False)
            self.link.send(DATA, END_STREAM, stream, part)
            self.assertIsNone(self.link.hear(stream))
            self.assertEqual(self.link.reset, h2.PROTOCOL_ERROR)
        for bad in ("-1", "+5", "5, 5", "0x5", "abc", "99999999999999999999"):
            self.assertMalformed(self.fields(method="POST", path="/dicom-web/studies") + [kind, ("content-length", bad)], bad)
        self.assertMalformed(self.fields() + [("content-length", "5")], "a length and no body")
        self.assertMalformed(self.fields(method="POST") + [("content-length", "0"), ("content-length", "0")], "twice")

    def test_RFC9113_8_1_trailers(self):
        part = b"--b\r\nContent-Type: application/dicom\r\n\r\nx\r\n--b--\r\n"
        kind = {"content-type": 'multipart/related; type="application/dicom"; boundary=b'}
        stream = self.link.ask("POST", "/dicom-web/studies", kind, end=False)
        self.link.send(DATA, 0, stream, part)
        self.link.send(HEADERS, END_HEADERS | END_STREAM, stream, block([("x-checksum", "1"), ("host", "evil.example")]))
        self.assertEqual(self.link.hear(stream).status, 409)  # nothing but a part that is no DICOM
        for what, flags, fields in (("without an end", END_HEADERS, [("x-a", "1")]), ("a pseudo field", END_HEADERS | END_STREAM, [(":path", "/")]),
                                    ("upper case", END_HEADERS | END_STREAM, [("X-A", "1")])):
            stream = self.link.ask("POST", "/dicom-web/studies", kind, end=False)
            self.link.send(DATA, 0, stream, part)
            self.link.send(HEADERS, flags, stream, block(fields))
            self.assertIsNone(self.link.hear(stream), what)
            self.assertIn(self.link.reset, (h2.PROTOCOL_ERROR, h2.INTERNAL_ERROR), what)

    def test_HTP_02_03_methods(self):
        for method in ("TRACE", "get", "BREW", "PATCH"):
            answer = self.link.hear(self.link.ask(method, "/dicom-web/studies"))
            self.assertIn(answer.status, (405, 501), method)
        answer = self.link.hear(self.link.ask("", "", fields=[(":method", "CONNECT"), (":authority", "example.org:443")]))
        self.assertIn(answer.status, (400, 405, 501))
        answer = self.link.hear(self.link.ask("POST", "/dicom-web/series"))
        self.assertEqual(answer.status, 405)
        self.assertIn("GET", answer.headers["Allow"])

    def test_HTP_04_options(self):
        self.assertEqual(self.link.hear(self.link.ask("OPTIONS", "*")).status, 204)
        answer = self.link.hear(self.link.ask("OPTIONS", "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1",
                                              {"origin": "https://viewer.example", "access-control-request-method": "GET",
                                               "access-control-request-headers": "accept"}))
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertIn("accept", answer.headers["Access-Control-Allow-Headers"].lower())

    def test_HTP_10_paths_that_climb(self):
        for path in ("/studies/%2e%2e/x", "/studies/../x", "/studies/1.2%2F3", "/studies/1.2%00", "/studies/1.2%5C3", "/studies//x", "/studies/%zz"):
            self.assertIn(self.link.hear(self.link.ask("GET", "/dicom-web" + path)).status, (400, 404), path)

    def test_HTP_12_long_targets_and_many_fields_are_refused_by_name(self):
        uids = ",".join(f"1.2.826.0.1.3680043.10.1081.{n}.1234567890123456789012345" for n in range(100))
        self.assertEqual(self.link.hear(self.link.ask("GET", "/dicom-web/studies?StudyInstanceUID=" + uids)).status, 204)
        self.assertEqual(self.link.hear(self.link.ask("GET", "/dicom-web/studies?x=" + "a" * 40000)).status, 414)
        answer = self.link.hear(self.link.ask("GET", "/healthz", [("x-a", "b" * 40000)]))
        self.assertEqual(answer.status, 431)
        self.assertRegex(answer.json()["detail"], r"\d+ header fields of \d+ bytes")
        self.assertEqual(self.link.hear(self.link.ask("GET", "/healthz", [(f"x-{n}", "b") for n in range(500)])).status, 431)
        self.assertEqual(self.link.hear(self.link.ask("GET", "/healthz", [(f"x-{n}", "b") for n in range(50)])).status, 200)

    def test_HTP_13_expectations(self):
        kind = {"content-type": 'multipart/related; type="application/dicom"; boundary=b', "expect": "100-continue"}
        stream = self.link.ask("POST", "/dicom-web/studies", kind, end=False)
        frame = self.link.wait_for(HEADERS, stream=stream)
        self.assertEqual(frame.fields, [(":status", "100")])
        self.assertFalse(frame.flags & END_STREAM)
        self.link.send(DATA, END_STREAM, stream, b"--b\r\nContent-Type: application/dicom\r\n\r\nx\r\n--b--\r\n")
        self.assertEqual(self.link.hear(stream).status, 409)
        stream = self.link.ask("POST", "/dicom-web/studies", {"content-type": "text/plain", "expect": "100-continue"}, end=False)
        self.assertEqual(self.link.hear(stream).status, 415)
        self.assertEqual(self.link.interim, [])
        self.assertEqual(self.link.hear(self.link.ask("GET", "/healthz", {"expect": "nonsense"})).status, 417)

    def test_RFC9113_8_1_a_refused_body_is_answered_then_stopped_without_an_error(self):
        stream = self.link.ask("POST", "/dicom-web/studies", {"content-type": "text/plain"}, end=False)
        self.link.send(DATA, 0, stream, b"x" * 1000)
        self.assertEqual(self.link.hear(stream).status, 415)
        self.assertEqual(self.link.wait_for(RST_STREAM, stream=stream).error(), h2.NO_ERROR)
        self.assertEqual(self.link.hear(self.link.ask("GET", "/healthz")).status, 200)

    def test_HTP_05_a_body_that_nobody_asked_for(self):
        stream = self.link.ask("GET", "/healthz", end=False)
        self.assertEqual(self.link.hear(stream).status, 200)
        self.link.send(DATA, END_STREAM, stream, b"x" * 1000)
        self.assertEqual(self.link.hear(self.link.ask("GET", "/healthz")).status, 200)

    def test_RFC9113_8_2_3_crumbs_of_a_cookie_are_no_reason_to_refuse(self):
        fields = self.fields() + [("cookie", f"c{n}=1") for n in range(20)]
        self.assertEqual(self.link.hear(self.link.ask("", "", fields=fields)).status, 200)

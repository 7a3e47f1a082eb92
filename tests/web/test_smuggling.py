"""Messages that two readers would cut differently (HTP-30 to HTP-38), sent to the real binary cut at every byte: each is
refused with a problem document, and what stands behind it is never taken for a request."""
import random
import re
import socket
import ssl
import unittest

from gantry import JSON, SANITIZED, SLOWER, ServerCase, make_dicom, multipart

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /dicom-web/studies HTTP/1.1\r\n"
STEP = 7 if SANITIZED else 1  # a sanitizer's build gets every seventh cut


def head(fields, line=POST):
    return line + fields + b"\r\n"


HEADS = {
    "two lengths": head(b"Host: x\r\nContent-Length: 3\r\nContent-Length: 40\r\n"),
    "length with chunked": head(b"Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
    "chunked with length": head(b"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
    "list of lengths": head(b"Host: x\r\nContent-Length: 3, 3\r\n"),
    "plus": head(b"Host: x\r\nContent-Length: +3\r\n"),
    "minus": head(b"Host: x\r\nContent-Length: -3\r\n"),
    "space before the colon": head(b"Host: x\r\nTransfer-Encoding : chunked\r\n"),
    "odd white space": head(b"Host: x\r\nTransfer-Encoding: \x0bchunked\r\n"),
    "two codings": head(b"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"),
    "folded": head(b"Host: x\r\nTransfer-Encoding:\r\n chunked\r\n"),
    "folded length": head(b"Host: x\r\nX: a\r\n\tContent-Length: 40\r\n"),
    "NUL": head(b"Host: x\r\nX: a\0b\r\n"),
    "bare CR": head(b"Host: x\r\nX: a\rContent-Length: 40\r\n"),
    "bare LF": head(b"Host: x\nContent-Length: 40\r\n"),
    "bare LF at the end": POST + b"Host: x\r\n\n",
    "control character": head(b"Host: x\r\nX: \x01\r\n"),
    "two hosts": head(b"Host: x\r\nHost: y\r\n"),
    "no host": head(b"X: y\r\n"),
    "another authority": head(b"Host: x\r\n", b"GET https://y/dicom-web/studies HTTP/1.1\r\n"),
    "chunked in 1.0": head(b"Host: x\r\nTransfer-Encoding: chunked\r\n", b"POST /dicom-web/studies HTTP/1.0\r\n"),
    "two spaces": head(b"Host: x\r\n", b"GET  /healthz HTTP/1.1\r\n"),
    "space in the target": head(b"Host: x\r\n", b"GET /healthz x HTTP/1.1\r\n"),
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
}
UNSERVED = {
    "gzip, chunked": (501, head(b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n")),
    "identity": (501, head(b"Host: x\r\nTransfer-Encoding: identity\r\n")),
    "xchunked": (501, head(b"Host: x\r\nTransfer-Encoding: xchunked\r\n")),
    "HTTP/2.0 in the line": (505, head(b"Host: x\r\n", b"GET /healthz HTTP/2.0\r\n")),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
}
CHUNKED = POST + b"Host: x\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=B\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = {
    "not a number": b"g\r\nabc\r\n0\r\n\r\n",
    "empty size": b"\r\nabc\r\n0\r\n\r\n",
    "minus": b"-3\r\nabc\r\n0\r\n\r\n",
    "0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "overflow": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "bare LF": b"3\nabc\r\n0\r\n\r\n",
    "bare LF behind the data": b"3\r\nabc\n0\r\n\r\n",
    "too much data": b"3\r\nabcdef\r\n0\r\n\r\n",
    "bare CR in an extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "bare LF in the trailer": b"3\r\nabc\r\n0\r\nX: y\n\r\n",
}


def responses(got):
    """Status, head and body of each answer in a row, by Content-Length."""
    found = []
    while got:
        top, _, rest = got.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", top, re.I)
        size = int(length.group(1)) if length else 0
        found.append((int(top[9:12]), top.lower(), rest[:size]))
        got = rest[size:]
    return found


class Smuggling(ServerCase):
    def say(self, *pieces, timeout=10):
        """Each piece is a TLS record of its own. All that comes back until the server closes."""
        plain = socket.create_connection(("127.0.0.1", self.server.port), timeout=10 * SLOWER)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        got = b""
        with self.server.context.wrap_socket(plain, server_hostname="localhost") as link:
            link.settimeout(timeout * SLOWER)
            try:
                for piece in pieces:
                    if piece:
                        link.sendall(piece)
            except OSError:
                pass
            try:
                while chunk := link.recv(65536):
                    got += chunk
            except (ssl.SSLError, TimeoutError):
                pass
        return got

    def assertRefused(self, name, got, before, status):
        answers = responses(got)
        self.assertEqual([a[0] for a in answers], before + [status], (name, got))
        _, top, body = answers[-1]
        self.assertIn(b"connection: close", top, (name, got))
        self.assertIn(b"application/problem+json", top, (name, got))
        self.assertIn(b"x-request-id", top)
        self.assertIn(b"access-control-allow-origin", top)
        self.assertIn(b'"detail"', body, (name, got))

    def tearDown(self):
        self.assertNotIn("smuggled", self.server.log_text())

    def each_cut(self, name, message, before, status):
        data = message + SMUGGLED
        for cut in range(STEP, len(message) + 1, STEP):
            self.assertRefused((name, cut), self.say(data[:cut], data[cut:]), before, status)

    def test_HTP_30_to_38_heads_cut_at_every_byte(self):
        for name, message in HEADS.items():
            self.each_cut(name, message, [], 400)

    def test_HTP_32_38_codings_and_versions_that_are_not_served(self):
        for name, (status, message) in UNSERVED.items():
            self.each_cut(name, message, [], status)

    def test_HTP_37_chunks_cut_at_every_byte(self):
        for name, chunks in CHUNKS.items():
            data = CHUNKED + chunks + SMUGGLED
            for cut in range(len(CHUNKED), len(CHUNKED) + len(chunks) + 1, STEP):
                self.assertRefused((name, cut), self.say(data[:cut], data[cut:]), [], 400)

    def test_HTP_07_a_good_request_ahead_is_answered_first(self):
        good = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        for name in ("two lengths", "folded", "NUL", "bare LF", "length with chunked"):
            message = good + HEADS[name]
            for cut in range(1, len(message), 5 * STEP):
                data = message + SMUGGLED
                self.assertRefused((name, cut), self.say(data[:cut], data[cut:]), [200], 400)

    def test_one_byte_at_a_time(self):
        for name in ("length with chunked", "folded", "NUL", "bare CR"):
            data = HEADS[name] + SMUGGLED
            self.assertRefused(name, self.say(*[data[i:i + 1] for i in range(len(data))]), [], 400)

    def test_a_head_without_an_end_is_refused_at_its_limit(self):
        for line, status in ((b"GET /" + b"a" * 100000, 414), (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000, 431),
                             (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431)):
            self.assertRefused(status, self.say(line), [], status)

    def test_whatever_is_sent_the_answer_is_ours(self):
        """Lawful requests with bytes put in, taken out and changed: no answer is the library's own."""
        dice = random.Random(20261125)
        requests = [b"GET /dicom-web/studies?limit=5 HTTP/1.1\r\nHost: localhost\r\nAccept: application/dicom+json\r\nConnection: close\r\n\r\n",
                    b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nContent-Length: 4\r\n"
                    b"Connection: close\r\n\r\nabcd",
                    b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nTransfer-Encoding: chunked\r\n"
                    b"Connection: close\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"]
        bytes_ = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"9", b"-", b"\xff", b"%", b"/", b"\r\n\r\n", b"Content-Length: 1\r\n"]
        answered = 0
        for _ in range(40 if SANITIZED else 300):
            data = bytearray(dice.choice(requests))
            for _ in range(dice.randint(1, 3)):
                at, what = dice.randrange(len(data)), dice.choice(bytes_)
                data[at:at + dice.choice((0, 1, len(what)))] = what
            got = self.say(bytes(data), timeout=0.3)
            while got:  # 100 Continue is the library's to say, and not sent here
                top, _, rest = got.partition(b"\r\n\r\n")
                self.assertIn(b"x-request-id", top.lower(), (bytes(data), got))
                length = re.search(rb"\r\ncontent-length: (\d+)", top, re.I)
                got = rest[int(length.group(1)) if length else len(rest):]
                answered += 1
        self.assertGreater(answered, 10)

    def test_HTP_12_what_is_within_the_limits_is_served(self):
        """The library has room for all that the guard lets through, and for the answer's head."""
        many = b"".join(b"X-%02d: %s\r\n" % (n, b"a" * 114) for n in range(97))
        few = b"X: " + b"a" * 12000 + b"\r\n"
        for fields in (many, few):
            top = b"GET /dicom-web/studies?x=" + b"a" * 8100 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields
            self.assertEqual([a[0] for a in responses(self.say(top + b"\r\n"))], [204])
            good = b"GET /healthz?x=" + b"a" * 8100 + b" HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n"
            self.assertEqual([a[0] for a in responses(self.say(good * 3 + top + b"\r\n"))], [200, 200, 200, 204])

    def test_what_is_lawful_if_odd_is_served(self):
        """Extensions, trailers, empty lines ahead, a body in a thousand records: taken out, not refused."""
        file = make_dicom()
        body, content_type = multipart([file])
        top = POST + f"Host: x\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
        chunks = b"".join(b"%x;ext=\"a\"\r\n%s\r\n" % (len(body[i:i + 100]), body[i:i + 100]) for i in range(0, len(body), 100))
        data = b"\r\n" + top + chunks + b"0;last\r\nContent-Length: 7\r\nX-Checksum: y\r\n\r\n"
        for size in (1, 13, 1000, len(data)):
            answers = responses(self.say(*[data[i:i + size] for i in range(0, len(data), size)]))
            self.assertEqual(answers[0][0], 200, (size, answers))
        self.assertEqual(len(self.server.get("/instances", JSON).json()), 1)

    def test_many_requests_in_one_record_are_all_answered(self):
        good = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        for count in (2, 100, 450):  # more than a record of 16 KiB holds at the end
            answers = responses(self.say(good * count + last))
            self.assertEqual([a[0] for a in answers], [200] * (count + 1))


if __name__ == "__main__":
    unittest.main()

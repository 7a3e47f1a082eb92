"""HTTP/2 frame by frame (RFC 9113), for tests that must be able to do what no library lets them do. The standard library, and
for unpacking header blocks (RFC 7541) the one library that curl uses as well."""
import ctypes
import os
import socket
import ssl
import struct
import time

from gantry import SLOWER, Answer

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 0x10
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 0x1, 0x1, 0x4, 0x8, 0x20
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM,
 CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED) = range(14)
(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE) = range(1, 7)
NO_RFC7540_PRIORITIES = 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


# ── header blocks ──

def integer(value, prefix_bits, first=0):
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def literal(name, value, indexed=False):
    """A field as it is, name and all, without Huffman; `indexed`: and into the table with it."""
    name, value = (x if isinstance(x, bytes) else x.encode() for x in (name, value))
    return (b"\x40" if indexed else b"\x00") + integer(len(name), 7) + name + integer(len(value), 7) + value


def block(fields):
    return b"".join(literal(n, v) for n, v in fields)


class _Nv(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("value", ctypes.c_void_p), ("namelen", ctypes.c_size_t), ("valuelen", ctypes.c_size_t),
                ("flags", ctypes.c_uint8)]


class Unpacker:
    library = None

    def __init__(self):
        if not Unpacker.library:
            Unpacker.library = ctypes.CDLL("libnghttp2.so.14")
            Unpacker.library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.state = ctypes.c_void_p()
        assert self.library.nghttp2_hd_inflate_new(ctypes.byref(self.state)) == 0

    def __call__(self, data):
        fields, nv, flags = [], _Nv(), ctypes.c_int()
        room = ctypes.create_string_buffer(data, len(data) + 1)
        at = 0
        while True:
            used = self.library.nghttp2_hd_inflate_hd2(self.state, ctypes.byref(nv), ctypes.byref(flags), ctypes.byref(room, at),
                                                       ctypes.c_size_t(len(data) - at), 1)
            if used < 0:
                raise AssertionError(f"a header block that cannot be unpacked ({used}): {data!r}")
            at += used
            if flags.value & 2:
                fields.append((ctypes.string_at(nv.name, nv.namelen).decode(), ctypes.string_at(nv.value, nv.valuelen).decode("latin-1")))
            if flags.value & 1:
                self.library.nghttp2_hd_inflate_end_headers(self.state)
                return fields
            assert flags.value & 2 or at < len(data), "a header block without an end"

    def __del__(self):
        if self.state:
            self.library.nghttp2_hd_inflate_del(self.state)


# ── connections ──

class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def error(self):
        """Of RST_STREAM and GOAWAY."""
        return struct.unpack(">I", self.payload[4:8] if self.kind == GOAWAY else self.payload[:4])[0]

    def __repr__(self):
        return f"<frame {self.kind} flags {self.flags:#x} stream {self.stream} {len(self.payload)} bytes {self.payload[:40]!r}>"


class Headers(dict):
    """Case does not matter; several fields of a name are joined."""
    def __init__(self, fields):
        super().__init__()
        for name, value in fields:
            self[name] = f"{dict.get(self, name)}, {value}" if name in self else value

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)

    def __contains__(self, name):
        return super().__contains__(name.lower())


class Closed(Exception):
    pass


class Link:
    """One connection. `window`: what we let the server send at once, for each stream and for all."""

    def __init__(self, server, settings=(), hello=True, timeout=15, window=None, source=None, receive_buffer=None):
        self.server = server
        plain = socket.socket()
        plain.settimeout(timeout * SLOWER)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            plain.bind((source, 0))
        plain.connect(("127.0.0.1", server.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.create_default_context(cafile=server.ca)
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.buffer, self.unpack, self.next_stream = b"", Unpacker(), 1
        self.frames = []  # read and not asked for
        self.theirs = {}  # the server's settings
        self.answers = True  # SETTINGS are acknowledged
        self.refill = True  # windows are opened as bytes come
        if hello:
            settings = list(settings)
            if window is not None:
                settings.append((INITIAL_WINDOW_SIZE, window))
            self.send_raw(PREFACE + self.frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", k, v) for k, v in settings)))

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, kind, flags=0, stream=0, payload=b""):
        self.send_raw(self.frame(kind, flags, stream, payload))

    def read(self):
        """The next frame; Closed when there is none any more. SETTINGS and PING are answered."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                chunk = self.socket.recv(1 << 16)
            except (ConnectionError, ssl.SSLError, ssl.SSLEOFError) as e:
                if isinstance(e, TimeoutError):
                    raise
                raise Closed() from e
            if not chunk:
                raise Closed()
            self.buffer += chunk
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
        frame = Frame(kind, flags, stream & 0x7FFFFFFF, self.buffer[9:9 + size])
        self.buffer = self.buffer[9 + size:]
        if kind == HEADERS:  # in the order of arrival, whoever wants to know, for the sake of the table
            assert flags & END_HEADERS and not flags & (PADDED | PRIORITY_FLAG)
            frame.fields = self.unpack(frame.payload)
        try:
            if kind == SETTINGS and not flags & ACK:
                for at in range(0, size, 6):
                    key, value = struct.unpack(">HI", frame.payload[at:at + 6])
                    self.theirs[key] = value
                if self.answers:
                    self.send(SETTINGS, ACK)
            elif kind == DATA and size and self.refill:
                self.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", size))
                if not flags & END_STREAM:
                    self.send(WINDOW_UPDATE, 0, frame.stream, struct.pack(">I", size))
        except OSError:
            pass  # it is closing; what it said can still be read
        return frame

    def wait_for(self, *kinds, stream=None):
        """The next frame of these kinds (and this stream); others are kept for later."""
        for i, frame in enumerate(self.frames):
            if frame.kind in kinds and stream in (None, frame.stream):
                return self.frames.pop(i)
        while True:
            frame = self.read()
            if frame.kind in kinds and stream in (None, frame.stream):
                return frame
            self.frames.append(frame)

    def ending(self):
        """How the connection ends: the error of its GOAWAY, or None without one."""
        error = None
        try:
            while True:
                frame = self.frames.pop(0) if self.frames else self.read()
                if frame.kind == GOAWAY:
                    error = frame.error()
        except Closed:
            return error

    def ping(self):
        """Returns once the server has worked through all that was sent before."""
        token = os.urandom(8)
        self.send(PING, 0, 0, token)
        while self.wait_for(PING).payload != token:
            pass

    def head(self, method, path, headers=(), authority=None, scheme="https"):
        authority = f"localhost:{self.server.port}" if authority is None else authority
        return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path),
                *((n.lower(), v) for n, v in (headers.items() if isinstance(headers, dict) else headers))]

    def ask(self, method, path, headers=(), end=True, fields=None):
        """Sends a header section; the stream's id."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        data = block(fields if fields is not None else self.head(method, path, headers))
        first, rest = data[:16384], data[16384:]
        out = self.frame(HEADERS, (END_STREAM if end else 0) | (0 if rest else END_HEADERS), stream, first)
        while rest:
            first, rest = rest[:16384], rest[16384:]
            out += self.frame(CONTINUATION, 0 if rest else END_HEADERS, stream, first)
        self.send_raw(out)
        return stream

    def hear(self, stream):
        """The whole answer on a stream, or None when it was reset (self.reset says with which error)."""
        self.reset, fields, body = None, None, []
        self.interim = []
        while True:
            frame = self.wait_for(HEADERS, DATA, RST_STREAM, GOAWAY, stream=None)
            if frame.kind == GOAWAY:
                self.goaway = frame.error()
                continue
            if frame.stream != stream:
                self.others = getattr(self, "others", [])
                self.others.append(frame)
                continue
            if frame.kind == RST_STREAM:
                self.reset = frame.error()
                return None
            if frame.kind == HEADERS:
                if frame.fields[0][1].startswith("1"):
                    self.interim.append(int(frame.fields[0][1]))
                    continue
                fields = frame.fields
            else:
                body.append(frame.payload)
            if frame.flags & END_STREAM:
                headers = Headers(fields[1:])
                return Answer(int(dict(fields)[":status"]), headers, b"".join(body))

    def hear_all(self, streams):
        """Whole answers on several streams at once: {stream: Answer, or the error of its reset}."""
        heads, bodies, done = {}, {s: [] for s in streams}, {}
        while len(done) < len(streams):
            frame = self.wait_for(HEADERS, DATA, RST_STREAM)
            if frame.kind == RST_STREAM:
                done.setdefault(frame.stream, frame.error())
                continue
            if frame.kind == HEADERS:
                heads[frame.stream] = frame.fields
            else:
                bodies[frame.stream].append(frame.payload)
            if frame.flags & END_STREAM:
                fields = heads[frame.stream]
                done[frame.stream] = Answer(int(dict(fields)[":status"]), Headers(fields[1:]), b"".join(bodies[frame.stream]))
        return done

    def push_body(self, stream, body, end=True, chunk=16384):
        """DATA within the windows that the server grants."""
        self.credit = getattr(self, "credit", {0: 65535})
        self.credit.setdefault(stream, self.theirs.get(INITIAL_WINDOW_SIZE, 65535))
        at = 0
        while at < len(body):
            room = min(self.credit[0], self.credit[stream], chunk, len(body) - at)
            if room <= 0:
                frame = self.wait_for(WINDOW_UPDATE, RST_STREAM, HEADERS)
                if frame.kind != WINDOW_UPDATE:
                    self.frames.insert(0, frame)
                    return False  # it has its answer already
                self.credit[frame.stream] = self.credit.get(frame.stream, 0) + struct.unpack(">I", frame.payload)[0]
                continue
            last = at + room == len(body)
            self.send(DATA, END_STREAM if end and last else 0, stream, body[at:at + room])
            self.credit[0] -= room
            self.credit[stream] -= room
            at += room
        if not body and end:
            self.send(DATA, END_STREAM, stream)
        return True

    def call(self, method, path, body=None, headers=()):
        """As Server.call: a path under the DICOMweb base unless it starts with //, which stands for the root."""
        target = path[1:] if path.startswith("//") else self.server.base + path
        if not self.theirs:
            self.wait_settings()
        stream = self.ask(method, target, headers, end=body is None)
        if body is not None:
            self.push_body(stream, body)
        return self.hear(stream)

    def wait_settings(self):
        while not self.theirs:
            frame = self.read()
            if frame.kind != SETTINGS:
                self.frames.append(frame)


def settle(seconds):
    time.sleep(seconds * (SLOWER if SLOWER > 1 else 1))

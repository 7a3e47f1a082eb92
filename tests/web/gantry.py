"""The real binary over TLS, for tests: starts it in a fresh folder on a free port, talks to it, stops it.

Only the standard library, so that a test says what goes over the wire; pydicom makes and reads the DICOM files.
"""
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import unittest
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("GANTRY_BINARY", str(REPOSITORY / "build/test/gantry"))
SANITIZED = os.environ.get("GANTRY_SANITIZED", "")
SLOWER = {"": 1, "address": 4, "thread": 10}.get(SANITIZED, 4)  # how patient time-outs are
STALL = 1 if not SANITIZED else 3  # seconds for which everything may stand still without being taken for a slow client
JSON = {"Accept": "application/dicom+json"}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def parts(self):
        return multipart_parts(self.headers["Content-Type"], self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers.get('Content-Type')} {self.body[:900]!r}>"


class Server:
    def __init__(self, *arguments, data=None, environment=None, ca=None):
        self.folder = Path(data) if data else Path(tempfile.mkdtemp(prefix="gantry-test-"))
        self.owns_folder = data is None
        self.arguments = arguments
        self.given_ca = ca  # of a certificate that the arguments name
        self.environment = environment
        self.process = None
        self.start()

    def start(self):
        self.log_path = self.folder.parent / (self.folder.name + ".log")
        self.log = open(self.log_path, "ab")
        settings = [] if any(a.startswith("--listen") for a in self.arguments) else ["--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [BINARY, "serve", *settings, "--data", str(self.folder), *self.arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
            env={**os.environ, **(self.environment or {})})
        told, began = b"", self.log.tell()
        deadline = time.monotonic() + 30 * SLOWER
        os.set_blocking(self.process.stdout.fileno(), False)
        while time.monotonic() < deadline:
            told += self.process.stdout.read() or b""
            # A public URL says nothing of the port that is listened on; the log does.
            url = re.search(rb"listening on \S+:(\d+)\n", self.log_path.read_bytes()[began:])
            ca = self.given_ca or re.search(rb"CA: (.+)\n", told)
            if url and ca and b"look: " in told:
                break
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        else:
            url = None
        if not (url and ca):
            self.stop()
            raise AssertionError(f"the server did not start: {told!r} {self.log_text()[-2000:]}")
        self.told = told.decode()
        self.port = int(url.group(1))
        self.ca = self.given_ca or ca.group(1).decode()
        self.base = "/dicom-web"
        self.url = f"https://localhost:{self.port}{self.base}"
        self.context = ssl.create_default_context(cafile=self.ca)

    def connection(self, timeout=60):
        return http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=timeout * SLOWER)

    def call(self, method, path, body=None, headers=None, connection=None):
        """One request; `path` is under the DICOMweb base unless it starts with //, which stands for the root."""
        link = connection or self.connection()
        try:
            target = path[1:] if path.startswith("//") else self.base + path
            link.request(method, target, body=body, headers=headers or {},
                         encode_chunked="Transfer-Encoding" in (headers or {}))
            answer = link.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            if not connection:
                link.close()

    def get(self, path, headers=None, **more):
        return self.call("GET", path, headers=headers, **more)

    def store(self, files, study=None, headers=None, connection=None):
        body, content_type = multipart(files)
        return self.call("POST", "/studies" + (f"/{study}" if study else ""), body,
                         {"Content-Type": content_type, **(headers or {})}, connection)

    def raw(self, data, timeout=10, half_close=False):
        """Sends bytes over TLS as they are; returns all that comes back until the server closes or falls silent."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout * SLOWER)
        with self.context.wrap_socket(plain, server_hostname="localhost") as link:
            got = b""
            try:
                link.sendall(data)
            except OSError:
                pass  # it may close before all is sent; what it said first can still be read
            try:
                while chunk := link.recv(65536):
                    got += chunk
            except (TimeoutError, ssl.SSLError, ConnectionResetError):
                pass
            return got

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, what="VmRSS"):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(what + r":\s+(\d+) kB", status).group(1)) * 1024

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30 * SLOWER)
        self.process.stdout.close()
        self.log.close()
        self.process = None

    def terminate(self, wait=60):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(wait * SLOWER)
        self.process.stdout.close()
        self.log.close()
        self.process = None
        return status

    def stop(self):
        status = 0
        if self.process:
            if self.process.poll() is None:
                try:
                    status = self.terminate()
                except subprocess.TimeoutExpired:
                    self.kill()
                    status = "did not stop"
            else:
                status = self.process.returncode
                self.process.stdout.close()
                self.process = None
        text = self.log_text()
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.log_path.unlink(missing_ok=True)
        for trouble in ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer", "Assertion"):
            if trouble in text:
                raise AssertionError(f"{trouble} in the server's log:\n{text[-6000:]}")
        if status not in (0,):
            raise AssertionError(f"the server ended with {status}:\n{text[-3000:]}")


class ServerCase(unittest.TestCase):
    """A class of tests that share one server."""
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def assertStatus(self, answer, status):
        self.assertEqual(answer.status, status, repr(answer))
        return answer


def multipart(files, boundary=None, part_type="application/dicom", closing=True, preamble=b""):
    boundary = boundary or uuid.uuid4().hex
    body = io.BytesIO()
    body.write(preamble)
    for file in files:
        body.write(f"--{boundary}\r\nContent-Type: {part_type}\r\n\r\n".encode())
        body.write(file)
        body.write(b"\r\n")
    if closing:
        body.write(f"--{boundary}--\r\n".encode())
    return body.getvalue(), f'multipart/related; type="{part_type}"; boundary={boundary}'


def multipart_parts(content_type, body):
    """A strict reader of our own: (headers, payload) of each part, every delimiter checked."""
    boundary = re.search(r'boundary="?([^";]+)"?', content_type).group(1).encode()
    assert body.startswith(b"--" + boundary + b"\r\n"), body[:200]
    assert body.rstrip(b"\r\n").endswith(b"\r\n--" + boundary + b"--"), body[-200:]
    parts = []
    at = len(boundary) + 4
    while True:
        end = body.index(b"\r\n\r\n", at)
        headers = dict(line.split(": ", 1) for line in body[at:end].decode().split("\r\n"))
        assert end - at < 512, "part header over 512 bytes (MPR-05)"
        start = end + 4
        if "Content-Length" in headers:
            stop = start + int(headers["Content-Length"])
        else:
            stop = body.index(b"\r\n--" + boundary, start)
        parts.append((headers, body[start:stop]))
        follows = body[stop:stop + 6 + len(boundary)]
        assert follows[:4 + len(boundary)] == b"\r\n--" + boundary, follows
        if follows.endswith(b"--"):
            return parts
        at = stop + 6 + len(boundary)


def uid(*numbers):
    return "1.2.826.0.1.3680043.10.1081." + ".".join(str(n) for n in numbers)


_counter = iter(range(1, 10 ** 9))


def make_dicom(study=None, series=None, instance=None, rows=16, columns=16, frames=1, syntax="1.2.840.10008.1.2.1",
               pixels=None, encapsulated=None, sop_class="1.2.840.10008.5.1.4.1.1.2", elements=(), **attributes):
    """A CT image as bytes; attributes by keyword; `elements`: others as (tag, VR, value); `encapsulated`: a list of code streams, one
    a frame."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.filewriter import dcmwrite
    n = next(_counter)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.is_little_endian = syntax != "1.2.840.10008.1.2.2"
    ds.is_implicit_VR = syntax == "1.2.840.10008.1.2"
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = instance or uid(os.getpid(), n, 1, 1)
    ds.StudyInstanceUID = study or uid(os.getpid(), n)
    ds.SeriesInstanceUID = series or uid(os.getpid(), n, 1)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientName, ds.PatientID = "Doe^Jane", "P1"
    ds.PatientBirthDate, ds.PatientSex = "19700101", "F"
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20240102", "101112", "S1"
    ds.AccessionNumber, ds.ReferringPhysicianName = "A1", "Ref^Erring"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 1, 1
    if rows:
        ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, columns, 1
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation = 15, 0
        ds.PhotometricInterpretation = "MONOCHROME2"
        if frames > 1:
            ds.NumberOfFrames = frames
        if encapsulated:
            ds.PixelData = encapsulate(encapsulated)
            ds["PixelData"].is_undefined_length = True
        else:
            ds.PixelData = pixels if pixels is not None else os.urandom(rows * columns * 2 * frames)
        ds["PixelData"].VR = "OB" if encapsulated else "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    for tag, vr, value in elements:
        ds.add_new(tag, vr, value)
    file = io.BytesIO()
    dcmwrite(file, ds, write_like_original=False)
    return file.getvalue()


def uids_of(file):
    from pydicom import dcmread
    ds = dcmread(io.BytesIO(file), stop_before_pixels=True, force=True)
    return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)


def path_of(file):
    return "/studies/{}/series/{}/instances/{}".format(*uids_of(file))


def data_set_of(file):
    """From the end of the file meta information on, whatever that says of its own length."""
    at = 132
    while file[at:at + 2] == b"\x02\x00":
        long = file[at + 4:at + 6] in (b"OB", b"UN")
        size, = struct.unpack_from("<I" if long else "<H", file, at + (8 if long else 6))
        at += (12 if long else 8) + size
    return file[at:]


def value(row, tag):
    """The first value of an attribute in a DICOM JSON object, or None."""
    return row[tag].get("Value", [None])[0]

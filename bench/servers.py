"""The three servers that run.py compares, each in a folder and at a port of its own, and what their processes cost."""
import ctypes
import json
import re
import socket
import subprocess
import time
from pathlib import Path

LIBC = ctypes.CDLL("libc.so.6", use_errno=True)


def cpu_of(pids):
    """CPU seconds of processes, to the nanosecond (their CPU clocks)."""
    total = 0.0
    for pid in pids:
        clock = ctypes.c_int()
        if LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)) == 0:
            total += time.clock_gettime(clock.value)
    return total


def children(pid):
    out = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in text_of(task).split():
            out += [int(child)] + children(int(child))
    return out


def text_of(path):
    """Empty when the thread or process has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""


def peak_memory(pids):
    return sum(int(kb) for p in pids for kb in re.findall(r"VmHWM:\s+(\d+)", text_of(Path(f"/proc/{p}/status")))) / 1024


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


class Gantry:
    name = "gantry"

    def __init__(self, folder, binary):
        self.folder, self.binary = folder / "gantry", binary
        self.folder.mkdir()
        self.port = free_port()  # the same after a restart: it is part of every link
        self.start()

    def start(self, *more):
        self.process = subprocess.Popen([self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.folder), "--log-level", "info", *more],
                                        stdout=subprocess.PIPE, stderr=open(self.folder / "log", "ab"), stdin=subprocess.DEVNULL)
        told = b""
        while b"CA: " not in told or not told.endswith(b"\n"):
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit((self.folder / "log").read_text()[-2000:])
            told += line
        self.ca = re.search(rb"CA: (\S+)", told).group(1).decode()

    @property
    def pids(self):
        """The server and its decoders."""
        return [self.process.pid] + children(self.process.pid)

    def restart(self, *more):
        """With more settings, until the next restart."""
        self.stop()
        self.start(*more)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Nginx:
    name = "nginx"

    def __init__(self, folder, gantry, upstream=None):
        self.folder = folder / ("nginx" if upstream is None else "nginx-proxy")
        self.root = self.folder / "root"
        self.root.mkdir(parents=True)
        self.port = free_port()
        tls = gantry.folder / "tls"
        place = (f"location / {{ root {self.root}; }}" if upstream is None else
                 f"location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_set_header Connection '';"
                 " proxy_request_buffering off; proxy_buffering on; client_max_body_size 0; proxy_read_timeout 600; }")
        keep = f"upstream orthanc {{ server 127.0.0.1:{upstream}; keepalive 64; }}" if upstream else ""
        place = place.replace(f"http://127.0.0.1:{upstream}", "http://orthanc") if upstream else place
        config = self.folder / "nginx.conf"
        config.write_text(f"""
daemon off; worker_processes 2; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600; default_type application/octet-stream;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s; open_file_cache max=10000;
  {keep}
  server {{
    listen 127.0.0.1:{self.port} ssl http2 backlog=4096; ssl_certificate {tls}/server.pem; ssl_certificate_key {tls}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384; ssl_session_tickets on;
    {place}
  }}
}}
""")
        # Workers drop to another user when started by root; the files must be theirs to read.
        for path in (folder, self.folder, self.root):
            path.chmod(0o755)
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(config)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.port)
        end = time.monotonic() + 60  # it listens before it has its workers
        while not children(self.process.pid) and time.monotonic() < end:
            time.sleep(0.01)
        self.pids = [self.process.pid] + children(self.process.pid)

    def keep(self, name, body):
        (self.root / name).write_bytes(body)
        (self.root / name).chmod(0o644)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Orthanc:
    """Debian's Orthanc behind nginx, since its own TLS crashes at the first connection in this release; both are counted."""
    name = "orthanc"

    def __init__(self, folder, gantry):
        self.folder = folder / "orthanc"
        self.folder.mkdir()
        port = free_port()
        (self.folder / "orthanc.json").write_text(json.dumps({
            "Name": "bench", "StorageDirectory": str(self.folder / "db"), "IndexDirectory": str(self.folder / "db"),
            "HttpPort": port, "DicomServerEnabled": False, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
            "KeepAlive": True, "HttpThreadsCount": 50, "StorageCompression": False, "SyncStorageArea": True,
            "MaximumStorageCacheSize": 256, "HttpCompressionEnabled": False, "TcpNoDelay": True,
            "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"}}))
        self.process = subprocess.Popen(["/usr/sbin/Orthanc", str(self.folder / "orthanc.json")], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "ab"))
        wait_for(port)
        self.front = Nginx(folder, gantry, port)
        self.port = self.front.port
        self.pids = [self.process.pid] + self.front.pids

    def stop(self):
        self.front.stop()
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

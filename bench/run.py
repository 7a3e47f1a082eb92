#!/usr/bin/python3
"""Gantry, nginx with the same bytes as static files, and Debian's Orthanc with its DICOMweb plugin behind nginx, each in
turn in one run: server CPU per request, rates, latencies, and the ratios. bench/README.md says how to read it.

  bench/run.py [--smoke] [--rounds 3] [--seconds 1.5] [--only TEXT] [--no-orthanc] [--studies 2000] [--free-memory] [--binary FILE]
"""
import argparse
import json
import os
import re
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPSConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import make_data as data
from servers import Gantry, Nginx, Orthanc, cpu_of, peak_memory
from yardsticks import Yardsticks, frame_file

HERE = Path(__file__).resolve().parent
ANY = "Accept: multipart/related; type=application/octet-stream; transfer-syntax=*"
DICOM = 'Accept: multipart/related; type="application/dicom"; transfer-syntax=*'
JSON = "Accept: application/dicom+json"
GZIP = "Accept-Encoding: gzip"


def header_lines(header):
    """One header line, several of them, or None."""
    return [header] if isinstance(header, str) else header or []


def fill_page_cache(folder):
    """Free memory becomes page cache, as on a machine that has served for a day: a new page is then one that another file had, at
    the same price for everybody. Elsewhere a virtual machine may have to ask its host for it, which takes as long as copying it. 64 GiB at
    most, at a second each."""
    available = int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1)) << 10
    path, piece = folder / "holes", bytearray(16 << 20)
    path.touch()
    os.truncate(path, min(max(0, available - (1 << 30)), 64 << 30))
    with open(path, "rb", buffering=0) as file:
        while file.readinto(piece):
            pass


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="gantry-bench-", dir=options.folder))
        self.folder.chmod(0o755)
        # On ext4 each server's folder gets inodes of its own group: else one walks past those that another has just deleted.
        subprocess.run(["chattr", "+T", self.folder], stderr=subprocess.DEVNULL, check=False)
        self.stamp = 1000
        self.rows = []
        self.page_cache_filled = options.smoke or options.free_memory
        self.yardsticks = Yardsticks(Path(options.load).with_name("bench_yardstick"), 20 if options.smoke else 100)
        self.gantry = Gantry(self.folder, options.binary)
        self.nginx = Nginx(self.folder, self.gantry)
        self.orthanc = None if options.no_orthanc else Orthanc(self.folder, self.gantry)
        self.context = ssl.create_default_context(cafile=self.gantry.ca)

    def servers(self, nginx=True):
        return [s for s in (self.gantry, self.nginx if nginx else None, self.orthanc) if s]

    def request(self, server, method, target, header=None, body=None, content_type=None):
        link = HTTPSConnection("localhost", server.port, context=self.context, timeout=600)
        headers = dict(line.split(": ", 1) for line in header_lines(header))
        if content_type:
            headers["Content-Type"] = content_type
        link.request(method, target, body=body, headers=headers)
        answer = link.getresponse()
        got = answer.status, answer.read()
        link.close()
        return got

    def store(self, files):
        body, content_type = data.multipart(files)
        for server in self.servers(nginx=False):
            for _ in range(5):
                status, answer = self.request(server, "POST", "/dicom-web/studies", JSON, body, content_type)
                if status != 502:  # the proxy met a connection that Orthanc was just closing
                    break
                time.sleep(0.5)
            if status != 200:
                log = (server.folder / "log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"{server.name}: store gave {status} {answer[:500]!r}\n{log}")

    def once(self, server, paths, connections, seconds, *more):
        listed = self.folder / "paths"
        listed.write_text("\n".join(paths) + "\n")
        before = cpu_of(server.pids)
        done = subprocess.run([self.options.load, "--port", str(server.port), "--paths", str(listed), "--connections", str(connections),
                               "--seconds", str(seconds), *more], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise SystemExit(done.stderr)
        result = json.loads(done.stdout)
        result["cpu"] = cpu_of(server.pids) - before
        return result

    def measure(self, name, paths, header, connections=4, per=1, servers=None, extra=None, unit="request", seconds=None, requests=None,
                before_each=None, frame=None):
        """One row: every server in turn, so many rounds. `paths`: the same for all; nginx gets files of what Gantry answers. `frame`: see
        yardsticks.py."""
        if self.options.only and not re.search(self.options.only, name):
            return
        if name.startswith("stow.") and not self.page_cache_filled:
            fill_page_cache(self.folder)
            self.page_cache_filled = True
        servers = servers or self.servers()
        seconds = seconds or self.options.seconds
        results = {s.name: [] for s in servers}
        targets = {s.name: paths for s in servers}
        if self.nginx in servers:
            targets["nginx"] = []
            for n, path in enumerate(paths):
                status, body = self.request(self.gantry, "GET", path, header)
                if status == 304:  # nothing to keep as a file: a tiny answer stands for it
                    body = b"ok"
                elif status not in (200, 206):
                    raise SystemExit(f"{name}: Gantry answered {status} {body[:300]!r}")
                self.nginx.keep(f"{name}.{n}", body)
                targets["nginx"].append(f"/{name}.{n}")
        beside = []
        for turn in range(self.options.rounds + 1):
            if turn:
                beside.append(self.yardsticks.turn(name, connections, frame))
            for server in servers:
                if before_each:
                    before_each(server)
                more = [word for line in header_lines(header) for word in ("--header", line)]
                if extra:
                    more += extra(server)
                if requests:
                    more += ["--requests", str(requests)]
                result = self.once(server, targets[server.name], connections, seconds if turn or requests else 0.3, *more)
                if turn or before_each:  # the first round warms up
                    results[server.name].append(result)
        row = {"name": name, "connections": connections, "unit": unit}
        for server in servers:
            runs = [r for r in results[server.name] if r["requests"]]
            if not runs:
                row[server.name] = None
                continue
            row[server.name] = {
                "cpu_ms": statistics.median(r["cpu"] / (r["requests"] * per) * 1000 for r in runs),
                "rate": statistics.median(r["requests"] * per / r["seconds"] for r in runs),
                "mb_s": statistics.median(r["bytes"] / r["seconds"] / 1e6 for r in runs),
                "p50_ms": statistics.median(r["p50_ms"] for r in runs), "p99_ms": statistics.median(r["p99_ms"] for r in runs),
                "failed": sum(r["failed"] for r in runs)}
        for peer in ("nginx", "orthanc"):
            if row.get(peer) and row.get("gantry"):
                row[f"x_{peer}"] = statistics.median(
                    (a["cpu"] / a["requests"]) / (b["cpu"] / b["requests"])
                    for a, b in zip(results["gantry"], results[peer]) if a["requests"] and b["requests"])
        self.rows.append(row)
        self.print_row(row)
        if row["gantry"]:
            self.yardsticks.judge(row, [turn for turn in beside if turn])

    def print_row(self, row):
        if len(self.rows) == 1:
            print(f"{'row':34} {'server':8} {'rate/s':>9} {'MB/s':>8} {'CPU ms':>8} {'p50 ms':>8} {'p99 ms':>8} {'failed':>6}  CPU ratio", flush=True)
        for server in ("gantry", "nginx", "orthanc"):
            if got := row.get(server):
                ratio = " ".join(f"{row[k]:.2f} x {k[2:]}" for k in ("x_nginx", "x_orthanc") if k in row) if server == "gantry" else ""
                print(f"{row['name'] + ' c' + str(row['connections']):34} {server:8} {got['rate']:9.1f} {got['mb_s']:8.1f} {got['cpu_ms']:8.3f} "
                      f"{got['p50_ms']:8.2f} {got['p99_ms']:8.2f} {got['failed']:6d}  {ratio}", flush=True)

    # What is measured, in the order of a study's life.

    def stow(self):
        smoke = self.options.smoke
        study, series, instance = f"{data.ROOT}.5.299999999999", f"{data.ROOT}.6.299999999999", f"{data.ROOT}.7.199999999999"
        bodies = {}
        bodies["ct"], content_type = data.multipart([data.image(study, series, instance, 512, 512)])
        bodies["small"], _ = data.multipart([data.image(study, series, instance, 16, 16)])
        count = 30 if smoke else 300
        whole = f"{data.ROOT}.8.199999999999"
        bodies["study"], _ = data.multipart([data.image(whole, whole + ".1", f"{whole}.1.{n}", 512, 512, number=n) for n in range(1, count + 1)])
        bodies["frames"], _ = data.multipart([data.image(study, series, instance, 512, 512, frames=10 if smoke else 101)])
        for name, body in bodies.items():
            (self.folder / f"body-{name}").write_bytes(body)

        def body(name):
            def extra(server):
                self.stamp += 1_000_000
                return ["--header", f"Content-Type: {content_type}", "--body", str(self.folder / f"body-{name}"), "--stamp-base", str(self.stamp)]
            return extra
        peers = self.servers(nginx=False)
        for connections in (1, 4, 8):
            self.measure("stow.ct.1-per-post", ["/dicom-web/studies"], JSON, connections, servers=peers, extra=body("ct"), unit="instance")
        self.measure("stow.ct.1-per-post.chunked", ["/dicom-web/studies"], JSON, 4, servers=peers,
                     extra=lambda s: body("ct")(s) + ["--chunked"], unit="instance")
        for connections in (1, 4):
            self.measure("stow.ct.study-per-post", ["/dicom-web/studies"], JSON, connections, per=count, servers=peers, extra=body("study"),
                         unit="instance", requests=connections * (1 if smoke else 2), seconds=120)
        self.measure("stow.small.1-per-post", ["/dicom-web/studies"], JSON, 8, servers=peers, extra=body("small"), unit="instance")
        self.measure("stow.multi-frame.53-mb", ["/dicom-web/studies"], JSON, 1, servers=peers, extra=body("frames"), unit="instance",
                     requests=1 if smoke else 5, seconds=120)
        self.bare()  # last: it deletes what it wrote, and ext4 makes new files slowly for minutes after that

    def bare(self):
        """The same bytes by 8 threads that write and fsync, and do nothing else."""
        if self.options.only and not re.search(self.options.only, "stow.ct.1-per-post"):
            return
        runs = [json.loads(subprocess.run([Path(self.options.load).with_name("bench_durability"), "--bare", self.folder / f"bare-{n}", "512",
                                           "64" if self.options.smoke else "1024"], check=True, capture_output=True).stdout)
                for n in range(self.options.rounds)]
        print(f"{'bare write and fsync, 8 threads':34} {'':8} {statistics.median(r['rate'] for r in runs):9.1f} {'':8} "
              f"{statistics.median(r['cpu_ms'] for r in runs):8.3f}", flush=True)

    def fill(self):
        smoke = self.options.smoke
        self.count = 30 if smoke else 300
        root = data.ROOT
        ct = f"{root}.10"
        for at in range(0, self.count, 100):
            self.store([data.image(ct, ct + ".1", f"{ct}.1.{n}", 512, 512, number=n) for n in range(at + 1, min(at + 100, self.count) + 1)])
        self.store([data.image(f"{root}.11", f"{root}.11.1", f"{root}.11.1.{n}", 512, 512, streams=data.streams(1, 120_000, n),
                               syntax=data.JPEG_LS, number=n) for n in range(1, 21)])
        self.store([data.image(f"{root}.12", f"{root}.12.1", f"{root}.12.1.1", 480, 640, frames=60, streams=data.streams(60, 65_000, 1),
                               syntax=data.JPEG, bits=8, samples=3, sop_class="1.2.840.10008.5.1.4.1.1.3.1", modality="US")])
        self.store([data.image(f"{root}.13", f"{root}.13.1", f"{root}.13.1.1", 512, 512, frames=20 if smoke else 100,
                               sop_class="1.2.840.10008.5.1.4.1.1.2.1")])
        self.store([data.image(f"{root}.14", f"{root}.14.1", f"{root}.14.1.1", 2500, 2048, sop_class="1.2.840.10008.5.1.4.1.1.1.1", modality="DX")])
        # Ten series of full headers and few pixels: the first metadata request of each.
        for s in range(10):
            self.store([data.image(f"{root}.15.{s}", f"{root}.15.{s}.1", f"{root}.15.{s}.1.{n}", 8, 8, number=n) for n in range(1, self.count + 1)])
        # One long series, and one instance with a long header.
        self.long = 100 if smoke else 2000
        for at in range(0, self.long, 200):
            self.store([data.image(f"{root}.17", f"{root}.17.1", f"{root}.17.1.{n}", 8, 8, number=n) for n in range(at + 1, min(self.long, at + 200) + 1)])
        self.store([data.image(f"{root}.18", f"{root}.18.1", f"{root}.18.1.1", 64, 64, frames=100, sop_class="1.2.840.10008.5.1.4.1.1.2.1",
                               frame_groups=True)])
        many = 100 if smoke else self.options.studies
        for at in range(0, many, 200):
            self.store([data.image(f"{root}.16.{n}", f"{root}.16.{n}.1", f"{root}.16.{n}.1.1", 8, 8, patient=f"Q{n}") for n in range(at, min(many, at + 200))])
        self.many = many

    def retrieve(self):
        base, root = "/dicom-web", data.ROOT

        def at(study, *rest):
            return f"{base}/studies/{root}.{study}/series/{root}.{study}.1" + "".join(rest)
        ct = [at(10, f"/instances/{root}.10.1.{n}") for n in range(1, min(self.count, 100) + 1)]
        for connections in (1, 4, 8):
            self.measure("wado.instance.ct", ct, DICOM, connections)
        self.measure("wado.frame.ct.native", [p + "/frames/1" for p in ct], ANY)
        frames = 20 if self.options.smoke else 100
        self.measure("wado.frame.ct.enhanced", [at(13, f"/instances/{root}.13.1.1/frames/{n}") for n in range(1, frames + 1)], ANY)
        self.measure("wado.frame.jpeg-ls", [at(11, f"/instances/{root}.11.1.{n}/frames/1") for n in range(1, 21)], ANY)
        self.measure("wado.frame.cine", [at(12, f"/instances/{root}.12.1.1/frames/{n}") for n in range(1, 61)], ANY)
        self.measure("wado.frame.dx", [at(14, f"/instances/{root}.14.1.1/frames/1")], ANY)
        self.measure("wado.series.ct", [at(10)], DICOM, 1, seconds=4 if not self.options.smoke else None)
        first = [f"{base}/studies/{root}.15.{s}/series/{root}.15.{s}.1/metadata" for s in range(10)]
        def cold(server):
            """Nothing of the series is in memory; the server has answered for others, so that its threads are there."""
            if server is self.gantry:
                server.restart()
            for path in ct[:24]:
                self.request(server, "GET", path + "/metadata" if server is self.gantry else "/none", JSON)
        # First: each series is asked for once.
        self.measure("wado.metadata.series.first", first, JSON, 1, requests=10, seconds=60,
                     before_each=cold,
                     servers=[self.gantry, self.nginx])
        self.measure("wado.metadata.series.first.gzip", first, [JSON, GZIP], 1, requests=10, seconds=60,
                     before_each=cold,
                     servers=[self.gantry, self.nginx])
        self.measure("wado.metadata.series.repeated", first, JSON, 4)
        self.measure("wado.metadata.series.repeated.gzip", first, [JSON, GZIP], 4)
        self.measure("wado.metadata.series.long", [at(17, "/metadata")], JSON, 1)
        self.measure("wado.metadata.series.long.gzip", [at(17, "/metadata")], [JSON, GZIP], 1)
        self.measure("wado.metadata.instance", [p + "/metadata" for p in ct], JSON)
        self.measure("wado.metadata.instance.enhanced", [at(18, f"/instances/{root}.18.1.1/metadata")], JSON)
        self.measure("wado.metadata.instance.enhanced.gzip", [at(18, f"/instances/{root}.18.1.1/metadata")], [JSON, GZIP])
        self.unchanged(first[0])
        self.first_byte(at(17, "/metadata"))

    def store_streamed(self, uid, frames, frame_bytes):
        """An instance of so many compressed frames, one fragment each, with an extended offset table, sent as it is made: to Gantry alone."""
        head, frame, tail = data.many_frames(uid, uid + ".1", uid + ".1.1", frames, frame_bytes)
        before, behind = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + head, tail + b"\r\n--B--\r\n"
        link = HTTPSConnection("localhost", self.gantry.port, context=self.context, timeout=600)
        link.putrequest("POST", "/dicom-web/studies")
        link.putheader("Content-Type", 'multipart/related; type="application/dicom"; boundary=B')
        link.putheader("Content-Length", str(len(before) + len(frame) * frames + len(behind)))
        link.endheaders()
        link.send(before)
        at_once = max(1, (1 << 20) // len(frame))
        for n in range(0, frames, at_once):
            link.send(frame * min(at_once, frames - n))
        link.send(behind)
        answer = link.getresponse()
        if answer.status != 200:
            raise SystemExit(f"an instance of {frames} frames: {answer.status} {answer.read()[:500]!r}")
        link.close()

    def large(self):
        """Frames of what is too large for memory, and far within a slide."""
        base, root, smoke = "/dicom-web", data.ROOT, self.options.smoke

        def wanted(name):
            return not self.options.only or re.search(self.options.only, name)

        def frames(study, *numbers):
            return [f"{base}/studies/{root}.{study}/series/{root}.{study}.1/instances/{root}.{study}.1.1/frames/{n}" for n in numbers]
        ours = [self.gantry, self.nginx]
        self.measure("wado.frames.ten-of-enhanced", frames(13, "1,2,3,4,5,6,7,8,9,10"), ANY)
        if wanted("wado.frame.six-gigabytes"):
            count = 200 if smoke else 12_000
            self.store_streamed(f"{root}.21", count, 524_288)
            self.measure("wado.frame.six-gigabytes", frames(21, *range(7, count, count // 40)), ANY, servers=ours)
        if wanted("wado.frame.slide"):
            count = 20_000 if smoke else 200_000
            self.store_streamed(f"{root}.22", count, 4_000)
            self.measure("wado.frame.slide.first", frames(22, 1), ANY, servers=ours)
            self.measure("wado.frame.slide.far", frames(22, 19_012 if smoke else 190_123), ANY, servers=ours)

    def slow_readers(self):
        """32 clients that take a series at 1 MB/s each, from a server just started: its peak memory."""
        if self.options.only and not re.search(self.options.only, "memory.slow-readers"):
            return
        self.gantry.restart()
        path = f"/dicom-web/studies/{data.ROOT}.10/series/{data.ROOT}.10.1"
        answers = []
        for _ in range(32):
            link = HTTPSConnection("localhost", self.gantry.port, context=self.context, timeout=60)
            link.request("GET", path, headers=dict([DICOM.split(": ", 1)]))
            answers.append((link, link.getresponse()))
        taken, seconds, began, cpu = 0, 3 if self.options.smoke else 12, time.monotonic(), cpu_of(self.gantry.pids)
        while time.monotonic() < began + seconds:
            turn = time.monotonic()
            for _, answer in answers:
                taken += len(answer.read(1 << 18))
            time.sleep(max(0, turn + 0.25 - time.monotonic()))
        print(f"memory: 32 readers of a series at 1 MB/s each: {taken / 1e6:.0f} MB in {time.monotonic() - began:.1f} s, "
              f"{cpu_of(self.gantry.pids) - cpu:.2f} s of CPU, peak memory {peak_memory(self.gantry.pids):.0f} MB", flush=True)
        for link, _ in answers:
            link.close()

    def unchanged(self, path):
        """A 304 beside the smallest answer there is."""
        link = HTTPSConnection("localhost", self.gantry.port, context=self.context, timeout=60)
        link.request("GET", path, headers=dict([JSON.split(": ", 1)]))
        tag = link.getresponse().headers["ETag"]
        link.close()
        self.measure("wado.metadata.unchanged", [path], [JSON, f"If-None-Match: {tag}"], servers=[self.gantry, self.nginx])
        self.measure("tiny", ["/healthz"], None, servers=[self.gantry, self.nginx])

    def first_byte(self, path):
        if self.options.only and not re.search(self.options.only, "wado.metadata.first-byte"):
            return
        for how in ("after a restart", "again"):
            if how == "after a restart":
                self.gantry.restart()
            link = HTTPSConnection("localhost", self.gantry.port, context=self.context, timeout=60)
            link.connect()
            began = time.monotonic()
            link.request("GET", path, headers=dict([JSON.split(": ", 1)]))
            answer = link.getresponse()
            head = time.monotonic() - began
            size = len(answer.read())
            whole = time.monotonic() - began
            link.close()
            print(f"wado.metadata.first-byte: {self.long} instances, {how}: {size / 1e6:.1f} MB, head after {head * 1000:.1f} ms, "
                  f"all after {whole * 1000:.1f} ms", flush=True)

    def rendered(self):
        """Pictures of phantoms (noise alone is no image, and JPEG's worst case): made each time, then from the cache."""
        if self.options.only and not re.search(self.options.only, "rendered|thumbnail"):
            return
        base, root = "/dicom-web", data.ROOT

        def at(study, *rest):
            return f"{base}/studies/{root}.{study}/series/{root}.{study}.1/instances/{root}.{study}.1" + "".join(rest)
        count = 20
        self.store([data.image(f"{root}.40", f"{root}.40.1", f"{root}.40.1.{n}", 512, 512, number=n, pixels=data.phantom(512, 512, n))
                    for n in range(1, count + 1)])
        # Several: of equal requests under way one is made, and the others share it.
        radiograph, several = data.phantom(2500, 2048, 1), 6
        for n in range(1, several + 1):
            self.store([data.image(f"{root}.41", f"{root}.41.1", f"{root}.41.1.{n}", 2500, 2048, sop_class="1.2.840.10008.5.1.4.1.1.1.1",
                                   modality="DX", pixels=radiograph)])
        frames = 20 if self.options.smoke else 100
        self.store([data.image(f"{root}.42", f"{root}.42.1", f"{root}.42.1.1", 512, 512, frames=frames,
                               sop_class="1.2.840.10008.5.1.4.1.1.2.1", pixels=b"".join(data.phantom(512, 512, n) for n in range(frames)))])
        self.store([data.image(f"{root}.43", f"{root}.43.1", f"{root}.43.1.1", 480, 640, frames=60, bits=8, samples=3,
                               sop_class="1.2.840.10008.5.1.4.1.1.3.1", modality="US",
                               pixels=b"".join(data.phantom_rgb(480, 640, n) for n in range(60)))])
        jpeg, png = "Accept: image/jpeg", "Accept: image/png"
        ct = [at(40, f".{n}/rendered?quality=90") for n in range(1, count + 1)]
        rows = (("rendered.ct.jpeg", ct, jpeg), ("rendered.ct.png", ct, png),
                ("rendered.dx.jpeg", [at(41, f".{n}/rendered?quality=90") for n in range(1, several + 1)], jpeg),
                ("rendered.frame.enhanced.jpeg", [at(42, f".1/frames/{n}/rendered?quality=90") for n in range(1, frames + 1)], jpeg),
                ("rendered.frame.cine.jpeg", [at(43, f".1/frames/{n}/rendered?quality=90") for n in range(1, 61)], jpeg))
        self.gantry.restart("--frame-cache-memory", "0", "--frame-cache-disk", "0")
        for name, paths, accept in rows:
            self.measure(name, paths, accept, servers=self.servers(nginx=False))
        thumbnails = [at(41, f".{n}/thumbnail") for n in range(1, several + 1)]
        self.measure("thumbnail.dx", thumbnails, jpeg, servers=[self.gantry])
        self.measure("thumbnail.ct", [at(40, f".{n}/thumbnail") for n in range(1, count + 1)], jpeg, servers=[self.gantry])
        self.gantry.restart()
        self.measure("rendered.ct.jpeg.cached", ct, jpeg, servers=[self.gantry, self.nginx])
        self.measure("thumbnail.dx.cached", thumbnails, jpeg, servers=[self.gantry, self.nginx])

    def search(self):
        self.measure("qido.studies.by-patient-id", [f"/dicom-web/studies?PatientID=Q{n}" for n in range(0, self.many, 7)], JSON)
        self.measure("qido.studies.limit-25", ["/dicom-web/studies?limit=25"], JSON)
        for name, coding in (("", None), (".gzip", GZIP), (".zstd", GZIP.replace("gzip", "zstd"))):
            self.measure("qido.studies.limit-1000" + name, ["/dicom-web/studies?limit=1000"], [JSON, coding] if coding else JSON)
        self.measure("qido.studies.wildcard", ["/dicom-web/studies?PatientName=*Q1*&limit=25"], JSON)
        self.measure("qido.instances.of-a-series", [f"/dicom-web/studies/{data.ROOT}.10/series/{data.ROOT}.10.1/instances"], JSON)

    def transcode(self):
        """Frames of phantoms in other transfer syntaxes than they are stored in: without a cache, out of it, and many at once."""
        if self.options.only and not re.search(self.options.only, "transcode"):
            return
        base, root = "/dicom-web", data.ROOT
        octets = 'Accept: multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'

        def named(media, syntax):
            return f'Accept: multipart/related; type="{media}"; transfer-syntax=1.2.840.10008.1.2{syntax}'

        def paths(study, count=12):
            return [f"{base}/studies/{root}.{study}/series/{root}.{study}.1/instances/{root}.{study}.1.{n}" for n in range(1, count + 1)]
        self.store([data.image(f"{root}.31", f"{root}.31.1", f"{root}.31.1.{n}", 512, 512, number=n, pixels=data.phantom(512, 512, n)) for n in range(1, 13)])
        self.store([data.image(f"{root}.36", f"{root}.36.1", f"{root}.36.1.1", 480, 640, frames=60, bits=8, samples=3,
                               sop_class="1.2.840.10008.5.1.4.1.1.3.1", modality="US",
                               pixels=b"".join(data.phantom_rgb(480, 640, n) for n in range(60)))])
        frames = 20 if self.options.smoke else 105
        self.store([data.image(f"{root}.37", f"{root}.37.1", f"{root}.37.1.1", 512, 512, frames=frames,
                               sop_class="1.2.840.10008.5.1.4.1.1.2.1", pixels=b"".join(data.phantom(512, 512, n) for n in range(frames)))])
        stored = {32: ("jpeg-ls", ".4.80"), 33: ("htj2k", ".4.201"), 34: ("j2k", ".4.90"), 35: ("jpeg-lossless", ".4.70")}
        for study, (name, syntax) in stored.items():
            files = []
            for path in paths(31):
                status, file = self.request(self.gantry, "GET", path, f"Accept: application/dicom; transfer-syntax=1.2.840.10008.1.2{syntax}")
                if status != 200:
                    raise SystemExit(f"{name}: {status} {file[:300]!r}")
                files.append(file.replace(f"{root}.31".encode(), f"{root}.{study}".encode()))
            self.store(files)
            print(f"transcode: a CT as {name} has {len(files[0]) / 1024:.0f} KB of 512", flush=True)
        peers = self.servers(nginx=False)
        self.gantry.restart("--frame-cache-memory", "0", "--frame-cache-disk", "0")
        slice_of_ct = frame_file(self.folder / "ct", data.phantom(512, 512, 1), 512, 512, 1)
        picture_of_cine = frame_file(self.folder / "cine", data.phantom_rgb(480, 640, 1), 480, 640, 3)
        for study, (name, _) in stored.items():
            self.measure(f"transcode.ct.{name}-to-native", [p + "/frames/1" for p in paths(study)], octets, 1, servers=[self.gantry] if name == "htj2k" else peers,
                         frame=slice_of_ct)
        ct = [p + "/frames/1" for p in paths(31)]
        self.measure("transcode.ct.native-to-htj2k", ct, named("image/jphc", ".4.201"), 1, servers=[self.gantry], frame=slice_of_ct)
        self.measure("transcode.ct.native-to-jpeg-ls", ct, named("image/jls", ".4.80"), 1, servers=peers, frame=slice_of_ct)
        cine = [f"{paths(36, 1)[0]}/frames/{n}" for n in range(1, 61)]
        for connections in (1, 4):
            self.measure("transcode.cine.native-to-jpeg", cine, named("image/jpeg", ".4.50"), connections, servers=[self.gantry], frame=picture_of_cine)
        self.gantry.restart()
        self.measure("transcode.cine.out-of-the-cache", cine, named("image/jpeg", ".4.50"), 4, servers=[self.gantry, self.nginx])
        self.measure("transcode.ct.out-of-the-cache", [p + "/frames/1" for p in paths(32)], octets, 4, servers=[self.gantry, self.nginx])
        self.under_load([p + "/frames/1" for p in paths(31)], f"{paths(37, 1)[0]}/frames/", named("image/jp2", ".4.90"))

    def under_load(self, stored, frames, header):
        """32 clients that ask frames of a large file in another syntax, and one viewer of stored frames beside them."""
        import threading
        alone = self.once(self.gantry, stored, 2, 3, "--header", ANY)
        self.gantry.restart("--frame-cache-memory", "0", "--frame-cache-disk", "0")
        count = 20 if self.options.smoke else 105
        listed, busy = self.folder / "many", {}
        listed.write_text("".join(f"{frames}{n}\n" for n in range(1, count + 1)))

        def load():
            busy.update(json.loads(subprocess.run([self.options.load, "--port", str(self.gantry.port), "--paths", str(listed), "--connections", "32",
                                                   "--seconds", "6", "--header", header], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout))
        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(1)
        beside = self.once(self.gantry, stored, 2, 3, "--header", ANY)
        thread.join()
        print(f"transcode: 32 clients ask frames of a {count * 0.524:.0f} MB file as JPEG 2000: {busy['requests']} in {busy['seconds']:.1f} s, {busy['failed']} failed; "
              f"peak memory {peak_memory(self.gantry.pids):.0f} MB; stored frames beside them p99 {beside['p99_ms']:.2f} ms, alone {alone['p99_ms']:.2f} ms",
              flush=True)

    def handshakes(self):
        for how in ("full", "resume"):
            self.measure(f"tls.handshake.{how}", ["/healthz"], None, 4, servers=[self.gantry, self.nginx],
                         extra=lambda s, how=how: ["--handshake", how])
        self.measure("tls.keep-alive.small", ["/healthz"], None, 4, servers=[self.gantry, self.nginx])

    def h2load(self, server, requests, urls, *more, header=None):
        """One run of h2load: CPU seconds of the server for a request, requests a second, ms to the first byte."""
        before, began = cpu_of(server.pids), time.monotonic()
        done = subprocess.run(["h2load", "-n", str(requests), *more, *(["-H", header] if header else []), *urls],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        took, spent = time.monotonic() - began, cpu_of(server.pids) - before
        good = re.search(r"(\d+) succeeded", done.stdout)
        first = re.search(r"time to 1st byte:\s+([\d.]+)(us|ms|s)", done.stdout)
        if done.returncode or not good or int(good.group(1)) != requests or not first:
            raise SystemExit(f"h2load: {done.stdout[-1500:]} {done.stderr[-500:]}")
        return spent / requests, requests / took, float(first.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[first.group(2)]

    def http2(self):
        """HTTP/2 against HTTP/1.1 of the same server, and against nginx' HTTP/2, by h2load, in turn."""
        smoke = self.options.smoke
        frames = [f"/dicom-web/studies/{data.ROOT}.10/series/{data.ROOT}.10.1/instances/{data.ROOT}.10.1.{n}/frames/1"
                  for n in range(1, min(self.count, 100) + 1)]
        # nginx serves a file of the same size under one name for all.
        for name, paths, header, requests, six in (("http2.frame.ct.native", frames, ANY.replace("Accept", "accept"), 100 if smoke else 600, "6"),
                                                   ("http2.small", ["/healthz"], None, 1000 if smoke else 10000, "1")):
            if self.options.only and not re.search(self.options.only, name):
                continue
            status, body = self.request(self.gantry, "GET", paths[0], header)
            if status != 200:
                raise SystemExit(f"{name}: Gantry answered {status} {body[:300]!r}")
            self.nginx.keep(name, body)
            own = [f"https://localhost:{self.gantry.port}{path}" for path in paths]
            static = [f"https://localhost:{self.nginx.port}/{name}"]
            runs = {"gantry h2": [], "gantry h1": [], "nginx h2": []}
            for turn in range(self.options.rounds + 1):
                got = {"gantry h2": self.h2load(self.gantry, requests, own, "-c1", "-m100", header=header),
                       "gantry h1": self.h2load(self.gantry, requests, own, "--h1", "-c" + six, header=header),
                       "nginx h2": self.h2load(self.nginx, requests, static, "-c1", "-m100")}
                for who, figures in got.items():
                    runs[who] += [figures] if turn or smoke else []
            for who, figures in runs.items():
                cpu, rate, first = (statistics.median(f[i] for f in figures) for i in range(3))
                print(f"{name + (' c' + six if 'h1' in who else ' c1 m100'):34} {who:10} {rate:9.1f}/s CPU {cpu * 1000:8.4f} ms, first byte {first:7.2f} ms", flush=True)
            for other in ("gantry h1", "nginx h2"):
                ratio = statistics.median(a[0] / b[0] for a, b in zip(runs["gantry h2"], runs[other]))
                print(f"{name}: CPU of Gantry's HTTP/2 is {ratio:.2f} x {other}", flush=True)

    def idle(self):
        """2,000 idle connections, half of them over HTTP/2, and 200 that stall in the handshake: CPU of 5 seconds, and what a
        frame takes meanwhile."""
        if self.options.only and not re.search(self.options.only, "idle"):
            return
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        frame = [f"/dicom-web/studies/{data.ROOT}.10/series/{data.ROOT}.10.1/instances/{data.ROOT}.10.1.{n}/frames/1" for n in range(1, 21)]
        seconds = 0.5 if self.options.smoke else 4
        offers, hello = {}, {}
        for alpn in ("http/1.1", "h2"):
            context = ssl.create_default_context(cafile=self.gantry.ca)
            context.set_alpn_protocols([alpn])
            offers[alpn] = context
            outgoing = ssl.MemoryBIO()
            try:
                context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
            except ssl.SSLWantReadError:
                pass
            hello[alpn] = outgoing.read()
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
        idle, stalled = 100 if self.options.smoke else 2000, 20 if self.options.smoke else 200
        alone = self.once(self.gantry, frame, 1, seconds, "--header", ANY)
        links = []

        def dial(n):
            plain = socket.socket()
            plain.bind((f"127.0.0.{2 + n % 8}", 0))  # one address may have only so many
            plain.connect(("127.0.0.1", self.gantry.port))
            links.append(plain)
            return plain
        for n in range(idle):
            alpn = ("http/1.1", "h2")[n % 2]
            link = offers[alpn].wrap_socket(dial(n), server_hostname="localhost")
            link.sendall(preface if alpn == "h2" else b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            link.recv(1000)
            links.append(link)
        for n in range(stalled):
            part = hello[("http/1.1", "h2")[n % 2]]
            dial(n).sendall(part if n % 4 < 2 else part[:99])
        time.sleep(1)
        before = cpu_of(self.gantry.pids)
        time.sleep(5)
        spent = cpu_of(self.gantry.pids) - before
        among = self.once(self.gantry, frame, 1, seconds, "--header", ANY)
        print(f"idle: {idle} idle and {stalled} stalled connections: {spent * 1000:.1f} ms of CPU in 5 s; a frame p50 {among['p50_ms']:.2f} p99 "
              f"{among['p99_ms']:.2f} ms and {among['cpu'] / among['requests'] * 1000:.3f} ms of CPU among them, {alone['p50_ms']:.2f}, "
              f"{alone['p99_ms']:.2f} and {alone['cpu'] / alone['requests'] * 1000:.3f} ms alone; memory {peak_memory(self.gantry.pids):.0f} MB", flush=True)
        for link in links:
            link.close()

    def memory(self):
        """One large POST, with Content-Length and chunked, to a server just started: peak memory."""
        if self.options.only and not re.search(self.options.only, "memory"):
            return
        size = (64 << 20) if self.options.smoke else (2 << 30) - (1 << 20)
        for how in ("content-length", "chunked"):
            self.gantry.restart()
            uid = f"{data.ROOT}.20.{int(time.time())}"
            file = data.image(uid, uid + ".1", uid + ".1.1", 8, 8)
            head = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + file[:-(128 + 4)] + size.to_bytes(4, "little")
            tail = b"\r\n--B--\r\n"
            link = HTTPSConnection("localhost", self.gantry.port, context=self.context, timeout=600)
            link.putrequest("POST", "/dicom-web/studies")
            link.putheader("Content-Type", 'multipart/related; type="application/dicom"; boundary=B')
            link.putheader(*(("Transfer-Encoding", "chunked") if how == "chunked" else ("Content-Length", str(len(head) + size + len(tail)))))
            link.endheaders()
            frame = (lambda b: b"%x\r\n%s\r\n" % (len(b), b)) if how == "chunked" else (lambda b: b)
            link.send(frame(head))
            piece = frame(b"\x55" * (1 << 20))
            began, cpu = time.monotonic(), cpu_of(self.gantry.pids)
            for _ in range(size >> 20):
                link.send(piece)
            link.send(frame(tail) + (b"0\r\n\r\n" if how == "chunked" else b""))
            answer = link.getresponse()
            answer.read()
            print(f"memory: one POST of {size >> 20} MB, {how}: status {answer.status}, {time.monotonic() - began:.1f} s, "
                  f"{cpu_of(self.gantry.pids) - cpu:.2f} s of CPU, peak memory {peak_memory(self.gantry.pids):.0f} MB", flush=True)

    def run(self):
        try:
            self.stow()
            self.fill()
            self.retrieve()
            self.large()
            self.transcode()
            self.rendered()
            self.search()
            self.handshakes()
            self.http2()
            print("peak memory so far, MB: " + ", ".join(f"{s.name} {peak_memory(s.pids):.0f}" for s in self.servers()), flush=True)
            self.idle()
            self.slow_readers()
            self.memory()
            self.yardsticks.report()
            if self.options.json:
                Path(self.options.json).write_text(json.dumps(self.rows, indent=1))
        finally:
            for server in self.servers():
                server.stop()
            shutil.rmtree(self.folder, ignore_errors=True)
        failed = sum(row[s]["failed"] for row in self.rows for s in ("gantry",) if row.get(s))
        print(f"{len(self.rows)} rows, {failed} requests of Gantry failed")
        return 1 if failed or not self.rows else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true", help="a short run that shows that all rows work")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--only", help="a regular expression: only the rows whose names match")
    parser.add_argument("--no-orthanc", action="store_true")
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--free-memory", action="store_true", help="do not fill the page cache before storing is measured")
    parser.add_argument("--folder", help="where the servers keep their data; the disk that is measured")
    parser.add_argument("--json", help="write the rows to this file too")
    parser.add_argument("--binary", default=str(HERE.parent / "build/bench/gantry"))
    parser.add_argument("--load", default=str(HERE.parent / "build/bench/bench/bench_load"))
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.seconds = 1, 0.4
    sys.exit(Bench(options).run())


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Loads that a server must bear: many senders, many parts, a huge instance, broken parts, slow senders, senders that vanish.
Each must end without an error that its input does not cause, in bounded memory, and with files and catalog in accord.

  bench/soak.py [--small] [--only TEXT] [--folder DIR] [--binary FILE] [--load FILE]

--small is what CI runs: the same loads, little of them. One line a load: what was sent, in which time, the server's CPU an
instance, and how far its memory rose above idle. Times are told and never judged. Exit status 1: a load was not borne.
"""
import argparse
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from http.client import HTTPException
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/web"))
import gantry  # noqa: E402
from gantry import JSON, Server, make_dicom, multipart, path_of, uid, uids_of  # noqa: E402

MB = 1 << 20
DICOM = {"Accept": "application/dicom; transfer-syntax=*"}
PART = b"\r\nContent-Type: application/dicom\r\n\r\n"


class NotBorne(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise NotBorne(what)


class Instances:
    """Instances of a size, each of its own UID, made from one by writing other numbers into it."""
    lock, used = threading.Lock(), 0

    def __init__(self, study, series, rows=8, columns=8):
        self.mark = uid(os.getpid(), 8000000001).encode()
        self.one = make_dicom(study=study, series=series, instance=self.mark.decode(), rows=rows, columns=columns)

    def next(self):
        with Instances.lock:
            Instances.used += 1
            number = uid(os.getpid(), 8000000001 + Instances.used)
        return number, self.one.replace(self.mark, number.encode())


def outcome(answer):
    """Stored and failed instances of an answer to a POST."""
    told = answer.json()
    expect("00081199" in told or "00081198" in told, f"no report: {answer!r}")
    return len(told.get("00081199", {}).get("Value", [])), len(told.get("00081198", {}).get("Value", []))


class Soak:
    def __init__(self, options):
        self.options = options
        self.small = options.small
        self.folder = Path(tempfile.mkdtemp(prefix="gantry-soak-", dir=options.folder))
        self.server = None

    def start(self, *arguments):
        self.server = Server(*arguments, data=self.folder / uuid.uuid4().hex)
        self.server.get("/studies", JSON)
        self.server.store([make_dicom()])
        self.begin()

    def begin(self):
        """From here the memory's peak counts."""
        Path(f"/proc/{self.server.process.pid}/clear_refs").write_text("5")
        self.idle = self.server.memory()
        self.began, self.cpu = time.monotonic(), self.server.cpu_seconds()

    def risen(self):
        return (self.server.memory("VmHWM") - self.idle) / MB

    def tell(self, name, what, instances, most_mb, own=None):
        seconds, cpu, risen = time.monotonic() - self.began, self.server.cpu_seconds() - self.cpu, self.risen()
        each = f", {cpu / instances * 1000:.2f} ms CPU each" if instances else ""
        mapped = "" if own is None else f", {risen:.0f} with the pages of the catalog that are mapped"
        risen = risen if own is None else own
        print(f"{name:22} {what}: {seconds:.1f} s{each}, {risen:.0f} MB above idle{mapped}", flush=True)
        expect(risen <= most_mb, f"memory rose by {risen:.0f} MB, {most_mb} are allowed")

    def stop(self):
        data = self.server.folder
        self.server.stop()
        done = subprocess.run([gantry.BINARY, "check", "--data", data], capture_output=True, text=True)
        expect(done.returncode == 0, f"gantry check: {done.stdout[-1000:]} {done.stderr[-1000:]}")
        drafts = os.listdir(data / "drafts")
        expect(not drafts, f"{len(drafts)} drafts are left")
        shutil.rmtree(data)
        return done.stdout.split(", ")[0]

    def all_at_once(self, count, work):
        failures = []

        def run(number):
            try:
                work(number)
            except (OSError, HTTPException, NotBorne, ValueError, KeyError) as why:
                failures.append(f"sender {number}: {type(why).__name__} {why}")
        threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        expect(not failures, "; ".join(failures[:3]))

    # The loads.

    def senders(self, name, study_of):
        senders, posts, each = 64, 2 if self.small else 10, 3 if self.small else 10
        self.start()

        def work(number):
            instances, link = Instances(*study_of(number), rows=64, columns=64), self.server.connection(300)
            for _ in range(posts):
                answer = self.server.store([instances.next()[1] for _ in range(each)], connection=link)
                expect(answer.status == 200 and outcome(answer) == (each, 0), repr(answer))
        self.all_at_once(senders, work)
        count = senders * posts * each
        rows = self.server.get("/studies?includefield=00201208&limit=1000", JSON).json()
        found = sum(int(gantry.value(r, "00201208")) for r in rows)
        expect(found == count + 1, f"{found - 1} instances are found of {count}")
        # A POST under way has two blocks of 256 KiB, one batch in memory and its share of the workers.
        self.tell(name, f"{count} instances in {senders * posts} POSTs", count, 256)
        self.stop()

    def one_study(self):
        self.senders("one-study", lambda n: (uid(os.getpid(), 901), uid(os.getpid(), 901, 1)))

    def many_studies(self):
        self.senders("64-studies", lambda n: (uid(os.getpid(), 902, n + 1), uid(os.getpid(), 902, n + 1, 1)))

    def stream(self, pieces, size=None, rate=None, link=None):
        """One POST whose body is made while it is sent; returns the answer."""
        link = link or self.server.connection(3600)
        link.putrequest("POST", self.server.base + "/studies")
        link.putheader("Content-Type", 'multipart/related; type="application/dicom"; boundary=B')
        link.putheader("Accept", "application/dicom+json")
        if size is None:
            link.putheader("Transfer-Encoding", "chunked")
        else:
            link.putheader("Content-Length", str(size))
        link.endheaders()
        for piece in pieces:
            link.send(piece if size is not None else b"%x\r\n%s\r\n" % (len(piece), piece))
            if rate:
                time.sleep(len(piece) / rate)
        if size is None:
            link.send(b"0\r\n\r\n")
        answer = link.getresponse()
        return gantry.Answer(answer.status, answer.headers, answer.read())

    def stream_watched(self, pieces):
        """As `stream`, and how far the process' own memory rose (MB). Whenever the series is at rest a while its metadata are packed,
        out of a catalog that is mapped into memory: those pages are the kernel's cache, and the more the slower the sender."""
        ended, highest, idle = threading.Event(), [0], self.server.memory("RssAnon")

        def watch():
            while not ended.wait(0.02):
                highest[0] = max(highest[0], self.server.memory("RssAnon") - idle)
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            answer = self.stream(pieces)
        finally:
            ended.set()
            watcher.join()
        return answer, highest[0] / MB

    def parts(self, count, broken_every=None):
        instances, gathered, held = Instances(uid(os.getpid(), 903), uid(os.getpid(), 903, 1)), [], 0
        for n in range(1, count + 1):
            file = instances.next()[1]
            if broken_every and n % broken_every == 0:
                file = file[:200] if n % (2 * broken_every) else b"no DICOM at all"
            gathered.append(b"--B" + PART + file + b"\r\n")
            held += len(gathered[-1])
            if held > 256 * 1024:
                yield b"".join(gathered)
                gathered, held = [], 0
        yield b"".join(gathered) + b"--B--\r\n"

    def many_parts(self):
        count = 3000 if self.small else 100_000
        self.start()
        answer, own = self.stream_watched(self.parts(count))
        expect(answer.status == 200 and outcome(answer) == (count, 0), f"{answer.status} {outcome(answer)}")
        self.tell("many-parts", f"{count} parts in one POST", count, 40, own)
        self.stop()

    def broken_parts(self):
        count = 500 if self.small else 10_000
        self.start()
        answer, own = self.stream_watched(self.parts(count, broken_every=10))
        told = answer.json()
        stored, failed = outcome(answer)
        failed += len(told.get("00081192", {}).get("Value", [])) if "00081192" in told else 0
        other = len(told.get("0008119A", {}).get("Value", []))
        expect(answer.status == 202 and stored == count - count // 10 and failed + other == count // 10,
               f"{answer.status}: {stored} stored, {failed} and {other} failed of {count}")
        self.tell("broken-parts", f"{count} parts, every tenth broken", count, 40, own)
        expect(self.stop() == f"{stored + 1:,} instances", "what was stored is not what was told")

    def huge(self):
        """One instance: native pixels without an end that a reader would have to look for; sizes over 4 GB encapsulated."""
        fragment = 200 * MB if self.small else 2000 * MB
        fragments = 1 if self.small else 5
        head = make_dicom(syntax="1.2.840.10008.1.2.4.50", encapsulated=[b"\xff\xd8\xff\xd9"], rows=4096, columns=4096)
        at = head.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
        size_of = len(b"--B" + PART) + at + 8 + fragments * (8 + fragment) + 8 + len(b"\r\n--B--\r\n")
        piece = os.urandom(MB)

        def pieces():
            yield b"--B" + PART + head[:at] + b"\xfe\xff\x00\xe0\0\0\0\0"
            for _ in range(fragments):
                yield b"\xfe\xff\x00\xe0" + fragment.to_bytes(4, "little")
                for _ in range(fragment // MB):
                    yield piece
            yield b"\xfe\xff\xdd\xe0\0\0\0\0\r\n--B--\r\n"
        self.start()
        answer = self.stream(pieces(), size_of)
        expect(answer.status == 200, repr(answer))
        link = self.server.connection(600)
        link.request("GET", self.server.base + path_of(head), headers=DICOM)
        got, read = link.getresponse(), 0
        while chunk := got.read(MB):
            read += len(chunk)
        expect(got.status == 200 and read == size_of - len(b"--B" + PART) - len(b"\r\n--B--\r\n"), f"{got.status}, {read} bytes")
        self.tell("huge", f"one instance of {size_of / 1e9:.1f} GB, in and out again", 1, 40)
        self.stop()

    def two_gigabytes(self):
        count = (64 if self.small else 2047)
        self.start()
        head = make_dicom(rows=8, columns=8)[:-(128 + 4)]
        tail = b"\r\n--B--\r\n"
        piece = os.urandom(MB)

        def pieces():
            yield b"--B" + PART + head + (count * MB).to_bytes(4, "little")
            for _ in range(count):
                yield piece
            yield tail
        answer = self.stream(pieces())
        expect(answer.status == 200, repr(answer))
        self.tell("2-gb-post", f"one instance of {count} MB, chunked", 1, 40)
        self.stop()

    def parallel_posts(self):
        """64 large POSTs at once: no more memory than the budget for blocks."""
        each = 4 if self.small else 64
        budget = 64 * MB
        self.start("--block-budget", str(budget))
        piece = os.urandom(MB)

        def work(number):
            head = make_dicom(rows=8, columns=8)[:-(128 + 4)]

            def pieces():
                yield b"--B" + PART + head + (each * MB).to_bytes(4, "little")
                for _ in range(each):
                    yield piece
                yield b"\r\n--B--\r\n"
            answer = self.stream(pieces())
            expect(answer.status == 200, repr(answer))
        self.all_at_once(64, work)
        self.tell("64-parallel-posts", f"64 instances of {each} MB at once, block_budget 64 MB", 64, budget // MB)
        self.stop()

    def slow_beside_fast(self):
        seconds = 5 if self.small else 60
        self.start()
        done = threading.Event()
        told = []

        def slow():
            file = make_dicom(rows=int(seconds * 1024 / 64) + 1, columns=32)
            body = b"--B" + PART + file + b"\r\n--B--\r\n"
            answer = self.stream((body[i:i + 256] for i in range(0, len(body), 256)), len(body), rate=1024)
            told.append((answer.status, outcome(answer)))
            done.set()
        counts = []

        def fast(number):
            instances, link, count = Instances(uid(os.getpid(), 904, number + 1), uid(os.getpid(), 904, number + 1, 1), 512, 256), \
                self.server.connection(300), 0
            while not done.is_set():
                answer = self.server.store([instances.next()[1]], connection=link)
                expect(answer.status == 200, repr(answer))
                count += 1
                if self.small:
                    time.sleep(0.01)
            counts.append(count)
        slow_one = threading.Thread(target=slow)
        slow_one.start()
        self.all_at_once(4, fast)
        slow_one.join()
        expect(told == [(200, (1, 0))], f"the slow one: {told}")
        self.tell("slow-beside-fast", f"one sender at 1 KB/s, {sum(counts)} instances of four others beside it", sum(counts), 100)
        self.stop()

    def vanishing(self):
        rounds = 40 if self.small else 1000
        self.start()
        before = len(list(self.server.folder.glob("objects/*/*.dcm")))

        def work(number):
            for n in range(number, rounds, 16):
                file = make_dicom(rows=256, columns=512)
                body, kind = multipart([make_dicom(), file])
                link = self.server.connection(60)
                link.connect()
                cut = [len(body) // 2, len(body) - 10, 300, len(body) - len(file) - 5][n % 4]
                link.sock.sendall((f"POST {self.server.base}/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
                                   f"Content-Length: {len(body)}\r\n\r\n").encode() + body[:cut])
                link.sock.close()
        self.all_at_once(16, work)
        deadline = time.monotonic() + 60
        while os.listdir(self.server.folder / "drafts") and time.monotonic() < deadline:
            time.sleep(0.1)
        left = len(list(self.server.folder.glob("objects/*/*.dcm"))) - before
        expect(left == 0, f"{left} instances of senders that had no answer are there")
        expect(self.server.store([make_dicom()]).status == 200, "nothing is stored afterwards")
        self.tell("vanishing", f"{rounds} senders that vanished", 0, 100)
        self.stop()

    def backpressure(self):
        """Far more senders than a worker and its queue can serve: those under way are slowed, new ones are told to come later."""
        seconds = 2 if self.small else 20
        self.start("--workers", "1", "--worker-queue", "16")
        study, series = uid(os.getpid(), 905), uid(os.getpid(), 905, 1)
        body, kind = multipart([make_dicom(study=study, series=series, instance="1.2.826.0.1.3680043.10.1081.7.199999999999",
                                           rows=256, columns=256)])
        file = self.folder / "body"
        file.write_bytes(body)
        told = self.load(seconds, [self.server.base + "/studies"], "Accept: application/dicom+json", 128, "--header",
                         "Content-Type: " + kind, "--body", str(file), "--stamp-base", "1000")
        stored, refused = told["statuses"].get("200", 0), told["statuses"].get("503", 0)
        expect(set(told["statuses"]) <= {"200", "503"}, str(told))
        expect(stored > 0 and refused > 0, f"{stored} stored, {refused} refused")
        rows = self.server.get(f"/studies?StudyInstanceUID={study}&includefield=00201208", JSON).json()
        found = int(gantry.value(rows[0], "00201208"))
        expect(stored <= found <= stored + 128, f"{found} are found, {stored} were acknowledged")
        self.tell("backpressure", f"128 senders to one worker: {stored} stored, {refused} times 503", stored, 100)
        self.stop()

    def load(self, seconds, paths, header, connections=2, *more):
        file = self.folder / "paths"
        file.write_text("".join(p + "\n" for p in paths))
        command = [self.options.load, "--port", str(self.server.port), "--connections", str(connections), "--seconds", str(seconds),
                   "--paths", str(file), "--header", header, *more]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    def retrieval_during_ingest(self):
        """Frames are fetched by turns at idle, while four senders store, and while they store in another server: what the
        processors and the disk do to them whoever takes the studies in. The slowest hundredth of each."""
        rounds, seconds = (1, 1) if self.small else (6, 4)
        self.start()
        other = Server(data=self.folder / "other")
        instances = Instances(uid(os.getpid(), 906), uid(os.getpid(), 906, 1), 512, 512)
        files = [instances.next()[1] for _ in range(40)]
        expect(self.server.store(files).status == 200, "the sample")
        paths = [self.server.base + path_of(f) + "/frames/1" for f in files]
        header = "Accept: multipart/related; type=application/octet-stream; transfer-syntax=*"
        turns = {"idle": None, "here": self.server, "other": other}
        taking, ended, counts = [None], threading.Event(), []

        def send(number):
            own, links, count = Instances(uid(os.getpid(), 907, number + 1), uid(os.getpid(), 907, number + 1, 1), 512, 512), {}, 0
            while not ended.is_set():
                server = taking[0]
                if server is None:
                    time.sleep(0.02)
                    continue
                link = links.setdefault(server.port, None) or server.connection(300)
                links[server.port] = link
                expect(server.store([own.next()[1]], connection=link).status == 200, "a sender")
                count += server is self.server
            counts.append(count)
        senders = [threading.Thread(target=send, args=(n,)) for n in range(4)]
        [t.start() for t in senders]
        runs = {name: [] for name in turns}
        try:
            for _ in range(rounds):
                for name, server in turns.items():
                    taking[0] = server
                    time.sleep(0.3)
                    runs[name].append(self.load(seconds, paths, header))
        finally:
            ended.set()
            [t.join() for t in senders]
            other.stop()
        expect(all(r["failed"] == 0 for name in runs for r in runs[name]), f"{runs}")
        p99, p50 = ({name: statistics.median(r[what] for r in runs[name]) for name in runs} for what in ("p99_ms", "p50_ms"))
        self.tell("retrieve-during-ingest", f"frames p99 {p99['here']:.1f} ms among {sum(counts)} stores, {p99['idle']:.1f} ms idle"
                  f" ({p99['here'] / max(p99['idle'], 0.001):.1f} x), {p99['other']:.1f} ms while another server stores;"
                  f" p50 {p50['here']:.1f}, {p50['idle']:.1f} and {p50['other']:.1f}", 0, 256)
        self.stop()

    def run(self):
        loads = [self.one_study, self.many_studies, self.many_parts, self.broken_parts, self.huge, self.two_gigabytes, self.parallel_posts,
                 self.slow_beside_fast, self.vanishing, self.backpressure, self.retrieval_during_ingest]
        borne, failed = 0, 0
        for load in loads:
            if self.options.only and self.options.only not in load.__name__:
                continue
            try:
                load()
                borne += 1
            except (NotBorne, OSError, HTTPException, ssl.SSLError, AssertionError) as why:
                failed += 1
                print(f"NOT BORNE {load.__name__}: {why}", flush=True)
                try:
                    if self.server.process:
                        self.server.stop()
                except AssertionError as more:
                    print(more)
                shutil.rmtree(self.server.folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        print(f"{borne} passed, {failed} failed")
        return 1 if failed or not borne else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", help="where data are kept; the disk that is loaded")
    parser.add_argument("--binary", default=os.environ.get("GANTRY_BINARY", str(HERE.parent / "build/bench/gantry")))
    parser.add_argument("--load", default=str(HERE.parent / "build/bench/bench/bench_load"))
    options = parser.parse_args()
    gantry.BINARY = options.binary
    sys.exit(Soak(options).run())


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Does a store cost more in a large archive? Fills one with generated small objects through `gantry import`, then stores and
searches in it and in an empty one by turns: CPU an instance, and of a search, and their ratios.

  bench/million.py [--count 1000000] [--rounds 3] [--seconds 3] [--keep DIR] [--binary FILE] [--load FILE]

--keep: a folder that has, or gets, the filled archive, for further runs.
"""
import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/web"))
sys.path.insert(0, str(HERE))
import gantry  # noqa: E402
import make_data as data  # noqa: E402
from gantry import Server, make_dicom  # noqa: E402
from run import JSON  # noqa: E402
from servers import cpu_of  # noqa: E402

PER_STUDY, STUDIES_PER_FOLDER = 200, 100
ROOT = data.ROOT + ".9"


def scattered(at):
    """Ten digits, each `at` below nine thousand million its own, in no order: as UIDs of real archives come."""
    return 10 ** 9 + at * 7654321 % (9 * 10 ** 9)


def generate(count, folder):
    """One series a study, one patient a study."""
    numbers = {name: f"{ROOT}.{n}.8000000001" for n, name in enumerate(("study", "series", "instance"), 1)}
    one = make_dicom(**numbers, rows=8, columns=8, PatientID="Q800000001", PatientName="Many^P800000001", BodyPartExamined="CHEST")
    for at in range(count):
        study = at // PER_STUDY
        if at % PER_STUDY == 0:
            below = folder / f"{study // STUDIES_PER_FOLDER:04}" / f"{study:06}"
            below.mkdir(parents=True)
            of_study = one
            for name in ("study", "series"):
                new = numbers[name].replace("8000000001", str(8000000001 + study))
                of_study = of_study.replace(numbers[name].encode(), new.encode())
            of_study = of_study.replace(b"Q800000001", b"Q%d" % (800000001 + study)).replace(b"P800000001", b"P%d" % (800000001 + study))
        new = numbers["instance"].replace("8000000001", str(scattered(at)))
        (below / f"{at:07}.dcm").write_bytes(of_study.replace(numbers["instance"].encode(), new.encode()))


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder, self.stamp = options, folder, int(time.time()) * 1000
        body, self.kind = data.multipart([data.image(f"{data.ROOT}.5.299999999999", f"{data.ROOT}.6.299999999999",
                                                     f"{data.ROOT}.7.199999999999", 16, 16)])
        (folder / "body").write_bytes(body)

    def load(self, server, paths, *more):
        (self.folder / "paths").write_text("".join(p + "\n" for p in paths))
        before = cpu_of([server.process.pid])
        told = subprocess.run([self.options.load, "--port", str(server.port), "--connections", "8", "--seconds", str(self.options.seconds),
                               "--paths", str(self.folder / "paths"), "--header", JSON, *more], check=True, stdout=subprocess.PIPE)
        result = gantry.json.loads(told.stdout)
        if result["failed"]:
            raise SystemExit(f"requests failed: {result}")
        return (cpu_of([server.process.pid]) - before) / result["requests"] * 1000

    def store(self, server):
        self.stamp += 10_000_000
        return self.load(server, ["/dicom-web/studies"], "--header", "Content-Type: " + self.kind, "--body", str(self.folder / "body"),
                         "--stamp-base", str(self.stamp % 10 ** 10))

    def search(self, server, query):
        return self.load(server, [f"/dicom-web/studies?{query}"])

    def run(self, filled, empty):
        # Something to find in the small one, too.
        empty.store([make_dicom(PatientID="Q800000001") for _ in range(30)])
        rows = [("store, 4 KB", self.store), ("search by PatientID", lambda s: self.search(s, "PatientID=Q800000001")),
                ("search, newest 25", lambda s: self.search(s, "limit=25"))]
        for name, row in rows:
            pairs = [(row(empty), row(filled)) for _ in range(self.options.rounds + 1)][1:]
            print(f"{name:22} {statistics.median(a for a, _ in pairs):.3f} ms of CPU in an archive of few, "
                  f"{statistics.median(b for _, b in pairs):.3f} ms in one of {self.options.count:,}: "
                  f"{statistics.median(b / a for a, b in pairs):.2f} x", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--keep")
    parser.add_argument("--binary", default=str(HERE.parent / "build/bench/gantry"))
    parser.add_argument("--load", default=str(HERE.parent / "build/bench/bench/bench_load"))
    options = parser.parse_args()
    gantry.BINARY = options.binary
    with tempfile.TemporaryDirectory(prefix="gantry-million-", dir=options.keep) as name:
        folder = Path(name)
        archive = Path(options.keep or name) / "archive"
        if not archive.exists():
            generate(options.count, folder / "tree")
            began = time.monotonic()
            subprocess.run([options.binary, "import", "--data", str(archive), "--import-by", "link", str(folder / "tree")], check=True)
            print(f"import: {options.count:,} files by hard link in {time.monotonic() - began:.0f} s", flush=True)
        filled, empty = Server(data=archive), Server(data=folder / "empty")
        try:
            Bench(options, folder).run(filled, empty)
        finally:
            filled.stop()
            empty.stop()


if __name__ == "__main__":
    main()

"""What the libraries take on the machine that the aims were set on, and what this machine takes for the same (bench/yardstick.c):
so that an aim in milliseconds can be judged on a machine that is slower, or busy. Quotients are estimates and are told as such.

A frame `(file, rows, columns, samples)` is what the row's requests are about, where the library's work is the frame's: rows whose
frames are harder to code than the figures' was are judged by the library's own time for them too.
"""
import json
import statistics
import subprocess
from pathlib import Path

# CPU ms of one call, best of repeats, one thread; coded size as a part of 16 bits a sample. Measured before the first line of
# Gantry was written, by small programs with Debian 12's packages, on two virtual AMD EPYC cores (AVX2, AVX-512), in one go: a
# CT of 512 x 512 with 12 bits stored, the same as RGB (4:2:2), a DX of 2048 x 2500; JPEG with quality 90. DCMTK's figure has
# its data set's share in it, of which ours has none: its factor errs to our disadvantage.
YARDSTICKS = {
    "libjpeg-turbo.grey.encode": (0.34, 17.8), "libjpeg-turbo.grey.decode": (0.18, 17.8),
    "libjpeg-turbo.rgb.encode": (0.48, 43.7), "libjpeg-turbo.rgb.decode": (0.33, 43.7),
    "libjpeg-turbo.dx.encode": (7.3, 24.6),
    "dcmtk-ijg.lossless.decode": (1.79, 4.09),
    "charls.encode": (4.4, 5.64), "charls.decode": (3.7, 5.64),
    "openjpeg.decode": (18.6, 5.03),
    "openjph.encode": (2.2, 4.72), "openjph.decode": (0.83, 4.72),
}
# Of a row: the yardstick that is most like its work (ALL: the median of all), and the CPU ms aimed at on that machine.
ALL = "all"
ROWS = {
    ("transcode.ct.jpeg-ls-to-native", 1): ("charls.decode", 4.2),
    ("transcode.ct.htj2k-to-native", 1): ("openjph.decode", 1.3),
    ("transcode.ct.j2k-to-native", 1): ("openjpeg.decode", 20),
    ("transcode.ct.jpeg-lossless-to-native", 1): ("dcmtk-ijg.lossless.decode", 2.5),
    ("transcode.ct.native-to-htj2k", 1): ("openjph.encode", 3),
    ("transcode.ct.native-to-jpeg-ls", 1): ("charls.encode", 5.2),
    ("transcode.cine.native-to-jpeg", 1): ("libjpeg-turbo.rgb.encode", 1.5),
    ("transcode.cine.native-to-jpeg", 4): ("libjpeg-turbo.rgb.encode", 1.5),
    ("rendered.ct.jpeg", 4): ("libjpeg-turbo.grey.encode", 0.75),
    ("rendered.ct.png", 4): (ALL, 6),
    ("rendered.dx.jpeg", 4): ("libjpeg-turbo.dx.encode", 14),
    ("rendered.frame.enhanced.jpeg", 4): ("libjpeg-turbo.grey.encode", 1.0),
    ("thumbnail.dx", 4): (ALL, 6),
}


def frame_file(file, pixels, rows, columns, samples):
    """What bench_yardstick is given to time a library on a row's own frame."""
    file.write_bytes(pixels)
    return file, rows, columns, samples


class Yardsticks:
    def __init__(self, program, milliseconds):
        self.program, self.milliseconds = Path(program), milliseconds
        self.factors = {name: [] for name in YARDSTICKS}
        self.seen = []

    def call(self, name, *frame):
        return json.loads(subprocess.run([self.program, name, str(self.milliseconds), *map(str, frame)], check=True, capture_output=True).stdout)

    def of(self, row, connections):
        """The yardsticks that a turn of the row is measured beside."""
        name = ROWS.get((row, connections), (None,))[0]
        return list(YARDSTICKS) if name == ALL else [name] if name else []

    def turn(self, row, connections, frame):
        """One look, between the row's own turns: the factors of this moment, and the library's time for the row's own frame."""
        names, own = self.of(row, connections), None
        factors = [self.call(name)["ms"] / YARDSTICKS[name][0] for name in names]
        for name, factor in zip(names, factors):
            self.factors[name].append(factor)
        if frame and len(names) == 1:
            own = self.call(names[0], *frame)["ms"]
        return {"factor": statistics.median(factors), "own_ms": own} if factors else None

    def judge(self, row, turns):
        """`turns`: what turn() gave beside the row's."""
        if not turns:
            return
        name, aim = ROWS[row["name"], row["connections"]]
        factor = statistics.median(turn["factor"] for turn in turns)
        judged = {"yardstick": name, "aim_ms": aim, "factor": factor, "by_machine_ms": row["gantry"]["cpu_ms"] / factor}
        if turns[0]["own_ms"]:
            judged["library_ms"] = statistics.median(turn["own_ms"] for turn in turns)
            judged["by_library_ms"] = row["gantry"]["cpu_ms"] / judged["library_ms"] * YARDSTICKS[name][0]
        row["judged"] = judged
        self.seen.append((row, judged))

    def report(self):
        if not self.seen:
            return
        print("machine factors: this machine's time for a library's call by the reference machine's, for the same kind of frame")
        for name, factors in self.factors.items():
            if factors:
                print(f"  {name:28} {statistics.median(factors):5.2f}  (from {min(factors):.2f} to {max(factors):.2f})")
        print("pixel rows, CPU ms. Estimates of the reference machine's: by the machine factor; by what the library alone takes here for the row's own frame\n"
              f"  {'':36} {'here':>8} {'factor':>7} {'estimate':>9}   {'library':>8} {'estimate':>9}   {'aim':>6}")
        for row, judged in self.seen:
            own = f"{judged['library_ms']:8.3f} {judged['by_library_ms']:9.3f}" if "library_ms" in judged else f"{'':18}"
            met = [judged[key] <= judged["aim_ms"] for key in ("by_machine_ms", "by_library_ms") if key in judged]
            verdict = "met" if all(met) else "by the library met" if met[-1] else "by the factor met" if any(met) else "missed"
            print(f"  {row['name'] + ' c' + str(row['connections']):36} {row['gantry']['cpu_ms']:8.3f} {judged['factor']:7.2f} {judged['by_machine_ms']:9.3f}   "
                  f"{own}   {judged['aim_ms']:6.2f} {verdict}", flush=True)

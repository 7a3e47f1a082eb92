"""Instances, frames and studies in other transfer syntaxes than they are stored in, with DCMTK, GDCM and pydicom as
judges: what they made is decoded here, what is made here they decode. Lossless is bit by bit."""
import csv
import io
import math
import os
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import numpy
from gantry import ServerCase, make_dicom, path_of, uids_of

ROOT = "1.2.840.10008.1.2"
NATIVE = ROOT + ".1"
LOSSLESS = [".4.57", ".4.70", ".4.80", ".4.90", ".4.110", ".4.201", ".4.202", ".5", ".8.1"]
LOSSY = {".4.50": "ISO_10918_1", ".4.51": "ISO_10918_1", ".4.81": "ISO_14495_1", ".4.91": "ISO_15444_1",
         ".4.203": "ISO_15444_15", ".4.112": "ISO_18181_1"}
# Who else can decode it, and how.
JUDGES = {".4.50": ["dcmdjpeg"], ".4.51": ["dcmdjpeg"], ".4.57": ["dcmdjpeg", "gdcm"], ".4.70": ["dcmdjpeg", "gdcm"],
          ".4.80": ["dcmdjpls", "gdcm"], ".4.81": ["dcmdjpls"], ".4.90": ["gdcm"], ".4.91": ["gdcm"], ".5": ["dcmdrle", "gdcm", "pydicom"]}
MAKERS = {"dcmcjpeg": ["dcmcjpeg", "+e1"], "dcmcjpeg any predictor": ["dcmcjpeg", "+el", "+sv", "6"], "dcmcjpls": ["dcmcjpls"],
          "dcmcrle": ["dcmcrle"], "gdcm j2k": ["gdcmconv", "--j2k"], "gdcm jpegls": ["gdcmconv", "--jpegls"],
          "gdcm jpeg": ["gdcmconv", "--jpeg"], "gdcm rle": ["gdcmconv", "--rle"]}


def image(rows, columns, samples=1, bits=12, signed=False, frames=1, planar=0, allocated=None):
    """A smooth field with edges and noise, as an array and as a file."""
    allocated = allocated or (8 if bits <= 8 else 16)
    random = numpy.random.default_rng(rows * columns + bits + samples)
    y, x = numpy.mgrid[0:rows, 0:columns]
    top = 1 << bits
    planes = []
    for f in range(frames):
        for s in range(samples):
            field = (y * (3 + s) + x * 2 + 20 * f) * top / (8 * (rows + columns) + 40 * frames)
            field = field + numpy.where((x // 8 + y // 8) % 5 == 0, top / 6, 0) + random.integers(0, max(1, top // 64), (rows, columns))
            planes.append(numpy.clip(field, 0, top - 1) - (top // 2 if signed else 0))
    kind = numpy.dtype(("i" if signed else "u") + str(allocated // 8))
    array = numpy.array(planes).reshape(frames, samples, rows, columns).astype(kind)
    shown = array.transpose(0, 2, 3, 1)  # frame, row, column, sample
    data = (array if planar else shown).tobytes()
    extra = {"PlanarConfiguration": planar} if samples > 1 else {}
    file = make_dicom(rows=rows, columns=columns, frames=frames, pixels=data + b"\0" * (len(data) % 2), SamplesPerPixel=samples,
                      BitsAllocated=allocated, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=int(signed),
                      PhotometricInterpretation="RGB" if samples == 3 else "MONOCHROME2", WindowCenter="40", WindowWidth="400", **extra)
    return shown, file


IMAGES = {"CT": image(64, 96, bits=12, signed=True), "unsigned": image(37, 61, bits=12), "bytes": image(64, 64, bits=8),
          "words": image(33, 40, bits=16), "RGB": image(48, 56, samples=3, bits=8), "planes": image(48, 57, samples=3, bits=8, planar=1),
          "cine": image(32, 48, bits=8, frames=5), "colour cine": image(32, 47, samples=3, bits=8, frames=3)}


def read(file):
    from pydicom import dcmread
    return dcmread(io.BytesIO(file))


def samples_of(ds):
    """Native samples: frame, row, column, sample."""
    frames, rows, columns, samples = int(ds.get("NumberOfFrames", 1)), ds.Rows, ds.Columns, ds.SamplesPerPixel
    kind = numpy.dtype(("<i" if ds.PixelRepresentation else "<u") + str(ds.BitsAllocated // 8))
    array = numpy.frombuffer(ds.PixelData[:frames * rows * columns * samples * ds.BitsAllocated // 8], kind)
    if ds.get("PlanarConfiguration", 0) == 1 and samples > 1:
        return array.reshape(frames, samples, rows, columns).transpose(0, 2, 3, 1)
    return array.reshape(frames, rows, columns, samples)


def judged(judge, file):
    """What another makes of a compressed file."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.dcm"), Path(folder, "out.dcm")
        source.write_bytes(file)
        if judge == "pydicom":
            ds = read(file)
            array = ds.pixel_array  # by Pillow where it is JPEG 2000
            return array.reshape(int(ds.get("NumberOfFrames", 1)), ds.Rows, ds.Columns, ds.SamplesPerPixel)
        command = ["gdcmconv", "--raw", source, target] if judge == "gdcm" else [judge, source, target]
        done = subprocess.run(command, capture_output=True)
        if done.returncode or not target.exists():
            raise AssertionError(f"{judge}: {done.stdout} {done.stderr}")
        return samples_of(read(target.read_bytes()))


def off_by(a, b):
    return int(numpy.abs(a.astype(numpy.int64) - b.astype(numpy.int64)).max())


class Transcoding(ServerCase):
    def instance(self, file, syntax):
        return self.server.get(path_of(file), {"Accept": f"application/dicom; transfer-syntax={ROOT}{syntax}"})

    def test_NEG_34_NEG_38_what_is_made_here_others_decode(self):
        checked = set()
        for name, (array, file) in IMAGES.items():
            self.server.store([file])
            for syntax in LOSSLESS + list(LOSSY):
                with self.subTest(name, syntax=syntax):
                    answer = self.instance(file, syntax)
                    if answer.status == 406:
                        self.assertIn(syntax, LOSSY)  # not every one has a lossy form
                        continue
                    self.assertStatus(answer, 200)
                    ds = read(answer.body)
                    self.assertEqual(str(ds.file_meta.TransferSyntaxUID), ROOT + syntax)
                    self.assertEqual(str(ds.SOPInstanceUID), uids_of(file)[2])
                    self.check_description(ds, read(file), syntax, array)
                    for judge in JUDGES.get(syntax, []):
                        if judge == "gdcm" and syntax in (".4.57", ".4.70") and array.shape[3] == 3:
                            continue  # GDCM turns colours of lossless JPEG over
                        got = judged(judge, answer.body)
                        limit = 0 if syntax in LOSSLESS else (1 << ds.BitsStored) // (3 if array.shape[3] == 3 else 8)
                        self.assertLessEqual(off_by(got, array), limit, judge)
                        checked.add((syntax, judge))
        self.assertGreaterEqual(len(checked), 12, checked)

    def check_description(self, ds, was, syntax, array):
        colour = array.shape[3] == 3
        if colour:
            want = {".4.50": "YBR_FULL_422", ".4.51": "YBR_FULL_422", ".4.90": "YBR_RCT", ".4.201": "YBR_RCT", ".4.202": "YBR_RCT", ".4.91": "YBR_ICT",
                    ".4.203": "YBR_ICT"}.get(syntax, "RGB")
            self.assertEqual(ds.PhotometricInterpretation, want)
            planar = was.PlanarConfiguration if syntax == ".8.1" else 1 if syntax == ".5" else 0
            self.assertEqual(ds.PlanarConfiguration, planar)
        self.assertEqual(ds.HighBit, ds.BitsStored - 1)
        self.assertTrue(ds["PixelData"].is_undefined_length)
        if syntax in LOSSLESS:
            self.assertNotIn("LossyImageCompression", ds)
        else:
            self.assertEqual(ds.LossyImageCompression, "01")
            self.assertEqual(ds.LossyImageCompressionMethod, LOSSY[syntax])
            self.assertGreater(float(ds.LossyImageCompressionRatio), 1)
            self.assertIn("Lossy compression", ds.DerivationDescription)
        for element in was:
            if element.tag.group != 0x7FE0 and element.keyword not in ("PhotometricInterpretation", "PlanarConfiguration", "BitsStored", "HighBit"):
                self.assertEqual(ds[element.tag].value, element.value, element.keyword)

    def test_TSX_02_NEG_31_what_others_made_is_decoded_bit_by_bit(self):
        decoded = set()
        for name, (array, file) in IMAGES.items():
            for maker, command in MAKERS.items():
                with self.subTest(name, maker=maker), tempfile.TemporaryDirectory() as folder:
                    source, target = Path(folder, "in.dcm"), Path(folder, "out.dcm")
                    source.write_bytes(file)
                    if subprocess.run(command + [source, target], capture_output=True).returncode or not target.exists():
                        continue  # not every maker knows every kind
                    made = target.read_bytes()
                    if read(made).file_meta.TransferSyntaxUID == NATIVE:
                        continue
                    self.server.call("DELETE", path_of(file))
                    self.server.store([made])
                    answer = self.assertStatus(self.server.get(path_of(made), {"Accept": "application/dicom"}), 200)
                    ds = read(answer.body)
                    self.assertEqual(str(ds.file_meta.TransferSyntaxUID), NATIVE)
                    self.assertEqual(off_by(samples_of(ds), array), 0)
                    frame = self.assertStatus(self.server.get(path_of(made) + "/frames/1", {"Accept": "application/octet-stream"}), 200)
                    size = math.prod(array.shape[1:]) * ds.BitsAllocated // 8
                    self.assertEqual(frame.body, ds.PixelData[:size])
                    decoded.add(maker)
                    self.server.call("DELETE", path_of(made))
        self.assertEqual(decoded, set(MAKERS))

    def test_TSX_14_a_jpeg_goes_to_jpeg_xl_and_back_byte_by_byte(self):
        from pydicom.encaps import generate_pixel_data_frame
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "in.dcm"), Path(folder, "out.dcm")
            source.write_bytes(IMAGES["RGB"][1])
            subprocess.run(["dcmcjpeg", "+eb", "+un", source, target], check=True)
            jpeg = target.read_bytes()
        self.server.call("DELETE", path_of(jpeg))
        self.server.store([jpeg])
        recompressed = self.assertStatus(self.instance(jpeg, ".4.111"), 200).body
        self.server.call("DELETE", path_of(jpeg))
        self.server.store([recompressed])
        back = self.assertStatus(self.instance(jpeg, ".4.50"), 200).body
        frames = [next(iter(generate_pixel_data_frame(read(file).PixelData, 1))) for file in (jpeg, back)]
        self.assertEqual(frames[0].rstrip(b"\0"), frames[1].rstrip(b"\0"))
        self.server.call("DELETE", path_of(jpeg))

    def test_a_study_goes_out_as_asked_but_for_what_cannot_be_decoded(self):
        study = uids_of(make_dicom())[0]
        good = [self.file_of(study, ".4.80") for _ in range(3)]
        broken = make_dicom(study=study, syntax=ROOT + ".4.80", encapsulated=[os.urandom(300)])
        native = make_dicom(study=study)
        self.server.store(good + [broken, native])
        answer = self.assertStatus(self.server.get(f"/studies/{study}", {"Accept": "multipart/related; type=\"application/dicom\""}), 200)
        kinds = {}
        for headers, body in answer.parts():
            ds = read(body)
            label = headers["Content-Type"].partition("transfer-syntax=")[2]
            self.assertEqual(label, ds.file_meta.TransferSyntaxUID)
            kinds[str(ds.SOPInstanceUID)] = str(label)
        for file in good + [native]:
            self.assertEqual(kinds[uids_of(file)[2]], NATIVE)
        self.assertEqual(kinds[uids_of(broken)[2]], ROOT + ".4.80")
        alone = self.server.get(path_of(broken), {"Accept": "application/dicom"})
        self.assertStatus(alone, 500)
        self.assertIn(b"cannot be decoded", alone.body)

    def file_of(self, study, syntax):
        array, _ = IMAGES["unsigned"]
        file = make_dicom(study=study, rows=37, columns=61, pixels=array.tobytes() + b"\0" * (array.nbytes % 2), BitsStored=12, HighBit=11)
        self.server.store([file])
        made = self.assertStatus(self.instance(file, syntax), 200).body
        self.server.call("DELETE", path_of(file))
        return made

    def test_TSX_20_a_few_bytes_that_claim_gigabytes_are_refused_at_once(self):
        bombs = {".4.50": b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00", ".4.80": b"\xff\xd8\xff\xf7\x00\x0b\x10\xff\xff\xff\xff\x01\x01\x11\x00",
                 ".4.90": b"\xff\x4f\xff\x51\x00\x29\x00\x00" + b"\0\0\xff\xff" * 2 + b"\0" * 8 + b"\0\0\xff\xff" * 2 + b"\0" * 8 + b"\0\1\x0f\1\1",
                 ".5": bytes([2]) + b"\0\0\0\x40\0\0\0" + b"\0" * 60}
        for syntax, stream in bombs.items():
            with self.subTest(syntax):
                file = make_dicom(rows=65535, columns=65535, syntax=ROOT + syntax, encapsulated=[stream + b"\0" * (900 - len(stream))])
                self.server.store([file])
                before = self.server.memory("VmHWM"), self.server.cpu_seconds()
                for accept in ("application/octet-stream", "image/jphc; transfer-syntax=" + ROOT + ".4.202"):
                    answer = self.server.get(path_of(file) + "/frames/1", {"Accept": accept})
                    self.assertStatus(answer, 413)
                    self.assertRegex(answer.body, b"decode_ceiling|not decoded")
                self.assertLess(self.server.memory("VmHWM") - before[0], 16 << 20)
                self.assertLess(self.server.cpu_seconds() - before[1], 1)
                self.assertStatus(self.server.get(path_of(file) + "/frames/1", {"Accept": "application/octet-stream; transfer-syntax=*"}), 200)

    def test_equal_frames_at_once_are_the_same_and_are_kept(self):
        array, file = image(256, 256, bits=12, frames=4)
        self.server.store([file])
        accept = {"Accept": f"image/jp2; transfer-syntax={ROOT}.4.90"}
        bodies = []

        def ask(frame):
            answer = self.server.get(path_of(file) + f"/frames/{frame}", accept)
            bodies.append((frame, answer.status, answer.headers["ETag"], answer.body))
        threads = [threading.Thread(target=ask, args=(1 + i % 2,)) for i in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({status for _, status, _, _ in bodies}, {200})
        self.assertEqual(len({(frame, etag, body) for frame, _, etag, body in bodies}), 2)
        etag = bodies[0][2]
        held = self.server.get(path_of(file) + f"/frames/{bodies[0][0]}", dict(accept, **{"If-None-Match": etag}))
        self.assertStatus(held, 304)
        part = self.server.get(path_of(file) + "/frames/1", dict(accept, Range="bytes=100-199"))
        self.assertStatus(part, 206)
        whole = next(body for frame, _, _, body in bodies if frame == 1)
        self.assertEqual(part.body, whole[100:200])


    def test_frames_of_what_was_deleted_are_nowhere(self):
        array, file = image(64, 64, bits=12, frames=8)
        self.server.store([file])
        for frame in range(1, 9):
            self.assertStatus(self.server.get(path_of(file) + f"/frames/{frame}", {"Accept": f"image/jls; transfer-syntax={ROOT}.4.80"}), 200)
        self.assertEqual(self.server.call("DELETE", path_of(file)).status, 204)
        self.server.terminate()  # what is in memory would be written now
        stored = {int(path.stem, 16) for path in Path(self.server.folder, "objects").rglob("*.dcm")}
        kept = {int(path.name[:16], 16) for path in Path(self.server.folder, "cache", "frames").iterdir()}
        self.assertLessEqual(kept, stored)
        self.server.start()


@unittest.skipUnless(os.environ.get("GANTRY_TEST_DATA"), "no collection of real files")
class RealFiles(ServerCase):
    def test_every_compressed_file_is_decoded_as_dcmtk_and_gdcm_do(self):
        folder = Path(os.environ["GANTRY_TEST_DATA"])
        compared, refused = 0, []
        with open(folder / "MANIFEST.tsv", newline="") as manifest:
            rows = [row for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE)
                    if row["storable"] == "yes" and row["dcmtk367_reads"] == "yes" and not row["path"].startswith("broken/")
                    and (".4." in row["transfer_syntax"] or row["transfer_syntax"].endswith((".2.5", ".8.1"))) and ".4.10" not in row["transfer_syntax"]]
        for row in rows:
            file = (folder / row["path"]).read_bytes()
            with self.subTest(row["path"]):
                if self.server.store([file]).status != 200:
                    continue  # the collection has several files of some UIDs
                answer = self.server.get(path_of(file), {"Accept": "application/dicom"})
                self.server.call("DELETE", path_of(file))
                decodes = "ok" in (row["dcmtk367_decodes"], row["gdcm3021_decodes"])
                if answer.status != 200:
                    refused.append(row["path"])
                    self.assertFalse(row["dcmtk367_decodes"] == row["gdcm3021_decodes"] == "ok", f"{answer!r} though both decode it")
                    continue
                mine = read(answer.body)
                if not decodes or mine.file_meta.TransferSyntaxUID != NATIVE:
                    continue
                self.compare_rest(read(file), mine)
                mine = samples_of(mine)
                judges = [judge for judge, column in (("dcmdjpeg", "dcmtk367_decodes"), ("gdcm", "gdcm3021_decodes")) if row[column] == "ok"]
                if row["transfer_syntax"].endswith(".2.5"):
                    judges = [judge.replace("dcmdjpeg", "dcmdrle") for judge in judges]
                elif row["transfer_syntax"][-3:] in (".80", ".81"):
                    judges = [judge.replace("dcmdjpeg", "dcmdjpls") for judge in judges]
                if row["path"].endswith("J2K_pixelrep_mismatch.dcm"):
                    judges.append("pydicom")  # GDCM does not put the sign back
                differences = {}
                for judge in judges:
                    try:
                        got = judged(judge, file)
                    except AssertionError:
                        continue
                    differences[judge] = off_by(mine, got) if got.shape == mine.shape else str(got.shape)
                lossy = row["transfer_syntax"].endswith((".50", ".51", ".53", ".55", ".81", ".91", ".203"))
                if differences:
                    compared += 1
                    self.assertTrue(any(isinstance(d, int) and d <= (8 if lossy else 0) for d in differences.values()), differences)
        print(f"{compared} of {len(rows)} files compared; not decoded: {refused}")
        self.assertGreater(compared, 40)

    def compare_rest(self, was, now):
        """All but what describes the pixels says what it said; an icon that was compressed with them is gone."""
        from test_representations import values
        about_pixels = {0x00280004, 0x00280006, 0x7FE00010, 0x7FE00001, 0x7FE00002}
        before = {where: value for where, value in values(was).items() if where[0] not in about_pixels | {0x00880200}}
        after = {where: value for where, value in values(now).items() if where[0] not in about_pixels | {0x00880200}}
        self.assertEqual(set(before), set(after))
        for where, (vr, value) in before.items():
            if after[where] != (vr, value):
                self.assertEqual(repr(after[where]), repr((vr, value)), where)

"""Frames of objects that no collection at hand has: video, extended offset tables, single bits, floats, long slides.
All are generated; each frame is compared with what it was made of."""
import os
import random
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from gantry import BINARY, SLOWER, Server, ServerCase, make_dicom, path_of

ANY = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}
ALONE = {"Accept": "application/octet-stream; transfer-syntax=*"}
JPEG, JLS, MP4, EXPLICIT = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.1"
PIXELS = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def item(data):
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data)) + data


def stream(size, seed):
    return b"\xff\xd8\xff\xe0" + random.Random(seed).randbytes(size - 6).replace(b"\xff", b"\x7f") + b"\xff\xd9"


def encapsulated(fragments, table=b"", before=b"", **more):
    """A file whose pixel data is written here: `fragments` as they are, `before` the element of pixel data."""
    file = make_dicom(encapsulated=[b"\xff\xd8\xff\xd9"], **more)
    head = file[:file.index(PIXELS)]
    return head + before + PIXELS + item(table) + b"".join(item(f) for f in fragments) + END


def extended(offsets, lengths):
    return b"".join(b"\xe0\x7f" + bytes((n, 0)) + b"OV\0\0" + struct.pack("<I", 8 * len(v)) + struct.pack(f"<{len(v)}Q", *v)
                    for n, v in ((1, offsets), (2, lengths)))


class Generated(ServerCase):
    def stored(self, data):
        self.assertStatus(self.server.store([data]), 200)
        return path_of(data) + "/frames/"

    def frame(self, path, n):
        return self.assertStatus(self.server.get(f"{path}{n}", ALONE), 200).body

    def test_RET_50_an_extended_offset_table(self):
        streams = [stream(size, size) for size in (100, 2000, 50, 70_000)]
        offsets, at = [], 0
        for s in streams:
            offsets.append(at)
            at += 8 + len(s)
        path = self.stored(encapsulated(streams, before=extended(offsets, [len(s) for s in streams]), frames=4, syntax=JPEG))
        self.assertEqual([self.frame(path, n) for n in (4, 1, 3, 2)], [streams[n - 1] for n in (4, 1, 3, 2)])

    def test_TSX_05_an_extended_offset_table_that_points_elsewhere_is_left_aside(self):
        streams = [stream(size, size) for size in (100, 2000, 50)]
        path = self.stored(encapsulated(streams, before=extended([0, 7, 3], [1, 1, 1]), frames=3, syntax=JPEG))
        self.assertEqual([self.frame(path, n) for n in (1, 2, 3)], streams)

    def test_RET_50_a_frame_in_many_fragments_with_a_basic_table_and_without(self):
        streams = [stream(size, size) for size in (1000, 3000)]
        pieces = [streams[0][:400], streams[0][400:], streams[1][:10], streams[1][10:2000], streams[1][2000:]]
        table = struct.pack("<2I", 0, 8 + len(pieces[0]) + 8 + len(pieces[1]))
        for given in (table, b""):
            path = self.stored(encapsulated(pieces, table=given, frames=2, syntax=JPEG))
            self.assertEqual([self.frame(path, n) for n in (1, 2)], streams)
            self.assertEqual([p for _, p in self.server.get(path + "2,1,2", ANY).parts()], [streams[1], streams[0], streams[1]])

    def test_RET_42_video_is_one_stream_and_can_be_had_in_ranges(self):
        video = b"\0\0\0\x18ftypmp42" + os.urandom(300_000)
        data = encapsulated([video[:100_000], video[100_000:250_000], video[250_000:]], frames=77, syntax=MP4, rows=480, columns=640)
        path = self.stored(data)
        for target in (path + "1", path_of(data) + "/bulkdata/7FE00010"):
            answer = self.assertStatus(self.server.get(target, {"Accept": "video/mp4"}), 200)
            self.assertEqual(answer.headers["Content-Type"], f"video/mp4; transfer-syntax={MP4}")
            self.assertEqual(answer.body, video)
            part = self.assertStatus(self.server.get(target, {"Accept": "video/mp4", "Range": "bytes=99990-100009"}), 206)
            self.assertEqual(part.body, video[99_990:100_010])
            rest = self.assertStatus(self.server.get(target, {"Accept": "video/*", "Range": "bytes=-7"}), 206)
            self.assertEqual(rest.body, video[-7:])
        self.assertEqual(self.server.get(path + "2", {"Accept": "video/mp4"}).status, 404)

    def test_RET_52_single_bits_begin_on_a_byte(self):
        rows, columns, frames = 5, 7, 9
        bits = random.Random(1).getrandbits(rows * columns * frames)
        packed = bits.to_bytes((rows * columns * frames + 7) // 8, "little")
        path = self.stored(make_dicom(rows=rows, columns=columns, frames=frames, pixels=packed + b"\0" * (len(packed) % 2),
                                      BitsAllocated=1, BitsStored=1, HighBit=0))
        for n in range(1, frames + 1):
            expected = (bits >> (n - 1) * rows * columns) & ((1 << rows * columns) - 1)
            self.assertEqual(int.from_bytes(self.frame(path, n), "little"), expected, n)
            self.assertEqual(len(self.frame(path, n)), (rows * columns + 7) // 8)

    def test_RET_53_floats_and_doubles(self):
        for keyword, bits, letter in (("FloatPixelData", 32, "f"), ("DoubleFloatPixelData", 64, "d")):
            values = [1.5, float("inf"), -0.0, float("nan")] * 8
            raw = struct.pack(f"<{len(values)}{letter}", *values)
            file = make_dicom(rows=4, columns=4, frames=2, pixels=b"", BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1,
                              **{keyword: raw})
            from pydicom import dcmread
            import io
            ds = dcmread(io.BytesIO(file))
            del ds.PixelData
            out = io.BytesIO()
            ds.save_as(out, write_like_original=False)
            path = self.stored(out.getvalue())
            self.assertEqual(self.frame(path, 1) + self.frame(path, 2), raw, keyword)

    def test_RET_57_a_frame_far_within_a_long_slide(self):
        count = 20_000
        streams = [struct.pack("<2sI", b"\xff\xd8", n) + b"\xff\xd9" for n in range(count)]
        path = self.stored(encapsulated(streams, frames=count, syntax=JPEG, rows=16, columns=16))
        for n in (1, 2, 9_999, 19_012, count):
            self.assertEqual(self.frame(path, n), streams[n - 1])
        self.assertEqual(self.server.get(f"{path}{count + 1}", ALONE).status, 404)
        every = ",".join(str(n) for n in range(1, 1501))
        answer = self.assertStatus(self.server.get(path + every, ANY), 200)
        self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
        self.assertEqual([p for _, p in answer.parts()], streams[:1500])

    def test_RET_51_planes_come_as_they_are_stored(self):
        pixels = os.urandom(3 * 6 * 4 * 2)
        path = self.stored(make_dicom(rows=6, columns=4, frames=2, pixels=pixels, SamplesPerPixel=3, BitsAllocated=8, BitsStored=8,
                                      HighBit=7, PlanarConfiguration=1, PhotometricInterpretation="RGB"))
        self.assertEqual(self.frame(path, 1) + self.frame(path, 2), pixels)

    def test_GEN_09_fragments_that_cannot_be_told_apart_are_refused_by_frame_and_kept_whole(self):
        data = encapsulated([b"no stream at all", b"nor here", b"nor there!"], frames=2, syntax=JLS)
        self.server.store([data])
        self.assertIn(self.server.get(path_of(data) + "/frames/1", ANY).status, (404, 406, 500))
        self.assertEqual(self.server.get(path_of(data), {"Accept": "application/dicom; transfer-syntax=*"}).body, data)


class Beyond(unittest.TestCase):
    def test_frames_beyond_four_gigabytes_are_served_by_their_offsets(self):
        """A slide of more bytes than 32 bits count. The file is a hole with heads in it, imported by a link: quick and small on the disk."""
        first, second = 0xFFFFFFF0, stream(5000, 7)
        file = encapsulated([second], syntax=JPEG, frames=2)
        head = file[:file.index(item(second))]
        with tempfile.TemporaryDirectory(prefix="gantry-test-") as name:
            tree, data = Path(name) / "tree", Path(name) / "data"
            tree.mkdir()
            with open(tree / "slide.dcm", "wb") as slide:
                slide.write(head + b"\xfe\xff\x00\xe0" + struct.pack("<I", first) + b"\xff\xd8\xff\xe0")
                slide.seek(len(head) + 8 + first)
                slide.write(item(second) + END)
                size = slide.tell()
            self.assertGreater(size, 1 << 32)
            done = subprocess.run([BINARY, "import", "--data", data, "--import-by", "link", tree], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=300 * SLOWER)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            server = Server(data=data)
            try:
                path = path_of(file)
                self.assertEqual(server.get(path + "/frames/2", ALONE).body, second)
                begin = server.get(path + "/frames/1", {**ALONE, "Range": "bytes=0-3"})
                self.assertEqual((begin.status, begin.body, begin.headers["Content-Range"]), (206, b"\xff\xd8\xff\xe0", f"bytes 0-3/{first}"))
                both = server.call("HEAD", path + "/frames/1,2", headers=ANY)
                self.assertGreater(int(both.headers["Content-Length"]), 1 << 32)
                whole = {"Accept": "application/dicom; transfer-syntax=*"}
                end = server.get(path, {**whole, "Range": f"bytes={1 << 32}-"})
                self.assertEqual((end.status, end.headers["Content-Range"]), (206, f"bytes {1 << 32}-{size - 1}/{size}"))
                self.assertTrue(end.body.endswith(second + END))
            finally:
                server.stop()


if __name__ == "__main__":
    unittest.main()

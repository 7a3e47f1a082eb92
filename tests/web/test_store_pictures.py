"""STOW-RS of metadata with pictures for pixel data: image/png and image/gif become native (PS3.18 Table 10.5.2-1)."""
import io
import json
import os
import struct
import zlib

from gantry import ServerCase, uid, value
from test_store_metadata import EXACT, FAILED, REFERENCED, message, model

SECONDARY_CAPTURE = {"00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]}, "00080060": {"vr": "CS", "Value": ["OT"]}}


def image(mode, columns=33, rows=17):
    from PIL import Image
    if mode == "I;16":
        return Image.frombytes("I;16", (columns, rows), bytes((n * 37) % 251 for n in range(2 * columns * rows)))
    if mode in ("1", "P"):
        return image("RGB", columns, rows).convert(mode)
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (columns, rows), bytes((n * 7 + n // 13) % 256 for n in range(bands * columns * rows)))


def png(picture, **more):
    out = io.BytesIO()
    picture.save(out, "PNG", **more)
    return out.getvalue()


def raw_png(columns, rows, depth, colour, data, interlaced=0):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, interlaced)) +
            chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def gif(pictures, **more):
    out = io.BytesIO()
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], **more)
    return out.getvalue()


def moving_square(count, rows=40, columns=50):
    from PIL import Image, ImageDraw
    made = []
    for n in range(count):
        one = Image.new("RGB", (columns, rows), (10, 20, 30))
        ImageDraw.Draw(one).rectangle((3 * n, 2 * n, 3 * n + 9, 2 * n + 7), fill=(200, 30 * n % 256, 90))
        made.append(one.quantize(16))
    return made


def seen(file):
    """Each frame of a GIF as another reader shows it."""
    from PIL import Image
    picture = Image.open(io.BytesIO(file))
    out = b""
    for n in range(picture.n_frames):
        picture.seek(n)
        out += picture.convert("RGB").tobytes()
    return out


class Pictures(ServerCase):
    number = 0

    def send(self, kind, *files, extra=(), **attributes):
        Pictures.number += 1
        item = model(500 + Pictures.number, **SECONDARY_CAPTURE, **{"7FE00010": {"vr": "OW", "BulkDataURI": "pix"}}, **attributes)
        body, content_type = message([({"Content-Type": "application/dicom+json"}, json.dumps([item, *extra]).encode())] + [
            ({"Content-Type": kind, "Content-Location": "pix"}, file) for file in files], "application/dicom+json")
        return self.server.call("POST", "/studies", body, {"Content-Type": content_type})

    def stored(self, answer):
        from pydicom import dcmread
        url = value(self.assertStatus(answer, 200).json()[REFERENCED]["Value"][0], "00081190").removeprefix(self.server.url)
        file = dcmread(io.BytesIO(self.assertStatus(self.server.get(url, EXACT), 200).body))
        self.assertEqual(file.file_meta.TransferSyntaxUID, "1.2.840.10008.1.2.1")
        self.assertEqual((file.BitsStored, file.HighBit, file.PixelRepresentation), (file.BitsAllocated, file.BitsAllocated - 1, 0))
        return file

    def refused(self, answer, reason, words):
        item = self.assertStatus(answer, 409).json()[FAILED]["Value"][0]
        self.assertEqual((value(item, "00081197"), words in value(item["00741048"]["Value"][0], "00000902")), (reason, True), item)

    def pixels(self, file, expected):
        self.assertEqual(file.PixelData[:len(expected)], expected)
        self.assertEqual(len(file.PixelData), len(expected) + len(expected) % 2)

    def test_STO_38_png_of_every_kind_becomes_native_and_describes_itself(self):
        for mode, as_what, samples, bits, photometric in (
                ("L", "L", 1, 8, "MONOCHROME2"), ("1", "L", 1, 8, "MONOCHROME2"), ("I;16", "I;16", 1, 16, "MONOCHROME2"),
                ("LA", "L", 1, 8, "MONOCHROME2"), ("RGB", "RGB", 3, 8, "RGB"), ("RGBA", "RGB", 3, 8, "RGB"), ("P", "RGB", 3, 8, "RGB")):
            with self.subTest(mode):
                picture = image(mode)
                file = self.stored(self.send("image/png", png(picture, **({"transparency": 3} if mode == "P" else {}))))
                self.assertEqual((file.Rows, file.Columns, file.SamplesPerPixel, file.BitsAllocated, file.PhotometricInterpretation),
                                 (17, 33, samples, bits, photometric))
                self.assertEqual(file.get("PlanarConfiguration"), 0 if samples == 3 else None)
                self.assertNotIn("NumberOfFrames", file)
                self.pixels(file, (picture if mode == as_what else picture.convert(as_what)).tobytes())

    def test_png_of_two_and_four_bits_of_sixteen_in_colours_and_interlaced(self):
        file = self.stored(self.send("image/png", raw_png(4, 2, 2, 0, b"\0\x1b\0\xe4")))
        self.pixels(file, bytes([0, 85, 170, 255, 255, 170, 85, 0]))
        file = self.stored(self.send("image/png", raw_png(2, 1, 4, 0, b"\0\x2f")))
        self.pixels(file, bytes([0x22, 0xFF]))
        file = self.stored(self.send("image/png", raw_png(1, 2, 16, 2, b"\0\x01\x02\x03\x04\x05\x06" * 2)))
        self.pixels(file, b"\x02\x01\x04\x03\x06\x05" * 2)
        self.assertEqual((file.BitsAllocated, file.SamplesPerPixel), (16, 3))
        # Adam7 of 2 x 2: passes 1, 6 and 7 have pixels.
        file = self.stored(self.send("image/png", raw_png(2, 2, 8, 0, b"\0\x0a" + b"\0\x14" + b"\0\x1e\x28", 1)))
        self.pixels(file, bytes([10, 20, 30, 40]))

    def test_what_the_metadata_know_better_stays(self):
        US = lambda n: {"vr": "US", "Value": [n]}  # noqa: E731
        file = image("I;16")
        answer = self.send("image/png", png(file), **{"00280101": US(12), "00280004": {"vr": "CS", "Value": ["MONOCHROME1"]}})
        url = value(self.assertStatus(answer, 200).json()[REFERENCED]["Value"][0], "00081190").removeprefix(self.server.url)
        told = self.server.get(url + "/metadata", {"Accept": "application/dicom+json"}).json()[0]
        self.assertEqual([value(told, t) for t in ("00280100", "00280101", "00280102", "00280004")], [16, 12, 11, "MONOCHROME1"])

    def test_what_the_image_contradicts_is_refused_by_name(self):
        def US(n):
            return {"vr": "US", "Value": [n]}
        gray, colours = png(image("L")), png(image("RGB"))
        for file, tag, content, name in (
                (gray, "00280010", US(18), "Rows"), (gray, "00280011", US(1), "Columns"), (gray, "00280002", US(3), "Samples per Pixel"),
                (gray, "00280100", US(16), "Bits Allocated"), (gray, "00280101", US(9), "Bits Stored"), (gray, "00280102", US(6), "High Bit"),
                (gray, "00280103", US(1), "Pixel Representation"), (colours, "00280006", US(1), "Planar Configuration"),
                (gray, "00280004", {"vr": "CS", "Value": ["RGB"]}, "Photometric Interpretation"),
                (colours, "00280004", {"vr": "CS", "Value": ["YBR_FULL"]}, "Photometric Interpretation"),
                (gray, "00280008", {"vr": "IS", "Value": [2]}, "Number of Frames")):
            with self.subTest(name):
                self.refused(self.send("image/png", file, **{tag: content}), 0xA900, name)

    def test_several_png_are_frames_and_must_be_alike(self):
        pictures = [image("RGB"), image("RGB").rotate(180), image("RGB")]
        file = self.stored(self.send("image/png", *[png(one) for one in pictures]))
        self.assertEqual(file.NumberOfFrames, 3)
        self.pixels(file, b"".join(one.tobytes() for one in pictures))
        self.refused(self.send("image/png", png(pictures[0]), png(image("RGB", 32))), 0xC000, "differ")

    def test_a_gif_becomes_one_frame_for_each_of_its_images(self):
        for more in ({"disposal": 1}, {"disposal": 2}, {"interlace": 1}):
            with self.subTest(str(more)):
                made = gif(moving_square(7), duration=120, loop=0, **more)
                file = self.stored(self.send("image/gif", made))
                self.assertEqual((file.NumberOfFrames, file.PhotometricInterpretation, file.Rows, file.Columns), (7, "RGB", 40, 50))
                self.assertEqual((file.FrameTime, file.FrameIncrementPointer), (120, 0x00181063))
                self.pixels(file, seen(made))
        one = gif(moving_square(1))
        file = self.stored(self.send("image/gif", one))
        self.assertNotIn("NumberOfFrames", file)
        self.assertNotIn("FrameTime", file)
        self.pixels(file, seen(one))

    def test_what_an_image_of_a_gif_leaves_is_as_its_disposal_says(self):
        colours = [bytes((n, 2 * n, 3 * n)) for n in (10, 20, 30, 40)]

        def dot(x, index, disposal, transparent=None):
            control = disposal << 2 | (transparent is not None)
            return (b"\x21\xf9\x04" + bytes([control, 5, 0, transparent or 0, 0]) + b"\x2c" + struct.pack("<HHHHB", x, 0, 1, 1, 0) +
                    bytes([2, 2, 4 | index << 3 | 0x40, 1, 0]))  # clear, index, end: three bits each
        made = (b"GIF89a" + struct.pack("<HHBBB", 2, 1, 0x81, 0, 0) + b"".join(colours) +
                dot(0, 1, 1) + dot(1, 2, 3) + dot(0, 3, 2) + dot(1, 1, 0) + dot(1, 2, 1, transparent=2) + b";")
        _, b, c, d, black = *colours, bytes(3)
        file = self.stored(self.send("image/gif", made))
        self.pixels(file, b + black + b + c + d + black + black + b + black + b)
        self.assertEqual(file.FrameTime, 50)

    def test_a_long_gif_is_decoded_in_pieces(self):
        made = gif(moving_square(40, 480, 640), duration=[20 * n + 20 for n in range(40)])
        file = self.stored(self.send("image/gif", made))
        self.assertEqual(file.NumberOfFrames, 40)  # 37 MB, pieces of 16
        self.assertNotIn("FrameTime", file)
        self.assertTrue(file.PixelData == seen(made))

    def test_broken_pictures_fail_alone_and_say_so(self):
        whole = png(image("RGB", 200, 200))
        animated = gif(moving_square(5))
        bad = bytearray(whole)
        bad[len(bad) // 2] ^= 0xFF
        for kind, file in (("image/png", whole[:20]), ("image/png", whole[:len(whole) // 2]), ("image/png", bytes(bad)), ("image/png", b""),
                           ("image/png", b"\xff\xd8\xff\xe0 a JPEG"), ("image/gif", animated[:len(animated) - 40]), ("image/gif", b"GIF89a"),
                           ("image/gif", animated[:60] + os.urandom(400) + animated[460:]), ("image/png", raw_png(5, 5, 7, 0, b""))):
            with self.subTest((kind, len(file))):
                neighbour = model(900 + Pictures.number)
                answer = self.assertStatus(self.send(kind, file, extra=[neighbour]), 202).json()
                self.assertEqual([value(item, "00081197") for item in answer[FAILED]["Value"]], [0xC000])
                self.assertEqual(len(answer[REFERENCED]["Value"]), 1)

    def test_a_few_bytes_that_claim_gigabytes_are_refused_at_once(self):
        self.refused(self.send("image/png", raw_png(65535, 65535, 16, 2, b"")), 0xA700, "decode_ceiling")
        self.refused(self.send("image/png", raw_png(6000, 6000, 8, 2, b"")), 0xA700, "claims")
        screen = b"GIF89a" + struct.pack("<HHBBB", 1000, 1000, 0x80, 0, 0) + bytes(6)
        dot = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
        self.refused(self.send("image/gif", screen + dot * 3000 + b";"), 0xA700, "claims")

    def test_other_pictures_are_still_refused_by_their_type(self):
        self.refused(self.send("image/bmp", b"BM" + bytes(100)), 0xC122, "image/bmp")


class Streams(ServerCase):
    """Parts that are stored as they came, and what they are labelled."""
    number = 0

    def send(self, kind, *files, **attributes):
        Streams.number += 1
        item = model(700 + Streams.number, **SECONDARY_CAPTURE, **{"7FE00010": {"vr": "OB", "BulkDataURI": "pix"}}, **attributes)
        body, content_type = message([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode())] + [
            ({"Content-Type": kind, "Content-Location": "pix"}, file) for file in files], "application/dicom+json")
        return self.server.call("POST", "/studies", body, {"Content-Type": content_type})

    def stored(self, answer):
        from pydicom import dcmread
        url = value(self.assertStatus(answer, 200).json()[REFERENCED]["Value"][0], "00081190").removeprefix(self.server.url)
        return url, dcmread(io.BytesIO(self.assertStatus(self.server.get(url, EXACT), 200).body))

    def test_STO_38_a_jpeg_xl_is_labelled_as_what_it_is(self):
        from gantry import make_dicom, path_of
        gray, colours = image("L", 64, 48), image("RGB", 64, 48)
        out = io.BytesIO()
        colours.save(out, "JPEG", quality=85)
        _, jpeg = self.stored(self.send("image/jpeg", out.getvalue()))
        one = make_dicom(rows=48, columns=64)
        self.assertStatus(self.server.store([one]), 200)
        url = f"/studies/{jpeg.StudyInstanceUID}/series/{jpeg.SeriesInstanceUID}/instances/{jpeg.SOPInstanceUID}"
        for source, syntax in ((path_of(one), "110"), (path_of(one), "112"), (url, "112"), (url, "111")):
            with self.subTest(syntax):
                uid_of_syntax = "1.2.840.10008.1.2.4." + syntax
                frame = self.server.get(source + "/frames/1", {"Accept": f"image/jxl; transfer-syntax={uid_of_syntax}"})
                self.assertStatus(frame, 200)
                there, file = self.stored(self.send("image/jxl", frame.body))
                self.assertEqual((file.file_meta.TransferSyntaxUID, file.Rows, file.Columns), (uid_of_syntax, 48, 64))
                again = [self.server.get(at + "/frames/1", {"Accept": f"image/jxl; transfer-syntax={uid_of_syntax}"}).body
                         for at in (source, there)]
                self.assertTrue(again[0].rstrip(b"\0") == again[1].rstrip(b"\0"))
                wrong = "1.2.840.10008.1.2.4." + ("110" if syntax != "110" else "111")
                answer = self.assertStatus(self.send(f"image/jxl; transfer-syntax={wrong}", frame.body), 409).json()
                self.assertEqual(value(answer[FAILED]["Value"][0], "00081197"), 0xC000)
        self.assertEqual(gray.size, (64, 48))

    def test_a_part_that_is_no_code_stream_of_its_type_is_refused(self):
        for kind in ("image/jpeg", "image/jls", "image/jp2", "image/jpx", "image/jphc", "image/jxl"):
            with self.subTest(kind):
                item = self.assertStatus(self.send(kind, b"no code stream at all"), 409).json()[FAILED]["Value"][0]
                self.assertEqual(value(item, "00081197"), 0xC000)
                self.assertIn(kind, value(item["00741048"]["Value"][0], "00000902"))

    def test_STO_35_a_video_is_one_part_and_goes_under_the_syntax_that_is_named(self):
        numbers = {tag: {"vr": vr, "Value": [number]} for tag, vr, number in (
            ("00280002", "US", 3), ("00280010", "US", 1080), ("00280011", "US", 1920), ("00280100", "US", 8), ("00280101", "US", 8),
            ("00280102", "US", 7), ("00280103", "US", 0), ("00280006", "US", 0), ("00280008", "IS", 25))}
        numbers["00280004"] = {"vr": "CS", "Value": ["YBR_PARTIAL_420"]}
        film = b"\0\0\0\x18ftypmp42" + os.urandom(5001)
        for kind, syntax in (("video/mp4", "102"), ("video/mp4; transfer-syntax=1.2.840.10008.1.2.4.104", "104"), ("video/mpeg", "101"),
                             ("video/H265", "107")):
            with self.subTest(kind):
                url, file = self.stored(self.send(kind, film, **numbers))
                self.assertEqual((file.file_meta.TransferSyntaxUID, file.NumberOfFrames), ("1.2.840.10008.1.2.4." + syntax, 25))
                played = self.server.get(url + "/rendered", {"Accept": kind.split(";")[0]})
                self.assertStatus(played, 200)
                self.assertTrue(played.body in (film, film + b"\0"))

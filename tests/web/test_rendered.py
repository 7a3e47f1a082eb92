"""The pictures of rendered resources (PS3.18 8.3.5, PS3.3 C.7, C.11) over TLS: from stored samples to what is seen, and what parameters
change. What comes is decoded and compared with a plain, slow reading of PS3.3 and PS3.4 in floating point.
"""
import io
import unittest

import numpy
from gantry import make_dicom, path_of
from pictures import jpeg_markers, read_png
from rendered_case import GIF, JPEG, PNG, RenderedCase, item, linear, linear_exact, ramp, sigmoid


class Pipeline(RenderedCase):
    def test_REN_43_44_windows_of_the_file_by_their_function(self):
        pixels = ramp()
        for function, formula in ((None, linear), ("LINEAR", linear), ("LINEAR_EXACT", linear_exact), ("SIGMOID", sigmoid)):
            for c, w in ((1000, 2000), (0, 400), (2047.5, 1), (2048, 2), (100.25, 3.5), (4000, 8000)):
                more = {"VOILUTFunction": function} if function else {}
                path = self.stored(pixels, BitsStored=12, HighBit=11, WindowCenter=c, WindowWidth=w, **more)
                self.assertNear(self.picture(path), formula(pixels.astype(float), c, w), what=f"{function} {c},{w}")

    def test_REN_30_the_window_asked_for_is_in_rescaled_units_and_replaces_the_stored_one(self):
        pixels = ramp(most=4000)
        path = self.stored(pixels, WindowCenter=10, WindowWidth=10, RescaleSlope="1.5", RescaleIntercept="-1024")
        units = pixels * 1.5 - 1024
        for name, formula in (("linear", linear), ("linear-exact", linear_exact), ("sigmoid", sigmoid)):
            self.assertNear(self.picture(path, f"?window=-600,1500,{name}"), formula(units, -600, 1500), what=name)

    def test_REN_40_the_bits_stored_end_at_the_high_bit_and_carry_the_sign(self):
        values = ramp(least=-2048, most=2047, kind="<i2")
        shifted = ((values.astype("<i4") << 3) & 0x7FF8 | 0x8005).astype("<u2")  # overlay bits around the 12 stored
        path = self.stored(shifted, BitsStored=12, HighBit=14, PixelRepresentation=1, WindowCenter=0, WindowWidth=3000)
        self.assertNear(self.picture(path), linear(values.astype(float), 0, 3000))
        for bits in (8, 10, 12, 16):
            low, high = -2 ** (bits - 1), 2 ** (bits - 1) - 1
            values = ramp(least=low, most=high, kind="<i2")
            masked = (values.astype("<i4") & (2 ** bits - 1)).astype("<u2")
            path = self.stored(masked, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=1, WindowCenter=0,
                               WindowWidth=2 ** bits)
            self.assertNear(self.picture(path), linear(values.astype(float), 0, 2 ** bits), what=f"{bits} bits")

    def test_REN_41_the_modality_lut_goes_before_the_rescale_and_nonsense_is_the_identity(self):
        pixels = ramp(most=300)
        table = [i * i // 8 for i in range(200)]
        lut = item(LUTDescriptor=[200, 50, 16], LUTData=table, ModalityLUTType="US")
        lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
        path = self.stored(pixels, ModalityLUTSequence=[lut], WindowCenter=2000, WindowWidth=4000)
        units = numpy.array(table)[numpy.clip(pixels.astype(int) - 50, 0, 199)].astype(float)
        self.assertNear(self.picture(path), linear(units, 2000, 4000))
        path = self.stored(pixels, RescaleSlope="0", RescaleIntercept="77", WindowCenter=100, WindowWidth=200)
        self.assertNear(self.picture(path), linear(pixels.astype(float), 100, 200))

    def test_REN_42_45_voi_lut_and_which_goes_first(self):
        pixels = ramp(most=1000)
        table = [min(i * 6, 4095) for i in range(700)]
        lut = item(LUTDescriptor=[700, 100, 12], LUTData=table)
        lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
        by_lut = numpy.array(table)[numpy.clip(pixels.astype(int) - 100, 0, 699)] / 4095 * 255
        self.assertNear(self.picture(self.stored(pixels, VOILUTSequence=[lut])), by_lut)
        both = {"VOILUTSequence": [lut], "WindowCenter": 300, "WindowWidth": 500}
        self.assertNear(self.picture(self.stored(pixels, **both)), linear(pixels.astype(float), 300, 500))
        dx = self.stored(pixels, sop_class="1.2.840.10008.5.1.4.1.1.1.1", **both)
        self.assertNear(self.picture(dx), by_lut, what="DX")
        self.assertNear(self.picture(dx, "?window=300,500,linear"), linear(pixels.astype(float), 300, 500))

    def test_REN_46_without_any_window_one_comes_from_the_pixels_for_all_frames(self):
        pixels = numpy.stack([ramp(32, 32, 100 * f, 1000 * (f + 1)) for f in range(3)])
        path = self.stored(pixels, frames=3)
        middle = pixels[1].astype(float)
        low, high = numpy.percentile(middle, 0.2), numpy.percentile(middle, 99.8)
        first = read_png(self.assertStatus(self.server.get(path + "/frames/1/rendered", PNG), 200).body)
        self.assertNear(first, numpy.clip((pixels[0] - low) / (high - low), 0, 1) * 255, most=2)
        eight = self.stored(ramp(least=20, most=200, kind="u1"))
        self.assertNear(self.picture(eight), ramp(least=20, most=200, kind="u1"), what="8 bits are shown as they are")

    def test_REN_47_padding_is_black_and_no_part_of_the_range(self):
        pixels = ramp(least=500, most=900, kind="<i2")
        pixels[:4] = -2000
        path = self.stored(pixels, PixelPaddingValue=-2000)
        got = self.picture(path)
        self.assertTrue((got[:4] == 0).all())
        self.assertGreater(int(got[10].max()) - int(got[5].min()), 80)
        path = self.stored(pixels, PixelPaddingValue=-2000, PhotometricInterpretation="MONOCHROME1", WindowCenter=700,
                           WindowWidth=400)
        got = self.picture(path)
        self.assertTrue((got[:4] == 0).all(), "black after the inversion too")
        self.assertNear(got[4:], 255 - linear(pixels[4:].astype(float), 700, 400))

    def test_REN_48_monochrome1_and_inverse_are_one_inversion(self):
        pixels = ramp()
        want = linear(pixels.astype(float), 2048, 4096)
        for more, inverted in (({}, False), ({"PhotometricInterpretation": "MONOCHROME1"}, True),
                               ({"PresentationLUTShape": "INVERSE"}, True),
                               ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, True)):
            path = self.stored(pixels, WindowCenter=2048, WindowWidth=4096, **more)
            self.assertNear(self.picture(path), 255 - want if inverted else want, what=str(more))

    def test_REN_49_windows_in_functional_groups_by_frame_and_shared(self):
        pixels = numpy.stack([ramp()] * 3)
        windows = ((1000, 2000), (3000, 500))
        per_frame = [item(FrameVOILUTSequence=[item(WindowCenter=c, WindowWidth=w)],
                          PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=-10)])
                     for c, w in windows] + [item()]
        shared = item(FrameVOILUTSequence=[item(WindowCenter=500, WindowWidth=800, VOILUTFunction="LINEAR_EXACT")])
        path = self.stored(pixels, frames=3, sop_class="1.2.840.10008.5.1.4.1.1.2.1",
                           SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=per_frame)
        for n, (c, w) in enumerate(windows, 1):
            got = read_png(self.assertStatus(self.server.get(f"{path}/frames/{n}/rendered", PNG), 200).body)
            self.assertNear(got, (linear_exact if n == 0 else linear)(pixels[0] * 2.0 - 10, c, w), most=1, what=f"frame {n}")
        got = read_png(self.assertStatus(self.server.get(path + "/frames/3/rendered", PNG), 200).body)
        self.assertNear(got, linear_exact(pixels[0].astype(float), 500, 800), what="shared")

    def palette(self, tables, first, bits, segmented=False):
        more = {}
        for colour, table in zip(("Red", "Green", "Blue"), tables):
            descriptor = f"{colour}PaletteColorLookupTableDescriptor"
            data = ("Segmented" if segmented else "") + f"{colour}PaletteColorLookupTableData"
            more[descriptor] = [len(table) if not segmented else 256, first, bits]
            more[data] = numpy.asarray(table, "<u2").tobytes() if not segmented else table
        return more

    def test_REN_50_palettes_of_8_and_16_bits_also_below_zero_and_in_segments(self):
        indices = ramp(most=255, kind="u1")
        red, green, blue = ([i * 257 for i in range(256)], [(255 - i) * 257 for i in range(256)], [i // 2 * 257 for i in range(256)])
        want = numpy.stack([numpy.array(t)[indices] / 257 for t in (red, green, blue)], axis=2)
        path = self.stored(indices, PhotometricInterpretation="PALETTE COLOR", **self.palette((red, green, blue), 0, 16))
        self.assertNear(self.picture(path), want)
        self.assertNear(self.picture(path, "?window=1,2,linear"), want, what="no window on colours")
        eight = [[v // 257 for v in t] for t in (red, green, blue)]
        path = self.stored(indices, PhotometricInterpretation="PALETTE COLOR", **self.palette(eight, 0, 8))
        self.assertNear(self.picture(path), want, what="8 bits in words")
        path = self.stored(indices, PhotometricInterpretation="PALETTE COLOR", **self.palette(eight, 0, 16))
        self.assertNear(self.picture(path), want, what="told as 16 bits, filled with 8")
        # Discrete: 2 entries 0; linear: 100 to 65535; indirect: the first segment again.
        segments = numpy.array([0, 2, 0, 0, 1, 252, 65535, 2, 1, 0, 0], "<u2").tobytes()
        path = self.stored(indices, PhotometricInterpretation="PALETTE COLOR",
                           **self.palette((segments,) * 3, 0, 16, segmented=True))
        line = numpy.concatenate([[0, 0], numpy.arange(1, 253) * 65535 / 252, [0, 0]]) / 257
        self.assertNear(self.picture(path), numpy.repeat(line[indices][:, :, None], 3, axis=2), what="segments")
        signed = ramp(least=-128, most=127, kind="i1")
        tables = self.palette((red, green, blue), 0, 16)
        for colour in ("Red", "Green", "Blue"):
            tables[f"{colour}PaletteColorLookupTableDescriptor"] = [256, -128, 16]
        path = self.stored(signed, PhotometricInterpretation="PALETTE COLOR", **tables)
        self.assertNear(self.picture(path), want, what="from -128 on")

    def test_REN_51_a_supplemental_palette_colours_only_its_range(self):
        pixels = ramp(most=1023)
        table = [65535] * 100
        tables = self.palette((table, [0] * 100, [0] * 100), 900, 16)
        path = self.stored(pixels, PixelPresentation="COLOR", WindowCenter=450, WindowWidth=900, **tables)
        got = self.picture(path)
        self.assertEqual(got.shape, (16, 16, 3))
        coloured = (pixels >= 900) & (pixels < 1000)
        self.assertTrue((got[coloured] == [255, 0, 0]).all())
        gray = linear(pixels.astype(float), 450, 900)
        self.assertNear(got[~coloured], numpy.repeat(gray[~coloured][:, None], 3, axis=1))

    def test_REN_52_53_56_colours(self):
        rng = numpy.random.default_rng(7)
        rgb = rng.integers(0, 256, (16, 16, 3)).astype("u1")
        more = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
        self.assertNear(self.picture(self.stored(rgb, **more)), rgb, 0)
        planes = numpy.ascontiguousarray(rgb.transpose(2, 0, 1))
        path = self.stored(planes.reshape(16, 16, 3), **{**more, "PlanarConfiguration": 1})
        self.assertNear(self.picture(path), rgb, 0, "planes")
        wide = rng.integers(0, 65536, (16, 16, 3)).astype("<u2")
        self.assertNear(self.picture(self.stored(wide, **more)), wide / 257, what="16 bits")
        y, cb, cr = (rgb[:, :, i].astype(float) for i in range(3))
        want = numpy.clip(numpy.stack([y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
                                       y + 1.772 * (cb - 128)], axis=2), 0, 255)
        self.assertNear(self.picture(self.stored(rgb, **{**more, "PhotometricInterpretation": "YBR_FULL"})), want)
        twelve = rng.integers(0, 4096, (16, 16, 3)).astype("<u2")
        luma, blue, red = (twelve[:, :, i].astype(float) - (2048 if i else 0) for i in range(3))
        rich = numpy.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=2)
        path = self.stored(twelve, **{**more, "PhotometricInterpretation": "YBR_FULL", "BitsStored": 12, "HighBit": 11})
        self.assertNear(self.picture(path), numpy.clip(rich / 4095 * 255, 0, 255), 0.6, "12 bits")
        halves = numpy.repeat(rgb[:, ::2, 1:], 2, axis=1).astype(float)
        packed = numpy.stack([rgb[:, ::2, 0], rgb[:, 1::2, 0], rgb[:, ::2, 1], rgb[:, ::2, 2]], axis=2)
        cb, cr = halves[:, :, 0], halves[:, :, 1]
        want = numpy.clip(numpy.stack([y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
                                       y + 1.772 * (cb - 128)], axis=2), 0, 255)
        file = make_dicom(pixels=packed.tobytes(), **{**more, "PhotometricInterpretation": "YBR_FULL_422", "BitsAllocated": 8,
                                                      "BitsStored": 8, "HighBit": 7})
        self.assertStatus(self.server.store([file]), 200)
        self.assertNear(self.picture(path_of(file)), want, what="4:2:2")

    def test_REN_57_58_one_bit_32_bits_and_floats(self):
        bits = numpy.random.default_rng(3).integers(0, 2, (16, 16)).astype("u1")
        file = make_dicom(pixels=numpy.packbits(bits, bitorder="little").tobytes(), BitsAllocated=1, BitsStored=1, HighBit=0)
        self.assertStatus(self.server.store([file]), 200)
        self.assertNear(self.picture(path_of(file)), bits * 255, 0)
        whole = ramp(most=2 ** 31, kind="<u4")
        path = self.stored(whole, WindowCenter=2 ** 30, WindowWidth=2 ** 31)
        self.assertNear(self.picture(path), linear(whole.astype(float), 2 ** 30, 2 ** 31))
        for keyword, kind in (("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")):
            real = numpy.linspace(-1.5, 2.5, 256).astype(kind).reshape(16, 16)
            real[3, 3], real[3, 4] = numpy.nan, numpy.inf
            file = make_dicom(sop_class="1.2.840.10008.5.1.4.1.1.30", BitsAllocated=real.dtype.itemsize * 8, WindowCenter="0.5",
                              WindowWidth="2", VOILUTFunction="LINEAR_EXACT", **{keyword: real.tobytes()})
            from pydicom import dcmread
            ds = dcmread(io.BytesIO(file))
            for gone in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
                delattr(ds, gone)
            out = io.BytesIO()
            ds.save_as(out, write_like_original=False)
            self.assertStatus(self.server.store([out.getvalue()]), 200)
            want = linear_exact(numpy.nan_to_num(real.astype(float), nan=-1e9, posinf=-1e9), 0.5, 2)
            self.assertNear(self.picture(path_of(file)), want, what=keyword)

    def test_REN_59_overlays_are_drawn_by_option_only(self):
        pixels = numpy.zeros((16, 16), "<u2")
        bits = numpy.zeros((4, 4), "u1")
        bits[1, 2] = bits[3, 3] = 1
        from pydicom import dcmread
        file = make_dicom(pixels=pixels.tobytes(), WindowCenter=100, WindowWidth=200)
        ds = dcmread(io.BytesIO(file))
        for element, vr, value in ((0x0010, "US", 4), (0x0011, "US", 4), (0x0040, "CS", "G"), (0x0050, "SS", [3, 5]),
                                   (0x0100, "US", 1), (0x0102, "US", 0),
                                   (0x3000, "OW", numpy.packbits(bits, bitorder="little").tobytes())):
            ds.add_new((0x6000, element), vr, value)
        out = io.BytesIO()
        ds.save_as(out, write_like_original=False)
        self.assertStatus(self.server.store([out.getvalue()]), 200)
        self.assertEqual(int(self.picture(path_of(file)).max()), 0)
        got = self.picture(path_of(file), "?overlays=yes")
        self.assertEqual([tuple(p) for p in numpy.argwhere(got == 255)], [(3, 6), (5, 7)])

    def test_REN_59_overlays_follow_regions_flips_and_frames(self):
        bits = numpy.random.default_rng(2).random((3, 16, 16)) < 0.3
        pixels = numpy.stack([ramp(), ramp() // 2, ramp() // 3])
        packed = numpy.packbits(bits.astype("u1").reshape(-1), bitorder="little").tobytes()
        elements = [(0x60000010, "US", 16), (0x60000011, "US", 16), (0x60000015, "IS", 3), (0x60000040, "CS", "G"), (0x60000050, "SS", [1, 1]),
                    (0x60000051, "US", 1), (0x60000100, "US", 1), (0x60000102, "US", 0), (0x60003000, "OW", packed)]
        file = make_dicom(frames=3, pixels=pixels.tobytes(), WindowCenter=2048, WindowWidth=4096, elements=elements)
        self.assertStatus(self.server.store([file]), 200)
        for n in range(3):
            want = numpy.where(bits[n], 255, linear(pixels[n].astype(float), 2048, 4096))
            for query, part in (("", want), ("&viewport=8,8,4,2,-8,-8", want[2:10, 4:12][::-1, ::-1]),
                                ("&viewport=8,8,4,2,-8,8", want[2:10, 4:12][:, ::-1])):
                answer = self.server.get(f"{path_of(file)}/frames/{n + 1}/rendered?overlays=yes{query}", PNG)
                self.assertNear(read_png(self.assertStatus(answer, 200).body), part, what=f"{n} {query}")

    def test_REN_59_overlays_in_unused_bits_of_the_samples(self):
        from pydicom import dcmread
        pixels = ramp(most=1000)
        pixels[3, 7] |= 0x8000
        pixels[9, 2] |= 0x8000
        file = make_dicom(pixels=pixels.tobytes(), BitsStored=12, HighBit=11, WindowCenter=5000, WindowWidth=2)
        ds = dcmread(io.BytesIO(file))
        for element, vr, value in ((0x0010, "US", 16), (0x0011, "US", 16), (0x0040, "CS", "G"), (0x0050, "SS", [1, 1]),
                                   (0x0100, "US", 16), (0x0102, "US", 15)):
            ds.add_new((0x6000, element), vr, value)
        out = io.BytesIO()
        ds.save_as(out, write_like_original=False)
        self.assertStatus(self.server.store([out.getvalue()]), 200)
        self.assertEqual(int(self.picture(path_of(file)).max()), 0)
        self.assertEqual([tuple(p) for p in numpy.argwhere(self.picture(path_of(file), "?overlays=yes"))], [(3, 7), (9, 2)])

    def test_REN_61_the_same_request_gives_the_same_bytes(self):
        path = self.stored(ramp(64, 64))
        for headers in (PNG, JPEG, GIF, {"Accept": "image/webp"}):
            bodies = {self.assertStatus(self.server.get(path + "/rendered?viewport=40,40", headers), 200).body for _ in range(3)}
            self.assertEqual(len(bodies), 1, headers)


class Parameters(RenderedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pixels = ramp(256, 512)
        cls.file = make_dicom(rows=256, columns=512, pixels=cls.pixels.tobytes(), WindowCenter=2048, WindowWidth=4096)
        assert cls.server.store([cls.file]).status == 200
        cls.path = path_of(cls.file)

    def test_REN_20_to_29_ill_formed_parameters_are_400_and_named(self):
        for name, values in {
            "viewport": ("", "10", "a,b", "0,10", "10,0", "-1,10", "1.5,3", "99999999,1", "10,10,", "10,10,1,2,3,4,5", "10,10,x",
                         "10,10,0,0,0,5", "10,10,600", "10,10,,,600,10", "10,10,500,0,20,20"),
            "window": ("", "40", "40,400", "40,400,", "40,400,cubic", "a,400,linear", "40,,linear", "40,0.5,linear", "40,0,sigmoid",
                       "40,-1,linear-exact", "40,400,linear,1"),
            "quality": ("", "0", "101", "x", "1.5", "-3", "50&quality=60"),
            "annotation": ("", "patient,", "a b", "%22"),
            "iccprofile": ("", "maybe"),
            "bits": ("12", "16&bits=16"),
            "overlays": ("maybe",),
        }.items():
            for text in values:
                answer = self.server.get(f"{self.path}/rendered?{name}={text}".replace(" ", "%20"), JPEG)
                self.assertStatus(answer, 400)
                self.assertIn(f'"{name}"'.encode(), answer.body, text)

    def test_REN_23_24_the_viewport_keeps_the_aspect_and_the_region_is_cut_out(self):
        self.assertEqual(self.picture(self.path, "?viewport=100,100").shape, (50, 100))
        self.assertEqual(self.picture(self.path, "?viewport=1024,100").shape, (100, 200))
        self.assertEqual(self.picture(self.path, "?viewport=1024,1024").shape, (512, 1024))
        whole = self.picture(self.path)
        self.assertEqual(whole.shape, (256, 512), "REN-27")
        part = self.picture(self.path, "?viewport=64,32,128,64,64,32")
        self.assertNear(part, whole[64:96, 128:192], 0)
        self.assertNear(self.picture(self.path, "?viewport=256,256,256"), whole[:, 256:], 0, "to the right edge")
        self.assertNear(self.picture(self.path, "?viewport=32,32,,,32,32"), whole[:32, :32], 0, "elided")

    def test_REN_25_negative_sizes_flip_and_signs_of_the_corner_do_not_count(self):
        whole = self.picture(self.path)
        part = whole[64:96, 128:192]
        for query, want in (("128,64,-64,32", part[:, ::-1]), ("128,64,64,-32", part[::-1]), ("128,64,-64,-32", part[::-1, ::-1]),
                            ("-128,-64,64,32", part)):
            self.assertNear(self.picture(self.path, "?viewport=64,32," + query), want, 0, query)

    def test_smaller_pictures_are_averages_and_larger_ones_lie_between(self):
        whole = self.picture(self.path).astype(float)
        small = self.picture(self.path, "?viewport=128,64")
        self.assertNear(small, whole.reshape(64, 4, 128, 4).mean(axis=(1, 3)))
        odd = self.picture(self.path, "?viewport=100,50")
        self.assertLess(abs(float(odd.mean()) - whole.mean()), 1)
        large = self.picture(self.path, "?viewport=128,64,0,0,64,32")
        self.assertLessEqual(int(large.max()), whole[:32, :64].max())
        self.assertTrue((numpy.diff(large[:, 64].astype(int)) >= 0).all())

    def test_REN_21_quality_makes_smaller_files_and_means_nothing_to_png(self):
        noise = self.stored(numpy.random.default_rng(1).integers(0, 4096, (64, 64)).astype("<u2"), WindowCenter=2048, WindowWidth=4096)
        sizes = [len(self.server.get(f"{noise}/rendered?quality={q}", JPEG).body) for q in (20, 50, 95)]
        self.assertEqual(sizes, sorted(set(sizes)))
        self.assertEqual(self.server.get(noise + "/rendered?quality=1", PNG).body, self.server.get(noise + "/rendered", PNG).body)

    def test_REN_04_16_bit_png_by_request(self):
        got = self.picture(self.path, "?bits=16")
        self.assertEqual(got.dtype, numpy.uint16)
        self.assertNear(got / 257, linear(self.pixels.astype(float), 2048, 4096), 0.6)

    def test_REN_20_annotations_are_drawn_and_unknown_ones_warned_of(self):
        plain = self.picture(self.path)
        for query, half in (("patient", slice(0, 128)), ("technique", slice(128, 256))):
            drawn = self.picture(self.path, "?annotation=" + query)
            changed = drawn != plain
            self.assertTrue(changed[half].any(), query)
            self.assertFalse(changed[128:].any() if query == "patient" else changed[:100].any(), query)
        answer = self.assertStatus(self.server.get(self.path + "/rendered?annotation=foo,patient", PNG), 200)
        self.assertIn("The following annotation values are not supported: foo", answer.headers["Warning"])

    def test_REN_20_names_longer_than_the_picture_go_on_below(self):
        pixels = numpy.zeros((120, 120), "<u2")
        made = {}
        for name in ("A" * 12, "A" * 60, "\u05d0\u05d1" * 30, "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046"):
            path = self.stored(pixels, PatientName=name, SpecificCharacterSet="ISO_IR 192", WindowCenter=2048, WindowWidth=4096)
            made[name] = self.picture(path, "?annotation=patient") > 0
        short, long, hebrew, japanese = (made[n][:, 2:].any(axis=1).nonzero()[0].max() for n in made)
        self.assertGreater(long, short + 15, "three lines more")
        self.assertGreater(hebrew, short + 15)
        self.assertLess(abs(int(japanese) - int(short)), 3, "letters that no font has are not drawn as boxes")

    def test_REN_55_retired_colours_are_refused_and_not_taken_for_others(self):
        for photometric, samples in (("HSV", 3), ("YBR_PARTIAL_422", 3), ("ARGB", 4), ("CMYK", 4)):
            pixels = numpy.zeros((16, 16, samples), "u1")
            path = self.stored(pixels.reshape(16, 16 * samples), Rows=16, Columns=16, SamplesPerPixel=samples,
                               PhotometricInterpretation=photometric, PlanarConfiguration=0)
            self.assertStatus(self.server.get(path + "/rendered", PNG), 406)
            self.assertStatus(self.server.get(path + "/thumbnail", PNG), 200)

    def test_REN_32_33_profiles_are_embedded_and_gif_refuses_them(self):
        rgb = numpy.random.default_rng(2).integers(0, 256, (16, 16, 3)).astype("u1")
        path = self.stored(rgb, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
        for name in ("yes", "srgb", "adobergb", "rommrgb"):
            jpeg = self.assertStatus(self.server.get(path + "/rendered?iccprofile=" + name, JPEG), 200).body
            self.assertTrue(any(m == 0xE2 and b.startswith(b"ICC_PROFILE\0") for m, b in jpeg_markers(jpeg)), name)
            png = self.assertStatus(self.server.get(path + "/rendered?iccprofile=" + name, PNG), 200).body
            self.assertIn(b"iCCP", png[:200])
        self.assertNear(self.picture(path, "?iccprofile=srgb"), rgb, 0)
        self.assertFalse((self.picture(path, "?iccprofile=adobergb") == rgb).all(), "colours are converted")
        jpeg = self.server.get(path + "/rendered?iccprofile=no", JPEG).body
        self.assertFalse(any(m == 0xE2 for m, _ in jpeg_markers(jpeg)))
        self.assertStatus(self.server.get(path + "/rendered?iccprofile=yes", GIF), 400)
        self.assertStatus(self.server.get(path + "/rendered?iccprofile=no", GIF), 200)


if __name__ == "__main__":
    unittest.main()

"""Presentation states as targets of rendering and in WADO-URI (PS3.18 8.3.5.1.6, PS3.4 N.2): what comes is compared with a plain, slow
reading of the standard written here, and with DCMTK's dcmp2pgm where that knows the module."""
import io
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import numpy
from gantry import make_dicom, path_of, uid, uids_of
from pictures import read_png
from rendered_case import PARTS, PNG, RenderedCase, item, linear, ramp
from test_rendered_reference import read_pnm


def lab_of(red, green, blue):
    """sRGB as CIELab of D50 in 16 bits (PS3.3 C.10.7.1.1), by Pillow's Little CMS where it is there."""
    def linear_light(v):
        v /= 255
        return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
    r, g, b = (linear_light(v) for v in (red, green, blue))
    # sRGB's primaries adapted to D50 by Bradford's matrix
    x = (0.4360747 * r + 0.3850649 * g + 0.1430804 * b) / 0.96422
    y = 0.2225045 * r + 0.7168786 * g + 0.0606169 * b
    z = (0.0139322 * r + 0.0971045 * g + 0.7141733 * b) / 0.82521

    def f(t):
        return t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29
    lab = 116 * f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))
    return [round(lab[0] / 100 * 65535), round((lab[1] + 128) / 255 * 65535), round((lab[2] + 128) / 255 * 65535)]


def plane(group, bits, origin=(1, 1), layer=None, **more):
    """The elements of an overlay plane (PS3.3 C.9.2)."""
    packed = numpy.packbits(bits.astype("u1").reshape(-1), bitorder="little").tobytes()
    base = group << 16
    elements = [(base | 0x10, "US", bits.shape[0]), (base | 0x11, "US", bits.shape[1]), (base | 0x40, "CS", "G"),
                (base | 0x50, "SS", list(origin)), (base | 0x100, "US", 1), (base | 0x102, "US", 0),
                (base | 0x3000, "OW", packed + b"\0" * (len(packed) % 2))]
    return elements + ([(base | 0x1001, "CS", layer)] if layer is not None else [])


def layer(name, order, gray=None, lab=None):
    made = item(GraphicLayer=name, GraphicLayerOrder=order)
    if gray is not None:
        made.GraphicLayerRecommendedDisplayGrayscaleValue = gray
    if lab is not None:
        made.GraphicLayerRecommendedDisplayCIELabValue = lab
    return made


def graphic(kind, data, units="PIXEL", filled="N", **more):
    return item(GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(data) // 2, GraphicData=data, GraphicType=kind,
                GraphicFilled=filled, **more)


def text(value, box=None, anchor=None, **more):
    made = item(UnformattedTextValue=value, **more)
    if box:
        made.BoundingBoxAnnotationUnits = "PIXEL"
        made.BoundingBoxTopLeftHandCorner, made.BoundingBoxBottomRightHandCorner = box[:2], box[2:]
        if "BoundingBoxTextHorizontalJustification" not in made:
            made.BoundingBoxTextHorizontalJustification = "LEFT"
    if anchor:
        made.AnchorPointAnnotationUnits, made.AnchorPoint = "PIXEL", anchor
    return made


class StateCase(RenderedCase):
    def setUp(self):
        self.pixels = ramp(24, 32, -1000, 3000, "<i2")
        self.study = uid(6, 3, id(self))
        self.image = make_dicom(study=self.study, rows=24, columns=32, pixels=self.pixels.tobytes(), BitsStored=16, PixelRepresentation=1,
                                WindowCenter=40, WindowWidth=400, RescaleSlope=1, RescaleIntercept=-1000)
        self.assertStatus(self.server.store([self.image]), 200)

    def reference(self, image=None, frames=None):
        _, _, instance = uids_of(image or self.image)
        ref = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=instance)
        if frames:
            ref.ReferencedFrameNumber = frames
        return ref

    def state(self, image=None, frames=None, sop_class="1.2.840.10008.5.1.4.1.1.11.1", **attributes):
        _, series, _ = uids_of(image or self.image)
        listed = item(SeriesInstanceUID=series, ReferencedImageSequence=[self.reference(image, frames)])
        file = make_dicom(study=self.study, rows=0, Modality="PR", sop_class=sop_class, ReferencedSeriesSequence=[listed], **attributes)
        self.assertStatus(self.server.store([file]), 200)
        return path_of(file)

    def presented(self, path, query=""):
        parts = self.assertStatus(self.server.get(path + "/rendered" + query, PARTS), 200).parts()
        self.assertEqual(len(parts), 1)
        self.assertEqual(parts[0][0]["Content-Location"], self.server.url + path_of(self.image))
        return read_png(parts[0][1])

    def area(self, left, top, right, bottom, mode="SCALE TO FIT", **more):
        return [item(DisplayedAreaTopLeftHandCorner=[left, top], DisplayedAreaBottomRightHandCorner=[right, bottom],
                     PresentationSizeMode=mode, **more)]


class PresentationStates(StateCase):
    def test_REN_71_the_state_takes_the_place_of_all_that_the_image_says(self):
        all_of_it = (self.pixels.astype(float) + 32768) / 65535 * 255
        self.assertNear(self.presented(self.state()), all_of_it, what="no VOI is the identity")
        self.assertNear(self.presented(self.state(PresentationLUTShape="INVERSE")), 255 - all_of_it)
        voi = [item(WindowCenter=500, WindowWidth=1000, ReferencedImageSequence=[self.reference()])]
        path = self.state(SoftcopyVOILUTSequence=voi, RescaleSlope=2, RescaleIntercept=100)
        self.assertNear(self.presented(path), linear(self.pixels * 2.0 + 100, 500, 1000))
        other = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.2.3.4")
        elsewhere = [item(WindowCenter=500, WindowWidth=1000, ReferencedImageSequence=[other])]
        self.assertNear(self.presented(self.state(SoftcopyVOILUTSequence=elsewhere)), all_of_it, what="of another image")
        lut = item(LUTDescriptor=[256, 0, 8], LUTData=bytes(255 - i // 2 for i in range(256)))
        lut["LUTDescriptor"].VR, lut["LUTData"].VR = "US", "OW"
        path = self.state(SoftcopyVOILUTSequence=voi, PresentationLUTSequence=[lut])
        self.assertNear(self.presented(path), 255 - numpy.floor(linear(self.pixels.astype(float), 500, 1000)) / 2, 1.01)

    def test_REN_72_rotation_flip_and_displayed_area(self):
        plain = self.presented(self.state())
        for rotation in (0, 90, 180, 270):
            for flip in ("N", "Y"):
                want = numpy.rot90(plain, -rotation // 90)
                want = want[:, ::-1] if flip == "Y" else want
                path = self.state(ImageRotation=rotation, ImageHorizontalFlip=flip)
                self.assertNear(self.presented(path), want, 0, f"{rotation} {flip}")
        self.assertNear(self.presented(self.state(DisplayedAreaSelectionSequence=self.area(5, 3, 20, 12))), plain[2:12, 4:20], 0)
        beyond = self.presented(self.state(DisplayedAreaSelectionSequence=self.area(-3, 1, 28, 24)))
        self.assertEqual(beyond.shape, (24, 32))
        self.assertEqual(int(beyond[:, :4].max()), 0)
        self.assertNear(beyond[:, 4:], plain[:, :28], 0)

    def test_REN_75_scaling_to_the_viewport_and_magnifying(self):
        fit = self.state(DisplayedAreaSelectionSequence=self.area(1, 1, 16, 12))
        self.assertEqual(self.presented(fit, "?viewport=64,64").shape, (48, 64))
        magnified = self.state(DisplayedAreaSelectionSequence=self.area(1, 1, 16, 12, "MAGNIFY", PresentationPixelMagnificationRatio=3))
        self.assertEqual(self.presented(magnified).shape, (36, 48))
        self.assertEqual(self.presented(magnified, "?viewport=20,30").shape, (30, 20))
        for area in (self.area(-30000, -30000, 30000, 30000), self.area(1, 1, 16, 12, "MAGNIFY", PresentationPixelMagnificationRatio=1e5)):
            answer = self.server.get(self.state(DisplayedAreaSelectionSequence=area) + "/rendered", PARTS)
            self.assertStatus(answer, 406)

    def test_shutters_hide_with_their_value(self):
        plain = self.presented(self.state())
        rectangle = {"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 3, "ShutterRightVerticalEdge": 30,
                     "ShutterUpperHorizontalEdge": 2, "ShutterLowerHorizontalEdge": 20, "ShutterPresentationValue": 0x8000}
        got = self.presented(self.state(**rectangle))
        self.assertNear(got[1:20, 2:30], plain[1:20, 2:30], 0)
        self.assertTrue((got[0] == 0x80).all() and (got[:, 30:] == 0x80).all() and (got[20:] == 0x80).all())
        got = self.presented(self.state(ShutterShape="CIRCULAR", CenterOfCircularShutter=[12, 16], RadiusOfCircularShutter=5))
        self.assertTrue(got[11, 15] == plain[11, 15] and got[0, 0] == 0 and got[11, 21] == 0)
        got = self.presented(self.state(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[2, 2, 2, 30, 22, 16]))
        self.assertTrue(got[3, 15] == plain[3, 15] and got[22, 2] == 0)

    def test_graphics_and_texts_are_drawn_where_they_point(self):
        plain = self.presented(self.state())
        line = item(GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2, GraphicData=[4.0, 5.5, 20.0, 5.5],
                    GraphicType="POLYLINE", GraphicFilled="N")
        layer = item(GraphicLayer="A", GraphicObjectSequence=[line])
        got = self.presented(self.state(GraphicAnnotationSequence=[layer]))
        changed = numpy.argwhere(got != plain)
        self.assertTrue(len(changed) >= 10 and (changed[:, 0] == 5).all() and changed[:, 1].min() >= 2 and changed[:, 1].max() <= 20, changed)
        kinds = (("CIRCLE", [16.0, 12.0, 20.0, 12.0]), ("ELLIPSE", [4.0, 12.0, 28.0, 12.0, 16.0, 6.0, 16.0, 18.0]), ("POINT", [9.0, 9.0]),
                 ("INTERPOLATED", [2.0, 2.0, 10.0, 20.0, 20.0, 2.0]))
        for kind, data in kinds:
            line = item(GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=len(data) // 2, GraphicData=data,
                        GraphicType=kind, GraphicFilled="N")
            got = self.presented(self.state(GraphicAnnotationSequence=[item(GraphicLayer="A", GraphicObjectSequence=[line])]))
            self.assertGreater((got != plain).sum(), 3, kind)
        text = item(UnformattedTextValue="Hi", BoundingBoxAnnotationUnits="DISPLAY", BoundingBoxTopLeftHandCorner=[0.0, 0.0],
                    BoundingBoxBottomRightHandCorner=[1.0, 1.0], BoundingBoxTextHorizontalJustification="LEFT")
        got = self.presented(self.state(GraphicAnnotationSequence=[item(GraphicLayer="A", TextObjectSequence=[text])]))
        self.assertTrue((got != plain)[:16, :20].any())

    def test_REN_70_73_77_as_a_target(self):
        path = self.state()
        for query in ("window=40,400,linear", "viewport=10,10,1,1"):
            self.assertStatus(self.server.get(f"{path}/rendered?{query}", PARTS), 400)
        self.assertStatus(self.server.get(path + "/frames/1/rendered", PARTS), 400)
        multi = make_dicom(study=self.study, frames=4, pixels=numpy.stack([ramp() + f for f in range(4)]).tobytes())
        gone = make_dicom(study=self.study)
        self.assertStatus(self.server.store([multi]), 200)
        answer = self.assertStatus(self.server.get(self.state(multi, [2, 4]) + "/rendered", PARTS), 200)
        self.assertEqual([h["Content-Location"].rsplit("/", 1)[1] for h, _ in answer.parts()], ["2", "4"])
        answer = self.assertStatus(self.server.get(self.state(multi, [3]) + "/rendered", PNG), 200)
        self.assertTrue(answer.headers["Content-Location"].endswith("/frames/3"))
        self.assertStatus(self.server.get(self.state(gone) + "/rendered", PARTS), 404)

    def test_REN_76_colour_and_pseudo_colour_states(self):
        tables = {}
        for n, colour in enumerate(("Red", "Green", "Blue")):
            tables[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
            tables[f"{colour}PaletteColorLookupTableData"] = numpy.full(256, (n + 1) * 10 * 257, "<u2").tobytes()
        got = self.presented(self.state(sop_class="1.2.840.10008.5.1.4.1.1.11.3", **tables))
        self.assertTrue((got == [10, 20, 30]).all())
        rgb = numpy.random.default_rng(5).integers(0, 256, (16, 16, 3)).astype("u1")
        image = make_dicom(study=self.study, pixels=rgb.tobytes(), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
                           BitsAllocated=8, BitsStored=8, HighBit=7)
        self.assertStatus(self.server.store([image]), 200)
        path = self.state(image, sop_class="1.2.840.10008.5.1.4.1.1.11.2", ImageRotation=90, ImageHorizontalFlip="N")
        parts = self.assertStatus(self.server.get(path + "/rendered", PARTS), 200).parts()
        self.assertNear(read_png(parts[0][1]), numpy.rot90(rgb, -1), 0)

    def test_REN_70_one_state_for_images_of_several_series_each_with_its_window(self):
        others = [make_dicom(study=self.study, series=f"{self.study}.{n}", rows=24, columns=32, pixels=(self.pixels // n).tobytes(),
                             BitsStored=16, PixelRepresentation=1) for n in (2, 3)]
        self.assertStatus(self.server.store(others), 200)
        images = [self.image, *others]
        listed = [item(SeriesInstanceUID=uids_of(f)[1], ReferencedImageSequence=[self.reference(f)]) for f in images]
        voi = [item(WindowCenter=100 * n, WindowWidth=1000, ReferencedImageSequence=[self.reference(f)]) for n, f in enumerate(images)]
        file = make_dicom(study=self.study, rows=0, Modality="PR", sop_class="1.2.840.10008.5.1.4.1.1.11.1", ReferencedSeriesSequence=listed,
                          SoftcopyVOILUTSequence=voi)
        self.assertStatus(self.server.store([file]), 200)
        parts = self.assertStatus(self.server.get(path_of(file) + "/rendered", PARTS), 200).parts()
        self.assertEqual([h["Content-Location"] for h, _ in parts], [self.server.url + path_of(f) for f in images])
        for n, (_, body) in enumerate(parts):
            self.assertNear(read_png(body), linear((self.pixels // max(1, n + (n > 0))).astype(float), 100 * n, 1000), what=str(n))

    def test_URI_10_a_state_with_wado_uri(self):
        path = self.state(PresentationLUTShape="INVERSE")
        study, series, instance = uids_of(self.image)
        _, state_series, state = path.split("/series/")[0], path.split("/series/")[1].split("/")[0], path.rsplit("/", 1)[1]
        base = f"/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}&contentType=image/png"
        with_state = f"{base}&presentationSeriesUID={state_series}&presentationUID={state}"
        got = read_png(self.assertStatus(self.wado(with_state), 200).body)
        self.assertNear(got, 255 - (self.pixels.astype(float) + 32768) / 65535 * 255)
        half = read_png(self.assertStatus(self.wado(with_state + "&region=0,0,0.5,1"), 200).body)
        self.assertNear(half, got[:, :16], 0)
        for more in ("&windowCenter=1&windowWidth=2",):
            self.assertStatus(self.wado(with_state + more), 400)
        self.assertStatus(self.wado(f"{base}&presentationUID={state}"), 400)
        self.assertStatus(self.wado(f"{base}&presentationSeriesUID={state_series}&presentationUID=1.2.3"), 400)
        self.assertStatus(self.wado(f"{base}&presentationSeriesUID={series}&presentationUID={instance}"), 400)


class Shutters(StateCase):
    def test_a_bitmap_of_the_state_is_a_shutter_and_no_overlay(self):
        bits = numpy.random.default_rng(3).random((24, 32)) < 0.3
        plain = self.presented(self.state())
        got = self.presented(self.state(ShutterShape="BITMAP", ShutterOverlayGroup=0x6002, ShutterPresentationValue=0x6060,
                                        GraphicLayerSequence=[layer("A", 1, 0xFFFF)], elements=plane(0x6002, bits, layer="A")))
        self.assertNear(got, numpy.where(bits, 0x60, plain), 0)

    def test_a_shutter_of_colours_in_its_colour(self):
        rgb = numpy.random.default_rng(5).integers(0, 256, (16, 16, 3)).astype("u1")
        image = make_dicom(study=self.study, pixels=rgb.tobytes(), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
                           BitsAllocated=8, BitsStored=8, HighBit=7)
        self.assertStatus(self.server.store([image]), 200)
        path = self.state(image, sop_class="1.2.840.10008.5.1.4.1.1.11.2", ShutterShape="RECTANGULAR", ShutterLeftVerticalEdge=5,
                          ShutterRightVerticalEdge=16, ShutterUpperHorizontalEdge=1, ShutterLowerHorizontalEdge=16,
                          ShutterPresentationValue=0, ShutterPresentationColorCIELabValue=lab_of(200, 40, 90))
        got = read_png(self.assertStatus(self.server.get(path + "/rendered", PARTS), 200).parts()[0][1])
        self.assertNear(got[:, :4], numpy.full((16, 4, 3), (200, 40, 90)), 1)
        self.assertNear(got[:, 4:], rgb[:, 4:], 0)

    def test_many_corners_cost_no_more_than_a_few(self):
        corners = [v for i in range(5000) for v in (12 + (i % 2), 16 + i % 3)]
        began = time.process_time()
        self.presented(self.state(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=corners))
        self.assertLess(time.process_time() - began, 60)


class Overlays(StateCase):
    def test_REN_59_an_overlay_of_the_state_is_drawn_in_its_layer(self):
        bits = numpy.random.default_rng(4).random((10, 20)) < 0.4
        plain = self.presented(self.state())
        want = plain.copy()
        want[3:13, 6:26][bits] = 0x40
        layers = [layer("LOW", 1, 0x4040), layer("OTHER", 2, 0x8080)]
        got = self.presented(self.state(GraphicLayerSequence=layers, elements=plane(0x6000, bits, (4, 7), "LOW")))
        self.assertNear(got, want, 0)
        for silent in ("", None):
            got = self.presented(self.state(GraphicLayerSequence=layers, elements=plane(0x6000, bits, (4, 7), silent)))
            self.assertNear(got, plain, 0, "not activated")
        turned = self.presented(self.state(GraphicLayerSequence=layers, elements=plane(0x6000, bits, (4, 7), "LOW"), ImageRotation=90,
                                           ImageHorizontalFlip="Y"))
        self.assertNear(turned, numpy.rot90(want, -1)[:, ::-1], 0, "turned with the image")
        large = self.presented(self.state(GraphicLayerSequence=layers, elements=plane(0x6000, bits, (4, 7), "LOW")), "?viewport=96,72")
        covered = numpy.kron(want == 0x40, numpy.ones((3, 3), bool)) & numpy.kron(want != plain, numpy.ones((3, 3), bool))
        self.assertTrue((large[covered] == 0x40).all(), "every pixel of it is as large as the image's")

    def test_an_overlay_of_the_image_is_shown_where_the_state_activates_it(self):
        own = numpy.zeros((24, 32), bool)
        own[:, ::3] = True
        image = make_dicom(study=self.study, rows=24, columns=32, pixels=self.pixels.tobytes(), BitsStored=16, PixelRepresentation=1,
                           elements=plane(0x6004, own))
        high = (numpy.arange(24 * 32).reshape(24, 32) % 4 == 1)
        samples = (ramp(24, 32, 0, 4095) | (high.astype("<u2") << 15)).astype("<u2")
        embedded = make_dicom(study=self.study, rows=24, columns=32, pixels=samples.tobytes(), BitsStored=12, HighBit=11,
                              elements=[(0x60000010, "US", 24), (0x60000011, "US", 32), (0x60000040, "CS", "G"), (0x60000050, "SS", [1, 1]),
                                        (0x60000100, "US", 16), (0x60000102, "US", 15)])
        self.assertStatus(self.server.store([image, embedded]), 200)
        for file, group, bits in ((image, 0x6004, own), (embedded, 0x6000, high)):
            answers = []
            for name in ("A", ""):
                path = self.state(file, GraphicLayerSequence=[layer("A", 1, 0xFFFF)], elements=[(group << 16 | 0x1001, "CS", name)])
                answers.append(read_png(self.assertStatus(self.server.get(path + "/rendered", PARTS), 200).parts()[0][1]))
            self.assertNear(answers[0], numpy.where(bits, 255, answers[1]), 0, hex(group))


class Graphics(StateCase):
    def drawn(self, graphics=(), texts=(), layers=None, query="", **more):
        annotation = item(GraphicLayer="A")
        if graphics:
            annotation.GraphicObjectSequence = list(graphics)
        if texts:
            annotation.TextObjectSequence = list(texts)
        layers = layers or [layer("A", 1, 0xFFFF)]
        return self.presented(self.state(GraphicLayerSequence=layers, GraphicAnnotationSequence=[annotation], **more), query)

    def test_coordinates_begin_at_the_corner_of_the_first_pixel(self):
        plain = self.presented(self.state())
        got = self.drawn([graphic("POLYLINE", [3.5, 2.5, 10.5, 2.5])])
        want = plain.copy()
        want[2, 3:11] = 255
        self.assertNear(got, want, 0, "from the middle of one pixel to that of another")
        want = plain.copy()
        want[4:8, 10:20] = 255
        box = [10.0, 4.0, 20.0, 4.0, 20.0, 8.0, 10.0, 8.0, 10.0, 4.0]
        got = self.drawn([graphic("POLYLINE", box, filled="Y")])
        inner = numpy.zeros_like(want, bool)
        inner[4:8, 10:20] = True
        self.assertTrue((got[inner] == 255).all(), "filled")
        area = self.area(9, 3, 24, 14)
        moved = self.drawn([graphic("POLYLINE", [10.5, 4.5, 15.5, 4.5])], DisplayedAreaSelectionSequence=area)
        self.assertEqual(numpy.argwhere(moved != plain[2:14, 8:24]).tolist(), [[2, c] for c in range(2, 8)])
        display = self.drawn([graphic("POLYLINE", [0.0, 0.52, 0.999, 0.52], units="DISPLAY")])
        self.assertTrue((display[12] == 255).all())

    def test_layers_are_drawn_in_their_order_and_colours(self):
        low = item(GraphicLayer="LOW", GraphicObjectSequence=[graphic("POLYLINE", [1.5, 5.5, 30.5, 5.5])])
        high = item(GraphicLayer="HIGH", GraphicObjectSequence=[graphic("POLYLINE", [16.5, 1.5, 16.5, 20.5])])
        for orders, crossing in (((1, 2), 0x90), ((2, 1), 0x50)):
            layers = [layer("LOW", orders[0], 0x5050), layer("HIGH", orders[1], 0x9090)]
            got = self.presented(self.state(GraphicLayerSequence=layers, GraphicAnnotationSequence=[high, low]))
            self.assertEqual((got[5, 2], got[10, 16], got[5, 16]), (0x50, 0x90, crossing))
        layers = [layer("LOW", 1, 0x5050, lab_of(10, 200, 30)), layer("HIGH", 2, 0x9090)]
        got = self.presented(self.state(GraphicLayerSequence=layers, GraphicAnnotationSequence=[high, low]))
        self.assertEqual(got.ndim, 3, "gray cannot show it")
        self.assertNear(got[5, 2], numpy.array([10, 200, 30]), 1)
        self.assertNear(got[10, 16], numpy.array([0x90] * 3), 0)

    def test_styles_of_lines_and_fills(self):
        style = [item(PatternOnColorCIELabValue=lab_of(0, 0, 255), LineThickness=3.0, LineDashingStyle="SOLID")]
        got = self.drawn([graphic("POLYLINE", [4.0, 10.5, 28.0, 10.5], LineStyleSequence=style)])
        self.assertNear(got[9:12, 15], numpy.full((3, 3), (0, 0, 255)), 1)
        self.assertTrue((got[8, 15] == got[8, 15][0]).all(), "three wide, no more")
        dashed = [item(PatternOnColorCIELabValue=lab_of(255, 255, 255), LineThickness=1.0, LineDashingStyle="DASHED")]
        line = self.drawn([graphic("POLYLINE", [0.5, 10.5, 31.5, 10.5], LineStyleSequence=dashed)])
        plain = self.presented(self.state())
        changed = (line[:, :] if line.ndim == 2 else line[:, :, 0])[10] != plain[10]
        self.assertTrue(8 < changed.sum() < 26, changed)
        fill = [item(PatternOnColorCIELabValue=lab_of(255, 0, 0), FillMode="SOLID")]
        got = self.drawn([graphic("CIRCLE", [16.0, 12.0, 22.0, 12.0], filled="Y", FillStyleSequence=fill)])
        self.assertNear(got[12, 16], numpy.array([255, 0, 0]), 1)

    def test_texts_stand_in_their_boxes_by_side_and_point_to_their_anchors(self):
        big = ramp(200, 300, 0, 100)
        image = make_dicom(study=self.study, rows=200, columns=300, pixels=big.tobytes())
        self.assertStatus(self.server.store([image]), 200)

        def where(*texts):
            path = self.state(image, GraphicLayerSequence=[layer("A", 1, 0xFFFF)],
                              GraphicAnnotationSequence=[item(GraphicLayer="A", TextObjectSequence=list(texts))])
            got = read_png(self.assertStatus(self.server.get(path + "/rendered", PARTS), 200).parts()[0][1])
            return numpy.argwhere(got > 128)
        box = [50.0, 40.0, 250.0, 60.0]
        found = {side: where(text("Hello", box, BoundingBoxTextHorizontalJustification=side)) for side in ("LEFT", "CENTER", "RIGHT")}
        for side, points in found.items():
            self.assertTrue(38 <= points[:, 0].min() and points[:, 0].max() <= 62, side)
        self.assertLess(found["LEFT"][:, 1].max(), 130)
        self.assertLess(abs(found["CENTER"][:, 1].mean() - 150), 8)
        self.assertGreater(found["RIGHT"][:, 1].min(), 190)
        pointing = where(text("Hello", box, [60.0, 150.0], AnchorPointVisibility="Y"))
        self.assertTrue((numpy.abs(pointing - [149, 60]).max(axis=1) <= 2).any(), "a line to the anchor")
        alone = where(text("Hello", anchor=[290.0, 195.0], AnchorPointVisibility="N"))
        self.assertTrue(len(alone) > 20, "moved into the picture")

    def test_texts_in_the_characters_of_the_state(self):
        got = self.drawn(texts=[text("\u0416\u0416\u0416", [2.0, 2.0, 30.0, 20.0])], SpecificCharacterSet="ISO_IR 144")
        self.assertTrue((got != self.presented(self.state())).any())

    def test_a_compound_graphic_is_drawn_by_its_simple_ones(self):
        compound = item(CompoundGraphicInstanceID=1, CompoundGraphicUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2,
                        GraphicData=[3.5, 2.5, 10.5, 2.5], CompoundGraphicType="MULTILINE", GraphicFilled="N")
        simple = graphic("POLYLINE", [3.5, 2.5, 10.5, 2.5], CompoundGraphicInstanceID=1)
        annotation = item(GraphicLayer="A", GraphicObjectSequence=[simple], CompoundGraphicSequence=[compound])
        got = self.presented(self.state(GraphicLayerSequence=[layer("A", 1, 0xFFFF)], GraphicAnnotationSequence=[annotation]))
        self.assertTrue((got[2, 3:11] == 255).all())

    def test_a_state_that_draws_without_end_is_refused(self):
        far = [v for i in range(2500) for v in ((0.0, 0.0) if i % 2 else (1.0, 1.0))]
        many = [graphic("POLYLINE", far, units="DISPLAY", LineStyleSequence=[item(LineThickness=100.0)]) for _ in range(40)]
        annotation = item(GraphicLayer="A", GraphicObjectSequence=many)
        path = self.state(GraphicLayerSequence=[layer("A", 1)], GraphicAnnotationSequence=[annotation])
        self.assertStatus(self.server.get(path + "/rendered?viewport=2000,2000", PARTS), 406)
        words = [text("x" * 9000, [1.0, 1.0, 30.0, 20.0]) for _ in range(10)]
        path = self.state(GraphicLayerSequence=[layer("A", 1)], GraphicAnnotationSequence=[item(GraphicLayer="A", TextObjectSequence=words)])
        self.assertStatus(self.server.get(path + "/rendered", PARTS), 406)


class Areas(StateCase):
    def test_REN_75_pixels_that_are_no_squares_are_made_so(self):
        for more in ({"PresentationPixelAspectRatio": [2, 1]}, {"PresentationPixelSpacing": [1.0, 0.5]}):
            path = self.state(DisplayedAreaSelectionSequence=self.area(1, 1, 32, 24, **more))
            self.assertEqual(self.presented(path).shape, (48, 32), more)
            self.assertEqual(self.presented(path, "?viewport=100,96").shape, (96, 64), more)
            path = self.state(DisplayedAreaSelectionSequence=self.area(1, 1, 32, 24, **more), ImageRotation=90, ImageHorizontalFlip="N")
            self.assertEqual(self.presented(path).shape, (32, 48), "turned")
        path = self.state(DisplayedAreaSelectionSequence=self.area(1, 1, 16, 12, "MAGNIFY", PresentationPixelMagnificationRatio=2,
                                                                   PresentationPixelAspectRatio=[1, 3]))
        self.assertEqual(self.presented(path).shape, (24, 96))
        line = item(GraphicLayer="A", GraphicObjectSequence=[graphic("POLYLINE", [0.5, 6.0, 31.5, 6.0])])
        path = self.state(DisplayedAreaSelectionSequence=self.area(1, 1, 32, 24, PresentationPixelAspectRatio=[2, 1]),
                          GraphicLayerSequence=[layer("A", 1, 0xFFFF)], GraphicAnnotationSequence=[line])
        self.assertTrue((self.presented(path)[12] == 255).all(), "graphics follow")

    def test_REN_74_frames_are_ordered_by_dimensions_and_images_by_place(self):
        images = []
        for z in (30, 10, 20):
            images.append(make_dicom(study=self.study, series=self.study + ".7", pixels=ramp().tobytes(), ImagePositionPatient=[0, 0, z],
                                     ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[1, 1]))
        groups = [item(FrameContentSequence=[item(DimensionIndexValues=[1, n])]) for n in (3, 1, 4, 2)]
        enhanced = make_dicom(study=self.study, frames=4, pixels=numpy.stack([ramp() for _ in range(4)]).tobytes(),
                              PerFrameFunctionalGroupsSequence=groups)
        self.assertStatus(self.server.store([*images, enhanced]), 200)
        listed = item(SeriesInstanceUID=self.study + ".7", ReferencedImageSequence=[self.reference(i) for i in images])
        file = make_dicom(study=self.study, rows=0, Modality="PR", sop_class="1.2.840.10008.5.1.4.1.1.11.1", ReferencedSeriesSequence=[listed])
        self.assertStatus(self.server.store([file]), 200)
        parts = self.assertStatus(self.server.get(path_of(file) + "/rendered", PARTS), 200).parts()
        self.assertEqual([h["Content-Location"] for h, _ in parts], [self.server.url + path_of(images[n]) for n in (1, 2, 0)])
        for frames, order in ((None, "2413"), ([1, 2, 3], "213")):
            parts = self.assertStatus(self.server.get(self.state(enhanced, frames) + "/rendered", PARTS), 200).parts()
            self.assertEqual("".join(h["Content-Location"][-1] for h, _ in parts), order)


class Masks(StateCase):
    def setUp(self):
        super().setUp()
        rng = numpy.random.default_rng(11)
        self.frames = rng.integers(0, 1000, (6, 24, 32)).astype("<u2")
        self.cine = make_dicom(study=self.study, rows=24, columns=32, frames=6, pixels=self.frames.tobytes(), BitsStored=12, HighBit=11,
                              sop_class="1.2.840.10008.5.1.4.1.1.12.1")
        self.assertStatus(self.server.store([self.cine]), 200)
        self.voi = [item(WindowCenter=0, WindowWidth=2000)]

    def masked(self, frame, **mask):
        path = self.state(self.cine, [frame], SoftcopyVOILUTSequence=self.voi, MaskSubtractionSequence=[item(**mask)],
                          RecommendedViewingMode="SUB", RescaleSlope=2, RescaleIntercept=5)
        return self.server.get(path + "/rendered", PNG)

    def seen(self, frame, **mask):
        return read_png(self.assertStatus(self.masked(frame, **mask), 200).body)

    def unit(self, *numbers):
        return numpy.mean([self.frames[n - 1] * 2.0 + 5 for n in numbers], axis=0)

    def test_the_mean_of_mask_frames_is_subtracted(self):
        got = self.seen(4, MaskOperation="AVG_SUB", MaskFrameNumbers=[1, 2])
        self.assertNear(got, linear(self.unit(4) - self.unit(1, 2), 0, 2000))
        got = self.seen(4, MaskOperation="AVG_SUB", MaskFrameNumbers=1, ContrastFrameAveraging=3)
        self.assertNear(got, linear(self.unit(4, 5, 6) - self.unit(1), 0, 2000), what="contrast frames from the current one on")
        got = self.seen(5, MaskOperation="AVG_SUB", MaskFrameNumbers=1, ContrastFrameAveraging=3)
        self.assertNear(got, linear(self.unit(5), 0, 2000), what="beyond the frames that there are")

    def test_the_mask_is_moved_by_parts_of_pixels(self):
        for down, right in ((2, 3), (0.5, 0), (0, -0.25), (1.5, -2.25)):
            mask = self.unit(1)
            rows = numpy.clip(numpy.arange(24) - down, 0, 23)
            columns = numpy.clip(numpy.arange(32) - right, 0, 31)
            r, c = numpy.floor(rows).astype(int), numpy.floor(columns).astype(int)
            fr, fc = (rows - r)[:, None], (columns - c)[None, :]
            r1, c1 = numpy.minimum(r + 1, 23), numpy.minimum(c + 1, 31)
            moved = ((mask[r][:, c] * (1 - fc) + mask[r][:, c1] * fc) * (1 - fr) +
                     (mask[r1][:, c] * (1 - fc) + mask[r1][:, c1] * fc) * fr)
            got = self.seen(4, MaskOperation="AVG_SUB", MaskFrameNumbers=1, MaskSubPixelShift=[down, right])
            self.assertNear(got, linear(self.unit(4) - moved, 0, 2000), what=f"{down} {right}")

    def test_earlier_frames_are_subtracted(self):
        self.assertNear(self.seen(4, MaskOperation="TID", TIDOffset=2), linear(self.unit(4) - self.unit(2), 0, 2000))
        self.assertNear(self.seen(4, MaskOperation="TID"), linear(self.unit(4) - self.unit(3), 0, 2000), what="by one")
        self.assertNear(self.seen(4, MaskOperation="TID", TIDOffset=-2), linear(self.unit(4) - self.unit(6), 0, 2000), what="later")
        self.assertNear(self.seen(2, MaskOperation="TID", TIDOffset=2), linear(self.unit(2), 0, 2000), what="none so early")
        got = self.seen(5, MaskOperation="REV_TID", TIDOffset=1, ApplicableFrameRange=[4, 6])
        self.assertNear(got, linear(self.unit(5) - self.unit(2), 0, 2000), what="reversed")

    def test_ranges_and_modes_say_where_nothing_is_subtracted(self):
        within = {"MaskOperation": "AVG_SUB", "MaskFrameNumbers": 1, "ApplicableFrameRange": [2, 3, 5, 5]}
        self.assertNear(self.seen(3, **within), linear(self.unit(3) - self.unit(1), 0, 2000))
        self.assertNear(self.seen(4, **within), linear(self.unit(4), 0, 2000))
        self.assertNear(self.seen(4, MaskOperation="NONE"), linear(self.unit(4), 0, 2000))
        path = self.state(self.cine, [4], SoftcopyVOILUTSequence=self.voi, RecommendedViewingMode="NAT", RescaleSlope=2, RescaleIntercept=5,
                          MaskSubtractionSequence=[item(MaskOperation="TID")])
        self.assertNear(read_png(self.server.get(path + "/rendered", PNG).body), linear(self.unit(4), 0, 2000))

    def test_without_a_window_no_difference_is_the_middle(self):
        self.voi = []
        got = self.seen(4, MaskOperation="AVG_SUB", MaskFrameNumbers=4)
        self.assertNear(got, numpy.full((24, 32), 127.5))
        got = self.seen(4, MaskOperation="TID")
        self.assertNear(got, ((self.unit(4) - self.unit(3)) / (2 * 4095 * 2) + 0.5) * 255)

    def test_signed_samples_of_8_and_32_bits_padding_and_compressed_ones(self):
        rng = numpy.random.default_rng(12)
        for kind, low, high, more in (("i1", -128, 128, {}), ("<i4", -2 ** 30, 2 ** 30, {}), ("<i2", -2000, 2000, {"PixelPaddingValue": -2000}),
                                      ("<i2", -2000, 2000, {"BitsStored": 12, "HighBit": 13})):
            frames = rng.integers(low, high, (2, 24, 32)).astype(kind)
            frames[1, 0] = low
            stored = frames
            if "HighBit" in more:
                stored = ((frames.astype("<i4") & 0xFFF) << 2).astype("<u2")
            bits = frames.dtype.itemsize * 8
            self.cine = make_dicom(study=self.study, rows=24, columns=32, frames=2, pixels=stored.tobytes(),
                                   **{"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 1, **more})
            self.assertStatus(self.server.store([self.cine]), 200)
            width = 4.0 * high
            self.voi = [item(WindowCenter=0, WindowWidth=width)]
            want = linear(2.0 * (frames[1].astype(float) - frames[0]), 0, width)
            if "PixelPaddingValue" in more:
                want[(frames == -2000).any(axis=0)] = 0
            self.assertNear(self.seen(2, MaskOperation="TID"), want, what=f"{kind} {more}")
        from pydicom import dcmread
        coded = dcmread(io.BytesIO(make_dicom(study=self.study, rows=24, columns=32, frames=6, pixels=self.frames.tobytes(), BitsStored=12,
                                                      HighBit=11)))
        coded.compress("1.2.840.10008.1.2.5")
        out = io.BytesIO()
        coded.save_as(out, write_like_original=False)
        self.cine, self.voi = out.getvalue(), [item(WindowCenter=0, WindowWidth=2000)]
        self.assertStatus(self.server.store([self.cine]), 200)
        self.assertNear(self.seen(4, MaskOperation="TID"), linear(self.unit(4) - self.unit(3), 0, 2000), what="RLE")

    def test_what_cannot_be_subtracted_is_406_and_told(self):
        for mask, word in (({"MaskOperation": "CUBE"}, b"Mask Operation"),
                           ({"MaskOperation": "AVG_SUB", "MaskFrameNumbers": 7}, b"frame 7 of 6"),
                           ({"MaskOperation": "TID", "TIDOffset": 9, "ApplicableFrameRange": [1, 6]}, b"of 6")):
            answer = self.assertStatus(self.masked(4, **mask), 406)
            self.assertIn(word, answer.body)


class Blending(StateCase):
    def setUp(self):
        super().setUp()
        self.red, self.green, self.blue = (numpy.linspace(0, 65535, 256).astype("<u2"), numpy.full(256, 0x4000, "<u2"),
                                           numpy.linspace(65535, 0, 256).astype("<u2"))
        self.window = [item(WindowCenter=2048, WindowWidth=4096)]

    def made(self, pixels, series, z=None, spacing=1.0, corner=(0.0, 0.0), study=None, **more):
        if z is not None:
            more.update(ImagePositionPatient=[*corner, z], ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[spacing, spacing],
                        FrameOfReferenceUID=more.pop("FrameOfReferenceUID", "1.2.3.4"))
        file = make_dicom(study=study or self.study, series=f"{self.study}.{series}", rows=pixels.shape[-2], columns=pixels.shape[-1],
                          pixels=pixels.tobytes(), frames=pixels.shape[0] if pixels.ndim == 3 else 1, **more)
        self.assertStatus(self.server.store([file]), 200)
        return file

    def blended(self, under, above, opacity=0.4, headers=PARTS, status=200, **more):
        def side(name, files):
            study, series, _ = uids_of(files[0])
            listed = item(SeriesInstanceUID=series, ReferencedImageSequence=[self.reference(f) for f in files])
            return item(BlendingPosition=name, StudyInstanceUID=study, ReferencedSeriesSequence=[listed], SoftcopyVOILUTSequence=self.window)
        tables = {}
        for name, table in (("Red", self.red), ("Green", self.green), ("Blue", self.blue)):
            tables[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
            tables[f"{name}PaletteColorLookupTableData"] = table.tobytes()
        file = make_dicom(study=self.study, rows=0, Modality="PR", sop_class="1.2.840.10008.5.1.4.1.1.11.4",
                          BlendingSequence=[side("SUPERIMPOSED", above), side("UNDERLYING", under)], RelativeOpacity=opacity, **tables, **more)
        self.assertStatus(self.server.store([file]), 200)
        self.path = path_of(file)
        return self.assertStatus(self.server.get(self.path + "/rendered", headers), status)

    def want(self, under, above, opacity=0.4):
        gray = linear(under.astype(float), 2048, 4096) / 255
        entry = numpy.floor(linear(above.astype(float), 2048, 4096) / 255 * 255 + 0.5).astype(int)
        colours = numpy.stack([t[entry] / 65535 for t in (self.red, self.green, self.blue)], axis=-1)
        return (colours * opacity + gray[..., None] * (1 - opacity)) * 255

    def test_REN_76_one_set_lies_over_the_other_at_its_place(self):
        below = [ramp(16, 16, 0, 4095) // (n + 1) for n in range(3)]
        over = [ramp(16, 16, 4095, 0) // (n + 1) for n in range(3)]
        under = [self.made(p, 20, z=10.0 * n) for n, p in enumerate(below)]
        above = [self.made(p, 21, z=10.0 * n + 1) for n, p in reversed(list(enumerate(over)))]
        answer = self.blended(under, above)
        parts = answer.parts()
        self.assertEqual([h["Content-Location"] for h, _ in parts], [self.server.url + path_of(f) for f in under], "the underlying ones")
        for n, (_, body) in enumerate(parts):
            self.assertNear(read_png(body), self.want(below[n], over[n]), 1.5, f"plane {n}")

    def test_other_sizes_and_places_are_resampled(self):
        below, over = numpy.full((20, 20), 1000, "<u2"), ramp(6, 6, 0, 4095)
        under = [self.made(below, 22, z=0.0)]
        above = [self.made(over, 23, z=0.0, spacing=2.0, corner=(4.0, 6.0))]
        got = read_png(self.blended(under, above, 1.0).parts()[0][1])
        x, y = (numpy.arange(20) - 4) / 2, (numpy.arange(20) - 6) / 2
        cx, cy = numpy.clip(x, 0, 5), numpy.clip(y, 0, 5)
        c, r = numpy.floor(cx).astype(int), numpy.floor(cy).astype(int)
        c1, r1, fc, fr = numpy.minimum(c + 1, 5), numpy.minimum(r + 1, 5), (cx - c)[None], (cy - r)[:, None]
        values = (over[r][:, c] * (1 - fc) + over[r][:, c1] * fc) * (1 - fr) + (over[r1][:, c] * (1 - fc) + over[r1][:, c1] * fc) * fr
        inside = ((y > -0.5) & (y < 5.5))[:, None] & ((x > -0.5) & (x < 5.5))[None]
        want = numpy.where(inside[..., None], self.want(below, values, 1.0), linear(below.astype(float), 2048, 4096)[..., None])
        self.assertNear(got, want, 1.5)

    def test_planes_that_nothing_lies_over_are_shown_alone(self):
        below = ramp(16, 16)
        under = [self.made(below, 24, z=100.0)]
        above = [self.made(ramp(), 25, z=0.0)]
        got = read_png(self.blended(under, above).parts()[0][1])
        self.assertNear(got, numpy.repeat(linear(below.astype(float), 2048, 4096)[..., None], 3, 2))

    def test_without_places_frames_of_the_same_number_belong_together(self):
        below = numpy.stack([ramp(16, 16) // (n + 1) for n in range(2)])
        over = numpy.stack([ramp(16, 16, 4095, 0) // (n + 1) for n in range(2)])
        under, above = [self.made(below, 26)], [self.made(over, 27, study=self.study + ".1")]
        for n, (headers, body) in enumerate(self.blended(under, above).parts()):
            self.assertTrue(headers["Content-Location"].endswith(f"/frames/{n + 1}"))
            self.assertNear(read_png(body), self.want(below[n], over[n]), 1.5)
        three = [self.made(numpy.stack([ramp()] * 3), 28)]
        self.assertIn(b"belong together", self.blended(under, three, status=406).body)

    def test_URI_10_a_blending_state_with_wado_uri(self):
        below, over = ramp(), ramp(16, 16, 4095, 0)
        under, above = self.made(below, 34), self.made(over, 35)
        self.blended([under], [above])
        (study, series, instance), state = uids_of(under), self.path.split("/")
        answer = self.server.get(f"/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}&contentType=image/png"
                                 f"&presentationSeriesUID={state[4]}&presentationUID={state[6]}", {"Accept": "*/*"})
        self.assertNear(read_png(self.assertStatus(answer, 200).body), self.want(below, over), 1.5)

    def test_sets_that_need_a_registration_are_406_and_told(self):
        under = [self.made(ramp(), 29, z=0.0)]
        above = [self.made(ramp(), 30, z=0.0, FrameOfReferenceUID="1.2.3.5")]
        self.assertIn(b"frames of reference", self.blended(under, above, status=406).body)
        gone = [make_dicom(study=self.study, series=self.study + ".31")]
        self.blended(under, gone, status=404)
        self.blended(gone, above, status=404)

    def test_a_profile_of_the_state_is_embedded(self):
        under, above = [self.made(ramp(), 32)], [self.made(ramp(), 33)]
        self.blended(under, above)
        parts = self.assertStatus(self.server.get(self.path + "/rendered?iccprofile=yes", PARTS), 200).parts()
        self.assertIn(b"iCCP", parts[0][1][:200])
        tag = self.server.get(self.path + "/rendered", PARTS).headers["ETag"]
        self.assertStatus(self.server.get(self.path + "/rendered", {**PARTS, "If-None-Match": tag}), 304)


@unittest.skipUnless(shutil.which("dcmp2pgm"), "dcmp2pgm is not installed")
class AgainstDcmtk(StateCase):
    """Modality, VOI and Presentation LUTs, rotation and flips; dcmp2pgm leaves shutters, overlays and graphics to its viewer."""

    def reference_of(self, state, frame=1):
        with tempfile.TemporaryDirectory() as folder:
            names = [os.path.join(folder, name) for name in ("image", "state", "out")]
            for name, data in zip(names, (self.image, state)):
                with open(name, "wb") as out:
                    out.write(data)
            subprocess.run(["dcmp2pgm", "-q", "-f", str(frame), "-p", names[1], names[0], names[2]], check=True, capture_output=True)
            with open(names[2], "rb") as file:
                return read_pnm(file.read())

    def compare(self, most=1, **attributes):
        study, series, instance = uids_of(self.image)
        reference = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=instance)
        needed = {"PresentationLUTShape": "IDENTITY"} if "PresentationLUTSequence" not in attributes else {}
        needed.update(SoftcopyVOILUTSequence=[item(WindowCenter=500, WindowWidth=2000)],
                      ContentLabel="TEST", ContentDescription="", PresentationCreationDate="20240101", PresentationCreationTime="101010",
                      ContentCreatorName="", InstanceNumber=1, RescaleSlope=1, RescaleIntercept=0, RescaleType="US",
                      DisplayedAreaSelectionSequence=self.area(1, 1, 32, 24, PresentationPixelAspectRatio=[1, 1]))
        needed.update(attributes)
        file = make_dicom(study=study, rows=0, Modality="PR", sop_class="1.2.840.10008.5.1.4.1.1.11.1",
                          ReferencedSeriesSequence=[item(SeriesInstanceUID=series, ReferencedImageSequence=[reference])], **needed)
        self.assertStatus(self.server.store([file]), 200)
        want = self.reference_of(file)
        got = self.presented(path_of(file))
        self.assertNear(got, want.astype(float), most, str(attributes)[:200])

    def test_gray(self):
        self.compare()
        self.compare(PresentationLUTShape="INVERSE")
        self.compare(SoftcopyVOILUTSequence=[item(WindowCenter=-200, WindowWidth=300)], RescaleSlope=2, RescaleIntercept=-50)
        table = item(LUTDescriptor=[3000, 0, 16], LUTData=[min(65535, i * i // 100) for i in range(3000)])
        table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
        self.compare(SoftcopyVOILUTSequence=[item(VOILUTSequence=[table])])
        shape = item(LUTDescriptor=[1024, 0, 12], LUTData=[(i * i >> 8) for i in range(1024)])
        shape["LUTDescriptor"].VR = shape["LUTData"].VR = "US"
        self.compare(2, PresentationLUTSequence=[shape])

    def test_rotation_and_flips(self):
        for rotation in (0, 90, 180, 270):
            for flip in ("N", "Y"):
                self.compare(ImageRotation=rotation, ImageHorizontalFlip=flip)


if __name__ == "__main__":
    unittest.main()

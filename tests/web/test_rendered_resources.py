"""Rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4) over TLS: which there are, in which form and type, of images,
documents, videos and stored JPEG streams, by DICOMweb and by WADO-URI.
"""
import io
import unittest

import numpy
from gantry import make_dicom, path_of, uid
from pictures import gif_frames, jpeg_markers, jpeg_size, read_png
from rendered_case import GIF, IMG, JPEG, OHIF, PARTS, PNG, RenderedCase, item, linear, ramp


class Resources(RenderedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.study = uid(6, 1)

        def make(series, instance, frames=1, **more):
            pixels = numpy.concatenate([ramp(most=4000 + f) for f in range(frames)]).tobytes()
            return make_dicom(study=cls.study, series=f"{cls.study}.{series}", instance=f"{cls.study}.{series}.{instance}",
                              SeriesNumber=series, InstanceNumber=instance, frames=frames, pixels=pixels, WindowCenter=2000,
                              WindowWidth=4000, **more)
        cls.single = [make(2, i) for i in (1, 2, 3)]
        cls.multi = make(3, 1, frames=4, FrameTime="40", sop_class="1.2.840.10008.5.1.4.1.1.7.3")
        cls.localizer = make(1, 1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        cls.report = make_dicom(study=cls.study, series=f"{cls.study}.9", rows=0, SeriesNumber=9, Modality="SR",
                                sop_class="1.2.840.10008.5.1.4.1.1.88.11")
        files = [cls.localizer, *cls.single, cls.multi, cls.report]
        assert cls.server.store(files).status == 200

    def test_REN_01_02_05_all_four_resources_answer(self):
        one, many = path_of(self.single[0]), path_of(self.multi)
        answer = self.assertStatus(self.server.get(one + "/rendered", JPEG), 200)
        self.assertEqual(answer.headers["Content-Type"], "image/jpeg")
        self.assertEqual(answer.headers["Content-Location"], self.server.url + one)
        self.assertEqual(jpeg_size(answer.body), (16, 16, 1))
        answer = self.assertStatus(self.server.get(many + "/frames/2/rendered", JPEG), 200)
        self.assertEqual(answer.headers["Content-Location"], self.server.url + many + "/frames/2")
        for path, count in ((f"/studies/{self.study}", 8), (f"/studies/{self.study}/series/{self.study}.2", 3), (many, 4),
                            (many + "/frames/4,1", 2), (one, 1)):
            answer = self.assertStatus(self.server.get(path + "/rendered", PARTS), 200)
            self.assertTrue(answer.headers["Content-Type"].startswith('multipart/related; type="image/png"'))
            parts = answer.parts()
            self.assertEqual(len(parts), count, path)
            for headers, payload in parts:
                self.assertEqual(headers["Content-Type"], "image/png")
                self.assertEqual(int(headers["Content-Length"]), len(payload))
                self.assertEqual(read_png(payload).shape, (16, 16))
                self.assertTrue(headers["Content-Location"].startswith(self.server.url + "/studies/"))
        locations = [h["Content-Location"].rsplit("/", 1)[1] for h, _ in
                     self.server.get(many + "/frames/4,1/rendered", PARTS).parts()]
        self.assertEqual(locations, ["4", "1"])

    def test_REN_05_single_part_alone_does_not_do_for_many(self):
        self.assertStatus(self.server.get(f"/studies/{self.study}/rendered", JPEG), 406)
        self.assertStatus(self.server.get(path_of(self.multi) + "/rendered", JPEG), 406)
        self.assertStatus(self.server.get(f"/studies/{self.study}/rendered", GIF), 406)

    def test_REN_06_07_an_img_gets_an_animation_or_one_frame(self):
        answer = self.assertStatus(self.server.get(path_of(self.multi) + "/rendered", IMG), 200)
        self.assertEqual(answer.headers["Content-Type"], "image/gif")
        self.assertEqual(gif_frames(answer.body), (16, 16, [4] * 4))
        self.assertEqual(answer.headers["Cross-Origin-Resource-Policy"], "cross-origin")
        answer = self.assertStatus(self.server.get(path_of(self.multi) + "/frames/3,1/rendered", GIF), 200)
        self.assertEqual(len(gif_frames(answer.body)[2]), 2)
        answer = self.assertStatus(self.server.get(path_of(self.single[0]) + "/rendered", IMG), 200)
        self.assertIn(answer.headers["Content-Type"], ("image/jpeg", "image/webp"))

    def test_NEG_05_ohif_contradicts_itself_and_gets_its_picture(self):
        for path in (path_of(self.single[0]), path_of(self.multi)):
            for resource in ("rendered", "thumbnail"):
                for headers in (OHIF, {"Accept": "*/*"}, IMG):
                    answer = self.assertStatus(self.server.get(f"{path}/{resource}?accept=image%2Fjpeg", headers), 200)
                    self.assertEqual(answer.headers["Content-Type"], "image/jpeg")

    def test_REN_11_a_transfer_syntax_on_a_rendered_type_is_ignored(self):
        one = path_of(self.single[0])
        self.assertStatus(self.server.get(one + "/rendered", {"Accept": "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"}), 406)
        self.assertStatus(self.server.get(one + "/rendered", {"Accept": "image/jpeg; transfer-syntax=*, image/png"}), 200)
        self.assertStatus(self.server.get(one + "/rendered", {"Accept": "application/dicom"}), 406)

    def test_frames_that_are_not_there_are_404(self):
        for frames, status in (("0", 400), ("5", 404), ("1,5", 404), ("x", 400)):
            self.assertStatus(self.server.get(f"{path_of(self.multi)}/frames/{frames}/rendered", PARTS), status)
            self.assertStatus(self.server.get(f"{path_of(self.multi)}/frames/{frames}/thumbnail", JPEG), status)
        self.assertStatus(self.server.get("/studies/1.2.3.4/rendered", PARTS), 404)

    def test_REN_15_pictures_are_cacheable(self):
        for path, headers in ((path_of(self.single[0]) + "/rendered", JPEG), (path_of(self.multi) + "/rendered", PARTS),
                              (f"/studies/{self.study}/rendered", PARTS), (f"/studies/{self.study}/thumbnail", JPEG)):
            answer = self.assertStatus(self.server.get(path, headers), 200)
            self.assertIn("private", answer.headers["Cache-Control"])
            again = self.server.get(path, {**headers, "If-None-Match": answer.headers["ETag"]})
            self.assertStatus(again, 304)
            other = self.server.get(path + "?viewport=8,8", {**headers, "If-None-Match": answer.headers["ETag"]})
            self.assertStatus(other, 200)

    def test_THU_01_02_04_thumbnails_at_four_levels(self):
        for path in (f"/studies/{self.study}", f"/studies/{self.study}/series/{self.study}.2", path_of(self.single[0]),
                     path_of(self.multi) + "/frames/2"):
            answer = self.assertStatus(self.server.get(path + "/thumbnail", {"Accept": "*/*"}), 200)
            self.assertEqual(answer.headers["Content-Type"], "image/jpeg")
            self.assertEqual(jpeg_size(answer.body), (16, 16, 1), "never larger than the image by itself")
            answer = self.assertStatus(self.server.get(path + "/thumbnail?viewport=64,32", JPEG), 200)
            self.assertEqual(jpeg_size(answer.body), (32, 32, 1))
            self.assertStatus(self.server.get(path + "/thumbnail?viewport=64,64,1,1", JPEG), 400)
            self.assertStatus(self.server.get(path + "/thumbnail", PARTS), 406)

    def test_THU_06_the_middle_of_the_first_series_that_is_no_localizer(self):
        answer = self.server.get(f"/studies/{self.study}/thumbnail", JPEG)
        self.assertTrue(answer.headers["Content-Location"].endswith(path_of(self.single[1])), answer.headers["Content-Location"])

    def test_THU_03_no_identity_on_thumbnails(self):
        marked = numpy.full((64, 64), 4000, "<u2")
        path = self.stored(marked, BurnedInAnnotation="YES", WindowCenter=2000, WindowWidth=4000)
        shown = read_png(self.server.get(path + "/rendered", PNG).body)
        tile = read_png(self.assertStatus(self.server.get(path + "/thumbnail", PNG), 200).body)
        self.assertEqual(int(shown.min()), 255)
        self.assertLess(float(tile.mean()), 128, "a tile, not the image")
        plain = self.stored(numpy.zeros((64, 64), "<u2"), WindowCenter=2000, WindowWidth=4000)
        self.assertEqual(int(read_png(self.server.get(plain + "/thumbnail?annotation=patient", PNG).body).max()), 0)

    def test_THU_07_what_is_no_image_gets_a_tile(self):
        base = "1.2.840.10008.5.1.4.1.1."
        reports = [f"88.{n}" for n in (11, 22, 33, 34, 35, 40, 50, 59, 65, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77)]
        waves = [f"9.{n}" for n in ("1.1", "1.2", "1.3", "1.4", "2.1", "3.1", "4.1", "4.2", "5.1", "6.1", "6.2", "7.1", "7.2", "7.3", "7.4", "8.1")]
        therapy = [f"481.{n}" for n in (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25)]
        states = [f"11.{n}" for n in range(1, 13)]
        others = ["104.1", "104.2", "104.3", "104.4", "104.5", "66", "66.1", "66.2", "66.3", "66.5", "67", "68.1", "68.2", "78.1", "78.8", "79.1",
                  "90.1", "91.1", "131"]
        for sop_class, modality in ([(base + c, "SR") for c in reports] + [(base + c, "ECG") for c in waves] +
                                    [(base + c, "RTPLAN") for c in therapy] + [(base + c, "PR") for c in states] +
                                    [(base + c, "OT") for c in others]):
            file = make_dicom(rows=0, sop_class=sop_class, Modality=modality)
            self.assertStatus(self.server.store([file]), 200)
            study = path_of(file).split("/series/")[0]
            for path in (path_of(file), study):
                answer = self.assertStatus(self.server.get(path + "/thumbnail", PNG), 200)
                self.assertEqual(read_png(answer.body).shape, (256, 256), sop_class)
        self.assertStatus(self.server.get(path_of(file) + "/rendered", JPEG), 406)

    def test_REN_13_what_cannot_be_rendered_is_passed_over(self):
        study = uid(6, 2)
        broken = make_dicom(study=study, syntax="1.2.840.10008.1.2.4.50", encapsulated=[b"\xff\xd8\xff\xe0 no JPEG at all \xff\xd9"],
                            BitsAllocated=8, BitsStored=8, HighBit=7)
        good = make_dicom(study=study, pixels=ramp().tobytes())
        plan = make_dicom(study=study, rows=0, Modality="RTPLAN", sop_class="1.2.840.10008.5.1.4.1.1.481.5")
        self.assertStatus(self.server.store([broken, plan, good]), 200)
        answer = self.assertStatus(self.server.get(f"/studies/{study}/rendered", PARTS), 200)
        self.assertEqual(len(answer.parts()), 1)
        self.assertIn(self.server.get(path_of(broken) + "/rendered", PNG).status, (406, 500))
        self.assertStatus(self.server.get(path_of(broken) + "/thumbnail", PNG), 200)
        self.assertStatus(self.server.get(path_of(plan) + "/rendered", PNG), 406)

    def test_REN_14_bombs_are_refused_at_once(self):
        huge = make_dicom(rows=1, columns=1, syntax="1.2.840.10008.1.2.4.50", encapsulated=[b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0\xff\xd9"],
                          BitsAllocated=8, BitsStored=8, HighBit=7, Rows=65535, Columns=65535)
        self.assertStatus(self.server.store([huge]), 200)
        before = self.server.memory("VmHWM")
        self.assertIn(self.server.get(path_of(huge) + "/rendered", JPEG).status, (406, 500))
        self.assertIn(self.server.get(path_of(huge) + "/thumbnail", JPEG).status, (200, 406, 500))
        self.assertLess(self.server.memory("VmHWM") - before, 64 << 20)
        small = self.stored(ramp())
        answer = self.assertStatus(self.server.get(small + "/rendered?viewport=16384,16384", JPEG), 400)
        self.assertIn(b"picture_ceiling", answer.body)
        self.assertStatus(self.server.get(small + "/rendered?viewport=4000,4000", JPEG), 200)


class StoredJpeg(RenderedCase):
    """REN-22: made by Pillow, so that the streams are nobody's here."""

    def jpeg(self, mode, **more):
        from PIL import Image
        rng = numpy.random.default_rng(9)
        pixels = rng.integers(0, 256, (16, 24) if mode == "L" else (16, 24, 3)).astype("u1")
        out = io.BytesIO()
        Image.fromarray(pixels, mode).save(out, "JPEG", quality=80, **more)
        return out.getvalue()

    def stored_jpeg(self, stream, samples, **more):
        file = make_dicom(rows=16, columns=24, syntax="1.2.840.10008.1.2.4.50", encapsulated=[stream + b"\0" * (len(stream) % 2)],
                          **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "SamplesPerPixel": samples,
                             "PhotometricInterpretation": "MONOCHROME2" if samples == 1 else "YBR_FULL_422", **more})
        self.assertStatus(self.server.store([file]), 200)
        return path_of(file)

    def test_REN_22_a_stored_jpeg_that_nothing_changes_is_passed_through(self):
        gray, colour = self.jpeg("L"), self.jpeg("RGB")
        for stream, samples in ((gray, 1), (colour, 3)):
            path = self.stored_jpeg(stream, samples)
            self.assertEqual(self.assertStatus(self.server.get(path + "/rendered", JPEG), 200).body, stream)
            for query in ("quality=90", "viewport=12,8", "annotation=patient", "iccprofile=srgb"):
                self.assertNotEqual(self.assertStatus(self.server.get(f"{path}/rendered?{query}", JPEG), 200).body, stream, query)

    def test_REN_33_the_profile_of_the_stored_stream_is_that_of_the_colours(self):
        from PIL import ImageCms
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        with_profile = self.stored_jpeg(self.jpeg("RGB", icc_profile=profile), 3)
        answer = self.assertStatus(self.server.get(with_profile + "/rendered?iccprofile=yes", JPEG), 200)
        found = [body[14:] for marker, body in jpeg_markers(answer.body) if marker == 0xE2]
        self.assertEqual(b"".join(found), profile)
        answer = self.assertStatus(self.server.get(with_profile + "/rendered?iccprofile=no", JPEG), 200)
        self.assertFalse([1 for marker, _ in jpeg_markers(answer.body) if marker == 0xE2])
        plain = self.jpeg("RGB")
        self.assertEqual(self.server.get(self.stored_jpeg(plain, 3) + "/rendered?iccprofile=no", JPEG).body, plain)

    def test_REN_22_what_would_be_seen_otherwise_is_made_anew(self):
        for more in ({"WindowCenter": 100, "WindowWidth": 50}, {"PhotometricInterpretation": "MONOCHROME1"}, {"PixelPaddingValue": 0},
                     {"PresentationLUTShape": "INVERSE"}):
            stream = self.jpeg("L")
            answer = self.assertStatus(self.server.get(self.stored_jpeg(stream, 1, **more) + "/rendered", JPEG), 200)
            self.assertNotEqual(answer.body, stream, more)
        for mode, samples in (("RGB", 3), ("L", 1)):
            stream = self.jpeg(mode, progressive=True)
            answer = self.assertStatus(self.server.get(self.stored_jpeg(stream, samples) + "/rendered", JPEG), 200)
            self.assertEqual(jpeg_size(answer.body), (16, 24, samples), "baseline")


class Documents(RenderedCase):
    def report(self):
        from pydicom.dataset import Dataset

        def code(meaning):
            return [item(CodeValue="1", CodingSchemeDesignator="99T", CodeMeaning=meaning)]
        text = item(RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=code("Finding & more"),
                    TextValue="<script>alert('x')</script> Größe\r\nsecond line")
        number = item(RelationshipType="HAS PROPERTIES", ValueType="NUM", ConceptNameCodeSequence=code("Length"),
                      MeasuredValueSequence=[item(NumericValue="12.5", MeasurementUnitsCodeSequence=code("millimeter"))])
        image = item(RelationshipType="CONTAINS", ValueType="IMAGE",
                     ReferencedSOPSequence=[item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.2.3.4.5",
                                                 ReferencedFrameNumber="7")])
        text.ContentSequence = [number]
        file = make_dicom(rows=0, sop_class="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", SpecificCharacterSet="ISO_IR 192",
                          ValueType="CONTAINER", ConceptNameCodeSequence=code("Ultrasound report"), ContentSequence=[text, image])
        assert isinstance(text, Dataset)
        self.assertStatus(self.server.store([file]), 200)
        return path_of(file)

    def test_REN_09_a_report_is_read_as_html_text_and_xml(self):
        path = self.report()
        answer = self.assertStatus(self.server.get(path + "/rendered", {"Accept": "*/*"}), 200)
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        page = answer.body.decode()
        self.assertNotIn("<script", page)
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        self.assertEqual(answer.headers.get_all("X-Content-Type-Options"), ["nosniff"])
        for text in ("Ultrasound report", "Finding &amp; more", "&lt;script&gt;", "Größe", "12.5 millimeter", "1.2.3.4.5 frame 7", "Doe^Jane"):
            self.assertIn(text, page)
        self.assertLess(page.index("Größe"), page.index("12.5 millimeter"), "nested below what has it")
        plain = self.assertStatus(self.server.get(path + "/rendered", {"Accept": "text/plain"}), 200)
        self.assertIn("  Length: 12.5 millimeter", plain.body.decode())
        self.assertIn("<script>alert('x')</script>", plain.body.decode())
        xml = self.assertStatus(self.server.get(path + "/rendered", {"Accept": "text/xml"}), 200)
        import xml.etree.ElementTree as tree
        root = tree.fromstring(xml.body)
        self.assertEqual(root.find("item").get("type"), "TEXT")
        self.assertEqual(root.find("item/item/value").text, "12.5 millimeter")
        self.assertStatus(self.server.get(path + "/rendered", JPEG), 406)

    def test_REN_13_a_study_holds_its_documents_too_each_in_a_type_of_its_kind(self):
        study, pdf, stream = uid(6, 9), b"%PDF-1.4\nbody%%EOF\n", b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 2000
        cda = b"<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>"
        made = {
            "image": make_dicom(study=study, series=study + ".1", pixels=ramp().tobytes()),
            "pdf": make_dicom(study=study, series=study + ".2", rows=0, sop_class="1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC",
                              MIMETypeOfEncapsulatedDocument="application/pdf", EncapsulatedDocument=pdf),
            "cda": make_dicom(study=study, series=study + ".3", rows=0, sop_class="1.2.840.10008.5.1.4.1.1.104.2", Modality="DOC",
                              MIMETypeOfEncapsulatedDocument="text/XML", EncapsulatedDocument=cda + b"\0"),
            "report": make_dicom(study=study, series=study + ".4", rows=0, sop_class="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR",
                                 ValueType="CONTAINER"),
            "video": make_dicom(study=study, series=study + ".5", syntax="1.2.840.10008.1.2.4.102", encapsulated=[stream], NumberOfFrames=30,
                                BitsAllocated=8, BitsStored=8, HighBit=7, SamplesPerPixel=3, PhotometricInterpretation="YBR_PARTIAL_420",
                                sop_class="1.2.840.10008.5.1.4.1.1.77.1.4.1"),
            "wave": make_dicom(study=study, series=study + ".6", rows=0, sop_class="1.2.840.10008.5.1.4.1.1.9.1.1", Modality="ECG"),
            "plan": make_dicom(study=study, series=study + ".7", rows=0, sop_class="1.2.840.10008.5.1.4.1.1.481.5", Modality="RTPLAN"),
            "state": make_dicom(study=study, series=study + ".8", rows=0, sop_class="1.2.840.10008.5.1.4.1.1.11.1", Modality="PR"),
        }
        self.assertStatus(self.server.store(list(made.values())), 200)
        where = {self.server.url + path_of(file): name for name, file in made.items()}

        def parts(*types, path=f"/studies/{study}", status=200):
            header = ", ".join(f'multipart/related; type="{t}"' for t in types)
            answer = self.assertStatus(self.server.get(path + "/rendered", {"Accept": header}), status)
            if status != 200:
                return answer
            got = [(where[h["Content-Location"]], h["Content-Type"], body) for h, body in answer.parts()]
            for headers, body in answer.parts():
                self.assertEqual(int(headers["Content-Length"]), len(body))
            self.assertIn(f'type="{got[0][1].split(";")[0]}"', answer.headers["Content-Type"], "that of the first part")
            return got
        self.assertEqual([(n, t) for n, t, _ in parts("image/png")], [("image", "image/png")])
        self.assertEqual([(n, t) for n, t, _ in parts("image/png", "text/html")],
                         [("image", "image/png"), ("pdf", "text/html; charset=utf-8"), ("report", "text/html; charset=utf-8")])
        every = parts("image/jpeg", "text/plain", "application/pdf", "text/xml", "video/mp4")
        self.assertEqual([n for n, _, _ in every], ["image", "pdf", "cda", "report", "video"])
        self.assertEqual({n: body for n, _, body in every if n in ("pdf", "cda", "video")}, {"pdf": pdf, "cda": cda, "video": stream})
        self.assertEqual(parts("video/mp4")[0][2], stream)
        self.assertEqual(parts("application/pdf", path=f"/studies/{study}/series/{study}.2")[0][2], pdf)
        self.assertEqual([n for n, _, _ in parts("*/*")], ["image", "pdf", "cda", "report", "video"])
        for series in (6, 7, 8):
            parts("*/*", path=f"/studies/{study}/series/{study}.{series}", status=406)
        self.assertIn(b"text/html", parts("application/dicom", status=406).body)
        parts("text/rtf", status=406)
        answer = self.server.get(f"/studies/{study}/rendered", {"Accept": 'multipart/related; type="text/html"'})
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        other = {"Accept": 'multipart/related; type="text/plain"', "If-None-Match": answer.headers["ETag"]}
        self.assertStatus(self.server.get(f"/studies/{study}/rendered", other), 200)
        self.assertStatus(self.server.get(f"/studies/{study}/rendered", {**other, "Accept": 'multipart/related; type="text/html"'}), 304)
        self.assertStatus(self.server.get(f"/studies/{study}/rendered", {"Accept": "text/html"}), 406)

    def test_REN_10_an_encapsulated_pdf_is_the_document_itself(self):
        pdf = b"%PDF-1.4\n" + bytes(range(256)) * 9 + b"%%EOF"
        file = make_dicom(rows=0, sop_class="1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC", DocumentTitle="A <b>title",
                          MIMETypeOfEncapsulatedDocument="application/pdf", EncapsulatedDocument=pdf + b"\0" * (len(pdf) % 2))
        self.assertStatus(self.server.store([file]), 200)
        answer = self.assertStatus(self.server.get(path_of(file) + "/rendered", {"Accept": "application/pdf"}), 200)
        self.assertEqual(answer.body, pdf)
        self.assertEqual(answer.headers["Content-Type"], "application/pdf")
        page = self.assertStatus(self.server.get(path_of(file) + "/rendered", {"Accept": "text/html"}), 200).body.decode()
        self.assertIn("A &lt;b&gt;title", page)
        self.assertIn("/rendered?accept=application/pdf", page)

    def test_REN_08_a_video_is_passed_through_with_ranges(self):
        stream = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
        file = make_dicom(syntax="1.2.840.10008.1.2.4.102", encapsulated=[stream], NumberOfFrames=30, BitsAllocated=8, BitsStored=8,
                          HighBit=7, SamplesPerPixel=3, PhotometricInterpretation="YBR_PARTIAL_420",
                          sop_class="1.2.840.10008.5.1.4.1.1.77.1.4.1")
        self.assertStatus(self.server.store([file]), 200)
        path = path_of(file) + "/rendered?accept=video/mp4"
        answer = self.assertStatus(self.server.get(path, {"Accept": "*/*"}), 200)
        self.assertEqual(answer.headers["Content-Type"], "video/mp4")
        self.assertEqual(answer.body, stream)
        part = self.assertStatus(self.server.get(path, {"Accept": "*/*", "Range": "bytes=4-11"}), 206)
        self.assertEqual(part.body, b"ftypmp42")
        self.assertStatus(self.server.get(path_of(file) + "/rendered", JPEG), 406)
        self.assertStatus(self.server.get(path_of(file) + "/thumbnail", JPEG), 200)


class WadoUri(RenderedCase):
    def setUp(self):
        from gantry import uids_of
        self.pixels = ramp(20, 40)
        self.single = make_dicom(rows=20, columns=40, pixels=self.pixels.tobytes(), WindowCenter=2048, WindowWidth=4096)
        self.multi = make_dicom(rows=20, columns=40, frames=3, pixels=numpy.stack([self.pixels // (f + 1) for f in range(3)]).tobytes(),
                                WindowCenter=2048, WindowWidth=4096)
        self.assertStatus(self.server.store([self.single, self.multi]), 200)
        self.base = ["/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}".format(*uids_of(f)) for f in (self.single, self.multi)]

    def png(self, query, which=0):
        return read_png(self.assertStatus(self.wado(self.base[which] + "&contentType=image/png" + query), 200).body)

    def test_URI_02_12_13_what_comes_without_a_word_and_by_list(self):
        answer = self.assertStatus(self.wado(self.base[0], {"Accept": "*/*"}), 200)
        self.assertEqual(answer.headers["Content-Type"], "image/jpeg")
        self.assertTrue(answer.headers["Content-Location"].endswith(path_of(self.single)))
        self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
        for types, want in (("image/tiff,image/png", "image/png"), ("image%2Fjpeg", "image/jpeg"), ("image/gif,image/jpeg", "image/gif")):
            self.assertEqual(self.assertStatus(self.wado(f"{self.base[0]}&contentType={types}"), 200).headers["Content-Type"], want)
        self.assertStatus(self.wado(self.base[0] + "&contentType=image/tiff"), 406)
        self.assertStatus(self.wado(self.base[0] + "&contentType=text/html"), 406)

    def test_URI_06_frame_number(self):
        self.assertNear(self.png("", 1), linear(self.pixels.astype(float), 2048, 4096), what="the first by default")
        self.assertNear(self.png("&frameNumber=3", 1), linear((self.pixels // 3).astype(float), 2048, 4096))
        for frame in ("0", "4", "1,2", "x", "", "1&frameNumber=2"):
            self.assertStatus(self.wado(f"{self.base[1]}&contentType=image/png&frameNumber={frame}"), 400)
        self.assertStatus(self.wado(self.base[0] + "&contentType=image/png&frameNumber=1"), 400)

    def test_URI_07_08_09_window_size_and_region(self):
        self.assertNear(self.png("&windowCenter=100&windowWidth=300"), linear(self.pixels.astype(float), 100, 300))
        self.assertEqual(self.png("&rows=10").shape, (10, 20))
        self.assertEqual(self.png("&columns=10").shape, (5, 10))
        self.assertEqual(self.png("&rows=100&columns=60").shape, (30, 60))
        whole = self.png("")
        self.assertNear(self.png("&region=0.5,0,1,0.5"), whole[:10, 20:], 0)
        for query in ("windowCenter=1", "windowWidth=1", "rows=0", "region=0.5,0,0.2,1", "region=0,0,1", "imageQuality=101", "annotation="):
            self.assertStatus(self.wado(f"{self.base[0]}&contentType=image/png&{query}"), 400)

    def test_URI_11_never_an_identified_object_in_place_of_an_anonymous_one(self):
        answer = self.wado(self.base[0] + "&contentType=image/png&anonymize=yes")
        self.assertIn(answer.status, (400, 501))
        self.assertStatus(self.wado(self.base[0] + "&contentType=image/png&anonymize=yes&anonymize=yes"), 400)


if __name__ == "__main__":
    unittest.main()

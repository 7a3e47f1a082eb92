"""STOW-RS of metadata and bulk data (PS3.18 10.5.1.4), of compressed bodies, and its answers as XML."""
import base64
import copy
import gzip
import io
import json
import os
import unittest
import uuid

from gantry import JSON, ServerCase, make_dicom, multipart, path_of, uid, uids_of, value

EXACT = {"Accept": "application/dicom; transfer-syntax=*"}
REFERENCED, FAILED, OTHER = "00081199", "00081198", "0008119A"


def message(parts, kind="application/dicom+json"):
    """(headers of the part, payload) each; returns body and Content-Type."""
    boundary = uuid.uuid4().hex
    body = io.BytesIO()
    for headers, payload in parts:
        body.write(f"--{boundary}\r\n".encode())
        for name, text in headers.items():
            body.write(f"{name}: {text}\r\n".encode())
        body.write(b"\r\n" + payload + b"\r\n")
    body.write(f"--{boundary}--\r\n".encode())
    return body.getvalue(), f'multipart/related; type="{kind}"; boundary={boundary}'


def model(n, **more):
    """A CT image without its pixels, as a JSON model."""
    study = uid(os.getpid(), 7000, n)
    out = {"00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]}, "00080018": {"vr": "UI", "Value": [study + ".1.1"]},
           "0020000D": {"vr": "UI", "Value": [study]}, "0020000E": {"vr": "UI", "Value": [study + ".1"]},
           "00080060": {"vr": "CS", "Value": ["CT"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Meta^Data"}]},
           "00100020": {"vr": "LO", "Value": ["M1"]}, "00080020": {"vr": "DA", "Value": ["20240102"]}}
    out.update(more)
    return out


def native(out, rows, columns, uri):
    for tag, vr, number in (("00280002", "US", 1), ("00280010", "US", rows), ("00280011", "US", columns), ("00280100", "US", 16),
                            ("00280101", "US", 12), ("00280102", "US", 11), ("00280103", "US", 0)):
        out[tag] = {"vr": vr, "Value": [number]}
    out["00280004"] = {"vr": "CS", "Value": ["MONOCHROME2"]}
    out["7FE00010"] = {"vr": "OW", "BulkDataURI": uri}
    return out


def as_xml(item):
    """The Native DICOM Model of a JSON model, as a client of its own would write it."""
    from xml.sax.saxutils import escape, quoteattr

    def attribute(tag, content):
        text = f'<DicomAttribute tag="{tag}" vr="{content["vr"]}">'
        if "BulkDataURI" in content:
            text += f'<BulkData uri={quoteattr(content["BulkDataURI"])}/>'
        for n, one in enumerate(content.get("Value", []), 1):
            if content["vr"] == "SQ":
                text += f'<Item number="{n}">' + "".join(attribute(t, one[t]) for t in sorted(one)) + "</Item>"
            elif content["vr"] == "PN":
                text += f'<PersonName number="{n}">'
                for group, name in one.items():
                    parts = name.split("^")
                    text += f"<{group}>" + "".join(f"<{k}>{escape(p)}</{k}>" for k, p in zip(
                        ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"), parts)) + f"</{group}>"
                text += "</PersonName>"
            elif one is not None:
                text += f'<Value number="{n}">{escape(str(one))}</Value>'
        if "InlineBinary" in content:
            text += f'<InlineBinary>{content["InlineBinary"]}</InlineBinary>'
        return text + "</DicomAttribute>"
    return ('<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">' +
            "".join(attribute(t, item[t]) for t in sorted(item)) + "</NativeDicomModel>").encode()


def jpeg(rows=24, columns=32, colour=False):
    """A JPEG Baseline code stream made by a library."""
    from PIL import Image
    out = io.BytesIO()
    Image.frombytes("RGB" if colour else "L", (columns, rows), bytes(range(256)) * (rows * columns * 3 // 256 + 1), "raw",
                    "RGB" if colour else "L").save(out, "JPEG", quality=80)
    return out.getvalue()


class Metadata(ServerCase):
    def send(self, parts, kind="application/dicom+json", **headers):
        body, content_type = message(parts, kind)
        return self.server.call("POST", "/studies", body, {"Content-Type": content_type, **headers})

    def stored(self, answer):
        """The stored instance's file, read."""
        from pydicom import dcmread
        self.assertStatus(answer, 200)
        url = value(answer.json()[REFERENCED]["Value"][0], "00081190").removeprefix(self.server.url)
        return dcmread(io.BytesIO(self.assertStatus(self.server.get(url, EXACT), 200).body))

    def test_STO_30_STO_34_json_and_native_pixels_become_an_instance(self):
        pixels = os.urandom(16 * 16 * 2)
        for n, uri in enumerate(("bulk/pix", "/dicom-web/bulk/pix", self.server.url + "/bulk/pix")):
            for m, location in enumerate(("bulk/pix", "/dicom-web/bulk/pix", self.server.url + "/bulk/pix")):
                item = native(model(1 + n * 10 + m), 16, 16, uri)
                file = self.stored(self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode()),
                                              ({"Content-Type": "application/octet-stream", "Content-Location": location}, pixels)]))
                self.assertEqual(file.PixelData, pixels)
                self.assertEqual(file.file_meta.TransferSyntaxUID, "1.2.840.10008.1.2.1")
                self.assertEqual(file.file_meta.MediaStorageSOPInstanceUID, file.SOPInstanceUID)
                self.assertEqual(str(file.PatientName), "Meta^Data")

    def test_STO_33_instances_may_share_a_part(self):
        pixels = os.urandom(16 * 16 * 2)
        items = [native(model(100), 16, 16, "p"), native(model(101), 16, 16, "p")]
        answer = self.send([({"Content-Type": "application/dicom+json"}, json.dumps(items).encode()),
                            ({"Content-Type": "application/octet-stream", "Content-Location": "p"}, pixels)])
        self.assertEqual(len(self.assertStatus(answer, 200).json()[REFERENCED]["Value"]), 2)

    def test_STO_31_a_uri_without_its_part_fails_that_instance_alone(self):
        items = [native(model(110), 16, 16, "gone"), native(model(111), 16, 16, "p")]
        answer = self.send([({"Content-Type": "application/dicom+json"}, json.dumps(items).encode()),
                            ({"Content-Type": "application/octet-stream", "Content-Location": "p"}, bytes(512)),
                            ({"Content-Type": "application/octet-stream", "Content-Location": "nobody"}, bytes(4))])
        answer = self.assertStatus(answer, 202).json()
        self.assertEqual(value(answer[FAILED]["Value"][0], "00081155"), value(items[0], "00080018"))
        self.assertEqual(value(answer[FAILED]["Value"][0], "00081197"), 0xC000)
        self.assertEqual(len(answer[REFERENCED]["Value"]), 1)
        self.assertEqual(value(answer[OTHER]["Value"][0], "00081197"), 0x0110)

    def test_STO_35_STO_38_compressed_frames_become_items_and_describe_the_image(self):
        from pydicom.encaps import generate_pixel_data_frame
        frames = [jpeg(), jpeg()[:-2] + b"\xff\xd9", jpeg()]
        for n, locations in enumerate((["pix"] * 3, [f"pix/frames/{i}" for i in (1, 2, 3)])):
            item = model(120 + n, **{"7FE00010": {"vr": "OB", "BulkDataURI": "pix"}})
            file = self.stored(self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode())] + [
                ({"Content-Type": "image/jpeg", "Content-Location": location}, frame) for location, frame in zip(locations, frames)]))
            self.assertEqual(file.file_meta.TransferSyntaxUID, "1.2.840.10008.1.2.4.50")
            self.assertEqual((file.NumberOfFrames, file.Rows, file.Columns, file.BitsAllocated, file.BitsStored, file.HighBit,
                              file.PixelRepresentation, file.SamplesPerPixel, file.PhotometricInterpretation),
                             (3, 24, 32, 8, 8, 7, 0, 1, "MONOCHROME2"))
            self.assertEqual([f[:len(g)] for f, g in zip(generate_pixel_data_frame(file.PixelData, 3), frames)], frames)
            url = "/studies/{}/series/{}/instances/{}".format(file.StudyInstanceUID, file.SeriesInstanceUID, file.SOPInstanceUID)
            got = self.server.get(url + "/frames/2", {"Accept": "image/jpeg; transfer-syntax=*"})
            self.assertEqual(self.assertStatus(got, 200).body.rstrip(b"\0"), frames[1].rstrip(b"\0"))

    def test_STO_38_colour_is_told_by_the_code_stream(self):
        item = model(130, **{"7FE00010": {"vr": "OB", "BulkDataURI": "pix"}})
        file = self.stored(self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode()),
                                      ({"Content-Type": "image/jpeg", "Content-Location": "pix"}, jpeg(colour=True))]))
        self.assertEqual((file.SamplesPerPixel, file.PhotometricInterpretation, file.PlanarConfiguration), (3, "YBR_FULL_422", 0))

    def test_a_shape_that_the_code_stream_contradicts_is_refused_by_name(self):
        item = model(131, **{"7FE00010": {"vr": "OB", "BulkDataURI": "pix"}, "00280010": {"vr": "US", "Value": [999]}})
        answer = self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode()),
                            ({"Content-Type": "image/jpeg", "Content-Location": "pix"}, jpeg())])
        self.assertEqual(value(self.assertStatus(answer, 409).json()[FAILED]["Value"][0], "00081197"), 0xA900)

    def test_a_part_that_is_not_what_its_syntax_says_is_refused(self):
        item = model(132, **{"7FE00010": {"vr": "OB", "BulkDataURI": "pix"}})
        answer = self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode()),
                            ({"Content-Type": "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70", "Content-Location": "pix"}, jpeg())])
        self.assertEqual(value(self.assertStatus(answer, 409).json()[FAILED]["Value"][0], "00081197"), 0xC000)

    def test_STO_37_group_2_is_dropped_with_a_warning(self):
        item = model(140, **{"00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.50"]}, "00080000": {"vr": "UL", "Value": [4]}})
        answer = self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode())])
        self.assertEqual(value(self.assertStatus(answer, 202).json()[REFERENCED]["Value"][0], "00081196"), 0xB006)

    def test_STO_39_a_document_comes_by_its_media_type(self):
        pdf = b"%PDF-1.4 not much of one"
        item = model(150, **{"00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.104.1"]},
                             "00420011": {"vr": "OB", "BulkDataURI": "doc"}})
        file = self.stored(self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode()),
                                      ({"Content-Type": "application/pdf", "Content-Location": "doc"}, pdf + b"!")]))
        self.assertEqual(file.MIMETypeOfEncapsulatedDocument, "application/pdf")
        self.assertEqual(file.EncapsulatedDocument, pdf + b"!\0")
        wrong = copy.deepcopy(item) | {"00420012": {"vr": "LO", "Value": ["text/xml"]}, "00080018": {"vr": "UI", "Value": [uid(os.getpid(), 7151)]}}
        answer = self.send([({"Content-Type": "application/dicom+json"}, json.dumps([wrong]).encode()),
                            ({"Content-Type": "application/pdf", "Content-Location": "doc"}, pdf)])
        self.assertEqual(value(self.assertStatus(answer, 409).json()[FAILED]["Value"][0], "00081197"), 0xA900)

    def test_STO_40_japanese_json_is_stored_as_utf_8(self):
        item = model(160, **{"00080005": {"vr": "CS", "Value": ["ISO 2022 IR 87"]},
                             "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}]}})
        file = self.stored(self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item], ensure_ascii=False).encode())]))
        self.assertEqual(file.SpecificCharacterSet, "ISO_IR 192")
        self.assertEqual(str(file.PatientName), "Yamada^Tarou=山田^太郎=やまだ^たろう")
        rows = self.server.get(f"/studies?PatientName=%E5%B1%B1%E7%94%B0*&StudyInstanceUID={file.StudyInstanceUID}", JSON)
        self.assertEqual(len(self.assertStatus(rows, 200).json()), 1)

    def test_STO_41_json_is_taken_leniently(self):
        item = model(170)
        del item["0020000D"]["vr"]
        item["0020000e"] = item.pop("0020000E")
        item.update({"00181310": {"vr": "US", "Value": ["1", 2, 3, 4]}, "00180050": {"vr": "DS", "Value": ["2.50", None, 3]},
                     "00280030": {"vr": "DS", "Value": [0.12345678901234567, 1e-7]}, "00200013": {"vr": "IS", "Value": ["7"]},
                     "00081032": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["A"]}}, {}]},
                     "00720082": {"vr": "SV", "Value": ["-9223372036854775808", 5]}, "00189073": {"vr": "FD", "Value": ["NaN", "-inf", 1.5]},
                     "00091001": {"vr": "UN", "InlineBinary": base64.b64encode(b"private").decode()}, "00090010": {"vr": "LO", "Value": ["ME"]},
                     "00209165": {"vr": "AT", "Value": ["0020930F"]}, "00104000": {"vr": "LT"}})
        file = self.stored(self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode())]))
        self.assertEqual(list(file.AcquisitionMatrix), [1, 2, 3, 4])
        self.assertEqual(file["SliceThickness"].value[0], 2.5)
        self.assertTrue(all(len(str(v)) <= 16 for v in file.PixelSpacing), file.PixelSpacing)
        self.assertAlmostEqual(float(file.PixelSpacing[0]), 0.12345678901234567, 12)
        self.assertEqual(file.InstanceNumber, 7)
        self.assertEqual([len(i) for i in file.ProcedureCodeSequence], [1, 0])
        self.assertEqual(list(file[0x00720082].value), [-2 ** 63, 5])
        self.assertEqual(str(file[0x00189073].value[0]), "nan")
        self.assertEqual(file[0x00091001].value, b"private\0")
        self.assertEqual(file[0x00209165].value, 0x0020930F)

    def test_what_cannot_be_written_is_refused_and_the_rest_stored(self):
        bad = [model(180, **{"0020000d": {"vr": "UI", "Value": ["1.2"]}}), model(181, **{"00280010": {"vr": "US", "Value": [70000]}}),
               model(182, **{"00100020": {"vr": "QQ", "Value": ["x"]}}), model(183, **{"00091001": {"vr": "OB", "InlineBinary": "!!"}}),
               model(184, **{"hello": {"vr": "LO"}}), model(185, **{"00100020": {"vr": "LO", "Value": "x"}}), [1], "text",
               model(186, **{"00080018": {"vr": "UI", "Value": ["1.2.abc"]}}), model(187, **{"00100010": {"vr": "PN", "Value": [5]}})]
        deep = {"00080100": {"vr": "SH", "Value": ["A"]}}
        for _ in range(70):
            deep = {"00081032": {"vr": "SQ", "Value": [deep]}}
        bad.append(model(188, **deep))
        answer = self.send([({"Content-Type": "application/dicom+json"}, json.dumps(bad + [model(189)]).encode())])
        answer = self.assertStatus(answer, 202).json()
        self.assertEqual(len(answer[REFERENCED]["Value"]), 1)
        self.assertEqual(len(answer[FAILED]["Value"]) + len(answer[OTHER]["Value"]), len(bad))

    def test_unreadable_metadata_are_400_and_nothing_is_stored(self):
        for text in (b"[{]", b"", b"5", b'[{"00080018":{"vr":"UI"},"00080018":{"vr":"UI"}}]', b"[" * 100000, b"\xff\xfe"):
            answer = self.send([({"Content-Type": "application/dicom+json"}, text)])
            self.assertEqual(answer.status, 400, repr(answer))
        for text in (b"<a/>", b"<NativeDicomModel>", b"", b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel/>',
                     b'<NativeDicomModel><DicomAttribute vr="LO"/></NativeDicomModel>'):
            answer = self.send([({"Content-Type": "application/dicom+xml"}, text)], "application/dicom+xml")
            self.assertEqual(answer.status, 400, repr(answer))
        self.assertStatus(self.send([({"Content-Type": "application/octet-stream", "Content-Location": "x"}, b"x")]), 400)
        body, content_type = message([({"Content-Type": "application/octet-stream"}, b"x")], "application/octet-stream")
        self.assertStatus(self.server.call("POST", "/studies", body, {"Content-Type": content_type}), 400)

    def test_xml_metadata_are_one_part_an_instance(self):
        pixels = os.urandom(512)
        items = [native(model(200), 16, 16, "p"), model(201, **{"00081032": {"vr": "SQ", "Value": [{"00080104": {"vr": "LO", "Value": ["Ärzte & <Co>"]}}]}})]
        items[1]["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]}
        answer = self.send([({"Content-Type": "application/dicom+xml"}, as_xml(item)) for item in items] +
                           [({"Content-Type": "application/octet-stream", "Content-Location": "p"}, pixels)], "application/dicom+xml")
        self.assertStatus(answer, 200)
        from pydicom import dcmread
        urls = [value(one, "00081190").removeprefix(self.server.url) for one in answer.json()[REFERENCED]["Value"]]
        files = [dcmread(io.BytesIO(self.server.get(url, EXACT).body)) for url in urls]
        self.assertEqual(files[0].PixelData, pixels)
        self.assertEqual(files[1].ProcedureCodeSequence[0].CodeMeaning, "Ärzte & <Co>")
        self.assertEqual(str(files[1].PatientName), "Yamada^Tarou=山田^太郎")

    def test_a_stored_instance_goes_round_by_its_own_metadata(self):
        from pydicom import dcmread
        file = make_dicom(rows=32, columns=32, frames=3, ImageComments="läuft", SpecificCharacterSet="ISO_IR 100",
                          WindowCenter=["40", "400"], WindowWidth=["80", "1500"])
        self.assertStatus(self.server.store([file]), 200)
        item = self.server.get(path_of(file) + "/metadata", JSON).json()[0]
        pixels = self.server.get(item["7FE00010"]["BulkDataURI"].removeprefix(self.server.url), {"Accept": "application/octet-stream"}).body
        fresh = uid(os.getpid(), 7300)
        item["00080018"]["Value"] = [fresh]
        again = self.stored(self.send([({"Content-Type": "application/dicom+json"}, json.dumps([item]).encode()),
                                       ({"Content-Type": "application/octet-stream", "Content-Location": item["7FE00010"]["BulkDataURI"]}, pixels)]))
        before = dcmread(io.BytesIO(file))
        for element in before:
            if element.keyword not in ("SOPInstanceUID", "SpecificCharacterSet"):
                self.assertEqual(again[element.tag].value, element.value, element.keyword)

    def test_metadata_over_the_ceiling_are_413(self):
        big = [model(210, **{"00104000": {"vr": "LT", "Value": ["x" * (17 << 20)]}})]
        answer = self.send([({"Content-Type": "application/dicom+json"}, json.dumps(big).encode())])
        self.assertEqual(answer.status, 413, repr(answer))
        self.assertIn(b"metadata_ceiling", answer.body)


class Budget(ServerCase):
    arguments = ("--block-budget", str(24 << 20))

    def test_metadata_beyond_the_budget_of_memory_are_413_and_the_next_are_stored(self):
        big = [model(300, **{"00104000": {"vr": "LT", "Value": ["x" * (8 << 20)]}})]
        body, content_type = message([({"Content-Type": "application/dicom+json"}, json.dumps(big).encode())])
        answer = self.server.call("POST", "/studies", body, {"Content-Type": content_type})
        self.assertEqual(answer.status, 413, repr(answer))
        self.assertIn(b"block_budget", answer.body)
        body, content_type = message([({"Content-Type": "application/dicom+json"}, json.dumps([model(301)]).encode())])
        self.assertStatus(self.server.call("POST", "/studies", body, {"Content-Type": content_type}), 200)


class Xml(ServerCase):
    """Reports and rows as the Native DICOM Model say what the JSON says."""
    XML = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"

    def flat(self, element):
        """tag -> values, of one document."""
        import xml.etree.ElementTree as ElementTree
        root = ElementTree.fromstring(element)
        name = lambda e: e.tag.rsplit("}", 1)[-1]

        def values(attribute):
            out = []
            for child in attribute:
                if name(child) == "Item":
                    out.append({a.get("tag"): values(a) for a in child})
                elif name(child) == "PersonName":
                    out.append({name(g): "^".join(p.text or "" for p in g) for g in child})
                else:
                    out.append(child.text or "")
            return out
        self.assertEqual(name(root), "NativeDicomModel")
        return {a.get("tag"): values(a) for a in root}

    def plain(self, item):
        def one(value):
            if isinstance(value, dict) and all(len(k) == 8 for k in value):
                return self.plain(value)
            return value if isinstance(value, dict) else str(value)
        return {tag: [one(v) for v in content.get("Value", [])] for tag, content in item.items()}

    def test_STO_45_the_report_comes_as_xml(self):
        good, foreign = make_dicom(), make_dicom()
        body, content_type = multipart([good, foreign, b"junk"])
        target = "/studies/" + uids_of(good)[0]
        for accept, multi in (('multipart/related; type="application/dicom+xml"', True), ("application/dicom+xml", False)):
            answer = self.assertStatus(self.server.call("POST", target, body, {"Content-Type": content_type, "Accept": accept}), 202)
            document = answer.parts()[0][1] if multi else answer.body
            as_json = self.server.call("POST", target, body, {"Content-Type": content_type, **JSON}).json()
            self.assertEqual(self.flat(document), self.plain(as_json))
            self.assertEqual(answer.headers["Content-Type"].split(";")[0], "multipart/related" if multi else "application/dicom+xml")

    def test_STO_45_a_report_of_any_length_is_whole_in_each_form_and_over_both_versions(self):
        from h2 import Link
        mark, study = uid(os.getpid(), 7180000000), uid(os.getpid(), 718)
        one = make_dicom(study=study, series=study + ".1", instance=mark, rows=4, columns=4)
        sent = [uid(os.getpid(), 7180000001 + n) for n in range(1400)]
        files = []
        for n, instance in enumerate(sent):
            files += [one.replace(mark.encode(), instance.encode())] + [b"junk"] * (n % 8 == 0) + [one[:300]] * (n % 16 == 0)
        body, content_type = multipart(files)
        headers = {"Content-Type": content_type, **JSON}
        answer = self.assertStatus(self.server.call("POST", "/studies", body, headers), 202)
        self.assertNotIn("Content-Length", answer.headers)
        told = answer.json()
        self.assertEqual([item["00081155"]["Value"][0] for item in told["00081199"]["Value"]], sent)
        self.assertEqual(len(told["0008119A"]["Value"]), len(files) - len(sent))
        self.assertNotIn("00081198", told)
        with Link(self.server, timeout=60) as link:
            self.assertEqual(link.call("POST", "/studies", body, headers).json(), told)
        for accept, multi in (('multipart/related; type="application/dicom+xml"', True), ("application/dicom+xml", False)):
            answer = self.assertStatus(self.server.call("POST", "/studies", body, {**headers, "Accept": accept}), 202)
            self.assertEqual(self.flat(answer.parts()[0][1] if multi else answer.body), self.plain(told))
        short = self.server.store([one])
        self.assertEqual(int(short.headers["Content-Length"]), len(short.body))

    def test_SEA_02_rows_come_as_xml_one_part_each(self):
        for n in range(3):
            self.server.store([make_dicom(PatientName="Wort^" + "abc"[n], PatientID="XMLROWS")])
        rows = self.assertStatus(self.server.get("/studies?PatientID=XMLROWS", JSON), 200).json()
        answer = self.server.get("/studies?PatientID=XMLROWS", {"Accept": 'multipart/related; type="application/dicom+xml"'})
        parts = self.assertStatus(answer, 200).parts()
        self.assertEqual([headers["Content-Type"] for headers, _ in parts], ["application/dicom+xml"] * 3)
        self.assertEqual([self.flat(document) for _, document in parts], [self.plain(row) for row in rows])
        self.assertStatus(self.server.get("/studies?PatientID=NOBODY", {"Accept": 'multipart/related; type="application/dicom+xml"'}), 204)


class Coding(ServerCase):
    def test_STO_15_a_gzip_body_is_decoded(self):
        files = [make_dicom(rows=64, columns=64) for _ in range(5)]
        body, content_type = multipart(files)
        for coded in (gzip.compress(body), gzip.compress(body[:1000]) + gzip.compress(body[1000:])):
            answer = self.server.call("POST", "/studies", coded, {"Content-Type": content_type, "Content-Encoding": "gzip"})
            self.assertEqual(len(self.assertStatus(answer, 200).json()[REFERENCED]["Value"]), 5)
        self.assertEqual(self.server.get(path_of(files[0]), EXACT).body, files[0])

    def test_STO_15_other_codings_are_415_and_gzip_is_named(self):
        body, content_type = multipart([make_dicom()])
        answer = self.server.call("POST", "/studies", body, {"Content-Type": content_type, "Content-Encoding": "br"})
        self.assertEqual(self.assertStatus(answer, 415).headers["Accept-Encoding"], "gzip")

    def test_a_broken_or_cut_gzip_body_is_400(self):
        body, content_type = multipart([make_dicom()])
        coded = gzip.compress(body)
        for bad in (coded[:-30], b"junk" * 10, coded[:40] + b"\xff" * 40 + coded[80:]):
            answer = self.server.call("POST", "/studies", bad, {"Content-Type": content_type, "Content-Encoding": "gzip"})
            self.assertEqual(answer.status, 400, repr(answer))

    def test_a_gzip_bomb_is_413(self):
        bomb = gzip.compress(bytes(64 << 20), 9)
        answer = self.server.call("POST", "/studies", bomb, {"Content-Type": "application/dicom", "Content-Encoding": "gzip"})
        self.assertEqual(answer.status, 413, repr(answer))
        self.assertIn(b"expansion_ceiling", answer.body)


if __name__ == "__main__":
    unittest.main()

"""Metadata of real files, field by field: JSON against pydicom's to_json_dict, XML against DCMTK's dcm2xml, and every
BulkDataURI against the value that pydicom reads. Where two readers may differ, the reason stands beside the exception."""
import base64
import csv
import io
import json
import os
import re
import shutil
import struct
import subprocess
import unittest
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

from gantry import JSON, ServerCase, make_dicom, path_of, value
from test_real_files import pydicom_files

NUMBERS = {"DS", "IS", "FL", "FD", "US", "SS", "UL", "SL", "SV", "UV"}
OPAQUE = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
MAY_BE_BULK = NUMBERS | OPAQUE | {"LT", "ST", "UC", "UT"}  # JSN-24
XML = {"Accept": "application/dicom+xml"}
SPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
SWAPPED = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def is_private(tag):
    return int(tag[:4], 16) & 1


def is_shown(tag):
    """JSN-05, JSN-33: no group lengths, no command or file meta groups."""
    return not tag.endswith("0000") and (tag >= "00080000" or tag.startswith("0004"))


def same_numbers(vr, want, got):
    if len(want) != len(got):
        return False
    for a, b in zip(want, got):
        if a in (None, "") and b is None:
            continue
        try:
            if float(a) != float(b) and not (vr == "FL" and struct.pack("<f", float(a)) == struct.pack("<f", float(b))):
                return False
        except (TypeError, ValueError):
            if str(a).strip() != str(b).strip():
                return False
    return True


def plain(value):
    """Padding is no part of a value, and pydicom says '' where the model says null (JSN-09)."""
    if isinstance(value, dict):
        return {k: v.strip(" \0") for k, v in value.items() if v.strip(" \0")} or None
    return value.strip(" \0") or None if isinstance(value, str) else value


class Comparison:
    def __init__(self, big_endian):
        self.big_endian, self.found, self.bulk = big_endian, [], []

    def note(self, path, want, got):
        self.found.append(f"{path}: pydicom {str(want)[:120]}, here {str(got)[:120]}")

    def objects(self, path, want, got, top=True):
        for tag in sorted(set(want) | set(got)):
            where = f"{path}/{tag}"
            if not is_shown(tag):
                if tag in got:
                    self.note(where, None, got[tag])
            elif tag == "00083002" and top:
                pass  # ours: Available Transfer Syntax UID (RET-22)
            elif tag == "00080005":
                if got.get(tag, {}).get("Value") not in (["ISO_IR 192"], want.get(tag, {}).get("Value")):
                    self.note(where, want.get(tag), got.get(tag))
            elif tag not in got or tag not in want:
                self.note(where, want.get(tag), got.get(tag))
            else:
                self.attribute(where, tag, want[tag], got[tag])

    def attribute(self, where, tag, want, got):
        vr = str(getattr(want["vr"], "value", want["vr"]))
        if got["vr"] == "UN" and vr != "UN" and (is_private(tag) or vr == "SQ"):
            return  # pydicom knows some vendors' private attributes, and looks into sequences of defined length that were sent as UN
        if vr == "UN" and got["vr"] != "UN":
            return  # a public attribute sent as UN: the dictionary's VR here (JSN-27)
        if got["vr"] != vr:
            self.note(where, want, got)
        elif vr == "SQ":
            a, b = want.get("Value", []), got.get("Value", [])
            if len(a) != len(b):
                self.note(where, f"{len(a)} items", f"{len(b)} items")
            for n, (x, y) in enumerate(zip(a, b), 1):
                self.objects(f"{where}/{n}", x, y, False)
        elif "BulkDataURI" in got:
            self.bulk.append((where, vr, want, got["BulkDataURI"]))
        elif vr in OPAQUE:
            if self.raw(vr, want) != base64.b64decode(got.get("InlineBinary", "")):
                self.note(where, want, got)
        else:
            a, b = want.get("Value", []), got.get("Value", [])
            a = [None if x == "" else x for x in a] if any(x not in ("", None) for x in a) else []
            if vr in NUMBERS:
                if not same_numbers(vr, a, b):
                    self.note(where, a, b)
            elif [plain(x) for x in a] != [plain(x) for x in b]:
                self.note(where, a, b)

    def raw(self, vr, want):
        """pydicom leaves big endian bytes as they are; the model wants little endian (JSN-25)."""
        data = base64.b64decode(want.get("InlineBinary") or "")
        width = SWAPPED.get(vr, 1) if self.big_endian else 1
        return b"".join(data[i:i + width][::-1] for i in range(0, len(data), width)) if width > 1 else data


def fragments(value):
    """Behind the offset table."""
    at, n = 0, 0
    while value[at:at + 4] == b"\xfe\xff\x00\xe0":
        size = int.from_bytes(value[at + 4:at + 8], "little")
        if n:
            yield value[at + 8:at + 8 + size]
        at, n = at + 8 + size, n + 1


def lint(test, where, item):
    """The rules that need no other reader: JSN-03, 04, 07, 08, 10, 24, 25, 32."""
    test.assertEqual(list(item), sorted(item), where)
    for tag, attribute in item.items():
        test.assertRegex(tag, r"^[0-9A-F]{8}$", where)
        test.assertRegex(attribute["vr"], r"^[A-Z]{2}$", where + tag)
        told = set(attribute) - {"vr"}
        test.assertLessEqual(len(told), 1, where + tag)
        test.assertLessEqual(told, {"Value", "BulkDataURI", "InlineBinary"}, where + tag)
        if "Value" in told:
            test.assertNotIn(attribute["vr"], OPAQUE, where + tag)
            test.assertTrue(attribute["Value"], where + tag)
        if "BulkDataURI" in told:
            test.assertIn(attribute["vr"], MAY_BE_BULK, where + tag)
        if "InlineBinary" in told:
            test.assertIn(attribute["vr"], OPAQUE, where + tag)
        if attribute["vr"] == "SQ":
            for n, nested in enumerate(attribute.get("Value", []), 1):
                test.assertIsInstance(nested, dict, where + tag)
                lint(test, f"{where}{tag}/{n}/", nested)


def no_duplicates(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), "JSN-06: a name twice"
    return dict(pairs)


class Files(ServerCase):
    arguments = ("--duplicates", "replace")

    def paths(self):
        folder = os.environ.get("GANTRY_TEST_DATA")
        if not folder or not Path(folder, "MANIFEST.tsv").exists():
            return [p for p in pydicom_files()]
        with open(Path(folder, "MANIFEST.tsv"), newline="") as manifest:
            rows = list(csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE))
        return [Path(folder, r["path"]) for r in rows if r["storable"] == "yes" and not r["path"].startswith("broken/")]

    def stored(self, most=1000):
        """(path, bytes, URL) of each file that the server takes; of a long list `most`, spread over it."""
        paths = self.paths()
        for path in paths[::max(1, len(paths) // most)]:
            data = path.read_bytes()
            answer = self.server.store([data], headers=JSON)
            if answer.status in (200, 202) and "00081199" in answer.json():
                yield path, data, value(answer.json()["00081199"]["Value"][0], "00081190").removeprefix(self.server.url)

    def test_JSN_json_against_pydicom_and_every_bulk_value(self):
        from pydicom import dcmread
        from pydicom.filewriter import correct_ambiguous_vr
        warnings.simplefilter("ignore")
        compared, followed, found = 0, 0, []
        for path, data, url in self.stored():
            text = self.assertStatus(self.server.get(url + "/metadata", JSON), 200).body
            array = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=self.fail)
            self.assertEqual(len(array), 1)
            lint(self, path.name + "/", array[0])
            try:
                ds = dcmread(io.BytesIO(data))
                big_endian = not ds.is_little_endian
                correct_ambiguous_vr(ds, ds.is_little_endian)
                want = ds.to_json_dict(bulk_data_threshold=1 << 30)
            except Exception:
                continue  # pydicom cannot
            comparison = Comparison(big_endian)
            comparison.objects(path.name, want, array[0])
            found += comparison.found
            compared += 1
            for where, vr, wanted, uri in comparison.bulk:
                self.assertTrue(uri.startswith(self.server.url + url), f"{where}: {uri}")
                if where.endswith(("/7FE00010", "/7FE00008", "/7FE00009")) and where.count("/") == 1:
                    continue  # pixel data: test_real_files
                got = self.assertStatus(self.server.get(uri.removeprefix(self.server.url), {"Accept": "application/octet-stream"}), 200)
                if vr in OPAQUE:
                    raw = comparison.raw(vr, wanted)
                    if where.endswith("/7FE00010"):  # a compressed icon: the stream without its items (RET-41)
                        self.assertIn(got.body, (raw, b"".join(fragments(raw))), where)
                    else:
                        self.assertEqual(got.body, raw, where)
                    followed += 1
                elif vr in ("DS", "IS"):
                    values = [x or None for x in got.body.decode("ascii").strip(" \0").split("\\")]
                    self.assertTrue(same_numbers(vr, wanted["Value"], values), where)
                    followed += 1
        unexplained = [f for f in found if not any(re.search(p, f) for p in EXPLAINED)]
        self.assertEqual([], unexplained, "\n".join(unexplained))
        self.assertGreater(compared, 30)
        self.assertGreater(followed, 3)

    def test_RET_45_46_all_bulk_data_of_an_instance_are_those_of_its_metadata(self):
        seen = 0
        for path, data, url in self.stored(120):
            links = re.findall(r'"BulkDataURI":"([^"]+)"', self.server.get(url + "/metadata", JSON).body.decode())
            pixels = [link for link in links if re.search(r"instances/[0-9.]+/bulkdata/7FE000(10|08|09)$", link)]
            for what, wanted in (("bulkdata", links), ("pixeldata", pixels)):
                answer = self.server.get(f"{url}/{what}", {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'})
                if not wanted:
                    self.assertEqual(answer.status, 404, f"{path.name}: {answer!r}")
                    continue
                self.assertIn(answer.status, (200, 206, 406), f"{path.name}: {answer!r}")
                if answer.status == 406:  # pixels that cannot be found (nothing else is ever refused)
                    self.assertEqual(wanted, pixels, path.name)
                    continue
                parts = answer.parts()
                got = [headers["Content-Location"] for headers, _ in parts]
                self.assertEqual([link for link in wanted if link in got], list(dict.fromkeys(got)), path.name)
                if answer.status == 200:
                    self.assertEqual(set(got), set(wanted), path.name)
                for headers, body in parts[:3]:
                    if headers["Content-Location"] not in pixels:
                        alone = self.server.get(headers["Content-Location"].removeprefix(self.server.url))
                        self.assertEqual(alone.parts()[0][1] if "multipart" in alone.headers["Content-Type"] else alone.body, body, path.name)
                        seen += 1
        self.assertGreater(seen, 3)

    def test_RET_44_a_document_goes_by_its_own_type_as_viewers_ask(self):
        document = b"%PDF-1.4 " + bytes(3000)
        data = make_dicom(rows=0, sop_class="1.2.840.10008.5.1.4.1.1.104.1", EncapsulatedDocument=document,
                          MIMETypeOfEncapsulatedDocument="application/pdf", Modality="DOC")
        self.assertStatus(self.server.store([data]), 200)
        uri = self.server.get(path_of(data) + "/metadata", JSON).json()[0]["00420011"]["BulkDataURI"].removeprefix(self.server.url)
        ohif = 'multipart/related; type="application/pdf", multipart/related; type="application/octet-stream"'
        for accept, content_type in ((ohif, "application/pdf"), ("application/pdf", "application/pdf"), ("*/*", "application/pdf"),
                                     ("application/octet-stream", "application/octet-stream")):
            answer = self.assertStatus(self.server.get(uri, {"Accept": accept}), 200)
            headers, body = answer.parts()[0] if "multipart" in answer.headers["Content-Type"] else (answer.headers, answer.body)
            self.assertTrue(headers["Content-Type"].startswith(content_type), (accept, headers["Content-Type"]))
            self.assertEqual(body.rstrip(b"\0"), document.rstrip(b"\0"), accept)
        part = self.server.get(uri, {"Accept": "application/pdf", "Range": "bytes=0-7"})
        self.assertEqual((part.status, part.body), (206, document[:8]))
        headers, body = self.assertStatus(self.server.get(path_of(data) + "/bulkdata", {"Accept": ohif}), 200).parts()[0]
        self.assertEqual((headers["Content-Type"], body[:8]), ("application/pdf", document[:8]))

    @unittest.skipUnless(shutil.which("dcm2xml"), "dcm2xml is not here")
    def test_XML_against_dcm2xml(self):
        compared, found = 0, []
        for path, data, url in self.stored(120):
            ours = ET.fromstring(self.assertStatus(self.server.get(url + "/metadata", XML), 200).body)
            self.assertEqual(ours.tag, SPACE + "NativeDicomModel")
            done = subprocess.run(["dcm2xml", "-q", "-nat", "+Xn", "+U8", "+Eb", str(path)], capture_output=True, timeout=60)
            try:
                theirs = ET.fromstring(done.stdout)
            except ET.ParseError:
                continue  # it stops at some files, and writes control characters into others
            compared += 1
            compare_xml(path.name, theirs, ours, found)
        self.assertEqual([], found[:20], "\n".join(found[:20]))
        self.assertGreater(compared, 20)


# Readers differ, and why.
EXPLAINED = [
    r"chrGB2312\.dcm/00100010",       # escapes of ISO 2022 IR 58 within a name: pydicom leaves them in
    r"Issue168\.dcm/",                # bytes beyond ASCII without a character set: U+FFFD (JSN-30); pydicom takes Latin 1
    r"GH179A\.dcm/",                  # a length that lies: pydicom reads to the end of the file, DCMTK stops at the next element
]


def attributes_of(item):
    """By what identifies one: private ones by creator."""
    return {(a.get("tag"), a.get("privateCreator")): a for a in item.findall(SPACE + "DicomAttribute")}


def compare_xml(path, theirs, ours, found):
    a, b = attributes_of(theirs), attributes_of(ours)
    for key in sorted(set(a) & set(b), key=str):
        tag = key[0]
        where = f"{path}/{tag}"
        x, y = a[key], b[key]
        if not is_shown(tag) or tag == "00080005" or y.get("vr") != x.get("vr"):
            continue  # the VR is resolved here (JSN-27, JSN-32), DCMTK shows what is stored; JSON's is compared with pydicom
        if x.get("keyword") not in (None, y.get("keyword")):  # none for what is retired
            found.append(f"{where}: keyword {x.get('keyword')}, here {y.get('keyword')}")
        if y.get("vr") == "SQ":
            items = list(zip(x.findall(SPACE + "Item"), y.findall(SPACE + "Item")))
            if len(x.findall(SPACE + "Item")) != len(y.findall(SPACE + "Item")):
                found.append(f"{where}: another number of items")
            for n, (i, j) in enumerate(items, 1):
                compare_xml(f"{where}/{n}", i, j, found)
        elif y.get("vr") == "PN":
            names = [[(e.tag, (e.text or "").strip()) for e in p.iter() if (e.text or "").strip()] for p in (x, y)]
            if names[0] != names[1] and not path.startswith("chr"):  # those are compared with pydicom, which converts more of them
                found.append(f"{where}: {names[0]}, here {names[1]}")
        elif y.find(SPACE + "Value") is not None and y.get("vr") not in ("FL", "FD"):  # other digits, the same number
            values = [[(v.text or "").strip(" \0") for v in p.findall(SPACE + "Value")] for p in (x, y)]
            if not (same_numbers(y.get("vr"), *values) if y.get("vr") in NUMBERS else values[0] == values[1]):
                found.append(f"{where}: {values[0]}, here {values[1]}"[:300])


if __name__ == "__main__":
    unittest.main()

"""Files whose transfer syntax label is not that of their pixels, as some writers leave them."""
import os
import struct
import unittest

from gantry import JSON, ServerCase, make_dicom, path_of, uids_of, value

IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
ENCAPSULATED = "1.2.840.10008.1.2.1.98"
COMPRESSED = [f"1.2.840.10008.1.2.{last}" for last in ("4.70", "4.80", "4.90", "4.201", "4.110", "5")] + [ENCAPSULATED]
STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"


def label(uid):
    text = uid.encode() + b"\0" * (len(uid) % 2)
    return b"\x02\0\x10\0UI" + struct.pack("<H", len(text)) + text


def relabelled(file, old, new):
    """The transfer syntax in the file meta information replaced, and the length of its group with it."""
    size, = struct.unpack_from("<I", file, 140)
    size += len(label(new)) - len(label(old))
    assert file.count(label(old)) == 1
    return (file[:140] + struct.pack("<I", size) + file[144:]).replace(label(old), label(new))


def syntax_of(file):
    from pydicom.filebase import DicomBytesIO
    from pydicom.filereader import read_preamble, _read_file_meta_info
    stream = DicomBytesIO(file)
    read_preamble(stream, False)
    return str(_read_file_meta_info(stream).TransferSyntaxUID)


def swapped(words):
    return b"".join(words[at:at + 2][::-1] for at in range(0, len(words), 2))


class WrongLabels(ServerCase):
    def compressed(self, syntax, pixels):
        """A file in that syntax, under an instance UID that is not stored yet."""
        native = make_dicom(pixels=pixels)
        if syntax == ENCAPSULATED:
            return make_dicom(syntax=syntax, encapsulated=[pixels])
        self.assertStatus(self.server.store([native]), 200)
        made = self.assertStatus(self.server.get(path_of(native), {"Accept": f"application/dicom; transfer-syntax={syntax}"}), 200).body
        old = uids_of(native)[2]
        new = old[:-1] + ("2" if old[-1] != "2" else "3")
        return made.replace(old.encode(), new.encode())

    def check_served_as(self, file, syntax, pixels):
        answer = self.assertStatus(self.server.store([file]), 202)
        self.assertEqual(value(answer.json()["00081199"]["Value"][0], "00081196"), 0xB007)
        path = path_of(file)
        self.assertEqual(value(self.server.get(path + "/metadata", JSON).json()[0], "00083002"), syntax)
        (headers, frame), = self.assertStatus(self.server.get(path + "/frames/1", {"Accept": STORED}), 200).parts()
        said = EXPLICIT_LE if syntax == ENCAPSULATED else syntax  # of samples in fragments the samples alone are sent
        self.assertEqual(headers["Content-Type"], f"application/octet-stream; transfer-syntax={said}")
        if syntax != EXPLICIT_LE:
            self.assertIn(frame.rstrip(b"\0"), file)
        octets = self.assertStatus(self.server.get(path + "/frames/1", {"Accept": "application/octet-stream"}), 200)
        self.assertEqual(octets.body, pixels)
        whole = self.assertStatus(self.server.get(path, {"Accept": "application/dicom; transfer-syntax=*"}), 200)
        self.assertEqual(whole.headers["Content-Type"], f"application/dicom; transfer-syntax={syntax}")
        self.assertEqual(syntax_of(whole.body), syntax)
        decoded = self.assertStatus(self.server.get(path, {"Accept": "application/dicom"}), 200)
        self.assertEqual(syntax_of(decoded.body), EXPLICIT_LE)
        self.assertEqual(decoded.body[-512:], pixels)

    def test_code_streams_under_a_native_label_are_served_as_what_they_are(self):
        for syntax in COMPRESSED:
            with self.subTest(syntax):
                pixels = os.urandom(512)
                self.check_served_as(relabelled(self.compressed(syntax, pixels), syntax, EXPLICIT_LE), syntax, pixels)

    def test_samples_under_a_compressed_label_are_served_as_samples(self):
        for syntax in ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"):
            with self.subTest(syntax):
                pixels = os.urandom(512)
                file = make_dicom(pixels=pixels)
                self.check_served_as(relabelled(file, EXPLICIT_LE, syntax), EXPLICIT_LE, pixels)

    def test_a_data_set_in_another_encoding_than_its_label_says_is_read_in_its_own(self):
        for of, said in ((IMPLICIT_LE, EXPLICIT_LE), (EXPLICIT_LE, IMPLICIT_LE), (EXPLICIT_BE, EXPLICIT_LE), (IMPLICIT_LE, EXPLICIT_BE)):
            with self.subTest(f"{of} under {said}"):
                pixels = os.urandom(512)
                right = make_dicom(pixels=pixels, syntax=of)
                answer = self.assertStatus(self.server.store([relabelled(right, of, said)]), 202)
                self.assertEqual(value(answer.json()["00081199"]["Value"][0], "00081196"), 0xB007)
                metadata = self.server.get(path_of(right) + "/metadata", JSON).json()[0]
                self.assertEqual((value(metadata, "00083002"), value(metadata, "00280010")), (of, 16))
                octets = self.assertStatus(self.server.get(path_of(right) + "/frames/1", {"Accept": "application/octet-stream"}), 200)
                self.assertEqual(octets.body, swapped(pixels) if of == EXPLICIT_BE else pixels)
                whole = self.assertStatus(self.server.get(path_of(right), {"Accept": "application/dicom; transfer-syntax=*"}), 200)
                self.assertEqual(syntax_of(whole.body), EXPLICIT_LE)  # the others never leave (8.7.3)

    def test_fragments_of_nothing_known_are_kept_and_have_no_frames(self):
        syntax = "1.2.840.10008.1.2.4.50"
        file = relabelled(make_dicom(syntax=syntax, encapsulated=[b"neither a code stream nor samples"]), syntax, EXPLICIT_LE)
        answer = self.assertStatus(self.server.store([file]), 202)
        self.assertEqual(value(answer.json()["00081199"]["Value"][0], "00081196"), 0xB007)
        self.assertStatus(self.server.get(path_of(file) + "/frames/1", {"Accept": STORED}), 404)
        self.assertEqual(self.server.get(path_of(file), {"Accept": "application/dicom; transfer-syntax=*"}).body, file)


if __name__ == "__main__":
    unittest.main()

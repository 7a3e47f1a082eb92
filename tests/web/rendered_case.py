"""What the tests of rendered resources share: instances of given pixels, their pictures, and a plain, slow reading of the windows of PS3.3
in floating point."""
import numpy
from gantry import ServerCase, make_dicom, path_of
from pictures import read_png

PNG, JPEG, GIF = {"Accept": "image/png"}, {"Accept": "image/jpeg"}, {"Accept": "image/gif"}
IMG = {"Accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"}  # Chromium's <img>
PARTS = {"Accept": 'multipart/related; type="image/png"'}
OHIF = {"Accept": 'multipart/related; type="application/octet-stream"'}


def ramp(rows=16, columns=16, least=0, most=4095, kind="<u2"):
    return numpy.linspace(least, most, rows * columns).round().astype(kind).reshape(rows, columns)


def linear(x, c, w):
    if w <= 1:
        return numpy.where(x > c - 0.5, 255.0, 0.0)
    return numpy.clip(((x - (c - 0.5)) / (w - 1) + 0.5) * 255, 0, 255)


def linear_exact(x, c, w):
    return numpy.clip(((x - c) / w + 0.5) * 255, 0, 255)


def sigmoid(x, c, w):
    return 255 / (1 + numpy.exp(-4 * (x - c) / w))


def item(**attributes):
    from pydicom.dataset import Dataset
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


class RenderedCase(ServerCase):
    def stored(self, pixels, **attributes):
        """The path of a new instance of these pixels."""
        shape = pixels.shape
        frames = attributes.pop("frames", 1)
        spatial = shape if frames == 1 else shape[1:]
        bits = pixels.dtype.itemsize * 8
        common = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
                  "PixelRepresentation": 1 if pixels.dtype.kind == "i" else 0}
        common.update(attributes)
        file = make_dicom(rows=spatial[0], columns=spatial[1], frames=frames, pixels=pixels.tobytes() +
                          b"\0" * (pixels.nbytes % 2), **common)
        self.assertStatus(self.server.store([file]), 200)
        return path_of(file)

    def wado(self, target, headers=None):
        return self.server.get(target, headers or {"Accept": "*/*"})

    def picture(self, path, query="", headers=PNG):
        return read_png(self.assertStatus(self.server.get(path + "/rendered" + query, headers), 200).body)

    def assertNear(self, got, want, most=1.0, what=""):
        self.assertEqual(got.shape, numpy.shape(want), what)
        off = numpy.abs(got.astype(float) - want)
        self.assertLessEqual(off.max(), most, f"{what}: at {numpy.unravel_index(off.argmax(), off.shape)}")

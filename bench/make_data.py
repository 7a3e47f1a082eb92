"""Data for the benchmark, generated: the same for every server. Needs python3-pydicom and numpy.

UIDs of what is stored during a measurement end in the marks that bench_load replaces (bench/load.c).
"""
import io

import numpy
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence

ROOT = "1.2.826.0.1.3680043.10.1081"
EXPLICIT, JPEG, JPEG_LS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80"


def code(value, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def frame_group(n):
    group = Dataset()

    def add(name, **values):
        item = Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        setattr(group, name, Sequence([item]))
    add("FrameContentSequence", FrameAcquisitionNumber=n + 1, DimensionIndexValues=[1, n + 1], StackID="1", InStackPositionNumber=n + 1,
        FrameAcquisitionDateTime=f"20240102101112.{n:06d}", FrameReferenceDateTime=f"20240102101112.{n:06d}", FrameAcquisitionDuration=0.5)
    add("PlanePositionSequence", ImagePositionPatient=[-180.5, -180.5, n * 1.25])
    add("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    add("PixelMeasuresSequence", SliceThickness=1.25, PixelSpacing=[0.703125, 0.703125])
    add("FrameVOILUTSequence", WindowCenter=[40, -600], WindowWidth=[400, 1500], WindowCenterWidthExplanation=["SOFT", "LUNG"])
    add("PixelValueTransformationSequence", RescaleIntercept=-1024, RescaleSlope=1, RescaleType="HU")
    add("CTExposureSequence", ExposureTimeInms=500.0 + n, XRayTubeCurrentInmA=200.0, ExposureInmAs=100.0 + n / 8)
    add("CTXRayDetailsSequence", KVP=120, FilterType="WEDGE", FocalSpots=[0.7])
    return group


def phantom(rows, columns, number):
    """12 bits in 16: a body with organs and a scanner's noise, as bytes."""
    y, x = numpy.mgrid[0:rows, 0:columns] / [[[rows]], [[columns]]] - 0.5
    body = 24 + 1000 * ((x / 0.42) ** 2 + (y / 0.33) ** 2 < 1)
    for n in range(6):
        a = n + number / 10
        body = body + (60 + 20 * n) * ((x - 0.2 * numpy.cos(a)) ** 2 + (y - 0.15 * numpy.sin(a)) ** 2 < 0.05 ** 2 * (n + 1) / 3)
    noise = numpy.random.default_rng(number).normal(0, 10, (rows, columns))
    return numpy.clip(body + noise, 0, 4095).astype("<u2").tobytes()


def phantom_rgb(rows, columns, number):
    """8 bits, three samples: speckle in a sector with a patch of colour, as an ultrasound has it."""
    y, x = numpy.mgrid[0:rows, 0:columns] / [[[rows]], [[columns]]] - [[[0]], [[0.5]]]
    sector = (numpy.hypot(x, y) < 0.9) & (abs(x) < 0.7 * y)
    rng = numpy.random.default_rng(number)
    gray = numpy.where(sector, 60 + 40 * numpy.sin(20 * y + number / 5) + rng.normal(0, 12, (rows, columns)), 0)
    rgb = numpy.repeat(numpy.clip(gray, 0, 255)[:, :, None], 3, axis=2)
    rgb[(numpy.hypot(x, y - 0.5) < 0.1)] = [180, 40, 30]
    return rgb.astype("u1").tobytes()


def image(study, series, instance, rows, columns, frames=1, streams=None, syntax=EXPLICIT, number=1, bits=16, samples=1,
          sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", patient="P1", noise=None, frame_groups=False, pixels=None):
    """One file with about 200 elements in its header, as a scanner writes them; with `frame_groups` some 30 more for each frame."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = instance
    ds.is_little_endian, ds.is_implicit_VR = True, False
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = f"Bench^{patient}", patient, "19700101", "O"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20240102"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "101112.345678"
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = "A" + patient, "S1", "Referring^Physician"
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = modality, "Generated", "Model 1"
    ds.InstitutionName, ds.StationName, ds.StudyDescription = "Institution", "STATION1", "Thorax with contrast"
    ds.SeriesDescription, ds.ProtocolName, ds.BodyPartExamined = "axial 1 mm", "Thorax", "CHEST"
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = 1, number, 1
    ds.FrameOfReferenceUID = study + ".9"
    ds.ImageType, ds.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-180.5, -180.5, float(number)], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.SliceLocation = [0.703125, 0.703125], 1, number
    ds.KVP, ds.ExposureTime, ds.XRayTubeCurrent, ds.Exposure = 120, 500, 200, 100
    ds.WindowCenter, ds.WindowWidth, ds.RescaleIntercept, ds.RescaleSlope = [40, -600], [400, 1500], -1024, 1
    ds.ProcedureCodeSequence = Sequence([code("363680008", "Radiographic imaging procedure")])
    ds.RequestAttributesSequence = Sequence([Dataset()])
    ds.RequestAttributesSequence[0].ScheduledProcedureStepID = "SPS1"
    ds.RequestAttributesSequence[0].RequestedProcedureID = "RP1"
    ds.ReferencedImageSequence = Sequence([])
    for n in range(12):
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = f"{ROOT}.77.{n}"
        ds.ReferencedImageSequence.append(item)
    block = ds.private_block(0x0019, "GENERATED PRIVATE", create=True)
    for n in range(100):
        block.add_new(n, ("DS", "LO", "SH", "IS")[n % 4], (str(n + 0.5), f"value {n}", f"V{n}", str(n))[n % 4])
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated, ds.BitsStored = rows, columns, samples, bits, min(bits, 12)
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    ds.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "RGB"
    if samples > 1:
        ds.PlanarConfiguration = 0
    if frames > 1:
        ds.NumberOfFrames = frames
    if frame_groups:
        ds.PerFrameFunctionalGroupsSequence = Sequence([frame_group(n) for n in range(frames)])
    if streams:
        ds.PixelData = encapsulate(streams)
        ds["PixelData"].is_undefined_length = True
    elif pixels is not None:
        ds.PixelData = pixels
    else:
        size = rows * columns * samples * bits // 8 * frames
        noise = noise if noise is not None else numpy.random.default_rng(number)
        ds.PixelData = (noise.integers(0, 4096, size // 2, dtype=numpy.uint16)).tobytes()
    ds["PixelData"].VR = "OB" if streams else "OW"
    file = io.BytesIO()
    dcmwrite(file, ds, write_like_original=False)
    return file.getvalue()


def streams(count, size, seed):
    """Code streams of the given size: nobody decodes them, so noise between the markers will do."""
    noise = numpy.random.default_rng(seed)
    return [b"\xff\xd8\xff\xe0" + noise.integers(1, 254, size - 6, dtype=numpy.uint8).tobytes() + b"\xff\xd9" for _ in range(count)]


def multipart(files, boundary="bench-boundary-0123456789"):
    body = b"".join(b"--" + boundary.encode() + b"\r\nContent-Type: application/dicom\r\n\r\n" + f + b"\r\n" for f in files)
    return body + b"--" + boundary.encode() + b"--\r\n", f'multipart/related; type="application/dicom"; boundary={boundary}'


def many_frames(study, series, instance, frames, frame_bytes):
    """(head, one frame with its item's header, tail) of an instance of compressed frames: head + frames times the frame + tail. More than
    4 GB are possible: places are told by an extended offset table."""
    whole = image(study, series, instance, 512, 512, frames=frames, streams=[b"\xff\xd8\xff\xf7" + bytes(4)], syntax=JPEG_LS)
    head = whole[:whole.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff")]
    offsets = numpy.arange(frames, dtype="<u8") * (frame_bytes + 8)
    lengths = numpy.full(frames, frame_bytes, dtype="<u8")
    for element, values in ((1, offsets), (2, lengths)):
        head += bytes((0xE0, 0x7F, element, 0)) + b"OV\0\0" + (8 * frames).to_bytes(4, "little") + values.tobytes()
    head += b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0"
    frame = b"\xff\xd8\xff\xf7" + numpy.random.default_rng(frames).bytes(frame_bytes - 6) + b"\xff\xd9"
    return head, b"\xfe\xff\x00\xe0" + frame_bytes.to_bytes(4, "little") + frame, b"\xfe\xff\xdd\xe0\0\0\0\0"

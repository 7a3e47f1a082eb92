/* bridge/ijg_jpeg.cc
 * SPDX-License-Identifier: Apache-2.0
 *
 * DCMTK's coder objects, used bare: without data sets, pixel sequences and its registry.
 */
#include "bridge/ijg_jpeg.h"

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmjpeg/djcparam.h"
#include "dcmtk/dcmjpeg/djdijg12.h"
#include "dcmtk/dcmjpeg/djdijg16.h"
#include "dcmtk/dcmjpeg/djdijg8.h"
#include "dcmtk/dcmjpeg/djeijg12.h"
#include "dcmtk/dcmjpeg/djeijg16.h"
#include "dcmtk/dcmjpeg/djeijg8.h"

#include <cstring>
#include <memory>
#include <new>

namespace
{

/* The library warns, and paints what is not there grey: a warning is all that tells. */
template <typename decoder> class strict : public decoder
{
  public:
    strict(const DJCodecParameter &parameter, bool ybr, unsigned &warnings)
        : decoder(parameter, ybr), warnings(warnings)
    {
    }
    void emitMessage(int level) const override
    {
        if (level < 0)
            warnings++;
    }

  private:
    unsigned &warnings;
};

std::unique_ptr<DJDecoder> decoder_for(const DJCodecParameter &parameter, unsigned bits, bool ybr,
                                       unsigned &warnings)
{
    if (bits <= 8)
        return std::make_unique<strict<DJDecompressIJG8Bit>>(parameter, ybr, warnings);
    if (bits <= 12)
        return std::make_unique<strict<DJDecompressIJG12Bit>>(parameter, ybr, warnings);
    return std::make_unique<strict<DJDecompressIJG16Bit>>(parameter, ybr, warnings);
}

/* A copy of what an encoder made, which is the caller's. */
bool take_coded(OFCondition outcome, Uint8 *coded, Uint32 size, struct block **ret, struct error *err)
{
    const std::unique_ptr<Uint8[]> owned(coded);
    struct block *block = nullptr;

    if (outcome.bad() || !coded)
        return error_set(err, FAULT_INTERNAL, "DCMTK: %s", outcome.text());
    if (!block_take(size, &block, err))
        return false;
    std::memcpy(block_room(block, nullptr), coded, size);
    block_seal(block, size);
    *ret = block;
    return true;
}

/* The encoders do not write to what they read, though they do not say so. */
Uint16 *words(const uint8_t *from)
{
    return reinterpret_cast<Uint16 *>(const_cast<uint8_t *>(from));
}

bool run(DJEncoder &encoder, const uint8_t *from, const struct ijg_jpeg_image *image, struct block **ret,
         struct error *err)
{
    const Uint16 columns = static_cast<Uint16>(image->columns), rows = static_cast<Uint16>(image->rows);
    const Uint16 components = static_cast<Uint16>(image->components);
    const EP_Interpretation colours = components == 3 ? EPI_RGB : EPI_Monochrome2;
    Uint8 *coded = nullptr;
    Uint32 size = 0;
    const OFCondition outcome =
        encoder.bytesPerSample() == 1
            ? encoder.encode(columns, rows, colours, components, const_cast<Uint8 *>(from), coded, size)
            : encoder.encode(columns, rows, colours, components, words(from), coded, size);

    return take_coded(outcome, coded, size, ret, err);
}

} // namespace

extern "C" bool ijg_jpeg_decode(struct bytes coded, unsigned bits, bool ybr, unsigned most_warnings,
                                uint8_t *into, size_t size, struct error *err)
try {
    const DJCodecParameter parameter(ECC_lossyYCbCr, EDC_photometricInterpretation, EUC_never, EPC_default);
    unsigned warnings = 0;
    const std::unique_ptr<DJDecoder> decoder = decoder_for(parameter, bits, ybr, warnings);
    static Uint8 end_of_image[] = { 0xFF, 0xD9 };

    if (coded.size > UINT32_MAX || size > UINT32_MAX)
        return error_set(err, FAULT_CORRUPT_PIXELS, "DCMTK: %zu bytes of JPEG", coded.size);
    OFCondition outcome = decoder->init();
    if (outcome.good())
        outcome = decoder->decode(const_cast<Uint8 *>(coded.data), static_cast<Uint32>(coded.size), into,
                                  static_cast<Uint32>(size), OFFalse);
    if (outcome == EJ_Suspension) /* some writers leave the end marker out: then that is all it waits for */
        outcome =
            decoder->decode(end_of_image, sizeof end_of_image, into, static_cast<Uint32>(size), OFFalse);
    if (outcome.bad() || warnings > most_warnings)
        return error_set(err, FAULT_CORRUPT_PIXELS, "DCMTK: %s",
                         warnings > most_warnings ? "data are missing or no code" : outcome.text());
    return true;
} catch (const std::bad_alloc &) {
    return error_set(err, FAULT_BUSY, "DCMTK: out of memory");
} catch (...) {
    return error_set(err, FAULT_CORRUPT_PIXELS, "DCMTK: threw while decoding JPEG");
}

extern "C" unsigned ijg_jpeg_precision(unsigned bits)
{
    return bits <= 8 ? 8 : bits <= 12 ? 12 : 16;
}

extern "C" bool ijg_jpeg_encode_lossless(const uint8_t *from, const struct ijg_jpeg_image *image,
                                         struct block **ret, struct error *err)
try {
    const DJCodecParameter parameter(ECC_lossyRGB, EDC_never, EUC_never, EPC_default);

    if (image->bits <= 8) {
        DJCompressIJG8Bit encoder(parameter, EJM_lossless, 1, 0);
        return run(encoder, from, image, ret, err);
    }
    if (image->bits <= 12) {
        DJCompressIJG12Bit encoder(parameter, EJM_lossless, 1, 0);
        return run(encoder, from, image, ret, err);
    }
    DJCompressIJG16Bit encoder(parameter, EJM_lossless, 1, 0);
    return run(encoder, from, image, ret, err);
} catch (const std::bad_alloc &) {
    return error_set(err, FAULT_BUSY, "DCMTK: out of memory");
} catch (...) {
    return error_set(err, FAULT_INTERNAL, "DCMTK: threw while encoding JPEG");
}

extern "C" bool ijg_jpeg_encode_12(const uint8_t *from, const struct ijg_jpeg_image *image, unsigned quality,
                                   struct block **ret, struct error *err)
try {
    const DJCodecParameter parameter(ECC_lossyYCbCr, EDC_never, EUC_never, EPC_default);
    DJCompressIJG12Bit encoder(parameter, EJM_sequential, static_cast<Uint8>(quality));

    return run(encoder, from, image, ret, err);
} catch (const std::bad_alloc &) {
    return error_set(err, FAULT_BUSY, "DCMTK: out of memory");
} catch (...) {
    return error_set(err, FAULT_INTERNAL, "DCMTK: threw while encoding JPEG");
}

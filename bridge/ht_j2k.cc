/* bridge/ht_j2k.cc
 * SPDX-License-Identifier: Apache-2.0
 *
 * OpenJPH behind C; see ht_j2k.h.
 */
#include "bridge/ht_j2k.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <malloc.h>
#include <mutex>
#include <new>
#include <stdexcept>

#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_message.h>
#include <openjph/ojph_params.h>

namespace
{

/* OpenJPH prints and then throws; only the second is of use. */
class throwing_error : public ojph::message_error
{
  public:
    void operator()(int code, const char *, int, const char *, ...) override
    {
        char text[32];

        std::snprintf(text, sizeof text, "error %08X", static_cast<unsigned>(code));
        throw std::runtime_error(text);
    }
};

/* A warning while decoding says that something was made up (bytes that are not there are zeros): no image. */
class throwing_warning : public ojph::message_warning
{
  public:
    void operator()(int code, const char *, int, const char *, ...) override
    {
        char text[32];

        std::snprintf(text, sizeof text, "warning %08X", static_cast<unsigned>(code));
        throw std::runtime_error(text);
    }
};

class silent_info : public ojph::message_info
{
  public:
    void operator()(int, const char *, int, const char *, ...) override
    {
    }
};

/* Once for the process, when it is first used: a function's static is made by one thread only. */
void configure()
{
    static throwing_error error;
    static throwing_warning warning;
    static silent_info info;
    static const bool done = [] {
        ojph::configure_error(&error);
        ojph::configure_warning(&warning);
        ojph::configure_info(&info);
        return true;
    }();

    (void)done;
}

struct range {
    ojph::si32 least, most;
};

range range_of(const struct ht_j2k_image *image)
{
    if (image->is_signed)
        return { -(1 << (image->bits - 1)), (1 << (image->bits - 1)) - 1 };
    return { 0, (1 << image->bits) - 1 };
}

template <typename cell>
void store_line(const ojph::si32 *from, size_t count, const range &allowed, size_t stride, uint8_t *into)
{
    for (size_t i = 0; i < count; i++) {
        const cell value = static_cast<cell>(std::min(std::max(from[i], allowed.least), allowed.most));
        std::memcpy(into + i * stride * sizeof value, &value, sizeof value);
    }
}

/* One component is the usual case: a stride that is known makes vectors of the loop. */
template <typename cell>
void store(const ojph::si32 *from, size_t count, const range &allowed, size_t stride, uint8_t *into)
{
    if (stride == 1)
        store_line<cell>(from, count, allowed, 1, into);
    else
        store_line<cell>(from, count, allowed, stride, into);
}

template <typename cell>
void load_line(const uint8_t *from, size_t count, size_t stride, unsigned bits, bool is_signed,
               ojph::si32 *into)
{
    const unsigned shift = 32 - bits;

    for (size_t i = 0; i < count; i++) {
        cell value;
        std::memcpy(&value, from + i * stride * sizeof value, sizeof value);
        const uint32_t raised = static_cast<uint32_t>(value) << shift;
        into[i] =
            is_signed ? static_cast<ojph::si32>(raised) >> shift : static_cast<ojph::si32>(raised >> shift);
    }
}

template <typename cell>
void load(const uint8_t *from, size_t count, size_t stride, unsigned bits, bool is_signed, ojph::si32 *into)
{
    if (stride == 1)
        load_line<cell>(from, count, 1, bits, is_signed, into);
    else
        load_line<cell>(from, count, stride, bits, is_signed, into);
}

bool agrees(ojph::codestream &stream, const struct ht_j2k_image *image)
{
    ojph::param_siz siz = stream.access_siz();

    if (siz.get_num_components() != image->components)
        return false;
    for (unsigned i = 0; i < image->components; i++)
        if (siz.get_recon_width(i) != image->columns || siz.get_recon_height(i) != image->rows ||
            siz.get_bit_depth(i) != image->bits || siz.is_signed(i) != image->is_signed)
            return false;
    return true;
}

/* While one is there, malloc gives out zeros; see ht_j2k_wants_zeros. */
class zeroed_heap
{
  public:
    explicit zeroed_heap(bool wanted) : holds(wanted)
    {
        if (holds)
            count(1);
    }
    ~zeroed_heap()
    {
        if (holds)
            count(-1);
    }
    zeroed_heap(const zeroed_heap &) = delete;
    zeroed_heap &operator=(const zeroed_heap &) = delete;

  private:
    bool holds;

    static void count(int by)
    {
        static std::mutex lock;
        static int holders = 0;
        const std::lock_guard<std::mutex> locked(lock);

        holders += by;
        if (holders == (by > 0 ? 1 : 0))
            mallopt(M_PERTURB, holders ? 0xFF : 0); /* the complement of what is given out */
    }
};

/* TLM (T.800 A.7.1) in front of the only tile-part's SOT: index 0, no tile indices, lengths of 32 bits. */
constexpr size_t TLM_BYTES = 10;

bool put_tile_part_length(const uint8_t *coded, size_t size, uint8_t *into)
{
    size_t at = 2;

    while (at + 12 <= size && !(coded[at] == 0xFF && coded[at + 1] == 0x90))
        at += 2 + (static_cast<size_t>(coded[at + 2]) << 8 | coded[at + 3]);
    if (at + 12 > size)
        return false;
    const uint8_t tlm[TLM_BYTES] = { 0xFF,          0x55,         0, 8, 0, 0x40, coded[at + 6], coded[at + 7],
                                     coded[at + 8], coded[at + 9] };
    std::memcpy(into, coded, at);
    std::memcpy(into + at, tlm, sizeof tlm);
    std::memcpy(into + at + sizeof tlm, coded + at, size - at);
    return true;
}

} // namespace

extern "C" bool ht_j2k_decode(struct bytes codestream, unsigned halvings, const struct ht_j2k_image *image,
                              uint8_t *into, struct error *err)
try {
    configure();
    ojph::mem_infile input;
    ojph::codestream stream;
    const range allowed = range_of(image);
    const size_t cell = image->bits_allocated / 8;

    input.open(codestream.data, codestream.size);
    stream.read_headers(&input);
    stream.restrict_input_resolution(halvings, halvings);
    if (!agrees(stream, image))
        return error_set(err, FAULT_CORRUPT_PIXELS, "OpenJPH: another image comes out");
    stream.set_planar(false);
    stream.create();
    for (uint32_t row = 0; row < image->rows; row++)
        for (unsigned i = 0; i < image->components; i++) {
            ojph::ui32 component = 0;
            const ojph::line_buf *line = stream.pull(component);
            uint8_t *cells =
                into + (static_cast<size_t>(row) * image->columns * image->components + component) * cell;

            if (!line || component >= image->components || line->size < image->columns)
                return error_set(err, FAULT_CORRUPT_PIXELS, "OpenJPH: a line is missing");
            if (cell == 1)
                store<uint8_t>(line->i32, image->columns, allowed, image->components, cells);
            else
                store<uint16_t>(line->i32, image->columns, allowed, image->components, cells);
        }
    stream.close();
    return true;
} catch (const std::bad_alloc &) {
    return error_set(err, FAULT_BUSY, "OpenJPH: out of memory");
} catch (const std::exception &problem) {
    return error_set(err, FAULT_CORRUPT_PIXELS, "OpenJPH: %s", problem.what());
} catch (...) {
    return error_set(err, FAULT_CORRUPT_PIXELS, "OpenJPH: threw");
}

extern "C" bool ht_j2k_encode(const uint8_t *from, const struct ht_j2k_image *image,
                              const struct ht_j2k_style *style, struct block **ret, struct error *err)
try {
    configure();
    const zeroed_heap zeros(ht_j2k_wants_zeros(image->columns, style->levels));
    ojph::codestream stream;
    ojph::mem_outfile output;
    ojph::param_siz siz = stream.access_siz();
    ojph::param_cod cod = stream.access_cod();
    const size_t cell = image->bits_allocated / 8;

    siz.set_image_extent(ojph::point(image->columns, image->rows));
    siz.set_num_components(image->components);
    for (unsigned i = 0; i < image->components; i++)
        siz.set_component(i, ojph::point(1, 1), image->bits, image->is_signed);
    cod.set_num_decomposition(style->levels);
    cod.set_block_dims(64, 64);
    cod.set_progression_order("RPCL");
    cod.set_color_transform(style->colour_transform);
    cod.set_reversible(style->quantiser == 0.0f);
    if (style->quantiser > 0.0f)
        stream.access_qcd().set_irrev_quant(style->quantiser);
    stream.set_planar(false);
    output.open(static_cast<size_t>(image->rows) * image->columns * image->components * cell / 2 + 65536);
    stream.write_headers(&output);
    ojph::ui32 next = 0;
    ojph::line_buf *line = stream.exchange(nullptr, next);
    for (uint32_t row = 0; row < image->rows; row++)
        for (unsigned i = 0; i < image->components; i++) {
            const uint8_t *cells =
                from + (static_cast<size_t>(row) * image->columns * image->components + next) * cell;

            if (cell == 1)
                load<uint8_t>(cells, image->columns, image->components, image->bits, image->is_signed,
                              line->i32);
            else
                load<uint16_t>(cells, image->columns, image->components, image->bits, image->is_signed,
                               line->i32);
            line = stream.exchange(line, next);
        }
    stream.flush();

    const size_t size = static_cast<size_t>(output.tell());
    struct block *block = nullptr;
    if (!block_take(size + TLM_BYTES, &block, err))
        return false;
    uint8_t *room = block_room(block, nullptr);
    if (style->tile_part_lengths) {
        if (!put_tile_part_length(output.get_data(), size, room)) {
            block_unref(block);
            return error_set(err, FAULT_INTERNAL, "OpenJPH: no tile-part in its code stream");
        }
    } else {
        std::memcpy(room, output.get_data(), size);
    }
    block_seal(block, size + (style->tile_part_lengths ? TLM_BYTES : 0));
    block_trim(&block);
    stream.close();
    *ret = block;
    return true;
} catch (const std::bad_alloc &) {
    return error_set(err, FAULT_BUSY, "OpenJPH: out of memory");
} catch (const std::exception &problem) {
    return error_set(err, FAULT_INTERNAL, "OpenJPH: %s", problem.what());
} catch (...) {
    return error_set(err, FAULT_INTERNAL, "OpenJPH: threw");
}

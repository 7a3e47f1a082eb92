/* tests/support/dcmtk_dataset.cc
 * SPDX-License-Identifier: Apache-2.0
 *
 * DCMTK's parser behind C; see dcmtk_dataset.h.
 *
 * DCMTK descends into sequences by recursion and reads until the stack ends: 100 000 nested items kill the
 * process. All its bytes come through `producer` below, which looks how much stack has been used and plays a
 * broken stream when it is too much. So the fence holds whatever DCMTK takes the bytes for.
 */
#include "tests/support/dcmtk_dataset.h"

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmdata/dcdatset.h"
#include "dcmtk/dcmdata/dcelem.h"
#include "dcmtk/dcmdata/dcerror.h"
#include "dcmtk/dcmdata/dcistrma.h"
#include "dcmtk/dcmdata/dcitem.h"
#include "dcmtk/dcmdata/dcpixel.h"
#include "dcmtk/dcmdata/dcpixseq.h"
#include "dcmtk/dcmdata/dcpxitem.h"
#include "dcmtk/dcmdata/dcsequen.h"
#include "dcmtk/dcmdata/dcxfer.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "base/file.h"

namespace
{

/* DCMTK takes about 1 KiB of stack for a nested level; 128 levels are allowed by dicom/element_scan.c. */
constexpr uintptr_t STACK_BUDGET = 512 * 1024;
constexpr uint32_t LAZY_ABOVE = 4096;
constexpr size_t WINDOW = 32 * 1024;

uintptr_t stack_here()
{
    return reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
}

class producer : public DcmProducer
{
  public:
    producer(const dcmtk_source &from, uint64_t at) : from_(from), at_(at), stack_(stack_here())
    {
    }
    OFBool good() const override
    {
        return !broken_ && !too_deep();
    }
    OFCondition status() const override
    {
        return good() ? EC_Normal : EC_InvalidStream;
    }
    OFBool eos() override
    {
        return !good() || at_ >= from_.end;
    }
    offile_off_t avail() override
    {
        return eos() ? 0 : static_cast<offile_off_t>(from_.end - at_);
    }
    offile_off_t read(void *into, offile_off_t wanted) override
    {
        const uint64_t size = std::min(static_cast<uint64_t>(std::max<offile_off_t>(wanted, 0)),
                                       static_cast<uint64_t>(avail()));
        if (size == 0 || !fetch(static_cast<uint8_t *>(into), size))
            return 0;
        at_ += size;
        return static_cast<offile_off_t>(size);
    }
    offile_off_t skip(offile_off_t wanted) override
    {
        const offile_off_t size = std::min(std::max<offile_off_t>(wanted, 0), avail());
        at_ += static_cast<uint64_t>(size);
        return size;
    }
    void putback(offile_off_t size) override
    {
        const uint64_t back = static_cast<uint64_t>(std::max<offile_off_t>(size, 0));
        at_ = back > at_ - from_.offset ? from_.offset : at_ - back;
    }
    uint64_t at() const
    {
        return at_;
    }
    bool was_too_deep() const
    {
        return deep_;
    }
    const dcmtk_source &source() const
    {
        return from_;
    }

  private:
    bool too_deep() const
    {
        const uintptr_t here = stack_here();
        /* Downwards everywhere this runs; a lazy value read from a shallower frame is no depth at all. */
        if (stack_ > here && stack_ - here > STACK_BUDGET)
            deep_ = true;
        return deep_;
    }
    bool fetch(uint8_t *into, uint64_t size)
    {
        if (at_ + size <= from_.memory_size) {
            memcpy(into, from_.memory + at_, size);
            return true;
        }
        struct error err = {};
        if (size > WINDOW) {
            broken_ = !file_read_at(from_.fd, into, size, at_, &err);
            return !broken_;
        }
        if (at_ < window_at_ || at_ + size > window_at_ + window_size_) {
            if (!window_)
                window_ = std::make_unique<uint8_t[]>(WINDOW);
            window_at_ = at_;
            window_size_ = std::min<uint64_t>(WINDOW, from_.end - at_);
            if (!file_read_at(from_.fd, window_.get(), window_size_, window_at_, &err)) {
                broken_ = true;
                window_size_ = 0;
                return false;
            }
        }
        memcpy(into, window_.get() + (at_ - window_at_), size);
        return true;
    }

    const dcmtk_source from_;
    uint64_t at_;
    uintptr_t stack_;
    bool broken_ = false;
    mutable bool deep_ = false;
    std::unique_ptr<uint8_t[]> window_;
    uint64_t window_at_ = 0, window_size_ = 0;
};

class stream;

/* What DCMTK keeps of a value that it has not read: where it begins. */
class place : public DcmInputStreamFactory
{
  public:
    place(const dcmtk_source &from, uint64_t at) : from_(from), at_(at)
    {
    }
    DcmInputStream *create() const override;
    DcmInputStreamFactory *clone() const override
    {
        return new place(*this);
    }
    DcmInputStreamFactoryType ident() const override
    {
        return DFT_DcmInputFileStreamFactory;
    }

  private:
    dcmtk_source from_;
    uint64_t at_;
};

/* The producer must exist before the base class takes its address. */
struct producer_first {
    producer bytes;
};

class stream : private producer_first, public DcmInputStream
{
  public:
    stream(const dcmtk_source &from, uint64_t at)
        : producer_first{ producer(from, at) }, DcmInputStream(&this->bytes)
    {
    }
    DcmInputStreamFactory *newFactory() const override
    {
        return new place(bytes.source(), bytes.at());
    }
    bool was_too_deep() const
    {
        return bytes.was_too_deep();
    }
};

DcmInputStream *place::create() const
{
    return new stream(from_, at_);
}

E_TransferSyntax syntax_of(dcmtk_encoding encoding)
{
    switch (encoding) {
    case DCMTK_IMPLICIT_LE:
        return EXS_LittleEndianImplicit;
    case DCMTK_EXPLICIT_BE:
        return EXS_BigEndianExplicit;
    case DCMTK_ENCAPSULATED:
        return EXS_JPEGProcess1; /* any: structure is the same */
    case DCMTK_EXPLICIT_LE:
        break;
    }
    return EXS_LittleEndianExplicit;
}

DcmItem *item_of(const dcmtk_item *item)
{
    return reinterpret_cast<DcmItem *>(const_cast<dcmtk_item *>(item));
}

/* The fragments of compressed pixels in an item; NULL for all else. */
DcmPixelSequence *fragments_of(DcmElement *element)
{
    DcmPixelData *pixels = element->ident() == EVR_PixelData ? static_cast<DcmPixelData *>(element) : nullptr;
    E_TransferSyntax syntax = EXS_Unknown;
    const DcmRepresentationParameter *parameter = nullptr;
    DcmPixelSequence *fragments = nullptr;

    if (!pixels)
        return nullptr;
    pixels->getOriginalRepresentationKey(syntax, parameter);
    if (!DcmXfer(syntax).isEncapsulated() ||
        pixels->getEncapsulatedRepresentation(syntax, parameter, fragments).bad())
        return nullptr;
    return fragments;
}

void describe(DcmElement *element, dcmtk_element *ret)
{
    const DcmTag &tag = element->getTag();
    const DcmEVR vr = tag.getEVR();

    *ret = {};
    ret->tag = static_cast<uint32_t>(tag.getGroup()) << 16 | tag.getElement();
    ret->handle = element;
    ret->is_sequence = element->ident() == EVR_SQ;
    if (ret->is_sequence) {
        memcpy(ret->vr, "SQ", 3);
        return;
    }
    if (vr == EVR_UNKNOWN || vr == EVR_UNKNOWN2B || vr == EVR_na)
        memcpy(ret->vr, "UN", 3);
    else if (vr == EVR_up)
        memcpy(ret->vr, "UL", 3);
    else if (vr == EVR_px)
        memcpy(ret->vr, "ox", 3);
    else
        strncpy(ret->vr, tag.getVR().getVRName(), 2);

    DcmPixelSequence *fragments = fragments_of(element);
    if (!fragments) {
        ret->size = element->getLengthField() == DCM_UndefinedLength ? 0 : element->getLengthField();
        return;
    }
    ret->is_encapsulated = true;
    memcpy(ret->vr, "OB", 3);
    DcmPixelItem *fragment = nullptr;
    for (unsigned long i = 1; i < fragments->card() && fragments->getItem(fragment, i).good(); i++)
        ret->size += fragment->getLength();
}

bool copy_fragments(DcmPixelSequence *fragments, uint8_t *into)
{
    DcmPixelItem *fragment = nullptr;

    for (unsigned long i = 1; i < fragments->card(); i++) {
        if (fragments->getItem(fragment, i).bad())
            return false;
        const Uint32 size = fragment->getLength();
        if (size > 0 && fragment->getPartialValue(into, 0, size, nullptr, EBO_LittleEndian).bad())
            return false;
        into += size;
    }
    return true;
}

} // namespace

struct dcmtk_dataset {
    DcmDataset elements;
};

extern "C" bool dcmtk_parse(const struct dcmtk_source *source, enum dcmtk_encoding encoding,
                            struct dcmtk_dataset **ret, struct error *err)
try {
    auto parsed = std::make_unique<dcmtk_dataset>();

    if (source->offset < source->end) { /* DCMTK takes nothing at all for an error */
        stream input(*source, source->offset);
        /* An item's own read, not the dataset's: that one guesses the transfer syntax anew. */
        parsed->elements.DcmItem::transferInit();
        const OFCondition outcome =
            parsed->elements.DcmItem::read(input, syntax_of(encoding), EGL_noChange, LAZY_ABOVE);
        parsed->elements.DcmItem::transferEnd();
        if (input.was_too_deep())
            return error_tell(err, FAULT_NOT_DICOM, "Sequences nested too deeply");
        /* The code, not DCMTK's text: that may hold values. */
        if (outcome.bad() && outcome != EC_EndOfStream)
            return error_tell(err, FAULT_NOT_DICOM, "DCMTK: condition %u.%u", outcome.module(),
                              outcome.code());
    }
    *ret = parsed.release();
    return true;
} catch (const std::bad_alloc &) {
    return error_set(err, FAULT_BUSY, "DCMTK: out of memory");
} catch (...) {
    return error_set(err, FAULT_INTERNAL, "DCMTK: threw while parsing");
}

extern "C" void dcmtk_free(struct dcmtk_dataset *dataset)
try {
    delete dataset;
} catch (...) {
}

extern "C" void dcmtk_drop(struct dcmtk_dataset **dataset)
{
    dcmtk_free(*dataset);
}

extern "C" const struct dcmtk_item *dcmtk_root(const struct dcmtk_dataset *dataset)
{
    DcmItem *root = const_cast<DcmDataset *>(&dataset->elements);

    return reinterpret_cast<const struct dcmtk_item *>(root);
}

extern "C" bool dcmtk_next_element(const struct dcmtk_item *item, struct dcmtk_element *at)
try {
    DcmObject *next = item_of(item)->nextInContainer(static_cast<DcmElement *>(at->handle));

    if (!next)
        return false;
    describe(static_cast<DcmElement *>(next), at);
    return true;
} catch (...) {
    return false;
}

extern "C" bool dcmtk_find(const struct dcmtk_item *item, uint32_t tag, struct dcmtk_element *ret)
try {
    DcmElement *found = nullptr;
    const DcmTagKey key(static_cast<Uint16>(tag >> 16), static_cast<Uint16>(tag & 0xFFFF));

    if (item_of(item)->findAndGetElement(key, found).bad() || !found)
        return false;
    describe(found, ret);
    return true;
} catch (...) {
    return false;
}

extern "C" const struct dcmtk_item *dcmtk_next_item(const struct dcmtk_element *sequence,
                                                    const struct dcmtk_item *previous_or_null)
try {
    if (!sequence->is_sequence)
        return nullptr;
    DcmSequenceOfItems *items =
        static_cast<DcmSequenceOfItems *>(static_cast<DcmElement *>(sequence->handle));
    DcmItem *next = static_cast<DcmItem *>(
        items->nextInContainer(previous_or_null ? item_of(previous_or_null) : nullptr));

    return reinterpret_cast<const struct dcmtk_item *>(next);
} catch (...) {
    return nullptr;
}

extern "C" bool dcmtk_value(const struct dcmtk_element *element, uint8_t *into, struct error *err)
try {
    DcmElement *from = static_cast<DcmElement *>(element->handle);

    if (element->size == 0)
        return true;
    if (element->is_encapsulated) {
        if (!copy_fragments(fragments_of(from), into))
            return error_set(err, FAULT_DISK, "DCMTK: fragments cannot be read");
        return true;
    }
    const OFCondition outcome =
        from->getPartialValue(into, 0, static_cast<Uint32>(element->size), nullptr, EBO_LittleEndian);
    if (outcome.bad())
        return error_set(err, FAULT_DISK, "DCMTK: value cannot be read: condition %u.%u", outcome.module(),
                         outcome.code());
    return true;
} catch (const std::bad_alloc &) {
    return error_set(err, FAULT_BUSY, "DCMTK: out of memory");
} catch (...) {
    return error_set(err, FAULT_INTERNAL, "DCMTK: threw while reading a value");
}

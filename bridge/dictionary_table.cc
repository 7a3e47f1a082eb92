/* bridge/dictionary_table.cc
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sorted copies of DCMTK's dictionary; see dictionary_table.h. They live as long as the process.
 */
#include "bridge/dictionary_table.h"

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmdata/dcdicent.h"
#include "dcmtk/dcmdata/dcdict.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace
{

struct repeating {
    uint32_t group_first, group_last, element_first, element_last;
    bool even_groups, even_elements; /* the range counts in steps of two */
    dictionary_entry entry;
};

/* Never destroyed: other threads may look things up while the process ends. */
auto &by_tag = *new std::vector<dictionary_entry>;
auto &by_keyword = *new std::vector<dictionary_entry>;
auto &ranges = *new std::vector<repeating>;

/* DCMTK marks what the standard has retired; the keyword of PS3.6 stands behind the mark. */
const char *keyword_of(const DcmDictEntry &entry)
{
    static const char retired[] = "RETIRED_";
    const char *name = entry.getTagName();

    return strncmp(name, retired, sizeof retired - 1) == 0 ? name + sizeof retired - 1 : name;
}

dictionary_entry copy_of(const DcmDictEntry &from)
{
    dictionary_entry entry = {};
    const char *vr = from.getVR().getVRName();

    entry.tag = static_cast<uint32_t>(from.getGroup()) << 16 | from.getElement();
    strncpy(entry.vr, vr, 2);
    entry.keyword = strdup(keyword_of(from));
    if (!entry.keyword)
        throw std::bad_alloc();
    return entry;
}

bool counts_evenly(DcmDictRangeRestriction restriction)
{
    return restriction == DcmDictRange_Even;
}

std::string_view word(const dictionary_entry &entry)
{
    return std::string_view(entry.keyword);
}

} // namespace

extern "C" bool dictionary_table_load(struct error *err)
try {
    DcmDataDictionary &dictionary = dcmDataDict.wrlock();

    for (auto at = dictionary.normalBegin(); at != dictionary.normalEnd(); ++at) {
        const DcmDictEntry *entry = *at;
        if (!entry->getPrivateCreator() && (entry->getGroup() & 1) == 0)
            by_tag.push_back(copy_of(*entry));
    }
    for (auto at = dictionary.repeatingBegin(); at != dictionary.repeatingEnd(); ++at) {
        const DcmDictEntry *entry = *at;
        /* Not the generic ones: private creators, group lengths. */
        if (entry->getPrivateCreator() || (entry->getGroup() & 1) != 0 || entry->getUpperGroup() == 0xFFFF)
            continue;
        ranges.push_back({ entry->getGroup(), entry->getUpperGroup(), entry->getElement(),
                           entry->getUpperElement(), counts_evenly(entry->getGroupRangeRestriction()),
                           counts_evenly(entry->getElementRangeRestriction()), copy_of(*entry) });
    }
    dcmDataDict.wrunlock();

    std::sort(by_tag.begin(), by_tag.end(),
              [](const dictionary_entry &a, const dictionary_entry &b) { return a.tag < b.tag; });
    by_keyword = by_tag;
    for (const repeating &range : ranges)
        by_keyword.push_back(range.entry);
    std::stable_sort(by_keyword.begin(), by_keyword.end(),
                     [](const dictionary_entry &a, const dictionary_entry &b) { return word(a) < word(b); });
    return true;
} catch (...) {
    dcmDataDict.wrunlock();
    return error_set(err, FAULT_INTERNAL, "DCMTK: threw while copying its dictionary");
}

extern "C" const struct dictionary_entry *dictionary_table_of_tag(uint32_t tag)
{
    const auto at = std::lower_bound(by_tag.begin(), by_tag.end(), tag,
                                     [](const dictionary_entry &a, uint32_t b) { return a.tag < b; });
    const uint32_t group = tag >> 16, element = tag & 0xFFFF;

    if (at != by_tag.end() && at->tag == tag)
        return &*at;
    for (const repeating &range : ranges)
        if (group >= range.group_first && group <= range.group_last && element >= range.element_first &&
            element <= range.element_last && (!range.even_groups || (group - range.group_first) % 2 == 0) &&
            (!range.even_elements || (element - range.element_first) % 2 == 0))
            return &range.entry;
    return nullptr;
}

extern "C" const struct dictionary_entry *dictionary_table_of_keyword(struct bytes keyword)
{
    const std::string_view wanted(reinterpret_cast<const char *>(keyword.data), keyword.size);
    const auto at =
        std::lower_bound(by_keyword.begin(), by_keyword.end(), wanted,
                         [](const dictionary_entry &a, std::string_view b) { return word(a) < b; });

    return at != by_keyword.end() && word(*at) == wanted ? &*at : nullptr;
}

extern "C" bool dictionary_vr_of_private(const char *creator, uint32_t tag, char ret_vr[3])
try {
    const DcmTagKey key(static_cast<Uint16>(tag >> 16), static_cast<Uint16>(tag & 0xFFFF));
    const DcmDictEntry *entry = dcmDataDict.rdlock().findEntry(key, creator);

    if (entry) {
        memset(ret_vr, 0, 3);
        strncpy(ret_vr, entry->getVR().getVRName(), 2);
    }
    dcmDataDict.rdunlock();
    return entry != nullptr;
} catch (...) {
    dcmDataDict.rdunlock();
    return false;
}

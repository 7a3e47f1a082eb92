/* dicom/vr.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table behind vr.h.
 */
#include "dicom/vr.h"

/* clang-format off */
static const struct vr_info vrs[] = {
    /* UN first: what is not found is it. The others ascend: they are searched. */
    { "UN", VR_OPAQUE,   1, false, true  }, { "AE", VR_VALUES,   1, true,  false }, { "AS", VR_VALUES,   1, false, false },
    { "AT", VR_TAG,      4, false, false }, { "CS", VR_VALUES,   1, true,  false }, { "DA", VR_VALUES,   1, false, false },
    { "DS", VR_DECIMAL,  1, true,  true  }, { "DT", VR_VALUES,   1, false, false }, { "FD", VR_NUMBER,   8, false, true  },
    { "FL", VR_NUMBER,   4, false, true  }, { "IS", VR_DECIMAL,  1, true,  true  }, { "LO", VR_VALUES,   1, true,  false },
    { "LT", VR_TEXT,     1, false, true  }, { "OB", VR_OPAQUE,   1, false, true  }, { "OD", VR_OPAQUE,   8, false, true  },
    { "OF", VR_OPAQUE,   4, false, true  }, { "OL", VR_OPAQUE,   4, false, true  }, { "OV", VR_OPAQUE,   8, false, true  },
    { "OW", VR_OPAQUE,   2, false, true  }, { "PN", VR_NAMES,    1, false, false }, { "SH", VR_VALUES,   1, true,  false },
    { "SL", VR_NUMBER,   4, false, true  }, { "SQ", VR_SEQUENCE, 1, false, false }, { "SS", VR_NUMBER,   2, false, true  },
    { "ST", VR_TEXT,     1, false, true  }, { "SV", VR_NUMBER,   8, false, true  }, { "TM", VR_VALUES,   1, false, false },
    { "UC", VR_VALUES,   1, false, true  }, { "UI", VR_VALUES,   1, true,  false }, { "UL", VR_NUMBER,   4, false, true  },
    { "UR", VR_TEXT,     1, false, false }, { "US", VR_NUMBER,   2, false, true  }, { "UT", VR_TEXT,     1, false, true  },
    { "UV", VR_NUMBER,   8, false, true  },
};
/* clang-format on */

const struct vr_info *vr_info(const char *vr)
{
    size_t from = 1, to = COUNT_OF(vrs); /* ascending behind the first */

    while (from < to) {
        const size_t at = (from + to) / 2;
        const int order = vr[0] != vrs[at].name[0] ? vr[0] - vrs[at].name[0] : vr[1] - vrs[at].name[1];
        if (order == 0)
            return &vrs[at];
        if (order < 0)
            to = at;
        else
            from = at + 1;
    }
    return &vrs[0];
}

struct bytes vr_trim(const struct vr_info *vr, struct bytes value)
{
    while (value.size > 0 && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\0'))
        value.size--;
    while (vr->trims_leading && value.size > 0 && value.data[0] == ' ')
        value = bytes_from(value, 1);
    return value;
}

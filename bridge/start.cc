/* bridge/start.cc
 * SPDX-License-Identifier: Apache-2.0
 *
 * DCMTK, set up once; see start.h.
 */
#include "bridge/start.h"

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmdata/dcbytstr.h"
#include "dcmtk/dcmdata/dcdict.h"
#include "dcmtk/dcmdata/dcobject.h"
#include "dcmtk/dcmdata/dcvr.h"
#include "dcmtk/oflog/oflog.h"

#include <mutex>

#include "bridge/dictionary_table.h"

extern "C" bool bridge_start(struct error *err)
try {
    static std::mutex once;
    static bool done;

    const std::lock_guard<std::mutex> guard(once);
    if (done)
        return true;
    /* DCMTK logs values of attributes and, on some real files, half a million lines: nothing of that. */
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    /* First use loads the dictionary, so that happens here and not in some thread. */
    if (!dcmDataDict.isDictionaryLoaded())
        return error_set(err, FAULT_INTERNAL, "DCMTK: no data dictionary (is libdcmtk's dicom.dic there?)");
    dcmEnableAutomaticInputDataCorrection.set(OFFalse); /* values as stored */
    dcmEnableVRCheckerForStringValues.set(OFFalse);
    dcmEnableUnknownVRConversion.set(OFFalse);
    dcmEnableCP246Support.set(OFTrue); /* UN of undefined length is an implicit VR sequence */
    dcmAcceptOddAttributeLength.set(OFTrue);
    dcmAcceptUnexpectedImplicitEncoding.set(OFFalse); /* element_scan.c decides alike */
    if (!dictionary_table_load(err))
        return false;
    done = true;
    return true;
} catch (...) {
    return error_set(err, FAULT_INTERNAL, "DCMTK: threw while starting");
}

extern "C" void bridge_quiet(void)
try {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
} catch (...) {
}

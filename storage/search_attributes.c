/* storage/search_attributes.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * To which level an attribute belongs (PS3.18 Tables 10.6.1-5, 10.6.3-3 to -5, and the Patient, General
 * Study, General Series and General Equipment modules of PS3.3): a study row never carries a series'
 * attribute (SEA-76).
 */
#include "storage/search_internal.h"

static const struct search_computed computed[] = {
    { "InstanceAvailability", 0x00080056, "CS", LEVEL_STUDY },
    { "ModalitiesInStudy", 0x00080061, "CS", LEVEL_STUDY },
    { "SOPClassesInStudy", 0x00080062, "UI", LEVEL_STUDY },
    { "RetrieveURL", 0x00081190, "UR", LEVEL_STUDY },
    { "NumberOfStudyRelatedSeries", 0x00201206, "IS", LEVEL_STUDY },
    { "NumberOfStudyRelatedInstances", 0x00201208, "IS", LEVEL_STUDY },
    { "NumberOfSeriesRelatedInstances", 0x00201209, "IS", LEVEL_SERIES },
    { "RequestAttributesSequence", 0x00400275, "SQ", LEVEL_SERIES },
    { "AvailableTransferSyntaxUID", 0x00083002, "UI", LEVEL_INSTANCE },
};

static const uint32_t of_study[] = {
    0x0008009C,                         /* ConsultingPhysicianName */
    0x0008009D, 0x00080096, 0x00081032, /* ProcedureCodeSequence */
    0x00081048, 0x00081049,             /* PhysiciansOfRecord */
    0x00081060,                         /* NameOfPhysiciansReadingStudy */
    0x00081062, 0x00081080, 0x00081084, /* AdmittingDiagnoses */
    0x00081110, 0x00081120,             /* ReferencedStudySequence, ReferencedPatientSequence */
    0x00201070,                         /* OtherStudyNumbers */
    0x0032000A, 0x00321032, 0x00321033, 0x00321060, 0x00321064,
    0x00380010, 0x00380014, 0x00400012, 0x00401012,
};
static const uint32_t of_series[] = {
    0x00080081, 0x00080082,             /* InstitutionAddress, InstitutionCodeSequence */
    0x0008103F,                         /* SeriesDescriptionCodeSequence */
    0x00081040,                         /* InstitutionalDepartmentName */
    0x00081050, 0x00081052,             /* PerformingPhysician */
    0x00081072,                         /* OperatorIdentificationSequence */
    0x00081090,                         /* ManufacturerModelName */
    0x00081111, 0x00081250,             /* ReferencedPerformedProcedureStepSequence, RelatedSeriesSequence */
    0x00181000, 0x00181008, 0x00181020, /* DeviceSerialNumber, GantryID, SoftwareVersions */
    0x00181050, 0x00181200, 0x00181201, /* SpatialResolution, DateOfLastCalibration */
    0x00185100,                         /* PatientPosition */
    0x00200052, 0x00200060, 0x00201040, /* FrameOfReferenceUID, Laterality, PositionReferenceIndicator */
    0x00280108, 0x00280109,             /* Smallest and LargestPixelValueInSeries */
    0x00400250, 0x00400251, 0x00400253, 0x00400254, 0x00400260, 0x00400280, /* performed step */
};

static bool is_in(uint32_t tag, const uint32_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == tag)
            return true;
    return false;
}

enum query_level search_attribute_level(uint32_t tag)
{
    const enum query_key key = query_key_of_tag(tag);
    const struct search_computed *made = search_computed_of_tag(tag);

    if (key != QUERY_KEY_COUNT)
        return query_key_info(key)->level;
    if (made)
        return made->level;
    if (tag >> 16 == 0x0010 || is_in(tag, of_study, COUNT_OF(of_study)))
        return LEVEL_STUDY;
    if (is_in(tag, of_series, COUNT_OF(of_series)))
        return LEVEL_SERIES;
    return LEVEL_INSTANCE;
}

const struct search_computed *search_computed_of_tag(uint32_t tag)
{
    for (size_t i = 0; i < COUNT_OF(computed); i++)
        if (computed[i].tag == tag)
            return &computed[i];
    return NULL;
}

bool search_computed_tag(struct bytes keyword, uint32_t *ret)
{
    for (size_t i = 0; i < COUNT_OF(computed); i++)
        if (bytes_equal_text(keyword, computed[i].keyword)) {
            *ret = computed[i].tag;
            return true;
        }
    return false;
}

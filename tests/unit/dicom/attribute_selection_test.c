/* tests/unit/dicom/attribute_selection_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/attribute_selection.h"

#include <stdio.h>

#include "bridge/start.h"
#include "tests/support/expect.h"

static const char OBJECT[] =
    "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR "
    "192\"]},\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]},"
    "\"00090010\":{\"vr\":\"LO\",\"Value\":[\"ACME\"]},\"00091001\":{\"vr\":\"LO\",\"Value\":[\"a\"]},"
    "\"00091002\":{\"vr\":\"LO\",\"Value\":[\"b\"]},\"00100010\":{\"vr\":\"PN\"},"
    "\"00400275\":{\"vr\":\"SQ\",\"Value\":[{\"00400009\":{\"vr\":\"SH\",\"Value\":[\"A\"]}}]}}";

static void expect_chosen(const char *list, const char *want)
{
    struct attribute_selection selection;
    SCOPED(buffer) struct buffer got = { 0 };
    struct error err = { 0 };

    EXPECT(bridge_start(&err), "%s", err.detail);
    buffer_init(&got, 1 << 16);
    attribute_selection_begin(&selection);
    EXPECT(attribute_selection_add(&selection, bytes_of_text(list), &err), "%s: %s", list, err.detail);
    attribute_selection_write(&selection, bytes_of_text(OBJECT), &got);
    EXPECT(bytes_equal_text(buffer_bytes(&got), want), "%s gave %.*s", list, BYTES_ARG(buffer_bytes(&got)));
}

#define ALWAYS \
    "\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR " \
    "192\"]},\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]}"

TEST(attributes_are_chosen_by_keyword_or_tag_and_keep_their_order)
{
    expect_chosen("", "{" ALWAYS "}");
    expect_chosen("PatientName", "{" ALWAYS ",\"00100010\":{\"vr\":\"PN\"}}");
    expect_chosen("00100010", "{" ALWAYS ",\"00100010\":{\"vr\":\"PN\"}}");
    expect_chosen(" PatientName , 00080018,PatientName,,", "{" ALWAYS ",\"00100010\":{\"vr\":\"PN\"}}");
    expect_chosen("NoSuchKeyword,12345,patientname", "{" ALWAYS "}");
    expect_chosen("Rows", "{" ALWAYS "}");
    expect_chosen("PatientName,all", OBJECT);
}

TEST(of_a_path_the_whole_sequence_comes)
{
    static const char sequence[] =
        "{" ALWAYS
        ",\"00400275\":{\"vr\":\"SQ\",\"Value\":[{\"00400009\":{\"vr\":\"SH\",\"Value\":[\"A\"]}}]}}";

    expect_chosen("RequestAttributesSequence.ScheduledProcedureStepID", sequence);
    expect_chosen("00400275.00400009", sequence);
}

TEST(JSN_06_a_private_attribute_brings_its_creator)
{
    expect_chosen(
        "00091002",
        "{" ALWAYS
        ",\"00090010\":{\"vr\":\"LO\",\"Value\":[\"ACME\"]},\"00091002\":{\"vr\":\"LO\",\"Value\":[\"b\"]}}");
}

TEST(more_attributes_than_are_bearable_are_refused_in_words)
{
    struct attribute_selection selection;
    struct error err = { 0 };
    bool ok = true;

    EXPECT(bridge_start(&err), "%s", err.detail);
    attribute_selection_begin(&selection);
    for (unsigned i = 0; ok && i < 10000; i++) {
        char tag[9];
        snprintf(tag, sizeof tag, "%08X", 0x00100000 + i);
        ok = attribute_selection_add(&selection, bytes_of_text(tag), &err);
    }
    EXPECT(!ok && err.fault == FAULT_MALFORMED && strstr(err.told, "includefield"), "%s", err.told);
}

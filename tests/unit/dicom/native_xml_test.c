/* tests/unit/dicom/native_xml_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/native_xml.h"

#include <stdio.h>
#include <stdlib.h>

#include "bridge/start.h"
#include "tests/support/expect.h"

#define NAME(tag, vr, keyword) "<DicomAttribute tag=\"" tag "\" vr=\"" vr "\" keyword=\"" keyword "\""

static void expect_xml(const char *attributes, const char *xml)
{
    static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                               "<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\""
                               " xml:space=\"preserve\">";
    SCOPED(buffer) struct buffer json = { 0 }, want = { 0 }, got = { 0 };
    struct error err = { 0 };

    EXPECT(bridge_start(&err), "%s", err.detail);
    buffer_init(&json, 1 << 20);
    buffer_init(&want, 1 << 20);
    buffer_init(&got, 1 << 20);
    buffer_printf(&json, "{%s}", attributes);
    buffer_printf(&want, "%s%s</NativeDicomModel>\n", head, xml);
    EXPECT(native_xml_write(buffer_bytes(&json), &got, &err), "%s", err.detail);
    EXPECT(bytes_equal(buffer_bytes(&got), buffer_bytes(&want)), "%s\n    gave %.*s", attributes,
           BYTES_ARG(buffer_bytes(&got)));
}

TEST(XML_06_values_are_numbered_and_empty_ones_stay_in_their_place)
{
    expect_xml("\"00080008\":{\"vr\":\"CS\",\"Value\":[\"A\",null,\"B\"]}",
               NAME("00080008", "CS", "ImageType") "><Value number=\"1\">A</Value><Value number=\"2\"/>"
                                                   "<Value number=\"3\">B</Value></DicomAttribute>");
    expect_xml("\"00080008\":{\"vr\":\"CS\"}", NAME("00080008", "CS", "ImageType") "/>");
    expect_xml("", "");
}

TEST(XML_07_names_come_in_their_components)
{
    expect_xml(
        "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"Yamada^Tarou^^Dr.^Jr.\","
        "\"Ideographic\":\"\xe5\xb1\xb1\xe7\x94\xb0\"},null]}",
        NAME("00100010", "PN", "PatientName") "><PersonName number=\"1\"><Alphabetic>"
                                              "<FamilyName>Yamada</FamilyName><GivenName>Tarou</GivenName>"
                                              "<NamePrefix>Dr.</NamePrefix><NameSuffix>Jr.</NameSuffix>"
                                              "</Alphabetic><Ideographic><FamilyName>\xe5\xb1\xb1\xe7\x94\xb0"
                                              "</FamilyName></Ideographic></PersonName>"
                                              "<PersonName number=\"2\"/></DicomAttribute>");
}

TEST(XML_08_numbers_tags_and_items)
{
    expect_xml("\"00280010\":{\"vr\":\"US\",\"Value\":[512]}",
               NAME("00280010", "US", "Rows") "><Value number=\"1\">512</Value></DicomAttribute>");
    expect_xml("\"00280009\":{\"vr\":\"AT\",\"Value\":[\"00181063\"]}",
               NAME("00280009", "AT",
                    "FrameIncrementPointer") "><Value number=\"1\">00181063</Value></DicomAttribute>");
    expect_xml(
        "\"00081140\":{\"vr\":\"SQ\",\"Value\":[{\"00081155\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]}},{}]}",
        NAME("00081140", "SQ", "ReferencedImageSequence") "><Item number=\"1\">" NAME(
            "00081155", "UI",
            "ReferencedSOPInstanceUID") "><Value number=\"1\">1.2</Value></DicomAttribute>"
                                        "</Item><Item number=\"2\"></Item></DicomAttribute>");
}

TEST(XML_09_binary_values_are_inline_or_linked)
{
    expect_xml("\"00281201\":{\"vr\":\"OW\",\"InlineBinary\":\"AAEC\"}",
               NAME("00281201", "OW",
                    "RedPaletteColorLookupTableData") "><InlineBinary>AAEC</InlineBinary></DicomAttribute>");
    expect_xml("\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"\x01/studies/1\"}",
               NAME("7FE00010", "OW", "PixelData") "><BulkData uri=\"\x01/studies/1\"/></DicomAttribute>");
}

TEST(XML_04_private_attributes_carry_their_creators_name_and_no_block)
{
    expect_xml(
        "\"00090010\":{\"vr\":\"LO\",\"Value\":[\"ACME "
        "<1>\"]},\"00090011\":{\"vr\":\"LO\",\"Value\":[\"OTHER\"]},"
        "\"00091001\":{\"vr\":\"LO\",\"Value\":[\"a\"]},\"00091101\":{\"vr\":\"SH\",\"Value\":[\"b\"]}",
        "<DicomAttribute tag=\"00090001\" vr=\"LO\" privateCreator=\"ACME &lt;1&gt;\"><Value "
        "number=\"1\">a</Value>"
        "</DicomAttribute><DicomAttribute tag=\"00090001\" vr=\"SH\" privateCreator=\"OTHER\">"
        "<Value number=\"1\">b</Value></DicomAttribute>");
    /* The creator of an item is the item's own; one without stays as it is. */
    expect_xml("\"00090010\":{\"vr\":\"LO\",\"Value\":[\"ACME\"]},\"00091002\":{\"vr\":\"SQ\",\"Value\":[{"
               "\"00091001\":{\"vr\":\"UN\"}}]}",
               "<DicomAttribute tag=\"00090002\" vr=\"SQ\" privateCreator=\"ACME\"><Item number=\"1\">"
               "<DicomAttribute tag=\"00091001\" vr=\"UN\"/></Item></DicomAttribute>");
}

TEST(XML_11_what_xml_cannot_hold_is_replaced_and_what_it_uses_escaped)
{
    expect_xml(
        "\"00104000\":{\"vr\":\"LT\",\"Value\":[\"a<b>&c \\\"q\\\" "
        "\\u0000\\u001b\\u0001\\r\\n\\t\xef\xbf\xbf \xef\xbc\xa1\"]}",
        NAME("00104000", "LT",
             "PatientComments") "><Value number=\"1\">a&lt;b&gt;&amp;c &quot;q&quot; \xef\xbf\xbd\xef\xbf\xbd"
                                "\xef\xbf\xbd&#13;\n\t\xef\xbf\xbd \xef\xbc\xa1</Value></DicomAttribute>");
}

TEST(metadata_nested_too_deeply_are_refused_and_not_a_crash)
{
    SCOPED(buffer) struct buffer json = { 0 }, got = { 0 };
    struct error err = { 0 };

    EXPECT(bridge_start(&err), "%s", err.detail);
    buffer_init(&json, 1 << 24);
    buffer_init(&got, 1 << 24);
    for (int i = 0; i < 10000; i++)
        buffer_append_text(&json, "{\"00081140\":{\"vr\":\"SQ\",\"Value\":[");
    for (int i = 0; i < 10000; i++)
        buffer_append_text(&json, "]}}");
    EXPECT(!native_xml_write(buffer_bytes(&json), &got, &err) && err.fault == FAULT_INTERNAL, "fault %d",
           err.fault);
}

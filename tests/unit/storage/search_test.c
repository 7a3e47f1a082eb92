/* tests/unit/storage/search_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Searches, by the requirements of PS3.18 8.3.4 and 10.6: what is a parameter, what matches, what comes back,
 * in which order, and which indexes serve it.
 */
#include "storage/search.h"

#include <inttypes.h>

#include "storage/catalog_internal.h"
#include "storage/search_sql.h"
#include "tests/support/catalogued.h"

enum { PARAMETERS_MOST = 32 };

struct query {
    enum query_level level;
    const char *study, *series; /* from the path */
    bool unknown_does_not_match;
    uint32_t max_results;
    const char *text; /* name=value&name=value, nothing encoded but %26 for & */
};

/* The answer of a query, for looking into. */
struct answer {
    struct arena arena;
    struct search *search;
    struct error error;
    struct buffer json;
    uint64_t rows, remaining;
    bool ok;
};

static bool parse(const struct query *query, struct answer *answer)
{
    struct search_parameter parameters[PARAMETERS_MOST];
    struct bytes rest = bytes_of_text(query->text);
    size_t count = 0;

    *answer = (struct answer){ 0 };
    buffer_init(&answer->json, 1 << 20);
    while (rest.size && count < PARAMETERS_MOST) {
        struct bytes value = bytes_cut(&rest, '&');
        const struct bytes name = bytes_cut(&value, '=');
        parameters[count++] = (struct search_parameter){ name, value };
    }
    const struct search_options options = {
        .level = query->level,
        .relational = !query->study,
        .under = key_of(query->study ? query->study : "", query->series ? query->series : "", ""),
        .max_results = query->max_results ? query->max_results : 100,
        .unknown_matches = !query->unknown_does_not_match,
    };
    answer->ok = search_parse(&options, parameters, count, &answer->arena, &answer->search, &answer->error);
    return answer->ok;
}

static void ask(struct catalogued *house, const struct query *query, struct answer *answer)
{
    if (!parse(query, answer))
        return;
    answer->ok = catalog_search(house->catalog, answer->search, &answer->json, &answer->rows,
                                &answer->remaining, &answer->error);
    EXPECT(answer->ok, "%s: %s", query->text, answer->error.detail);
}

static void answer_done(struct answer *answer)
{
    buffer_done(&answer->json);
    arena_release(&answer->arena);
}

static bool holds(const struct answer *answer, const char *text)
{
    return memmem(answer->json.data, answer->json.size, text, strlen(text)) != NULL;
}

/* The rows' own UIDs in order, by their last part: "31" is 1.2.3 and then 1.2.1. */
static void order_of(const struct answer *answer, const char *tag, char *into, size_t size)
{
    char begins[64];
    const char *at = (const char *)answer->json.data, *end = at + answer->json.size;
    size_t count = 0;

    snprintf(begins, sizeof begins, "\"%s\":{\"vr\":\"UI\",\"Value\":[\"", tag);
    while (at && (at = memmem(at, (size_t)(end - at), begins, strlen(begins)))) {
        at += strlen(begins);
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (quote && count + 1 < size)
            into[count++] = quote[-1];
    }
    into[count] = 0;
}

static const char *tag_of_level(enum query_level level)
{
    return level == LEVEL_STUDY ? "0020000D" : level == LEVEL_SERIES ? "0020000E" : "00080018";
}

/* The UIDs found, as last digits; "!400" when refused. */
static void expect_found(struct catalogued *house, struct query query, const char *expected)
{
    struct answer answer;
    char found[128] = "!400";

    ask(house, &query, &answer);
    if (answer.ok)
        order_of(&answer, tag_of_level(query.level), found, sizeof found);
    else
        EXPECT(answer.error.fault == FAULT_MALFORMED && answer.error.told[0], "fault %d", answer.error.fault);
    EXPECT(strcmp(found, expected) == 0, "\"%s\" found %s, not %s", query.text, found, expected);
    answer_done(&answer);
}

/* Studies: 1 the newest ... */
static void fill(struct catalogued *house)
{
    catalogued_open(house);
    ADD(house, "1.2.1", "1.2.1.1", "1.2.1.1.1", { KEY_StudyDate, "20240301" }, { KEY_StudyTime, "101500" },
        { KEY_PatientName, "Smith^John^^Dr" }, { KEY_PatientID, "P1" }, { KEY_AccessionNumber, "A1" },
        { KEY_StudyDescription, "CT HEAD" }, { KEY_Modality, "CT" }, { KEY_SeriesNumber, "1" },
        { KEY_InstanceNumber, "1" }, { KEY_Rows, "512" });
    ADD(house, "1.2.1", "1.2.1.2", "1.2.1.2.1", { KEY_Modality, "PT" }, { KEY_SeriesNumber, "002 " },
        { KEY_InstanceNumber, "1" });
    ADD(house, "1.2.2", "1.2.2.1", "1.2.2.1.1", { KEY_StudyDate, "2024.02.01" }, { KEY_StudyTime, "03" },
        { KEY_PatientName, "M\xc3\xbcller^J\xc3\xb6rg" }, { KEY_PatientID, "P2" },
        { KEY_AccessionNumber, "A2" }, { KEY_StudyDescription, "MR KNEE" }, { KEY_Modality, "MR" },
        { KEY_SeriesNumber, "1" });
    ADD(house, "1.2.3", "1.2.3.1", "1.2.3.1.1", { KEY_StudyDate, "20240101" }, { KEY_StudyTime, "2359" },
        { KEY_PatientName, "Yamada^Tarou=\xe5\xb1\xb1\xe7\x94\xb0^\xe5\xa4\xaa\xe9\x83\x8e" },
        { KEY_PatientID, "P3" }, { KEY_AccessionNumber, "A3" }, { KEY_StudyDescription, "CT CHEST" },
        { KEY_Modality, "CT" }, { KEY_SeriesNumber, "1" });
    /* Nothing is known of this one. */
    ADD(house, "1.2.4", "1.2.4.1", "1.2.4.1.1", { KEY_Modality, "" });
}

#define STUDIES(text) ((struct query){ LEVEL_STUDY, NULL, NULL, true, 0, text })

TEST(SEA_32_studies_come_newest_first_and_those_without_a_date_last)
{
    struct catalogued house;

    fill(&house);
    expect_found(&house, STUDIES(""), "1234");
    expect_found(&house, STUDIES("limit=2"), "12");
    expect_found(&house, STUDIES("limit=2&offset=1"), "23");
    expect_found(&house, STUDIES("offset=4"), "");
    expect_found(&house, STUDIES("offset=99999999999999999999999"), "");
    expect_found(&house, STUDIES("limit=99999999999999999999999"), "1234");
    catalogued_close(&house);
}

TEST(SEA_06_11_16_what_is_malformed_is_told_by_its_name)
{
    static const char *const wrong[] = {
        "limit=ten",
        "limit=-1",
        "limit=",
        "limit=1&limit=2",
        "offset=x",
        "offset=1&offset=1",
        "StudyDate=2024-01-01",
        "StudyDate=20240102-20240101",
        "PatientID=1&00100020=2",
        "PatientID=1&PatientID=1",
        "PatientName=\xff",
        "StudyInstanceUID=1.2.*",
        "fuzzymatching=1",
        "emptyvaluematching=",
        "StudyTime=2200-0200",
        "RequestAttributesSequence.=1",
        "RequestAttributesSequence..00400009=1",
        "StudyInstanceUID=abc",
    };
    struct catalogued house;

    fill(&house);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        expect_found(&house, STUDIES(wrong[i]), "!400");
    expect_found(&house, (struct query){ LEVEL_SERIES, NULL, NULL, false, 0, "SeriesNumber=1*" }, "!400");
    catalogued_close(&house);
}

TEST(SEA_41_to_61_matching_at_study_level)
{
    static const struct {
        const char *text, *found;
    } cases[] = {
        { "PatientID=P1", "1" },
        { "00100020=P1", "1" },
        { "PatientID=p1", "" }, /* SEA-44: case counts but for names */
        { "PatientID=P*", "123" },
        { "PatientID=?2", "2" },
        { "PatientID=*", "1234" },
        { "PatientID=", "1234" }, /* SEA-17 */
        { "PatientID= P1 ", "1" },
        { "AccessionNumber=A1&PatientID=P2", "" }, /* SEA-13 */
        { "StudyDescription=*HEAD*", "1" },
        { "StudyDescription=*CT*", "13" },
        { "StudyDescription=CT HEAD", "1" },
        { "PatientName=SMITH*", "1" },
        { "PatientName=SMITH^JOHN", "" },
        { "PatientName=SMITH^JOHN*", "1" },
        { "PatientName=smith^john^^dr", "1" },
        { "PatientName=muller*", "2" },
        { "PatientName=M\xc3\x9cLLER^J\xc3\x96RG", "2" },
        { "PatientName=\xe5\xb1\xb1\xe7\x94\xb0*", "3" }, /* a group by itself */
        { "PatientName=\xe5\xb1\xb1?^*", "3" },
        { "PatientName=tarou", "" },
        { "PatientName=*a*a*a*", "3" },
        { "StudyInstanceUID=1.2.1,1.2.3", "13" },
        { "StudyInstanceUID=1.2.1\\1.2.3", "13" },
        { "StudyDate=20240201", "2" },
        { "StudyDate=20240101-20240201", "23" },
        { "StudyDate=20240201-", "12" },
        { "StudyDate=-20240201", "23" },
        { "StudyDate=20240101 - 20240131", "3" },
        { "StudyTime=-1000", "2" },
        { "StudyTime=1000-", "13" },
        { "StudyTime=1015", "1" },
        { "StudyTime=1000-1015", "1" },
        { "StudyDate=20240131-20240301&StudyTime=2300-1000", "2" }, /* SEA-51: a span of a month */
        { "StudyDate=20240101-20240301&StudyTime=2359-1015", "123" },
        { "StudyDate=20240101-20240301&StudyTime=0000-1000", "23" },
        { "StudyDate=20240101-&StudyTime=2359-1000", "123" }, /* no last day: no last time */
        { "StudyDate=20240201&StudyTime=0200-0400", "2" },
        { "StudyDate=20240201&StudyTime=2300-1000", "!400" },
        { "ModalitiesInStudy=CT", "13" },
        { "ModalitiesInStudy=C*", "13" },
        { "ModalitiesInStudy=CT,MR", "123" },
        { "ModalitiesInStudy=PT\\MR", "12" },
        { "SOPClassesInStudy=1.2.840.10008.5.1.4.1.1.2", "1234" },
        { "SOPClassesInStudy=1.2.840.10008.5.1.4.1.1.4", "" },
        { "Modality=MR", "1234" }, /* SEA-18: another level's */
        { "foo=bar&_=1&accept=x&charset=utf-8&Limit=1", "1234" },
        { "fuzzymatching=true&PatientName=Jon Smyth", "1" },
        { "fuzzymatching=true&PatientName=jo", "12" },
        { "fuzzymatching=false&PatientName=Jon Smyth", "" },
        { "fuzzymatching=true&PatientName=*a*a*a*", "3" },
        { "emptyvaluematching=true&AccessionNumber=\"\"", "4" },
        { "emptyvaluematching=true&PatientName=\"\"", "4" },
        { "emptyvaluematching=true&ModalitiesInStudy=\"\"", "4" },
        { "AccessionNumber=\"\"", "" },
        { "multiplevaluematching=true&ModalitiesInStudy=CT\\PT", "1" },
        { "multiplevaluematching=true&ModalitiesInStudy=CT,PT", "1" },
    };
    struct catalogued house;

    fill(&house);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_found(&house, STUDIES(cases[i].text), cases[i].found);
    catalogued_close(&house);
}

TEST(SEA_41_unknown_matches_any_value_when_it_is_so_set)
{
    static const struct {
        const char *text, *found;
    } cases[] = {
        { "PatientID=P1", "14" },
        { "PatientName=SMITH*", "14" },
        { "StudyDate=20240201", "24" },
        { "StudyDate=20240101-20240201", "234" },
        { "StudyDate=20240201-", "124" },
        { "StudyDate=-20240201", "234" },
        { "StudyDate=20240131-20240301&StudyTime=2300-1000", "24" },
        { "ModalitiesInStudy=MR", "24" },
        { "StudyInstanceUID=1.2.1", "1" },
    };
    struct catalogued house;

    fill(&house);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_found(&house, (struct query){ LEVEL_STUDY, NULL, NULL, false, 0, cases[i].text },
                     cases[i].found);
    catalogued_close(&house);
}

TEST(SEA_47_and_61_series_and_instances_match_below_their_path)
{
    struct catalogued house;

    fill(&house);
    expect_found(&house, (struct query){ LEVEL_SERIES, "1.2.1", NULL, true, 0, "" }, "12");
    expect_found(&house, (struct query){ LEVEL_SERIES, "1.2.1", NULL, true, 0, "SeriesNumber=+2" }, "2");
    expect_found(&house, (struct query){ LEVEL_SERIES, "1.2.1", NULL, true, 0, "SeriesNumber=0002" }, "2");
    expect_found(&house, (struct query){ LEVEL_SERIES, "1.2.1", NULL, true, 0, "Modality=PT,MR" }, "2");
    expect_found(&house, (struct query){ LEVEL_SERIES, "1.2.1", NULL, true, 0, "StudyInstanceUID=1.2.2" },
                 "");
    expect_found(&house, (struct query){ LEVEL_SERIES, "9.9", NULL, true, 0, "" }, "");
    expect_found(&house, (struct query){ LEVEL_SERIES, NULL, NULL, true, 0, "Modality=CT" }, "11");
    expect_found(&house,
                 (struct query){ LEVEL_SERIES, NULL, NULL, true, 0, "SeriesInstanceUID=1.2.1.2,1.2.3.1" },
                 "21");
    expect_found(&house, (struct query){ LEVEL_SERIES, NULL, NULL, true, 0, "PatientName=smith*" }, "12");
    expect_found(&house, (struct query){ LEVEL_INSTANCE, "1.2.1", NULL, true, 0, "" }, "11");
    expect_found(&house, (struct query){ LEVEL_INSTANCE, "1.2.1", "1.2.1.2", true, 0, "" }, "1");
    expect_found(&house, (struct query){ LEVEL_INSTANCE, NULL, NULL, true, 0, "SOPInstanceUID=1.2.3.1.1" },
                 "1");
    expect_found(&house, (struct query){ LEVEL_INSTANCE, NULL, NULL, true, 0, "PatientID=P3" }, "1");
    expect_found(&house, (struct query){ LEVEL_INSTANCE, NULL, NULL, true, 0, "Rows=512" }, "1");
    expect_found(&house, (struct query){ LEVEL_INSTANCE, "1.2.1", NULL, true, 0, "Modality=PT" }, "1");
    catalogued_close(&house);
}

TEST(SEA_70_a_study_row_has_its_table_in_ascending_order_and_only_the_vr_where_unknown)
{
    struct catalogued house;
    struct answer answer;

    fill(&house);
    ask(&house, &STUDIES("PatientID=P1&includefield=00081030,00080060&includefield=PatientAge"), &answer);
    EXPECT_TEXT(
        buffer_bytes(&answer.json),
        "{\"00080020\":{\"vr\":\"DA\",\"Value\":[\"20240301\"]},\"00080030\":{\"vr\":\"TM\",\"Value\":["
        "\"101500\"]},"
        "\"00080050\":{\"vr\":\"SH\",\"Value\":[\"A1\"]},\"00080056\":{\"vr\":\"CS\",\"Value\":[\"ONLINE\"]},"
        "\"00080061\":{\"vr\":\"CS\",\"Value\":[\"CT\",\"PT\"]},\"00080090\":{\"vr\":\"PN\"},"
        "\"00081030\":{\"vr\":\"LO\",\"Value\":[\"CT HEAD\"]},"
        "\"00081190\":{\"vr\":\"UR\",\"Value\":[\"\x01/studies/1.2.1\"]},"
        "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"Smith^John^^Dr\"}]},"
        "\"00100020\":{\"vr\":\"LO\",\"Value\":[\"P1\"]},\"00100030\":{\"vr\":\"DA\"},\"00100040\":{\"vr\":"
        "\"CS\"},"
        "\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2.1\"]},\"00200010\":{\"vr\":\"SH\"},"
        "\"00201206\":{\"vr\":\"IS\",\"Value\":[2]},\"00201208\":{\"vr\":\"IS\",\"Value\":[2]}}");
    EXPECT(!search_warning(answer.search, 0), "warned: %s", search_warning(answer.search, 0));
    answer_done(&answer);
    catalogued_close(&house);
}

TEST(SEA_79_text_beyond_ascii_is_said_to_be_UTF8)
{
    struct catalogued house;
    struct answer answer;

    fill(&house);
    ask(&house, &STUDIES("PatientID=P2"), &answer);
    EXPECT(bytes_starts_with(
               buffer_bytes(&answer.json),
               bytes_of_text("{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},\"00080020\"")),
           "%.60s", answer.json.data);
    answer_done(&answer);
    catalogued_close(&house);
}

TEST(SEA_77_and_78_rows_carry_the_tables_and_names_above_them)
{
    static const struct {
        struct query query;
        const char *has, *has_not;
    } cases[] = {
        { { LEVEL_SERIES, NULL, NULL, true, 0, "Modality=CT&limit=1" },
          "00100010 00201206 0020000E 00201209",
          "00080018" },
        { { LEVEL_SERIES, "1.2.1", NULL, true, 0, "limit=1" },
          "0020000D 0020000E 00080060 00201209",
          "00100010 00201206" },
        { { LEVEL_INSTANCE, "1.2.1", NULL, true, 0, "limit=1" },
          "0020000D 0020000E 00080018 00080060 00200011 00083002 00280010",
          "00100010" },
        { { LEVEL_INSTANCE, "1.2.1", "1.2.1.1", true, 0, "limit=1" },
          "0020000D 0020000E 00080018 00080016",
          "00100010 00080060" },
        { { LEVEL_INSTANCE, NULL, NULL, true, 0, "limit=1" }, "00100010 00080060 00080018 00080061", "" },
        { { LEVEL_INSTANCE, "1.2.1", "1.2.1.1", true, 0, "includefield=PatientName" },
          "00100010",
          "00080060" },
    };
    struct catalogued house;

    fill(&house);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer answer;
        ask(&house, &cases[i].query, &answer);
        char tag[12] = "\"";
        for (struct bytes rest = bytes_of_text(cases[i].has); rest.size;) {
            const struct bytes one = bytes_cut(&rest, ' ');
            snprintf(tag, sizeof tag, "\"%.*s\"", BYTES_ARG(one));
            EXPECT(holds(&answer, tag), "case %zu lacks %s: %.*s", i, tag,
                   BYTES_ARG(buffer_bytes(&answer.json)));
        }
        for (struct bytes rest = bytes_of_text(cases[i].has_not); rest.size;) {
            const struct bytes one = bytes_cut(&rest, ' ');
            snprintf(tag, sizeof tag, "\"%.*s\"", BYTES_ARG(one));
            EXPECT(!holds(&answer, tag), "case %zu has %s", i, tag);
        }
        answer_done(&answer);
    }
    catalogued_close(&house);
}

TEST(SEA_18_what_cannot_be_matched_is_named_in_a_warning)
{
    static const struct {
        const char *text, *warning;
    } cases[] = {
        { "Modality=CT", "The attribute Modality cannot be matched by this resource and has been ignored." },
        { "00201208=3", "The attribute NumberOfStudyRelatedInstances cannot be matched by this resource and "
                        "has been ignored." },
        { "TimezoneOffsetFromUTC=+0100",
          "The attribute TimezoneOffsetFromUTC cannot be matched by this resource and has been ignored." },
        { "foo=1&bar=2", "A parameter is not known and has been ignored." },
        { "fuzzymatching=false&Modality=&includefield=nothing", NULL },
        { "_=123&accept=a/b&charset=utf-8", NULL },
        { "fuzzymatching=true&emptyvaluematching=true&multiplevaluematching=true", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer answer;
        EXPECT(parse(&STUDIES(cases[i].text), &answer), "%s: %s", cases[i].text, answer.error.detail);
        const char *warning = answer.ok ? search_warning(answer.search, 0) : NULL;
        if (cases[i].warning)
            EXPECT(warning && strcmp(warning, cases[i].warning) == 0, "%s: %s", cases[i].text, warning);
        else
            EXPECT(!warning, "%s: %s", cases[i].text, warning);
        EXPECT(!answer.ok || !search_warning(answer.search, 1), "%s: two", cases[i].text);
        answer_done(&answer);
    }
}

TEST(SEA_21_23_76_other_attributes_come_out_of_the_stored_metadata_at_their_level)
{
    static const char json[] = "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
                               "\"00080020\":{\"vr\":\"DA\",\"Value\":[\"from metadata\"]},"
                               "\"00081090\":{\"vr\":\"LO\",\"Value\":[\"M\\\"{}[]\"]},"
                               "\"00101030\":{\"vr\":\"DS\",\"Value\":[70]},"
                               "\"00180050\":{\"vr\":\"DS\",\"Value\":[1.5]},"
                               "\"00290010\":{\"vr\":\"LO\",\"Value\":[\"OTHER\"]},"
                               "\"00290011\":{\"vr\":\"LO\",\"Value\":[\"ACME\"]},"
                               "\"00291001\":{\"vr\":\"LO\",\"Value\":[\"not this\"]},"
                               "\"00291101\":{\"vr\":\"LO\",\"Value\":[\"secret\"]},"
                               "\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"x\"}}";
    static const struct {
        struct query query;
        const char *has, *has_not;
    } cases[] = {
        { { LEVEL_STUDY, NULL, NULL, true, 0, "includefield=00101030,00081090,00180050" },
          "00101030",
          "00081090 00180050" },
        { { LEVEL_STUDY, NULL, NULL, true, 0, "includefield=all" },
          "00101030 00081030",
          "00081090 00180050 from 7FE00010" },
        { { LEVEL_SERIES, NULL, NULL, true, 0, "includefield=00101030,00081090,00180050" },
          "00101030 00081090",
          "00180050" },
        { { LEVEL_INSTANCE, NULL, NULL, true, 0, "includefield=00180050" }, "00180050", "00081090 00101030" },
        { { LEVEL_INSTANCE, NULL, NULL, true, 0, "includefield=all,PatientID" },
          "00180050 00081090 00101030 7FE00010 00291101",
          "from" },
        { { LEVEL_INSTANCE, NULL, NULL, true, 0, "includefield=00291001" },
          "00080018",
          "00291001 00291101 00290011" },
        { { LEVEL_INSTANCE, NULL, NULL, true, 0, "includefield=00291001&00290010=ACME" },
          "00290011 00291101",
          "00291001 00290010" },
        { { LEVEL_INSTANCE, NULL, NULL, true, 0, "00101030=" }, "00101030", "" },
    };
    struct catalogued house;

    catalogued_open(&house);
    ADD_JSON(&house, "1.2", "1.2.1", "1.2.1.1", json, { KEY_StudyDate, "20240101" },
             { KEY_StudyDescription, "D" }, { KEY_InstanceNumber, "1" });
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer answer;
        ask(&house, &cases[i].query, &answer);
        char text[16];
        for (struct bytes rest = bytes_of_text(cases[i].has); rest.size;) {
            const struct bytes one = bytes_cut(&rest, ' ');
            snprintf(text, sizeof text, "%.*s", BYTES_ARG(one));
            EXPECT(holds(&answer, text), "case %zu lacks %s: %.*s", i, text,
                   BYTES_ARG(buffer_bytes(&answer.json)));
        }
        for (struct bytes rest = bytes_of_text(cases[i].has_not); rest.size;) {
            const struct bytes one = bytes_cut(&rest, ' ');
            snprintf(text, sizeof text, "%.*s", BYTES_ARG(one));
            EXPECT(!holds(&answer, text), "case %zu has %s", i, text);
        }
        answer_done(&answer);
    }
    catalogued_close(&house);
}

TEST(SEA_54_and_55_one_item_of_the_request_attributes_satisfies_all_keys)
{
    static const char json[] =
        "{\"00400275\":{\"vr\":\"SQ\",\"Value\":["
        "{\"00400009\":{\"vr\":\"SH\",\"Value\":[\"A\"]},\"00401001\":{\"vr\":\"SH\",\"Value\":[\"C\"]}},"
        "{\"00400009\":{\"vr\":\"SH\",\"Value\":[\"D\\u00e9\"]},\"00401001\":{\"vr\":\"SH\",\"Value\":[\"B\"]"
        "}}]}}";
    static const struct {
        const char *text, *found;
    } cases[] = {
        { "RequestAttributesSequence.ScheduledProcedureStepID=A", "1" },
        { "00400275.00400009=A", "1" },
        { "00400275.RequestedProcedureID=B", "1" },
        { "00400275.00400009=A&00400275.00401001=B", "" },
        { "00400275.00400009=A&00400275.00401001=C", "1" },
        { "00400275.00400009=D\xc3\xa9", "1" },
        { "00400275.00400009=X*", "" },
        { "00400275.00400009=A&RequestAttributesSequence.00400009=A", "!400" },
    };
    struct catalogued house;
    struct answer answer;

    catalogued_open(&house);
    ADD_JSON(&house, "1.2", "1.2.1", "1.2.1.1", json, { KEY_InstanceNumber, "1" });
    ADD_JSON(&house, "1.3", "1.3.2", "1.3.2.1", "{}", { KEY_InstanceNumber, "1" });
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_found(&house, (struct query){ LEVEL_SERIES, NULL, NULL, true, 0, cases[i].text },
                     cases[i].found);
    ask(&house, &(struct query){ LEVEL_SERIES, "1.2", NULL, true, 0, "00400275.00400009=A" }, &answer);
    EXPECT(holds(&answer, "[\"C\"]") && !holds(&answer, "[\"B\"]"), "%.*s",
           BYTES_ARG(buffer_bytes(&answer.json)));
    answer_done(&answer);
    catalogued_close(&house);
}

static void fill_many(struct catalogued *house, int studies)
{
    catalogued_open(house);
    for (int i = 0; i < studies; i++) {
        char study[32], series[40], instance[48], date[16], name[32];
        snprintf(study, sizeof study, "1.2.%d", i);
        snprintf(series, sizeof series, "1.2.%d.1", i);
        snprintf(instance, sizeof instance, "1.2.%d.1.1", i);
        snprintf(date, sizeof date, "202401%02d", i % 3 + 1); /* many share a date: the UID decides */
        snprintf(name, sizeof name, "Name%d^First", i);
        ADD(house, study, series, instance, { KEY_StudyDate, date }, { KEY_PatientName, name },
            { KEY_Modality, "CT" });
    }
}

TEST(SEA_31_paging_covers_every_match_exactly_once)
{
    enum { STUDIES_STORED = 60, PAGE = 7 };
    struct catalogued house;
    bool seen[STUDIES_STORED] = { 0 };
    unsigned total = 0;

    fill_many(&house, STUDIES_STORED);
    for (int offset = 0; offset < STUDIES_STORED; offset += PAGE) {
        struct answer answer;
        char text[64];
        snprintf(text, sizeof text, "PatientName=name*&limit=%d&offset=%d", PAGE, offset);
        ask(&house, &STUDIES(text), &answer);
        total += (unsigned)answer.rows;
        for (int i = 0; i < STUDIES_STORED; i++) {
            char url[40];
            snprintf(url, sizeof url, "/studies/1.2.%d\"", i);
            if (holds(&answer, url)) {
                EXPECT(!seen[i], "study %d twice", i);
                seen[i] = true;
            }
        }
        const int left = STUDIES_STORED - offset - (int)answer.rows;
        EXPECT(answer.remaining == (uint64_t)left, "offset %d: %" PRIu64 " remain, not %d", offset,
               answer.remaining, left);
        answer_done(&answer);
    }
    EXPECT(total == STUDIES_STORED, "%u rows in all", total);
    catalogued_close(&house);
}

TEST(SEA_30_35_36_limits_and_what_remains)
{
    struct catalogued house;
    struct answer answer;

    fill_many(&house, 10);
    ask(&house, &STUDIES("limit=0"), &answer);
    EXPECT(answer.rows == 0 && answer.remaining == 10 && answer.json.size == 0, "%d, %d remain",
           (int)answer.rows, (int)answer.remaining);
    answer_done(&answer);
    ask(&house, &(struct query){ LEVEL_STUDY, NULL, NULL, true, 4, "limit=1000000" }, &answer);
    EXPECT(answer.rows == 4 && answer.remaining == 6 && search_limit(answer.search) == 4, "%d rows",
           (int)answer.rows);
    answer_done(&answer);
    ask(&house, &STUDIES("limit=3&offset=9"), &answer);
    EXPECT(answer.rows == 1 && answer.remaining == 0 && search_offset(answer.search) == 9, "%d rows",
           (int)answer.rows);
    answer_done(&answer);
    catalogued_close(&house);
}

TEST(an_answer_larger_than_its_buffer_is_refused)
{
    struct catalogued house;
    struct answer answer;
    struct buffer small;

    fill_many(&house, 10);
    EXPECT(parse(&STUDIES(""), &answer), "%s", answer.error.detail);
    buffer_init(&small, 1000);
    EXPECT(!catalog_search(house.catalog, answer.search, &small, &answer.rows, &answer.remaining,
                           &answer.error) &&
               answer.error.fault == FAULT_TOO_LARGE,
           "fault %d", answer.error.fault);
    buffer_done(&small);
    answer_done(&answer);
    catalogued_close(&house);
}

/* The plan of a query: no table is walked but by an index, and nothing is sorted where `sorts` says so. */
static void expect_plan(struct catalogued *house, struct query query, enum search_sql_kind kind,
                        const char *must, bool sorts)
{
    SCOPED(reader) struct reader reader = { 0 };
    struct answer answer;
    const struct search_sql *sql;
    bool found = false;

    if (!EXPECT(parse(&query, &answer), "%s: %s", query.text, answer.error.detail))
        return;
    if (EXPECT(search_sql_make(answer.search, kind, 25, 0, &answer.arena, &sql, &answer.error) &&
                   reader_take(house->catalog, &reader, &answer.error),
               "%s", answer.error.detail)) {
        SCOPED(statement) sqlite3_stmt *statement = NULL;
        bool row = true;
        const char *explain = arena_printf(&answer.arena, "EXPLAIN QUERY PLAN %s", search_sql_text(sql));
        EXPECT(connection_prepare(reader.connection, explain, &statement, &answer.error), "%s",
               answer.error.detail);
        while (statement && statement_step(reader.connection, statement, &row, &answer.error) && row) {
            const char *step = arena_text(&answer.arena, statement_text(statement, 3));
            EXPECT(strncmp(step, "SCAN ", 5) != 0 || strstr(step, "INDEX") || strstr(step, "subquery") ||
                       strstr(step, "SCAN (") || strstr(step, "CONSTANT"),
                   "\"%s\": %s", query.text, step);
            EXPECT(sorts || !strstr(step, "ORDER BY"), "\"%s\": %s", query.text, step);
            found |= strstr(step, must) != NULL;
        }
    }
    EXPECT(found, "\"%s\" does not use %s", query.text, must);
    answer_done(&answer);
}

TEST(searches_use_their_indexes)
{
    static const struct {
        struct query query;
        const char *must;
        bool sorts;
    } cases[] = {
        { { LEVEL_STUDY, NULL, NULL, false, 0, "" }, "COVERING INDEX study_find", false },
        { { LEVEL_STUDY, NULL, NULL, false, 0,
            "PatientName=*x*&PatientID=*1*&AccessionNumber=*2*&StudyDescription=*d*"
            "&ModalitiesInStudy=CT,MR&StudyDate=20240101-20241231" },
          "COVERING INDEX study_find",
          false },
        { { LEVEL_STUDY, NULL, NULL, true, 0, "StudyDate=20240101-20241231" },
          "SEARCH s USING COVERING INDEX study_find",
          false },
        { { LEVEL_STUDY, NULL, NULL, true, 0, "StudyDate=20240101-20241231&StudyTime=10-11" },
          "SEARCH s USING COVERING INDEX study_find",
          false },
        { { LEVEL_STUDY, NULL, NULL, true, 0, "PatientID=P1" }, "study_patient", true },
        { { LEVEL_STUDY, NULL, NULL, false, 0, "PatientID=P1" }, "study_patient", true },
        { { LEVEL_STUDY, NULL, NULL, false, 0, "AccessionNumber=1" }, "study_accession", true },
        { { LEVEL_STUDY, NULL, NULL, false, 0, "StudyInstanceUID=1.2,1.3" }, "study_uid", true },
        { { LEVEL_SERIES, "1.2", NULL, false, 0, "" }, "series_order", false },
        { { LEVEL_SERIES, NULL, NULL, false, 0, "" }, "series_order", false },
        { { LEVEL_SERIES, NULL, NULL, false, 0, "Modality=CT" }, "series_order", false },
        { { LEVEL_SERIES, NULL, NULL, false, 0, "SeriesInstanceUID=1.2" }, "series_uid", true },
        { { LEVEL_INSTANCE, "1.2", "1.2.1", false, 0, "" }, "instance_order", false },
        { { LEVEL_INSTANCE, "1.2", NULL, false, 0, "" }, "instance_order", false },
        { { LEVEL_INSTANCE, NULL, NULL, false, 0, "" }, "instance_order", false },
        { { LEVEL_INSTANCE, NULL, NULL, false, 0, "SOPInstanceUID=1.2" }, "instance_uid", true },
        { { LEVEL_INSTANCE, NULL, NULL, false, 0, "SeriesInstanceUID=1.2" }, "series_uid", true },
        { { LEVEL_INSTANCE, NULL, NULL, false, 0, "PatientName=*x*" }, "instance_order", false },
    };
    struct catalogued house;

    catalogued_open(&house);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        expect_plan(&house, cases[i].query, SEARCH_SQL_IDS, cases[i].must, cases[i].sorts);
        expect_plan(&house, cases[i].query, SEARCH_SQL_COUNT, "", true);
    }
    catalogued_close(&house);
}

TEST(SEA_44_a_pattern_of_sixty_stars_is_answered)
{
    struct catalogued house;
    char text[200] = "PatientName=";

    fill(&house);
    for (int i = 0; i < 60; i++)
        strcat(text, "*a");
    expect_found(&house, STUDIES(text), "");
    catalogued_close(&house);
}

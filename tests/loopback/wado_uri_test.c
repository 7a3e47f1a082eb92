/* tests/loopback/wado_uri_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * WADO-URI without what is drawn, through the whole house without a socket.
 */
#include "tests/loopback/sample.h"

#define UIDS "&studyUID=1.2.3.1&seriesUID=1.2.3.1.1&objectUID=1.2.3.1.1.1"
#define WADO "/wado?requestType=WADO" UIDS

static struct loopback *house_with(const struct make_dicom *what, struct buffer *ret_file)
{
    struct loopback *house = loopback_open(NULL);

    *ret_file = sample(what);
    const struct bytes file = buffer_bytes(ret_file);
    EXPECT(loopback_store(house, &file, 1) == 200, "the sample was not stored");
    return house;
}

TEST(URI_03_and_13_an_instance_comes_as_a_dicom_file)
{
    static const char *const targets[] = {
        WADO "&contentType=application/dicom",
        WADO "&contentType=application%2Fdicom",
        WADO "&contentType=application/dicom&transferSyntax=*",
        WADO "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.1&frame=1",
        WADO "&contentType=image/tiff,%20application/dicom;q=0.5&charset=utf-8",
        "/dicom-web" WADO "&contentType=application/dicom",
    };
    struct buffer file;
    struct loopback *house = house_with(&(struct make_dicom){ .frames = 2 }, &file);

    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        const struct loopback_answer *answer = get(house, targets[i], "accept: */*\n");
        EXPECT(answer->status == 200 && bytes_equal(answer->body, buffer_bytes(&file)), "%s: %d", targets[i],
               answer->status);
        EXPECT_TEXT(loopback_header(house, "content-type"),
                    "application/dicom; transfer-syntax=1.2.840.10008.1.2.1");
        EXPECT_TEXT(loopback_header(house, "content-location"), "https://localhost" INSTANCE);
    }
    const struct loopback_answer *answer = get(house, targets[0], "range: bytes=0-131\n");
    EXPECT(answer->status == 206 && answer->body.size == 132, "URI-14: %d", answer->status);
    EXPECT(get(house, WADO, "accept: application/dicom\n")->status == 200, "by the header alone");
    buffer_done(&file);
    loopback_close(house);
}

TEST(URI_01_04_05_07_11_12_15_what_does_not_fit_is_refused)
{
    static const struct {
        const char *target;
        int status;
    } cases[] = {
        { "/wado", 400 },
        { "/wado?requestType=X" UIDS, 400 },
        { "/wado?requestType=WADO&studyUID=1.2.3.1&seriesUID=1.2.3.1.1", 400 },
        { "/wado?requestType=WADO&studyUID=1.2.3.1&seriesUID=1.2.3.1.1&objectUID=x", 400 },
        { "/wado?requestType=WADO&studyUID=1.2.3.1&seriesUID=1.2.3.1.1&objectUID=1.2.9", 404 },
        { "/wado?requestType=WADO&studyUID=1.2.3.9&seriesUID=1.2.3.1.1&objectUID=1.2.3.1.1.1", 404 },
        { "/wado?requesttype=WADO" UIDS, 400 },
        { WADO "&contentType=application/dicom;transfer-syntax=1.2.840.10008.1.2.1", 400 },
        { WADO "&contentType=application/dicom;charset=utf-8", 400 },
        { WADO "&contentType=nonsense", 400 },
        { WADO "&contentType=application/dicom&transferSyntax=x", 400 },
        { WADO "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.1,1.2.840.10008.1.2.5", 400 },
        { WADO "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.4.100", 406 },
        { WADO "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2", 406 },
        { WADO "&contentType=application/dicom&windowCenter=1&windowWidth=2", 400 },
        { WADO "&contentType=application/dicom&anonymize=yes", 501 },
        { WADO "&contentType=application/dicom&anonymize=no", 400 },
        { WADO "&contentType=application/dicom%2Bjson", 406 },
        { WADO "&contentType=image/tiff,image/xyz", 406 },
    };
    struct buffer file;
    struct loopback *house = house_with(&(struct make_dicom){ 0 }, &file);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct loopback_answer *answer = get(house, cases[i].target, NULL);
        EXPECT(answer->status == cases[i].status, "%s: %d", cases[i].target, answer->status);
        EXPECT(!has(answer->body, "Doe"), "%s: somebody's name", cases[i].target);
    }
    buffer_done(&file);
    loopback_close(house);
}

TEST(GEN_08_nothing_implicit_leaves_by_this_door_either)
{
    struct buffer file;
    struct loopback *house =
        house_with(&(struct make_dicom){ .transfer_syntax = "1.2.840.10008.1.2" }, &file);
    const struct loopback_answer *answer =
        get(house, WADO "&contentType=application/dicom&transferSyntax=*", NULL);

    EXPECT(answer->status == 200 && has(answer->body, "1.2.840.10008.1.2.1"), "%d", answer->status);
    EXPECT_TEXT(loopback_header(house, "content-type"),
                "application/dicom; transfer-syntax=1.2.840.10008.1.2.1");
    buffer_done(&file);
    loopback_close(house);
}

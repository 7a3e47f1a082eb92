/* tests/loopback/errors_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Requests that cannot be met: each with its status and a reason, and never with more than that.
 */
#include "tests/loopback/sample.h"

TEST(every_refusal_has_its_status_and_a_reason)
{
    static const struct {
        const char *method, *target, *headers;
        int status;
    } cases[] = {
        { "GET", "/dicom-web/nothing", NULL, 404 },
        { "GET", "/", NULL, 404 },
        { "GET", "/dicom-web/studies/1.2.3", NULL, 404 },
        { "GET", "/dicom-web/studies/1.2.3/", NULL, 404 },
        { "GET", "/dicom-web/studies/%2e%2e/x", NULL, 400 },
        { "GET", "/dicom-web/studies/..", NULL, 400 },
        { "GET", "/dicom-web/studies/1%2F2", NULL, 400 },
        { "GET", "/dicom-web/studies/1.2%zz", NULL, 400 },
        { "GET", "/dicom-web/studies/1.2\\3", NULL, 400 },
        { "GET", "/dicom-web/studies?x=%zz", NULL, 400 },
        { "DELETE", "/dicom-web/studies", NULL, 405 },
        { "PUT", "/dicom-web/studies", NULL, 405 },
        { "POST", "/dicom-web/series", NULL, 405 },
        { "POST", "/healthz", NULL, 405 },
        { "get", "/dicom-web/studies", NULL, 501 },
        { "TRACE", "/dicom-web/studies", NULL, 501 },
        { "GET", "/dicom-web/studies", "accept: text/csv\n", 406 },
        { "GET", "/dicom-web/studies?accept=*/*", NULL, 400 },
        { "GET", "/dicom-web/studies", "expect: more\n", 417 },
    };
    struct loopback *house = loopback_open(NULL);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct loopback_answer *answer =
            loopback_call(house, cases[i].method, cases[i].target, cases[i].headers, NOTHING, 0);

        EXPECT(answer->status == cases[i].status, "%s %s: %d, want %d", cases[i].method, cases[i].target,
               answer->status, cases[i].status);
        EXPECT(answer->body.size > 20, "ERR-01: %s %s: no reason", cases[i].method, cases[i].target);
        EXPECT(!has(answer->body, loopback_folder(house)) && !has(answer->body, ".c:"), "ERR-04: %.*s",
               BYTES_ARG(answer->body));
        EXPECT(loopback_header(house, "access-control-allow-origin").data || !cases[i].headers, "%s",
               "COR-02");
        if (answer->status == 405)
            EXPECT(has(loopback_header(house, "allow"), "OPTIONS"), "ERR-06: %s %s", cases[i].method,
                   cases[i].target);
    }
    loopback_close(house);
}

TEST(ERR_02_an_error_is_a_problem_document_or_plain_text)
{
    struct loopback *house = loopback_open(NULL);

    const struct loopback_answer *answer =
        get(house, "/dicom-web/studies/x", "accept: application/dicom+json\n");
    EXPECT(answer->status == 400 && has(answer->body, "\"status\":400"), "%.*s", BYTES_ARG(answer->body));
    EXPECT_TEXT(loopback_header(house, "content-type"), "application/problem+json");
    get(house, "/dicom-web/studies/x", "accept: text/html\n");
    EXPECT(bytes_starts_with(loopback_header(house, "content-type"), bytes_of_text("text/")), "%.*s",
           BYTES_ARG(loopback_header(house, "content-type")));
    loopback_close(house);
}

TEST(health_is_told_at_the_root)
{
    struct loopback *house = loopback_open(NULL);

    EXPECT(get(house, "/healthz", NULL)->status == 200, "alive");
    EXPECT(get(house, "/readyz", NULL)->status == 200, "ready");
    EXPECT(get(house, "/dicom-web/healthz", NULL)->status == 404, "HTP-17: below the base path");
    loopback_close(house);
}

TEST(CAP_01_options_describe_what_is_offered)
{
    struct loopback *house = loopback_open(NULL);

    const struct loopback_answer *answer =
        loopback_call(house, "OPTIONS", "/dicom-web/", "accept: application/vnd.sun.wadl+xml\n", NOTHING, 0);
    EXPECT(answer->status == 200 && has(answer->body, "<resources base=\"https://localhost/dicom-web\">") &&
               has(answer->body, "<resource path=\"studies\">") &&
               has(answer->body, "<resource path=\"{study}\">") &&
               has(answer->body,
                   "<representation mediaType=\"multipart/related; type=&quot;application/dicom&quot;\"/>"),
           "%d %.*s", answer->status, BYTES_ARG(answer->body));
    answer = loopback_call(house, "OPTIONS", "/dicom-web/", "accept: application/json\n", NOTHING, 0);
    EXPECT(answer->status == 200 && has(answer->body, "\"@path\":\"{study}\""), "%d %.*s", answer->status,
           BYTES_ARG(answer->body));
    EXPECT(get(house, "/dicom-web/", "accept: text/html, */*;q=0.8\n")->status == 200, "CAP-07");
    answer = loopback_call(house, "OPTIONS", "/dicom-web/studies", NULL, NOTHING, 0);
    EXPECT(answer->status == 200 && has(loopback_header(house, "allow"), "POST"), "%d %.*s", answer->status,
           BYTES_ARG(answer->head));
    loopback_close(house);
}

TEST(CAP_03_options_of_a_resource_describe_it_and_what_lies_below)
{
    struct loopback *house = loopback_open(NULL);
    const struct loopback_answer *answer =
        loopback_call(house, "OPTIONS", INSTANCE "/frames/1", "accept: application/json\n", NOTHING, 0);

    EXPECT(has(answer->body,
               "\"@path\":\"studies/{study}/series/{series}/instances/{instance}/frames/{list}\"") &&
               has(answer->body, "\"@path\":\"pixeldata\"") && !has(answer->body, "\"@path\":\"metadata\""),
           "%.*s", BYTES_ARG(answer->body));
    char headers[200];
    snprintf(headers, sizeof(headers), "accept: application/json\nif-none-match: %.*s\n",
             BYTES_ARG(loopback_header(house, "etag")));
    answer = loopback_call(house, "OPTIONS", INSTANCE "/frames/1", headers, NOTHING, 0);
    EXPECT(answer->status == 304 && answer->body.size == 0, "CAP-05: %d", answer->status);
    loopback_close(house);
}

TEST(COR_03_a_preflight_is_answered_on_any_path)
{
    struct loopback *house = loopback_open(NULL);
    const struct loopback_answer *answer =
        loopback_call(house, "OPTIONS", INSTANCE "/frames/1",
                      "origin: https://viewer.example\naccess-control-request-method: GET\n"
                      "access-control-request-headers: accept\n",
                      NOTHING, 0);

    EXPECT(answer->status == 204 && answer->body.size == 0, "%d", answer->status);
    EXPECT(loopback_header(house, "access-control-allow-methods").data, "%.*s", BYTES_ARG(answer->head));
    loopback_close(house);
}

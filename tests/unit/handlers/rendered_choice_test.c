/* tests/unit/handlers/rendered_choice_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which rendered media type is sent, by the headers that clients were seen to send.
 */
#include "handlers/rendered_choice.h"

#include <stdlib.h>

#include "tests/support/expect.h"

static const char IMG[] = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
static const char OHIF[] = "multipart/related; type=\"application/octet-stream\"";

/* "alone image/jpeg", or "406", "400". */
static const char *chosen(struct arena *arena, const char *header, const char *parameter,
                          enum rendered_extent extent, bool can_animate)
{
    static const char *const forms[] = { "alone", "parts", "animated", "representative" };
    struct request request = { .arena = arena };
    struct rendered_choice choice = { 0 };
    struct accept accept;
    struct error err = { 0 };

    if (header)
        fields_add(&request.headers, arena, bytes_of_text("accept"), bytes_of_text(header));
    if (parameter) {
        request.query_text = bytes_of_text(arena_printf(arena, "accept=%s", parameter));
        fields_add(&request.query, arena, bytes_of_text("accept"), bytes_of_text(parameter));
    }
    if (!rendered_accept_read(&request, &accept, &err) ||
        !rendered_choose(&request, &accept, extent, can_animate, &choice, &err))
        return arena_printf(arena, "%d", fault_info(err.fault)->http_status);
    return arena_printf(arena, "%s %s", forms[choice.form], picture_format_info(choice.format)->media_type);
}

TEST(REN_05_06_07_what_is_sent_for_what_is_asked)
{
    static const struct {
        const char *header, *parameter;
        enum rendered_extent extent;
        const char *want;
    } cases[] = {
        { NULL, NULL, EXTENT_ONE_FRAME, "alone image/jpeg" },
        { "*/*", NULL, EXTENT_ONE_FRAME, "alone image/jpeg" },
        { "image/png", NULL, EXTENT_ONE_FRAME, "alone image/png" },
        { "image/png;q=0.5, image/gif", NULL, EXTENT_ONE_FRAME, "alone image/gif" },
        { "multipart/related; type=\"image/png\"", NULL, EXTENT_ONE_FRAME, "parts image/png" },
        { "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", NULL, EXTENT_ONE_FRAME, "406" },
        { "application/dicom", NULL, EXTENT_ONE_FRAME, "406" },
        { IMG, NULL, EXTENT_ONE_FRAME, "alone image/jpeg" },
        { OHIF, "image/jpeg", EXTENT_ONE_FRAME, "alone image/jpeg" },
        { OHIF, "image%2Fpng", EXTENT_ONE_FRAME, "alone image/png" },
        { OHIF, "*/*", EXTENT_ONE_FRAME, "400" },

        { NULL, NULL, EXTENT_INSTANCE, "parts image/jpeg" },
        { "image/jpeg", NULL, EXTENT_INSTANCE, "406" },
        { "image/gif", NULL, EXTENT_INSTANCE, "animated image/gif" },
        { IMG, NULL, EXTENT_INSTANCE, "animated image/gif" },
        { OHIF, "image/jpeg", EXTENT_INSTANCE, "representative image/jpeg" },
        { "*/*", "image/jpeg", EXTENT_INSTANCE, "representative image/jpeg" },
        { IMG, "image/jpeg", EXTENT_INSTANCE, "representative image/jpeg" },
        { "image/gif", NULL, EXTENT_FRAMES, "animated image/gif" },
        { "image/png", NULL, EXTENT_FRAMES, "406" },

        { NULL, NULL, EXTENT_COLLECTION, "parts image/jpeg" },
        { "*/*", NULL, EXTENT_COLLECTION, "parts image/jpeg" },
        { "image/jpeg", NULL, EXTENT_COLLECTION, "406" },
        { "image/gif", NULL, EXTENT_COLLECTION, "406" },
        { "multipart/related; type=\"image/gif\"", NULL, EXTENT_COLLECTION, "parts image/gif" },

        { NULL, NULL, EXTENT_THUMBNAIL, "alone image/jpeg" },
        { IMG, NULL, EXTENT_THUMBNAIL, "alone image/jpeg" },
        { OHIF, "image/jpeg", EXTENT_THUMBNAIL, "alone image/jpeg" },
        { "multipart/related; type=\"image/jpeg\"", NULL, EXTENT_THUMBNAIL, "406" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        const char *got = chosen(&arena, cases[i].header, cases[i].parameter, cases[i].extent, true);

        EXPECT(strcmp(got, cases[i].want) == 0, "case %zu, \"%s\" and \"%s\": %s, want %s", i,
               cases[i].header ? cases[i].header : "", cases[i].parameter ? cases[i].parameter : "", got,
               cases[i].want);
        arena_release(&arena);
    }
}

TEST(REN_06_what_is_too_large_to_animate_is_one_frame_for_an_img_and_parts_for_others)
{
    struct arena arena = { 0 };

    EXPECT(strcmp(chosen(&arena, IMG, NULL, EXTENT_INSTANCE, false), "representative image/jpeg") == 0,
           "img");
    EXPECT(strcmp(chosen(&arena, "image/gif", NULL, EXTENT_INSTANCE, false), "406") == 0, "by name");
    EXPECT(strcmp(chosen(&arena, NULL, NULL, EXTENT_INSTANCE, false), "parts image/jpeg") == 0, "no word");
    arena_release(&arena);
}

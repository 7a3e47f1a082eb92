/* tests/fuzz/storage_search_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A query string of any bytes against a small catalog: the first byte chooses the level and the switches,
 * then name=value&name=value. Whatever parses must also run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/catalog.h"

enum { PARAMETERS_MOST = 600 };

static struct catalog *catalog;

static void fill(void)
{
    static const char json[] =
        "{\"00080005\":{\"vr\":\"CS\"},\"00101030\":{\"vr\":\"DS\",\"Value\":[70]},"
        "\"00400275\":{\"vr\":\"SQ\",\"Value\":[{\"00400009\":{\"vr\":\"SH\",\"Value\":[\"A\"]}}]}}";
    static char folder[] = "/tmp/gantry-fuzz-XXXXXX", path[64];
    struct catalog_options options = { .path = path,
                                       .record_cache_entries = 100,
                                       .sqlite_cache_bytes = 1 << 20 };
    struct error err = { 0 };

    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/catalog.db", folder);
    if (!catalog_open(&options, &catalog, &err))
        abort();
    for (unsigned i = 1; i < 6; i++) {
        struct description description = { 0 };
        struct addition addition = { .description = &description, .generation = i };
        snprintf(description.key.study.text, 65, "1.2.%u", i / 2);
        snprintf(description.key.series.text, 65, "1.2.%u.1", i / 2);
        snprintf(description.key.instance.text, 65, "1.2.%u.1.%u", i / 2, i);
        description.values[KEY_PatientName] = bytes_of_text("Smith^John=\xe5\xb1\xb1");
        description.values[KEY_StudyDate] = bytes_of_text(i % 2 ? "20240101" : "");
        description.values[KEY_Modality] = bytes_of_text("CT");
        if (!block_take(sizeof json, &description.json, &err))
            abort();
        memcpy(block_room(description.json, NULL), json, sizeof json - 1);
        block_seal(description.json, sizeof json - 1);
        if (!catalog_add(catalog, &addition, 1, DUPLICATE_REJECT, &err))
            abort();
        block_unref(description.json);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct search_parameter parameters[PARAMETERS_MOST];
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct search *search;
    size_t count = 0;

    if (!catalog)
        fill();
    if (!size)
        return 0;
    struct search_options options = { .level = (enum query_level)(data[0] % 3),
                                      .max_results = 50,
                                      .unknown_matches = data[0] & 16 };
    if (data[0] & 32)
        strcpy(options.under.study.text, "1.2.1");
    for (struct bytes rest = bytes_of(data + 1, size - 1); rest.size && count < PARAMETERS_MOST;) {
        struct bytes value = bytes_cut(&rest, '&');
        const struct bytes name = bytes_cut(&value, '=');
        parameters[count++] = (struct search_parameter){ name, value };
    }
    if (search_parse(&options, parameters, count, &arena, &search, &err)) {
        struct buffer json;
        uint64_t rows, remaining;
        buffer_init(&json, 1 << 20);
        if (!catalog_search(catalog, search, &json, &rows, &remaining, &err))
            abort();
        for (size_t i = 0; search_warning(search, i); i++)
            if (!*search_warning(search, i))
                abort();
        buffer_done(&json);
    } else if (err.fault == FAULT_NONE || (err.fault == FAULT_MALFORMED && !err.told[0])) {
        abort();
    }
    arena_release(&arena);
    return 0;
}

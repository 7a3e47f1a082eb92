/* server/command_check.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See storage/check.h for what is compared. How far it came is kept in <data>/check.state, a line of numbers,
 * so that a check of days survives a restart of the machine; it goes when the check is through.
 */
#include "server/command_check.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "server/command.h"
#include "server/house.h"
#include "storage/catalog_files.h"
#include "storage/check.h"

enum { KEPT_EVERY_MS = 5000, STATE_MOST = 200 };

struct command {
    struct progress progress;
    struct house house;
    struct check_progress before; /* where an earlier check was left */
    uint64_t total, kept_at_ms;
    char state_path[PATH_MAX];
    bool state_failed;
};

static void print_found(void *context, enum finding finding, uint64_t generation)
{
    struct command *command = context;
    struct instance_key key;
    struct error unknown = { 0 };
    char path[PATH_MAX];

    progress_clear(&command->progress);
    store_path(command->house.store, generation, path, sizeof path);
    if (catalog_files_key(command->house.catalog, generation, &key, &unknown))
        printf("%s: %s (/studies/%s/series/%s/instances/%s)\n", finding_text(finding), path, key.study.text,
               key.series.text, key.instance.text);
    else
        printf("%s: %s\n", finding_text(finding), path);
    fflush(stdout);
}

static void keep_state(struct command *command, const struct check_progress *progress)
{
    char text[STATE_MOST];
    struct error err = { 0 };
    const int size =
        snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, progress->next_generation,
                 progress->instances, progress->bytes, progress->findings);

    command->kept_at_ms = clock_monotonic_ms();
    if (command->state_failed || file_replace(command->state_path, bytes_of(text, (size_t)size), 0600, &err))
        return;
    command->state_failed = true;
    progress_clear(&command->progress);
    fprintf(stderr, "gantry check: how far it came cannot be kept: %s\n", err.detail);
}

static bool read_state(struct command *command, struct check_progress *ret)
{
    uint64_t *const numbers[] = { &ret->next_generation, &ret->instances, &ret->bytes, &ret->findings };
    struct error none = { 0 };
    char *text = NULL;
    size_t size;

    if (!file_read_all(command->state_path, STATE_MOST, &text, &size, &none))
        return false;
    struct bytes rest = bytes_of(text, size);
    bool read = true;
    for (size_t i = 0; i < COUNT_OF(numbers) && read; i++)
        read = number_parse(bytes_trim(bytes_cut(&rest, ' ')), 0, INT64_MAX, numbers[i]);
    free(text);
    if (!read)
        *ret = (struct check_progress){ 0 };
    return read;
}

static void tell_progress(struct command *command, const struct check_progress *progress)
{
    const double seconds = progress_seconds(&command->progress);
    const double done = (double)(progress->instances - command->before.instances);
    const double rate = seconds > 0 ? done / seconds : 0;
    const double left =
        command->total > progress->instances ? (double)(command->total - progress->instances) : 0;
    char count[COMMAND_TEXT], total[COMMAND_TEXT], bytes[COMMAND_TEXT], speed[COMMAND_TEXT],
        time[COMMAND_TEXT];

    progress_tell(
        &command->progress, "%s of %s instances, %s, %s/s, %" PRIu64 " problems, %s left",
        command_count(progress->instances, count), command_count(command->total, total),
        command_bytes((double)progress->bytes, bytes),
        command_bytes(seconds > 0 ? (double)(progress->bytes - command->before.bytes) / seconds : 0, speed),
        progress->findings, command_time(rate > 0 ? left / rate : 0, time));
}

static bool go_on(void *context, const struct check_progress *progress)
{
    struct command *command = context;

    if (progress_is_due(&command->progress))
        tell_progress(command, progress);
    if (clock_monotonic_ms() - command->kept_at_ms >= KEPT_EVERY_MS)
        keep_state(command, progress);
    return !command_is_stopped();
}

static int conclude(struct command *command, const struct check_progress *progress, bool complete)
{
    char count[COMMAND_TEXT], bytes[COMMAND_TEXT], time[COMMAND_TEXT];

    progress_clear(&command->progress);
    if (!complete) {
        keep_state(command, progress);
        printf("Stopped after %s instances, %" PRIu64
               " problems so far. The same command goes on from there.\n",
               command_count(progress->instances, count), progress->findings);
        return COMMAND_STOPPED;
    }
    unlink(command->state_path);
    printf("%s instances, %s, %s: %" PRIu64 " problems.\n", command_count(progress->instances, count),
           command_bytes((double)progress->bytes, bytes),
           command_time(progress_seconds(&command->progress), time), progress->findings);
    return progress->findings ? COMMAND_FOUND : COMMAND_WELL;
}

int command_check(const struct settings *settings)
{
    const struct check_options options = { .bytes_per_second = settings->check_rate, .read_files = true };
    struct command command = { 0 };
    const struct check_watch watch = { &command, print_found, go_on };
    struct check_progress progress = { 0 };
    struct error err = { 0 };
    char holder[200], count[COMMAND_TEXT];
    bool complete = false;

    command_watch_signals();
    progress_begin(&command.progress, "check");
    if (!house_path(settings, "check.state", command.state_path, sizeof command.state_path, &err) ||
        !house_open(settings, "gantry check", HOUSE_LOOKS, &command.house, &err))
        return command_fail(&command.progress, &err);
    if (data_lock_holder(settings->data, holder, sizeof holder))
        fprintf(stderr, "gantry check: %s is in use by %s; checking beside it\n", settings->data, holder);
    if (read_state(&command, &progress))
        fprintf(stderr, "gantry check: going on after %s instances\n",
                command_count(progress.instances, count));
    command.before = progress;
    command.kept_at_ms = clock_monotonic_ms();
    const bool done =
        catalog_files_count(command.house.catalog, INT64_MAX, &command.total, &err) &&
        check(command.house.store, command.house.catalog, &options, &watch, &progress, &complete, &err);
    const int status = done ? conclude(&command, &progress, complete) : command_fail(&command.progress, &err);
    house_close(&command.house);
    return status;
}

/* server/check_config.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One function for each thing that is looked at; see check_config.h.
 */
#include "server/check_config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/number.h"
#include "codec/drawing.h"
#include "server/check_tls.h"
#include "server/forwarded.h"
#include "server/listener.h"

struct check {
    const struct settings *settings;
    check_report_fn *report;
    void *context;
    unsigned errors;
};

static void tell(struct check *check, enum check_weight weight, const char *remedy, const char *format, ...)
    PRINTF_LIKE(4, 5);

static void tell(struct check *check, enum check_weight weight, const char *remedy, const char *format, ...)
{
    char what[500];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    check->errors += weight == CHECK_ERROR;
    check->report(check->context, weight, what, remedy);
}

static void check_listen(struct check *check)
{
    struct listener_address addresses[LISTENER_ADDRESSES_MOST];
    struct error err = { 0 };
    unsigned count;

    if (!listener_parse(check->settings->listen, addresses, &count, &err))
        tell(check, CHECK_ERROR, "set listen to addresses as in 127.0.0.1:443,[::1]:443", "%s", err.detail);
}

static void check_plain_http(struct check *check)
{
    const struct settings *settings = check->settings;
    struct listener_address addresses[LISTENER_ADDRESSES_MOST];
    struct error err = { 0 };
    struct stat about;
    unsigned count;

    if (settings->http_listen[0] && !listener_parse(settings->http_listen, addresses, &count, &err))
        tell(check, CHECK_ERROR, "set http_listen to addresses as in 0.0.0.0:80", "http_%s", err.detail);
    if (settings->acme_folder[0] && (stat(settings->acme_folder, &about) != 0 || !S_ISDIR(about.st_mode)))
        tell(check, CHECK_ERROR, "make it, writable for the ACME client alone",
             "acme_folder: %.200s is no folder", settings->acme_folder);
    if (settings->acme_folder[0] && !settings->http_listen[0])
        tell(check, CHECK_WARNING, "set http_listen", "acme_folder: is not served without http_listen");
}

/* scheme://host[:port] with nothing behind it, or, for a base, a path that does not end in a slash. */
static bool is_url(struct bytes text, const char *unwanted)
{
    struct bytes rest = { 0 };

    if (bytes_starts_with(text, bytes_of_text("https://")))
        rest = bytes_from(text, strlen("https://"));
    else if (bytes_starts_with(text, bytes_of_text("http://")))
        rest = bytes_from(text, strlen("http://"));
    if (rest.size == 0)
        return false;
    for (size_t i = 0; i < rest.size; i++) {
        const uint8_t c = rest.data[i];
        if (c <= ' ' || c >= 0x7F || strchr(unwanted, c))
            return false;
    }
    return rest.data[0] != '/' && rest.data[rest.size - 1] != '/';
}

static bool is_origin(struct bytes text)
{
    return is_url(text, "/?#\"'<>\\@,;*");
}

static bool is_base(struct bytes text)
{
    return is_url(text, "?#\"'<>\\@,;*{}|^`");
}

static void check_proxies(struct check *check)
{
    struct proxies *proxies = NULL;
    struct error err = { 0 };

    if (!proxies_parse(check->settings->trusted_proxies, &proxies, &err))
        tell(check, CHECK_ERROR, "write addresses and networks, as in 10.0.0.1 192.168.0.0/16 fd00::/8", "%s",
             err.detail);
    proxies_free(proxies);
}

static void check_names(struct check *check)
{
    const struct bytes url = bytes_of_text(check->settings->public_url);
    const struct bytes path = bytes_of_text(check->settings->base_path);

    if (url.size > 0 && !bytes_equal_text(url, "from-host") && !is_base(url))
        tell(check, CHECK_ERROR, "write it as in https://pacs.example.org or https://example.org/pacs",
             "public_url: \"%.100s\" is no such URL", check->settings->public_url);
    if (path.size > 0 && path.data[0] != '/')
        tell(check, CHECK_ERROR, "begin it with a slash, as in /dicom-web",
             "base_path: \"%.100s\" has no slash in front", check->settings->base_path);
    for (size_t i = 0; i < path.size; i++)
        if (path.data[i] <= ' ' || path.data[i] >= 0x7F || strchr("?#%\"<>\\{}", path.data[i])) {
            tell(check, CHECK_ERROR, "use letters, digits, dashes and slashes",
                 "base_path: has a character that cannot stand in a path");
            break;
        }
    for (struct bytes rest = bytes_of_text(check->settings->cors_origins); rest.data;) {
        const struct bytes origin = bytes_cut(&rest, ' ');
        if (origin.size > 0 && !bytes_equal_text(origin, "*") && !is_origin(origin))
            tell(check, CHECK_ERROR, "write origins as browsers send them, as in https://viewer.example.org",
                 "cors_origins: \"%.*s\" is no origin", origin.size > 100 ? 100 : (int)origin.size,
                 (const char *)origin.data);
    }
}

static void count_finding(void *context, enum check_weight weight, const char *what, const char *remedy)
{
    tell(context, weight, remedy, "%s", what);
}

/* The folder itself, or the nearest one above it that exists, in which it will be made. */
static bool find_existing(const char *path, char into[PATH_MAX])
{
    if (snprintf(into, PATH_MAX, "%s", path) >= PATH_MAX)
        return false;
    for (;;) {
        struct stat about;
        if (stat(into, &about) == 0)
            return true;
        if (errno != ENOENT)
            return false;
        char *slash = strrchr(into, '/');
        if (!slash)
            snprintf(into, PATH_MAX, ".");
        else
            slash[slash == into ? 1 : 0] = '\0';
    }
}

static void check_data(struct check *check)
{
    const struct settings *settings = check->settings;
    char folder[PATH_MAX];
    struct stat about;
    struct statvfs volume;

    if (!find_existing(settings->data, folder) || stat(folder, &about) != 0) {
        tell(check, CHECK_ERROR, "give the user of this server access to the folders above it",
             "data: %.200s cannot be reached: %s", settings->data, strerrorname_np(errno));
        return;
    }
    if (!S_ISDIR(about.st_mode)) {
        tell(check, CHECK_ERROR, "set data to a folder", "data: %.200s is not a folder", folder);
        return;
    }
    if (access(folder, R_OK | W_OK | X_OK) != 0) {
        tell(check, CHECK_ERROR, "give the user of this server the folder (chown), or set data to another",
             "data: %.200s cannot be written: %s", folder, strerrorname_np(errno));
        return;
    }
    if (strcmp(folder, settings->data) == 0 && (about.st_mode & S_IRWXO))
        tell(check, CHECK_WARNING, "chmod 700 it", "data: others can look into %.200s (mode %04o)", folder,
             (unsigned)about.st_mode & 07777);
    if (statvfs(folder, &volume) == 0 &&
        (uint64_t)volume.f_bavail * (uint64_t)volume.f_frsize < settings->free_space_floor)
        tell(check, CHECK_WARNING, "make room, or lower free_space_floor",
             "data: less than free_space_floor is free on the volume of %.200s: nothing will be stored",
             folder);
}

static void check_limits(struct check *check)
{
    const struct settings *settings = check->settings;
    const uint64_t wanted = settings->connections + settings->open_files + 256;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max != RLIM_INFINITY && files.rlim_max < wanted)
        tell(check, CHECK_WARNING,
             "raise the limit (LimitNOFILE=, --ulimit nofile), or lower connections or open_files",
             "connections and open_files want %" PRIu64 " descriptors, the limit of open files is %" PRIu64,
             wanted, (uint64_t)files.rlim_max);
    if (settings->instance_ceiling > settings->request_ceiling)
        tell(check, CHECK_WARNING, "raise request_ceiling",
             "instance_ceiling is above request_ceiling, which decides");
    if (settings->peek_connections > settings->connections)
        tell(check, CHECK_WARNING, "lower peek_connections",
             "peek_connections is above connections, which decides");
}

/* Without it only what has to be written fails: annotations and the tiles of what is no image. */
static void check_font(struct check *check)
{
    SCOPED(pen) struct pen *pen = NULL;
    struct error err = { 0 };

    if (!pen_new(check->settings->font, 12, &pen, &err))
        tell(check, CHECK_WARNING, "install fonts-dejavu-core, or set font to a TrueType or OpenType file",
             "font: %s", err.detail);
}

unsigned check_config(const struct settings *settings, check_report_fn *report, void *context)
{
    struct check check = { .settings = settings, .report = report, .context = context };

    check_listen(&check);
    check_plain_http(&check);
    check_names(&check);
    check_proxies(&check);
    check_tls(settings, count_finding, &check);
    check_data(&check);
    check_limits(&check);
    check_font(&check);
    return check.errors;
}

/* server/framing.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Message framing of HTTP/1.1; see framing.h.
 */
#include "server/framing.h"

#include "base/number.h"
#include "http/token.h"

static bool has_controls(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!token_is_field_byte(text.data[i]))
            return true;
    return false;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

bool framing_host_is_valid(struct bytes host)
{
    size_t end = 0;

    if (host.size == 0 || host.size > 255 + 6)
        return false;
    if (host.data[0] == '[') {
        for (end = 1; end < host.size && host.data[end] != ']'; end++)
            if (!is_hex(host.data[end]) && host.data[end] != ':' && host.data[end] != '.')
                return false;
        if (end == host.size || end == 1)
            return false;
        end++;
    } else {
        /* Names as DNS and addresses have them; sub-delims and percent-escapes of a reg-name serve only
         * attackers. */
        for (; end < host.size && host.data[end] != ':'; end++) {
            const uint8_t c = host.data[end];
            if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
                  c == '.' || c == '_'))
                return false;
        }
        if (end == 0)
            return false;
    }
    uint64_t port;
    return end == host.size ||
           (host.data[end] == ':' && number_parse(bytes_from(host, end + 1), 0, 65535, &port));
}

bool framing_check(struct bytes version, const struct fields *headers, uint64_t *ret_length,
                   struct error *err)
{
    const struct field *length = NULL, *coding = NULL, *host = NULL;
    const bool is_1_1 = bytes_equal_text(version, "HTTP/1.1");
    uint64_t size = 0;

    if (!is_1_1 && !bytes_equal_text(version, "HTTP/1.0"))
        return error_tell(err, FAULT_HTTP_VERSION, "HTTP/1.1 is served.");
    for (size_t i = 0; i < headers->count; i++) {
        const struct field *field = &headers->list[i];
        const struct field **once = bytes_equal_nocase(field->name, bytes_of_text("content-length")) ? &length
                                    : bytes_equal_nocase(field->name, bytes_of_text("transfer-encoding"))
                                        ? &coding
                                    : bytes_equal_nocase(field->name, bytes_of_text("host")) ? &host
                                                                                             : NULL;
        /* A name with a space behind it means one thing to us and another to a proxy. */
        if (!token_is(field->name))
            return error_tell(err, FAULT_MALFORMED, "A header field's name is not a token.");
        if (has_controls(field->value))
            return error_tell(err, FAULT_MALFORMED, "A header field's value has control characters.");
        if (once && *once)
            return error_tell(err, FAULT_MALFORMED,
                              "There are several fields of Content-Length, Transfer-Encoding or Host.");
        if (once)
            *once = field;
    }
    if (host ? !framing_host_is_valid(bytes_trim(host->value)) : is_1_1)
        return error_tell(err, FAULT_MALFORMED, "Host is missing or malformed.");
    if (length && coding)
        return error_tell(err, FAULT_MALFORMED, "Content-Length and Transfer-Encoding exclude each other.");
    if (coding) {
        if (!is_1_1)
            return error_tell(err, FAULT_MALFORMED, "Transfer-Encoding belongs to HTTP/1.1.");
        if (!bytes_equal_nocase(coding->value, bytes_of_text("chunked")))
            return error_tell(err, FAULT_NOT_IMPLEMENTED, "The only transfer coding is chunked.");
        size = BODY_SIZE_UNKNOWN;
    }
    if (length && !number_parse(length->value, 0, INT64_MAX, &size))
        return error_tell(err, FAULT_MALFORMED, "Content-Length is not a length.");
    *ret_length = size;
    return true;
}

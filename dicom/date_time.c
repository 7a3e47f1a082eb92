/* dicom/date_time.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Dates and times of PS3.5 section 6.2.
 */
#include "dicom/date_time.h"

#include <stdio.h>

#include "base/number.h"

enum { FRACTION_DIGITS = 6, MINUTES_A_DAY = 24 * 60 };

struct moment {
    uint64_t year, month, day, hour, minute, second, fraction;
};

/* Cuts `digits` digits off *rest. */
static bool take_number(struct bytes *rest, size_t digits, uint64_t least, uint64_t most, uint64_t *ret)
{
    if (rest->size < digits || !number_parse(bytes_of(rest->data, digits), least, most, ret))
        return false;
    *rest = bytes_from(*rest, digits);
    return true;
}

static bool take_character(struct bytes *rest, char character)
{
    if (rest->size == 0 || rest->data[0] != (uint8_t)character)
        return false;
    *rest = bytes_from(*rest, 1);
    return true;
}

static uint64_t days_in(uint64_t year, uint64_t month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

bool date_parse(struct bytes text, char ret[DATE_CHARACTERS + 1])
{
    uint64_t year, month, day;

    if (!take_number(&text, 4, 0, 9999, &year))
        return false;
    const bool dots = take_character(&text, '.');
    if (!take_number(&text, 2, 1, 12, &month) || (dots && !take_character(&text, '.')) ||
        !take_number(&text, 2, 1, days_in(year, month), &day) || text.size)
        return false;
    snprintf(ret, DATE_CHARACTERS + 1, "%04u%02u%02u", (unsigned)year % 10000, (unsigned)month % 100,
             (unsigned)day % 100);
    return true;
}

/* Digits behind the point; those that are left out are 0, or 9 at the end of a range. */
static bool take_fraction(struct bytes *rest, enum edge edge, uint64_t *ret)
{
    uint64_t fraction = 0, digit;
    size_t digits = 0;

    while (digits < FRACTION_DIGITS && take_number(rest, 1, 0, 9, &digit)) {
        fraction = fraction * 10 + digit;
        digits++;
    }
    const bool any = digits > 0;
    for (; digits < FRACTION_DIGITS; digits++)
        fraction = fraction * 10 + (edge == EDGE_END ? 9 : 0);
    *ret = fraction;
    return any;
}

/* HH, HHMM, HHMMSS or HHMMSS.F to .FFFFFF; second 60 is the leap second. */
static bool take_time(struct bytes *rest, enum edge edge, struct moment *moment)
{
    moment->minute = edge == EDGE_END ? 59 : 0;
    moment->second = edge == EDGE_END ? 59 : 0;
    moment->fraction = edge == EDGE_END ? 999999 : 0;
    if (!take_number(rest, 2, 0, 23, &moment->hour))
        return false;
    const bool colons = take_character(rest, ':');
    if (!take_number(rest, 2, 0, 59, &moment->minute))
        return !colons;
    if (colons && !take_character(rest, ':'))
        return true;
    if (!take_number(rest, 2, 0, 60, &moment->second))
        return !colons;
    if (take_character(rest, '.'))
        return take_fraction(rest, edge, &moment->fraction);
    return true;
}

bool time_parse(struct bytes text, enum edge edge, char ret[TIME_CHARACTERS + 1])
{
    struct moment moment = { 0 };

    if (!take_time(&text, edge, &moment) || text.size)
        return false;
    snprintf(ret, TIME_CHARACTERS + 1, "%02u%02u%02u.%06u", (unsigned)moment.hour % 100,
             (unsigned)moment.minute % 100, (unsigned)moment.second % 100,
             (unsigned)moment.fraction % 1000000);
    return true;
}

/* The offset at the end of *text, in minutes east of UTC (PS3.5: -1200 to +1400); it is cut off. */
static bool cut_offset(struct bytes *text, int *ret_minutes, bool *ret_there)
{
    uint64_t hours, minutes;

    *ret_there = text->size > 5 && (text->data[text->size - 5] == '+' || text->data[text->size - 5] == '-');
    if (!*ret_there)
        return true;
    const bool west = text->data[text->size - 5] == '-';
    struct bytes digits = bytes_from(*text, text->size - 4);
    if (!take_number(&digits, 2, 0, 14, &hours) ||
        !take_number(&digits, 2, 0, hours == 14 ? 0 : 59, &minutes))
        return false;
    text->size -= 5;
    *ret_minutes = (west ? -1 : 1) * (int)(hours * 60 + minutes);
    return true;
}

/* Carries minutes over days, months and years; the years 0000 and 9999 are the ends of time. */
static void move_minutes(struct moment *moment, int minutes)
{
    int of_day = (int)(moment->hour * 60 + moment->minute) + minutes;

    if (of_day < 0) {
        of_day += MINUTES_A_DAY;
        if (moment->day > 1) {
            moment->day--;
        } else if (moment->month > 1) {
            moment->month--;
            moment->day = days_in(moment->year, moment->month);
        } else if (moment->year > 0) {
            moment->year--;
            moment->month = 12;
            moment->day = 31;
        }
    } else if (of_day >= MINUTES_A_DAY) {
        of_day -= MINUTES_A_DAY;
        if (moment->day < days_in(moment->year, moment->month)) {
            moment->day++;
        } else if (moment->month < 12) {
            moment->month++;
            moment->day = 1;
        } else if (moment->year < 9999) {
            moment->year++;
            moment->month = 1;
            moment->day = 1;
        }
    }
    moment->hour = (uint64_t)of_day / 60;
    moment->minute = (uint64_t)of_day % 60;
}

bool date_time_parse(struct bytes text, enum edge edge, char ret[DATE_TIME_CHARACTERS + 1])
{
    struct moment moment = { .month = 1, .day = 1 };
    int east = 0;
    bool offset;

    if (edge == EDGE_END)
        moment = (struct moment){ 0, 12, 31, 23, 59, 59, 999999 };
    if (!cut_offset(&text, &east, &offset) || !take_number(&text, 4, 0, 9999, &moment.year))
        return false;
    if (text.size) {
        if (!take_number(&text, 2, 1, 12, &moment.month))
            return false;
        if (edge == EDGE_END)
            moment.day = days_in(moment.year, moment.month);
    }
    if (text.size && !take_number(&text, 2, 1, days_in(moment.year, moment.month), &moment.day))
        return false;
    /* Colons belong to TM alone. */
    if (text.size && (memchr(text.data, ':', text.size) || !take_time(&text, edge, &moment) || text.size))
        return false;
    if (offset)
        move_minutes(&moment, -east);
    snprintf(ret, DATE_TIME_CHARACTERS + 1, "%04u%02u%02u%02u%02u%02u.%06u", (unsigned)moment.year % 10000,
             (unsigned)moment.month % 100, (unsigned)moment.day % 100, (unsigned)moment.hour % 100,
             (unsigned)moment.minute % 100, (unsigned)moment.second % 100,
             (unsigned)moment.fraction % 1000000);
    return true;
}

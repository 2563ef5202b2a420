#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LONGEST_NAME 7
#define LONGEST_OFFSET_HOURS 24
#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_MINUTE 60

static char standardName[LONGEST_NAME + 1] = "UTC";
static char summerName[LONGEST_NAME + 1] = "UTC";

char *tzname[2] = {standardName, summerName};
/* Seconds west of Greenwich. */
long timezone;
int daylight;

/* Reads a name of letters; NULL when it is none. */
static const char *read_name(const char *from, char *name)
{
    size_t length = 0;
    while (isalpha((unsigned char)from[length]) && length <= LONGEST_NAME) {
        length++;
    }
    if (length < 3 || length > LONGEST_NAME) {
        return NULL;
    }
    memcpy(name, from, length);
    name[length] = '\0';
    return from + length;
}

/* `hh[:mm[:ss]]` with a sign; NULL when it is none. */
static const char *read_offset(const char *from, long *seconds)
{
    long unit = SECONDS_PER_HOUR;
    long sign = *from == '-' ? -1 : 1;
    if (*from == '-' || *from == '+') {
        from++;
    }
    if (!isdigit((unsigned char)*from)) {
        return NULL;
    }
    *seconds = 0;
    for (;;) {
        char *after;
        long number = strtol(from, &after, 10);
        if (number > LONGEST_OFFSET_HOURS * (unit == SECONDS_PER_HOUR ? 1 : SECONDS_PER_MINUTE)) {
            return NULL;
        }
        *seconds += number * unit;
        from = after;
        if (*from != ':' || unit == 1) {
            break;
        }
        from++;
        unit /= SECONDS_PER_MINUTE;
    }
    *seconds *= sign;
    return from;
}

void tzset(void)
{
    const char *zone = getenv("TZ");
    char standard[LONGEST_NAME + 1];
    char summer[LONGEST_NAME + 1];
    long seconds = 0;
    const char *at = zone == NULL ? NULL : read_name(*zone == ':' ? zone + 1 : zone, standard);
    at = at == NULL ? NULL : read_offset(at, &seconds);
    if (at == NULL) {
        strcpy(standardName, "UTC");
        strcpy(summerName, "UTC");
        timezone = 0;
        daylight = 0;
        return;
    }
    daylight = *at != '\0' && read_name(at, summer) != NULL;
    strcpy(standardName, standard);
    strcpy(summerName, daylight ? summer : standard);
    timezone = seconds;
}

struct tm *localtime_r(const time_t *restrict time, struct tm *restrict out)
{
    tzset();
    time_t local = *time - timezone;
    return gmtime_r(&local, out);
}

struct tm *localtime(const time_t *time)
{
    static struct tm local;
    return localtime_r(time, &local);
}

time_t mktime(struct tm *local)
{
    tzset();
    return timegm(local) + timezone;
}

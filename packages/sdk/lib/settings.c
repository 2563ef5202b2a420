#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"

#define FIELD sizeof(uint32_t)
#define SMALL 512

void settings_begin(struct settings_call *call, size_t capacity)
{
    memset(call, 0, sizeof *call);
    call->bytes = malloc(capacity);
    call->capacity = call->bytes == NULL ? 0 : capacity;
}

void settings_put(struct settings_call *call, uint32_t number)
{
    if (call->capacity - call->length < FIELD) {
        call->isBroken = true;
        return;
    }
    memcpy(call->bytes + call->length, &number, FIELD);
    call->length += FIELD;
}

void settings_put_bytes(struct settings_call *call, const void *bytes, size_t length)
{
    settings_put(call, (uint32_t)length);
    if (call->isBroken || call->capacity - call->length < length) {
        call->isBroken = true;
        return;
    }
    if (length > 0) {
        memcpy(call->bytes + call->length, bytes, length);
    }
    call->length += length;
}

void settings_put_text(struct settings_call *call, const char *text)
{
    settings_put_bytes(call, text, text == NULL ? 0 : strlen(text));
}

int settings_send(struct settings_call *call, enum settings_operation operation)
{
    if (call->isBroken || call->bytes == NULL) {
        errno = call->bytes == NULL ? ENOMEM : EINVAL;
        return -1;
    }
    size_t answered = 0;
    int error = host_settings(operation, call->bytes, call->length, call->bytes, call->capacity, &answered);
    call->length = answered;
    call->at = 0;
    return host_result(error, 0);
}

uint32_t settings_get(struct settings_call *call)
{
    uint32_t number = 0;
    if (call->length - call->at < FIELD) {
        call->isBroken = true;
        return 0;
    }
    memcpy(&number, call->bytes + call->at, FIELD);
    call->at += FIELD;
    return number;
}

const uint8_t *settings_get_bytes(struct settings_call *call, size_t *length)
{
    *length = settings_get(call);
    if (call->isBroken || call->length - call->at < *length) {
        call->isBroken = true;
        *length = 0;
        return call->bytes;
    }
    const uint8_t *found = call->bytes + call->at;
    call->at += *length;
    return found;
}

void settings_get_text(struct settings_call *call, char *out, size_t size)
{
    size_t length;
    const uint8_t *text = settings_get_bytes(call, &length);
    if (length >= size) {
        length = size - 1;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

int settings_end(struct settings_call *call, int result)
{
    int error = errno;
    free(call->bytes);
    call->bytes = NULL;
    if (result != -1 && call->isBroken) {
        errno = EIO;
        return -1;
    }
    errno = error;
    return result;
}

int settings_do(enum settings_operation operation, const char *text, int count, const uint32_t *numbers)
{
    struct settings_call call;
    settings_begin(&call, SMALL);
    if (text != NULL) {
        settings_put_text(&call, text);
    }
    for (int index = 0; index < count; index++) {
        settings_put(&call, numbers[index]);
    }
    return settings_end(&call, settings_send(&call, operation));
}

#include <resolv.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 12
#define LONGEST_LABEL 63
#define POINTER 0xc0
#define RECURSION_DESIRED 0x0100
#define QUESTION_TAIL 4
#define RECORD_TAIL 10

static int refuse(int error)
{
    errno = error;
    return -1;
}

int res_init(void)
{
    return 0;
}

unsigned ns_get16(const unsigned char *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

unsigned long ns_get32(const unsigned char *bytes)
{
    return (unsigned long)ns_get16(bytes) << 16 | ns_get16(bytes + 2);
}

void ns_put16(unsigned number, unsigned char *bytes)
{
    bytes[0] = (unsigned char)(number >> 8);
    bytes[1] = (unsigned char)number;
}

void ns_put32(unsigned long number, unsigned char *bytes)
{
    ns_put16((unsigned)(number >> 16), bytes);
    ns_put16((unsigned)(number & 0xffff), bytes + 2);
}

int res_mkquery(int op, const char *dname, int rrClass, int type, const unsigned char *data, int dataLength,
                const unsigned char *newRecord, unsigned char *buffer, int bufferLength)
{
    (void)dataLength;
    if (op != ns_o_query || data != NULL || newRecord != NULL || dname == NULL) {
        return refuse(EINVAL);
    }
    size_t length = strlen(dname);
    if (length > 0 && dname[length - 1] == '.') {
        length -= 1;
    }
    if (length > NS_MAXCDNAME || bufferLength < 0 || (size_t)bufferLength < HEADER + length + 2 + QUESTION_TAIL) {
        return refuse(EMSGSIZE);
    }
    memset(buffer, 0, HEADER);
    ns_put16((unsigned)rand() & 0xffff, buffer);
    ns_put16(RECURSION_DESIRED, buffer + 2);
    ns_put16(1, buffer + 4);
    unsigned char *at = buffer + HEADER;
    for (const char *label = dname; label < dname + length;) {
        size_t size = strcspn(label, ".");
        if (label + size > dname + length) {
            size = (size_t)(dname + length - label);
        }
        if (size == 0 || size > LONGEST_LABEL) {
            return refuse(EINVAL);
        }
        *at++ = (unsigned char)size;
        memcpy(at, label, size);
        at += size;
        label += size + 1;
    }
    *at++ = 0;
    ns_put16((unsigned)type, at);
    ns_put16((unsigned)rrClass, at + 2);
    return (int)(at + QUESTION_TAIL - buffer);
}

int dn_skipname(const unsigned char *source, const unsigned char *end)
{
    for (const unsigned char *at = source; at < end;) {
        if (*at == 0) {
            return (int)(at + 1 - source);
        }
        if ((*at & POINTER) == POINTER) {
            return end - at >= 2 ? (int)(at + 2 - source) : refuse(EMSGSIZE);
        }
        at += *at + 1;
    }
    return refuse(EMSGSIZE);
}

int dn_expand(const unsigned char *message, const unsigned char *end, const unsigned char *source, char *name, int size)
{
    int taken = dn_skipname(source, end);
    const unsigned char *at = source;
    char *out = name;
    const char *last = name + size - 1;
    /* Each pointer leads further back: so no message can make this go round for ever. */
    const unsigned char *before = source;
    if (taken == -1 || size <= 0) {
        return refuse(EMSGSIZE);
    }
    while (at < end && *at != 0) {
        if ((*at & POINTER) == POINTER) {
            if (end - at < 2) {
                return refuse(EMSGSIZE);
            }
            const unsigned char *to = message + (ns_get16(at) & 0x3fff);
            if (to >= before) {
                return refuse(EMSGSIZE);
            }
            before = to;
            at = to;
            continue;
        }
        size_t length = *at;
        if (length > LONGEST_LABEL || end - at <= (ptrdiff_t)length || last - out <= (ptrdiff_t)length) {
            return refuse(EMSGSIZE);
        }
        if (out != name) {
            *out++ = '.';
        }
        memcpy(out, at + 1, length);
        out += length;
        at += length + 1;
    }
    if (at >= end) {
        return refuse(EMSGSIZE);
    }
    *out = '\0';
    return taken;
}

int ns_name_uncompress(const unsigned char *message, const unsigned char *end, const unsigned char *source, char *name,
                       size_t size)
{
    return dn_expand(message, end, source, name, (int)size);
}

int ns_skiprr(const unsigned char *source, const unsigned char *end, ns_sect section, int count)
{
    const unsigned char *at = source;
    for (int index = 0; index < count; index++) {
        int name = dn_skipname(at, end);
        ptrdiff_t tail = section == ns_s_qd ? QUESTION_TAIL : RECORD_TAIL;
        if (name == -1 || end - at < name + tail) {
            return refuse(EMSGSIZE);
        }
        at += name + tail;
        if (section != ns_s_qd) {
            unsigned length = ns_get16(at - 2);
            if (end - at < (ptrdiff_t)length) {
                return refuse(EMSGSIZE);
            }
            at += length;
        }
    }
    return (int)(at - source);
}

int ns_initparse(const unsigned char *message, int length, ns_msg *handle)
{
    if (length < HEADER) {
        return refuse(EMSGSIZE);
    }
    memset(handle, 0, sizeof *handle);
    handle->_msg = message;
    handle->_eom = message + length;
    handle->_id = (uint16_t)ns_get16(message);
    handle->_flags = (uint16_t)ns_get16(message + 2);
    const unsigned char *at = message + HEADER;
    for (int section = 0; section < ns_s_max; section++) {
        handle->_counts[section] = (uint16_t)ns_get16(message + 4 + 2 * section);
        handle->_sections[section] = at;
        int size = ns_skiprr(at, handle->_eom, (ns_sect)section, handle->_counts[section]);
        if (size == -1) {
            return -1;
        }
        at += size;
    }
    return at == handle->_eom ? 0 : refuse(EMSGSIZE);
}

int ns_parserr(ns_msg *handle, ns_sect section, int number, ns_rr *record)
{
    if (section < 0 || section >= ns_s_max || number < 0 || number >= handle->_counts[section]) {
        return refuse(ENODEV);
    }
    const unsigned char *at = handle->_sections[section];
    int before = ns_skiprr(at, handle->_eom, section, number);
    if (before == -1) {
        return -1;
    }
    at += before;
    int name = dn_expand(handle->_msg, handle->_eom, at, record->name, sizeof record->name);
    if (name == -1) {
        return -1;
    }
    at += name;
    record->type = (uint16_t)ns_get16(at);
    record->rr_class = (uint16_t)ns_get16(at + 2);
    record->ttl = section == ns_s_qd ? 0 : (uint32_t)ns_get32(at + 4);
    record->rdlength = section == ns_s_qd ? 0 : (uint16_t)ns_get16(at + 8);
    record->rdata = section == ns_s_qd ? NULL : at + RECORD_TAIL;
    return 0;
}

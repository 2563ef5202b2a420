/* Making and reading messages of the domain name system (RFC 1035), for apps that ask by themselves. */
#pragma once

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0: there is nothing to be read first. */
int res_init(void);
/* Writes a question; gives its length, or -1 with errno EMSGSIZE or EINVAL. Only ns_o_query without data. */
int res_mkquery(int op, const char *dname, int rrClass, int type, const unsigned char *data, int dataLength,
                const unsigned char *newRecord, unsigned char *buffer, int bufferLength);
/* Writes the name at `source` of a message as text; gives how many bytes it takes there, or -1. */
int dn_expand(const unsigned char *message, const unsigned char *end, const unsigned char *source, char *name, int size);
/* Gives how many bytes a name takes at `source`, or -1. */
int dn_skipname(const unsigned char *source, const unsigned char *end);

#ifdef __cplusplus
}
#endif

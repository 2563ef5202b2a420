/* The device's certificate store, shared by all apps that may use it. Private keys go in and never come out; what is
 * stored serves Wi-Fi networks with EAP-TLS. Every call needs CertStore in the manifest, else EACCES. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef CERTSTORE_STRUCTS_VERSION
#define CERTSTORE_STRUCTS_VERSION 1
#endif
#if CERTSTORE_STRUCTS_VERSION != 1
#error "CERTSTORE_STRUCTS_VERSION: this SDK has version 1"
#endif

#define CERTSTORE_MAX_CERT_SIZE 8192
#define CERTSTORE_MAX_PRIVATE_KEY_PASSWORD_LEN 256
#define CERTSTORE_MAX_IDENTIFIER_SIZE 16
#define CERTSTORE_MAX_SUBJECT_NAME_SIZE 300
#define CERTSTORE_MAX_ISSUER_NAME_SIZE 300

typedef struct CertStore_Identifier {
    char identifier[CERTSTORE_MAX_IDENTIFIER_SIZE + 1];
} CertStore_Identifier;

typedef struct CertStore_SubjectName {
    char name[CERTSTORE_MAX_SUBJECT_NAME_SIZE + 1];
} CertStore_SubjectName;

typedef struct CertStore_IssuerName {
    char name[CERTSTORE_MAX_ISSUER_NAME_SIZE + 1];
} CertStore_IssuerName;

/* PEM. Replaces what has this identifier. privateKeyPassword is NULL for a key that is not encrypted.
 * -1 with errno EACCES, EFAULT, ERANGE (identifier or blob too long), EINVAL (not a certificate or key), ENOSPC. */
int CertStore_InstallClientCertificate(const char *identifier, const char *certBlob, size_t certLength,
                                       const char *privateKeyBlob, size_t privateKeyLength,
                                       const char *privateKeyPassword);
int CertStore_InstallRootCACertificate(const char *identifier, const char *certBlob, size_t certLength);

/* -1 with errno EACCES, EFAULT, ENOENT. */
int CertStore_DeleteCertificate(const char *identifier);

/* Gives a certificate another identifier, in place of what has it. -1 with errno EACCES, EFAULT, EINVAL, ENOENT. */
int CertStore_MoveCertificate(const char *sourceIdentifier, const char *destinationIdentifier);

/* -1 with errno EACCES. */
ssize_t CertStore_GetCertificateCount(void);

/* -1 with errno EACCES, EFAULT, ERANGE (no such index). */
int CertStore_GetCertificateIdentifierAt(size_t index, CertStore_Identifier *outIdentifier);

/* Bytes. -1 with errno EACCES. */
ssize_t CertStore_GetAvailableSpace(void);

/* -1 with errno EACCES, EFAULT, EINVAL, ENOENT. Of the times, tm_wday, tm_yday and tm_isdst are not defined. */
int CertStore_GetCertificateSubjectName(const char *identifier, struct CertStore_SubjectName *outSubjectName);
int CertStore_GetCertificateIssuerName(const char *identifier, struct CertStore_IssuerName *outIssuerName);
int CertStore_GetCertificateNotBefore(const char *identifier, struct tm *outNotBefore);
int CertStore_GetCertificateNotAfter(const char *identifier, struct tm *outNotAfter);

#ifdef __cplusplus
}
#endif

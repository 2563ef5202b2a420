#include <applibs/certstore.h>

#include <string.h>

#include "host.h"
#include "settings.h"

#define LARGE (3 * CERTSTORE_MAX_CERT_SIZE)
#define SMALL 1024

static int has_length(const char *text, size_t most)
{
    if (strnlen(text, most + 1) > most) {
        errno = ERANGE;
        return 0;
    }
    return 1;
}

static int is_identifier(const char *identifier)
{
    if (identifier == NULL) {
        errno = EFAULT;
        return 0;
    }
    return has_length(identifier, CERTSTORE_MAX_IDENTIFIER_SIZE);
}

static int install(const char *identifier, const char *cert, size_t certLength, const char *key, size_t keyLength,
                   const char *password)
{
    if (!is_identifier(identifier)) {
        return -1;
    }
    if (certLength > CERTSTORE_MAX_CERT_SIZE || keyLength > CERTSTORE_MAX_CERT_SIZE) {
        errno = ERANGE;
        return -1;
    }
    if (password != NULL && !has_length(password, CERTSTORE_MAX_PRIVATE_KEY_PASSWORD_LEN)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, LARGE);
    settings_put_text(&call, identifier);
    settings_put_bytes(&call, cert, strnlen(cert, certLength));
    settings_put_bytes(&call, key, key == NULL ? 0 : strnlen(key, keyLength));
    settings_put_text(&call, password);
    return settings_end(&call, settings_send(&call, SETTINGS_CERTIFICATE_INSTALL));
}

int CertStore_InstallClientCertificate(const char *identifier, const char *certBlob, size_t certLength,
                                       const char *privateKeyBlob, size_t privateKeyLength,
                                       const char *privateKeyPassword)
{
    if (certBlob == NULL || privateKeyBlob == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (privateKeyLength == 0) {
        errno = EINVAL;
        return -1;
    }
    return install(identifier, certBlob, certLength, privateKeyBlob, privateKeyLength, privateKeyPassword);
}

int CertStore_InstallRootCACertificate(const char *identifier, const char *certBlob, size_t certLength)
{
    if (certBlob == NULL) {
        errno = EFAULT;
        return -1;
    }
    return install(identifier, certBlob, certLength, NULL, 0, NULL);
}

int CertStore_DeleteCertificate(const char *identifier)
{
    return is_identifier(identifier) ? settings_do(SETTINGS_CERTIFICATE_DELETE, identifier, 0, NULL) : -1;
}

int CertStore_MoveCertificate(const char *sourceIdentifier, const char *destinationIdentifier)
{
    if (!is_identifier(sourceIdentifier) || !is_identifier(destinationIdentifier)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put_text(&call, sourceIdentifier);
    settings_put_text(&call, destinationIdentifier);
    return settings_end(&call, settings_send(&call, SETTINGS_CERTIFICATE_MOVE));
}

ssize_t CertStore_GetCertificateCount(void)
{
    struct settings_call call;
    settings_begin(&call, SMALL);
    int result = settings_send(&call, SETTINGS_CERTIFICATE_LIST);
    return settings_end(&call, result == -1 ? -1 : (int)settings_get(&call));
}

int CertStore_GetCertificateIdentifierAt(size_t index, CertStore_Identifier *outIdentifier)
{
    if (outIdentifier == NULL) {
        errno = EFAULT;
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    int result = settings_send(&call, SETTINGS_CERTIFICATE_LIST);
    if (result == 0) {
        if (index >= settings_get(&call)) {
            errno = ERANGE;
            result = -1;
        }
        for (size_t at = 0; result == 0 && at <= index; at++) {
            settings_get_text(&call, outIdentifier->identifier, sizeof outIdentifier->identifier);
        }
    }
    return settings_end(&call, result);
}

ssize_t CertStore_GetAvailableSpace(void)
{
    struct settings_call call;
    settings_begin(&call, SMALL);
    int result = settings_send(&call, SETTINGS_CERTIFICATE_SPACE);
    return settings_end(&call, result == -1 ? -1 : (int)settings_get(&call));
}

static time_t get_seconds(struct settings_call *call)
{
    uint64_t low = settings_get(call);
    return (time_t)(low | (uint64_t)settings_get(call) << 32);
}

struct view {
    CertStore_SubjectName subject;
    CertStore_IssuerName issuer;
    time_t notBefore;
    time_t notAfter;
};

static int show(const char *identifier, const void *out, struct view *view)
{
    if (out == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (!is_identifier(identifier)) {
        return -1;
    }
    struct settings_call call;
    settings_begin(&call, SMALL);
    settings_put_text(&call, identifier);
    int result = settings_send(&call, SETTINGS_CERTIFICATE_SHOW);
    if (result == 0) {
        settings_get_text(&call, view->subject.name, sizeof view->subject.name);
        settings_get_text(&call, view->issuer.name, sizeof view->issuer.name);
        view->notBefore = get_seconds(&call);
        view->notAfter = get_seconds(&call);
    }
    return settings_end(&call, result);
}

int CertStore_GetCertificateSubjectName(const char *identifier, struct CertStore_SubjectName *outSubjectName)
{
    struct view view;
    int result = show(identifier, outSubjectName, &view);
    if (result == 0) {
        *outSubjectName = view.subject;
    }
    return result;
}

int CertStore_GetCertificateIssuerName(const char *identifier, struct CertStore_IssuerName *outIssuerName)
{
    struct view view;
    int result = show(identifier, outIssuerName, &view);
    if (result == 0) {
        *outIssuerName = view.issuer;
    }
    return result;
}

int CertStore_GetCertificateNotBefore(const char *identifier, struct tm *outNotBefore)
{
    struct view view;
    int result = show(identifier, outNotBefore, &view);
    if (result == 0) {
        gmtime_r(&view.notBefore, outNotBefore);
    }
    return result;
}

int CertStore_GetCertificateNotAfter(const char *identifier, struct tm *outNotAfter)
{
    struct view view;
    int result = show(identifier, outNotAfter, &view);
    if (result == 0) {
        gmtime_r(&view.notAfter, outNotAfter);
    }
    return result;
}

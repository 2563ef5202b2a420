/* Keeps a root certificate in the device's store, shows what it says and gives it another name (certstore.h). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <applibs/certstore.h>
#include <applibs/log.h>
#include <applibs/storage.h>

typedef enum { ExitCode_Success = 0, ExitCode_Resource = 1, ExitCode_Store = 2 } ExitCode;

static char pem[CERTSTORE_MAX_CERT_SIZE];

static ssize_t ReadCertificate(void)
{
    int fd = Storage_OpenFileInImagePackage("root.pem");
    if (fd == -1) {
        return -1;
    }
    ssize_t length = read(fd, pem, sizeof pem);
    close(fd);
    return length;
}

static void Show(const char *identifier)
{
    struct CertStore_SubjectName subject;
    struct tm notAfter;
    char date[32];
    if (CertStore_GetCertificateSubjectName(identifier, &subject) == -1 ||
        CertStore_GetCertificateNotAfter(identifier, &notAfter) == -1) {
        Log_Debug("%s: %s\n", identifier, strerror(errno));
        return;
    }
    strftime(date, sizeof date, "%Y-%m-%d", &notAfter);
    Log_Debug("%s: %s until %s\n", identifier, subject.name, date);
}

int main(void)
{
    ssize_t length = ReadCertificate();
    if (length == -1) {
        Log_Debug("root.pem: %s\n", strerror(errno));
        return ExitCode_Resource;
    }
    if (CertStore_InstallRootCACertificate("new-root", pem, (size_t)length) == -1) {
        Log_Debug("not installed: %s\n", strerror(errno));
        return ExitCode_Store;
    }
    Show("new-root");
    if (CertStore_MoveCertificate("new-root", "root") == -1) {
        Log_Debug("not moved: %s\n", strerror(errno));
        return ExitCode_Store;
    }
    Show("root");
    Show("new-root");
    Log_Debug("%d stored, room for %d bytes\n", (int)CertStore_GetCertificateCount(),
              (int)CertStore_GetAvailableSpace());
    return ExitCode_Success;
}

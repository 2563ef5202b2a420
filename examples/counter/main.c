/* Counts its own starts in the file that outlives them (storage.h). */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <applibs/log.h>
#include <applibs/storage.h>

typedef enum { ExitCode_Success = 0, ExitCode_Open = 1, ExitCode_Write = 2 } ExitCode;

int main(void)
{
    uint32_t starts = 0;
    int fd = Storage_OpenMutableFile();
    if (fd == -1) {
        Log_Debug("file: %s\n", strerror(errno));
        return ExitCode_Open;
    }
    if (read(fd, &starts, sizeof starts) != sizeof starts) {
        starts = 0;
    }
    starts += 1;
    if (lseek(fd, 0, SEEK_SET) == -1 || write(fd, &starts, sizeof starts) != sizeof starts) {
        Log_Debug("write: %s\n", strerror(errno));
        return ExitCode_Write;
    }
    close(fd);
    Log_Debug("start %u\n", (unsigned)starts);
    return ExitCode_Success;
}

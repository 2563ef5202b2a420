#include <applibs/storage.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

char *Storage_GetAbsolutePathInImagePackage(const char *relativePath)
{
    if (relativePath == NULL) {
        errno = EFAULT;
        return NULL;
    }
    if (relativePath[0] == '\0' || relativePath[0] == '/' || relativePath[0] == '.' ||
        strstr(relativePath, "..") != NULL) {
        errno = EINVAL;
        return NULL;
    }
    size_t length = strlen(relativePath);
    char *path = malloc(length + 2);
    if (path == NULL) {
        return NULL;
    }
    path[0] = '/';
    memcpy(path + 1, relativePath, length + 1);
    return path;
}

int Storage_OpenFileInImagePackage(const char *relativePath)
{
    char *path = Storage_GetAbsolutePathInImagePackage(relativePath);
    if (path == NULL) {
        return -1;
    }
    int fd = open(path, O_RDONLY);
    free(path);
    return fd;
}

int Storage_OpenMutableFile(void)
{
    int fd = -1;
    int error = host_mutable_open(&fd);
    return host_result(error, fd);
}

int Storage_DeleteMutableFile(void)
{
    return host_result(host_mutable_delete(), 0);
}

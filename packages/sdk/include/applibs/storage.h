/* Files of the image package (read only) and the application's one mutable file. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* The absolute path of a file in the image package; the caller frees it. Whether it exists is not checked.
 * NULL with errno EINVAL (starts with '/' or '.', or holds ".."), EFAULT or ENOMEM. */
char *Storage_GetAbsolutePathInImagePackage(const char *relativePath);

/* Opens a file of the image package for reading. -1 with errno EINVAL, EFAULT, ENOMEM or ENOENT. */
int Storage_OpenFileInImagePackage(const char *relativePath);

/* Opens the persistent file for reading and writing, made on first use; what write(2) acknowledged is in
 * flash. -1 with errno EACCES (no MutableStorage in the manifest) or EIO. Writes beyond the manifest's
 * SizeKB fail with EDQUOT. */
int Storage_OpenMutableFile(void);

/* Deletes the persistent file. -1 with errno EACCES, EIO, ENOENT, or EBUSY while it is open. */
int Storage_DeleteMutableFile(void);

#ifdef __cplusplus
}
#endif

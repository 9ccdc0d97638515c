/* A FUSE file system with two files that logs what happens to a disk. `disk` is the disk's image: each write and each
 * flush of it is logged in order. A write to `mark` puts a mark into the same log. Nothing is synced by itself.
 *
 *     blocklog MOUNTPOINT IMAGE LOG
 *
 * A record of the log: kind (w write, f flush, m mark), offset (8 bytes), length (4 bytes), data. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int image;
static FILE *history;

static void record(char kind, uint64_t offset, uint32_t length, const char *data) {
    if (fwrite(&kind, 1, 1, history) != 1 || fwrite(&offset, sizeof offset, 1, history) != 1 ||
        fwrite(&length, sizeof length, 1, history) != 1 || fwrite(data, 1, length, history) != length ||
        fflush(history) != 0)
        abort(); /* a log with a gap would be useless */
}

static int is_disk(const char *path) { return strcmp(path, "/disk") == 0; }
static int is_mark(const char *path) { return strcmp(path, "/mark") == 0; }

static int get_attributes(const char *path, struct stat *status, struct fuse_file_info *file) {
    (void)file;
    memset(status, 0, sizeof *status);
    if (is_disk(path))
        return fstat(image, status) == 0 ? 0 : -errno;
    status->st_nlink = 1;
    status->st_mode = is_mark(path) ? S_IFREG | 0600 : S_IFDIR | 0700;
    return is_mark(path) || strcmp(path, "/") == 0 ? 0 : -ENOENT;
}

static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
                enum fuse_readdir_flags flags) {
    (void)path, (void)offset, (void)file, (void)flags;
    fill(buffer, "disk", NULL, 0, 0);
    fill(buffer, "mark", NULL, 0, 0);
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *file) {
    file->direct_io = 1; /* bypass the page cache, or writes would arrive late */
    return is_disk(path) || is_mark(path) ? 0 : -ENOENT;
}

static int read_file(const char *path, char *data, size_t size, off_t offset, struct fuse_file_info *file) {
    (void)file;
    ssize_t done = is_disk(path) ? pread(image, data, size, offset) : 0;
    return done < 0 ? -errno : (int)done;
}

static int write_file(const char *path, const char *data, size_t size, off_t offset, struct fuse_file_info *file) {
    (void)file;
    if (is_disk(path) && pwrite(image, data, size, offset) != (ssize_t)size)
        return -EIO;
    record(is_disk(path) ? 'w' : 'm', (uint64_t)offset, (uint32_t)size, data);
    return (int)size;
}

static int sync_file(const char *path, int data_only, struct fuse_file_info *file) {
    (void)data_only, (void)file;
    if (is_disk(path))
        record('f', 0, 0, "");
    return 0;
}

static int truncate_file(const char *path, off_t size, struct fuse_file_info *file) {
    (void)size, (void)file;
    return is_mark(path) ? 0 : -EPERM;
}

static const struct fuse_operations operations = {
    .getattr = get_attributes,
    .readdir = list,
    .open = open_file,
    .read = read_file,
    .write = write_file,
    .fsync = sync_file,
    .truncate = truncate_file,
};

int main(int count, char **words) {
    if (count != 4) {
        fprintf(stderr, "usage: %s MOUNTPOINT IMAGE LOG\n", words[0]);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* end with the process that started this one */
    image = open(words[2], O_RDWR | O_CLOEXEC);
    history = fopen(words[3], "w");
    if (image < 0 || history == NULL) {
        perror(words[0]);
        return 1;
    }
    char *arguments[] = {words[0], "-f", "-s", words[1], NULL};
    return fuse_main(4, arguments, &operations, NULL);
}

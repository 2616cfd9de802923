/*
 * Lets programs for Linux's SCSI generic interface use a disk of an iSCSI target: preloaded, it
 * takes iscsi:// URLs for the names of devices, and performs SG_IO by libiscsi.
 *
 * Only version 3 of the interface is there, as it is for block devices, and CDBs of 16 bytes at
 * most, as libiscsi takes no longer ones.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <scsi/sg.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

enum { FILES = 64, DID_ERROR = 7, DRIVER_SENSE = 8 };

struct disk {
    struct iscsi_context *session;
    int lun;
};

static struct disk disks[FILES];

static struct disk *disk_of(int fd)
{
    return fd >= 0 && fd < FILES && disks[fd].session != NULL ? &disks[fd] : NULL;
}

/* Hears what the disk has to say of a power on; whether it is ready is for others to ask. */
static void hear(struct iscsi_context *session, int lun)
{
    int attention = 1;

    while (attention) {
        struct scsi_task *task = iscsi_testunitready_sync(session, lun);

        attention = task != NULL && task->status == SCSI_STATUS_CHECK_CONDITION &&
                    task->sense.key == SCSI_SENSE_UNIT_ATTENTION;
        if (task != NULL)
            scsi_free_scsi_task(task);
    }
}

/* Logs in; the number of a file that stands for the disk. */
static int log_in(const char *name)
{
    struct iscsi_context *session = iscsi_create_context("iqn.2025-12.test:generic");
    struct iscsi_url *url = iscsi_parse_full_url(session, name);
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int fd;

    if (url == NULL || iscsi_set_targetname(session, url->target) != 0 ||
        iscsi_set_session_type(session, ISCSI_SESSION_NORMAL) != 0 ||
        iscsi_connect_sync(session, url->portal) != 0 || iscsi_login_sync(session) != 0 ||
        (fd = real("/dev/null", O_RDWR)) < 0 || fd >= FILES) {
        fprintf(stderr, "%s: %s\n", name, iscsi_get_error(session));
        iscsi_destroy_context(session);
        errno = ENODEV;
        return -1;
    }
    hear(session, url->lun);
    disks[fd].session = session;
    disks[fd].lun = url->lun;
    iscsi_destroy_url(url);
    return fd;
}

static int open_by(const char *function, const char *name, int flags, mode_t mode)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, function);

    return strncmp(name, "iscsi://", 8) == 0 ? log_in(name) : real(name, flags, mode);
}

int open(const char *name, int flags, ...)
{
    va_list rest;
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    return open_by("open", name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
    va_list rest;
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    return open_by("open64", name, flags, mode);
}

int __open_2(const char *name, int flags)
{
    return open_by("__open_2", name, flags, 0);
}

int __open64_2(const char *name, int flags)
{
    return open_by("__open64_2", name, flags, 0);
}

int close(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    struct disk *disk = disk_of(fd);

    if (disk != NULL) {
        struct iscsi_context *session = disk->session;

        disk->session = NULL;
        iscsi_logout_sync(session);
        iscsi_destroy_context(session);
    }
    return real(fd);
}

static int smaller(int left, int right)
{
    return left < right ? left : right;
}

static void take_answer(struct sg_io_hdr *header, struct scsi_task *task)
{
    int length = 0;

    header->status = task->status;
    header->masked_status = task->status >> 1;
    if (task->status == SCSI_STATUS_CHECK_CONDITION) {
        /* Sense data follow their length, as in the PDU that they came in. */
        length = smaller(task->datain.size - 2, header->mx_sb_len);
        if (length > 0 && header->sbp != NULL) {
            memcpy(header->sbp, task->datain.data + 2, length);
            header->sb_len_wr = length;
            header->driver_status = DRIVER_SENSE;
        }
        length = 0;
    } else if (header->dxfer_direction == SG_DXFER_FROM_DEV) {
        length = smaller(task->datain.size, header->dxfer_len);
        memcpy(header->dxferp, task->datain.data, length);
    } else if (task->residual_status == SCSI_RESIDUAL_NO_RESIDUAL) {
        length = header->dxfer_len;
    } else {
        length = header->dxfer_len - task->residual;
    }
    header->resid = header->dxfer_len - length;
    if (task->status != SCSI_STATUS_GOOD)
        header->info |= SG_INFO_CHECK;
}

static int perform(struct disk *disk, struct sg_io_hdr *header)
{
    struct iscsi_data data = { header->dxfer_len, header->dxferp };
    int writes = header->dxfer_direction == SG_DXFER_TO_DEV;
    int reads = header->dxfer_direction == SG_DXFER_FROM_DEV;
    struct scsi_task *task;

    if (header->interface_id != 'S' || header->cmd_len > 16 || header->iovec_count != 0) {
        errno = EINVAL;
        return -1;
    }
    header->status = header->masked_status = header->msg_status = header->sb_len_wr = 0;
    header->host_status = header->driver_status = header->resid = header->info = 0;
    task = scsi_create_task(header->cmd_len, header->cmdp,
                            writes ? SCSI_XFER_WRITE : reads ? SCSI_XFER_READ : SCSI_XFER_NONE,
                            writes || reads ? header->dxfer_len : 0);
    if (task == NULL || iscsi_scsi_command_sync(disk->session, disk->lun, task,
                                                writes ? &data : NULL) == NULL) {
        header->host_status = DID_ERROR;
        header->info |= SG_INFO_CHECK;
    } else {
        take_answer(header, task);
    }
    if (task != NULL)
        scsi_free_scsi_task(task);
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    struct disk *disk = disk_of(fd);
    va_list rest;
    void *argument;

    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    return disk != NULL && request == SG_IO ? perform(disk, argument)
                                            : real(fd, request, argument);
}

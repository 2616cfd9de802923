/* A load through libiscsi's asynchronous interface: one thread, any number of sessions. */
#define _GNU_SOURCE
#include "load.h"

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BLOCK = 512, TRIES = 10, LONGEST = 120 };

struct session {
    struct iscsi_context *iscsi;
    struct slot *first;
    struct scsi_iovec *pieces;
    bool full;           /* the socket takes no more: epoll tells when it does */
    bool dirty;          /* something is queued */
};

static struct load load;
static struct session *sessions;
static int queue;

static void issue(struct session *session, struct slot *slot);

static void completed(struct iscsi_context *iscsi, int status, void *command, void *owner)
{
    struct slot *slot = owner;
    struct session *session = slot->owner;

    if (status != SCSI_STATUS_GOOD)
        fail("a command failed with status 0x%x: %s", status, iscsi_get_error(iscsi));
    scsi_free_scsi_task(command);
    load_done(&load, slot);
    issue(session, slot);
}

static void issue(struct session *session, struct slot *slot)
{
    struct scsi_iovec *piece = &session->pieces[slot - session->first];
    uint32_t size = (uint32_t)load.options.size, lba;
    struct scsi_task *task;

    if (!load_next(&load, slot))
        return;
    lba = (uint32_t)(slot->offset / BLOCK);
    *piece = (struct scsi_iovec){slot->data, size};
    if (slot->write)
        task = iscsi_write10_iov_task(session->iscsi, load.options.lun, lba, NULL, size, BLOCK, 0,
                                      0, 0, 0, 0, completed, slot, piece, 1);
    else
        task = iscsi_read10_iov_task(session->iscsi, load.options.lun, lba, size, BLOCK, 0, 0, 0, 0,
                                     0, completed, slot, piece, 1);
    if (!task)
        fail("cannot queue a command: %s", iscsi_get_error(session->iscsi));
    session->dirty = true;
}

static struct iscsi_context *log_in(int number, bool persistent)
{
    char name[64], portal[128];
    struct iscsi_context *iscsi = NULL;
    uint64_t until = now_ns() + LONGEST * 1000000000ull;

    snprintf(name, sizeof name, "iqn.2025-12.local:load.%d.%d", getpid(), number);
    snprintf(portal, sizeof portal, "%s:%s", load.options.host, load.options.port);
    for (;;) {
        iscsi = iscsi_create_context(name);
        if (!iscsi)
            fail("out of memory");
        iscsi_set_noautoreconnect(iscsi, 1);
        iscsi_set_targetname(iscsi, load.options.target);
        iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
        iscsi_set_header_digest(iscsi, ISCSI_HEADER_DIGEST_NONE);
        if (!iscsi_connect_sync(iscsi, portal) && !iscsi_login_sync(iscsi))
            return iscsi;
        if (!persistent || now_ns() > until)
            fail("cannot log in to %s: %s", portal, iscsi_get_error(iscsi));
        iscsi_destroy_context(iscsi);
        usleep(1000);
    }
}

/* Takes the unit attentions of a new nexus away. */
static void wait_until_ready(struct iscsi_context *iscsi)
{
    for (int attempt = 0; attempt < TRIES; attempt++) {
        struct scsi_task *task = iscsi_testunitready_sync(iscsi, load.options.lun);
        int status = task ? task->status : -1;

        if (task)
            scsi_free_scsi_task(task);
        if (status == SCSI_STATUS_GOOD)
            return;
        if (status != SCSI_STATUS_CHECK_CONDITION)
            break;
    }
    fail("the unit is not ready: %s", iscsi_get_error(iscsi));
}

static void service(struct session *session, int events)
{
    if (iscsi_service(session->iscsi, events) < 0)
        fail("the session was lost: %s", iscsi_get_error(session->iscsi));
}

/* Sends what is queued, and asks epoll to tell when the rest can be sent. */
static void flush(struct session *session)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    bool full;

    if (session->dirty && iscsi_which_events(session->iscsi) & POLLOUT)
        service(session, POLLOUT);
    session->dirty = false;
    full = iscsi_which_events(session->iscsi) & POLLOUT;
    if (full == session->full)
        return;
    session->full = full;
    event.events |= full ? (unsigned)EPOLLOUT : 0;
    epoll_ctl(queue, EPOLL_CTL_MOD, iscsi_get_fd(session->iscsi), &event);
}

static double log_in_all(void)
{
    uint64_t start = now_ns();
    double seconds;

    queue = epoll_create1(0);
    sessions = calloc((size_t)load.options.sessions, sizeof *sessions);
    for (int number = 0; number < load.options.sessions; number++)
        sessions[number].iscsi = log_in(number, false);
    seconds = (double)(now_ns() - start) / 1e9;
    for (int number = 0; number < load.options.sessions; number++) {
        struct session *session = &sessions[number];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};

        wait_until_ready(session->iscsi);
        session->first = &load.slots[number * load.options.depth];
        session->pieces = calloc((size_t)load.options.depth, sizeof *session->pieces);
        epoll_ctl(queue, EPOLL_CTL_ADD, iscsi_get_fd(session->iscsi), &event);
    }
    return seconds;
}

static void turn(int timeout)
{
    struct epoll_event events[64];
    int count = epoll_wait(queue, events, 64, timeout);

    if (count == 0 && timeout > 1000)
        fail("nothing was answered for %d ms", timeout);
    for (int number = 0; number < count; number++) {
        struct session *session = events[number].data.ptr;

        session->dirty = session->dirty || events[number].events & EPOLLOUT;
        if (events[number].events & ~(unsigned)EPOLLOUT)
            service(session, POLLIN);
        flush(session);
    }
}

static void run(void)
{
    double login = log_in_all();

    for (int number = 0; number < load.slot_count; number++) {
        load.slots[number].owner = &sessions[number / load.options.depth];
        issue(load.slots[number].owner, &load.slots[number]);
    }
    for (int number = 0; number < load.options.sessions; number++)
        flush(&sessions[number]);
    load_open_clock(&load);
    while (!load_ended(&load))
        turn(10000);
    load_print(&load, login);
}

/* Logs in, says so, and keeps quiet until standard input ends. */
static void be_idle(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    uint64_t until = now_ns() + LONGEST * 1000000000ull;

    printf("{\"login_ms\": %.3f}\n", log_in_all() * 1e3);
    fflush(stdout);
    while (now_ns() < until && poll(&input, 1, 0) == 0)
        turn(100);
}

/* Logs in so many times, one after the other. */
static void log_in_often(void)
{
    load.options.seconds = 0;
    for (long number = 0; number < load.options.operations; number++) {
        uint64_t start = now_ns();
        struct iscsi_context *iscsi = log_in((int)number, false);

        load_note(&load, now_ns() - start);
        iscsi_logout_sync(iscsi);
        iscsi_destroy_context(iscsi);
    }
    load_print(&load, 0);
}

/* Tries until a block has been read, and tells when that was on the monotonic clock. */
static void read_first(void)
{
    struct iscsi_context *iscsi = log_in(0, true);
    struct scsi_task *task;
    double login = (double)now_ns() / 1e9;

    wait_until_ready(iscsi);
    task = iscsi_read10_sync(iscsi, load.options.lun, 0, BLOCK, BLOCK, 0, 0, 0, 0, 0);
    if (!task || task->status != SCSI_STATUS_GOOD)
        fail("cannot read: %s", iscsi_get_error(iscsi));
    printf("{\"login\": %.6f, \"read\": %.6f}\n", login, (double)now_ns() / 1e9);
}

int main(int argc, char **argv)
{
    load_start(&load, read_options(argc, argv));
    if (!strcmp(load.options.mode, "idle"))
        be_idle();
    else if (!strcmp(load.options.mode, "login"))
        log_in_often();
    else if (!strcmp(load.options.mode, "first"))
        read_first();
    else
        run();
    return 0;
}

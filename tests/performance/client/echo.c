/* The physical limit: requests and replies of a load's shape over TCP, and nothing else.
 *
 * A header of 48 bytes says how many bytes follow it and how many are to follow the reply's.
 * `echo serve` prints its port and serves until standard input ends; else it is the client.
 */
#define _GNU_SOURCE
#include "link.h"
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 48, LARGEST = 4 << 20 };

struct header {
    uint32_t follows, replied, slot;
    unsigned char rest[HEADER - 12];
};

struct end {
    struct link link;
    struct slot *first;
    struct header header;     /* of what is being received */
    size_t missing;           /* bytes that still follow it */
    bool begun;
};

static struct load load;
static unsigned char *filler;

static void put(struct link *link, uint32_t follows, uint32_t replied, uint32_t slot)
{
    struct header *header = (struct header *)link_scratch(link);

    header->follows = follows;
    header->replied = replied;
    header->slot = slot;
    link_put(link, header, HEADER);
    if (follows)
        link_put(link, filler, follows);
}

/* Takes a message, header and all that follows; false: it is not complete. */
static bool take(struct end *end)
{
    struct link *link = &end->link;
    size_t there;

    if (!end->begun) {
        if (link->end - link->begin < HEADER)
            return false;
        memcpy(&end->header, link->in + link->begin, HEADER);
        link->begin += HEADER;
        end->missing = end->header.follows;
        end->begun = true;
    }
    there = link->end - link->begin;
    if (there > end->missing)
        there = end->missing;
    link->begin += there;
    end->missing -= there;
    end->begun = end->missing > 0;
    return !end->begun;
}

static void answer(struct link *link)
{
    struct end *end = link->owner;

    while (take(end)) {
        if (end->header.replied > LARGEST)
            fail("a reply of %u bytes is wanted", end->header.replied);
        put(link, end->header.replied, 0, end->header.slot);
    }
}

static void issue(struct end *end, struct slot *slot)
{
    uint32_t size = (uint32_t)load.options.size;

    if (load_next(&load, slot))
        put(&end->link, slot->write ? size : 0, slot->write ? 0 : size,
            (uint32_t)(slot - end->first));
}

static void hear_answer(struct link *link)
{
    struct end *end = link->owner;

    while (take(end)) {
        struct slot *slot = &end->first[end->header.slot];

        load_done(&load, slot);
        issue(end, slot);
    }
}

static void drive(void)
{
    struct end *ends = calloc((size_t)load.options.sessions, sizeof *ends);
    int loop = loop_new();

    for (int number = 0; number < load.options.sessions; number++) {
        struct end *end = &ends[number];

        link_connect(&end->link, load.options.host, load.options.port, end);
        end->first = &load.slots[number * load.options.depth];
        for (int slot = 0; slot < load.options.depth; slot++)
            issue(end, &end->first[slot]);
    }
    load_open_clock(&load);
    for (int number = 0; number < load.options.sessions; number++) {
        link_flush(&ends[number].link);
        loop_add(loop, &ends[number].link);
    }
    while (!load_ended(&load))
        loop_turn(loop, hear_answer);
    load_print(&load, 0);
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        fail("cannot listen: %s", strerror(errno));
    printf("ready: %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void welcome(int loop, int listener)
{
    struct end *end = calloc(1, sizeof *end);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (!end || fd < 0)
        fail("cannot accept: %s", strerror(errno));
    link_open(&end->link, fd, end);
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

/* As loop_turn, but for a server: links come and go. */
static void attend(int loop, struct end *end, unsigned events)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};
    bool full = end->link.full;

    if (events & ~(unsigned)EPOLLOUT) {
        if (!link_fill(&end->link)) {
            link_close(&end->link);
            free(end);
            return;
        }
        answer(&end->link);
    }
    link_flush(&end->link);
    if (end->link.full == full)
        return;
    event.events |= full ? 0 : (unsigned)EPOLLOUT;
    epoll_ctl(loop, EPOLL_CTL_MOD, end->link.fd, &event);
}

static void serve(void)
{
    static int listener, input = STDIN_FILENO;
    struct epoll_event events[64], event = {.events = EPOLLIN, .data.ptr = &listener};
    int loop = loop_new();

    listener = listen_somewhere();
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &input;
    epoll_ctl(loop, EPOLL_CTL_ADD, input, &event);
    for (;;) {
        int count = epoll_wait(loop, events, 64, -1);

        for (int number = 0; number < count; number++) {
            void *what = events[number].data.ptr;

            if (what == &input)
                return;
            if (what == &listener)
                welcome(loop, listener);
            else
                attend(loop, what, events[number].events);
        }
    }
}

int main(int argc, char **argv)
{
    filler = calloc(1, LARGEST);
    if (argc > 1 && !strcmp(argv[1], "serve")) {
        serve();
        return 0;
    }
    load_start(&load, read_options(argc, argv));
    drive();
    return 0;
}

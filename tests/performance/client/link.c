#define _GNU_SOURCE
#include "link.h"
#include "load.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 640 << 10, LOW = 128 << 10, PIECES = 8192, MOST = 1000, TIMEOUT = 10000 };

void link_open(struct link *link, int fd, void *owner)
{
    int one = 1;

    memset(link, 0, sizeof *link);
    link->fd = fd;
    link->owner = owner;
    link->in = malloc(ROOM);
    link->out = malloc(PIECES * sizeof *link->out);
    link->scratch = malloc(PIECES * SCRATCH);
    if (!link->in || !link->out || !link->scratch)
        fail("out of memory");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void link_connect(struct link *link, const char *host, const char *port, void *owner)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
    int fd;

    if (getaddrinfo(host, port, &hints, &found))
        fail("no such address: %s port %s", host, port);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
        fail("cannot connect to %s port %s: %s", host, port, strerror(errno));
    freeaddrinfo(found);
    link_open(link, fd, owner);
}

void link_close(struct link *link)
{
    close(link->fd);
    free(link->in);
    free(link->out);
    free(link->scratch);
}

unsigned char *link_scratch(struct link *link)
{
    unsigned char *scratch = link->scratch + link->used++ % PIECES * SCRATCH;

    memset(scratch, 0, SCRATCH);
    return scratch;
}

void link_put(struct link *link, const void *data, size_t size)
{
    if (link->last == PIECES) {
        memmove(link->out, link->out + link->first,
                (link->last - link->first) * sizeof *link->out);
        link->last -= link->first;
        link->first = 0;
        if (link->last == PIECES)
            fail("too much is queued");
    }
    link->out[link->last++] = (struct iovec){(void *)data, size};
}

static void sent(struct link *link, size_t size)
{
    while (size) {
        struct iovec *piece = &link->out[link->first];

        if (size < piece->iov_len) {
            piece->iov_base = (char *)piece->iov_base + size;
            piece->iov_len -= size;
            return;
        }
        size -= piece->iov_len;
        link->first++;
    }
}

void link_flush(struct link *link)
{
    link->full = false;
    while (link->first < link->last) {
        size_t count = link->last - link->first;
        struct msghdr message = {.msg_iov = link->out + link->first,
                                 .msg_iovlen = count < MOST ? count : MOST};
        ssize_t size = sendmsg(link->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (size < 0 && errno == EAGAIN) {
            link->full = true;
            return;
        }
        if (size < 0)
            fail("cannot send: %s", strerror(errno));
        sent(link, (size_t)size);
    }
    link->first = link->last = 0;
}

bool link_fill(struct link *link)
{
    ssize_t size;

    if (link->begin == link->end)
        link->begin = link->end = 0;
    if (ROOM - link->end < LOW) {
        memmove(link->in, link->in + link->begin, link->end - link->begin);
        link->end -= link->begin;
        link->begin = 0;
    }
    size = recv(link->fd, link->in + link->end, ROOM - link->end, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return true;
    if (size <= 0)
        return false;
    link->end += (size_t)size;
    return true;
}

void link_wait(struct link *link)
{
    struct pollfd wanted = {.fd = link->fd, .events = POLLIN | (link->full ? POLLOUT : 0)};

    if (poll(&wanted, 1, TIMEOUT) != 1)
        fail("nothing was answered for %d ms", TIMEOUT);
}

int loop_new(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

static void ask(int loop, int how, struct link *link)
{
    struct epoll_event event = {.events = EPOLLIN | (link->full ? (unsigned)EPOLLOUT : 0),
                                .data.ptr = link};

    epoll_ctl(loop, how, link->fd, &event);
}

void loop_add(int loop, struct link *link)
{
    ask(loop, EPOLL_CTL_ADD, link);
}

void loop_turn(int loop, heard *heard)
{
    struct epoll_event events[64];
    int count = epoll_wait(loop, events, 64, TIMEOUT);

    if (count == 0)
        fail("nothing was answered for %d ms", TIMEOUT);
    for (int number = 0; number < count; number++) {
        struct link *link = events[number].data.ptr;
        bool full = link->full;

        if (events[number].events & ~(unsigned)EPOLLOUT) {
            if (!link_fill(link))
                fail("the connection was closed");
            heard(link);
        }
        link_flush(link);
        if (link->full != full)
            ask(loop, EPOLL_CTL_MOD, link);
    }
}

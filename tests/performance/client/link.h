/* One non-blocking TCP connection: gathered sends, and a buffer for what is received. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

enum { SCRATCH = 64 };

struct link {
    int fd;
    bool full;                /* the socket takes no more */
    unsigned char *in;        /* what was received lies between begin and end */
    size_t begin, end;
    struct iovec *out;        /* what is to be sent lies between first and last */
    size_t first, last;
    unsigned char *scratch;
    size_t used;
    void *owner;
};

/* Called when something was received; takes what it can, moving `begin`. */
typedef void heard(struct link *link);

void link_open(struct link *link, int fd, void *owner);
void link_connect(struct link *link, const char *host, const char *port, void *owner);
void link_close(struct link *link);
/* Bytes for a header; they stay as they are until they are sent. */
unsigned char *link_scratch(struct link *link);
/* Queue bytes, which have to stay as they are until they are sent. */
void link_put(struct link *link, const void *data, size_t size);
/* Sends what the socket takes. */
void link_flush(struct link *link);
/* Receives once; false: the peer has closed the connection. */
bool link_fill(struct link *link);
/* Waits (blocking) until there is something to receive or room to send. */
void link_wait(struct link *link);

/* One epoll for many links. */
int loop_new(void);
void loop_add(int loop, struct link *link);
/* One wait; what is received goes to `heard`, and what that queues is sent. */
void loop_turn(int loop, heard *heard);

#endif

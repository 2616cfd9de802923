/* A load: which operation comes next, how long each took, what to say at the end.
 *
 * A client owns slots (sessions x depth), each with one operation under way.  Every slot first
 * writes a pattern and reads it back a few times; when all have found what they wrote and some time
 * has passed, the window opens in which operations are counted.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
    const char *host, *port, *target;
    int lun;
    int sessions, depth, size;
    int reads;           /* per cent of the operations */
    bool sequential;
    bool digests;
    bool verify;
    double warm, seconds;
    long operations;     /* stop after so many instead; 0: by time */
    uint64_t span;       /* bytes of the disk that are used */
    int server;          /* the process whose CPU time is counted; 0: none */
    const char *mode;    /* what else than a load: "idle", "login" or "first" */
};

struct slot {
    int number;
    int done;            /* operations so far */
    bool write;
    bool checked;        /* part of the verification */
    uint64_t offset;
    uint64_t start;      /* ns */
    unsigned char *data;
    void *owner;
};

struct load {
    struct options options;
    struct slot *slots;
    int slot_count;
    int unverified;      /* slots that are not done with it */
    int outstanding;
    uint64_t opens, closes, opened, closed;
    uint64_t cpu, own_cpu;   /* ns, at the opening and then in the window */
    uint64_t random, next;
    long issued;
    uint32_t *latencies; /* ns */
    size_t count, room;
    bool stopping;
};

struct options read_options(int argc, char **argv);
void load_start(struct load *load, struct options options);
/* The time of warming up begins; it begins again when all slots have verified. */
void load_open_clock(struct load *load);
/* Fills in the slot's next operation and counts it as under way; false: there is none. */
bool load_next(struct load *load, struct slot *slot);
/* The slot's operation has ended well; a slot that read has the data in `data`. */
void load_done(struct load *load, struct slot *slot);
/* Notes a latency in nanoseconds. */
void load_note(struct load *load, uint64_t latency);
/* Whether data that are received will be compared. */
bool load_compares(const struct slot *slot);
/* True when nothing is under way and nothing will be. */
bool load_ended(const struct load *load);
/* Prints one line of JSON.  `login`: seconds that it took to log in all sessions. */
void load_print(struct load *load, double login);

uint64_t now_ns(void);
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif

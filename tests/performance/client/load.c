#define _GNU_SOURCE
#include "load.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VERIFICATIONS = 2 };

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time))
        return 0;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* The user and system time of all threads of a process, those that have ended included. */
static uint64_t cpu_of(int process)
{
    clockid_t clock;

    if (!process || clock_getcpuclockid(process, &clock))
        return 0;
    return read_clock(clock);
}

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

struct options read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"host", 1, 0, 'h'},     {"port", 1, 0, 'p'},       {"target", 1, 0, 't'},
        {"lun", 1, 0, 'l'},      {"sessions", 1, 0, 's'},   {"depth", 1, 0, 'd'},
        {"size", 1, 0, 'b'},     {"reads", 1, 0, 'r'},      {"sequential", 0, 0, 'q'},
        {"digests", 0, 0, 'g'},  {"verify", 0, 0, 'v'},     {"warm", 1, 0, 'w'},
        {"seconds", 1, 0, 'n'},  {"operations", 1, 0, 'o'}, {"span", 1, 0, 'S'},
        {"server", 1, 0, 'P'},   {"mode", 1, 0, 'm'},       {0, 0, 0, 0},
    };
    struct options options = {
        .host = "127.0.0.1", .port = "3260", .target = "", .sessions = 1, .depth = 1,
        .size = 4096, .reads = 100, .warm = 0.1, .seconds = 1, .span = 256 << 20, .mode = "load",
    };
    int name;

    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 'h': options.host = optarg; break;
        case 'p': options.port = optarg; break;
        case 't': options.target = optarg; break;
        case 'l': options.lun = atoi(optarg); break;
        case 's': options.sessions = atoi(optarg); break;
        case 'd': options.depth = atoi(optarg); break;
        case 'b': options.size = atoi(optarg); break;
        case 'r': options.reads = atoi(optarg); break;
        case 'q': options.sequential = true; break;
        case 'g': options.digests = true; break;
        case 'v': options.verify = true; break;
        case 'w': options.warm = atof(optarg); break;
        case 'n': options.seconds = atof(optarg); break;
        case 'o': options.operations = atol(optarg); break;
        case 'S': options.span = strtoull(optarg, NULL, 10); break;
        case 'P': options.server = atoi(optarg); break;
        case 'm': options.mode = optarg; break;
        default: exit(2);
        }
    }
    if (options.sessions < 1 || options.depth < 1 || options.size < 512 || options.size % 512)
        fail("sessions, depth and size have to be positive, and size whole blocks");
    if ((uint64_t)options.size * options.sessions * options.depth > options.span)
        fail("the span is too small for so many operations at once");
    return options;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory)
        fail("out of memory");
    return memory;
}

/* A pattern that tells the slot and the turn; cheap enough for a load generator. */
static uint64_t pattern(const struct slot *slot, size_t place)
{
    return 1ull << 63 | (uint64_t)slot->number << 40 | (uint64_t)(slot->done / 2) << 32 | place;
}

static void fill(struct slot *slot, size_t size)
{
    uint64_t *words = (uint64_t *)slot->data;

    for (size_t place = 0; place < size / 8; place++)
        words[place] = pattern(slot, place);
}

static void compare(const struct slot *slot, size_t size)
{
    const uint64_t *words = (const uint64_t *)slot->data;

    for (size_t place = 0; place < size / 8; place++)
        if (words[place] != pattern(slot, place))
            fail("verification failed: byte %zu of %zu at offset %llu is wrong", place * 8, size,
                 (unsigned long long)slot->offset);
}

void load_open_clock(struct load *load)
{
    load->opens = now_ns() + (uint64_t)(load->options.warm * 1e9);
    load->closes = load->opens + (uint64_t)(load->options.seconds * 1e9);
}

void load_start(struct load *load, struct options options)
{
    memset(load, 0, sizeof *load);
    load->options = options;
    load->random = 88172645463325252u;
    load->slot_count = options.sessions * options.depth;
    load->slots = allocate(load->slot_count, sizeof *load->slots);
    for (int number = 0; number < load->slot_count; number++) {
        load->slots[number].number = number;
        load->slots[number].data = aligned_alloc(4096, (size_t)(options.size + 4095) / 4096 * 4096);
        if (!load->slots[number].data)
            fail("out of memory");
        memset(load->slots[number].data, 0x5a, (size_t)options.size);
    }
    load->room = 1 << 16;
    load->latencies = allocate(load->room, sizeof *load->latencies);
    load->unverified = options.verify ? load->slot_count : 0;
}

bool load_compares(const struct slot *slot)
{
    return slot->checked && !slot->write;
}

static uint64_t offset_of(struct load *load, const struct slot *slot)
{
    uint64_t places = load->options.span / (uint64_t)load->options.size, place;

    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    if (load->unverified)
        place = (uint64_t)slot->number; /* nobody writes where another one verifies */
    else if (load->options.sequential)
        place = load->next++;
    else
        place = load->random >> 20;
    return place % places * (uint64_t)load->options.size;
}

bool load_next(struct load *load, struct slot *slot)
{
    const struct options *options = &load->options;

    if (options->operations && load->issued >= options->operations)
        load->stopping = true;
    if (load->stopping)
        return false;
    slot->checked = options->verify && slot->done < 2 * VERIFICATIONS;
    slot->offset = offset_of(load, slot);
    if (slot->checked) {
        slot->write = slot->done % 2 == 0;
        if (slot->write)
            fill(slot, (size_t)options->size);
        else
            memset(slot->data, 0, (size_t)options->size);
    } else if (load->unverified)
        slot->write = false;
    else if (options->reads == 0 || options->reads == 100)
        slot->write = options->reads == 0;
    else
        slot->write = (int)(load->random >> 33) % 100 >= options->reads;
    load->issued++;
    load->outstanding++;
    slot->start = now_ns();
    return true;
}

void load_note(struct load *load, uint64_t latency)
{
    if (load->count == load->room) {
        load->room *= 2;
        load->latencies = realloc(load->latencies, load->room * sizeof *load->latencies);
        if (!load->latencies)
            fail("out of memory");
    }
    load->latencies[load->count++] = latency < UINT32_MAX ? (uint32_t)latency : UINT32_MAX;
}

static void watch_window(struct load *load, uint64_t now)
{
    if (!load->opened) {
        load->opened = now;
        load->cpu = cpu_of(load->options.server);
        load->own_cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    } else if (now >= load->closes && !load->options.operations) {
        load->closed = now;
        load->cpu = cpu_of(load->options.server) - load->cpu;
        load->own_cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - load->own_cpu;
        load->stopping = true;
    }
}

void load_done(struct load *load, struct slot *slot)
{
    uint64_t now = now_ns();

    load->outstanding--;
    if (load_compares(slot))
        compare(slot, (size_t)load->options.size);
    slot->done++;
    if (slot->checked && slot->done == 2 * VERIFICATIONS && --load->unverified == 0)
        load_open_clock(load);
    if (load->unverified || !load->opens || now < load->opens || load->closed)
        return;
    if (load->opened)
        load_note(load, now - slot->start);
    watch_window(load, now);
}

bool load_ended(const struct load *load)
{
    return load->stopping && load->outstanding == 0;
}

static int by_value(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

    return (a > b) - (a < b);
}

static double percentile(const struct load *load, double part)
{
    return load->count ? load->latencies[(size_t)((double)(load->count - 1) * part)] / 1e3 : 0;
}

void load_print(struct load *load, double login)
{
    double seconds = (double)(load->closed - load->opened) / 1e9;
    double count = load->count ? (double)load->count : 1;

    if (!load->closed)
        seconds = 0;
    qsort(load->latencies, load->count, sizeof *load->latencies, by_value);
    printf("{\"operations\": %zu, \"seconds\": %.6f, \"iops\": %.1f, \"p50_us\": %.2f, "
           "\"p99_us\": %.2f, \"max_us\": %.2f, \"server_cpu_us\": %.4f, \"client_cpu_us\": %.4f, "
           "\"login_ms\": %.3f}\n",
           load->count, seconds, seconds > 0 ? (double)load->count / seconds : 0,
           percentile(load, 0.5), percentile(load, 0.99), percentile(load, 1),
           load->closed ? (double)load->cpu / 1e3 / count : 0,
           load->closed ? (double)load->own_cpu / 1e3 / count : 0, login * 1e3);
    fflush(stdout);
}

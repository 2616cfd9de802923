/* A load of READ(10) and WRITE(10), with both digests if wanted, batched as far as possible.
 *
 * libiscsi 1.19 knows no data digests.  A load generator should cost little, so the digest of the
 * data that are written is computed once for each length, and of the data that are read every
 * sixteenth is checked (all of them while the target is verified).
 */
#define _GNU_SOURCE
#include "digest.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

enum {
    COMMAND = 0x01, DATA_OUT = 0x05, NOP_OUT = 0x00,
    NOP_IN = 0x20, RESPONSE = 0x21, DATA_IN = 0x25, R2T = 0x31, EVENT = 0x32,
    FINAL = 0x80, BLOCK = 512, SAMPLE = 16, KNOWN = 8,
};

static struct load load;
static unsigned char *filler;

static uint32_t digest_of(const struct slot *slot, const unsigned char *data, uint32_t size)
{
    static struct { uint32_t size, digest; } known[KNOWN];
    static int next;

    if (!load.options.digests)
        return 0;
    if (slot->checked)
        return crc32c(data, size);
    for (int place = 0; place < KNOWN; place++)
        if (known[place].size == size)
            return known[place].digest;
    known[next % KNOWN].size = size;
    known[next % KNOWN].digest = crc32c(filler, size); /* the same everywhere */
    return known[next++ % KNOWN].digest;
}

static const unsigned char *data_of(const struct slot *slot, uint32_t offset)
{
    return (slot->checked ? slot->data : filler) + offset;
}

/* Data-Out PDUs for one R2T, or for the unsolicited data. */
static void send_data(struct session *session, struct slot *slot, uint32_t ttt, uint32_t offset,
                      uint32_t length)
{
    for (uint32_t number = 0; length; number++) {
        uint32_t size = length < session->segment ? length : session->segment;
        const unsigned char *data = data_of(slot, offset);
        unsigned char *header = new_header(session, DATA_OUT, size == length ? FINAL : 0,
                                           (uint32_t)(slot - session->first));

        put_lun(header, load.options.lun);
        put32(header + 20, ttt);
        put32(header + 36, number);
        put32(header + 40, offset);
        put_pdu(session, header, data, size, digest_of(slot, data, size));
        offset += size;
        length -= size;
    }
}

static uint32_t least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static void send_command(struct session *session, struct slot *slot)
{
    uint32_t size = (uint32_t)load.options.size, immediate = 0, unsolicited = 0;
    unsigned char *header;

    if (slot->write) {
        unsolicited = least(size, session->first_burst);
        if (session->immediate_data)
            immediate = least(unsolicited, session->segment);
        if (session->initial_r2t)
            unsolicited = immediate;
    }
    header = new_header(session, COMMAND,
                        (unsolicited > immediate ? 0 : FINAL) | (slot->write ? 0x20 : 0x40) | 1,
                        (uint32_t)(slot - session->first));
    put_lun(header, load.options.lun);
    put32(header + 20, size);
    put32(header + 24, session->cmd_sn++);
    header[32] = slot->write ? 0x2a : 0x28;
    put32(header + 34, (uint32_t)(slot->offset / BLOCK));
    header[39] = (unsigned char)(size / BLOCK >> 8);
    header[40] = (unsigned char)(size / BLOCK);
    put_pdu(session, header, data_of(slot, 0), immediate,
            immediate ? digest_of(slot, data_of(slot, 0), immediate) : 0);
    if (unsolicited > immediate)
        send_data(session, slot, 0xffffffff, immediate, unsolicited - immediate);
}

static bool window_is_open(const struct session *session)
{
    return (int32_t)(session->max_cmd_sn - session->cmd_sn) >= 0;
}

static void issue(struct session *session, struct slot *slot)
{
    if (!load_next(&load, slot))
        return;
    if (session->waiting || !window_is_open(session)) {
        session->waits[slot - session->first] = true;
        session->waiting++;
    } else
        send_command(session, slot);
}

static void issue_waiting(struct session *session)
{
    for (int number = 0; session->waiting && number < load.options.depth; number++) {
        if (!window_is_open(session))
            return;
        if (!session->waits[number])
            continue;
        session->waits[number] = false;
        session->waiting--;
        send_command(session, &session->first[number]);
    }
}

static void complete(struct session *session, struct slot *slot, int status)
{
    if (status)
        fail("a command failed with status 0x%02x", status);
    load_done(&load, slot);
    issue(session, slot);
}

static struct slot *slot_of(struct session *session, const unsigned char *header)
{
    uint32_t number = get32(header + 16);

    if (number >= (uint32_t)load.options.depth)
        fail("an answer to a task that does not exist: 0x%08x", number);
    return &session->first[number];
}

static void hear_data(struct session *session, const unsigned char *header,
                      const unsigned char *data, uint32_t size)
{
    struct slot *slot = slot_of(session, header);
    uint32_t offset = get32(header + 40);

    if (offset > (uint32_t)load.options.size || size > (uint32_t)load.options.size - offset)
        fail("data beyond what was asked for");
    if (load_compares(slot))
        memcpy(slot->data + offset, data, size);
    if (header[1] & 1)
        complete(session, slot, header[3]);
}

static void hear_ping(struct session *session, const unsigned char *ping)
{
    unsigned char *header;

    if (get32(ping + 20) == 0xffffffff)
        return;
    header = new_header(session, 0x40 | NOP_OUT, FINAL, 0xffffffff);
    memcpy(header + 8, ping + 8, 8);
    put32(header + 20, get32(ping + 20));
    put32(header + 24, session->cmd_sn);
    put_pdu(session, header, NULL, 0, 0);
}

static void hear(struct link *link)
{
    static unsigned heard;
    struct session *session = link->owner;
    unsigned char *header, *data;
    uint32_t size;

    while ((header = next_pdu(session, &data, &size, load.unverified || !(heard++ % SAMPLE)))) {
        int opcode = header[0] & 0x3f;

        take_numbers(session, header, opcode == RESPONSE || (opcode == DATA_IN && header[1] & 1));
        if (opcode == DATA_IN)
            hear_data(session, header, data, size);
        else if (opcode == RESPONSE)
            complete(session, slot_of(session, header), header[2] ? 0xff : header[3]);
        else if (opcode == R2T)
            send_data(session, slot_of(session, header), get32(header + 20), get32(header + 40),
                      least(get32(header + 44), (uint32_t)load.options.size));
        else if (opcode == NOP_IN)
            hear_ping(session, header);
        else if (opcode != EVENT)
            fail("an unexpected PDU with opcode 0x%02x", opcode);
        if (session->waiting)
            issue_waiting(session);
    }
}

/* Logs in all sessions and queues their first commands; returns how long the logins took. */
static double log_in_all(struct session *sessions)
{
    uint64_t start = now_ns();
    double login;

    for (int number = 0; number < load.options.sessions; number++)
        session_log_in(&sessions[number], &load.options, number);
    login = (double)(now_ns() - start) / 1e9;
    for (int number = 0; number < load.options.sessions; number++) {
        struct session *session = &sessions[number];

        session_wait_until_ready(session, &load.options);
        session->first = &load.slots[number * load.options.depth];
        session->waits = calloc((size_t)load.options.depth, sizeof *session->waits);
        if (!session->waits)
            fail("out of memory");
        for (int slot = 0; slot < load.options.depth; slot++)
            issue(session, &session->first[slot]);
    }
    return login;
}

int main(int argc, char **argv)
{
    struct session *sessions;
    double login;
    int loop = loop_new();

    load_start(&load, read_options(argc, argv));
    filler = malloc((size_t)load.options.size);
    sessions = calloc((size_t)load.options.sessions, sizeof *sessions);
    if (!filler || !sessions)
        fail("out of memory");
    memset(filler, 0x5a, (size_t)load.options.size);
    login = log_in_all(sessions);
    load_open_clock(&load);
    for (int number = 0; number < load.options.sessions; number++) {
        link_flush(&sessions[number].link);
        loop_add(loop, &sessions[number].link);
    }
    while (!load_ended(&load))
        loop_turn(loop, hear);
    load_print(&load, login);
    return 0;
}

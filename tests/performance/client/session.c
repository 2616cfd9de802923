/* The initiator's side of RFC 7143 as far as a load generator needs it: PDUs and the login. */
#define _GNU_SOURCE
#include "session.h"
#include "digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOGIN = 0x03, LOGIN_RESPONSE = 0x23, TRIES = 10 };

uint32_t get32(const unsigned char *place)
{
    return (uint32_t)place[0] << 24 | (uint32_t)place[1] << 16 | (uint32_t)place[2] << 8 | place[3];
}

void put32(unsigned char *place, uint32_t value)
{
    for (int byte = 0; byte < 4; byte++)
        place[byte] = (unsigned char)(value >> (24 - 8 * byte));
}

void put_lun(unsigned char *header, int lun)
{
    header[9] = (unsigned char)lun;
}

unsigned char *new_header(struct session *session, int opcode, int flags, uint32_t itt)
{
    unsigned char *header = link_scratch(&session->link);

    header[0] = (unsigned char)opcode;
    header[1] = (unsigned char)flags;
    put32(header + 16, itt);
    put32(header + 28, session->exp_stat_sn);
    return header;
}

void put_pdu(struct session *session, unsigned char *header, const void *data, uint32_t size,
             uint32_t data_digest)
{
    static const unsigned char padding[3];
    uint32_t crc;

    put32(header + 4, size);
    if (session->digests) {
        crc = crc32c(header, BHS); /* goes out with its lowest byte first, as the host has it */
        memcpy(header + BHS, &crc, 4);
    }
    link_put(&session->link, header, session->digests ? BHS + 4 : BHS);
    if (!size)
        return;
    link_put(&session->link, data, size);
    if (size % 4)
        link_put(&session->link, padding, 4 - size % 4);
    if (session->digests) {
        unsigned char *place = link_scratch(&session->link);

        memcpy(place, &data_digest, 4);
        link_put(&session->link, place, 4);
    }
}

static void check(const unsigned char *data, size_t size, const char *what)
{
    uint32_t found, crc = crc32c(data, size);

    memcpy(&found, data + size, 4);
    if (found != crc)
        fail("a wrong %s digest: %08x instead of %08x", what, found, crc);
}

unsigned char *next_pdu(struct session *session, unsigned char **data, uint32_t *size,
                        bool check_data)
{
    struct link *link = &session->link;
    unsigned char *header = link->in + link->begin;
    size_t there = link->end - link->begin, digest = session->digests ? 4 : 0;
    size_t before, padded;

    if (there < BHS)
        return NULL;
    *size = get32(header + 4) & 0xffffff;
    padded = (*size + 3) / 4 * 4;
    before = BHS + header[4] * 4u + digest;
    if (padded > TOLD)
        fail("a data segment of %u bytes", *size);
    if (there < before + padded + (padded ? digest : 0))
        return NULL;
    *data = header + before;
    if (digest)
        check(header, before - digest, "header");
    if (digest && padded && check_data)
        check(*data, padded, "data");
    link->begin += before + padded + (padded ? digest : 0);
    return header;
}

void take_numbers(struct session *session, const unsigned char *header, bool status)
{
    uint32_t max_cmd_sn = get32(header + 32);

    if (status)
        session->exp_stat_sn = get32(header + 24) + 1;
    if ((int32_t)(max_cmd_sn - session->max_cmd_sn) > 0)
        session->max_cmd_sn = max_cmd_sn;
}

static unsigned char *wait_for_pdu(struct session *session, unsigned char **data, uint32_t *size)
{
    unsigned char *header;

    link_flush(&session->link);
    while (!(header = next_pdu(session, data, size, true))) {
        link_wait(&session->link);
        if (!link_fill(&session->link))
            fail("the connection was closed");
        link_flush(&session->link);
    }
    return header;
}

static const char *value_of(const char *text, size_t size, const char *key)
{
    size_t length = strlen(key);

    for (const char *end = text + size; text < end; text += strnlen(text, end - text) + 1)
        if ((size_t)(end - text) > length && !memcmp(text, key, length) && text[length] == '=')
            return text + length + 1;
    return NULL;
}

static void take_answers(struct session *session, const char *text, size_t size, bool *digests)
{
    const char *value;

    if ((value = value_of(text, size, "MaxRecvDataSegmentLength")))
        session->segment = (uint32_t)atol(value);
    if ((value = value_of(text, size, "FirstBurstLength")))
        session->first_burst = (uint32_t)atol(value);
    if ((value = value_of(text, size, "InitialR2T")))
        session->initial_r2t = !strcmp(value, "Yes");
    if ((value = value_of(text, size, "ImmediateData")))
        session->immediate_data = !strcmp(value, "Yes");
    if ((value = value_of(text, size, "DataDigest")))
        *digests = !strcmp(value, "CRC32C");
}

static size_t offers(char *text, size_t room, const struct options *options, int number)
{
    const char *digest = options->digests ? "CRC32C" : "None";

    return (size_t)snprintf(
        text, room,
        "InitiatorName=iqn.2025-12.local:raw.%d.%d%cTargetName=%s%cSessionType=Normal%c"
        "HeaderDigest=%s%cDataDigest=%s%cMaxRecvDataSegmentLength=%d%cInitialR2T=No%c"
        "ImmediateData=Yes%cFirstBurstLength=262144%cMaxBurstLength=1048576%c"
        "MaxOutstandingR2T=1%cMaxConnections=1%cErrorRecoveryLevel=0%c"
        "DefaultTime2Wait=2%cDefaultTime2Retain=0%cDataPDUInOrder=Yes%cDataSequenceInOrder=Yes%c",
        getpid(), number, 0, options->target, 0, 0, digest, 0, digest, 0, TOLD, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0);
}

static void ask_to_log_in(struct session *session, const char *text, size_t size, int number)
{
    unsigned char *header = new_header(session, 0x40 | LOGIN, 0x87, 0); /* T, operational to full */

    header[8] = 0x80;
    put32(header + 9, (uint32_t)getpid() << 12 ^ (uint32_t)number);
    put32(header + 24, session->cmd_sn);
    put_pdu(session, header, text, (uint32_t)size, 0);
}

void session_log_in(struct session *session, const struct options *options, int number)
{
    char text[1024];
    size_t length = offers(text, sizeof text, options, number);
    unsigned char *header, *data;
    uint32_t size;
    bool digests = false;

    link_connect(&session->link, options->host, options->port, session);
    session->segment = 8192;
    session->first_burst = 262144;
    session->immediate_data = true;
    session->cmd_sn = 1;
    for (int step = 0; step < TRIES; step++) {
        ask_to_log_in(session, text, step ? 0 : length, number);
        header = wait_for_pdu(session, &data, &size);
        if (header[0] != LOGIN_RESPONSE || header[36])
            fail("the login was refused: opcode 0x%02x, status 0x%02x%02x", header[0], header[36],
                 header[37]);
        take_numbers(session, header, true);
        take_answers(session, (char *)data, size, &digests);
        if ((header[1] & 0x83) != 0x83)
            continue;
        session->max_cmd_sn = get32(header + 32);
        if (digests != options->digests)
            fail("the target did not agree to digests");
        session->digests = digests;
        return;
    }
    fail("the login does not end");
}

void session_wait_until_ready(struct session *session, const struct options *options)
{
    unsigned char *header, *data;
    uint32_t size;

    for (int attempt = 0; attempt < TRIES; attempt++) {
        header = new_header(session, 0x01, 0x81, 0);
        put_lun(header, options->lun);
        put32(header + 24, session->cmd_sn++);
        put_pdu(session, header, NULL, 0, 0);
        header = wait_for_pdu(session, &data, &size);
        take_numbers(session, header, true);
        if (header[0] == 0x21 && header[3] == 0)
            return;
    }
    fail("the unit is not ready");
}

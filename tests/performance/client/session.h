/* What a login leads to. */
#ifndef SESSION_H
#define SESSION_H

#include "link.h"
#include "load.h"

enum { BHS = 48, TOLD = 262144 /* our MaxRecvDataSegmentLength */ };

struct session {
    struct link link;
    struct slot *first;
    uint32_t cmd_sn, max_cmd_sn, exp_stat_sn;
    uint32_t segment, first_burst;   /* the target's MaxRecvDataSegmentLength; FirstBurstLength */
    bool immediate_data, initial_r2t;
    bool digests;                    /* both, from full feature phase on */
    bool *waits;                     /* slots that wait for the command window */
    int waiting;
};

void session_log_in(struct session *session, const struct options *options, int number);
/* Sends TEST UNIT READY until it answers GOOD: takes the unit attentions away. */
void session_wait_until_ready(struct session *session, const struct options *options);

/* A header in the link's scratch space; `put_pdu` computes its digest and queues it. */
unsigned char *new_header(struct session *session, int opcode, int flags, uint32_t itt);
void put_pdu(struct session *session, unsigned char *header, const void *data, uint32_t size,
             uint32_t data_digest);
/* The next PDU that is complete, or NULL; `data` and `size` are its data segment's. */
unsigned char *next_pdu(struct session *session, unsigned char **data, uint32_t *size,
                        bool check_data);
/* Takes StatSN, if the PDU has one that counts, and MaxCmdSN. */
void take_numbers(struct session *session, const unsigned char *header, bool status);

uint32_t get32(const unsigned char *place);
void put32(unsigned char *place, uint32_t value);
void put_lun(unsigned char *header, int lun);

#endif

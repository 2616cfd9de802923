/* CRC32C, for a data segment in one piece. */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE4_2__
#include <nmmintrin.h>

static inline uint32_t crc32c(const unsigned char *data, size_t size)
{
    uint64_t crc = 0xffffffff, word;

    for (; size >= 8; data += 8, size -= 8) {
        memcpy(&word, data, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; size; data++, size--)
        crc = _mm_crc32_u8((uint32_t)crc, *data);
    return ~(uint32_t)crc;
}
#else
static inline uint32_t crc32c(const unsigned char *data, size_t size)
{
    uint32_t crc = 0xffffffff;

    for (; size; data++, size--) {
        crc ^= *data;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}
#endif

#endif

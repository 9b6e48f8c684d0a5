/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_market_news.c - what another market of the database tells of its transactions: kept counts
 * stay those of some history, nothing else is touched */
#include "market/market_int.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct market *market(void) {
    static struct market m;
    if (m.counts) return &m;
    m.counts = counts_new();
    m.changes = changes_new();
    m.live = live_new();
    m.sockets = sockets_new(0);
    m.caught_up = true;
    if (!m.counts || !m.changes || !m.live || !m.sockets) abort();
    return &m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct market *m = market();
    uint64_t before = m->books.all, changes = m->change_no;
    changes_heard(m, slice_of(data, size), true);
    /* what is not understood makes everything be read again, or says nothing */
    SR_ASSERT(m->books.all >= before && m->change_no >= changes);
    changes_heard(m, slice_of(data, size), false);
    SR_ASSERT(m->books.all > before);
    return 0;
}

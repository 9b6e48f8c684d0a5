/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a model file: what is read is written the same, and can be asked. */
#include "common/model.h"
#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static double x[MODEL_MAX_FEATURES];
    double scores[MODEL_MAX_LABELS], p[MODEL_MAX_LABELS];
    struct model *m = NULL;
    cleanup_buf struct buf again;
    buf_init(&again, MODEL_MAX_BYTES);
    if (model_read(slice_of(data, size), &m, NULL) != SR_OK) return 0;
    model_write(m, &again);
    SR_ASSERT(slice_eq(buf_slice(&again), slice_of(data, size)));
    for (unsigned k = 0; k < 3; k++) {
        for (size_t i = 0; i < m->n_features; i++) x[i] = k == 0 ? NAN : k == 1 ? 1 : -1e300;
        model_score(m, x, scores);
        for (size_t i = 0; i < m->n_outputs; i++) SR_ASSERT(isfinite(scores[i]));
        if (m->n_labels) model_probabilities(m, scores, p);
        for (size_t i = 0; i < m->n_labels; i++) SR_ASSERT(p[i] >= 0 && p[i] <= 1);
    }
    model_free(m);
    return 0;
}

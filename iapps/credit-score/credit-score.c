/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credit-score - an iApp: a lender's secret scorecard meets an applicant's protected figures
 *
 * The scorecard is the app's secret (strongroom app secret set), JSON:
 *
 *   {"base": 500, "accept": 640, "decline": 580, "figures": [
 *     {"name": "income", "points": [[0, 0], [20000, 25], [40000, 60]]}, ...]}
 *
 * A figure earns the points of the highest step that it reaches, none below the first. The
 * protected data is a JSON object of numbers with these names (strongroom data protect --object).
 *
 * Result: decision.json with the score, "accept", "refer" or "decline", and up to three reasons:
 * the names of the figures that lost most points against their best. No figure of the applicant's
 * and no points of the lender's are in it. A figure that the applicant does not give earns its
 * worst.
 */
#include "base/base.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strongroom/deserializer.h>

#define MAX_FIGURES 64u
#define MAX_STEPS   32u
#define MAX_NAME    64u
#define MAX_REASONS 3u
#define MAX_NUMBER  1e15

_Noreturn static void stop(const char *what) {
    (void)fprintf(stderr, "credit-score: %s\n", what);
    exit(1);
}

struct figure {
    char name[MAX_NAME];
    double lost;
    bool missing;
};
struct score {
    double total;
    struct figure figures[MAX_FIGURES];
    unsigned n;
};

/* A number of the scorecard. Its text has been through a strict JSON reader. */
static double number(const struct json_val *v, const char *what) {
    char text[64], *end;
    struct slice s = json_text(v);
    if (!json_is(v, JSON_NUMBER) || s.n >= sizeof text) stop(what);
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double d = strtod(text, &end);
    if (*end != 0 || !(fabs(d) <= MAX_NUMBER)) stop(what);
    return d;
}

/* The points that a value earns; the best and the worst that could be earned. */
static double points_of(const struct json_val *steps, double value, bool missing,
                        double *ret_best) {
    double earned = 0, best = 0, worst = 0, before = 0;
    size_t n = json_len(steps);
    if (n == 0 || n > MAX_STEPS) stop("the scorecard: a figure has 1 to 32 steps");
    for (size_t i = 0; i < n; i++) {
        const struct json_val *step = json_at(steps, i);
        double from = number(json_at(step, 0), "the scorecard: a step is [from, points]");
        double points = number(json_at(step, 1), "the scorecard: a step is [from, points]");
        if (i > 0 && from <= before) stop("the scorecard: steps go upwards");
        before = from;
        if (!missing && value >= from) earned = points;
        if (i == 0 || points > best) best = points;
        if (i == 0 || points < worst) worst = points;
    }
    *ret_best = best;
    return missing ? worst : earned;
}

static void add_figure(struct score *s, const struct json_val *card, struct sr_pd *pd) {
    struct slice name;
    struct sr_err err = {0};
    double value = 0, best = 0;
    if (s->n == MAX_FIGURES) stop("the scorecard: more than 64 figures");
    struct figure *f = &s->figures[s->n++];
    if (!json_str(json_get(card, "name"), &name) || name.n == 0 || name.n >= sizeof f->name)
        stop("the scorecard: a figure has a name");
    memcpy(f->name, name.p, name.n);
    f->missing = !sr_pd_has(pd, f->name);
    if (!f->missing && sr_pd_f64(pd, f->name, &value, &err) != SR_OK) stop(err.what);
    if (!isfinite(value)) f->missing = true;
    double earned = points_of(json_get(card, "points"), value, f->missing, &best);
    f->lost = best - earned;
    s->total += earned;
}

static int most_lost_first(const void *a, const void *b) {
    const struct figure *x = a, *y = b;
    if (x->lost != y->lost) return x->lost < y->lost ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void write_file(const char *name, struct slice text) {
    char path[512];
    const char *dir = getenv("IEXEC_OUT");
    (void)snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : "/iexec_out", name);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) != 0)
        stop("cannot write the result");
}

static void write_decision(struct score *s, double accept, double decline) {
    struct buf b;
    buf_init(&b, 64u << 10);
    struct jw w = jw_of(&b);
    qsort(s->figures, s->n, sizeof s->figures[0], most_lost_first);
    jw_obj(&w);
    jw_key(&w, "score");
    jw_i64(&w, (int64_t)llround(s->total));
    jw_kcstr(&w, "decision",
             s->total >= accept   ? "accept"
             : s->total < decline ? "decline"
                                  : "refer");
    jw_key(&w, "reasons");
    jw_arr(&w);
    for (unsigned i = 0; i < s->n && i < MAX_REASONS && s->figures[i].lost > 0; i++)
        jw_cstr(&w, s->figures[i].name);
    jw_end_arr(&w);
    jw_key(&w, "missing");
    jw_arr(&w);
    for (unsigned i = 0; i < s->n; i++)
        if (s->figures[i].missing) jw_cstr(&w, s->figures[i].name);
    jw_end_arr(&w);
    jw_end_obj(&w);
    buf_str(&b, "\n");
    if (b.bad) stop("the result is too long");
    write_file("decision.json", buf_slice(&b));
    buf_done(&b);
}

int main(void) {
    static struct score s;
    struct sr_err err = {0};
    struct sr_pd *pd = NULL;
    struct json *doc = NULL;
    const char *card = getenv("IEXEC_APP_DEVELOPER_SECRET");
    if (!card || !*card) stop("the lender has set no scorecard (app secret)");
    /* Not the parser's words: they could quote the lender's secret to whoever reads the output. */
    if (json_parse(slice_str(card), &doc, NULL) != SR_OK) stop("the scorecard is no JSON");
    const struct json_val *root = json_root(doc), *list = json_get(root, "figures");
    double accept = number(json_get(root, "accept"), "the scorecard: accept is a number");
    double decline = number(json_get(root, "decline"), "the scorecard: decline is a number");
    s.total = number(json_get(root, "base"), "the scorecard: base is a number");
    if (json_len(list) == 0 || accept < decline)
        stop("the scorecard: figures, and decline below accept");
    if (sr_pd_open(NULL, &pd, &err) != SR_OK) stop(err.what);
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) add_figure(&s, v, pd);
    sr_pd_close(pd);
    write_decision(&s, accept, decline);
    write_file("computed.json",
               SLICE_LIT("{\"deterministic-output-path\":\"/iexec_out/decision.json\"}\n"));
    json_free(doc);
    (void)puts("scored");
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patient-stats - an iApp: statistics a group over protected patient records, and not a record more
 *
 * Each protected data is a CSV file with a header line (as `strongroom data protect patients.csv`
 * makes it: one leaf, "file"; of several leaves, the first). In bulk, the records of all are put
 * together. Arguments: GROUP-COLUMN VALUE-COLUMN,
 * by default the first column whose values are all words and the last whose values are all numbers.
 * Groups of fewer than five people are only counted: their averages would speak of persons.
 *
 * Result: result.csv, "group,count,mean,min,max,stddev", sorted by group.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strongroom/deserializer.h>

#define MAX_COLUMNS 64u
#define MAX_GROUPS  4096u
#define MAX_FIELD   256u
#define MIN_PEOPLE  5u

struct group {
    char name[MAX_FIELD];
    unsigned long n, missing;
    double mean, m2, min, max; /* Welford */
};
struct table {
    char names[MAX_COLUMNS][MAX_FIELD];
    unsigned n_columns;
    struct group *groups;
    unsigned n_groups;
    unsigned long rows;
    char by[MAX_FIELD], of[MAX_FIELD]; /* the two columns */
};

_Noreturn static void stop(const char *what, const char *which) {
    (void)fprintf(stderr, "patient-stats: %s%s%s\n", what, which ? ": " : "", which ? which : "");
    exit(1);
}

/* One CSV field (quotes doubled inside quotes) into dst, cut at MAX_FIELD; returns what follows its
 * comma, NULL at the line's end. */
static const char *take_field(const char *p, char dst[MAX_FIELD]) {
    size_t n = 0;
    int quoted = *p == '"';
    if (quoted) p++;
    while (*p && *p != '\n' && *p != '\r') {
        if (quoted && *p == '"' && p[1] == '"')
            p++;
        else if (quoted && *p == '"') {
            quoted = 0;
            p++;
            continue;
        } else if (!quoted && *p == ',')
            break;
        if (n + 1 < MAX_FIELD) dst[n++] = *p;
        p++;
    }
    dst[n] = 0;
    return *p == ',' ? p + 1 : NULL;
}

static unsigned take_line(const char *p, char fields[MAX_COLUMNS][MAX_FIELD]) {
    unsigned n = 0;
    while (p && n < MAX_COLUMNS) p = take_field(p, fields[n++]);
    return n;
}

static const char *next_line(const char *p) {
    p = strchr(p, '\n');
    return p ? p + 1 : NULL;
}

static int is_number(const char *s, double *ret) {
    char *end;
    errno = 0;
    double v = strtod(s, &end);
    if (end == s || *end != 0 || errno != 0 || !isfinite(v)) return 0;
    *ret = v;
    return 1;
}

static unsigned find_column(const struct table *t, const char *name) {
    for (unsigned i = 0; i < t->n_columns; i++)
        if (strcmp(t->names[i], name) == 0) return i;
    stop("no such column", name);
}

/* Without arguments: words group, numbers are counted. */
static void guess_columns(const struct table *t, const char *body, unsigned *group,
                          unsigned *value) {
    static char fields[MAX_COLUMNS][MAX_FIELD];
    unsigned words[MAX_COLUMNS] = {0}, numbers[MAX_COLUMNS] = {0};
    double v;
    for (unsigned rows = 0; body && *body && rows < 100; body = next_line(body), rows++) {
        unsigned n = take_line(body, fields);
        for (unsigned i = 0; i < n && i < t->n_columns; i++) {
            if (!fields[i][0]) continue;
            if (is_number(fields[i], &v))
                numbers[i]++;
            else
                words[i]++;
        }
    }
    int has_group = 0, has_value = 0;
    for (unsigned i = 0; i < t->n_columns; i++) {
        if (!has_group && words[i] > 0 && numbers[i] == 0) {
            *group = i;
            has_group = 1;
        }
        if (numbers[i] > 0 && words[i] == 0) {
            *value = i;
            has_value = 1;
        }
    }
    if (!has_group || !has_value) stop("say which columns: GROUP VALUE", NULL);
}

static struct group *find_group(struct table *t, const char *name) {
    for (unsigned i = 0; i < t->n_groups; i++)
        if (strcmp(t->groups[i].name, name) == 0) return &t->groups[i];
    if (t->n_groups == MAX_GROUPS) stop("too many groups", NULL);
    struct group *g = &t->groups[t->n_groups++];
    memcpy(g->name, name, strlen(name) + 1);
    return g;
}

static void add_value(struct group *g, double v) {
    g->n++;
    double delta = v - g->mean;
    g->mean += delta / (double)g->n;
    g->m2 += delta * (v - g->mean);
    if (g->n == 1 || v < g->min) g->min = v;
    if (g->n == 1 || v > g->max) g->max = v;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct group *)a)->name, ((const struct group *)b)->name);
}

static FILE *open_out(const char *name) {
    char path[512];
    const char *dir = getenv("IEXEC_OUT");
    (void)snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : "/iexec_out", name);
    FILE *f = fopen(path, "w");
    if (!f) stop("cannot write", path);
    return f;
}

static void put_name(FILE *f, const char *s) {
    if (!strpbrk(s, ",\"")) {
        (void)fputs(s, f);
        return;
    }
    (void)fputc('"', f);
    for (; *s; s++) {
        if (*s == '"') (void)fputc('"', f);
        (void)fputc(*s, f);
    }
    (void)fputc('"', f);
}

static void write_result(struct table *t) {
    FILE *f = open_out("result.csv");
    qsort(t->groups, t->n_groups, sizeof *t->groups, by_name);
    (void)fputs("group,count,mean,min,max,stddev\n", f);
    for (unsigned i = 0; i < t->n_groups; i++) {
        const struct group *g = &t->groups[i];
        put_name(f, g->name);
        if (g->n < MIN_PEOPLE)
            (void)fprintf(f, ",%lu,,,,\n", g->n);
        else
            (void)fprintf(f, ",%lu,%.3f,%.3f,%.3f,%.3f\n", g->n, g->mean, g->min, g->max,
                          sqrt(g->m2 / (double)(g->n - 1)));
    }
    if (fclose(f) != 0) stop("cannot write", "result.csv");
    f = open_out("computed.json");
    (void)fputs("{\"deterministic-output-path\":\"/iexec_out/result.csv\"}\n", f);
    if (fclose(f) != 0) stop("cannot write", "computed.json");
}

/* The CSV text of one protected data; owned by *ret_bytes. */
static const char *take_text(struct sr_pd *pd, uint8_t **ret_bytes) {
    struct sr_err err = {0};
    size_t n = 0;
    const char *leaf = sr_pd_has(pd, "file") ? "file" : sr_pd_path_at(pd, 0);
    if (!leaf) stop("the protected data is empty", NULL);
    if (sr_pd_bytes(pd, leaf, ret_bytes, &n, &err) != SR_OK) stop(err.what, NULL);
    return (const char *)*ret_bytes;
}

/* Its records into the groups. Columns are found by name in each file: two houses may order them
 * differently. The first file decides what is computed where no arguments do. */
static void add_records(struct table *t, struct sr_pd *pd, char *const *wanted) {
    static char fields[MAX_COLUMNS][MAX_FIELD];
    uint8_t *bytes = NULL;
    unsigned group = 0, value = 0;
    const char *text = take_text(pd, &bytes);
    t->n_columns = take_line(text, t->names);
    const char *body = next_line(text);
    if (wanted) {
        (void)snprintf(t->by, sizeof t->by, "%s", wanted[0]);
        (void)snprintf(t->of, sizeof t->of, "%s", wanted[1]);
    } else if (!t->by[0]) {
        guess_columns(t, body, &group, &value);
        memcpy(t->by, t->names[group], sizeof t->by);
        memcpy(t->of, t->names[value], sizeof t->of);
    }
    group = find_column(t, t->by);
    value = find_column(t, t->of);
    for (const char *p = body; p && *p; p = next_line(p)) {
        double v;
        unsigned have = take_line(p, fields);
        if (have <= group || !fields[group][0]) continue;
        struct group *g = find_group(t, fields[group]);
        if (have > value && is_number(fields[value], &v))
            add_value(g, v);
        else
            g->missing++;
        t->rows++;
    }
    free(bytes);
}

int main(int argc, char **argv) {
    static struct table t;
    struct sr_err err = {0};
    struct sr_pd *pd = NULL;
    char *const *wanted = argc > 2 ? argv + 1 : NULL;
    const char *size = getenv("IEXEC_BULK_SLICE_SIZE");
    unsigned many = size ? (unsigned)strtoul(size, NULL, 10) : 0, opened = 0;
    t.groups = calloc(MAX_GROUPS, sizeof *t.groups);
    if (!t.groups) stop("out of memory", NULL);
    for (unsigned i = 1; i <= (many ? many : 1); i++) {
        err = (struct sr_err){0};
        if ((many ? sr_pd_open_bulk(i, &pd, &err) : sr_pd_open(NULL, &pd, &err)) != SR_OK) {
            if (!many) stop(err.what, NULL);
            continue; /* withheld: who asked is told by the room */
        }
        add_records(&t, pd, wanted);
        opened++;
        sr_pd_close(pd);
    }
    if (t.rows == 0) stop("no records", NULL);
    write_result(&t);
    if (many) (void)printf("%u of %u data sets\n", opened, many);
    (void)printf("%lu records, %u groups by %s, statistics of %s\n", t.rows, t.n_groups, t.by,
                 t.of);
    free(t.groups);
    return 0;
}

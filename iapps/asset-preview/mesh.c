/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COORDINATE 1e9

struct vec vec_sub(struct vec a, struct vec b) {
    return (struct vec){a.x - b.x, a.y - b.y, a.z - b.z};
}

struct vec vec_cross(struct vec a, struct vec b) {
    return (struct vec){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

double vec_dot(struct vec a, struct vec b) {
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

/* Room for one more of size bytes; NULL: over the limit, or out of memory. */
static void *grow(void *list, size_t n, size_t *room, size_t size, size_t max) {
    if (n < *room) return list;
    size_t more = *room ? 2 * *room : 1024;
    if (n >= max) return NULL;
    void *p = realloc(list, more * size);
    if (p) *room = more;
    return p;
}

static const char *skip_blanks(const char *p) {
    while (*p == ' ' || *p == '\t') p++;
    return p;
}

static bool at_end(const char *p) {
    return *p == 0 || *p == '\n' || *p == '\r';
}

static bool take_number(const char **p, double *ret) {
    char *end;
    *p = skip_blanks(*p);
    if (at_end(*p)) return false; /* strtod would go on in the next line */
    *ret = strtod(*p, &end);
    if (end == *p || !(fabs(*ret) <= MAX_COORDINATE)) return false;
    *p = end;
    return true;
}

static const char *add_point(struct mesh *m, const char *p) {
    struct vec v;
    if (!take_number(&p, &v.x) || !take_number(&p, &v.y) || !take_number(&p, &v.z))
        return "a vertex has three numbers";
    struct vec *list = grow(m->points, m->n_points, &m->room_points, sizeof v, MESH_MAX_POINTS);
    if (!list) return "too many vertices";
    m->points = list;
    m->points[m->n_points++] = v;
    return NULL;
}

/* "7", "7/1", "7//3", "-1/-1/-1": the vertex alone counts. From 1, or backwards from the newest. */
static bool take_corner(const struct mesh *m, const char **p, uint32_t *ret) {
    const char *q = skip_blanks(*p);
    bool back = *q == '-';
    uint64_t n = 0;
    if (back) q++;
    const char *digits = q;
    for (; *q >= '0' && *q <= '9' && n <= MESH_MAX_POINTS; q++) n = 10 * n + (uint64_t)(*q - '0');
    if (q == digits || n == 0 || n > m->n_points) return false;
    while (!at_end(q) && *q != ' ' && *q != '\t') q++;
    *ret = (uint32_t)(back ? m->n_points - n : n - 1);
    *p = q;
    return true;
}

static const char *add_face(struct mesh *m, const char *p) {
    uint32_t corners[MESH_MAX_CORNERS];
    size_t n = 0;
    for (p = skip_blanks(p); !at_end(p); p = skip_blanks(p)) {
        if (n == MESH_MAX_CORNERS) return "a face has too many corners";
        if (!take_corner(m, &p, &corners[n++])) return "a face names a vertex that is not there";
    }
    if (n < 3) return "a face has three corners or more";
    for (size_t i = 2; i < n; i++) {
        struct triangle *list = grow(m->triangles, m->n_triangles, &m->room_triangles, sizeof *list,
                                     MESH_MAX_TRIANGLES);
        if (!list) return "too many triangles";
        m->triangles = list;
        m->triangles[m->n_triangles++] = (struct triangle){corners[0], corners[i - 1], corners[i]};
    }
    return NULL;
}

static bool word(const char *p, const char *w) {
    size_t n = strlen(w);
    return strncmp(p, w, n) == 0 && (p[n] == ' ' || p[n] == '\t');
}

static const char *read_line(struct mesh *m, const char *p) {
    if (word(p, "v")) return add_point(m, p + 1);
    if (word(p, "f")) return add_face(m, p + 1);
    if (word(p, "vt")) m->has_texture = true;
    if (word(p, "vn")) m->has_normals = true;
    if (word(p, "usemtl")) m->materials++;
    return NULL; /* names, groups, comments, curves: not looked at */
}

const char *mesh_read(const char *text, struct mesh *ret, unsigned long *ret_line) {
    *ret = (struct mesh){0};
    *ret_line = 0;
    for (const char *p = text; p && *p;) {
        ++*ret_line;
        const char *wrong = read_line(ret, skip_blanks(p));
        if (wrong) return wrong;
        p = strchr(p, '\n');
        if (p) p++;
    }
    return ret->n_triangles > 0 ? NULL : "there is no face";
}

void mesh_done(struct mesh *m) {
    free(m->points);
    free(m->triangles);
    *m = (struct mesh){0};
}

/* ---- what can be said ---- */

struct edge {
    uint32_t low, high;
    bool turned; /* it runs from high to low */
};

static struct edge edge_of(uint32_t a, uint32_t b) {
    return a < b ? (struct edge){a, b, false} : (struct edge){b, a, true};
}

static int by_ends(const void *x, const void *y) {
    const struct edge *a = x, *b = y;
    if (a->low != b->low) return a->low < b->low ? -1 : 1;
    return a->high < b->high ? -1 : a->high > b->high;
}

/* A surface is closed when each edge is run through once in each direction. */
static void judge_edges(const struct edge *e, size_t n, struct mesh_facts *f) {
    for (size_t i = 0, next; i < n; i = next) {
        size_t turned = 0;
        for (next = i; next < n && by_ends(&e[i], &e[next]) == 0; next++) turned += e[next].turned;
        f->edges++;
        if (next - i == 1)
            f->open_edges++;
        else if (next - i != 2 || turned != 1)
            f->wrong_edges++;
    }
}

static void measure(const struct mesh *m, struct mesh_facts *f) {
    struct vec low = m->points[m->triangles[0].a], high = low, origin = low;
    double volume = 0;
    for (size_t i = 0; i < m->n_triangles; i++) {
        struct vec p[3] = {m->points[m->triangles[i].a], m->points[m->triangles[i].b],
                           m->points[m->triangles[i].c]};
        for (unsigned k = 0; k < 3; k++) {
            low = (struct vec){fmin(low.x, p[k].x), fmin(low.y, p[k].y), fmin(low.z, p[k].z)};
            high = (struct vec){fmax(high.x, p[k].x), fmax(high.y, p[k].y), fmax(high.z, p[k].z)};
        }
        struct vec normal = vec_cross(vec_sub(p[1], p[0]), vec_sub(p[2], p[0]));
        double twice = sqrt(vec_dot(normal, normal));
        if (!(twice > 0)) f->degenerate++;
        f->area += twice / 2;
        volume += vec_dot(vec_sub(p[0], origin), normal) / 6;
    }
    f->size = vec_sub(high, low);
    f->volume = f->closed ? fabs(volume) : 0;
}

const char *mesh_examine(const struct mesh *m, struct mesh_facts *ret) {
    *ret = (struct mesh_facts){0};
    struct edge *edges = calloc(3 * m->n_triangles, sizeof *edges);
    if (!edges) return "out of memory";
    for (size_t i = 0; i < m->n_triangles; i++) {
        const struct triangle *t = &m->triangles[i];
        edges[3 * i] = edge_of(t->a, t->b);
        edges[3 * i + 1] = edge_of(t->b, t->c);
        edges[3 * i + 2] = edge_of(t->c, t->a);
    }
    qsort(edges, 3 * m->n_triangles, sizeof *edges, by_ends);
    judge_edges(edges, 3 * m->n_triangles, ret);
    free(edges);
    ret->closed = ret->open_edges == 0 && ret->wrong_edges == 0;
    measure(m, ret);
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "picture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SIDE      PICTURE_SIDE
#define MARGIN    16.0
#define STRIPES   40u /* pixels from stripe to stripe */
#define PI        3.14159265358979323846
#define ROW_BYTES (1 + 3 * SIDE) /* a filter byte before each row */

struct canvas {
    double depth[SIDE][SIDE];
    uint8_t rows[SIDE][ROW_BYTES];
};

/* Turned so that z points at who looks. */
static struct vec turn(struct vec p, const double angles[4]) {
    double x = p.x * angles[0] + p.z * angles[1], z = p.z * angles[0] - p.x * angles[1];
    return (struct vec){x, p.y * angles[2] - z * angles[3], p.y * angles[3] + z * angles[2]};
}

static void put(struct canvas *c, long x, long y, double z, double light) {
    if (x < 0 || y < 0 || x >= (long)SIDE || y >= (long)SIDE || z <= c->depth[y][x]) return;
    c->depth[y][x] = z;
    uint8_t *p = &c->rows[y][1 + 3 * x];
    p[0] = (uint8_t)lround(60 + 150 * light);
    p[1] = (uint8_t)lround(80 + 160 * light);
    p[2] = (uint8_t)lround(100 + 155 * light);
}

/* Twice the area to the left of a -> b. */
static double side(const struct vec *a, const struct vec *b, double x, double y) {
    return (b->x - a->x) * (y - a->y) - (b->y - a->y) * (x - a->x);
}

static void draw(struct canvas *c, const struct vec p[3]) {
    static const struct vec lamp = {0.36, 0.48, 0.8};
    struct vec n = vec_cross(vec_sub(p[1], p[0]), vec_sub(p[2], p[0]));
    double length = sqrt(vec_dot(n, n)), whole = side(&p[0], &p[1], p[2].x, p[2].y);
    if (!(length > 0) || !(fabs(whole) > 0)) return;
    double light =
        fabs(vec_dot(n, lamp)) / length; /* from both sides: an open mesh has no outside */
    long left = (long)floor(fmin(p[0].x, fmin(p[1].x, p[2].x)));
    long right = (long)ceil(fmax(p[0].x, fmax(p[1].x, p[2].x)));
    long top = (long)floor(fmin(p[0].y, fmin(p[1].y, p[2].y)));
    long bottom = (long)ceil(fmax(p[0].y, fmax(p[1].y, p[2].y)));
    for (long y = top; y <= bottom; y++)
        for (long x = left; x <= right; x++) {
            double px = (double)x + 0.5, py = (double)y + 0.5;
            double a = side(&p[1], &p[2], px, py) / whole, b = side(&p[2], &p[0], px, py) / whole;
            double k = 1 - a - b;
            if (a < 0 || b < 0 || k < 0) continue;
            put(c, x, y, a * p[0].z + b * p[1].z + k * p[2].z, light);
        }
}

static void draw_all(struct canvas *c, const struct mesh *m, const double angles[4]) {
    struct vec low = {INFINITY, INFINITY, INFINITY}, high = {-INFINITY, -INFINITY, -INFINITY};
    for (size_t i = 0; i < m->n_triangles; i++) {
        const uint32_t at[3] = {m->triangles[i].a, m->triangles[i].b, m->triangles[i].c};
        for (unsigned k = 0; k < 3; k++) {
            struct vec p = turn(m->points[at[k]], angles);
            low = (struct vec){fmin(low.x, p.x), fmin(low.y, p.y), 0};
            high = (struct vec){fmax(high.x, p.x), fmax(high.y, p.y), 0};
        }
    }
    double span = fmax(high.x - low.x, high.y - low.y);
    double scale = span > 0 ? (SIDE - 2 * MARGIN) / span : 1;
    for (size_t i = 0; i < m->n_triangles; i++) {
        const uint32_t at[3] = {m->triangles[i].a, m->triangles[i].b, m->triangles[i].c};
        struct vec p[3];
        for (unsigned k = 0; k < 3; k++) {
            struct vec q = turn(m->points[at[k]], angles);
            p[k].x = SIDE / 2.0 + (q.x - (low.x + high.x) / 2) * scale;
            p[k].y = SIDE / 2.0 - (q.y - (low.y + high.y) / 2) * scale;
            p[k].z = q.z * scale;
        }
        draw(c, p);
    }
}

/* A preview is not the goods. */
static void draw_stripes(struct canvas *c) {
    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++)
            if ((x + y) % STRIPES < 2)
                for (unsigned k = 0; k < 3; k++) {
                    uint8_t *p = &c->rows[y][1 + 3 * x + k];
                    *p = (uint8_t)((*p + 510) / 3);
                }
}

/* ---- PNG ---- */

static void put_u32(uint8_t *p, uint32_t v) {
    for (unsigned i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static bool put_chunk(FILE *f, const char *name, const uint8_t *body, uint32_t n) {
    uint8_t head[8], tail[4];
    put_u32(head, n);
    memcpy(head + 4, name, 4);
    uLong sum = crc32(crc32(0, head + 4, 4), body, n);
    put_u32(tail, (uint32_t)sum);
    return fwrite(head, 1, 8, f) == 8 && fwrite(body, 1, n, f) == n && fwrite(tail, 1, 4, f) == 4;
}

static const char *put_png(const struct canvas *c, FILE *f) {
    static const uint8_t magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t head[13] = {0, 0, 0, 0, 0, 0, 0,
                        0, 8, 2, 0, 0, 0}; /* 8 bits each of red, green, blue */
    put_u32(head, SIDE);
    put_u32(head + 4, SIDE);
    uLongf n = compressBound(sizeof c->rows);
    uint8_t *packed = malloc(n);
    bool ok = packed && compress2(packed, &n, &c->rows[0][0], sizeof c->rows, 9) == Z_OK &&
              fwrite(magic, 1, 8, f) == 8 && put_chunk(f, "IHDR", head, sizeof head) &&
              put_chunk(f, "IDAT", packed, (uint32_t)n) && put_chunk(f, "IEND", packed, 0);
    free(packed);
    return ok ? NULL : "cannot write the picture";
}

const char *picture_write(const struct mesh *m, double yaw, double pitch, FILE *f) {
    const double angles[4] = {cos(yaw * PI / 180), sin(yaw * PI / 180), cos(pitch * PI / 180),
                              sin(pitch * PI / 180)};
    struct canvas *c = calloc(1, sizeof *c);
    if (!c) return "out of memory";
    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++) {
            c->depth[y][x] = -INFINITY;
            memset(&c->rows[y][1 + 3 * x], 24, 3);
        }
    draw_all(c, m, angles);
    draw_stripes(c);
    const char *wrong = put_png(c, f);
    free(c);
    return wrong;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh.h - a triangle mesh out of a Wavefront OBJ text, and what can be said of it
 *
 * Used by: asset-preview alone.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESH_MAX_POINTS    1000000u
#define MESH_MAX_TRIANGLES 2000000u
#define MESH_MAX_CORNERS   64u /* of one face of the file */

struct vec {
    double x, y, z;
};
struct triangle {
    uint32_t a, b, c;
};
struct mesh { /* owned: mesh_done */
    struct vec *points;
    struct triangle *triangles;
    size_t n_points, n_triangles, room_points, room_triangles;
    bool has_texture, has_normals;
    size_t materials;
};
struct mesh_facts {
    struct vec size;
    size_t degenerate;  /* triangles without area */
    size_t open_edges;  /* edges of one triangle alone */
    size_t wrong_edges; /* of more than two, or of two that turn against each other */
    size_t edges;
    double area, volume; /* volume: 0 unless closed */
    bool closed;
};

struct vec vec_sub(struct vec a, struct vec b);
struct vec vec_cross(struct vec a, struct vec b);
double vec_dot(struct vec a, struct vec b);
/* text ends with a NUL. NULL: fine; else what is wrong, and *ret_line. */
const char *mesh_read(const char *text, struct mesh *ret, unsigned long *ret_line);
/* NULL, or what is wrong. */
const char *mesh_examine(const struct mesh *m, struct mesh_facts *ret);
void mesh_done(struct mesh *m);

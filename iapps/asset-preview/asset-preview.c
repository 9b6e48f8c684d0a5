/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asset-preview - an iApp: what a buyer may know of a protected 3D model before he pays
 *
 * The protected data is a mesh, a Wavefront OBJ file (of several leaves, "file" or the first).
 * Arguments: YAW PITCH in degrees, 30 and 20 by default.
 *
 * Result: preview.png, the mesh from that side, small and with stripes across it, and report.json:
 * how many vertices, edges and triangles; size, area and, of a closed mesh, volume; edges and
 * triangles that a game engine would stumble over. No vertex is in it.
 */
#include "base/base.h"
#include "picture.h"
#include <math.h>
#include <stdlib.h>
#include <strongroom/deserializer.h>

_Noreturn static void stop(const char *what) {
    (void)fprintf(stderr, "asset-preview: %s\n", what);
    exit(1);
}

static FILE *open_out(const char *name) {
    char path[512];
    const char *dir = getenv("IEXEC_OUT");
    (void)snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : "/iexec_out", name);
    FILE *f = fopen(path, "w");
    if (!f) stop("cannot write the result");
    return f;
}

static void close_out(FILE *f) {
    if (fclose(f) != 0) stop("cannot write the result");
}

static void put_number(struct jw *w, const char *key, double v) {
    jw_key(w, key);
    jw_double(w, v);
}

static void write_report(const struct mesh *m, const struct mesh_facts *f) {
    struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_ku64(&w, "vertices", m->n_points);
    jw_ku64(&w, "edges", f->edges);
    jw_ku64(&w, "triangles", m->n_triangles);
    jw_kbool(&w, "closed", f->closed);
    jw_ku64(&w, "openEdges", f->open_edges);
    jw_ku64(&w, "wrongEdges", f->wrong_edges);
    jw_ku64(&w, "degenerate", f->degenerate);
    jw_key(&w, "size");
    jw_arr(&w);
    jw_double(&w, f->size.x);
    jw_double(&w, f->size.y);
    jw_double(&w, f->size.z);
    jw_end_arr(&w);
    put_number(&w, "area", f->area);
    if (f->closed) put_number(&w, "volume", f->volume);
    jw_kbool(&w, "textured", m->has_texture);
    jw_kbool(&w, "normals", m->has_normals);
    jw_ku64(&w, "materials", m->materials);
    jw_end_obj(&w);
    buf_str(&b, "\n");
    FILE *out = open_out("report.json");
    if (b.bad || fwrite(b.p, 1, b.n, out) != b.n) stop("cannot write the result");
    close_out(out);
    buf_done(&b);
}

static double angle(int argc, char **argv, int i, double standard) {
    char *end;
    if (argc <= i) return standard;
    double v = strtod(argv[i], &end);
    if (end == argv[i] || *end || !(fabs(v) <= 360)) stop("arguments: YAW PITCH, in degrees");
    return v;
}

int main(int argc, char **argv) {
    struct sr_err err = {0};
    struct sr_pd *pd = NULL;
    struct mesh m;
    struct mesh_facts facts;
    uint8_t *bytes = NULL;
    size_t size = 0;
    unsigned long line = 0;
    double yaw = angle(argc, argv, 1, 30), pitch = angle(argc, argv, 2, 20);
    if (sr_pd_open(NULL, &pd, &err) != SR_OK) stop(err.what);
    const char *leaf = sr_pd_has(pd, "file") ? "file" : sr_pd_path_at(pd, 0);
    if (!leaf) stop("the protected data is empty");
    if (sr_pd_bytes(pd, leaf, &bytes, &size, &err) != SR_OK) stop(err.what);
    const char *wrong = mesh_read((const char *)bytes, &m, &line);
    if (wrong) {
        (void)fprintf(stderr, "asset-preview: no mesh: %s (line %lu)\n", wrong, line);
        return 1;
    }
    free(bytes);
    if ((wrong = mesh_examine(&m, &facts)) != NULL) stop(wrong);
    write_report(&m, &facts);
    FILE *f = open_out("preview.png");
    if ((wrong = picture_write(&m, yaw, pitch, f)) != NULL) stop(wrong);
    close_out(f);
    f = open_out("computed.json");
    (void)fputs("{\"deterministic-output-path\":\"/iexec_out\"}\n", f);
    close_out(f);
    (void)printf("%zu triangles, %s\n", m.n_triangles, facts.closed ? "closed" : "open");
    mesh_done(&m);
    sr_pd_close(pd);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archive, encryption, checksum and CID in one pass: blocks are made on the thread pool, a few
 * ahead of the upload that takes them, each of whole chunks of the store, so that nothing is
 * copied. While a chunk is encrypted, the one before goes into both hashes (cbc_lane). Memory is
 * constant. A first pass over each file finds its CRC, which the archive's header holds in front of
 * the bytes; it also proves that the second pass read the same file.   SPEC:
 * dataprotector.md#34-archive, #35-encryption-and-checksum
 */
#include "sdk/sdk_int.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (2 * IPFS_CHUNK)
#define PIECE (128u * 1024) /* read, summed and encrypted while it is in the processor's cache */
#define SLOTS 3
#define MAX32 0xffffffffull

struct slot {
    uint8_t *p;
    size_t n;
};

struct pd_stream {
    struct pd_stream_opts o;
    struct zip_writer *zip;
    struct cbc_lane aes;
    struct sha256_lane sha, leaf; /* of all, of the chunk that is being hashed */
    struct dag_builder *dag;
    uint8_t iv[AES_IV_BYTES];
    /* where the maker stands; touched by it only */
    struct slot *out;
    size_t chunk_end;  /* in it, of the chunk that is being filled */
    size_t pending;    /* bytes that wait in the cipher for the rest of their 16 */
    struct slice full; /* what is left to hash of the chunk before */
    size_t full_n;     /* its length; 0: there is none */
    struct buf plain;  /* what did not fit in the block before: headers, the directory */
    size_t entry;
    bool entry_open, zip_finished, ended;
    uint64_t left;
    uint8_t *in;
    /* the ring */
    struct slot slots[SLOTS];
    uint64_t made, taken; /* blocks */
    bool lent;            /* the oldest block is with the reader */
    bool maker_started, maker_runs, stop;
    struct fcond changed;
    sr_status status;
    struct sr_err err;
    uint64_t length;
    struct hash checksum;
};

/* ---- files ------------------------------------------------------------------------------------
 */

struct measure {
    struct pd_file *f;
    sr_status st;
    struct sr_err err;
};

static void measure_file(void *arg) {
    struct measure *m = arg;
    struct pd_file *f = m->f;
    uint8_t *p = malloc(PIECE);
    if (!p) {
        m->st = sr_fail(&m->err, SR_E_NOMEM, "out of memory");
        return;
    }
    uint64_t at = 0;
    f->crc = 0;
    for (;;) {
        ssize_t n = pread(f->fd, p, PIECE, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) m->st = sr_fail(&m->err, SR_E_SYS, "can't read %s", f->path);
        if (n <= 0) break;
        if (at == 0) f->mime = pd_mime(slice_of(p, (size_t)n < PD_SNIFF ? (size_t)n : PD_SNIFF));
        f->crc = zip_crc32(f->crc, slice_of(p, (size_t)n));
        at += (uint64_t)n;
    }
    f->size = at;
    free(p);
}

sr_status pd_file_open(struct pd_file *f, struct sr_err *err) {
    struct stat st;
    f->mime = pd_mime((struct slice){NULL, 0});
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (f->fd < 0) {
        sr_hint(err, "check the name and the file's permissions");
        return sr_fail(err, errno == ENOENT ? SR_E_NOTFOUND : SR_E_SYS, "can't open %s", f->path);
    }
    if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        sr_hint(err, "give files; pack a folder first");
        return sr_fail(err, SR_E_USAGE, "%s is not a regular file", f->path);
    }
    (void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    f->mtime_s = (int64_t)st.st_mtim.tv_sec;
    f->mtime_ns = (int64_t)st.st_mtim.tv_nsec;
    struct measure m = {.f = f};
    SR_TRY(fiber_offload(measure_file, &m, err));
    if (m.st != SR_OK && err) *err = m.err;
    return m.st;
}

void pd_file_close(struct pd_file *f) {
    if (f->fd >= 0) (void)close(f->fd);
    f->fd = -1;
}

static sr_status changed(const struct pd_file *f, struct sr_err *err) {
    sr_hint(err, "run it again when nothing writes to the file");
    return sr_fail(err, SR_E_CONFLICT, "%s changed while it was read", f->path);
}

/* ---- making blocks (on the thread pool) --------------------------------------------------------
 */

/* Bytes that still fill the chunk, to the last one. */
static size_t room(const struct pd_stream *s) {
    return s->chunk_end - s->out->n - s->pending;
}

static sr_status encrypt(struct pd_stream *s, struct slice plain, struct sr_err *err) {
    size_t n = 0;
    struct slice hashed = slice_of(s->full.p, plain.n < s->full.n ? plain.n : s->full.n);
    SR_TRY(cbc_lane_add(&s->aes, plain, s->out->p + s->out->n, &n, &s->sha, &s->leaf, hashed, err));
    if (hashed.n > 0) s->full = slice_of(s->full.p + hashed.n, s->full.n - hashed.n);
    s->out->n += n;
    s->pending = (s->pending + plain.n) % 16;
    return SR_OK;
}

/* Hashes to its end the chunk before, and takes the next one. */
static sr_status next_chunk(struct pd_stream *s, struct slice next, struct sr_err *err) {
    sha256_lanes_add(&s->sha, s->full, &s->leaf, s->full);
    if (s->full_n > 0) SR_TRY(dag_chunk_end(s->dag, &s->leaf, s->full_n, err));
    s->full = next;
    s->full_n = next.n;
    if (next.n > 0) dag_chunk_begin(s->dag, next.n, &s->leaf);
    return SR_OK;
}

static sr_status from_zip(void *arg, struct slice data, struct sr_err *err) {
    struct pd_stream *s = arg;
    size_t now = data.n < room(s) ? data.n : room(s);
    SR_TRY(encrypt(s, slice_of(data.p, now), err));
    buf_add(&s->plain, slice_of(data.p + now, data.n - now));
    return buf_status(&s->plain, err);
}

static sr_status file_step(struct pd_stream *s, struct sr_err *err) {
    struct pd_file *f = &s->o.files[s->entry];
    if (!s->entry_open) {
        struct zip_known k = {f->size, f->crc};
        SR_TRY(zip_begin(s->zip, slice_str(f->key), ZIP_STORED, &k, f->size, err));
        s->entry_open = true;
        s->left = f->size;
    }
    size_t want = room(s) < PIECE ? room(s) : PIECE;
    if (s->left < want) want = (size_t)s->left;
    ssize_t n = want == 0 ? 0 : pread(f->fd, s->in, want, (off_t)(f->size - s->left));
    if (n < 0 && errno == EINTR) return SR_OK;
    if (n < 0) return sr_fail(err, SR_E_SYS, "can't read %s", f->path);
    if (n == 0 && want > 0) return changed(f, err);
    SR_TRY(zip_write(s->zip, slice_of(s->in, (size_t)n), err));
    s->left -= (uint64_t)n;
    if (s->left > 0) return SR_OK;
    struct stat st;
    bool same = fstat(f->fd, &st) == 0 && (int64_t)st.st_mtim.tv_sec == f->mtime_s &&
                (int64_t)st.st_mtim.tv_nsec == f->mtime_ns && (uint64_t)st.st_size == f->size;
    struct sr_err none = {0};
    sr_status end = same ? zip_end(s->zip, &none) : SR_OK;
    if (end == SR_E_NOMEM) return sr_fail(err, end, "%s", none.what);
    if (!same || end != SR_OK) return changed(f, err);
    s->entry_open = false;
    s->entry++;
    return SR_OK;
}

static sr_status leaf_step(struct pd_stream *s, struct sr_err *err) {
    const struct pd_leaf *l = &s->o.tree->v[s->entry];
    if (l->folder) {
        SR_TRY(zip_folder(s->zip, l->path, err));
        s->entry++;
        return SR_OK;
    }
    if (!s->entry_open) {
        struct zip_known k = {l->bytes.n, zip_crc32(0, l->bytes)};
        SR_TRY(zip_begin(s->zip, l->path, ZIP_STORED, &k, l->bytes.n, err));
        s->entry_open = true;
        s->left = l->bytes.n;
    }
    size_t n = s->left < room(s) ? (size_t)s->left : room(s);
    SR_TRY(zip_write(s->zip, slice_of(l->bytes.p + (l->bytes.n - s->left), n), err));
    s->left -= n;
    if (s->left > 0) return SR_OK;
    SR_TRY(zip_end(s->zip, err));
    s->entry_open = false;
    s->entry++;
    return SR_OK;
}

static size_t entries(const struct pd_stream *s) {
    return s->o.tree ? s->o.tree->n : s->o.n_files;
}

static sr_status more_plain(struct pd_stream *s, struct sr_err *err) {
    if (s->plain.n > 0) {
        size_t n = s->plain.n < room(s) ? s->plain.n : room(s);
        SR_TRY(encrypt(s, slice_of(s->plain.p, n), err));
        buf_drop(&s->plain, n);
        return SR_OK;
    }
    if (s->entry < entries(s)) return s->o.tree ? leaf_step(s, err) : file_step(s, err);
    s->zip_finished = true;
    return zip_finish(s->zip, err);
}

static bool all_packed(const struct pd_stream *s) {
    return s->zip_finished && s->plain.n == 0;
}

static sr_status make_chunk(struct pd_stream *s, struct sr_err *err) {
    struct slot *out = s->out;
    size_t from = s->chunk_end, n = 0;
    s->chunk_end += IPFS_CHUNK;
    if (s->made == 0 && from == 0) {
        memcpy(out->p, s->iv, sizeof s->iv);
        out->n = sizeof s->iv;
    }
    while (room(s) > 0 && !all_packed(s)) SR_TRY(more_plain(s, err));
    if (room(s) > 0) { /* the padding has its place in this chunk */
        SR_TRY(cbc_lane_end(&s->aes, out->p + out->n, &n, err));
        out->n += n;
        s->ended = true;
    }
    return next_chunk(s, slice_of(out->p + from, out->n - from), err);
}

static sr_status make(struct pd_stream *s, struct slot *out, struct sr_err *err) {
    s->out = out;
    out->n = s->chunk_end = 0;
    while (s->chunk_end < BLOCK && !s->ended) SR_TRY(make_chunk(s, err));
    if (!s->ended) return SR_OK;
    SR_TRY(next_chunk(s, (struct slice){NULL, 0}, err));
    s->checksum = sha256_lane_end(&s->sha);
    return SR_OK;
}

static void make_block(void *arg) {
    struct pd_stream *s = arg;
    s->status = make(s, &s->slots[s->made % SLOTS], &s->err);
}

static void maker(void *arg) {
    struct pd_stream *s = arg;
    while (!s->stop && !s->ended && s->status == SR_OK) {
        if (s->made - s->taken == SLOTS) {
            if (fcond_wait(&s->changed, 0, NULL) != SR_OK) s->stop = true;
            continue;
        }
        sr_status st = fiber_offload(make_block, s, NULL);
        if (st != SR_OK && s->status == SR_OK) s->status = sr_fail(&s->err, st, "stopped");
        if (s->status == SR_OK) s->made++;
        fcond_wake(&s->changed);
    }
    s->maker_runs = false;
    fcond_wake(&s->changed);
}

/* ---- the stream ---------------------------------------------------------------------------------
 */

static uint64_t cipher_length(const struct pd_stream *s) {
    uint64_t n = ZIP_END_BYTES;
    for (size_t i = 0; i < entries(s); i++) {
        struct slice name = s->o.tree ? s->o.tree->v[i].path : slice_str(s->o.files[i].key);
        n += zip_stored_bytes(name) + (s->o.tree ? s->o.tree->v[i].bytes.n : s->o.files[i].size);
    }
    if (n >= MAX32 || entries(s) >= 65535) return UINT64_MAX; /* zip64 parts: not predicted */
    return AES_IV_BYTES + (n / 16 + 1) * 16;
}

sr_status pd_stream_new(const struct pd_stream_opts *o, struct pd_stream **ret,
                        struct sr_err *err) {
    struct pd_stream *s = sr_calloc_n(1, sizeof *s);
    if (!s) return sr_fail(err, SR_E_NOMEM, "out of memory");
    s->o = *o;
    s->length = cipher_length(s);
    buf_init(&s->plain, BLOCK + ZIP_DIR_MAX); /* the directory comes at once, at the end */
    sha256_lane_init(&s->sha);
    s->in = malloc(PIECE);
    sha256_lane_init(&s->leaf);
    bool whole = s->in != NULL;
    for (size_t i = 0; i < SLOTS; i++) {
        s->slots[i].p = malloc(BLOCK + 16); /* and what the cipher may touch */
        whole = whole && s->slots[i].p;
    }
    sr_status st = whole ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
    if (st == SR_OK && o->iv)
        memcpy(s->iv, o->iv, sizeof s->iv);
    else if (st == SR_OK)
        st = random_bytes(s->iv, sizeof s->iv, err);
    if (st == SR_OK) st = cbc_lane_init(&s->aes, o->key, s->iv, err);
    if (st == SR_OK) st = dag_new(NULL, NULL, &s->dag, err);
    if (st == SR_OK) st = zip_writer_new(from_zip, s, o->unix_ms, &s->zip, err);
    if (st != SR_OK) {
        pd_stream_free(s);
        return st;
    }
    *ret = s;
    return SR_OK;
}

void pd_stream_free(struct pd_stream *s) {
    if (!s) return;
    s->stop = true;
    while (s->maker_runs) {
        fcond_wake(&s->changed);
        if (fcond_wait(&s->changed, 10, NULL) == SR_E_CANCELLED && !s->maker_runs) break;
    }
    zip_writer_free(s->zip);
    cbc_lane_drop(&s->aes);
    dag_free(s->dag);
    for (size_t i = 0; i < SLOTS; i++) free(s->slots[i].p);
    buf_wipe(&s->plain);
    if (s->in) explicit_bzero(s->in, PIECE);
    free(s->in);
    free(s);
}

uint64_t pd_stream_length(const struct pd_stream *s) {
    return s->length;
}

struct hash pd_stream_checksum(const struct pd_stream *s) {
    SR_ASSERT(s->ended);
    return s->checksum;
}

struct dag_builder *pd_stream_dag(struct pd_stream *s) {
    return s->dag;
}

sr_status pd_stream_next(void *arg, struct slice *ret_piece, struct sr_err *err) {
    struct pd_stream *s = arg;
    if (!s->maker_started) {
        s->maker_started = s->maker_runs = true;
        sr_status st = fiber_start(maker, s, err);
        if (st != SR_OK) s->maker_runs = false;
        SR_TRY(st);
    }
    if (s->lent) {
        s->lent = false;
        s->taken++;
        fcond_wake(&s->changed);
    }
    while (s->made == s->taken && s->maker_runs) SR_TRY(fcond_wait(&s->changed, 0, err));
    if (s->made == s->taken) {
        if (s->status != SR_OK && err) *err = s->err;
        *ret_piece = (struct slice){NULL, 0};
        return s->status;
    }
    const struct slot *slot = &s->slots[s->taken % SLOTS];
    s->lent = true;
    *ret_piece = slice_of(slot->p, slot->n);
    return SR_OK;
}

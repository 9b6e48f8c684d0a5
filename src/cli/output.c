/* SPDX-License-Identifier: Apache-2.0 */
/* Text or JSON on stdout; progress and errors on stderr. */
#include "cli/cli_int.h"
#include <stdarg.h>
#include <unistd.h>

#define BAR_CELLS    24
#define BAR_EVERY_US 100000 /* at most ten drawings a second */
#define MIB          (1024.0 * 1024.0)

void out_begin(struct cli *c) {
    if (c->json) jw_obj(&c->w);
}

void out_end(struct cli *c) {
    if (c->json) jw_end_obj(&c->w);
    if (c->json && c->w.depth == 0) buf_str(&c->out, "\n");
}

/* Names on the chain and texts of services are chosen by others: none may steer a terminal. */
static void add_printable(struct buf *b, const char *text) {
    for (const char *p = text; *p; p++) {
        unsigned char ch = (unsigned char)*p;
        bool c1 = ch == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0;
        if (ch < 0x20 || ch == 0x7f || c1)
            buf_str(b, "?");
        else
            buf_put(b, p, 1);
        if (c1) p++;
    }
}

static void label(struct cli *c, const char *key) {
    buf_printf(&c->out, "%-16s ", key);
}

void out_str(struct cli *c, const char *key, const char *value) {
    if (c->json) {
        jw_kcstr(&c->w, key, value);
    } else if (value[0] != 0) {
        label(c, key);
        add_printable(&c->out, value);
        buf_str(&c->out, "\n");
    }
}

void out_u64(struct cli *c, const char *key, uint64_t value) {
    if (c->json) {
        jw_ku64(&c->w, key, value);
    } else {
        label(c, key);
        buf_printf(&c->out, "%llu\n", (unsigned long long)value);
    }
}

void out_i64(struct cli *c, const char *key, int64_t value) {
    if (c->json) {
        jw_key(&c->w, key);
        jw_i64(&c->w, value);
    } else {
        label(c, key);
        buf_printf(&c->out, "%lld\n", (long long)value);
    }
}

/* Text of several lines, each below the label, none of which steers the terminal. */
static void add_lines(struct buf *b, const char *text) {
    struct slice rest = slice_str(text), line;
    while (rest.n > 0) {
        struct slice all = rest;
        if (!slice_cut(all, '\n', &line, &rest)) {
            line = all;
            rest = slice_of(all.p, 0);
        }
        cleanup_free char *copy = slice_dup(line);
        buf_str(b, "    ");
        if (copy) add_printable(b, copy);
        buf_str(b, "\n");
    }
}

void out_lines(struct cli *c, const char *key, const char *text) {
    if (c->json) {
        jw_kcstr(&c->w, key, text);
    } else if (text[0] != 0) {
        buf_printf(&c->out, "%s\n", key);
        add_lines(&c->out, text);
    }
}

void out_bool(struct cli *c, const char *key, bool value) {
    if (c->json) {
        jw_kbool(&c->w, key, value);
    } else {
        label(c, key);
        buf_str(&c->out, value ? "yes\n" : "no\n");
    }
}

void out_json(struct cli *c, const char *key, const char *json) {
    if (c->json) {
        jw_key(&c->w, key);
        jw_raw(&c->w, slice_str(json ? json : "null"));
    } else if (json) {
        label(c, key);
        add_printable(&c->out, json);
        buf_str(&c->out, "\n");
    }
}

void out_amount(struct cli *c, const char *key, const char *nrlc) {
    if (c->json) {
        jw_kcstr(&c->w, key, nrlc);
    } else {
        label(c, key);
        buf_printf(&c->out, "%s nRLC\n", nrlc);
    }
}

void out_time(struct cli *c, const char *key, uint64_t unix_s) {
    if (c->json) {
        jw_ku64(&c->w, key, unix_s);
    } else if (unix_s > 0) {
        char text[25];
        iso8601(text, unix_s * 1000);
        label(c, key);
        buf_printf(&c->out, "%s\n", text);
    }
}

void out_text(struct cli *c, const char *fmt, ...) {
    if (c->json) return;
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    int full = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    size_t n = strlen(line);
    bool newline = full >= (int)sizeof line || (n > 0 && line[n - 1] == '\n'); /* cut, or whole */
    if (n > 0 && line[n - 1] == '\n') line[n - 1] = 0;
    add_printable(&c->out, line);
    if (newline) buf_str(&c->out, "\n");
}

void out_list_begin(struct cli *c, const char *key) {
    if (!c->json) return;
    jw_key(&c->w, key);
    jw_arr(&c->w);
}

void out_list_end(struct cli *c) {
    if (c->json) jw_end_arr(&c->w);
}

/* ---- progress ---------------------------------------------------------------------------------
 */

static void close_line(struct cli *c) {
    if (c->line_open) (void)fputs("\n", stderr);
    c->line_open = false;
}

void cli_progress_end(struct cli *c) {
    close_line(c);
    c->last_step = c->last_stage = NULL;
}

static void draw_bar(struct cli *c, const struct sr_progress *p, int64_t now_us) {
    char bar[BAR_CELLS + 1];
    uint64_t full = p->total > 0 ? (uint64_t)((double)p->done / (double)p->total * BAR_CELLS) : 0;
    for (size_t i = 0; i < BAR_CELLS; i++) bar[i] = i < full ? '#' : '.';
    bar[BAR_CELLS] = 0;
    double seconds = (double)(now_us - c->step_us) / 1e6;
    double rate = seconds > 0 ? (double)p->done / MIB / seconds : 0;
    if (p->total > 0)
        (void)fprintf(stderr, "\r%-14s [%s] %3.0f %%  %.1f MiB/s \033[K", p->step, bar,
                      100.0 * (double)p->done / (double)p->total, rate);
    else
        (void)fprintf(stderr, "\r%-14s %.1f MiB  %.1f MiB/s \033[K", p->step, (double)p->done / MIB,
                      rate);
    c->line_open = true;
}

/* A terminal gets bars; a file or a pipe gets one line for each step and stage. */
void cli_progress(void *arg, const struct sr_progress *p) {
    struct cli *c = arg;
    if (c->quiet) return;
    int64_t now = clock_mono_us();
    bool new_step = !c->last_step || strcmp(c->last_step, p->step) != 0;
    bool new_stage = p->stage && (!c->last_stage || strcmp(c->last_stage, p->stage) != 0);
    if (new_step) {
        close_line(c);
        c->step_us = now;
        c->last_stage = NULL;
    }
    c->last_step = p->step;
    c->last_stage = p->stage;
    bool finished = p->total > 0 && p->done >= p->total;
    if (c->tty && (p->done > 0 || p->total > 0)) {
        if (new_step || finished || now - c->drawn_us > BAR_EVERY_US) {
            draw_bar(c, p, now);
            c->drawn_us = now;
        }
        return;
    }
    if (!new_step && !new_stage) return;
    double ms = (double)(now - c->started_us) / 1000.0;
    (void)fprintf(stderr, "%8.0f ms  %s%s%s%s%s\n", ms, p->step, p->stage ? ": " : "",
                  p->stage ? p->stage : "", p->subject ? " " : "", p->subject ? p->subject : "");
}

/* ---- failures -----------------------------------------------------------------------------------
 */

#define TAIL_MAX 2000 /* characters of an app's output beside its failure */

/* The last of it, from the beginning of a line where there is one. */
static const char *tail(const char *text) {
    size_t n = strlen(text);
    if (n <= TAIL_MAX) return text;
    const char *from = text + n - TAIL_MAX, *line = strchr(from, '\n');
    while (((unsigned char)*from & 0xc0) == 0x80) from++; /* not within a character */
    return line && line[1] ? line + 1 : from;
}

/* Beside the failure's own code, status and stage. */
static void report_task(const struct cli *c, struct jw *w) {
    const struct sr_task *t = &c->failed;
    jw_kcstr(w, "task", t->task);
    jw_kcstr(w, "deal", t->deal);
    jw_kcstr(w, "taskStatus", t->status);
    jw_kcstr(w, "taskStage", t->stage);
    jw_kcstr(w, "cause", t->cause);
    if (t->has_exit_code) {
        jw_key(w, "exitCode");
        jw_i64(w, t->exit_code);
    }
    if (c->failed_logs.out) jw_kcstr(w, "stdout", tail(c->failed_logs.out));
    if (c->failed_logs.err) jw_kcstr(w, "stderr", tail(c->failed_logs.err));
}

int cli_report(struct cli *c, sr_status code, const struct sr_err *err) {
    cli_progress_end(c);
    const char *what = err->what[0] ? err->what : sr_status_text(code);
    const struct sr_failure *f = sr_failure_find(err->failure);
    const char *next = sr_err_next(err);
    if (c->json) {
        cleanup_buf struct buf b;
        buf_init(&b, 65536);
        struct jw w = jw_of(&b);
        jw_obj(&w); /* the shape of the services' answers */
        jw_kcstr(&w, "error", what);
        jw_kcstr(&w, "code", f ? f->code : sr_status_name(code));
        jw_kcstr(&w, "status", sr_status_name(code));
        if (f) {
            jw_kcstr(&w, "stage", f->stage);
            jw_kcstr(&w, "party", f->party);
            jw_kbool(&w, "retry", f->retry);
        }
        jw_kcstr(&w, "hint", next);
        jw_ku64(&w, "exit", (uint64_t)sr_exit_code(code));
        if (c->has_failed) report_task(c, &w);
        jw_end_obj(&w);
        (void)printf("%s\n", buf_cstr(&b));
    } else {
        cleanup_buf struct buf b;
        buf_init(&b, 65536);
        if (c->failed_logs.out && c->failed_logs.out[0]) {
            buf_str(&b, "the end of what the app wrote to stdout:\n");
            add_lines(&b, tail(c->failed_logs.out));
        }
        if (c->failed_logs.err && c->failed_logs.err[0]) {
            buf_str(&b, "the end of what the app wrote to stderr:\n");
            add_lines(&b, tail(c->failed_logs.err));
        }
        buf_str(&b, "strongroom: ");
        add_printable(&b, what);
        buf_str(&b, "\n");
        if (next[0]) {
            buf_str(&b, "  what to do: ");
            add_printable(&b, next);
            buf_str(&b, "\n");
        }
        if (f)
            buf_printf(&b, "  failure:    %s (stage %s, to be mended by: %s%s)\n", f->code,
                       f->stage, f->party, f->retry ? "; trying again may help" : "");
        (void)fputs(buf_cstr(&b), stderr);
    }
    return sr_exit_code(code);
}

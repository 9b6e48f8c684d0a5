/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as the official clients make them, outcomes as the official apps tell them. */
#include "sdk/messaging_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct json *vectors(void) {
    cleanup_buf struct buf b;
    struct json *doc = NULL;
    buf_init(&b, 4u << 20);
    assert_int_equal(fs_read(VECTORS "/dataprotector/messaging.json", &b, NULL), SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    return doc;
}

static struct sr_message mail(const char *content) {
    return (struct sr_message){
        .channel = SR_MAIL, .subject = "Subject", .content = content, .content_n = strlen(content)};
}

static sr_status checked(const struct sr_message *m) {
    struct slice sender, label;
    return message_check(m, &sender, &label, NULL);
}

/* n characters of one kind */
static char *repeat(const char *c, size_t n) {
    cleanup_buf struct buf b;
    buf_init(&b, 8u << 20);
    for (size_t i = 0; i < n; i++) buf_str(&b, c);
    char *s = slice_dup(buf_slice(&b));
    assert_non_null(s);
    return s;
}

static void texts_have_the_lengths_of_the_official_clients(void **state) {
    (void)state;
    static const struct {
        const char *what, *c;
        size_t min, max;
    } t[] = {{"subject", "s", 1, 78},     {"subject", "é", 1, 78},    {"subject", "😀", 1, 39},
             {"sender", "n", 3, 20},      {"sender", "😀", 2, 10},     {"label", "l", 3, 10},
             {"content", "x", 1, 512000}, {"content", "😀", 1, 256000}};
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        const size_t at[] = {t[i].min - 1, t[i].min, t[i].max, t[i].max + 1};
        for (size_t k = 0; k < SR_ARRAY_LEN(at); k++) {
            cleanup_free char *text = repeat(t[i].c, at[k]);
            struct sr_message m = mail("content");
            if (strcmp(t[i].what, "subject") == 0) m.subject = text;
            if (strcmp(t[i].what, "sender") == 0) m.sender = text;
            if (strcmp(t[i].what, "label") == 0) m.label = text;
            if (strcmp(t[i].what, "content") == 0) {
                m.content = text;
                m.content_n = strlen(text);
            }
            bool good = at[k] >= t[i].min && at[k] <= t[i].max;
            assert_int_equal(checked(&m), good ? SR_OK : SR_E_USAGE);
        }
    }
}

static void spaces_around_sender_and_label_do_not_count(void **state) {
    (void)state;
    struct sr_message m = mail("content");
    struct slice sender, label;
    m.sender = "  Bob \n";
    m.label = " news  ";
    assert_int_equal(message_check(&m, &sender, &label, NULL), SR_OK);
    assert_true(slice_is(sender, "Bob") && slice_is(label, "news"));
    m.sender = " a ";
    assert_int_equal(checked(&m), SR_E_USAGE);
}

static void what_cannot_be_sent_is_refused(void **state) {
    (void)state;
    struct sr_message m = mail("content");
    assert_int_equal(checked(&m), SR_OK);
    m.subject = NULL;
    assert_int_equal(checked(&m), SR_E_USAGE);
    m = mail("");
    assert_int_equal(checked(&m), SR_E_USAGE);
    m = mail("\xff\xfe"); /* no UTF-8 */
    assert_int_equal(checked(&m), SR_E_USAGE);
    m = mail("content");
    m.channel = SR_TELEGRAM; /* has no subject */
    assert_int_equal(checked(&m), SR_E_USAGE);
    m.subject = NULL;
    assert_int_equal(checked(&m), SR_OK);
    m.html = true;
    assert_int_equal(checked(&m), SR_E_USAGE);
    assert_null(channel_of((sr_channel)2));
}

static void content_is_encrypted_as_the_official_client_does(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors();
    const struct json_val *root = json_root(doc);
    cleanup_secret struct sr_secret key = {0};
    cleanup_buf struct buf raw, want, got;
    buf_init(&raw, 64);
    buf_init(&want, 4096);
    buf_init(&got, 4096);
    assert_true(base64_decode(json_text(json_get(root, "contentKey")), &raw));
    assert_int_equal(raw.n, AES_KEY_BYTES);
    assert_int_equal(secret_new(AES_KEY_BYTES, &key, NULL), SR_OK);
    memcpy(key.p, raw.p, raw.n);
    assert_true(hex_decode_buf(json_text(json_get(root, "encryptedContentHex")), &want));
    assert_int_equal(
        message_encrypt(&key, want.p, json_text(json_get(root, "content")), &got, NULL), SR_OK);
    assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
}

/* The vectors' secret from our message: the same members, with the same values. */
static void same_secret(const struct json_val *c, const struct sr_secret *key, bool is_mail) {
    const struct json_val *want = json_get(c, "requesterSecret"), *v;
    cleanup_free char *subject = slice_dup(json_text(json_get(want, "emailSubject"))),
                      *sender = slice_dup(json_text(json_get(want, "senderName")));
    struct sr_message m = mail("content");
    m.channel = is_mail ? SR_MAIL : SR_TELEGRAM;
    m.subject = is_mail ? subject : NULL;
    m.sender = sender && sender[0] ? sender : NULL;
    m.html = slice_is(json_text(json_get(want, "contentType")), "text/html");
    m.on_chain = json_get(want, "useCallback") != NULL;
    struct message x = {.m = &m, .ch = channel_of(m.channel)};
    assert_int_equal(message_check(&m, &x.sender, &x.label, NULL), SR_OK);
    cleanup_buf struct buf b;
    cleanup_json struct json *doc = NULL;
    buf_init(&b, 4096);
    cleanup_free char *at = slice_dup(json_text(json_get(want, x.ch->multiaddr)));
    message_secret(&x, at, key, &b);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    for (v = json_first(want); v; v = json_next(v)) {
        cleanup_free char *name = slice_dup(json_key(v));
        const struct json_val *ours = json_get(json_root(doc), name);
        assert_non_null(ours);
        assert_true(slice_eq(json_raw(ours), json_raw(v)));
    }
    for (v = json_first(json_root(doc)); v; v = json_next(v)) {
        cleanup_free char *name = slice_dup(json_key(v));
        assert_true(json_get(want, name) || strcmp(name, "contentType") == 0);
    }
}

static void the_secret_is_what_the_official_apps_read(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors();
    cleanup_secret struct sr_secret key = {0};
    size_t checked_n = 0;
    assert_int_equal(secret_new(AES_KEY_BYTES, &key, NULL), SR_OK);
    for (size_t i = 0; i < AES_KEY_BYTES; i++) key.p[i] = (uint8_t)(i + 1);
    for (const struct json_val *c = json_first(json_get(json_root(doc), "cases")); c;
         c = json_next(c)) {
        struct slice name = json_text(json_get(c, "name"));
        bool is_mail = slice_is(json_text(json_get(c, "app")), "web3mail");
        if (!slice_is(name, "single-plain") && !slice_is(name, "single-html") &&
            !slice_is(name, "single") && !slice_is(name, "single-no-sender"))
            continue;
        same_secret(c, &key, is_mail);
        checked_n++;
    }
    assert_int_equal(checked_n, 4);
}

/* ---- outcomes ---- */

static void same_delivery(const struct json_val *want, const struct sr_delivery *got) {
    bool good = json_is(json_get(want, "success"), JSON_TRUE), valid;
    assert_int_equal(got->state, good ? SR_DELIVERY_SENT : SR_DELIVERY_FAILED);
    struct slice error = json_text(json_get(want, "error"));
    assert_int_equal(strncmp(got->error, good ? "" : (const char *)error.p, strlen(got->error)), 0);
    assert_int_equal(got->error[0] == 0, good);
    assert_int_equal(got->address, !json_bool(json_get(want, "isEmailValid"), &valid)
                                       ? SR_ADDRESS_UNKNOWN
                                   : valid ? SR_ADDRESS_VALID
                                           : SR_ADDRESS_INVALID);
}

/* The room's list for a vector's data sets. */
static struct json *released(size_t n, size_t withheld) {
    cleanup_buf struct buf b;
    struct json *doc = NULL;
    buf_init(&b, 65536);
    struct jw w = jw_of(&b);
    jw_arr(&w);
    for (size_t i = 1; i <= n; i++) {
        struct addr a = {{0}};
        memset(a.b, (int)(i * 0x11), sizeof a.b);
        jw_obj(&w);
        jw_ku64(&w, "n", i);
        jw_kaddr(&w, "address", &a);
        jw_kcstr(&w, "outcome", i == withheld ? "DATASET_ORDER_REVOKED" : "released");
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    return doc;
}

static void same_bulk(const struct json_val *c, size_t n) {
    for (size_t withheld = 0; withheld <= n; withheld++) {
        cleanup_json struct json *list = released(n, withheld);
        struct outcome o = {0};
        assert_int_equal(delivery_of_bulk(json_root(list), json_get(c, "result"), &o, NULL), SR_OK);
        assert_int_equal(o.n, n);
        for (size_t i = 0; i < n; i++) {
            if (i + 1 == withheld) {
                assert_int_equal(o.list[i].state, SR_DELIVERY_WITHHELD);
                assert_string_equal(o.list[i].error, "DATASET_ORDER_REVOKED");
                continue;
            }
            same_delivery(json_at(json_get(json_get(c, "result"), "results"), i), &o.list[i]);
        }
        free(o.list);
    }
}

static void same_callback(const struct json_val *c) {
    struct sr_delivery d = {.state = SR_DELIVERY_SENT};
    uint8_t told[32];
    struct slice text = json_text(json_get(json_get(c, "computed"), "callback-data"));
    if (text.n == 0) return;
    assert_true(hex_decode(text, told, sizeof told));
    assert_int_equal(delivery_of_callback(slice_of(told, sizeof told), &d, NULL), SR_OK);
    assert_int_equal(d.state, SR_DELIVERY_UNTOLD);
    assert_int_equal(d.address, told[31] == 3   ? SR_ADDRESS_VALID
                                : told[31] == 2 ? SR_ADDRESS_INVALID
                                                : SR_ADDRESS_UNKNOWN);
}

static void every_outcome_of_the_official_apps_is_understood(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors();
    size_t single = 0, bulk = 0;
    for (const struct json_val *c = json_first(json_get(json_root(doc), "cases")); c;
         c = json_next(c)) {
        uint64_t n = 0;
        struct sr_delivery d = {0};
        assert_true(json_u64(json_get(c, "bulk"), &n));
        same_callback(c);
        if (n > 0) {
            same_bulk(c, (size_t)n);
            bulk++;
            continue;
        }
        assert_int_equal(delivery_of_one(json_get(c, "result"), &d, NULL), SR_OK);
        same_delivery(json_get(c, "result"), &d);
        single++;
    }
    assert_int_equal(bulk, 5);
    assert_int_equal(single, 46);
}

static sr_status bulk_of(const char *list, const char *result, struct outcome *ret) {
    cleanup_json struct json *a = NULL, *b = NULL;
    *ret = (struct outcome){0};
    assert_int_equal(json_parse(slice_str(list), &a, NULL), SR_OK);
    assert_int_equal(json_parse(slice_str(result), &b, NULL), SR_OK);
    return delivery_of_bulk(json_root(a), json_root(b), ret, NULL);
}

#define ADDR         "0x1111111111111111111111111111111111111111"
#define ROW(n, addr) "[{\"n\":" n ",\"address\":\"" addr "\",\"outcome\":\"released\"}]"
#define ONE          ROW("1", ADDR)
static const char second[] = ROW("2", ADDR), short_addr[] = ROW("1", "0x11"),
                  no_outcome[] = "[{\"n\":1,\"address\":\"" ADDR "\"}]";

static void an_outcome_that_is_none_is_refused(void **state) {
    (void)state;
    const char *const lists[] = {"{}", "[1]", second, short_addr, no_outcome};
    struct outcome o;
    struct sr_delivery d = {0};
    uint8_t told[33] = {0};
    for (size_t i = 0; i < SR_ARRAY_LEN(lists); i++)
        assert_int_equal(bulk_of(lists[i], "{\"results\":[]}", &o), SR_E_MALFORMED);
    assert_int_equal(bulk_of(ONE, "{\"results\":[{\"index\":2,\"success\":true}]}", &o),
                     SR_E_MALFORMED);
    assert_int_equal(bulk_of(ONE, "{\"results\":[{\"index\":0,\"success\":true}]}", &o),
                     SR_E_MALFORMED);
    told[31] = 3;
    assert_int_equal(delivery_of_callback(slice_of(told, 31), &d, NULL), SR_E_MALFORMED);
    assert_int_equal(delivery_of_callback(slice_of(told, 33), &d, NULL), SR_E_MALFORMED);
    told[0] = 1;
    assert_int_equal(delivery_of_callback(slice_of(told, 32), &d, NULL), SR_E_MALFORMED);
    told[0] = 0;
    told[31] = 4;
    assert_int_equal(delivery_of_callback(slice_of(told, 32), &d, NULL), SR_E_MALFORMED);
}

/* One that the app is silent about was not sent, as far as anybody knows. */
static void silence_is_no_success(void **state) {
    (void)state;
    struct outcome o;
    assert_int_equal(bulk_of(ONE, "{\"success\":true,\"results\":[]}", &o), SR_OK);
    assert_int_equal(o.list[0].state, SR_DELIVERY_FAILED);
    free(o.list);
    assert_int_equal(bulk_of(ONE, "{\"success\":false,\"error\":\"App secret error\"}", &o), SR_OK);
    assert_int_equal(o.list[0].state, SR_DELIVERY_FAILED);
    assert_string_equal(o.list[0].error, "App secret error");
    free(o.list);
}

static void updates_of_a_bot_tell_whom_to_answer(void **state) {
    (void)state;
    static const char text[] =
        "{\"ok\":true,\"result\":[{\"update_id\":7,\"message\":{\"chat\":{\"id\":5,\"type\":"
        "\"private\"}}},"
        "{\"update_id\":8,\"message\":{\"chat\":{\"id\":-5,\"type\":\"group\"}}},"
        "{\"update_id\":9,\"message\":{\"chat\":{\"id\":6,\"type\":\"channel\"}}},{\"update_id\":"
        "10}]}";
    static const char *const bad[] = {"{}", "[]", "{\"result\":5}", "{\"result\":[{}]}",
                                      "{\"result\":[{\"update_id\":-1}]}"};
    struct telegram_update u[3];
    size_t n = 0;
    cleanup_json struct json *doc = NULL;
    assert_int_equal(json_parse(slice_str(text), &doc, NULL), SR_OK);
    assert_int_equal(telegram_updates_read(json_root(doc), u, 3, &n, NULL), SR_OK);
    assert_int_equal(n, 3); /* as many as fit */
    assert_true(u[0].is_private && u[0].chat == 5 && u[0].id == 7);
    assert_false(u[1].is_private || u[2].is_private);
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        cleanup_json struct json *other = NULL;
        assert_int_equal(json_parse(slice_str(bad[i]), &other, NULL), SR_OK);
        assert_int_equal(telegram_updates_read(json_root(other), u, 3, &n, NULL), SR_E_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(texts_have_the_lengths_of_the_official_clients),
        cmocka_unit_test(spaces_around_sender_and_label_do_not_count),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(content_is_encrypted_as_the_official_client_does),
        cmocka_unit_test(the_secret_is_what_the_official_apps_read),
        cmocka_unit_test(every_outcome_of_the_official_apps_is_understood),
        cmocka_unit_test(an_outcome_that_is_none_is_refused),
        cmocka_unit_test(silence_is_no_success),
        cmocka_unit_test(updates_of_a_bot_tell_whom_to_answer),
    };
    return cmocka_run_group_tests_name("sdk/messaging", t, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a new app: what is kept, what is filled in, in every combination of features. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include "cli/template.h"
#include <cmocka.h>

static void every_template_fills_for_every_combination(void **state) {
    (void)state;
    static const char *const features[] = {"data", "bulk", "args", "secrets", "appsecret", "files"};
    size_t seen = 0;
    for (const struct template *t = templates; t->name; t++, seen++)
        for (unsigned set = 0; set < 1u << SR_ARRAY_LEN(features); set++) {
            struct template_value v[SR_ARRAY_LEN(features) + 4] = {
                {"NAME", "my app"}, {"LANGUAGE", "C"}, {"SOURCE", "src/app.c"}};
            for (size_t i = 0; i < SR_ARRAY_LEN(features); i++)
                v[3 + i] = (struct template_value){features[i], set >> i & 1 ? "" : NULL};
            struct buf b;
            buf_init(&b, 1u << 20);
            assert_int_equal(template_fill(t->name, v, &b, NULL), SR_OK);
            const char *text = buf_cstr(&b);
            assert_null(strstr(text, "%if"));
            assert_null(strstr(text, "%end"));
            assert_null(strstr(text, "%else"));
            assert_null(strstr(text, "%NAME%"));
            buf_done(&b);
        }
    assert_int_equal(seen, 7);
}

static void a_feature_keeps_its_lines_and_drops_the_others(void **state) {
    (void)state;
    struct buf b;
    const struct template_value with[] = {{"NAME", "x"}, {"data", ""}, {NULL, NULL}},
                                without[] = {{"NAME", "x"}, {NULL, NULL}};
    buf_init(&b, 1u << 20);
    assert_int_equal(template_fill("Makefile", with, &b, NULL), SR_OK);
    assert_non_null(strstr(buf_cstr(&b), "strongroom-deserializer"));
    buf_clear(&b);
    assert_int_equal(template_fill("Makefile", without, &b, NULL), SR_OK);
    assert_null(strstr(buf_cstr(&b), "strongroom-deserializer"));
    buf_clear(&b);
    assert_int_equal(template_fill("no-such", with, &b, NULL), SR_E_NOTFOUND);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_template_fills_for_every_combination),
        cmocka_unit_test(a_feature_keeps_its_lines_and_drops_the_others),
    };
    return cmocka_run_group_tests_name("cli/template", t, NULL, NULL);
}

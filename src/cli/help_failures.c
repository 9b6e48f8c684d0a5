/* SPDX-License-Identifier: Apache-2.0 */
/* The failure catalogue as a page and as a section of the manual. */
#include "cli/cli_int.h"

static const char intro[] =
    "A failed run has a code. The code says in which stage it failed, who can mend it, and whether "
    "the same request may succeed later without anybody changing anything. Codes never change "
    "their meaning; texts may. With --json a failure is {\"error\", \"code\", \"status\", "
    "\"stage\", "
    "\"party\", \"retry\", \"hint\", \"exit\"}: stage, party and retry are there when the code is "
    "of "
    "this table; else the code is the status (SR_E_...), and the text says all there is.";

int cli_print_failures(void) {
    (void)printf(
        "# Failures\n\nMade from the failure catalogue (`include/strongroom/failure.def`) by "
        "`strongroom help --failures`; do not edit.\n\n%s\n",
        intro);
    const char *stage = "";
    const struct sr_failure *f;
    for (size_t i = 0; (f = sr_failure_at(i)) != NULL; i++) {
        if (strcmp(stage, f->stage) != 0)
            (void)printf("\n## Stage: %s\n\n| code | cause | mended by | retry | next step |\n"
                         "| --- | --- | --- | --- | --- |\n",
                         f->stage);
        stage = f->stage;
        (void)printf("| `%s` | %s | %s | %s | %s |\n", f->code, f->cause, f->party,
                     f->retry ? "yes" : "no", f->next);
    }
    return 0;
}

void cli_man_failures(void) {
    (void)printf(".SH FAILURES\n%s\n", intro);
    const struct sr_failure *f;
    for (size_t i = 0; (f = sr_failure_at(i)) != NULL; i++)
        (void)printf(".TP\n.B %s\n%s (stage %s, mended by: %s%s). %s.\n", f->code, f->cause,
                     f->stage, f->party, f->retry ? ", may go away by itself" : "", f->next);
}

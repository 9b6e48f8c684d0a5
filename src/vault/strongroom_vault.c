/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/vault.h"

int main(int argc, char **argv) {
    return vault_main(argc - 1, argv + 1);
}

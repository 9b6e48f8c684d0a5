/* SPDX-License-Identifier: Apache-2.0 */
/* revert.c - why a contract refused, for a person */
#include "eth/abi.h"

/* Errors without interesting arguments are shown by their name alone. */
static const char *const errors[] = {
    "AppNotWhitelistedForProtectedData(address)",
    "CallerIsNotTheRequester()",
    "CollectionNotEmpty(uint256)",
    "Create2EmptyBytecode()",
    "Create2FailedDeployment()",
    "Create2InsufficientBalance(uint256,uint256)",
    "DurationInvalid(uint48)",
    "ERC20InsufficientAllowance(address,uint256,uint256)",
    "ERC20InsufficientBalance(address,uint256,uint256)",
    "ERC20InvalidApprover(address)",
    "ERC20InvalidReceiver(address)",
    "ERC20InvalidSender(address)",
    "ERC20InvalidSpender(address)",
    "ERC2612ExpiredSignature(uint256)",
    "ERC2612InvalidSigner(address,address)",
    "ERC721EnumerableForbiddenBatchMint()",
    "ERC721IncorrectOwner(address,uint256,address)",
    "ERC721InsufficientApproval(address,uint256)",
    "ERC721InvalidApprover(address)",
    "ERC721InvalidOperator(address)",
    "ERC721InvalidOwner(address)",
    "ERC721InvalidReceiver(address)",
    "ERC721InvalidSender(address)",
    "ERC721NonexistentToken(uint256)",
    "ERC721OutOfBoundsIndex(address,uint256)",
    "FunctionNotFound(bytes4)",
    "IncompatibleDatasetOrder(string)",
    "IncorrectFacetCutAction(uint8)",
    "InvalidAppWhitelist(address)",
    "InvalidPriceForPurchase(address,uint72)",
    "InvalidRentingParams(address,(uint72,uint40))",
    "InvalidSubscriptionParams(uint256,(uint72,uint40))",
    "NoBytecodeAtAddress(address,string)",
    "NoValidRentalOrSubscription(uint256,address)",
    "NotAddOnlyAppWhitelistOperator()",
    "NotAnOwnerOrApprovedOperator()",
    "NotCollectionOperator(uint256)",
    "NotContractOwner(address,address)",
    "NotOwner(address)",
    "OnGoingCollectionSubscriptions(uint256)",
    "OperationFailed()",
    "OwnableInvalidOwner(address)",
    "OwnableUnauthorizedAccount(address)",
    "ProtectedDataAvailableForRenting(uint256,address)",
    "ProtectedDataAvailableInSubscription(uint256,address)",
    "ProtectedDataCurrentlyBeingRented(address)",
    "ProtectedDataForSale(address)",
    "ProtectedDataNotAvailableForRenting(address)",
    "ProtectedDataNotForSale(address)",
    "SafeERC20FailedOperation(address)",
    "UnsupportedOperation(bytes4)",
};

static const struct {
    uint64_t code;
    const char *text;
} panics[] = {
    {0x01, "assertion failed"},   {0x11, "arithmetic overflow"},
    {0x12, "division by zero"},   {0x21, "no such enum value"},
    {0x31, "pop of empty array"}, {0x32, "index out of bounds"},
    {0x41, "out of memory"},      {0x51, "call of an empty function"},
};

/* Text from a contract: printable ASCII kept, everything else as a question mark. */
static void put_text(struct buf *b, struct slice s) {
    for (size_t i = 0; i < s.n && i < 160; i++)
        buf_u8(b, s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
}

static void put_val(struct buf *b, const struct abi_val *v) {
    char dec[U256_DEC_MAX];
    switch (v->kind) {
    case ABI_NUM:
        u256_to_dec(dec, v->num);
        buf_str(b, dec);
        break;
    case ABI_ADDR: buf_str(b, addr_text(&v->addr).s); break;
    case ABI_FIXED:
        buf_str(b, "0x");
        buf_hex(b, slice_of(v->hash.b, 4));
        break;
    case ABI_BYTES: put_text(b, v->bytes); break;
    case ABI_LIST: buf_str(b, "(...)"); break;
    }
}

void eth_revert_text(struct slice data, struct buf *b) {
    cleanup_abi struct abi_out o = {0};
    if (data.n == 0) {
        buf_str(b, "no reason given");
        return;
    }
    if (abi_decode_call(data, "Error(string)", &o, NULL) == SR_OK) {
        put_text(b, o.v[0].bytes);
        return;
    }
    if (abi_decode_call(data, "Panic(uint256)", &o, NULL) == SR_OK) {
        uint64_t code;
        const char *text = "unknown";
        if (u256_to_u64(o.v[0].num, &code))
            for (size_t i = 0; i < SR_ARRAY_LEN(panics); i++)
                if (panics[i].code == code) text = panics[i].text;
        buf_printf(b, "panic: %s", text);
        return;
    }
    static uint8_t sel[SR_ARRAY_LEN(errors)][4]; /* filled once; only ever the same values */
    static bool ready;
    for (size_t i = 0; !ready && i < SR_ARRAY_LEN(errors); i++) abi_selector(errors[i], sel[i]);
    ready = true;
    for (size_t i = 0; data.n >= 4 && i < SR_ARRAY_LEN(errors); i++) {
        if (memcmp(data.p, sel[i], 4) != 0) continue;
        if (abi_decode_call(data, errors[i], &o, NULL) != SR_OK) continue;
        struct slice name, rest;
        (void)slice_cut(slice_str(errors[i]), '(', &name, &rest);
        buf_add(b, name);
        buf_str(b, "(");
        for (size_t k = 0; k < o.n; k++) {
            if (k) buf_str(b, ", ");
            put_val(b, &o.v[k]);
        }
        buf_str(b, ")");
        return;
    }
    buf_str(b, "0x");
    buf_hex(b, slice_of(data.p, data.n > 40 ? 40 : data.n));
}

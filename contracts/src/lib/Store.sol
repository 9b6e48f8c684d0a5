// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/*
 * The hub's storage. Positions +7, +11, +18 and +23 are where existing tools and test suites write and read; the rest
 * is laid out to touch as few slots as possible.
 */
struct PocoStorage {
    address appRegistry; // +0
    address datasetRegistry; // +1
    address workerpoolRegistry; // +2
    address token; // +3
    string name; // +4
    string symbol; // +5
    uint8 decimals; // +6
    uint256 totalSupply; // +7 fixed position
    mapping(address => uint256) accounts; // +8 free balance in the low, locked in the high 128 bits
    uint256 unused9;
    mapping(address => mapping(address => uint256)) allowances; // +10
    bytes32 domainSeparator; // +11 fixed position
    mapping(bytes32 => uint256) orders; // +12 order hash -> presigner (160 bits) and consumed volume (96 bits)
    mapping(bytes32 => uint256) consumedBig; // +13 consumed volumes that do not fit in 95 bits
    uint256 categoryCount; // +14
    mapping(uint256 => uint256) categoryTime; // +15 category -> work clock time reference + 1
    mapping(uint256 => CategoryText) categoryText; // +16
    uint256 unused17;
    mapping(address => uint256) scores; // +18 fixed position
    address teeBroker; // +19
    uint256 callbackGas; // +20
    mapping(bytes32 => TaskSlots) tasks; // +21
    address v3Hub; // +22
    mapping(address => bool) scoreImported; // +23 fixed position
    mapping(bytes32 => mapping(address => ContributionSlots)) contributions; // +24
    mapping(bytes32 => mapping(bytes32 => uint256)) groups; // +25 task -> hash -> members (16 bits), weight (240 bits)
}

struct CategoryText {
    string name;
    string description;
}

/*
 * A task. `head` is all that exists until somebody contributes.
 * head:  [0] deal blob 160 | [160] status 3 | [163] reveal deadline 44 | [207] index - botFirst 16
 *        | [223] reveals 16 | [239] winners 16 | [255] the consensus is not the first contributor's hash
 * work:  [0] last contributor 160 | [160] contributors 16 | [176] members of the first group 16
 *        | [192] total weight 32 | [224] weight of the first group 32
 * An all-ones field (index, total, group weight) says: the value is in the slot of that name below.
 */
struct TaskSlots {
    uint256 head;
    uint256 work;
    bytes32 firstHash; // result hash of the first contributor
    bytes32 digest; // revealed digest
    bytes32 consensus; // consensus value, when it is not firstHash
    uint256 bigIndex;
    uint256 bigTotal;
    uint256 bigGroup;
    bytes32 shortResults; // results of up to 31 bytes, length in the last one
}

/*
 * A contribution. Contributors are a linked list, newest first.
 * head: [0] previous contributor, or the first one's enclave challenge, 160 | [160] status 2 | [162] log2 weight 8
 *       | [170] own hash | [171] first contributor | [172] challenge in the slot of that name
 */
struct ContributionSlots {
    uint256 head;
    bytes32 seal;
    bytes32 hash; // when it differs from the task's first hash
    address challenge; // when there is one, and this is not the first contributor
}

library Store {
    /* ERC-7201 position of "iexec.poco.storage.PocoStorage". */
    bytes32 internal constant SLOT = 0x5862653c6982c162832160cf30593645e8487b257e44d77cdd6b51eee2651b00;

    function load() internal pure returns (PocoStorage storage $) {
        bytes32 slot = SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }
}

/* Protocol constants. */
library K {
    uint256 internal constant CONTRIBUTION_DEADLINE_RATIO = 7;
    uint256 internal constant REVEAL_DEADLINE_RATIO = 2;
    uint256 internal constant FINAL_DEADLINE_RATIO = 10;
    uint256 internal constant WORKERPOOL_STAKE_RATIO = 30;
    uint256 internal constant KITTY_RATIO = 10;
    uint256 internal constant KITTY_MIN = 1_000_000_000;
    address internal constant KITTY = 0x99c2268479b93fDe36232351229815DF80837e23;
    uint256 internal constant GROUPMEMBER_PURPOSE = 4;
    uint256 internal constant DEFAULT_CALLBACK_GAS = 200_000;
    /* Largest accepted category time reference: keeps every deadline inside its 44 bits for ever. */
    uint256 internal constant MAX_CATEGORY_TIME = 2 ** 40;
    /* Framework bits of a dataset order's tag, ignored when matching. */
    bytes32 internal constant DATASET_TAG_MASK = ~bytes32(uint256(0x0e));
    uint256 internal constant CONSUMED_BIG = 2 ** 96 - 1;
}

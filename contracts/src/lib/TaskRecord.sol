// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TaskSlots, ContributionSlots, Store} from "./Store.sol";
import {Blob} from "./Blob.sol";

/* The packed word of a task (layout: Store.sol, TaskSlots). */
library TaskHead {
    uint256 internal constant ACTIVE = 1;
    uint256 internal constant REVEALING = 2;
    uint256 internal constant COMPLETED = 3;
    uint256 internal constant FAILED = 4;
    uint256 internal constant COMPLETED_AT_ONCE = 5; // by contributeAndFinalize: shown as COMPLETED

    uint256 private constant BLOB = type(uint160).max;
    uint256 private constant INDEX = 0xffff << 207;

    function blob(uint256 head) internal pure returns (address) {
        return address(uint160(head));
    }

    function status(uint256 head) internal pure returns (uint256) {
        return (head >> 160) & 7;
    }

    function revealDeadline(uint256 head) internal pure returns (uint256) {
        return (head >> 163) & (2 ** 44 - 1);
    }

    function indexField(uint256 head) internal pure returns (uint256) {
        return (head >> 207) & 0xffff;
    }

    function reveals(uint256 head) internal pure returns (uint256) {
        return (head >> 223) & 0xffff;
    }

    function winners(uint256 head) internal pure returns (uint256) {
        return (head >> 239) & 0xffff;
    }

    function otherConsensus(uint256 head) internal pure returns (bool) {
        return head >> 255 != 0;
    }

    function setStatus(uint256 head, uint256 value) internal pure returns (uint256) {
        return (head & ~uint256(7 << 160)) | (value << 160);
    }

    function reveal(uint256 head, uint256 deadline, uint256 members, bool other) internal pure returns (uint256) {
        return (head & (BLOB | INDEX)) | (REVEALING << 160) | (deadline << 163) | (members << 239)
            | (other ? 1 << 255 : 0);
    }

    /* At most as many reveals as winners: cannot overflow its field. */
    function addReveal(uint256 head) internal pure returns (uint256) {
        return head + (1 << 223);
    }

    function reopen(uint256 head) internal pure returns (uint256) {
        return (head & (BLOB | INDEX)) | (ACTIVE << 160);
    }

    function completeAtOnce(uint256 head, uint256 deadline) internal pure returns (uint256) {
        return (head & (BLOB | INDEX)) | (COMPLETED_AT_ONCE << 160) | (deadline << 163) | (1 << 223) | (1 << 239);
    }
}

/* Tasks, contributions and results: everything that reads or writes their slots. */
library TaskRecord {
    uint256 internal constant CONTRIBUTED = 1;
    uint256 internal constant PROVED = 2;
    uint256 internal constant REJECTED = 3;

    uint256 private constant OWN_HASH = 1 << 170;
    uint256 private constant FIRST = 1 << 171;
    uint256 private constant CHALLENGE = 1 << 172;

    uint256 private constant BIG16 = 0xffff;
    uint256 private constant BIG32 = 0xffffffff;

    /* ---- identifiers ---- */

    function id(bytes32 dealId, uint256 index) internal pure returns (bytes32 taskId) {
        assembly ("memory-safe") {
            mstore(0, dealId)
            mstore(32, index)
            taskId := keccak256(0, 64)
        }
    }

    function resultHash(bytes32 taskId, bytes32 digest) internal pure returns (bytes32) {
        return id(taskId, uint256(digest));
    }

    function resultSeal(address worker, bytes32 taskId, bytes32 digest) internal pure returns (bytes32 seal) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, shl(96, worker))
            mstore(add(p, 20), taskId)
            mstore(add(p, 52), digest)
            seal := keccak256(p, 84)
        }
    }

    /* ---- head ---- */

    /* Head of a new task, `offset` tasks after its deal's first. */
    function create(TaskSlots storage t, address blob, uint256 offset) internal returns (uint256) {
        if (offset >= BIG16) {
            t.bigIndex = offset;
            offset = BIG16;
        }
        return uint160(blob) | (TaskHead.ACTIVE << 160) | (offset << 207);
    }

    function offsetOf(TaskSlots storage t, uint256 head) internal view returns (uint256 offset) {
        offset = TaskHead.indexField(head);
        if (offset == BIG16) offset = t.bigIndex;
    }

    function consensusValue(TaskSlots storage t, uint256 head) internal view returns (bytes32) {
        return TaskHead.otherConsensus(head) ? t.consensus : t.firstHash;
    }

    /* ---- contributions ---- */

    function contributionStatus(uint256 contribution) internal pure returns (uint256) {
        return (contribution >> 160) & 3;
    }

    function logWeight(uint256 contribution) internal pure returns (uint256) {
        return (contribution >> 162) & 0xff;
    }

    function setContributionStatus(uint256 contribution, uint256 status) internal pure returns (uint256) {
        return (contribution & ~uint256(3 << 160)) | (status << 160);
    }

    function hashOf(TaskSlots storage t, ContributionSlots storage c, uint256 contribution)
        internal
        view
        returns (bytes32)
    {
        return contribution & OWN_HASH != 0 ? c.hash : t.firstHash;
    }

    function challengeOf(ContributionSlots storage c, uint256 contribution) internal view returns (address) {
        if (contribution & FIRST != 0) return address(uint160(contribution));
        return contribution & CHALLENGE != 0 ? c.challenge : address(0);
    }

    /* Writes the caller's contribution but its seal. `other`: its hash is not that of the first contributor. */
    function addContributor(
        TaskSlots storage t,
        ContributionSlots storage c,
        uint256 work,
        bytes32 hash,
        address challenge,
        uint256 weight
    ) internal returns (bool other) {
        uint256 contribution = (CONTRIBUTED << 160) | (log2(weight) << 162);
        if (work == 0) {
            t.firstHash = hash;
            contribution |= FIRST | uint160(challenge);
        } else {
            other = hash != t.firstHash;
            contribution |= uint160(work);
            if (other) {
                c.hash = hash;
                contribution |= OWN_HASH;
            }
            if (challenge != address(0)) {
                c.challenge = challenge;
                contribution |= CHALLENGE;
            }
        }
        c.head = contribution;
    }

    /*
     * Makes the caller the last contributor and multiplies his weight into his group's: gives the new weight of the
     * group and of all, and the group's size.
     */
    function addWeight(TaskSlots storage t, bytes32 taskId, bytes32 hash, uint256 work, bool other, uint256 weight)
        internal
        returns (uint256 group, uint256 members, uint256 total)
    {
        uint256 n = ((work >> 160) & BIG16) + 1;
        require(n <= BIG16);
        uint256 members0 = (work >> 176) & BIG16;
        uint256 group0;
        (total, group0) = weights(t, work);
        uint256 packed;
        if (other) {
            packed = Store.load().groups[taskId][hash];
            group = packed >> 16;
            members = packed & BIG16;
        } else {
            group = group0;
            members = members0;
        }
        uint256 grown = (group == 0 ? 1 : group) * weight;
        total = total + grown - group;
        group = grown;
        ++members;
        if (other) {
            require(group < 2 ** 240);
            Store.load().groups[taskId][hash] = (group << 16) | members;
        } else {
            group0 = group;
            members0 = members;
        }
        setWork(t, uint160(msg.sender) | (n << 160) | (members0 << 176), total, group0);
    }

    function weights(TaskSlots storage t, uint256 work) private view returns (uint256 total, uint256 group0) {
        if (work == 0) return (1, 0);
        total = (work >> 192) & BIG32;
        group0 = work >> 224;
        if (total == BIG32) total = t.bigTotal;
        if (group0 == BIG32) group0 = t.bigGroup;
    }

    function setWork(TaskSlots storage t, uint256 base, uint256 total, uint256 group0) private {
        if (total >= BIG32) {
            t.bigTotal = total;
            total = BIG32;
        }
        if (group0 >= BIG32) {
            t.bigGroup = group0;
            group0 = BIG32;
        }
        t.work = base | (total << 192) | (group0 << 224);
    }

    /* Turns down all contributions with this hash and takes their group's weight back. */
    function reject(TaskSlots storage t, bytes32 taskId, bytes32 hash) internal {
        uint256 work = t.work;
        bool other = hash != t.firstHash;
        (uint256 total, uint256 group0) = weights(t, work);
        address worker = address(uint160(work));
        for (uint256 n = (work >> 160) & BIG16; n != 0; --n) {
            ContributionSlots storage c = Store.load().contributions[taskId][worker];
            uint256 contribution = c.head;
            if (hashOf(t, c, contribution) == hash) c.head = setContributionStatus(contribution, REJECTED);
            worker = address(uint160(contribution));
        }
        if (other) {
            total -= Store.load().groups[taskId][hash] >> 16;
            Store.load().groups[taskId][hash] = 0;
        } else {
            total -= group0;
            group0 = 0;
            work &= ~uint256(BIG16 << 176);
        }
        setWork(t, work & (2 ** 192 - 1), total, group0);
    }

    /* All contributors in the order they came, and their contributions' heads. */
    function contributors(TaskSlots storage t, bytes32 taskId)
        internal
        view
        returns (address[] memory workers, uint256[] memory heads)
    {
        uint256 work = t.work;
        uint256 n = (work >> 160) & BIG16;
        workers = new address[](n);
        heads = new uint256[](n);
        address worker = address(uint160(work));
        while (n != 0) {
            --n;
            uint256 contribution = Store.load().contributions[taskId][worker].head;
            workers[n] = worker;
            heads[n] = contribution;
            worker = address(uint160(contribution));
        }
    }

    /* ---- results ----
     * Record: kind 1 | flags 1 | [worker 20 | digest 32] [challenge 20] [callback length 4 | callback] | results
     */
    uint256 private constant AT_ONCE = 1;
    uint256 private constant WITH_CHALLENGE = 2;
    uint256 private constant WITH_CALLBACK = 4;

    struct Results {
        address worker;
        bytes32 digest;
        address challenge;
        bytes results;
        bytes resultsCallback;
    }

    /* Up to 31 bytes and no callback: in the task's own slots, with the length in the last byte. */
    function saveResults(TaskSlots storage t, bytes32 taskId, bytes calldata results, bytes calldata resultsCallback)
        internal
    {
        if (resultsCallback.length == 0 && results.length < 32) {
            if (results.length != 0) t.shortResults = bytes32(results) | bytes32(results.length);
            return;
        }
        uint256 p;
        assembly ("memory-safe") {
            p := mload(0x40)
        }
        saveTail(taskId, p, 0, 2, results, resultsCallback);
    }

    /* The caller's results of a task done at once. */
    function saveResults(
        bytes32 taskId,
        bytes32 digest,
        bytes calldata results,
        bytes calldata resultsCallback,
        address challenge
    ) internal {
        uint256 p;
        uint256 size;
        assembly ("memory-safe") {
            p := mload(0x40)
            mstore(add(p, 2), shl(96, caller()))
            mstore(add(p, 22), digest)
            mstore(add(p, 54), shl(96, challenge))
            size := add(54, mul(20, iszero(iszero(challenge))))
        }
        saveTail(
            taskId, p, challenge == address(0) ? AT_ONCE : AT_ONCE | WITH_CHALLENGE, size, results, resultsCallback
        );
    }

    function saveTail(
        bytes32 taskId,
        uint256 p,
        uint256 flags,
        uint256 size,
        bytes calldata results,
        bytes calldata resultsCallback
    ) private {
        uint256 kind = Blob.RESULT;
        uint256 withCallback = WITH_CALLBACK;
        assembly ("memory-safe") {
            let q := add(p, size)
            if resultsCallback.length {
                flags := or(flags, withCallback)
                mstore(q, shl(224, resultsCallback.length))
                calldatacopy(add(q, 4), resultsCallback.offset, resultsCallback.length)
                q := add(add(q, 4), resultsCallback.length)
            }
            calldatacopy(q, results.offset, results.length)
            mstore8(p, kind)
            mstore8(add(p, 1), flags)
            size := sub(add(q, results.length), p)
            mstore(0x40, and(add(add(p, size), 63), not(31)))
        }
        Blob.write(taskId, p, size);
    }

    function loadResults(TaskSlots storage t, bytes32 taskId) internal view returns (Results memory r) {
        bytes memory all = Blob.read(taskId, Blob.locate(taskId), 0);
        if (all.length == 0) {
            uint256 short = uint256(t.shortResults);
            r.results = new bytes(short & 0xff);
            bytes memory results = r.results;
            assembly ("memory-safe") {
                if mload(results) { mstore(add(results, 32), and(short, not(0xff))) }
            }
            return r;
        }
        if (uint8(all[0]) != Blob.RESULT) return r;
        uint256 flags = uint8(all[1]);
        uint256 from = 2;
        assembly ("memory-safe") {
            let p := add(all, 32)
            if and(flags, 1) {
                mstore(r, shr(96, mload(add(p, 2))))
                mstore(add(r, 32), mload(add(p, 22)))
                from := 54
            }
            if and(flags, 2) {
                mstore(add(r, 64), shr(96, mload(add(p, from))))
                from := add(from, 20)
            }
        }
        if (flags & WITH_CALLBACK != 0) {
            uint256 n;
            assembly ("memory-safe") {
                n := shr(224, mload(add(add(all, 32), from)))
            }
            r.resultsCallback = slice(all, from + 4, n);
            from += 4 + n;
        }
        r.results = slice(all, from, all.length - from);
    }

    function slice(bytes memory all, uint256 from, uint256 n) private pure returns (bytes memory part) {
        part = new bytes(n);
        assembly ("memory-safe") {
            mcopy(add(part, 32), add(add(all, 32), from), n)
        }
    }

    function log2(uint256 x) private pure returns (uint256 n) {
        assembly ("memory-safe") {
            n := shl(7, lt(0xffffffffffffffffffffffffffffffff, x))
            n := or(n, shl(6, lt(0xffffffffffffffff, shr(n, x))))
            n := or(n, shl(5, lt(0xffffffff, shr(n, x))))
            n := or(n, shl(4, lt(0xffff, shr(n, x))))
            n := or(n, shl(3, lt(0xff, shr(n, x))))
            n := or(n, shl(2, lt(0xf, shr(n, x))))
            n := or(n, shl(1, lt(0x3, shr(n, x))))
            n := or(n, lt(0x1, shr(n, x)))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Blob} from "./Blob.sol";
import {K} from "./Store.sol";

/* A deal as the facets work with it. `params` stays in the record: nothing on chain needs it but viewDeal. */
struct DealData {
    bytes32 id;
    address workerpool;
    uint256 startTime;
    uint256 botFirst;
    uint256 botSize;
    uint256 timeRef;
    uint256 category;
    uint256 trust;
    uint256 tag;
    uint256 workerpoolPrice;
    uint256 appPrice;
    uint256 datasetPrice;
    uint256 stakeRatio;
    uint256 schedulerRewardRatio;
    address workerpoolOwner;
    address requester;
    address app;
    address appOwner;
    address sponsor;
    address beneficiary;
    address callback;
    address dataset;
    address datasetOwner;
    uint256 paramsAt;
}

/*
 * The deal record (see Blob for where it lives):
 *   kind 1 | id 32 | workerpool 20 | start time 5 | lengths 6 | numbers | workerpool owner 20 | requester 20 | app 20
 *   | app owner 20 | [sponsor 20] [beneficiary 20] [callback 20] [dataset 20, its owner 20] | params
 * lengths: eleven nibbles, lowest first, the sizes of the numbers in bytes (15 says 32), then four flags for the
 * optional parts. Numbers in order: botFirst, botSize - 1, timeRef, category, trust - 1, tag, workerpool price, app
 * price, dataset price, stake ratio, scheduler reward ratio. No sponsor or beneficiary: the requester.
 */
library DealRecord {
    uint256 private constant FIXED = 64; // kind .. lengths
    uint256 private constant MAX_HEAD = 640; // all but params: 64 + 11 * 32 + 9 * 20 bytes at most
    uint256 private constant MASK160 = type(uint160).max;

    /* Reads all of a deal but its params. `found` is false when there is none. */
    function load(address blob) internal view returns (DealData memory d, bool found) {
        uint256 kind = Blob.DEAL;
        assembly ("memory-safe") {
            let p := mload(0x40)
            extcodecopy(blob, p, 0, MAX_HEAD)
            found := eq(byte(0, mload(p)), kind)
            if found {
                mstore(d, mload(add(p, 1)))
                mstore(add(d, 0x20), shr(96, mload(add(p, 33))))
                mstore(add(d, 0x40), shr(216, mload(add(p, 53))))
                let lengths := shr(208, mload(add(p, 58)))
                let q := add(p, FIXED)
                for { let i := 0 } lt(i, 11) { i := add(i, 1) } {
                    let n := and(lengths, 15)
                    lengths := shr(4, lengths)
                    if eq(n, 15) { n := 32 }
                    /* a shift by 256 gives the 0 that an empty number means */
                    mstore(add(d, add(0x60, shl(5, i))), shr(sub(256, shl(3, n)), mload(q)))
                    q := add(q, n)
                }
                mstore(add(d, 0x80), add(mload(add(d, 0x80)), 1)) /* botSize */
                mstore(add(d, 0xe0), add(mload(add(d, 0xe0)), 1)) /* trust */
                for { let i := 0 } lt(i, 4) { i := add(i, 1) } {
                    mstore(add(d, add(0x1c0, shl(5, i))), shr(96, mload(q)))
                    q := add(q, 20)
                }
                let requester := mload(add(d, 0x1e0))
                mstore(add(d, 0x240), requester)
                mstore(add(d, 0x260), requester)
                for { let i := 0 } lt(i, 3) { i := add(i, 1) } {
                    if and(shr(i, lengths), 1) {
                        mstore(add(d, add(0x240, shl(5, i))), shr(96, mload(q)))
                        q := add(q, 20)
                    }
                }
                if and(lengths, 8) {
                    mstore(add(d, 0x2a0), shr(96, mload(q)))
                    mstore(add(d, 0x2c0), shr(96, mload(add(q, 20))))
                    q := add(q, 40)
                }
                mstore(add(d, 0x2e0), sub(q, p))
            }
        }
    }

    /* The workerpool and the tasks of a deal, all that beginning one needs. No deal: size 0. */
    function loadBot(address blob) internal view returns (address pool, uint256 first, uint256 size) {
        uint256 kind = Blob.DEAL;
        assembly ("memory-safe") {
            let p := mload(0x40)
            extcodecopy(blob, p, 0, 128) /* the first two numbers end here at the latest */
            if eq(byte(0, mload(p)), kind) {
                pool := shr(96, mload(add(p, 33)))
                let lengths := shr(208, mload(add(p, 58)))
                let n := and(lengths, 15)
                if eq(n, 15) { n := 32 }
                first := shr(sub(256, shl(3, n)), mload(add(p, FIXED)))
                let m := and(shr(4, lengths), 15)
                if eq(m, 15) { m := 32 }
                size := add(shr(sub(256, shl(3, m)), mload(add(add(p, FIXED), n))), 1)
            }
        }
    }

    function params(DealData memory d, address blob) internal view returns (string memory) {
        return string(Blob.read(d.id, blob, d.paramsAt));
    }

    /* Writes the record of a new deal; d.paramsAt is not used. */
    function save(DealData memory d, string calldata text) internal {
        uint256 kind = Blob.DEAL;
        uint256 p;
        uint256 size;
        assembly ("memory-safe") {
            p := mload(0x40)
            mstore8(p, kind)
            mstore(add(p, 1), mload(d))
            mstore(add(p, 33), shl(96, mload(add(d, 0x20))))
            mstore(add(p, 53), shl(216, mload(add(d, 0x40))))
            let q := add(p, FIXED)
            let lengths := 0
            mstore(add(d, 0x80), sub(mload(add(d, 0x80)), 1))
            mstore(add(d, 0xe0), sub(mload(add(d, 0xe0)), 1))
            for { let i := 0 } lt(i, 11) { i := add(i, 1) } {
                let v := mload(add(d, add(0x60, shl(5, i))))
                let n := 0
                for { let w := v } w { w := shr(8, w) } { n := add(n, 1) }
                let code := n
                if gt(n, 14) {
                    n := 32
                    code := 15
                }
                mstore(q, shl(sub(256, shl(3, n)), v))
                q := add(q, n)
                lengths := or(lengths, shl(shl(2, i), code))
            }
            for { let i := 0 } lt(i, 4) { i := add(i, 1) } {
                mstore(q, shl(96, mload(add(d, add(0x1c0, shl(5, i))))))
                q := add(q, 20)
            }
            let requester := mload(add(d, 0x1e0))
            for { let i := 0 } lt(i, 3) { i := add(i, 1) } {
                let v := mload(add(d, add(0x240, shl(5, i))))
                let usual := requester
                if eq(i, 2) { usual := 0 } /* callback */
                if iszero(eq(v, usual)) {
                    mstore(q, shl(96, v))
                    q := add(q, 20)
                    lengths := or(lengths, shl(add(44, i), 1))
                }
            }
            if mload(add(d, 0x2a0)) {
                mstore(q, shl(96, mload(add(d, 0x2a0))))
                mstore(add(q, 20), shl(96, mload(add(d, 0x2c0))))
                q := add(q, 40)
                lengths := or(lengths, shl(47, 1))
            }
            /* the six bytes before the numbers; the word before keeps its other 26 */
            let w := add(p, sub(FIXED, 32))
            mstore(w, or(and(mload(w), not(0xffffffffffff)), lengths))
            calldatacopy(q, text.offset, text.length)
            size := sub(add(q, text.length), p)
            mstore(0x40, and(add(add(p, size), 63), not(31)))
        }
        Blob.write(d.id, p, size);
    }

    function workerStake(DealData memory d) internal pure returns (uint256) {
        return (d.workerpoolPrice * d.stakeRatio) / 100;
    }

    function poolStake(DealData memory d) internal pure returns (uint256) {
        return (d.workerpoolPrice * K.WORKERPOOL_STAKE_RATIO) / 100;
    }

    function taskPrice(DealData memory d) internal pure returns (uint256) {
        return d.appPrice + d.datasetPrice + d.workerpoolPrice;
    }
}

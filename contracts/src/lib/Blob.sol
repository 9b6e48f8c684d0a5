// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/*
 * Immutable records kept as contract code, at an address that follows from their key alone.
 *
 * A record is created with CREATE2 by a constant 14-byte init code which asks its creator, by an empty call, for the
 * code to install; the creator answers from transient storage (answer(), called by the fallback of every contract that
 * uses this library). The address is therefore known without storing it anywhere.
 *
 * The first byte tells what the record is: it keeps a record of one kind from being taken for another, since keys come
 * from callers and contents partly too. All kinds are opcodes that do not execute anything.
 */
library Blob {
    uint256 internal constant DEAL = 0xfe;
    uint256 internal constant RESULT = 0xfd;
    uint256 internal constant MORE = 0xfc;

    /* staticcall(caller, no data); return what it returned. */
    uint256 internal constant INIT_CODE = 0x3d3d3d3d335afa3d5f5f3e3d5ff3;
    uint256 internal constant INIT_SIZE = 14;
    bytes32 internal constant INIT_HASH = keccak256(hex"3d3d3d3d335afa3d5f5f3e3d5ff3");

    /* Contract code is at most 24576 bytes; a record that fills its code is continued under the next key. */
    uint256 internal constant MAX_CODE = 24_576;

    /* Transient: +0 length of the code being created (0: none), then its words. */
    uint256 internal constant TRANSIENT = uint256(keccak256("strongroom.blob.transient"));

    function locate(bytes32 key) internal view returns (address blob) {
        bytes32 initHash = INIT_HASH;
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, shl(88, or(shl(160, 0xff), address())))
            mstore(add(p, 21), key)
            mstore(add(p, 53), initHash)
            blob := and(keccak256(p, 85), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }

    /* Creates one contract whose code is memory[p .. p+size). Returns 0 when the key is taken. */
    function create(bytes32 key, uint256 p, uint256 size) internal returns (address blob) {
        uint256 slot = TRANSIENT;
        assembly ("memory-safe") {
            tstore(slot, size)
            let words := shr(5, add(size, 31))
            for { let i := 0 } lt(i, words) { i := add(i, 1) } {
                tstore(add(slot, add(i, 1)), mload(add(p, shl(5, i))))
            }
            mstore(0, shl(sub(256, mul(INIT_SIZE, 8)), INIT_CODE))
            blob := create2(0, 0, INIT_SIZE, key)
            tstore(slot, 0)
        }
    }

    /* Answers the init code, if a record is being created now. Returns to the caller of the contract when it is. */
    function answer() internal view {
        uint256 slot = TRANSIENT;
        assembly ("memory-safe") {
            let size := tload(slot)
            if size {
                let words := shr(5, add(size, 31))
                let p := mload(0x40)
                for { let i := 0 } lt(i, words) { i := add(i, 1) } {
                    mstore(add(p, shl(5, i)), tload(add(slot, add(i, 1))))
                }
                return(p, size)
            }
        }
    }

    /*
     * Writes memory[p .. p+size), whose first byte is the kind, under `key`. Parts after the first get the byte MORE.
     * The memory is used up: bytes before later parts are overwritten.
     */
    function write(bytes32 key, uint256 p, uint256 size) internal {
        uint256 part = size < MAX_CODE ? size : MAX_CODE;
        require(create(key, p, part) != address(0));
        uint256 n = 0;
        while (part == MAX_CODE) {
            p += part - 1;
            size -= part - 1;
            assembly ("memory-safe") {
                mstore8(p, MORE)
            }
            part = size < MAX_CODE ? size : MAX_CODE;
            require(create(nextKey(key, ++n), p, part) != address(0));
        }
    }

    /* Reads everything from byte `from` of the record `blob` on. */
    function read(bytes32 key, address blob, uint256 from) internal view returns (bytes memory data) {
        uint256 p;
        uint256 size = blob.code.length;
        if (size < from) return "";
        assembly ("memory-safe") {
            data := mload(0x40)
            p := add(data, 32)
            extcodecopy(blob, p, from, sub(size, from))
            p := add(p, sub(size, from))
        }
        for (uint256 n = 1; size == MAX_CODE; ++n) {
            assembly ("memory-safe") {
                mstore(0x40, and(add(p, 31), not(31))) /* what was read so far is ours: hash beyond it */
            }
            blob = locate(nextKey(key, n));
            size = blob.code.length;
            assembly ("memory-safe") {
                extcodecopy(blob, p, 1, sub(size, 1))
                p := add(p, sub(size, 1))
            }
        }
        assembly ("memory-safe") {
            mstore(data, sub(p, add(data, 32)))
            mstore(p, 0)
            mstore(0x40, and(add(p, 63), not(31)))
        }
    }

    function nextKey(bytes32 key, uint256 n) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(key, n, "strongroom.blob.part"));
    }
}

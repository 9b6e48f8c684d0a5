// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/* Who signed what: key pairs, contracts (ERC-1271), groups (ERC-734). */
library Sig {
    /*
     * True when `account` signed `hash`. A 65- or 64-byte (EIP-2098) signature by the account's own key counts first,
     * so that accounts with delegated code (EIP-7702) keep their key; contracts are asked by ERC-1271.
     * An account without code and a signature of another length: reverts with "invalid-signature-format".
     */
    function verify(address account, bytes32 hash, bytes calldata signature) internal view returns (bool) {
        uint256 size = signature.length;
        if (size == 65 || size == 64) {
            (bool recovered, address signer) = recover(hash, signature);
            if (recovered && signer == account) return true;
            if (account.code.length != 0) return erc1271(account, hash, signature);
            /* Nobody recovered counts as the zero account, as it always did. */
            return !recovered && account == address(0);
        }
        require(account.code.length != 0, "invalid-signature-format");
        return erc1271(account, hash, signature);
    }

    function recover(bytes32 hash, bytes calldata signature) private view returns (bool ok, address signer) {
        assembly ("memory-safe") {
            let r := calldataload(signature.offset)
            let s := calldataload(add(signature.offset, 32))
            let v
            switch signature.length
            case 65 { v := byte(0, calldataload(add(signature.offset, 64))) }
            default {
                v := add(27, shr(255, s))
                s := and(s, 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff)
            }
            /* Only the lower half of s and v 27 or 28: one signature, one encoding. */
            if and(lt(sub(v, 27), 2), lt(s, 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1)) {
                let p := mload(0x40)
                mstore(p, hash)
                mstore(add(p, 32), v)
                mstore(add(p, 64), r)
                mstore(add(p, 96), s)
                mstore(0, 0)
                pop(staticcall(gas(), 1, p, 128, 0, 32))
                signer := mload(0)
                ok := iszero(iszero(signer))
            }
        }
    }

    function erc1271(address account, bytes32 hash, bytes calldata signature) private view returns (bool valid) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, shl(224, 0x1626ba7e))
            mstore(add(p, 4), hash)
            mstore(add(p, 36), 64)
            mstore(add(p, 68), signature.length)
            mstore(add(add(p, 100), signature.length), 0)
            calldatacopy(add(p, 100), signature.offset, signature.length)
            let size := add(100, and(add(signature.length, 31), not(31)))
            mstore(0, 0)
            let ok := staticcall(gas(), account, p, size, 0, 32)
            valid := and(and(ok, gt(returndatasize(), 31)), eq(mload(0), shl(224, 0x1626ba7e)))
        }
    }

    /* EIP-191 personal message over a hash. */
    function personal(bytes32 hash) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            mstore(0, "\x19Ethereum Signed Message:\n32")
            mstore(28, hash)
            digest := keccak256(0, 60)
        }
    }

    /*
     * True when a restriction lets `account` through: no restriction, the account itself, or a group it is a member of.
     * A group whose answer is not a boolean reverts the whole call.
     */
    function authorized(address restriction, address account) internal view returns (bool yes) {
        if (restriction == address(0) || restriction == account) return true;
        if (restriction.code.length == 0) return false;
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, shl(224, 0xd202158d))
            mstore(add(p, 4), account)
            mstore(add(p, 36), 4)
            if staticcall(gas(), restriction, p, 68, 0, 32) {
                yes := mload(0)
                if or(lt(returndatasize(), 32), gt(yes, 1)) { revert(0, 0) }
            }
        }
    }
}

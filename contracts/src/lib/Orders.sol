// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Store, K} from "./Store.sol";

/* What the hub remembers of an order hash: who presigned it (low 160 bits) and how much of it is used up. */
library Orders {
    function get(bytes32 hash) internal view returns (uint256) {
        return Store.load().orders[hash];
    }

    function presigner(bytes32 hash) internal view returns (address) {
        return address(uint160(get(hash)));
    }

    function consumed(bytes32 hash, uint256 slot) internal view returns (uint256 n) {
        n = slot >> 160;
        if (n == K.CONSUMED_BIG) n = Store.load().consumedBig[hash];
    }

    function setConsumed(bytes32 hash, uint256 slot, uint256 n) internal {
        if (n >= K.CONSUMED_BIG) {
            Store.load().consumedBig[hash] = n;
            n = K.CONSUMED_BIG;
        }
        Store.load().orders[hash] = uint256(uint160(slot)) | (n << 160);
    }

    function setPresigner(bytes32 hash, address signer) internal {
        uint256 slot = get(hash);
        Store.load().orders[hash] = ((slot >> 160) << 160) | uint160(signer);
    }
}

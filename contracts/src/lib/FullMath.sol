// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

library FullMath {
    /* floor(x * y / z) with a 512-bit product. */
    function mulDiv(uint256 x, uint256 y, uint256 z) internal pure returns (uint256) {
        return Math.mulDiv(x, y, z);
    }
}

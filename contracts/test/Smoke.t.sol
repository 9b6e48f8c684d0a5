// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";

contract SmokeTest is Base {
    function test_deal() public {
        bytes32 d = match_(orders(2));
        eq(hub.viewDeal(d).botSize, 2, "size");
    }
}

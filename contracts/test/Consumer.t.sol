// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";

interface IConsumer {
    function receiveResult(bytes32, bytes calldata) external;
    function reading() external view returns (int128, uint64, uint64);
}

/* The example of a contract that is told results. */
contract ConsumerTest is Base {
    IConsumer private consumer;
    address private worker = vm.addr(WORKER);

    function setUp() public override {
        super.setUp();
        consumer =
            IConsumer(vm.deployCode("AverageConsumer.sol:AverageConsumer", abi.encode(address(hub), app, dataset)));
    }

    /* A deal of this tag, done: its callback gets the result. */
    function run(bool withData, uint256 tag, bytes memory result) private {
        Orders memory o = orders(1);
        if (!withData) noDataset(o);
        o.a.tag = o.w.tag = o.r.tag = bytes32(tag);
        o.r.callback = address(consumer);
        bytes32 deal = match_(o);
        bytes32 task = hub.initialize(deal, 0);
        bytes32 digest = keccak256(result);
        address challenge = tag == 0 ? address(0) : enclave;
        bytes memory sign = tag == 0
            ? bytes("")
            : personal(ENCLAVE, keccak256(abi.encode(resultHash(task, digest), resultSeal(worker, task, digest))));
        bytes memory auth = authorization(worker, task, challenge);
        vm.prank(worker);
        hub.contributeAndFinalize(task, digest, "", result, challenge, sign, auth);
        eq(uint256(hub.viewTask(task).status), 3, "completed, whatever the contract says");
    }

    function reads(int256 average, uint256 count) private view {
        (int128 a, uint64 n,) = consumer.reading();
        eq(uint256(int256(a)), uint256(average), "average");
        eq(n, count, "count");
    }

    function test_a_contract_keeps_the_newest_result_of_its_data() public {
        run(true, 1, abi.encode(int256(-1_500_000), uint256(9)));
        reads(-1_500_000, 9);
        /* of the same moment: not newer */
        run(true, 1, abi.encode(int256(2), uint256(2)));
        reads(-1_500_000, 9);
        vm.warp(block.timestamp + 1);
        run(true, 1, abi.encode(int256(7), uint256(6)));
        reads(7, 6);
    }

    function test_a_contract_keeps_nothing_of_other_deals_and_other_callers() public {
        run(false, 1, abi.encode(int256(1), uint256(9)));
        run(true, 0, abi.encode(int256(2), uint256(9)));
        run(true, 1, "not what it expects");
        vm.expectRevert(abi.encodeWithSignature("NotTheHub(address)", address(this)));
        consumer.receiveResult(0, abi.encode(int256(3), uint256(9)));
        reads(0, 0);
    }
}

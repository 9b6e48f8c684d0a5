// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {Vm} from "./Test.sol";

interface IProtector {
    function registry() external view returns (address);
    function createDatasetWithSchema(address, string calldata, string calldata, bytes calldata, bytes32)
        external
        returns (address);
}

contract DataProtectorTest is Base {
    function testFuzz_a_dataset_and_its_schema(string memory name, string memory schema, bytes memory multiaddr)
        public
    {
        IProtector p = IProtector(vm.deployCode("DataProtector.sol:DataProtector", abi.encode(address(datasets))));
        eq(p.registry(), address(datasets), "registry");
        vm.recordLogs();
        address made = p.createDatasetWithSchema(requester, name, schema, multiaddr, keccak256(multiaddr));
        eq(datasets.ownerOf(uint160(made)), requester, "owner");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq(logs.length, 2, "transfer, then schema");
        eq(logs[1].topics[0], keccak256("DatasetSchema(address,string)"), "topic");
        eq(logs[1].topics[1], bytes32(uint256(uint160(made))), "dataset");
        eq(logs[1].data, abi.encode(schema), "schema");
        vm.expectRevert(says("Create2: Failed on deploy"));
        p.createDatasetWithSchema(requester, name, schema, multiaddr, keccak256(multiaddr));
    }
}

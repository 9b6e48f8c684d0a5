// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "./Types.sol";

/*
 * EIP-712 hashes of orders, straight from calldata. Addresses with dirty upper bytes would hash to something no client
 * can sign: they are refused by check*(), which every caller whose own code does not read all fields calls first.
 */
library OrderHash {
    string private constant APP =
        "AppOrder(address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,"
        "address workerpoolrestrict,address requesterrestrict,bytes32 salt)";
    string private constant DATASET =
        "DatasetOrder(address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,address apprestrict,"
        "address workerpoolrestrict,address requesterrestrict,bytes32 salt)";
    string private constant WORKERPOOL =
        "WorkerpoolOrder(address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,"
        "uint256 category,uint256 trust,address apprestrict,address datasetrestrict,"
        "address requesterrestrict,bytes32 salt)";
    string private constant REQUEST =
        "RequestOrder(address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,"
        "address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,"
        "uint256 category,uint256 trust,address beneficiary,address callback,string params,bytes32 salt)";

    bytes32 internal constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant APP_TYPE = keccak256(bytes(APP));
    bytes32 internal constant DATASET_TYPE = keccak256(bytes(DATASET));
    bytes32 internal constant WORKERPOOL_TYPE = keccak256(bytes(WORKERPOOL));
    bytes32 internal constant REQUEST_TYPE = keccak256(bytes(REQUEST));
    bytes32 internal constant APP_OPERATION_TYPE =
        keccak256(abi.encodePacked("AppOrderOperation(AppOrder order,uint256 operation)", APP));
    bytes32 internal constant DATASET_OPERATION_TYPE =
        keccak256(abi.encodePacked("DatasetOrderOperation(DatasetOrder order,uint256 operation)", DATASET));
    bytes32 internal constant WORKERPOOL_OPERATION_TYPE =
        keccak256(abi.encodePacked("WorkerpoolOrderOperation(WorkerpoolOrder order,uint256 operation)", WORKERPOOL));
    bytes32 internal constant REQUEST_OPERATION_TYPE =
        keccak256(abi.encodePacked("RequestOrderOperation(RequestOrder order,uint256 operation)", REQUEST));

    function typed(bytes32 domain, bytes32 structHash) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, shl(240, 0x1901))
            mstore(add(p, 2), domain)
            mstore(add(p, 34), structHash)
            hash := keccak256(p, 66)
        }
    }

    function operation(bytes32 typeHash, bytes32 structHash, uint256 op) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, typeHash)
            mstore(add(p, 32), structHash)
            mstore(add(p, 64), op)
            hash := keccak256(p, 96)
        }
    }

    function app(AppOrder calldata o) internal pure returns (bytes32) {
        bytes32 head;
        assembly ("memory-safe") {
            head := o
        }
        return words(APP_TYPE, uint256(head), 8);
    }

    function dataset(DatasetOrder calldata o) internal pure returns (bytes32) {
        bytes32 head;
        assembly ("memory-safe") {
            head := o
        }
        return words(DATASET_TYPE, uint256(head), 8);
    }

    function workerpool(WorkerpoolOrder calldata o) internal pure returns (bytes32) {
        bytes32 head;
        assembly ("memory-safe") {
            head := o
        }
        return words(WORKERPOOL_TYPE, uint256(head), 10);
    }

    function request(RequestOrder calldata o) internal pure returns (bytes32 hash) {
        bytes32 typeHash = REQUEST_TYPE;
        string calldata params = o.params;
        assembly ("memory-safe") {
            let p := mload(0x40)
            calldatacopy(p, params.offset, params.length)
            let paramsHash := keccak256(p, params.length)
            mstore(p, typeHash)
            calldatacopy(add(p, 32), o, 416) /* 13 words before params */
            mstore(add(p, 448), paramsHash)
            calldatacopy(add(p, 480), add(o, 448), 32) /* salt */
            hash := keccak256(p, 512)
        }
    }

    function words(bytes32 typeHash, uint256 head, uint256 n) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            let size := shl(5, n)
            mstore(p, typeHash)
            calldatacopy(add(p, 32), head, size)
            hash := keccak256(p, add(size, 32))
        }
    }

    function checkApp(AppOrder calldata o) internal pure {
        check(o.app, o.datasetrestrict, o.workerpoolrestrict, o.requesterrestrict);
    }

    function checkDataset(DatasetOrder calldata o) internal pure {
        check(o.dataset, o.apprestrict, o.workerpoolrestrict, o.requesterrestrict);
    }

    function checkWorkerpool(WorkerpoolOrder calldata o) internal pure {
        check(o.workerpool, o.apprestrict, o.datasetrestrict, o.requesterrestrict);
    }

    function checkRequest(RequestOrder calldata o) internal pure {
        check(o.app, o.dataset, o.workerpool, o.requester);
        check(o.beneficiary, o.callback, address(0), address(0));
    }

    /* Reading an address argument already refuses dirty bytes; this only makes the optimizer keep the reads. */
    function check(address a, address b, address c, address d) private pure {
        assembly ("memory-safe") {
            if shr(160, or(or(a, b), or(c, d))) { revert(0, 0) }
        }
    }
}

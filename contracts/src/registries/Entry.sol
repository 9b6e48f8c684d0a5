// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry} from "./Registry.sol";

/*
 * What entries of all kinds have in common. The code here is the master's; it runs in the entry, whose own code is a
 * 45-byte proxy followed by fields: each a 4-byte length and its bytes, the checksum (if any) first and bare.
 */
abstract contract Entry {
    IRegistry private immutable home;
    uint256 internal constant PROXY_SIZE = 45;

    constructor() {
        home = IRegistry(msg.sender);
    }

    function registry() external view returns (address) {
        return address(home);
    }

    function owner() public view returns (address) {
        return home.ownerOf(uint160(address(this)));
    }

    function setName(address, string calldata) external view {
        onlyOwner();
        revert("Operation not supported on this chain");
    }

    function onlyOwner() internal view {
        require(msg.sender == owner(), "caller is not the owner");
    }

    function word(uint256 offset) internal view returns (bytes32 value) {
        assembly ("memory-safe") {
            extcodecopy(address(), 0, add(PROXY_SIZE, offset), 32)
            value := mload(0)
        }
    }

    /* The n-th field after `skip` bytes. */
    function field(uint256 skip, uint256 n) internal view returns (bytes memory value) {
        uint256 pos = PROXY_SIZE + skip;
        assembly ("memory-safe") {
            for {} 1 {} {
                mstore(0, 0)
                extcodecopy(address(), 28, pos, 4)
                pos := add(pos, 4)
                if iszero(n) { break }
                n := sub(n, 1)
                pos := add(pos, mload(0))
            }
            let size := mload(0)
            value := mload(0x40)
            mstore(value, size)
            extcodecopy(address(), add(value, 32), pos, size)
            mstore(add(add(value, 32), size), 0)
            mstore(0x40, and(add(add(value, 95), size), not(31)))
        }
    }
}

contract App is Entry {
    function initialize(string calldata, string calldata, bytes calldata, bytes32, bytes calldata) external pure {
        revert("already initialized");
    }

    function m_appName() external view returns (string memory) {
        return string(field(32, 0));
    }

    function m_appType() external view returns (string memory) {
        return string(field(32, 1));
    }

    function m_appMultiaddr() external view returns (bytes memory) {
        return field(32, 2);
    }

    function m_appChecksum() external view returns (bytes32) {
        return word(0);
    }

    function m_appMREnclave() external view returns (bytes memory) {
        return field(32, 3);
    }
}

contract Dataset is Entry {
    function initialize(string calldata, bytes calldata, bytes32) external pure {
        revert("already initialized");
    }

    function m_datasetName() external view returns (string memory) {
        return string(field(32, 0));
    }

    function m_datasetMultiaddr() external view returns (bytes memory) {
        return field(32, 1);
    }

    function m_datasetChecksum() external view returns (bytes32) {
        return word(0);
    }
}

contract Workerpool is Entry {
    event PolicyUpdate(
        uint256 oldWorkerStakeRatioPolicy,
        uint256 newWorkerStakeRatioPolicy,
        uint256 oldSchedulerRewardRatioPolicy,
        uint256 newSchedulerRewardRatioPolicy
    );

    uint256 private constant DEFAULT_STAKE = 30;
    uint256 private constant DEFAULT_SCHEDULER = 1;
    uint256 private constant SET = 1 << 255;
    uint256 private constant BIG = 2 ** 240 - 1;

    uint256 private policy; // 0: the default; else SET | scheduler ratio << 240 | stake ratio (BIG: in the next slot)
    uint256 private bigStake;

    function initialize(string calldata) external pure {
        revert("already initialized");
    }

    function m_workerpoolDescription() external view returns (string memory) {
        return string(field(0, 0));
    }

    function m_workerStakeRatioPolicy() public view returns (uint256 stake) {
        if (policy == 0) return DEFAULT_STAKE;
        stake = policy & BIG;
        if (stake == BIG) stake = bigStake;
    }

    function m_schedulerRewardRatioPolicy() public view returns (uint256) {
        return policy == 0 ? DEFAULT_SCHEDULER : (policy >> 240) & 0xff;
    }

    function changePolicy(uint256 newWorkerStakeRatioPolicy, uint256 newSchedulerRewardRatioPolicy) external {
        onlyOwner();
        require(newSchedulerRewardRatioPolicy <= 100);
        emit PolicyUpdate(
            m_workerStakeRatioPolicy(),
            newWorkerStakeRatioPolicy,
            m_schedulerRewardRatioPolicy(),
            newSchedulerRewardRatioPolicy
        );
        uint256 stake = newWorkerStakeRatioPolicy;
        if (stake >= BIG) {
            bigStake = stake;
            stake = BIG;
        }
        policy = SET | (newSchedulerRewardRatioPolicy << 240) | stake;
    }
}

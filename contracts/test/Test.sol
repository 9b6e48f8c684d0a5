// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/* The cheat codes these tests use, and checks. Forge finds tests by their names; no library is needed. */
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function warp(uint256 time) external;
    function etch(address target, bytes calldata code) external;
    function store(address target, bytes32 slot, bytes32 value) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function expectRevert() external;
    function expectRevert(bytes calldata data) external;
    function expectRevert(bytes4 data) external;
    function expectEmit(bool, bool, bool, bool) external;
    function deployCode(string calldata artifact) external returns (address);
    function deployCode(string calldata artifact, bytes calldata args) external returns (address);
    function assume(bool condition) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function deal(address who, uint256 amount) external;
    function chainId(uint256 id) external;
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
}

abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    bool public constant IS_TEST = true;

    error NotEqual(string what, uint256 got, uint256 want);
    error NotEqualBytes(string what, bytes got, bytes want);
    error False(string what);

    function yes(bool condition, string memory what) internal pure {
        if (!condition) revert False(what);
    }

    function eq(uint256 got, uint256 want, string memory what) internal pure {
        if (got != want) revert NotEqual(what, got, want);
    }

    function eq(address got, address want, string memory what) internal pure {
        if (got != want) revert NotEqual(what, uint160(got), uint160(want));
    }

    function eq(bytes32 got, bytes32 want, string memory what) internal pure {
        if (got != want) revert NotEqual(what, uint256(got), uint256(want));
    }

    function eq(bytes memory got, bytes memory want, string memory what) internal pure {
        if (keccak256(got) != keccak256(want)) revert NotEqualBytes(what, got, want);
    }

    function bound(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        if (x >= low && x <= high) return x;
        return low + (x % (high - low + 1));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/* Small contracts the tests need around the hub. */

contract GroupMock {
    mapping(bytes32 => mapping(uint256 => bool)) public keyHasPurpose;

    function set(bytes32 key, uint256 purpose, bool yes) external {
        keyHasPurpose[key][purpose] = yes;
    }
}

contract BadGroupMock {
    function keyHasPurpose(bytes32, uint256) external pure returns (uint256) {
        return 2;
    }
}

contract ShortGroupMock {
    fallback() external {}
}

/* ERC-1271: two signatures it has an answer to, the ones of signatures.json; others revert. */
contract WalletMock {
    function isValidSignature(bytes32, bytes calldata signature) external pure returns (bytes4) {
        bytes32 x = abi.decode(signature, (bytes32));
        if (x == 0xff9e2a6b4198d3d0c6899bfc25f98d2d31182536279fdd763a54510f2a8b120c) return 0x1626ba7e;
        require(x == 0x3ca74bbcc76ee3d8554045fc6688a7f99a1a68a3bf7f1bab22a958896545ef5c, "wallet");
        return 0xffffffff;
    }
}

/* Signs for its owner's key, in whatever form the owner likes. */
contract OwnerWalletMock {
    address public immutable owner = msg.sender;
    mapping(bytes32 => bool) public approved;

    function approve(bytes32 hash) external {
        require(msg.sender == owner);
        approved[hash] = true;
    }

    function isValidSignature(bytes32 hash, bytes calldata) external view returns (bytes4) {
        return approved[hash] ? bytes4(0x1626ba7e) : bytes4(0);
    }

    function call(address to, bytes calldata data) external returns (bytes memory) {
        require(msg.sender == owner);
        (bool ok, bytes memory answer) = to.call(data);
        require(ok);
        return answer;
    }
}

contract OwnableMock {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }
}

interface IResults {
    function resultFor(bytes32 id) external view returns (bytes memory);
}

contract OracleClientMock {
    event GotResult(bytes32 indexed id, bytes data);

    mapping(bytes32 => bytes) public store;

    /* The hub must already show the task as done. */
    function receiveResult(bytes32 id, bytes calldata data) external {
        store[id] = data;
        require(keccak256(IResults(msg.sender).resultFor(id)) == keccak256(data));
        emit GotResult(id, data);
    }
}

contract RevertingMock {
    fallback() external {
        revert("no");
    }
}

contract GasWasterMock {
    uint256 private x;

    function receiveResult(bytes32, bytes calldata) external {
        while (true) ++x;
    }
}

/* Accepts approveAndCall of some amount. */
contract ReceiverMock {
    event GotApproval(address sender, uint256 amount, address token, bytes data);

    function receiveApproval(address sender, uint256 amount, address token, bytes calldata data)
        external
        returns (bool)
    {
        emit GotApproval(sender, amount, token, data);
        return amount != 0;
    }
}

contract HubV3Mock {
    uint256 public immutable score;

    constructor(uint256 score_) {
        score = score_;
    }

    function viewScore(address) external view returns (uint256) {
        return score;
    }
}

contract NftReceiverMock {
    bytes4 public answer = 0x150b7a02;

    function setAnswer(bytes4 a) external {
        answer = a;
    }

    function onERC721Received(address, address, uint256, bytes calldata) external view returns (bytes4) {
        require(answer != 0xdeadbeef, "refused");
        return answer;
    }
}

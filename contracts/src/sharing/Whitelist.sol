// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/*
 * A group (ERC-734) of addresses for the restriction fields of orders: apps, users or workerpools that its owner lets
 * in and out. Deployed whole, not as a proxy: clients find keyHasPurpose in its code.
 */
contract Whitelist {
    event MemberSet(address indexed member, bool allowed);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    error NotOwner(address caller);

    uint256 private constant GROUP_MEMBER = 4;

    address public owner;
    mapping(address => bool) public isMember;

    constructor(address owner_, address[] memory members) {
        owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
        for (uint256 i = 0; i < members.length; ++i) {
            setMember(members[i], true);
        }
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    function set(address[] calldata members, bool allowed) external onlyOwner {
        for (uint256 i = 0; i < members.length; ++i) {
            setMember(members[i], allowed);
        }
    }

    function transferOwnership(address newOwner) external onlyOwner {
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    function keyHasPurpose(bytes32 key, uint256 purpose) external view returns (bool) {
        return purpose == GROUP_MEMBER && uint256(key) >> 160 == 0 && isMember[address(uint160(uint256(key)))];
    }

    function setMember(address member, bool allowed) private {
        isMember[member] = allowed;
        emit MemberSet(member, allowed);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/*
 * A list of apps that only grows. Its code is shared: each list is a minimal proxy made by the registry below, owned by
 * whoever holds its token. To the hub it is a group (ERC-734) that the apps are members of.
 */
contract AddOnlyAppWhitelist {
    event NewAppAddedToAddOnlyAppWhitelist(address appAddress);

    error NotAddOnlyAppWhitelistOperator();

    uint256 private constant GROUP_MEMBER = 4;

    AddOnlyAppWhitelistRegistry public immutable APP_WHITELIST_REGISTRY;

    mapping(address => bool) public isRegistered;

    constructor() {
        APP_WHITELIST_REGISTRY = AddOnlyAppWhitelistRegistry(msg.sender);
    }

    modifier onlyOperator() {
        if (!APP_WHITELIST_REGISTRY.isAuthorized(msg.sender, uint160(address(this)))) {
            revert NotAddOnlyAppWhitelistOperator();
        }
        _;
    }

    function addApp(address _app) external onlyOperator {
        isRegistered[_app] = true;
        emit NewAppAddedToAddOnlyAppWhitelist(_app);
    }

    function keyHasPurpose(bytes32 key, uint256 purpose) external view returns (bool) {
        return purpose == GROUP_MEMBER && uint256(key) >> 160 == 0 && isRegistered[address(uint160(uint256(key)))];
    }

    function owner() public view returns (address) {
        return APP_WHITELIST_REGISTRY.ownerOf(uint160(address(this)));
    }

    function transferOwnership(address newOwner) external onlyOperator {
        APP_WHITELIST_REGISTRY.safeTransferFrom(owner(), newOwner, uint160(address(this)));
    }
}

contract AddOnlyAppWhitelistRegistry is ERC721("iExec AddOnlyAppWhitelistRegistry", "AOAWR") {
    event Initialized(uint64 version);

    error InvalidInitialization();
    error FailedDeployment();

    AddOnlyAppWhitelist private immutable implementation = new AddOnlyAppWhitelist();
    bool private initialized;

    /* Nothing is left to set; kept for tools that deploy it in two steps. */
    function initialize() external {
        if (initialized) revert InvalidInitialization();
        initialized = true;
        emit Initialized(1);
    }

    function _implementationAddress() external view returns (address) {
        return address(implementation);
    }

    /*
     * The proxy's code ends with the selector of keyHasPurpose: clients recognise a group by finding it in the code.
     */
    function createAddOnlyAppWhitelist(address owner) external returns (address list) {
        bytes memory init = abi.encodePacked(
            hex"603180600a3d393df3",
            hex"00",
            hex"363d3d373d3d3d363d73",
            address(implementation),
            hex"5af43d82803e903d91602b57fd5bf3",
            hex"d202158d"
        );
        assembly ("memory-safe") {
            list := create(0, add(init, 32), mload(init))
        }
        if (list == address(0)) revert FailedDeployment();
        _safeMint(owner, uint160(list));
    }

    function isAuthorized(address spender, uint256 tokenId) external view returns (bool) {
        return _isAuthorized(_requireOwned(tokenId), spender, tokenId);
    }

    /* A list may move its own token: it asks its operator first. */
    function _isAuthorized(address owner, address spender, uint256 tokenId) internal view override returns (bool) {
        return
            super._isAuthorized(owner, spender, tokenId) || (spender == address(uint160(tokenId)) && spender != owner);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import "../src/lib/Types.sol";

/* The hub as its callers see it. */
interface IHub {
    function matchOrders(AppOrder calldata, DatasetOrder calldata, WorkerpoolOrder calldata, RequestOrder calldata)
        external
        returns (bytes32);
    function sponsorMatchOrders(
        AppOrder calldata,
        DatasetOrder calldata,
        WorkerpoolOrder calldata,
        RequestOrder calldata
    ) external returns (bytes32);
    function computeDealVolume(
        AppOrder calldata,
        DatasetOrder calldata,
        WorkerpoolOrder calldata,
        RequestOrder calldata
    ) external view returns (uint256);
    function manageAppOrder(AppOrderOperation calldata) external;
    function manageDatasetOrder(DatasetOrderOperation calldata) external;
    function manageWorkerpoolOrder(WorkerpoolOrderOperation calldata) external;
    function manageRequestOrder(RequestOrderOperation calldata) external;
    function verifySignature(address, bytes32, bytes calldata) external view returns (bool);
    function verifyPresignature(address, bytes32) external view returns (bool);

    function initialize(bytes32, uint256) external returns (bytes32);
    function initializeArray(bytes32[] calldata, uint256[] calldata) external returns (bool);
    function claimArray(bytes32[] calldata) external returns (bool);
    function initializeAndClaimArray(bytes32[] calldata, uint256[] calldata) external returns (bool);
    function contribute(bytes32, bytes32, bytes32, address, bytes calldata, bytes calldata) external;
    function contributeAndFinalize(
        bytes32,
        bytes32,
        bytes calldata,
        bytes calldata,
        address,
        bytes calldata,
        bytes calldata
    ) external;
    function reveal(bytes32, bytes32) external;
    function reopen(bytes32) external;
    function finalize(bytes32, bytes calldata, bytes calldata) external;
    function claim(bytes32) external;

    function deposit(uint256) external returns (bool);
    function depositFor(uint256, address) external returns (bool);
    function depositForArray(uint256[] calldata, address[] calldata) external returns (bool);
    function withdraw(uint256) external returns (bool);
    function withdrawTo(uint256, address) external returns (bool);
    function recover() external returns (uint256);
    function receiveApproval(address, uint256, address, bytes calldata) external returns (bool);
    function transfer(address, uint256) external returns (bool);
    function approve(address, uint256) external returns (bool);
    function approveAndCall(address, uint256, bytes calldata) external returns (bool);
    function transferFrom(address, address, uint256) external returns (bool);
    function increaseAllowance(address, uint256) external returns (bool);
    function decreaseAllowance(address, uint256) external returns (bool);
    function allowance(address, address) external view returns (uint256);

    function totalSupply() external view returns (uint256);
    function balanceOf(address) external view returns (uint256);
    function frozenOf(address) external view returns (uint256);
    function viewAccount(address) external view returns (Account memory);
    function viewDeal(bytes32) external view returns (Deal memory);
    function viewTask(bytes32) external view returns (Task memory);
    function viewContribution(bytes32, address) external view returns (Contribution memory);
    function viewConsumed(bytes32) external view returns (uint256);
    function viewPresigned(bytes32) external view returns (address);
    function viewScore(address) external view returns (uint256);
    function viewCategory(uint256) external view returns (Category memory);
    function countCategory() external view returns (uint256);
    function resultFor(bytes32) external view returns (bytes memory);
    function eip712domain_separator() external view returns (bytes32);
    function domain() external view returns (EIP712Domain memory);
    function callbackgas() external view returns (uint256);
    function viewAccountABILegacy(address) external view returns (uint256, uint256);
    function viewConfigABILegacy(bytes32) external view returns (uint256, uint256, uint256, uint256, uint256, uint256);
    function viewDealABILegacy_pt1(bytes32)
        external
        view
        returns (address, address, uint256, address, address, uint256, address, address, uint256);
    function viewDealABILegacy_pt2(bytes32)
        external
        view
        returns (uint256, bytes32, address, address, address, string memory);
    function viewContributionABILegacy(bytes32, address) external view returns (uint8, bytes32, bytes32, address);
    function viewCategoryABILegacy(uint256) external view returns (string memory, string memory, uint256);
    function viewApp(address) external view returns (AppInfo memory);

    function configure(address, string calldata, string calldata, uint8, address, address, address, address) external;
    function createCategory(string calldata, string calldata, uint256) external returns (uint256);
    function setTeeBroker(address) external;
    function setCallbackGas(uint256) external;
    function changeRegistries(address, address, address) external;
    function updateDomainSeparator() external;
    function importScore(address) external;
    function owner() external view returns (address);
    function transferOwnership(address) external;

    struct Cut {
        address facet;
        uint8 action;
        bytes4[] selectors;
    }

    struct Facet {
        address facetAddress;
        bytes4[] functionSelectors;
    }

    function diamondCut(Cut[] calldata, address, bytes calldata) external;
    function facets() external view returns (Facet[] memory);
    function facetAddresses() external view returns (address[] memory);
    function facetFunctionSelectors(address) external view returns (bytes4[] memory);
    function facetAddress(bytes4) external view returns (address);
    function supportsInterface(bytes4) external view returns (bool);
}

interface IRlc {
    function transfer(address, uint256) external returns (bool);
    function transferFrom(address, address, uint256) external returns (bool);
    function approve(address, uint256) external returns (bool);
    function approveAndCall(address, uint256, bytes calldata) external;
    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) external;
    function balanceOf(address) external view returns (uint256);
    function allowance(address, address) external view returns (uint256);
    function nonces(address) external view returns (uint256);
    function totalSupply() external view returns (uint256);
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}

interface IRegistryAll {
    function createApp(address, string calldata, string calldata, bytes calldata, bytes32, bytes calldata)
        external
        returns (address);
    function predictApp(address, string calldata, string calldata, bytes calldata, bytes32, bytes calldata)
        external
        view
        returns (address);
    function createDataset(address, string calldata, bytes calldata, bytes32) external returns (address);
    function createWorkerpool(address, string calldata) external returns (address);
    function initialize(address) external;
    function setBaseURI(string calldata) external;
    function isRegistered(address) external view returns (bool);
    function balanceOf(address) external view returns (uint256);
    function ownerOf(uint256) external view returns (address);
    function totalSupply() external view returns (uint256);
    function tokenByIndex(uint256) external view returns (uint256);
    function tokenOfOwnerByIndex(address, uint256) external view returns (uint256);
    function transferFrom(address, address, uint256) external;
    function safeTransferFrom(address, address, uint256) external;
    function safeTransferFrom(address, address, uint256, bytes calldata) external;
    function approve(address, uint256) external;
    function getApproved(uint256) external view returns (address);
    function setApprovalForAll(address, bool) external;
    function isApprovedForAll(address, address) external view returns (bool);
    function tokenURI(uint256) external view returns (string memory);
    function owner() external view returns (address);
    function transferOwnership(address) external;
    function renounceOwnership() external;
    function supportsInterface(bytes4) external view returns (bool);
    function master() external view returns (address);
}

interface IEntry {
    function owner() external view returns (address);
    function registry() external view returns (address);
    function m_appName() external view returns (string memory);
    function m_appType() external view returns (string memory);
    function m_appMultiaddr() external view returns (bytes memory);
    function m_appChecksum() external view returns (bytes32);
    function m_appMREnclave() external view returns (bytes memory);
    function m_workerStakeRatioPolicy() external view returns (uint256);
    function m_schedulerRewardRatioPolicy() external view returns (uint256);
    function changePolicy(uint256, uint256) external;
    function initialize(string calldata) external;
}

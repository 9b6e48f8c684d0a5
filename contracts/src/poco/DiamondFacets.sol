// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LibDiamond, IDiamondCut} from "../lib/Diamond.sol";

/* ERC-2535's own functions, ERC-165 and ERC-173. */

contract DiamondCutFacet is IDiamondCut {
    function diamondCut(FacetCut[] calldata _diamondCut, address _init, bytes calldata _calldata) external {
        LibDiamond.enforceOwner();
        LibDiamond.cut(_diamondCut, _init, _calldata);
    }
}

contract DiamondLoupeFacet {
    struct Facet {
        address facetAddress;
        bytes4[] functionSelectors;
    }

    function facets() external view returns (Facet[] memory all) {
        address[] memory addresses = facetAddresses();
        all = new Facet[](addresses.length);
        for (uint256 i = 0; i < addresses.length; ++i) {
            all[i] = Facet(addresses[i], facetFunctionSelectors(addresses[i]));
        }
    }

    function facetFunctionSelectors(address _facet) public view returns (bytes4[] memory some) {
        LibDiamond.DiamondStorage storage $ = LibDiamond.load();
        bytes4[] memory all = $.selectors;
        some = new bytes4[](all.length);
        uint256 n = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            if ($.facets[all[i]].facet == _facet) some[n++] = all[i];
        }
        assembly ("memory-safe") {
            mstore(some, n)
        }
    }

    function facetAddresses() public view returns (address[] memory some) {
        LibDiamond.DiamondStorage storage $ = LibDiamond.load();
        bytes4[] memory all = $.selectors;
        some = new address[](all.length);
        uint256 n = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            address facet = $.facets[all[i]].facet;
            uint256 k = 0;
            while (k < n && some[k] != facet) ++k;
            if (k == n) some[n++] = facet;
        }
        assembly ("memory-safe") {
            mstore(some, n)
        }
    }

    function facetAddress(bytes4 _functionSelector) external view returns (address) {
        return LibDiamond.load().facets[_functionSelector].facet;
    }

    function supportsInterface(bytes4 _interfaceId) external view returns (bool) {
        return LibDiamond.load().supportedInterfaces[_interfaceId];
    }
}

contract OwnershipFacet {
    function owner() external view returns (address) {
        return LibDiamond.load().owner;
    }

    function transferOwnership(address _newOwner) external {
        LibDiamond.enforceOwner();
        LibDiamond.setOwner(_newOwner);
    }
}

/* Run once by the diamond's constructor. */
contract DiamondInit {
    function init() external {
        LibDiamond.DiamondStorage storage $ = LibDiamond.load();
        $.supportedInterfaces[0x01ffc9a7] = true; // ERC-165
        $.supportedInterfaces[0x1f931c1c] = true; // diamond cut
        $.supportedInterfaces[0x48e2b093] = true; // diamond loupe
        $.supportedInterfaces[0x7f5828d0] = true; // ERC-173
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LibDiamond, IDiamondCut, FunctionNotFound} from "../lib/Diamond.sol";
import {Blob} from "../lib/Blob.sol";

struct DiamondArgs {
    address owner;
    address init;
    bytes initCalldata;
}

/* The hub: one address, one storage, its functions in facets (ERC-2535). */
contract Diamond {
    constructor(IDiamondCut.FacetCut[] memory cuts, DiamondArgs memory args) payable {
        LibDiamond.setOwner(args.owner);
        LibDiamond.cut(cuts, args.init, args.initCalldata);
    }

    fallback() external payable {
        /* The init code of a deal or result record asks for its contents by an empty call. */
        if (msg.data.length == 0) Blob.answer();
        LibDiamond.DiamondStorage storage $ = LibDiamond.load();
        address facet = $.facets[msg.sig].facet;
        if (facet == address(0)) {
            facet = $.facets[LibDiamond.FALLBACK].facet;
            if (facet == address(0)) revert FunctionNotFound(msg.sig);
        }
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), facet, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if ok { return(0, returndatasize()) }
            revert(0, returndatasize())
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

interface IDiamondCut {
    enum FacetCutAction {
        Add,
        Replace,
        Remove
    }

    struct FacetCut {
        address facetAddress;
        FacetCutAction action;
        bytes4[] functionSelectors;
    }

    event DiamondCut(FacetCut[] _diamondCut, address _init, bytes _calldata);

    function diamondCut(FacetCut[] calldata _diamondCut, address _init, bytes calldata _calldata) external;
}

error NotContractOwner(address _user, address _contractOwner);
error NoSelectorsProvidedForFacetForCut(address _facetAddress);
error CannotAddSelectorsToZeroAddress(bytes4[] _selectors);
error NoBytecodeAtAddress(address _contractAddress, string _message);
error IncorrectFacetCutAction(uint8 _action);
error CannotAddFunctionToDiamondThatAlreadyExists(bytes4 _selector);
error CannotReplaceFunctionsFromFacetWithZeroAddress(bytes4[] _selectors);
error CannotReplaceImmutableFunction(bytes4 _selector);
error CannotReplaceFunctionWithTheSameFunctionFromTheSameFacet(bytes4 _selector);
error CannotReplaceFunctionThatDoesNotExists(bytes4 _selector);
error RemoveFacetAddressMustBeZeroAddress(address _facetAddress);
error CannotRemoveFunctionThatDoesNotExist(bytes4 _selector);
error CannotRemoveImmutableFunction(bytes4 _selector);
error InitializationFunctionReverted(address _initializationContractAddress, bytes _calldata);
error FunctionNotFound(bytes4 _functionSelector);

/* ERC-2535 storage and cuts. Layout fixed: tools read the owner at +3. */
library LibDiamond {
    struct FacetAndPosition {
        address facet;
        uint16 position;
    }

    struct DiamondStorage {
        mapping(bytes4 => FacetAndPosition) facets; // +0
        bytes4[] selectors; // +1
        mapping(bytes4 => bool) supportedInterfaces; // +2
        address owner; // +3
    }

    bytes32 internal constant SLOT = 0xc8fcad8db84d3cc18b4c41d551ea0ee66dd599cde068d998e57d5e09332c131c;

    /* The facet of this pseudo-selector gets every call nobody else wants. */
    bytes4 internal constant FALLBACK = 0xffffffff;

    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    function load() internal pure returns (DiamondStorage storage $) {
        bytes32 slot = SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }

    function setOwner(address owner) internal {
        DiamondStorage storage $ = load();
        emit OwnershipTransferred($.owner, owner);
        $.owner = owner;
    }

    function enforceOwner() internal view {
        address owner = load().owner;
        if (msg.sender != owner) revert NotContractOwner(msg.sender, owner);
    }

    function cut(IDiamondCut.FacetCut[] memory cuts, address init, bytes memory data) internal {
        for (uint256 i = 0; i < cuts.length; ++i) {
            bytes4[] memory selectors = cuts[i].functionSelectors;
            address facet = cuts[i].facetAddress;
            if (selectors.length == 0) revert NoSelectorsProvidedForFacetForCut(facet);
            IDiamondCut.FacetCutAction action = cuts[i].action;
            if (action == IDiamondCut.FacetCutAction.Add) add(facet, selectors);
            else if (action == IDiamondCut.FacetCutAction.Replace) replace(facet, selectors);
            else remove(facet, selectors);
        }
        emit IDiamondCut.DiamondCut(cuts, init, data);
        if (init == address(0)) return;
        enforceCode(init, "LibDiamondCut: _init address has no code");
        (bool ok, bytes memory failure) = init.delegatecall(data);
        if (ok) return;
        if (failure.length == 0) revert InitializationFunctionReverted(init, data);
        assembly ("memory-safe") {
            revert(add(failure, 32), mload(failure))
        }
    }

    function add(address facet, bytes4[] memory selectors) private {
        if (facet == address(0)) revert CannotAddSelectorsToZeroAddress(selectors);
        enforceCode(facet, "LibDiamondCut: Add facet has no code");
        DiamondStorage storage $ = load();
        uint16 n = uint16($.selectors.length);
        for (uint256 i = 0; i < selectors.length; ++i) {
            bytes4 s = selectors[i];
            if ($.facets[s].facet != address(0)) revert CannotAddFunctionToDiamondThatAlreadyExists(s);
            $.facets[s] = FacetAndPosition(facet, n++);
            $.selectors.push(s);
        }
    }

    function replace(address facet, bytes4[] memory selectors) private {
        if (facet == address(0)) revert CannotReplaceFunctionsFromFacetWithZeroAddress(selectors);
        enforceCode(facet, "LibDiamondCut: Replace facet has no code");
        DiamondStorage storage $ = load();
        for (uint256 i = 0; i < selectors.length; ++i) {
            bytes4 s = selectors[i];
            address old = $.facets[s].facet;
            if (old == address(this)) revert CannotReplaceImmutableFunction(s);
            if (old == facet) revert CannotReplaceFunctionWithTheSameFunctionFromTheSameFacet(s);
            if (old == address(0)) revert CannotReplaceFunctionThatDoesNotExists(s);
            $.facets[s].facet = facet;
        }
    }

    function remove(address facet, bytes4[] memory selectors) private {
        if (facet != address(0)) revert RemoveFacetAddressMustBeZeroAddress(facet);
        DiamondStorage storage $ = load();
        for (uint256 i = 0; i < selectors.length; ++i) {
            bytes4 s = selectors[i];
            FacetAndPosition memory old = $.facets[s];
            if (old.facet == address(0)) revert CannotRemoveFunctionThatDoesNotExist(s);
            if (old.facet == address(this)) revert CannotRemoveImmutableFunction(s);
            bytes4 last = $.selectors[$.selectors.length - 1];
            if (last != s) {
                $.selectors[old.position] = last;
                $.facets[last].position = old.position;
            }
            $.selectors.pop();
            delete $.facets[s];
        }
    }

    function enforceCode(address a, string memory message) private view {
        if (a.code.length == 0) revert NoBytecodeAtAddress(a, message);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {IHub} from "./Interfaces.sol";
import "../src/lib/Types.sol";

contract DiamondTest is Base {
    function cut(address facet, uint8 action, bytes4 selector) internal pure returns (IHub.Cut[] memory cuts) {
        cuts = new IHub.Cut[](1);
        cuts[0].facet = facet;
        cuts[0].action = action;
        cuts[0].selectors = new bytes4[](1);
        cuts[0].selectors[0] = selector;
    }

    function cutFails(IHub.Cut[] memory cuts, bytes4 error) internal {
        (bool no, bytes memory answer) =
            refused(address(this), address(hub), abi.encodeCall(IHub.diamondCut, (cuts, address(0), "")));
        yes(no, "refused");
        eq(bytes32(bytes4(answer)), bytes32(error), "why");
    }

    function test_loupe_tells_every_function() public view {
        IHub.Facet[] memory all = hub.facets();
        eq(all.length, 11, "facets");
        eq(hub.facetAddresses().length, 11, "addresses");
        uint256 n = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            bytes4[] memory s = hub.facetFunctionSelectors(all[i].facetAddress);
            eq(s.length, all[i].functionSelectors.length, "same");
            for (uint256 k = 0; k < s.length; ++k) {
                eq(hub.facetAddress(s[k]), all[i].facetAddress, "its facet");
            }
            n += s.length;
        }
        eq(n, 98, "as many selectors as the official hub has on Arbitrum");
        eq(hub.facetAddress(0x12345678), address(0), "none");
        yes(hub.supportsInterface(0x01ffc9a7), "ERC-165");
        yes(hub.supportsInterface(0x1f931c1c), "cut");
        yes(hub.supportsInterface(0x48e2b093), "loupe");
        yes(hub.supportsInterface(0x7f5828d0), "ERC-173");
        yes(!hub.supportsInterface(0xffffffff), "not everything");
    }

    function test_cuts() public {
        address facet = artifact("Mocks", "OracleClientMock");
        bytes4 fresh = 0x654cf88c; // store(bytes32)
        IHub.Cut[] memory none = new IHub.Cut[](1);
        none[0].facet = facet;
        cutFails(none, bytes4(keccak256("NoSelectorsProvidedForFacetForCut(address)")));
        cutFails(cut(address(0), 0, fresh), bytes4(keccak256("CannotAddSelectorsToZeroAddress(bytes4[])")));
        cutFails(cut(address(0xdead), 0, fresh), bytes4(keccak256("NoBytecodeAtAddress(address,string)")));
        cutFails(
            cut(facet, 0, IHub.claim.selector), bytes4(keccak256("CannotAddFunctionToDiamondThatAlreadyExists(bytes4)"))
        );
        cutFails(
            cut(address(0), 1, fresh), bytes4(keccak256("CannotReplaceFunctionsFromFacetWithZeroAddress(bytes4[])"))
        );
        cutFails(cut(facet, 1, fresh), bytes4(keccak256("CannotReplaceFunctionThatDoesNotExists(bytes4)")));
        cutFails(
            cut(hub.facetAddress(IHub.claim.selector), 1, IHub.claim.selector),
            bytes4(keccak256("CannotReplaceFunctionWithTheSameFunctionFromTheSameFacet(bytes4)"))
        );
        cutFails(cut(facet, 2, IHub.claim.selector), bytes4(keccak256("RemoveFacetAddressMustBeZeroAddress(address)")));
        cutFails(cut(address(0), 2, fresh), bytes4(keccak256("CannotRemoveFunctionThatDoesNotExist(bytes4)")));

        hub.diamondCut(cut(facet, 0, fresh), address(0), "");
        eq(hub.facetAddress(fresh), facet, "added");
        address other = artifact("Mocks", "RevertingMock");
        hub.diamondCut(cut(other, 1, fresh), address(0), "");
        eq(hub.facetAddress(fresh), other, "replaced");
        (bool no, bytes memory answer) = refused(requester, address(hub), abi.encodeWithSelector(fresh, bytes32(0)));
        yes(no, "goes there");
        eq(answer, says("no"), "and its answer comes back");
        /* from the middle: the last selector takes the place */
        hub.diamondCut(cut(address(0), 2, IHub.claim.selector), address(0), "");
        eq(hub.facetAddress(IHub.claim.selector), address(0), "removed");
        eq(hub.facetFunctionSelectors(other).length, 1, "the last is still there");
        hub.diamondCut(cut(address(0), 2, fresh), address(0), "");
        eq(hub.facetFunctionSelectors(other).length, 0, "gone");
        (no, answer) = refused(requester, address(hub), abi.encodeCall(IHub.claim, (bytes32(0))));
        eq(answer, says("fallback-disabled"), "to the fallback");
        hub.diamondCut(cut(address(0), 2, 0xffffffff), address(0), "");
        (no, answer) = refused(requester, address(hub), abi.encodeCall(IHub.claim, (bytes32(0))));
        eq(answer, abi.encodeWithSignature("FunctionNotFound(bytes4)", IHub.claim.selector), "no fallback any more");
    }

    function test_cut_with_a_call_afterwards() public {
        address facet = artifact("Mocks", "RevertingMock");
        vm.expectRevert(says("no"));
        hub.diamondCut(new IHub.Cut[](0), facet, hex"12345678");
        (bool no, bytes memory answer) = refused(
            address(this), address(hub), abi.encodeCall(IHub.diamondCut, (new IHub.Cut[](0), address(0xdead), "x"))
        );
        yes(no, "no code");
        eq(bytes32(bytes4(answer)), bytes32(bytes4(keccak256("NoBytecodeAtAddress(address,string)"))), "why");
        address quiet = artifact("Mocks", "GroupMock");
        (no, answer) = refused(
            address(this), address(hub), abi.encodeCall(IHub.diamondCut, (new IHub.Cut[](0), quiet, hex"12345678"))
        );
        eq(
            bytes32(bytes4(answer)),
            bytes32(bytes4(keccak256("InitializationFunctionReverted(address,bytes)"))),
            "said nothing"
        );
    }

    function test_only_the_owner_configures() public {
        bytes memory owner = says("Ownable: caller is not the owner");
        bytes[5] memory calls = [
            abi.encodeCall(IHub.createCategory, ("a", "b", 1)),
            abi.encodeCall(IHub.setTeeBroker, (sponsor)),
            abi.encodeCall(IHub.setCallbackGas, (1)),
            abi.encodeCall(IHub.changeRegistries, (sponsor, sponsor, sponsor)),
            abi.encodeCall(IHub.configure, (sponsor, "", "", 9, sponsor, sponsor, sponsor, sponsor))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            (, bytes memory answer) = refused(sponsor, address(hub), calls[i]);
            eq(answer, owner, "not the owner");
        }
        (, bytes memory refusal) = refused(address(this), address(hub), calls[4]);
        eq(refusal, says("already-configured"), "once");
        vm.prank(sponsor);
        vm.expectRevert(abi.encodeWithSignature("NotContractOwner(address,address)", sponsor, address(this)));
        hub.transferOwnership(sponsor);
        hub.transferOwnership(sponsor);
        eq(hub.owner(), sponsor, "handed over");
        /* tools read the owner here */
        bytes32 slot = bytes32(uint256(0xc8fcad8db84d3cc18b4c41d551ea0ee66dd599cde068d998e57d5e09332c131c) + 3);
        eq(vm.load(address(hub), slot), bytes32(uint256(uint160(sponsor))), "diamond storage +3");
    }

    function test_fixed_storage_positions() public {
        stake(requester, 77);
        eq(vm.load(address(hub), bytes32(STORAGE + 7)), bytes32(uint256(77)), "total supply");
        eq(vm.load(address(hub), bytes32(STORAGE + 11)), hub.eip712domain_separator(), "domain separator");
        setScore(sponsor, 9);
        eq(hub.viewScore(sponsor), 9, "scores");
        vm.store(address(hub), keccak256(abi.encode(sponsor, STORAGE + 23)), bytes32(uint256(1)));
        vm.expectRevert(says("score-already-imported"));
        hub.importScore(sponsor);
        vm.store(address(hub), bytes32(STORAGE + 11), 0);
        vm.expectRevert(says("not-configured"));
        hub.updateDomainSeparator();
    }

    function test_scores_of_the_old_hub_are_taken_over_once() public {
        address old = vm.deployCode("Mocks.sol:HubV3Mock", abi.encode(uint256(50)));
        IHub second = IHub(deployHub());
        second.configure(address(rlc), "Staked RLC", "SRLC", 9, address(apps), address(datasets), address(pools), old);
        second.importScore(requester);
        eq(second.viewScore(requester), 50, "imported");
        vm.expectRevert(says("score-already-imported"));
        second.importScore(requester);
        vm.store(address(second), keccak256(abi.encode(sponsor, STORAGE + 18)), bytes32(uint256(60)));
        second.importScore(sponsor);
        eq(second.viewScore(sponsor), 60, "the larger one stays");
        vm.expectRevert();
        hub.importScore(requester);
    }

    function test_domain_follows_the_chain() public {
        bytes32 before = hub.eip712domain_separator();
        vm.chainId(42161);
        hub.updateDomainSeparator();
        yes(hub.eip712domain_separator() != before, "another chain");
        EIP712Domain memory d = hub.domain();
        eq(bytes(d.name), "iExecODB", "name");
        eq(bytes(d.version), "5.0.0", "version");
        eq(d.chainId, 42161, "chain");
        eq(d.verifyingContract, address(hub), "contract");
    }

    function test_category_times_have_a_limit() public {
        hub.createCategory("long", "", 2 ** 40 - 1);
        eq(hub.viewCategory(2).workClockTimeRef, 2 ** 40 - 1, "time");
        vm.expectRevert(says("category-time-too-long"));
        hub.createCategory("too long", "", 2 ** 40);
        hub.createCategory("none", "", 0);
        eq(hub.viewCategory(3).workClockTimeRef, 0, "zero is a time");
        (string memory name,, uint256 time) = hub.viewCategoryABILegacy(2);
        eq(bytes(name), "long", "legacy");
        eq(time, 2 ** 40 - 1, "legacy");
    }
}

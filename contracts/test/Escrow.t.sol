// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {IHub, IRlc} from "./Interfaces.sol";
import "../src/lib/Types.sol";

contract EscrowTest is Base {
    address private ann = vm.addr(0xc001);
    address private ben = address(0xc002);

    function testFuzz_deposits_come_back(uint256 amount, uint256 part) public {
        amount = bound(amount, 0, rlc.balanceOf(address(this)));
        part = bound(part, 0, amount);
        rlc.approve(address(hub), amount);
        hub.deposit(amount);
        eq(hub.balanceOf(address(this)), amount, "staked");
        eq(hub.totalSupply(), amount, "supply");
        hub.withdraw(part);
        uint256 before = rlc.balanceOf(ben);
        hub.withdrawTo(amount - part, ben);
        eq(rlc.balanceOf(ben) - before, amount - part, "paid out");
        eq(hub.totalSupply(), 0, "nothing left");
        (bool no, bytes memory answer) = refused(address(this), address(hub), abi.encodeCall(IHub.withdraw, (1)));
        yes(no && answer.length == 0, "empty revert");
    }

    function testFuzz_allowances(uint256 allowed, uint256 amount) public {
        stake(ann, 1e12);
        allowed = bound(allowed, 0, 2e12);
        amount = bound(amount, 0, 2e12);
        vm.prank(ann);
        hub.approve(ben, allowed);
        (bool no, bytes memory answer) =
            refused(ben, address(hub), abi.encodeCall(IHub.transferFrom, (ann, ben, amount)));
        yes(no == (amount > allowed || amount > 1e12), "within allowance and balance");
        if (no) {
            eq(answer.length, 0, "empty revert");
            return;
        }
        eq(hub.allowance(ann, ben), allowed - amount, "remaining");
        eq(hub.balanceOf(ben), amount, "moved");
        vm.prank(ann);
        hub.increaseAllowance(ben, 5);
        eq(hub.allowance(ann, ben), allowed - amount + 5, "increased");
        vm.prank(ann);
        hub.decreaseAllowance(ben, 5);
        (no,) = refused(ann, address(hub), abi.encodeCall(IHub.decreaseAllowance, (ben, allowed - amount + 1)));
        yes(no, "not below zero");
    }

    function test_transfer_to_oneself_changes_nothing() public {
        stake(ann, 100);
        vm.prank(ann);
        hub.transfer(ann, 60);
        eq(hub.balanceOf(ann), 100, "same");
        vm.prank(ann);
        vm.expectRevert();
        hub.transfer(ann, 101);
    }

    function test_moving_free_stake_leaves_locked_stake() public {
        Orders memory o = orders(1);
        price(o, 0, 0, 1000);
        stake(requester, 1500);
        stake(scheduler, 400);
        match_(o);
        vm.prank(requester);
        hub.transfer(ben, 500);
        eq(hub.frozenOf(requester), 1000, "locked");
        vm.prank(requester);
        vm.expectRevert();
        hub.transfer(ben, 1);
        vm.prank(requester);
        vm.expectRevert();
        hub.withdraw(1);
        /* stake sent to the hub itself is nobody's, and breaks nothing */
        vm.prank(ben);
        hub.transfer(address(hub), 500);
        eq(hub.balanceOf(address(hub)), 1800, "locked and stray");
        stake(KITTY, 7);
        eq(hub.balanceOf(KITTY), 7, "the kitty's free stake");
        eq(hub.frozenOf(KITTY), 0, "is not its locked stake");
    }

    function test_recover_gives_stray_tokens_to_the_owner() public {
        stake(ann, 10);
        rlc.transfer(address(hub), 321);
        eq(hub.recover(), 321, "delta");
        eq(hub.balanceOf(address(this)), 321, "the owner's");
        vm.prank(ann);
        vm.expectRevert(says("Ownable: caller is not the owner"));
        hub.recover();
    }

    function test_deposit_for_many() public {
        rlc.approve(address(hub), 100);
        uint256[] memory amounts = new uint256[](2);
        address[] memory targets = new address[](2);
        amounts[0] = 40;
        amounts[1] = 60;
        targets[0] = ann;
        targets[1] = ben;
        yes(hub.depositForArray(amounts, targets), "true");
        eq(hub.balanceOf(ann), 40, "ann");
        eq(hub.balanceOf(ben), 60, "ben");
        vm.expectRevert(says("invalid-array-length"));
        hub.depositForArray(amounts, new address[](1));
        rlc.approve(address(hub), 100);
        targets[1] = address(0);
        vm.expectRevert(says("ERC20: mint to the zero address"));
        hub.depositForArray(amounts, targets);
    }

    function test_deposit_and_match_in_one_transaction() public {
        Orders memory o = orders(2);
        price(o, 1, 2, 1000);
        stake(scheduler, 600);
        signAll(o);
        rlc.transfer(requester, 5000);
        bytes memory call = abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r));
        /* one short: neither deposit nor deal */
        vm.prank(requester);
        vm.expectRevert(says("IexecEscrow: Transfer amount exceeds balance"));
        rlc.approveAndCall(address(hub), 2005, call);
        /* somebody else's request */
        rlc.approve(address(hub), 5000);
        vm.expectRevert(abi.encodeWithSignature("CallerIsNotTheRequester()"));
        rlc.approveAndCall(address(hub), 2006, call);
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSignature("UnsupportedOperation(bytes4)", IHub.withdraw.selector));
        rlc.approveAndCall(address(hub), 2006, abi.encodeCall(IHub.withdraw, (1)));
        bytes memory stub = hex"156194";
        (bool no, bytes memory answer) =
            refused(requester, address(rlc), abi.encodeCall(IRlc.approveAndCall, (address(hub), 2006, stub)));
        yes(no && answer.length == 0, "less than a selector");
        vm.prank(requester);
        rlc.approveAndCall(address(hub), 2006, call);
        eq(hub.frozenOf(requester), 2006, "paid");
        eq(hub.balanceOf(requester), 0, "exactly");
        vm.prank(requester);
        rlc.approveAndCall(address(hub), 10, "");
        eq(hub.balanceOf(requester), 10, "plain deposit");
    }

    function test_ether_and_unknown_calls_are_refused() public {
        vm.deal(address(this), 1 ether);
        (bool ok, bytes memory answer) = address(hub).call{value: 1}("");
        yes(!ok, "ether");
        eq(answer, says("fallback-disabled"), "why");
        (ok, answer) = address(hub).call(hex"deadbeef");
        eq(answer, says("fallback-disabled"), "why");
        (ok, answer) = address(hub).call(hex"");
        eq(answer, says("fallback-disabled"), "an empty call");
    }

    /* ---- the token ---- */

    function test_permit() public {
        rlc.transfer(ann, 100);
        uint256 deadline = block.timestamp;
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                rlc.DOMAIN_SEPARATOR(),
                keccak256(
                    abi.encode(
                        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                        ann,
                        ben,
                        60,
                        0,
                        deadline
                    )
                )
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xc001, digest);
        vm.expectRevert(says("permit-signature"));
        rlc.permit(ann, ben, 61, deadline, v, r, s);
        rlc.permit(ann, ben, 60, deadline, v, r, s);
        eq(rlc.allowance(ann, ben), 60, "allowed");
        vm.expectRevert(says("permit-signature"));
        rlc.permit(ann, ben, 60, deadline, v, r, s);
        vm.prank(ben);
        rlc.transferFrom(ann, ben, 60);
        vm.prank(ben);
        vm.expectRevert();
        rlc.transferFrom(ann, ben, 1);
        vm.warp(deadline + 1);
        vm.expectRevert(says("permit-expired"));
        rlc.permit(ann, ben, 60, deadline, v, r, s);
        vm.warp(deadline);
        uint256 high = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141 - uint256(s);
        vm.expectRevert(says("permit-signature"));
        rlc.permit(ann, ben, 60, deadline, v == 27 ? 28 : 27, r, bytes32(high));
    }

    function testFuzz_token_moves(uint256 amount, uint256 more) public {
        uint256 all = rlc.balanceOf(address(this));
        amount = bound(amount, 0, all);
        rlc.transfer(ann, amount);
        eq(rlc.balanceOf(ann), amount, "ann");
        eq(rlc.balanceOf(address(this)), all - amount, "rest");
        more = bound(more, amount + 1, type(uint256).max);
        (bool no, bytes memory answer) = refused(ann, address(rlc), abi.encodeCall(IRlc.transfer, (ben, more)));
        yes(no && answer.length == 0, "empty revert");
        vm.prank(ann);
        rlc.approve(ben, type(uint256).max);
        vm.prank(ben);
        rlc.transferFrom(ann, ben, amount);
        eq(rlc.allowance(ann, ben), type(uint256).max, "endless stays");
        vm.expectRevert();
        rlc.transfer(address(0), 0);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {IHub} from "./Interfaces.sol";
import "../src/lib/Types.sol";

/* Each rule alone: to the second, by the wrong caller, with one field changed. */
contract RulesTest is Base {
    address private w1 = vm.addr(WORKER);
    address private w2 = vm.addr(WORKER + 1);
    address private w3 = vm.addr(WORKER + 2);
    bytes32 private constant A = keccak256("a");
    bytes32 private constant B = keccak256("b");

    function begin(uint256 trust) internal returns (bytes32) {
        Orders memory o = orders(1);
        o.w.trust = o.r.trust = trust;
        return hub.initialize(match_(o), 0);
    }

    function no(address who, bytes memory call, string memory what) internal {
        (bool refused_, bytes memory answer) = refused(who, address(hub), call);
        yes(refused_, what);
        eq(answer, "", what);
    }

    function fine(address who, bytes memory call, string memory what) internal {
        (bool refused_,) = refused(who, address(hub), call);
        yes(!refused_, what);
    }

    function contributeCall(address who, bytes32 task, bytes32 digest) internal pure returns (bytes memory) {
        return abi.encodeCall(
            IHub.contribute,
            (
                task,
                resultHash(task, digest),
                resultSeal(who, task, digest),
                address(0),
                "",
                authorization(who, task, address(0))
            )
        );
    }

    /* ---- deadlines, to the second: category 0 is 300 s ---- */

    function test_contributing_ends_at_seven_times_the_category() public {
        uint256 start = block.timestamp;
        bytes32 task = begin(50);
        bytes32 other = begin(1);
        vm.warp(start + 2099);
        fine(w1, contributeCall(w1, task, A), "a second before");
        vm.warp(start + 2100);
        no(w2, contributeCall(w2, task, A), "at the deadline");
        bytes memory whole = abi.encodeCall(
            IHub.contributeAndFinalize, (other, A, "r", "", address(0), "", authorization(w1, other, address(0)))
        );
        no(w1, whole, "at once, at the deadline");
        vm.warp(start + 2099);
        fine(w1, whole, "at once, a second before");
    }

    function test_claiming_begins_at_ten_times_the_category() public {
        uint256 start = block.timestamp;
        bytes32 task = begin(50);
        vm.warp(start + 2999);
        no(w1, abi.encodeCall(IHub.claim, (task)), "a second before");
        vm.warp(start + 3000);
        fine(w1, abi.encodeCall(IHub.claim, (task)), "at the deadline");
        no(w1, abi.encodeCall(IHub.claim, (task)), "again");
    }

    function test_revealing_ends_at_twice_the_category_after_consensus() public {
        uint256 start = block.timestamp;
        bytes32 task = begin(1);
        contribute(w1, task, A);
        eq(hub.viewTask(task).revealDeadline, start + 600, "deadline");
        vm.warp(start + 599);
        no(scheduler, abi.encodeCall(IHub.reopen, (task)), "still to be revealed");
        vm.warp(start + 600);
        no(w1, abi.encodeCall(IHub.reveal, (task, A)), "at the deadline");
        no(scheduler, abi.encodeCall(IHub.finalize, (task, "", "")), "nothing revealed");
        no(w1, abi.encodeCall(IHub.reopen, (task)), "not the scheduler");
        fine(scheduler, abi.encodeCall(IHub.reopen, (task)), "reopened");
        vm.warp(start + 700);
        contribute(w2, task, A);
        vm.warp(start + 1299);
        fine(w2, abi.encodeCall(IHub.reveal, (task, A)), "a second before");
        no(w2, abi.encodeCall(IHub.reveal, (task, A)), "again");
    }

    function test_reopening_and_finalizing_end_with_the_task() public {
        uint256 start = block.timestamp;
        bytes32 task = begin(1);
        bytes32 other = begin(1);
        bytes32 third = begin(1);
        contribute(w1, task, A);
        contribute(w1, other, A);
        contribute(w1, third, A);
        vm.prank(w1);
        hub.reveal(other, A);
        vm.prank(w1);
        hub.reveal(third, A);
        no(w1, abi.encodeCall(IHub.finalize, (third, "", "")), "not the scheduler");
        vm.warp(start + 3000);
        no(scheduler, abi.encodeCall(IHub.reopen, (task)), "reopened at the end");
        no(scheduler, abi.encodeCall(IHub.finalize, (other, "", "")), "finalized at the end");
        vm.warp(start + 2999);
        fine(scheduler, abi.encodeCall(IHub.finalize, (third, "", "")), "a second before");
        no(scheduler, abi.encodeCall(IHub.finalize, (third, "", "")), "again");
        no(scheduler, abi.encodeCall(IHub.reopen, (third)), "reopened when done");
        vm.warp(start + 3000);
        no(w1, abi.encodeCall(IHub.claim, (third)), "claimed when done");
    }

    function test_a_reopened_task_is_not_done_at_once() public {
        bytes32 task = begin(1);
        contribute(w1, task, A);
        vm.warp(block.timestamp + 600);
        vm.prank(scheduler);
        hub.reopen(task);
        bytes memory auth = authorization(w2, task, address(0));
        no(
            w2,
            abi.encodeCall(IHub.contributeAndFinalize, (task, A, "r", "", address(0), "", auth)),
            "somebody contributed before"
        );
        no(w1, contributeCall(w1, task, A), "twice");
        fine(w2, contributeCall(w2, task, A), "another may still contribute");
    }

    /* ---- results ---- */

    function test_copied_results_cannot_be_revealed() public {
        bytes32 task = begin(6);
        bytes memory auth = authorization(w2, task, address(0));
        contribute(w1, task, A);
        /* the hash of another, with his seal */
        vm.prank(w2);
        hub.contribute(task, resultHash(task, A), resultSeal(w1, task, A), address(0), "", auth);
        /* another hash, with the seal of what may win */
        auth = authorization(w3, task, address(0));
        eq(uint256(hub.viewTask(task).status), 1, "no consensus yet");
        vm.prank(w3);
        hub.contribute(task, resultHash(task, B), resultSeal(w3, task, A), address(0), "", auth);
        address w4 = vm.addr(WORKER + 3);
        setScore(w4, 300);
        contribute(w4, task, A);
        eq(uint256(hub.viewTask(task).status), 2, "consensus");
        no(w2, abi.encodeCall(IHub.reveal, (task, A)), "copied");
        no(w3, abi.encodeCall(IHub.reveal, (task, A)), "another hash");
        no(w3, abi.encodeCall(IHub.reveal, (task, B)), "not the consensus");
        fine(w1, abi.encodeCall(IHub.reveal, (task, A)), "his own");
    }

    function test_finalizing_waits_for_every_winner_until_the_deadline() public {
        bytes32 task = begin(4);
        contribute(w1, task, A);
        contribute(w2, task, A);
        fine(w1, abi.encodeCall(IHub.reveal, (task, A)), "one of two");
        no(scheduler, abi.encodeCall(IHub.finalize, (task, "", "")), "the other may still reveal");
        fine(w2, abi.encodeCall(IHub.reveal, (task, A)), "the other");
        fine(scheduler, abi.encodeCall(IHub.finalize, (task, "", "")), "all have revealed");
    }

    function test_a_token_that_says_no_makes_no_stake() public {
        vm.etch(address(rlc), hex"600060005260206000f3"); // answers false to everything
        (bool refused_, bytes memory answer) = refused(w1, address(hub), abi.encodeCall(IHub.deposit, (5)));
        yes(refused_, "deposit");
        eq(answer, says("failed-transferFrom"), "why");
        eq(hub.balanceOf(w1), 0, "no stake");
    }

    function test_a_callback_gets_what_was_agreed_on() public {
        Orders memory o = orders(2);
        o.r.callback = address(0xca11);
        bytes32 deal = match_(o);
        bytes32 task = hub.initialize(deal, 0);
        contribute(w1, task, keccak256("right"));
        vm.prank(w1);
        hub.reveal(task, keccak256("right"));
        no(scheduler, abi.encodeCall(IHub.finalize, (task, "r", "wrong")), "other data");
        no(scheduler, abi.encodeCall(IHub.finalize, (task, "r", "")), "no data");
        fine(scheduler, abi.encodeCall(IHub.finalize, (task, "r", "right")), "the data");
        task = hub.initialize(deal, 1);
        bytes memory auth = authorization(w1, task, address(0));
        no(
            w1,
            abi.encodeCall(
                IHub.contributeAndFinalize, (task, keccak256("right"), "r", "wrong", address(0), "", auth)
            ),
            "other data at once"
        );
        /* without a callback there is no data to give but the digest's own */
        task = begin(1);
        auth = authorization(w1, task, address(0));
        no(
            w1,
            abi.encodeCall(IHub.contributeAndFinalize, (task, keccak256("x"), "r", "data", address(0), "", auth)),
            "data for nobody"
        );
    }

    function test_the_enclave_of_a_task_done_at_once_is_kept() public {
        Orders memory o = orders(1);
        o.r.callback = address(0xca11);
        bytes32 task = hub.initialize(match_(o), 0);
        bytes memory data = "data";
        bytes32 digest = keccak256(data);
        bytes memory sign =
            personal(ENCLAVE, keccak256(abi.encode(resultHash(task, digest), resultSeal(w1, task, digest))));
        bytes memory auth = authorization(w1, task, enclave);
        bytes memory wrong = personal(WORKER, keccak256(abi.encode(resultHash(task, digest), task)));
        no(
            w1,
            abi.encodeCall(IHub.contributeAndFinalize, (task, digest, "r", data, enclave, wrong, auth)),
            "not the enclave's signature"
        );
        vm.prank(w1);
        hub.contributeAndFinalize(task, digest, "r", data, enclave, sign, auth);
        eq(hub.viewContribution(task, w1).enclaveChallenge, enclave, "challenge");
        eq(hub.viewTask(task).resultsCallback, data, "data");
        eq(hub.viewTask(task).results, "r", "results");
        vm.warp(block.timestamp + 1);
        no(
            w1,
            abi.encodeCall(IHub.contributeAndFinalize, (task, digest, "r", data, enclave, sign, auth)),
            "again"
        );
    }

    function test_a_rejected_first_group_counts_no_more() public {
        bytes32 task = begin(2);
        contribute(w1, task, A);
        vm.warp(block.timestamp + 600);
        vm.prank(scheduler);
        hub.reopen(task);
        /* 2 of 3; with the rejected ones it would be 2 of 5 */
        contribute(w2, task, B);
        eq(uint256(hub.viewTask(task).status), 2, "consensus on b");
        eq(hub.viewTask(task).winnerCounter, 1, "one");
    }

    function test_consensus_needs_more_than_the_trust_asks() public {
        /* a first worker weighs 2, of 3: 2 * 3 is not more than 3 * 2 */
        bytes32 task = begin(3);
        contribute(w1, task, A);
        eq(uint256(hub.viewTask(task).status), 1, "not yet");
        contribute(w2, task, A);
        eq(uint256(hub.viewTask(task).status), 2, "4 of 5");
        task = begin(2);
        contribute(w1, task, A);
        eq(uint256(hub.viewTask(task).status), 2, "2 * 2 is more than 3 * 1");
        /* from a score of 12 on a worker weighs more */
        setScore(w3, 11);
        task = begin(3);
        contribute(w3, task, A);
        eq(uint256(hub.viewTask(task).status), 1, "11: still 2");
        setScore(w3, 12);
        task = begin(3);
        contribute(w3, task, A);
        eq(uint256(hub.viewTask(task).status), 2, "12: 3");
    }

    function test_a_rejected_later_group_counts_no_more() public {
        setScore(w2, 300); // weight 99
        bytes32 task = begin(20);
        contribute(w1, task, A);
        contribute(w2, task, B);
        eq(uint256(hub.viewTask(task).status), 2, "consensus on b");
        vm.warp(block.timestamp + 600);
        vm.prank(scheduler);
        hub.reopen(task);
        eq(uint256(hub.viewContribution(task, w2).status), 3, "rejected");
        eq(uint256(hub.viewContribution(task, w1).status), 1, "not rejected");
        /* b again: its weight is 2 now, of 1 + 2 + 2: no consensus at trust 20 */
        contribute(w3, task, B);
        Task memory t = hub.viewTask(task);
        eq(uint256(t.status), 1, "not yet");
        /* a: 2 * 99 of 1 + 198 + 2 - 1: 99 % */
        address w4 = vm.addr(WORKER + 3);
        setScore(w4, 300);
        contribute(w4, task, A);
        t = hub.viewTask(task);
        eq(uint256(t.status), 2, "consensus on a");
        eq(t.consensusValue, resultHash(task, A), "a");
        eq(t.winnerCounter, 2, "the first and the last");
    }

    /* ---- money: prices 100, 50 and 1000; stakes of 300 for pool and workers; 1 % for the scheduler ---- */

    function has(address who, uint256 free, uint256 locked, string memory what) internal view {
        Account memory a = hub.viewAccount(who);
        eq(a.stake, free, what);
        eq(a.locked, locked, what);
    }

    function priced(uint256 volume, uint256 trust) internal returns (bytes32) {
        address[5] memory all = [requester, scheduler, w1, w2, w3];
        for (uint256 i = 0; i < 5; ++i) {
            stake(all[i], 10_000);
        }
        Orders memory o = orders(volume);
        price(o, 100, 50, 1000);
        o.w.trust = o.r.trust = trust;
        return match_(o);
    }

    function test_money_of_a_deal_is_locked_whole() public {
        priced(3, 1);
        has(requester, 10_000 - 3450, 3450, "requester");
        has(scheduler, 10_000 - 900, 900, "scheduler");
        has(address(hub), 4350, 0, "hub");
    }

    function test_money_of_a_task_with_a_liar() public {
        setScore(w2, 300); // weight 99
        bytes32 task = hub.initialize(priced(1, 20), 0);
        contribute(w1, task, A);
        contribute(w2, task, B);
        has(w1, 9700, 300, "stake of the liar");
        vm.prank(w2);
        hub.reveal(task, B);
        vm.prank(scheduler);
        hub.finalize(task, "", "");
        has(requester, 8850, 0, "requester");
        has(appOwner, 100, 0, "app");
        has(dataOwner, 50, 0, "data");
        has(w1, 9700, 0, "the liar lost his stake");
        has(w2, 10_000 + 1287, 0, "99 % of 1300");
        has(scheduler, 10_000 + 13, 0, "the rest");
        has(address(hub), 0, 0, "nothing stays");
        eq(hub.viewScore(w2), 301, "more trust");
    }

    function test_money_of_two_workers_is_shared_by_their_weights() public {
        setScore(w1, 3 * 9); // weight 8, log 3
        setScore(w2, 3 * 3); // weight 2, log 1
        bytes32 task = hub.initialize(priced(1, 10), 0);
        contribute(w1, task, A);
        contribute(w2, task, A);
        eq(uint256(hub.viewTask(task).status), 2, "consensus");
        vm.prank(w1);
        hub.reveal(task, A);
        vm.prank(w2);
        hub.reveal(task, A);
        vm.prank(scheduler);
        hub.finalize(task, "", "");
        has(w1, 10_000 + 742, 0, "three quarters of 990");
        has(w2, 10_000 + 247, 0, "a quarter");
        has(scheduler, 10_000 + 11, 0, "one per cent and the rest");
        has(address(hub), 0, 0, "nothing stays");
    }

    function test_money_of_a_failed_task_and_the_kitty() public {
        bytes32 deal = priced(2, 50);
        bytes32 failed = hub.initialize(deal, 0);
        contribute(w3, failed, A);
        vm.warp(block.timestamp + 3000);
        hub.claim(failed);
        has(w3, 10_000, 0, "the worker has his stake back");
        has(requester, 10_000 - 1150, 1150, "one task's price is back");
        has(scheduler, 10_000 - 600, 300, "one stake is lost");
        has(KITTY, 0, 300, "the kitty has it");
        Orders memory o = orders(1);
        bytes32 task = hub.initialize(match_(o), 0);
        atOnce(w1, task, A, "", "");
        has(scheduler, 10_000 - 300, 300, "who finishes a task gets it");
        has(KITTY, 0, 0, "empty again");
    }

    function test_money_of_a_task_done_at_once() public {
        bytes32 task = hub.initialize(priced(1, 1), 0);
        atOnce(w1, task, A, "", "");
        has(requester, 8850, 0, "requester");
        has(appOwner, 100, 0, "app");
        has(dataOwner, 50, 0, "data");
        has(w1, 10_000 + 990, 0, "99 %");
        has(scheduler, 10_000 + 10, 0, "1 %");
        has(address(hub), 0, 0, "nothing stays");
        eq(hub.viewScore(w1), 0, "alone: no more trust");
    }

    /* ---- deals ---- */

    function test_tasks_are_those_of_the_deal() public {
        Orders memory o = orders(4);
        o.a.volume = 2;
        match_(o);
        o.a.salt = bytes32(uint256(77));
        signAll(o);
        bytes32 second = hub.matchOrders(o.a, o.d, o.w, o.r);
        eq(hub.viewDeal(second).botFirst, 2, "the second begins at 2");
        no(w1, abi.encodeCall(IHub.initialize, (second, 1)), "before it");
        no(w1, abi.encodeCall(IHub.initialize, (second, 4)), "behind it");
        fine(w1, abi.encodeCall(IHub.initialize, (second, 3)), "its last");
        no(w1, abi.encodeCall(IHub.initialize, (second, 3)), "again");
        bytes32[] memory deals = new bytes32[](2);
        deals[0] = deals[1] = second;
        uint256[] memory indexes = new uint256[](1);
        indexes[0] = 2;
        no(w1, abi.encodeCall(IHub.initializeArray, (deals, indexes)), "more deals than indexes");
        vm.warp(block.timestamp + 3000);
        no(w1, abi.encodeCall(IHub.initializeAndClaimArray, (deals, indexes)), "more deals than indexes");
    }

    function refusedWith(Orders memory o, bytes2 code) internal {
        signAll(o);
        (bool refused_, bytes memory answer) = refused(
            sponsor, address(hub), abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r))
        );
        yes(refused_, string(abi.encodePacked(code)));
        eq(answer, says(string(abi.encodePacked("iExecV5-matchOrders-0x", code))), string(abi.encodePacked(code)));
    }

    function test_each_term_of_a_deal_is_checked() public {
        Orders memory o = orders(1);
        o.r.category = 1;
        refusedWith(o, "00");
        o = orders(1);
        o.w.category = o.r.category = 9;
        refusedWith(o, "01");
        o = orders(1);
        o.r.trust = 2;
        refusedWith(o, "02");
        o = orders(1);
        o.a.appprice = 1;
        refusedWith(o, "03");
        o = orders(1);
        o.d.datasetprice = 1;
        refusedWith(o, "04");
        o = orders(1);
        o.w.workerpoolprice = 1;
        refusedWith(o, "05");
        o = orders(1);
        o.r.tag = bytes32(uint256(0x100));
        refusedWith(o, "06");
        o = orders(1);
        o.r.tag = o.w.tag = bytes32(uint256(1));
        refusedWith(o, "07");
        o = orders(1);
        o.r.app = pool;
        refusedWith(o, "10");
        o = orders(1);
        o.r.dataset = pool;
        refusedWith(o, "11");
    }

    function test_each_restriction_is_checked() public {
        address x = address(0xbad);
        Orders memory o = orders(1);
        o.r.workerpool = x;
        refusedWith(o, "12");
        o = orders(1);
        o.a.datasetrestrict = x;
        refusedWith(o, "13");
        o = orders(1);
        o.a.workerpoolrestrict = x;
        refusedWith(o, "14");
        o = orders(1);
        o.a.requesterrestrict = x;
        refusedWith(o, "15");
        o = orders(1);
        o.d.apprestrict = x;
        refusedWith(o, "16");
        o = orders(1);
        o.d.workerpoolrestrict = x;
        refusedWith(o, "17");
        o = orders(1);
        o.d.requesterrestrict = x;
        refusedWith(o, "18");
        o = orders(1);
        o.w.apprestrict = x;
        refusedWith(o, "19");
        o = orders(1);
        o.w.datasetrestrict = x;
        refusedWith(o, "1a");
        o = orders(1);
        o.w.requesterrestrict = x;
        refusedWith(o, "1b");
    }

    function unsigned(Orders memory o, bytes2 code) internal {
        (bool refused_, bytes memory answer) = refused(
            sponsor, address(hub), abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r))
        );
        yes(refused_, string(abi.encodePacked(code)));
        eq(answer, says(string(abi.encodePacked("iExecV5-matchOrders-0x", code))), string(abi.encodePacked(code)));
    }

    function test_each_signature_is_checked() public {
        Orders memory o = orders(1);
        bytes memory other = signature(WORKER, keccak256("something else"));
        signAll(o);
        o.a.sign = other;
        unsigned(o, "21");
        signAll(o);
        o.d.sign = other;
        unsigned(o, "31");
        signAll(o);
        o.w.sign = other;
        unsigned(o, "41");
        signAll(o);
        o.r.sign = other;
        unsigned(o, "50");
        /* a signature covers every field, the salt too */
        signAll(o);
        o.r.salt = bytes32(uint256(o.r.salt) + 1);
        unsigned(o, "50");
        /* resources of another registry */
        o = orders(1);
        o.r.app = o.a.app = dataset;
        refusedWith(o, "20");
        o = orders(1);
        o.r.dataset = o.d.dataset = app;
        refusedWith(o, "30");
        o = orders(1);
        o.r.workerpool = o.w.workerpool = app;
        refusedWith(o, "40");
    }

    function test_the_smallest_volume_binds_and_is_used_up() public {
        for (uint256 i = 0; i < 4; ++i) {
            Orders memory o = orders(9);
            if (i == 0) o.a.volume = 2;
            if (i == 1) o.d.volume = 2;
            if (i == 2) o.w.volume = 2;
            if (i == 3) o.r.volume = 2;
            signAll(o);
            eq(hub.computeDealVolume(o.a, o.d, o.w, o.r), 2, "volume");
            eq(hub.viewDeal(hub.matchOrders(o.a, o.d, o.w, o.r)).botSize, 2, "size");
            eq(hub.viewConsumed(hashApp(o.a)), 2, "app");
            eq(hub.viewConsumed(hashDataset(o.d)), 2, "dataset");
            eq(hub.viewConsumed(hashPool(o.w)), 2, "workerpool");
            eq(hub.viewConsumed(hashRequest(o.r)), 2, "request");
            unsigned(o, "60");
        }
    }

    function test_who_sends_a_signed_operation_presigns_nothing() public {
        Orders memory o = orders(1);
        bytes32 struct_ = keccak256(
            abi.encode(APP_TYPE, app, 0, 1, 0, address(0), address(0), address(0), o.a.salt)
        );
        bytes memory typeText = "AppOrder(address app,uint256 appprice,uint256 volume,bytes32 tag,"
            "address datasetrestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt)";
        eq(keccak256(typeText), APP_TYPE, "type");
        bytes32 operation = keccak256(
            abi.encode(
                keccak256(abi.encodePacked("AppOrderOperation(AppOrder order,uint256 operation)", typeText)),
                struct_,
                uint256(0)
            )
        );
        AppOrderOperation memory op =
            AppOrderOperation(o.a, OrderOperation.SIGN, signature(APP_OWNER, typed(operation)));
        fine(sponsor, abi.encodeCall(IHub.manageAppOrder, (op)), "anybody may bring it");
        eq(hub.viewPresigned(hashApp(o.a)), appOwner, "the owner signed");
        op.operation = OrderOperation.CLOSE;
        (bool refused_,) = refused(sponsor, address(hub), abi.encodeCall(IHub.manageAppOrder, (op)));
        yes(refused_, "another operation");
    }

    function test_only_rlc_is_taken_by_approval() public {
        rlc.approve(address(hub), 1);
        bytes memory call = abi.encodeWithSignature(
            "receiveApproval(address,uint256,address,bytes)", address(this), 1, address(0xbad), ""
        );
        (bool refused_, bytes memory answer) = refused(sponsor, address(hub), call);
        yes(refused_, "another token");
        eq(answer, says("wrong-token"), "why");
    }

    /* ---- limits ---- */

    function test_a_policy_whose_stake_cannot_be_computed_makes_no_deal() public {
        vm.prank(scheduler);
        (bool ok,) = pool.call(abi.encodeWithSignature("changePolicy(uint256,uint256)", type(uint256).max, 1));
        yes(ok, "policy");
        stake(requester, 10);
        stake(scheduler, 10);
        Orders memory o = orders(1);
        price(o, 0, 0, 2);
        signAll(o);
        (bool refused_,) = refused(sponsor, address(hub), abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r)));
        yes(refused_, "overflow");
    }

    function test_weights_and_contributors_have_limits() public {
        bytes32 task = begin(50);
        contribute(w1, task, A);
        contribute(w2, task, B);
        /* as if 65535 had contributed: the 16 bits behind the last one's address */
        bytes32 work = bytes32(uint256(keccak256(abi.encode(task, STORAGE + 21))) + 1);
        vm.store(address(hub), work, vm.load(address(hub), work) | bytes32(uint256(0xffff) << 160));
        address w4 = vm.addr(WORKER + 3);
        no(w4, contributeCall(w4, task, A), "one too many");

        task = begin(50);
        contribute(w1, task, A);
        contribute(w2, task, B);
        /* as if the group of B had that weight (and one member): 2 more would be 2^240, which its slot does not hold */
        bytes32 group =
            keccak256(abi.encode(resultHash(task, B), keccak256(abi.encode(task, STORAGE + 25))));
        vm.store(address(hub), group, bytes32((2 ** 239 << 16) | uint256(1)));
        no(w3, contributeCall(w3, task, B), "too heavy");
        vm.store(address(hub), group, bytes32((2 ** 238 << 16) | uint256(1)));
        fine(w3, contributeCall(w3, task, B), "as heavy as may be");
    }

    function test_staked_rlc_fits_its_half_slot() public {
        rlc.approve(address(hub), 2);
        vm.store(address(hub), bytes32(STORAGE + 7), bytes32(uint256(type(uint128).max) - 1));
        hub.deposit(1);
        (bool refused_,) = refused(address(this), address(hub), abi.encodeCall(IHub.deposit, (1)));
        yes(refused_, "2^128");
    }

    function test_nobody_is_not_presigned() public {
        Orders memory o = orders(1);
        o.r.requester = address(0);
        signAll(o);
        o.r.sign = signature(WORKER, hashRequest(o.r));
        unsigned(o, "50");
    }

    function test_a_closed_order_fits_no_deal() public {
        Orders memory o = orders(2);
        noDataset(o);
        DatasetOrder memory late = DatasetOrder(dataset, 0, 2, 0, address(0), address(0), address(0), bytes32(uint256(99)), "");
        late.sign = signature(DATA_OWNER, hashDataset(late));
        bytes32 deal = match_(o);
        bytes memory ask = abi.encodeWithSignature(
            "assertDatasetDealCompatibility((address,uint256,uint256,bytes32,address,address,address,bytes32,bytes),bytes32)",
            late,
            deal
        );
        (bool refused_, bytes memory answer) = refused(w1, address(hub), ask);
        yes(!refused_, "fits");
        fine(
            dataOwner,
            abi.encodeWithSignature(
                "manageDatasetOrder(((address,uint256,uint256,bytes32,address,address,address,bytes32,bytes),uint8,bytes))",
                DatasetOrderOperation(late, OrderOperation.CLOSE, "")
            ),
            "closed"
        );
        (refused_, answer) = refused(w1, address(hub), ask);
        yes(refused_, "closed");
        eq(
            answer,
            abi.encodeWithSignature(
                "IncompatibleDatasetOrder(string)", "Dataset order is revoked or fully consumed"
            ),
            "why"
        );
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {IHub} from "./Interfaces.sol";
import "../src/lib/Types.sol";

contract TaskTest is Base {
    address private w1 = vm.addr(WORKER);
    address private w2 = vm.addr(WORKER + 1);
    address private w3 = vm.addr(WORKER + 2);

    struct LegacyTask {
        uint8 status;
        bytes32 dealid;
        uint256 idx;
        uint256 timeref;
        uint256 contributionDeadline;
        uint256 revealDeadline;
        uint256 finalDeadline;
        bytes32 consensusValue;
        uint256 revealCounter;
        uint256 winnerCounter;
        address[] contributors;
        bytes results;
    }

    function begin(uint256 trust) internal returns (bytes32 task) {
        Orders memory o = orders(1);
        o.w.trust = o.r.trust = trust;
        return hub.initialize(match_(o), 0);
    }

    function testFuzz_results_of_any_size_come_back(bytes memory results, bytes memory data, bool whole) public {
        Orders memory o = orders(1);
        if (data.length != 0) o.r.callback = address(0xca11);
        bytes32 task = hub.initialize(match_(o), 0);
        bytes32 digest = data.length != 0 ? keccak256(data) : keccak256("opaque");
        if (whole) {
            atOnce(w1, task, digest, results, data);
        } else {
            contribute(w1, task, digest);
            vm.prank(w1);
            hub.reveal(task, digest);
            vm.prank(scheduler);
            hub.finalize(task, results, data);
        }
        Task memory t = hub.viewTask(task);
        eq(t.results, results, "results");
        eq(t.resultsCallback, data, "callback data");
        eq(hub.resultFor(task), data, "resultFor");
        eq(t.resultDigest, digest, "digest");
        eq(t.consensusValue, resultHash(task, digest), "consensus");
        eq(t.contributors.length, 1, "contributors");
        eq(t.contributors[0], w1, "contributor");
        Contribution memory c = hub.viewContribution(task, w1);
        eq(uint256(c.status), 2, "proved");
        eq(c.resultHash, resultHash(task, digest), "hash");
        eq(c.resultSeal, resultSeal(w1, task, digest), "seal");
        eq(c.weight, whole ? 0 : 1, "weight");
        eq(uint256(hub.viewContribution(task, w2).status), 0, "others did nothing");
        checkLegacy(task, results, c);
    }

    function checkLegacy(bytes32 task, bytes memory results, Contribution memory c) internal view {
        /* twelve values are too many for variables: read as the struct they are the fields of */
        (, bytes memory raw) = address(hub).staticcall(abi.encodeWithSignature("viewTaskABILegacy(bytes32)", task));
        LegacyTask memory t = abi.decode(bytes.concat(bytes32(uint256(32)), raw), (LegacyTask));
        eq(t.status, 3, "legacy status");
        eq(t.contributors[0], w1, "legacy contributor");
        eq(t.results, results, "legacy results");
        eq(t.finalDeadline, hub.viewTask(task).finalDeadline, "legacy deadline");
        (uint8 cs, bytes32 hash, bytes32 seal,) = hub.viewContributionABILegacy(task, w1);
        eq(cs, 2, "legacy contribution");
        eq(hash, c.resultHash, "legacy hash");
        eq(seal, c.resultSeal, "legacy seal");
    }

    function test_results_longer_than_a_contract() public {
        uint256[5] memory sizes = [uint256(24_519), 24_520, 24_521, 50_000, 24_574];
        for (uint256 i = 0; i < sizes.length; ++i) {
            bytes memory results = new bytes(sizes[i]);
            for (uint256 k = 0; k < results.length; k += 61) {
                results[k] = bytes1(uint8(k * 7));
            }
            bytes32 task = begin(1);
            atOnce(w1, task, keccak256("x"), results, "");
            eq(hub.viewTask(task).results, results, "at once");
            task = begin(1);
            contribute(w1, task, keccak256("x"));
            vm.prank(w1);
            hub.reveal(task, keccak256("x"));
            vm.prank(scheduler);
            hub.finalize(task, results, "");
            eq(hub.viewTask(task).results, results, "finalized");
        }
    }

    function test_enclave_challenge_of_every_contributor_is_kept() public {
        bytes32 task = begin(50);
        contribute(w1, task, keccak256("a"), enclave);
        contribute(w2, task, keccak256("a"));
        contribute(w3, task, keccak256("b"), enclave);
        eq(hub.viewContribution(task, w1).enclaveChallenge, enclave, "first");
        eq(hub.viewContribution(task, w2).enclaveChallenge, address(0), "second");
        eq(hub.viewContribution(task, w3).enclaveChallenge, enclave, "third");
        eq(hub.viewContribution(task, w3).resultHash, resultHash(task, keccak256("b")), "its hash");
    }

    function test_wrong_signatures_are_refused() public {
        bytes32 task = begin(1);
        bytes32 hash = resultHash(task, keccak256("a"));
        bytes32 seal = resultSeal(w1, task, keccak256("a"));
        bytes memory good = authorization(w1, task, address(0));
        bytes memory empty = "";
        bytes32 message = keccak256(abi.encodePacked(w1, task, address(0)));
        bytes[4] memory bad = [
            personal(REQUESTER, message), // somebody else's
            signature(SCHEDULER, message), // not a personal message
            authorization(w2, task, address(0)), // another worker's
            authorization(w1, keccak256("other"), address(0)) // another task's
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            (bool no, bytes memory answer) = refused(
                w1, address(hub), abi.encodeCall(IHub.contribute, (task, hash, seal, address(0), empty, bad[i]))
            );
            yes(no && answer.length == 0, "empty revert");
        }
        (bool malformed, bytes memory text) =
            refused(w1, address(hub), abi.encodeCall(IHub.contribute, (task, hash, seal, address(0), empty, empty)));
        yes(malformed, "malformed");
        eq(text, says("invalid-signature-format"), "malformed");
        (bool fine,) =
            refused(w1, address(hub), abi.encodeCall(IHub.contribute, (task, hash, seal, address(0), empty, good)));
        yes(!fine, "good");
    }

    function test_tee_deal_needs_an_enclave_and_its_signature() public {
        Orders memory o = orders(2);
        bytes32 tag = bytes32(uint256(9));
        o.a.tag = o.w.tag = o.r.tag = tag;
        bytes32 deal = match_(o);
        bytes32 task = hub.initialize(deal, 0);
        bytes32 hash = resultHash(task, keccak256("a"));
        bytes32 seal = resultSeal(w1, task, keccak256("a"));
        bytes memory auth = authorization(w1, task, address(0));
        vm.prank(w1);
        vm.expectRevert();
        hub.contribute(task, hash, seal, address(0), "", auth);
        auth = authorization(w1, task, enclave);
        bytes memory other = personal(ENCLAVE, keccak256(abi.encode(hash, hash)));
        vm.prank(w1);
        vm.expectRevert();
        hub.contribute(task, hash, seal, enclave, other, auth);
        contribute(w1, task, keccak256("a"), enclave);
        eq(uint256(hub.viewTask(task).status), 2, "revealing");

        /* with a broker, the broker authorises enclaves */
        hub.setTeeBroker(sponsor);
        task = hub.initialize(deal, 1);
        hash = resultHash(task, keccak256("a"));
        seal = resultSeal(w1, task, keccak256("a"));
        bytes memory sign = personal(ENCLAVE, keccak256(abi.encode(hash, seal)));
        auth = authorization(w1, task, enclave);
        vm.prank(w1);
        vm.expectRevert();
        hub.contribute(task, hash, seal, enclave, sign, auth);
        auth = personal(SPONSOR, keccak256(abi.encodePacked(w1, task, enclave)));
        vm.prank(w1);
        hub.contribute(task, hash, seal, enclave, sign, auth);
    }

    function test_reopened_task_counts_new_contributions_only() public {
        bytes32 task = begin(2);
        contribute(w1, task, keccak256("a"));
        eq(uint256(hub.viewTask(task).status), 2, "consensus");
        vm.warp(block.timestamp + 600);
        vm.prank(scheduler);
        hub.reopen(task);
        Task memory t = hub.viewTask(task);
        eq(uint256(t.status), 1, "active");
        eq(t.consensusValue, 0, "no consensus");
        eq(t.winnerCounter, 0, "no winners");
        /* the same result again, by others */
        contribute(w2, task, keccak256("a"));
        t = hub.viewTask(task);
        eq(uint256(t.status), 2, "consensus again");
        eq(t.winnerCounter, 1, "one winner");
        bytes32 digest = keccak256("a");
        vm.prank(w1);
        vm.expectRevert();
        hub.reveal(task, digest);
        vm.prank(w2);
        hub.reveal(task, digest);
        vm.prank(scheduler);
        hub.finalize(task, "r", "");
        eq(uint256(hub.viewContribution(task, w1).status), 3, "rejected");
        eq(uint256(hub.viewContribution(task, w2).status), 2, "proved");
        eq(hub.viewScore(w2), 1, "accurate");
    }

    function test_consensus_on_a_later_group() public {
        setScore(w2, 300); // weight 99
        bytes32 task = begin(20);
        contribute(w1, task, keccak256("a"));
        contribute(w2, task, keccak256("b"));
        Task memory t = hub.viewTask(task);
        eq(uint256(t.status), 2, "consensus");
        eq(t.consensusValue, resultHash(task, keccak256("b")), "on b");
        eq(t.winnerCounter, 1, "one winner");
        bytes32 a = keccak256("a");
        bytes32 b = keccak256("b");
        vm.prank(w1);
        vm.expectRevert();
        hub.reveal(task, a);
        vm.prank(w2);
        hub.reveal(task, b);
        eq(hub.viewTask(task).resultDigest, b, "digest");
        vm.warp(block.timestamp + 600);
        vm.prank(scheduler);
        vm.expectRevert();
        hub.reopen(task);
        vm.prank(scheduler);
        hub.finalize(task, "", "");
        eq(hub.viewTask(task).results, "", "no results");
    }

    function test_weights_too_large_for_the_packed_word() public {
        uint256 score = 3 * (2 ** 35);
        setScore(w1, score);
        setScore(w2, score);
        setScore(w3, score);
        bytes32 task = begin(type(uint64).max);
        contribute(w1, task, keccak256("a"));
        contribute(w2, task, keccak256("b"));
        contribute(w3, task, keccak256("a"));
        eq(hub.viewContribution(task, w1).weight, 34, "log of 2^35 - 1");
        /* 2^70 of 2^70 + 2^35: enough for 99 %, not for this trust */
        yes(uint256(hub.viewTask(task).status) == 1, "not yet");
        address w4 = vm.addr(WORKER + 3);
        setScore(w4, score);
        contribute(w4, task, keccak256("a"));
        eq(uint256(hub.viewTask(task).status), 2, "2^105 is enough");
        eq(hub.viewTask(task).winnerCounter, 3, "winners");
    }

    function test_array_calls_are_all_or_nothing() public {
        Orders memory o = orders(4);
        bytes32 deal = match_(o);
        bytes32[] memory ids = new bytes32[](3);
        uint256[] memory indexes = new uint256[](3);
        for (uint256 i = 0; i < 3; ++i) {
            ids[i] = deal;
            indexes[i] = i;
        }
        indexes[2] = 7;
        vm.expectRevert();
        hub.initializeArray(ids, indexes);
        eq(uint256(hub.viewTask(taskOf(deal, 0)).status), 0, "nothing began");
        indexes[2] = 2;
        yes(hub.initializeArray(ids, indexes), "true");
        vm.expectRevert();
        hub.initializeArray(ids, new uint256[](2));
        bytes32[] memory tasks = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            tasks[i] = taskOf(deal, i);
        }
        vm.expectRevert();
        hub.claimArray(tasks);
        vm.warp(block.timestamp + 3000);
        yes(hub.claimArray(tasks), "true");
        eq(uint256(hub.viewTask(tasks[2]).status), 4, "failed");
        bytes32[] memory one = new bytes32[](1);
        uint256[] memory three = new uint256[](1);
        one[0] = deal;
        three[0] = 3;
        yes(hub.initializeAndClaimArray(one, three), "true");
        eq(uint256(hub.viewTask(taskOf(deal, 3)).status), 4, "failed");
        vm.expectRevert();
        hub.initializeAndClaimArray(one, three);
    }

    function test_callback_gets_its_data_and_the_finished_task() public {
        address client = artifact("Mocks", "OracleClientMock");
        Orders memory o = orders(1);
        o.r.callback = client;
        bytes32 task = hub.initialize(match_(o), 0);
        bytes memory data = abi.encode(uint256(42));
        atOnce(w1, task, keccak256(data), "r", data);
        (, bytes memory got) = client.staticcall(abi.encodeWithSignature("store(bytes32)", task));
        eq(abi.decode(got, (bytes)), data, "data");
    }

    function test_too_little_gas_for_the_callback_is_refused() public {
        address waster = artifact("Mocks", "GasWasterMock");
        Orders memory o = orders(1);
        o.r.callback = waster;
        bytes32 task = hub.initialize(match_(o), 0);
        bytes memory data = abi.encode(uint256(42));
        bytes memory call = abi.encodeCall(
            IHub.contributeAndFinalize,
            (task, keccak256(data), "r", data, address(0), "", authorization(w1, task, address(0)))
        );
        bool panicked = false;
        /* somewhere between too little for anything and enough, only the callback is short */
        for (uint256 gas = 120_000; gas < 600_000; gas += 500) {
            uint256 snapshot = vm.snapshotState();
            vm.prank(w1);
            (bool ok, bytes memory answer) = address(hub).call{gas: gas}(call);
            if (ok) {
                yes(gas > 200_000, "the callback had its gas");
                yes(panicked, "short of it the call was refused");
                return;
            }
            if (answer.length == 36) panicked = true;
            vm.revertToState(snapshot);
        }
        revert False("never enough");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {IHub, IEntry, IRegistryAll} from "./Interfaces.sol";
import "../src/lib/Types.sol";

/* Deals come back from their records as they went in, whatever their sizes. */
contract DealTest is Base {
    struct Shape {
        uint256 appPrice;
        uint256 dataPrice;
        uint256 poolPrice;
        uint256 trust;
        bytes32 tag;
        uint64 volume;
        uint256 stakeRatio;
        uint8 schedulerRatio;
        bool without;
        bool beneficiary;
        bool callback;
        bool sponsored;
        uint8 priceBits;
    }

    function check(Shape memory s, string memory params) internal {
        uint256 mask = 2 ** (uint256(s.priceBits) % 50) - 1;
        Orders memory o = orders(bound(s.volume, 1, 1000));
        price(o, s.appPrice & mask, s.dataPrice & mask, s.poolPrice & mask);
        if (s.without) noDataset(o);
        o.w.trust = o.r.trust = s.trust;
        o.r.tag = s.tag & ~bytes32(uint256(1));
        o.w.tag = bytes32(type(uint256).max);
        o.r.params = params;
        o.r.beneficiary = s.beneficiary ? address(0xbeef) : requester;
        if (s.callback) o.r.callback = address(0xca11);
        uint256 stakeRatio = s.stakeRatio;
        if (o.w.workerpoolprice > 1) stakeRatio = bound(stakeRatio, 0, type(uint256).max / o.w.workerpoolprice);
        uint256 schedulerRatio = s.schedulerRatio % 101;
        vm.prank(scheduler);
        IEntry(pool).changePolicy(stakeRatio, schedulerRatio);
        signAll(o);
        uint256 cost = o.r.volume * (o.a.appprice + (s.without ? 0 : o.d.datasetprice) + o.w.workerpoolprice);
        address payer = s.sponsored ? sponsor : requester;
        /* deposits need real RLC: prices stay below 2^50 */
        if (cost > 8e16) return;
        stake(payer, cost);
        uint256 poolStake = o.r.volume * (o.w.workerpoolprice * 30 / 100);
        if (poolStake > 0 && cost + poolStake > 8e16) return;
        stake(scheduler, poolStake);
        vm.prank(payer);
        bytes32 id = s.sponsored ? hub.sponsorMatchOrders(o.a, o.d, o.w, o.r) : hub.matchOrders(o.a, o.d, o.w, o.r);
        Deal memory d = hub.viewDeal(id);
        eq(d.app.pointer, app, "app");
        eq(d.app.owner, appOwner, "app owner");
        eq(d.app.price, o.a.appprice, "app price");
        eq(d.dataset.pointer, s.without ? address(0) : dataset, "dataset");
        eq(d.dataset.owner, s.without ? address(0) : dataOwner, "dataset owner");
        eq(d.dataset.price, s.without ? 0 : o.d.datasetprice, "dataset price");
        eq(d.workerpool.pointer, pool, "pool");
        eq(d.workerpool.owner, scheduler, "pool owner");
        eq(d.workerpool.price, o.w.workerpoolprice, "pool price");
        eq(d.trust, s.trust > 1 ? s.trust : 1, "trust");
        eq(d.tag, o.r.tag, "tag");
        eq(d.requester, requester, "requester");
        eq(d.beneficiary, o.r.beneficiary, "beneficiary");
        eq(d.callback, o.r.callback, "callback");
        eq(bytes(d.params), bytes(params), "params");
        eq(d.startTime, block.timestamp, "start");
        eq(d.botFirst, 0, "first");
        eq(d.botSize, o.r.volume, "size");
        eq(d.workerStake, o.w.workerpoolprice * stakeRatio / 100, "stake");
        eq(d.schedulerRewardRatio, schedulerRatio, "ratio");
        eq(d.sponsor, payer, "sponsor");
        eq(hub.balanceOf(payer), 0, "paid");
        eq(hub.frozenOf(payer), cost, "locked");
        checkLegacy(id, d);
    }

    function checkLegacy(bytes32 id, Deal memory d) internal view {
        {
            (address a, address b, uint256 c,,,,,, uint256 p) = hub.viewDealABILegacy_pt1(id);
            eq(a, d.app.pointer, "legacy app");
            eq(b, d.app.owner, "legacy owner");
            eq(c, d.app.price, "legacy price");
            eq(p, d.workerpool.price, "legacy pool price");
        }
        {
            (uint256 trust, bytes32 tag,,, address callback, string memory params) = hub.viewDealABILegacy_pt2(id);
            eq(trust, d.trust, "legacy trust");
            eq(tag, d.tag, "legacy tag");
            eq(callback, d.callback, "legacy callback");
            eq(bytes(params), bytes(d.params), "legacy params");
        }
        (uint256 category, uint256 start,, uint256 size, uint256 workerStake, uint256 ratio) =
            hub.viewConfigABILegacy(id);
        eq(category, d.category, "legacy category");
        eq(start, d.startTime, "legacy start");
        eq(size, d.botSize, "legacy size");
        eq(workerStake, d.workerStake, "legacy stake");
        eq(ratio, d.schedulerRewardRatio, "legacy ratio");
    }

    function testFuzz_a_deal_reads_as_it_was_made(Shape memory s, string memory params) public {
        check(s, params);
    }

    /* A contract's code ends at 24576 bytes: longer records go on in another. */
    function test_params_of_any_length_come_back() public {
        uint256[8] memory sizes = [uint256(0), 1, 31, 24_000, 24_350, 24_576, 49_300, 100_000];
        for (uint256 i = 0; i < sizes.length; ++i) {
            bytes memory p = new bytes(sizes[i]);
            for (uint256 k = 0; k < p.length; k += 97) {
                p[k] = bytes1(uint8(k));
            }
            Shape memory s;
            check(s, string(p));
        }
        /* every length around the edge */
        for (uint256 n = 24_330; n < 24_400; ++n) {
            Orders memory o = orders(1);
            o.r.params = string(new bytes(n));
            bytes32 id = match_(o);
            eq(bytes(hub.viewDeal(id).params).length, n, "length");
        }
    }

    function test_unknown_deal_reads_as_zero() public view {
        Deal memory d = hub.viewDeal(keccak256("none"));
        eq(d.requester, address(0), "requester");
        eq(d.botSize, 0, "size");
        eq(d.trust, 0, "trust");
        eq(bytes(d.params).length, 0, "params");
    }

    function test_no_task_begins_without_its_deal() public {
        vm.expectRevert();
        hub.initialize(bytes32(0), 0);
        vm.expectRevert();
        hub.initialize(keccak256("none"), 0);
    }

    /* Results are kept the way deals are, under the task's id, with contents the worker chooses: never a deal. */
    function test_a_result_is_not_taken_for_a_deal() public {
        bytes32 deal = match_(orders(1));
        bytes32 task = hub.initialize(deal, 0);
        bytes memory forged = abi.encodePacked(
            hex"fe", task, pool, uint40(block.timestamp), uint48(0), scheduler, requester, app, appOwner
        );
        atOnce(vm.addr(WORKER), task, keccak256("x"), bytes.concat(forged, new bytes(600)), "");
        eq(uint256(hub.viewTask(task).status), 3, "completed");
        vm.expectRevert();
        hub.initialize(task, 0);
        eq(hub.viewDeal(task).requester, address(0), "no deal");
    }

    function test_volume_beyond_96_bits_is_counted() public {
        Orders memory o = orders(2 ** 200);
        signAll(o);
        vm.prank(requester);
        hub.manageRequestOrder(RequestOrderOperation(o.r, OrderOperation.CLOSE, ""));
        eq(hub.viewConsumed(hashRequest(o.r)), 2 ** 200, "closed");
        vm.prank(requester);
        hub.manageRequestOrder(RequestOrderOperation(o.r, OrderOperation.SIGN, ""));
        eq(hub.viewConsumed(hashRequest(o.r)), 2 ** 200, "still closed");
        eq(hub.viewPresigned(hashRequest(o.r)), requester, "and presigned");
        vm.expectRevert(says("iExecV5-matchOrders-0x60"));
        hub.matchOrders(o.a, o.d, o.w, o.r);

        /* a whole volume of that size in one free deal */
        o = orders(2 ** 200);
        bytes32 id = match_(o);
        eq(hub.viewDeal(id).botSize, 2 ** 200, "size");
        eq(hub.viewConsumed(hashApp(o.a)), 2 ** 200, "consumed");
        bytes32 task = hub.initialize(id, 2 ** 200 - 1);
        eq(hub.viewTask(task).idx, 2 ** 200 - 1, "index");
        task = hub.initialize(id, 65_535);
        eq(hub.viewTask(task).idx, 65_535, "index");
        task = hub.initialize(id, 65_534);
        eq(hub.viewTask(task).idx, 65_534, "index");
    }

    function test_registry_of_before_is_still_good() public {
        /* apps of an older registry stay usable when the new one names it as previous */
        IRegistryAll newer = IRegistryAll(artifact("Registries", "AppRegistry"));
        newer.initialize(address(apps));
        hub.changeRegistries(address(newer), address(datasets), address(pools));
        bytes32 id = match_(orders(1));
        eq(hub.viewDeal(id).app.owner, appOwner, "owner by the entry itself");
        yes(newer.isRegistered(app), "known by way of previous");
        yes(!newer.isRegistered(dataset), "others are not");
        vm.prank(address(this));
        IRegistryAll alone = IRegistryAll(artifact("Registries", "AppRegistry"));
        hub.changeRegistries(address(alone), address(datasets), address(pools));
        Orders memory o = orders(1);
        signAll(o);
        vm.expectRevert(says("iExecV5-matchOrders-0x20"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
    }

    function test_dirty_addresses_are_refused() public {
        Orders memory o = orders(1);
        signAll(o);
        bytes memory call = abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r));
        (bool no,) = refused(requester, address(hub), call);
        yes(!no, "clean");
        bytes memory op = abi.encodeCall(IHub.manageAppOrder, (AppOrderOperation(o.a, OrderOperation.CLOSE, "")));
        /* word 3 of the call: the order's first restriction */
        op[4 + 32 + 96 + 4 * 32] = 0x01;
        (bool dirty, bytes memory answer) = refused(appOwner, address(hub), op);
        yes(dirty && answer.length == 0, "dirty upper bytes");
    }

    function test_gas_of_initialize_does_not_grow_with_params() public {
        Orders memory o = orders(1);
        bytes32 small = match_(o);
        o = orders(1);
        o.r.params = string(new bytes(10_000));
        bytes32 large = match_(o);
        uint256 g = gasleft();
        hub.initialize(small, 0);
        uint256 first = g - gasleft();
        g = gasleft();
        hub.initialize(large, 0);
        uint256 second = g - gasleft();
        yes(second <= first + 100, "same gas");
    }
}

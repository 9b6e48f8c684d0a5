// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Model} from "./Model.sol";
import {Base} from "./Base.sol";
import {IHub} from "./Interfaces.sol";
import "../src/lib/Types.sol";

/*
 * Random lives of the hub: whoever may act does so in any order at any time. After each action hub and model agree to
 * the last nRLC; an action the rules forbid is refused.
 */
contract Handler is Model {
    uint256 internal constant WORKERS = 5;
    bytes32[3] internal digests = [keccak256("A"), keccak256("B"), keccak256("C")];
    Orders[] private stock;
    uint256 public actions;
    uint256 public endings;
    uint256 public refusals;

    constructor() {
        setUp();
        follow(requester);
        follow(sponsor);
        follow(appOwner);
        follow(dataOwner);
        follow(scheduler);
        follow(KITTY);
        for (uint256 i = 0; i < WORKERS; ++i) {
            follow(worker(i));
        }
        for (uint256 i = 0; i < people.length; ++i) {
            if (people[i] == KITTY) continue;
            stake(people[i], 1e15);
            money[people[i]].free = 1e15;
        }
        vm.prank(scheduler);
        (bool ok,) = pool.call(abi.encodeWithSignature("changePolicy(uint256,uint256)", 35, 5));
        require(ok);
        /* scores from nothing to large */
        setScore(worker(1), 30);
        setScore(worker(2), 100);
        setScore(worker(3), 3000);
        score[worker(1)] = 30;
        score[worker(2)] = 100;
        score[worker(3)] = 3000;
    }

    function worker(uint256 i) internal pure returns (address) {
        return vm.addr(WORKER + (i % WORKERS));
    }

    modifier counted() {
        _;
        ++actions;
        checkMoney();
    }

    function act_deposit(uint256 who, uint256 amount) external counted {
        address a = people[who % people.length];
        if (a == KITTY) return;
        amount = bound(amount, 0, 1e12);
        stake(a, amount);
        money[a].free += amount;
    }

    function act_withdraw(uint256 who, uint256 amount) external counted {
        address a = people[who % people.length];
        amount = bound(amount, 0, money[a].free + 2);
        (bool no,) = refused(a, address(hub), abi.encodeCall(IHub.withdraw, (amount)));
        yes(no == (amount > money[a].free), "withdraw what is free, not more");
        if (no) ++refusals;
        else money[a].free -= amount;
        /* keep everybody able to act */
        if (money[a].free < 1e14 && a != KITTY) {
            stake(a, 1e15);
            money[a].free += 1e15;
        }
    }

    function act_transfer(uint256 from, uint256 to, uint256 amount) external counted {
        address a = people[from % people.length];
        address b = people[to % people.length];
        amount = bound(amount, 0, money[a].free / 4);
        vm.prank(a);
        hub.transfer(b, amount);
        money[a].free -= amount;
        money[b].free += amount;
    }

    function act_match(uint256 seed, uint256 volume, uint256 prices, bool sponsored, bool without) external counted {
        volume = bound(volume, 1, 4);
        Orders memory o;
        if (stock.length != 0 && seed % 3 == 0) {
            o = stock[seed % stock.length];
        } else {
            o = orders(volume);
            price(o, prices % 1e6, (prices >> 32) % 1e9, (prices >> 96) % 3e9);
            if (without) noDataset(o);
            o.w.trust = o.r.trust = (seed >> 8) % 40;
            o.w.category = o.r.category = (seed >> 16) % 2;
            o.r.volume = volume + (seed >> 24) % 2; // sometimes one is left for later
            signAll(o);
            stock.push(o);
        }
        MDeal memory d;
        d.first = hub.viewConsumed(hashRequest(o.r));
        volume = hub.computeDealVolume(o.a, o.d, o.w, o.r);
        bytes memory call = sponsored
            ? abi.encodeCall(IHub.sponsorMatchOrders, (o.a, o.d, o.w, o.r))
            : abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r));
        (bool no, bytes memory answer) = refused(sponsor, address(hub), call);
        yes(no == (volume == 0), "matched when there is volume");
        yes(hub.viewConsumed(hashRequest(o.r)) <= o.r.volume, "consumed within volume");
        yes(hub.viewConsumed(hashApp(o.a)) <= o.a.volume, "consumed within volume");
        yes(hub.viewConsumed(hashPool(o.w)) <= o.w.volume, "consumed within volume");
        if (o.d.dataset != address(0)) {
            yes(hub.viewConsumed(hashDataset(o.d)) <= o.d.volume, "consumed within volume");
        }
        if (no) {
            ++refusals;
            return;
        }
        d.id = abi.decode(answer, (bytes32));
        d.size = volume;
        d.sponsor = sponsored ? sponsor : requester;
        d.appPrice = o.a.appprice;
        d.dataPrice = without || o.d.dataset == address(0) ? 0 : o.d.datasetprice;
        d.poolPrice = o.w.workerpoolprice;
        d.trust = o.r.trust > 1 ? o.r.trust : 1;
        d.time = o.r.category == 0 ? 300 : 1200;
        d.start = block.timestamp;
        d.stakeRatio = 35;
        d.schedulerRatio = 5;
        eq(d.id, taskOf(hashRequest(o.r), d.first), "deal id");
        mMatch(d);
    }

    function act_initialize(uint256 which, uint256 offset) external counted {
        if (deals.length == 0) return;
        uint256 n = which % deals.length;
        MDeal memory d = deals[n];
        uint256 index = d.first + offset % (d.size + 1);
        bytes32 id = taskOf(d.id, index);
        (bool no,) = refused(requester, address(hub), abi.encodeCall(IHub.initialize, (d.id, index)));
        yes(no == (index >= d.first + d.size || taskNumber[id] != 0), "initialized once, within the deal");
        if (no) {
            ++refusals;
            return;
        }
        mInitialize(n, index);
        checkTask(tasks.length - 1);
    }

    /* A task that has not ended, if there is one. */
    function running(uint256 which) internal view returns (bool, uint256) {
        for (uint256 i = 0; i < tasks.length; ++i) {
            uint256 n = (which + i) % tasks.length;
            if (tasks[n].status < 3) return (true, n);
        }
        return (false, 0);
    }

    function act_contribute(uint256 which, uint256 who, uint256 group, bool withEnclave) external counted {
        (bool some, uint256 n) = running(which % 1e9);
        if (!some) return;
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        address w = worker(who % WORKERS);
        bytes32 digest = digests[group % 3];
        bytes32 hash = resultHash(t.id, digest);
        bytes32 seal = resultSeal(w, t.id, digest);
        address challenge = withEnclave ? enclave : address(0);
        bytes memory sign = withEnclave ? personal(ENCLAVE, keccak256(abi.encode(hash, seal))) : bytes("");
        bytes memory auth = authorization(w, t.id, challenge);
        (bool no,) =
            refused(w, address(hub), abi.encodeCall(IHub.contribute, (t.id, hash, seal, challenge, sign, auth)));
        bool allowed = t.status == 1 && d.start + 7 * d.time > block.timestamp && contributions[n][w].status == 0;
        yes(no != allowed, "contributed when allowed");
        if (no) {
            ++refusals;
            return;
        }
        mContribute(n, w, digest);
        checkTask(n);
        eq(hub.viewContribution(t.id, w).enclaveChallenge, challenge, "challenge");
    }

    function act_reveal(uint256 which, uint256 who) external counted {
        (bool some, uint256 n) = running(which % 1e9);
        if (!some) return;
        MTask storage t = tasks[n];
        address w = worker(who % WORKERS);
        bytes32 digest = contributions[n][w].digest;
        (bool no,) = refused(w, address(hub), abi.encodeCall(IHub.reveal, (t.id, digest)));
        bool allowed = t.status == 2 && t.revealDeadline > block.timestamp && contributions[n][w].status == 1
            && digest == t.consensus;
        yes(no != allowed, "revealed when allowed");
        if (no) {
            ++refusals;
            return;
        }
        mReveal(n, w);
        checkTask(n);
    }

    function act_reopen(uint256 which) external counted {
        (bool some, uint256 n) = running(which % 1e9);
        if (!some) return;
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        (bool no,) = refused(scheduler, address(hub), abi.encodeCall(IHub.reopen, (t.id)));
        bool allowed = t.status == 2 && d.start + 10 * d.time > block.timestamp && t.revealDeadline <= block.timestamp
            && t.reveals == 0;
        yes(no != allowed, "reopened when allowed");
        if (no) {
            ++refusals;
            return;
        }
        mReopen(n);
        checkTask(n);
    }

    function act_finalize(uint256 which, bytes calldata results) external counted {
        (bool some, uint256 n) = running(which % 1e9);
        if (!some) return;
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        (bool no,) = refused(scheduler, address(hub), abi.encodeCall(IHub.finalize, (t.id, results, "")));
        bool allowed = t.status == 2 && d.start + 10 * d.time > block.timestamp
            && (t.reveals == t.winners || (t.reveals > 0 && t.revealDeadline <= block.timestamp));
        yes(no != allowed, "finalized when allowed");
        if (no) {
            ++refusals;
            return;
        }
        mFinalize(n);
        checkTask(n);
        eq(hub.viewTask(t.id).results, results, "results");
        for (uint256 i = 0; i < WORKERS; ++i) {
            eq(hub.viewScore(worker(i)), score[worker(i)], "score");
        }
        ++endings;
    }

    function act_atOnce(uint256 which, uint256 who, bytes calldata results) external counted {
        (bool some, uint256 n) = running(which % 1e9);
        if (!some) return;
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        address w = worker(who % WORKERS);
        bytes memory auth = authorization(w, t.id, address(0));
        (bool no,) = refused(
            w,
            address(hub),
            abi.encodeCall(IHub.contributeAndFinalize, (t.id, digests[0], results, "", address(0), "", auth))
        );
        bool allowed = t.status == 1 && d.start + 7 * d.time > block.timestamp && t.workers.length == 0 && d.trust == 1;
        yes(no != allowed, "done at once when allowed");
        if (no) {
            ++refusals;
            return;
        }
        mAtOnce(n, w, digests[0]);
        checkTask(n);
        eq(hub.viewTask(t.id).results, results, "results");
        ++endings;
    }

    function act_claim(uint256 which) external counted {
        if (tasks.length == 0) return;
        uint256 n = which % tasks.length;
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        (bool no,) = refused(requester, address(hub), abi.encodeCall(IHub.claim, (t.id)));
        yes(no != (t.status < 3 && d.start + 10 * d.time <= block.timestamp), "claimed when allowed");
        if (no) {
            ++refusals;
            return;
        }
        mClaim(n);
        checkTask(n);
        ++endings;
    }

    /* A moment, past a reveal deadline, past a contribution deadline, past a final deadline. */
    function act_wait(uint256 time) external counted {
        uint256[4] memory steps = [uint256(30), 620, 2110, 3010];
        vm.warp(block.timestamp + steps[time % 4]);
    }

    function check_all() external view {
        checkMoney();
        for (uint256 i = 0; i < tasks.length; ++i) {
            checkTask(i);
        }
    }
}

contract InvariantTest {
    Handler private handler;

    bool public constant IS_TEST = true;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory list) {
        bytes4[] memory s = new bytes4[](16);
        s[0] = Handler.act_deposit.selector;
        s[1] = Handler.act_withdraw.selector;
        s[2] = Handler.act_transfer.selector;
        s[3] = Handler.act_match.selector;
        s[4] = Handler.act_initialize.selector;
        s[5] = Handler.act_contribute.selector;
        s[6] = Handler.act_reveal.selector;
        s[7] = Handler.act_reopen.selector;
        s[8] = Handler.act_finalize.selector;
        s[9] = Handler.act_atOnce.selector;
        s[10] = Handler.act_claim.selector;
        s[11] = Handler.act_wait.selector;
        /* tasks need several of these */
        s[12] = Handler.act_contribute.selector;
        s[13] = Handler.act_initialize.selector;
        s[14] = Handler.act_reveal.selector;
        s[15] = Handler.act_match.selector;
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(handler), s);
    }

    function invariant_hub_and_model_agree_and_all_money_is_accounted_for() public view {
        handler.check_all();
    }
}

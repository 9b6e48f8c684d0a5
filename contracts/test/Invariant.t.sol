// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Model} from "./Model.sol";
import {Base} from "./Base.sol";
import {IHub} from "./Interfaces.sol";
import "../src/lib/Types.sol";

/*
 * Random lives of the hub: whoever may act does so in any order at any time, and whoever may not tries as well. After
 * each action hub and model agree to the last nRLC; an action the rules forbid is refused and changes nothing.
 * contracts/README.md lists breaks of the contracts that this alone notices.
 */
contract Handler is Model {
    uint256 internal constant WORKERS = 5;
    address internal poor = vm.addr(0xc001); // wants to pay for more deals than he can
    bytes32[3] internal digests = [keccak256("A"), keccak256("B"), keccak256("C")];
    Orders[] private stock;
    uint256 public finished;
    uint256 public claimed;
    uint256 public refusals;

    constructor() {
        setUp();
        follow(requester);
        follow(sponsor);
        follow(appOwner);
        follow(dataOwner);
        follow(scheduler);
        for (uint256 i = 0; i < WORKERS; ++i) {
            follow(worker(i));
        }
        for (uint256 i = 0; i < people.length; ++i) {
            stake(people[i], 1e15);
            money[people[i]].free = 1e15;
        }
        follow(KITTY);
        follow(poor);
        stake(poor, 5e9);
        money[poor].free = 5e9;
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
        checkMoney();
    }

    /* Forge likes small and round numbers: this makes them independent of each other. */
    function mix(uint256 seed, uint256 salt) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, salt)));
    }

    function tries(address from, bytes memory call, bool allowed, string memory what) internal returns (bool) {
        (bool no,) = refused(from, address(hub), call);
        if (no != allowed) {
            if (no) ++refusals;
            return !no;
        }
        revert False(string.concat(what, no ? ": refused" : ": not refused"));
    }

    function never(address from, bytes memory call, string memory what) internal {
        tries(from, call, false, what);
    }

    /* ---- money ---- */

    function act_deposit(uint256 who, uint256 amount) external counted {
        address a = people[who % people.length];
        if (a == KITTY || a == poor) return;
        amount = bound(amount, 0, 1e12);
        stake(a, amount);
        money[a].free += amount;
        address nobody = address(uint160(mix(amount, 1)));
        never(nobody, abi.encodeCall(IHub.deposit, (amount + 1)), "deposit of another's RLC");
    }

    /* A part of what is free, all of it, or more. */
    function part(address a, uint256 seed) internal view returns (uint256) {
        uint256 free = money[a].free;
        uint256 kind = mix(seed, 2) % 8;
        if (kind == 0) return free;
        if (kind == 1) return free + 1;
        if (kind == 2) return free + money[a].locked;
        if (kind == 3) return free + 1 + seed % 1e16;
        return seed % (free / 4 + 1);
    }

    function act_withdraw(uint256 who, uint256 to, uint256 seed) external counted {
        address a = people[who % people.length];
        address b = people[to % people.length];
        uint256 amount = part(a, seed);
        bytes memory call =
            a == b ? abi.encodeCall(IHub.withdraw, (amount)) : abi.encodeCall(IHub.withdrawTo, (amount, b));
        if (tries(a, call, amount <= money[a].free, "withdraw what is free")) {
            money[a].free -= amount;
            outside[b] += amount;
        }
        /* keep everybody able to act */
        if (money[a].free < 1e14 && a != KITTY && a != poor) {
            stake(a, 1e15);
            money[a].free += 1e15;
        }
    }

    function act_transfer(uint256 from, uint256 to, uint256 seed) external counted {
        address a = people[from % people.length];
        address b = people[to % people.length];
        uint256 amount = part(a, seed);
        bytes memory call = abi.encodeCall(IHub.transfer, (b, amount));
        if (!tries(a, call, amount <= money[a].free, "transfer what is free")) return;
        money[a].free -= amount;
        money[b].free += amount;
    }

    /* `by` spends what `from` allows him, or more. */
    function act_spend(uint256 from, uint256 by, uint256 seed, uint256 allowed) external counted {
        address a = people[from % people.length];
        address b = people[by % people.length];
        uint256 amount = part(a, seed);
        if (allowed % 4 != 0) allowed = allowed % (amount + 1);
        vm.prank(a);
        hub.approve(b, allowed);
        bytes memory call = abi.encodeCall(IHub.transferFrom, (a, b, amount));
        if (!tries(b, call, amount <= money[a].free && amount <= allowed, "spend what is allowed")) return;
        money[a].free -= amount;
        money[b].free += amount;
        eq(hub.allowance(a, b), allowed - amount, "allowance");
    }

    /* ---- deals ---- */

    function left(bytes32 hash, uint256 volume) internal view returns (uint256) {
        return used[hash] < volume ? volume - used[hash] : 0;
    }

    function leftOf(Orders memory o) internal view returns (uint256 volume) {
        volume = left(hashRequest(o.r), o.r.volume);
        uint256 other = left(hashApp(o.a), o.a.volume);
        if (other < volume) volume = other;
        other = left(hashPool(o.w), o.w.volume);
        if (other < volume) volume = other;
        if (o.d.dataset == address(0)) return volume;
        other = left(hashDataset(o.d), o.d.volume);
        if (other < volume) volume = other;
    }

    function use(bytes32 hash, uint256 volume, uint256 limit) internal {
        used[hash] += volume;
        checkUsed(hash, limit);
    }

    function checkUsed(bytes32 hash, uint256 limit) internal view {
        eq(hub.viewConsumed(hash), used[hash], "consumed");
        yes(used[hash] <= limit, "consumed within volume");
    }

    function checkOrders(Orders memory o) internal view {
        checkUsed(hashRequest(o.r), o.r.volume);
        checkUsed(hashApp(o.a), o.a.volume);
        checkUsed(hashPool(o.w), o.w.volume);
        if (o.d.dataset != address(0)) checkUsed(hashDataset(o.d), o.d.volume);
    }

    /* Orders that are new, or were used or closed before. */
    function ordersOf(uint256 seed) internal returns (Orders memory o) {
        if (stock.length != 0 && seed % 2 == 0) return stock[(seed >> 8) % stock.length];
        uint256 more = seed >> 16;
        o = orders(1 + more % 3);
        price(o, (more >> 8) % 1e6, (more >> 40) % 1e9, (more >> 80) % 3e9);
        if ((more >> 112) % 4 == 0) noDataset(o);
        else o.d.volume += (more >> 116) % 3;
        /* mostly few contributors make a consensus */
        o.w.trust = o.r.trust = (more >> 120) % ((more >> 128) % 4 == 0 ? 40 : 4);
        o.w.category = o.r.category = (more >> 136) % 2;
        o.r.volume += (more >> 140) % 3;
        o.a.volume += (more >> 148) % 3;
        o.w.volume += (more >> 156) % 3;
        signAll(o);
        stock.push(o);
    }

    /* Makes a deal of these orders one that nobody agreed to. */
    function spoil(Orders memory o, uint256 how) internal view {
        if (how == 0) o.a.appprice = o.r.appmaxprice + 1;
        if (how == 1) o.w.workerpoolprice = o.r.workerpoolmaxprice + 1;
        if (how == 2) o.r.category = 1 - o.r.category;
        if (how == 3) o.w.tag = o.r.tag = bytes32(uint256(1));
        if (how == 4) o.a.requesterrestrict = scheduler;
        if (how == 5) o.r.trust = o.w.trust + 1;
        signAll(o);
        if (how == 6) o.r.sign = signature(SPONSOR, hashRequest(o.r));
        if (how == 7) o.a.sign = "";
        if (how == 8) o.w.sign = signature(APP_OWNER, hashPool(o.w));
        if (how == 9) ++o.r.volume;
        if (how == 10) o.w.workerpoolprice = o.r.workerpoolmaxprice = o.w.workerpoolprice + 1;
    }

    function matchCall(Orders memory o, bool sponsored) internal pure returns (bytes memory) {
        if (sponsored) return abi.encodeCall(IHub.sponsorMatchOrders, (o.a, o.d, o.w, o.r));
        return abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r));
    }

    function act_forbiddenMatch(uint256 seed, bool sponsored) external counted {
        Orders memory o = ordersOf(mix(seed, 3));
        spoil(o, mix(seed, 4) % 11);
        never(sponsor, matchCall(o, sponsored), "a match that nobody agreed to");
    }

    function act_match(uint256 seed, uint256 payer) external counted {
        Orders memory o = ordersOf(mix(seed, 5));
        MDeal memory d;
        d.first = used[hashRequest(o.r)];
        d.size = leftOf(o);
        eq(hub.computeDealVolume(o.a, o.d, o.w, o.r), d.size, "volume");
        address[3] memory payers = [requester, sponsor, poor];
        d.sponsor = payers[payer % 3];
        d.appPrice = o.a.appprice;
        d.dataPrice = o.d.dataset == address(0) ? 0 : o.d.datasetprice;
        d.poolPrice = o.w.workerpoolprice;
        d.trust = o.r.trust > 1 ? o.r.trust : 1;
        d.time = o.r.category == 0 ? 300 : 1200;
        d.start = block.timestamp;
        d.stakeRatio = 35;
        d.schedulerRatio = 5;
        d.id = taskOf(hashRequest(o.r), d.first);
        bool allowed = d.size != 0 && taskPrice(d) * d.size <= money[d.sponsor].free
            && poolStake(d) * d.size <= money[scheduler].free;
        address from = d.sponsor == requester ? worker(seed % WORKERS) : d.sponsor; // anybody may match
        if (!tries(from, matchCall(o, d.sponsor != requester), allowed, "match")) return;
        use(hashRequest(o.r), d.size, o.r.volume);
        use(hashApp(o.a), d.size, o.a.volume);
        use(hashPool(o.w), d.size, o.w.volume);
        if (o.d.dataset != address(0)) use(hashDataset(o.d), d.size, o.d.volume);
        yes(hub.viewDeal(d.id).botSize == d.size, "deal");
        mMatch(d);
    }

    /* Closes one order of the stock; others than its owner may not. */
    function act_close(uint256 which, uint256 kind) external counted {
        if (stock.length == 0) return;
        Orders memory o = stock[mix(which, 6) % stock.length];
        address owner = requester;
        bytes32 hash = hashRequest(o.r);
        uint256 volume = o.r.volume;
        bytes memory call =
            abi.encodeCall(IHub.manageRequestOrder, (RequestOrderOperation(o.r, OrderOperation.CLOSE, "")));
        if (kind % 3 == 1) {
            owner = appOwner;
            hash = hashApp(o.a);
            volume = o.a.volume;
            call = abi.encodeCall(IHub.manageAppOrder, (AppOrderOperation(o.a, OrderOperation.CLOSE, "")));
        }
        if (kind % 3 == 2) {
            owner = scheduler;
            hash = hashPool(o.w);
            volume = o.w.volume;
            call = abi.encodeCall(IHub.manageWorkerpoolOrder, (WorkerpoolOrderOperation(o.w, OrderOperation.CLOSE, "")));
        }
        never(sponsor, call, "closed by a stranger");
        tries(owner, call, true, "closed by its owner");
        used[hash] = volume;
        checkUsed(hash, volume);
    }

    function act_initialize(uint256 which, uint256 offset) external counted {
        if (deals.length == 0) return;
        uint256 n = mix(which, 7) % deals.length;
        MDeal memory d = deals[n];
        uint256 index = d.first + offset % (d.size + 1);
        if (mix(offset, 8) % 8 == 0) index = d.first - (d.first > 0 ? 1 : 0);
        bytes32 id = taskOf(d.id, index);
        bool allowed = index >= d.first && index < d.first + d.size && taskNumber[id] == 0;
        if (!tries(requester, abi.encodeCall(IHub.initialize, (d.id, index)), allowed, "initialize")) return;
        mInitialize(n, index);
        checkTask(tasks.length - 1);
    }

    /* ---- tasks ---- */

    enum State {
        ACTIVE,
        REVEALING,
        REVEALED, // by somebody
        SILENT, // nobody revealed in time
        LATE,
        ENDED
    }

    function finalDeadline(uint256 n) internal view returns (uint256) {
        return deals[tasks[n].deal].start + 10 * deals[tasks[n].deal].time;
    }

    function suits(uint256 n, State s) internal view returns (bool) {
        MTask storage t = tasks[n];
        if (s == State.ACTIVE) return t.status == 1;
        if (s == State.REVEALING) return t.status == 2 && t.revealDeadline > block.timestamp;
        if (s == State.REVEALED) return t.status == 2 && t.reveals != 0;
        if (s == State.SILENT) return t.status == 2 && t.reveals == 0 && t.revealDeadline <= block.timestamp;
        if (s == State.LATE) return t.status < 3 && finalDeadline(n) <= block.timestamp;
        return t.status >= 3;
    }

    /* A task in this state, mostly, or any task. */
    function choose(uint256 seed, State s) internal view returns (bool, uint256) {
        if (tasks.length == 0) return (false, 0);
        uint256 n = mix(seed, 9) % tasks.length;
        if (mix(seed, 10) % 4 == 0) return (true, n);
        for (uint256 i = 0; i < tasks.length; ++i) {
            if (suits((n + i) % tasks.length, s)) return (true, (n + i) % tasks.length);
        }
        return (true, n);
    }

    function contributeCall(bytes32 id, address w, bytes32 digest, address challenge)
        internal
        pure
        returns (bytes memory)
    {
        bytes32 hash = resultHash(id, digest);
        bytes32 seal = resultSeal(w, id, digest);
        bytes memory sign = challenge == address(0) ? bytes("") : personal(ENCLAVE, keccak256(abi.encode(hash, seal)));
        return abi.encodeCall(IHub.contribute, (id, hash, seal, challenge, sign, authorization(w, id, challenge)));
    }

    function act_contribute(uint256 which, uint256 who, uint256 group, bool withEnclave) external counted {
        (bool some, uint256 n) = choose(which, State.ACTIVE);
        if (!some) return;
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        address w = worker(who % WORKERS);
        bytes32 digest = digests[mix(group, 11) % 4 == 0 ? group % 3 : 0];
        address challenge = withEnclave ? enclave : address(0);
        bytes memory call = contributeCall(t.id, w, digest, challenge);
        bool allowed = t.status == 1 && d.start + 7 * d.time > block.timestamp && contributions[n][w].status == 0
            && workerStake(d) <= money[w].free;
        never(requester, call, "another's authorization");
        if (!tries(w, call, allowed, "contribute")) return;
        mContribute(n, w, digest);
        checkTask(n);
        eq(hub.viewContribution(t.id, w).enclaveChallenge, challenge, "challenge");
    }

    function act_reveal(uint256 which, uint256 who) external counted {
        (bool some, uint256 n) = choose(which, State.REVEALING);
        if (!some) return;
        MTask storage t = tasks[n];
        address w = worker(who % WORKERS);
        if (t.workers.length != 0 && mix(who, 12) % 4 != 0) w = t.workers[mix(who, 13) % t.workers.length];
        bytes32 digest = mix(who, 14) % 8 == 0 ? t.consensus : contributions[n][w].digest;
        bool allowed = t.status == 2 && t.revealDeadline > block.timestamp && contributions[n][w].status == 1
            && digest == t.consensus && contributions[n][w].digest == digest;
        if (!tries(w, abi.encodeCall(IHub.reveal, (t.id, digest)), allowed, "reveal")) return;
        mReveal(n, w);
        checkTask(n);
    }

    function act_reopen(uint256 which) external counted {
        (bool some, uint256 n) = choose(which, State.SILENT);
        if (!some) return;
        MTask storage t = tasks[n];
        bool allowed = t.status == 2 && finalDeadline(n) > block.timestamp && t.revealDeadline <= block.timestamp
            && t.reveals == 0;
        never(requester, abi.encodeCall(IHub.reopen, (t.id)), "reopen by a stranger");
        if (!tries(scheduler, abi.encodeCall(IHub.reopen, (t.id)), allowed, "reopen")) return;
        mReopen(n);
        checkTask(n);
    }

    function act_finalize(uint256 which, bytes calldata results) external counted {
        (bool some, uint256 n) = choose(which, State.REVEALED);
        if (!some) return;
        MTask storage t = tasks[n];
        bool allowed = t.status == 2 && finalDeadline(n) > block.timestamp
            && (t.reveals == t.winners || (t.reveals > 0 && t.revealDeadline <= block.timestamp));
        bytes memory call = abi.encodeCall(IHub.finalize, (t.id, results, ""));
        never(requester, call, "finalize by a stranger");
        if (!tries(scheduler, call, allowed, "finalize")) return;
        mFinalize(n);
        checkTask(n);
        eq(hub.viewTask(t.id).results, results, "results");
        for (uint256 i = 0; i < WORKERS; ++i) {
            eq(hub.viewScore(worker(i)), score[worker(i)], "score");
        }
        ++finished;
    }

    function atOnceCall(bytes32 id, address w, bytes memory results) internal view returns (bytes memory) {
        bytes memory auth = authorization(w, id, address(0));
        return abi.encodeCall(IHub.contributeAndFinalize, (id, digests[0], results, "", address(0), "", auth));
    }

    function act_atOnce(uint256 which, uint256 who, bytes calldata results) external counted {
        (bool some, uint256 n) = choose(which, State.ACTIVE);
        if (!some) return;
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        address w = worker(who % WORKERS);
        bool allowed = t.status == 1 && d.start + 7 * d.time > block.timestamp && t.workers.length == 0 && d.trust == 1;
        bytes memory call = atOnceCall(t.id, w, results);
        never(requester, call, "another's authorization");
        if (!tries(w, call, allowed, "at once")) return;
        mAtOnce(n, w, digests[0]);
        checkTask(n);
        eq(hub.viewTask(t.id).results, results, "results");
        ++finished;
    }

    function act_claim(uint256 which) external counted {
        (bool some, uint256 n) = choose(which, State.LATE);
        if (!some) return;
        bytes32[] memory twice = new bytes32[](2);
        twice[0] = twice[1] = tasks[n].id;
        never(requester, abi.encodeCall(IHub.claimArray, (twice)), "claim twice");
        bool allowed = tasks[n].status < 3 && finalDeadline(n) <= block.timestamp;
        if (!tries(requester, abi.encodeCall(IHub.claim, (tasks[n].id)), allowed, "claim")) return;
        mClaim(n);
        checkTask(n);
        ++claimed;
    }

    /* A task that ended stays as it is, whoever tries what. */
    function act_endAgain(uint256 which, uint256 who) external counted {
        (bool some, uint256 n) = choose(which, State.ENDED);
        if (!some || tasks[n].status < 3) return;
        MTask storage t = tasks[n];
        address w = worker(who % WORKERS);
        never(scheduler, abi.encodeCall(IHub.finalize, (t.id, "", "")), "finalize again");
        never(sponsor, abi.encodeCall(IHub.claim, (t.id)), "claim again");
        never(w, atOnceCall(t.id, w, ""), "at once again");
        never(scheduler, abi.encodeCall(IHub.reopen, (t.id)), "reopen again");
        never(w, contributeCall(t.id, w, digests[0], address(0)), "contribute again");
        never(w, abi.encodeCall(IHub.reveal, (t.id, t.digest)), "reveal again");
        never(requester, abi.encodeCall(IHub.initialize, (deals[t.deal].id, t.index)), "initialize again");
        bytes32[] memory ids = new bytes32[](1);
        uint256[] memory indexes = new uint256[](1);
        (ids[0], indexes[0]) = (deals[t.deal].id, t.index);
        never(requester, abi.encodeCall(IHub.initializeAndClaimArray, (ids, indexes)), "initialize and claim again");
        checkTask(n);
    }

    /* ---- time ---- */

    /* Mostly a moment, sometimes past a reveal, contribution or final deadline. */
    function act_wait(uint256 time) external counted {
        uint256[8] memory steps = [uint256(1), 30, 30, 30, 30, 620, 2110, 3010];
        vm.warp(block.timestamp + steps[mix(time, 15) % 8]);
    }

    /* The last second of something, or the first one after it. */
    function act_waitFor(uint256 which, uint256 what) external counted {
        (bool some, uint256 n) = choose(which, State.REVEALING);
        if (!some || tasks[n].status >= 3) return;
        MDeal memory d = deals[tasks[n].deal];
        uint256[3] memory ends = [d.start + 7 * d.time, tasks[n].revealDeadline, d.start + 10 * d.time];
        uint256 time = ends[mix(what, 16) % 3];
        if (time == 0 || time - 1 <= block.timestamp) return;
        vm.warp(time - what % 2);
    }

    /* ---- what holds at any time ---- */

    function checkRules() external view {
        checkMoney();
        yes(hub.frozenOf(KITTY) <= hub.balanceOf(address(hub)), "the kitty has what it says");
    }

    function checkAll() external view {
        for (uint256 i = 0; i < tasks.length; ++i) {
            checkTask(i);
        }
        for (uint256 i = 0; i < stock.length; ++i) {
            checkOrders(stock[i]);
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
        /* tasks need several of some */
        bytes4[30] memory all = [
            Handler.act_deposit.selector,
            Handler.act_withdraw.selector,
            Handler.act_transfer.selector,
            Handler.act_spend.selector,
            Handler.act_match.selector,
            Handler.act_match.selector,
            Handler.act_match.selector,
            Handler.act_match.selector,
            Handler.act_forbiddenMatch.selector,
            Handler.act_close.selector,
            Handler.act_initialize.selector,
            Handler.act_initialize.selector,
            Handler.act_initialize.selector,
            Handler.act_initialize.selector,
            Handler.act_contribute.selector,
            Handler.act_contribute.selector,
            Handler.act_contribute.selector,
            Handler.act_contribute.selector,
            Handler.act_contribute.selector,
            Handler.act_reveal.selector,
            Handler.act_reveal.selector,
            Handler.act_reveal.selector,
            Handler.act_reveal.selector,
            Handler.act_reopen.selector,
            Handler.act_finalize.selector,
            Handler.act_atOnce.selector,
            Handler.act_claim.selector,
            Handler.act_endAgain.selector,
            Handler.act_wait.selector,
            Handler.act_waitFor.selector
        ];
        bytes4[] memory s = new bytes4[](all.length);
        for (uint256 i = 0; i < s.length; ++i) {
            s[i] = all[i];
        }
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(handler), s);
    }

    function invariant_hub_and_model_agree_and_all_money_is_accounted_for() public view {
        handler.checkRules();
    }

    /* At the end of each life; the task and the money an action touched are looked at after that action. */
    function afterInvariant() public view {
        handler.checkAll();
    }
}

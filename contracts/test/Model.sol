// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import "../src/lib/Types.sol";

/*
 * PoCo written the plain way, as the specification tells it: every amount, status and counter in a variable of its
 * own. Actions are done on the hub and here; then both must agree.
 */
abstract contract Model is Base {
    struct Money {
        uint256 free;
        uint256 locked;
    }

    struct MDeal {
        bytes32 id;
        address sponsor;
        uint256 appPrice;
        uint256 dataPrice;
        uint256 poolPrice;
        uint256 trust;
        uint256 time; // of the category
        uint256 start;
        uint256 first;
        uint256 size;
        uint256 stakeRatio;
        uint256 schedulerRatio;
    }

    struct MTask {
        bytes32 id;
        uint256 deal; // number in deals
        uint256 index;
        uint256 status;
        uint256 revealDeadline;
        bytes32 consensus;
        uint256 reveals;
        uint256 winners;
        bytes32 digest;
        uint256 total;
        address[] workers;
        uint256 endings;
    }

    struct MContribution {
        uint256 status;
        bytes32 digest;
        uint256 weight;
    }

    mapping(address => Money) internal money;
    mapping(address => uint256) internal score;
    mapping(uint256 => mapping(address => MContribution)) internal contributions; // task number -> worker
    mapping(uint256 => mapping(bytes32 => uint256)) internal groups; // task number -> digest -> weight
    mapping(bytes32 => uint256) internal taskNumber; // + 1
    MDeal[] internal deals;
    MTask[] internal tasks;
    address[] internal people; // everybody whose account is followed
    mapping(address => uint256) internal outside; // RLC they took out
    mapping(bytes32 => uint256) internal used; // order hash -> volume

    function follow(address who) internal {
        people.push(who);
    }

    /* ---- money ---- */

    function mLock(address a, uint256 v) internal {
        money[a].free -= v;
        money[a].locked += v;
    }

    function mUnlock(address a, uint256 v) internal {
        money[a].locked -= v;
        money[a].free += v;
    }

    function mSeize(address a, uint256 v) internal {
        money[a].locked -= v;
    }

    function mReward(address a, uint256 v) internal {
        money[a].free += v;
    }

    function poolStake(MDeal memory d) internal pure returns (uint256) {
        return d.poolPrice * 30 / 100;
    }

    function workerStake(MDeal memory d) internal pure returns (uint256) {
        return d.poolPrice * d.stakeRatio / 100;
    }

    function taskPrice(MDeal memory d) internal pure returns (uint256) {
        return d.appPrice + d.dataPrice + d.poolPrice;
    }

    /* ---- life of a deal ---- */

    function mMatch(MDeal memory d) internal {
        mLock(d.sponsor, taskPrice(d) * d.size);
        mLock(scheduler, poolStake(d) * d.size);
        deals.push(d);
    }

    function mInitialize(uint256 dealNumber, uint256 index) internal {
        MTask storage t = tasks.push();
        t.id = taskOf(deals[dealNumber].id, index);
        t.deal = dealNumber;
        t.index = index;
        t.status = 1;
        t.total = 1;
        taskNumber[t.id] = tasks.length;
    }

    function mContribute(uint256 n, address worker, bytes32 digest) internal {
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        uint256 weight = score[worker] / 3;
        weight = (weight > 3 ? weight : 3) - 1;
        uint256 log = 0;
        for (uint256 w = weight; w > 1; w /= 2) {
            ++log;
        }
        contributions[n][worker] = MContribution(1, digest, log);
        t.workers.push(worker);
        mLock(worker, workerStake(d));
        uint256 group = groups[n][digest];
        uint256 delta = (group > 1 ? group : 1) * weight - group;
        groups[n][digest] = group + delta;
        t.total += delta;
        if ((group + delta) * d.trust <= t.total * (d.trust - 1)) return;
        t.status = 2;
        t.consensus = digest;
        t.revealDeadline = block.timestamp + 2 * d.time;
        t.reveals = 0;
        t.winners = 0;
        for (uint256 i = 0; i < t.workers.length; ++i) {
            MContribution memory c = contributions[n][t.workers[i]];
            if (c.digest == digest && c.status == 1) ++t.winners;
        }
    }

    function mReveal(uint256 n, address worker) internal {
        contributions[n][worker].status = 2;
        ++tasks[n].reveals;
        tasks[n].digest = tasks[n].consensus;
    }

    function mReopen(uint256 n) internal {
        MTask storage t = tasks[n];
        for (uint256 i = 0; i < t.workers.length; ++i) {
            if (contributions[n][t.workers[i]].digest == t.consensus) contributions[n][t.workers[i]].status = 3;
        }
        t.total -= groups[n][t.consensus];
        groups[n][t.consensus] = 0;
        t.status = 1;
        t.consensus = 0;
        t.revealDeadline = 0;
        t.winners = 0;
    }

    function mSuccess(MDeal memory d) internal {
        mSeize(d.sponsor, taskPrice(d));
        mReward(appOwner, d.appPrice);
        mReward(dataOwner, d.dataPrice);
        mUnlock(scheduler, poolStake(d));
        uint256 kitty = money[KITTY].locked;
        if (kitty > 0) {
            uint256 part = kitty / 10;
            if (part < 1e9) part = 1e9;
            if (part > kitty) part = kitty;
            mSeize(KITTY, part);
            mReward(scheduler, part);
        }
    }

    function mFinalize(uint256 n) internal {
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        t.status = 3;
        ++t.endings;
        mSuccess(d);
        uint256 logs = 0;
        uint256 total = d.poolPrice;
        for (uint256 i = 0; i < t.workers.length; ++i) {
            MContribution memory c = contributions[n][t.workers[i]];
            if (c.status == 2) logs += c.weight;
            else total += workerStake(d);
        }
        uint256 reward = total * (100 - d.schedulerRatio) / 100;
        for (uint256 i = 0; i < t.workers.length; ++i) {
            address worker = t.workers[i];
            MContribution memory c = contributions[n][worker];
            if (c.status == 2) {
                uint256 share = reward * c.weight / logs;
                total -= share;
                mUnlock(worker, workerStake(d));
                mReward(worker, share);
                if (t.workers.length > 1) ++score[worker];
            } else {
                mSeize(worker, workerStake(d));
                score[worker] = score[worker] * 2 / 3;
            }
        }
        mReward(scheduler, total);
    }

    function mAtOnce(uint256 n, address worker, bytes32 digest) internal {
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        t.status = 3;
        ++t.endings;
        t.consensus = digest;
        t.digest = digest;
        t.reveals = t.winners = 1;
        t.revealDeadline = block.timestamp + 2 * d.time;
        t.workers.push(worker);
        contributions[n][worker] = MContribution(2, digest, 0);
        mSuccess(d);
        uint256 share = d.poolPrice * (100 - d.schedulerRatio) / 100;
        mReward(worker, share);
        mReward(scheduler, d.poolPrice - share);
    }

    function mClaim(uint256 n) internal {
        MTask storage t = tasks[n];
        MDeal memory d = deals[t.deal];
        t.status = 4;
        ++t.endings;
        mUnlock(d.sponsor, taskPrice(d));
        mSeize(scheduler, poolStake(d));
        money[KITTY].locked += poolStake(d);
        for (uint256 i = 0; i < t.workers.length; ++i) {
            mUnlock(t.workers[i], workerStake(d));
        }
    }

    /* ---- agreement ---- */

    function checkMoney() internal view {
        uint256 sum = 0;
        uint256 locked = 0;
        for (uint256 i = 0; i < people.length; ++i) {
            Account memory a = hub.viewAccount(people[i]);
            eq(a.stake, money[people[i]].free, "free");
            eq(a.locked, money[people[i]].locked, "locked");
            eq(rlc.balanceOf(people[i]), outside[people[i]], "outside");
            sum += a.stake;
            locked += a.locked;
        }
        /* what is locked anywhere is in the hub's balance, and every staked RLC is covered by an RLC */
        eq(hub.balanceOf(address(hub)), locked, "hub's balance is what is locked");
        eq(hub.frozenOf(address(hub)), 0, "the hub locks nothing");
        eq(sum + locked, hub.totalSupply(), "sum of balances");
        eq(hub.totalSupply(), rlc.balanceOf(address(hub)), "covered by RLC");
    }

    function checkTask(uint256 n) internal view {
        MTask storage m = tasks[n];
        MDeal storage d = deals[m.deal];
        Task memory t = hub.viewTask(m.id);
        eq(uint256(t.status), m.status, "status");
        eq(t.dealid, d.id, "deal");
        eq(t.idx, m.index, "index");
        eq(t.timeref, d.time, "time");
        eq(t.contributionDeadline, d.start + 7 * d.time, "contribution deadline");
        eq(t.finalDeadline, d.start + 10 * d.time, "final deadline");
        eq(t.revealDeadline, m.revealDeadline, "reveal deadline");
        bool none = m.status != 3 && m.consensus == 0;
        eq(t.consensusValue, none ? bytes32(0) : resultHash(m.id, m.consensus), "consensus");
        eq(t.revealCounter, m.reveals, "reveals");
        eq(t.winnerCounter, m.winners, "winners");
        eq(t.resultDigest, m.digest, "digest");
        eq(t.contributors.length, m.workers.length, "contributors");
        for (uint256 i = 0; i < m.workers.length; ++i) {
            address worker = m.workers[i];
            eq(t.contributors[i], worker, "contributor");
            Contribution memory c = hub.viewContribution(m.id, worker);
            MContribution memory want = contributions[n][worker];
            eq(uint256(c.status), want.status, "contribution status");
            eq(c.resultHash, resultHash(m.id, want.digest), "hash");
            eq(c.resultSeal, resultSeal(worker, m.id, want.digest), "seal");
            eq(c.weight, want.weight, "weight");
        }
        if (m.endings > 1) revert False("a task ended twice");
    }
}

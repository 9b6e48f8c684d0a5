// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TaskSlots, ContributionSlots, Store, K} from "../lib/Store.sol";
import {Blob} from "../lib/Blob.sol";
import {DealData, DealRecord} from "../lib/DealRecord.sol";
import {TaskHead, TaskRecord} from "../lib/TaskRecord.sol";
import {Ledger} from "../lib/Ledger.sol";
import {Sig} from "../lib/Sig.sol";
import {FullMath} from "../lib/FullMath.sol";

/*
 * Tasks: from initialize to payment. Refusals are empty reverts, as clients expect, but for signatures of impossible
 * length and missing stake.
 */
contract Poco2Facet {
    event TaskInitialize(bytes32 indexed taskid, address indexed workerpool);
    event TaskContribute(bytes32 indexed taskid, address indexed worker, bytes32 hash);
    event TaskConsensus(bytes32 indexed taskid, bytes32 consensus);
    event TaskReveal(bytes32 indexed taskid, address indexed worker, bytes32 digest);
    event TaskReopen(bytes32 indexed taskid);
    event TaskFinalize(bytes32 indexed taskid, bytes results);
    event TaskClaimed(bytes32 indexed taskid);
    event AccurateContribution(address indexed worker, bytes32 indexed taskid);
    event FaultyContribution(address indexed worker, bytes32 indexed taskid);

    /* ---- begin and failure ---- */

    function initialize(bytes32 dealId, uint256 index) external returns (bytes32) {
        return initializeTask(dealId, index);
    }

    function initializeArray(bytes32[] calldata dealIds, uint256[] calldata indexes) external returns (bool) {
        require(dealIds.length == indexes.length);
        for (uint256 i = 0; i < dealIds.length; ++i) {
            initializeTask(dealIds[i], indexes[i]);
        }
        return true;
    }

    function claim(bytes32 taskId) external {
        claimTask(taskId);
    }

    function claimArray(bytes32[] calldata taskIds) external returns (bool) {
        for (uint256 i = 0; i < taskIds.length; ++i) {
            claimTask(taskIds[i]);
        }
        return true;
    }

    function initializeAndClaimArray(bytes32[] calldata dealIds, uint256[] calldata indexes) external returns (bool) {
        require(dealIds.length == indexes.length);
        for (uint256 i = 0; i < dealIds.length; ++i) {
            claimTask(initializeTask(dealIds[i], indexes[i]));
        }
        return true;
    }

    function initializeTask(bytes32 dealId, uint256 index) private returns (bytes32 taskId) {
        address blob = Blob.locate(dealId);
        (address pool, uint256 first, uint256 size) = DealRecord.loadBot(blob);
        /* A record holds at least one task, so no record reads as size 0. */
        require(index >= first && index - first < size);
        taskId = TaskRecord.id(dealId, index);
        TaskSlots storage t = Store.load().tasks[taskId];
        require(t.head == 0);
        t.head = TaskRecord.create(t, blob, index - first);
        emit TaskInitialize(taskId, pool);
    }

    function claimTask(bytes32 taskId) private {
        TaskSlots storage t = Store.load().tasks[taskId];
        uint256 head = t.head;
        uint256 status = TaskHead.status(head);
        require(status == TaskHead.ACTIVE || status == TaskHead.REVEALING);
        DealData memory d = loadDeal(head);
        require(finalDeadline(d) <= block.timestamp);
        t.head = TaskHead.setStatus(head, TaskHead.FAILED);

        uint256 stake = DealRecord.poolStake(d);
        Ledger.unlock(d.sponsor, DealRecord.taskPrice(d));
        Ledger.seize(d.workerpoolOwner, stake, taskId);
        Ledger.fillKitty(stake, taskId);
        (address[] memory workers,) = TaskRecord.contributors(t, taskId);
        if (workers.length != 0) {
            uint256 workerStake = DealRecord.workerStake(d);
            for (uint256 i = 0; i < workers.length; ++i) {
                Ledger.unlock(workers[i], workerStake);
            }
        }
        emit TaskClaimed(taskId);
    }

    /* ---- contributions ---- */

    function contribute(
        bytes32 taskId,
        bytes32 resultHash,
        bytes32 resultSeal,
        address enclaveChallenge,
        bytes calldata enclaveSign,
        bytes calldata authorizationSign
    ) external {
        TaskSlots storage t = Store.load().tasks[taskId];
        uint256 head = t.head;
        require(TaskHead.status(head) == TaskHead.ACTIVE);
        DealData memory d = loadDeal(head);
        require(contributionDeadline(d) > block.timestamp);
        ContributionSlots storage c = Store.load().contributions[taskId][msg.sender];
        require(c.head == 0);
        checkWorker(d, taskId, resultHash, resultSeal, enclaveChallenge, enclaveSign, authorizationSign);

        c.seal = resultSeal;
        addContribution(taskId, resultHash, enclaveChallenge, t, c, head, d);
    }

    function addContribution(
        bytes32 taskId,
        bytes32 resultHash,
        address enclaveChallenge,
        TaskSlots storage t,
        ContributionSlots storage c,
        uint256 head,
        DealData memory d
    ) private {
        uint256 weight = weightOf(msg.sender);
        uint256 work = t.work;
        bool other = TaskRecord.addContributor(t, c, work, resultHash, enclaveChallenge, weight);
        (uint256 group, uint256 members, uint256 total) =
            TaskRecord.addWeight(t, taskId, resultHash, work, other, weight);

        Ledger.lock(msg.sender, DealRecord.workerStake(d));
        emit TaskContribute(taskId, msg.sender, resultHash);

        if (group * d.trust > total * (d.trust - 1)) {
            t.head = TaskHead.reveal(head, block.timestamp + d.timeRef * K.REVEAL_DEADLINE_RATIO, members, other);
            if (other) t.consensus = resultHash;
            emit TaskConsensus(taskId, resultHash);
        }
    }

    function reveal(bytes32 taskId, bytes32 resultDigest) external {
        TaskSlots storage t = Store.load().tasks[taskId];
        uint256 head = t.head;
        require(TaskHead.status(head) == TaskHead.REVEALING && TaskHead.revealDeadline(head) > block.timestamp);
        ContributionSlots storage c = Store.load().contributions[taskId][msg.sender];
        uint256 contribution = c.head;
        require(TaskRecord.contributionStatus(contribution) == TaskRecord.CONTRIBUTED);
        bytes32 hash = TaskRecord.resultHash(taskId, resultDigest);
        require(hash == TaskRecord.consensusValue(t, head));
        require(hash == TaskRecord.hashOf(t, c, contribution));
        require(c.seal == TaskRecord.resultSeal(msg.sender, taskId, resultDigest));

        c.head = TaskRecord.setContributionStatus(contribution, TaskRecord.PROVED);
        /* Whoever reveals, the digest is the same: it hashes to the consensus value. */
        if (TaskHead.reveals(head) == 0) t.digest = resultDigest;
        t.head = TaskHead.addReveal(head);
        emit TaskReveal(taskId, msg.sender, resultDigest);
    }

    function reopen(bytes32 taskId) external {
        TaskSlots storage t = Store.load().tasks[taskId];
        uint256 head = t.head;
        require(TaskHead.status(head) == TaskHead.REVEALING);
        DealData memory d = loadDeal(head);
        require(msg.sender == d.workerpoolOwner);
        require(finalDeadline(d) > block.timestamp);
        require(TaskHead.revealDeadline(head) <= block.timestamp && TaskHead.reveals(head) == 0);

        TaskRecord.reject(t, taskId, TaskRecord.consensusValue(t, head));
        t.head = TaskHead.reopen(head);
        emit TaskReopen(taskId);
    }

    /* ---- success ---- */

    function finalize(bytes32 taskId, bytes calldata results, bytes calldata resultsCallback) external {
        TaskSlots storage t = Store.load().tasks[taskId];
        uint256 head = t.head;
        require(TaskHead.status(head) == TaskHead.REVEALING);
        DealData memory d = loadDeal(head);
        require(msg.sender == d.workerpoolOwner);
        require(finalDeadline(d) > block.timestamp);
        {
            uint256 reveals = TaskHead.reveals(head);
            require(
                reveals == TaskHead.winners(head) || (reveals != 0 && TaskHead.revealDeadline(head) <= block.timestamp)
            );
        }
        require((d.callback == address(0) && resultsCallback.length == 0) || keccak256(resultsCallback) == t.digest);

        t.head = TaskHead.setStatus(head, TaskHead.COMPLETED);
        TaskRecord.saveResults(t, taskId, results, resultsCallback);
        paySuccess(taskId, d);
        payWorkers(t, taskId, d);
        emit TaskFinalize(taskId, results);
        callback(taskId, d.callback, resultsCallback);
    }

    function contributeAndFinalize(
        bytes32 taskId,
        bytes32 resultDigest,
        bytes calldata results,
        bytes calldata resultsCallback,
        address enclaveChallenge,
        bytes calldata enclaveSign,
        bytes calldata authorizationSign
    ) external {
        TaskSlots storage t = Store.load().tasks[taskId];
        uint256 head = t.head;
        require(TaskHead.status(head) == TaskHead.ACTIVE);
        DealData memory d = loadDeal(head);
        require(contributionDeadline(d) > block.timestamp);
        require(t.work == 0 && d.trust == 1);
        require(
            (d.callback == address(0) && resultsCallback.length == 0) || keccak256(resultsCallback) == resultDigest
        );
        bytes32 hash = checkDigest(taskId, resultDigest, d, enclaveChallenge, enclaveSign, authorizationSign);

        t.head = TaskHead.completeAtOnce(head, block.timestamp + d.timeRef * K.REVEAL_DEADLINE_RATIO);
        TaskRecord.saveResults(taskId, resultDigest, results, resultsCallback, enclaveChallenge);
        paySuccess(taskId, d);
        payWorker(taskId, resultDigest, d, hash);
        emit TaskFinalize(taskId, results);
        callback(taskId, d.callback, resultsCallback);
    }

    /* ---- parts ---- */

    function loadDeal(uint256 head) private view returns (DealData memory d) {
        (d,) = DealRecord.load(TaskHead.blob(head));
    }

    function contributionDeadline(DealData memory d) private pure returns (uint256) {
        return d.startTime + d.timeRef * K.CONTRIBUTION_DEADLINE_RATIO;
    }

    function finalDeadline(DealData memory d) private pure returns (uint256) {
        return d.startTime + d.timeRef * K.FINAL_DEADLINE_RATIO;
    }

    function weightOf(address worker) private view returns (uint256 weight) {
        weight = Store.load().scores[worker] / 3;
        unchecked {
            weight = (weight > 3 ? weight : 3) - 1;
        }
    }

    /* The enclave is there when the deal wants one, and both the worker's authoriser and the enclave signed. */
    function checkWorker(
        DealData memory d,
        bytes32 taskId,
        bytes32 hash,
        bytes32 seal,
        address challenge,
        bytes calldata enclaveSign,
        bytes calldata authorizationSign
    ) private view {
        require(challenge != address(0) || d.tag & 1 == 0);
        address authoriser = d.workerpoolOwner;
        if (challenge != address(0)) {
            address broker = Store.load().teeBroker;
            if (broker != address(0)) authoriser = broker;
        }
        bytes32 message;
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, shl(96, caller()))
            mstore(add(p, 20), taskId)
            mstore(add(p, 52), shl(96, challenge))
            message := keccak256(p, 72)
        }
        require(Sig.verify(authoriser, Sig.personal(message), authorizationSign));
        if (challenge != address(0)) {
            assembly ("memory-safe") {
                mstore(0, hash)
                mstore(32, seal)
                message := keccak256(0, 64)
            }
            require(Sig.verify(challenge, Sig.personal(message), enclaveSign));
        }
    }

    function checkDigest(
        bytes32 taskId,
        bytes32 digest,
        DealData memory d,
        address challenge,
        bytes calldata enclaveSign,
        bytes calldata authorizationSign
    ) private view returns (bytes32 hash) {
        hash = TaskRecord.resultHash(taskId, digest);
        bytes32 seal = TaskRecord.resultSeal(msg.sender, taskId, digest);
        checkWorker(d, taskId, hash, seal, challenge, enclaveSign, authorizationSign);
    }

    function paySuccess(bytes32 taskId, DealData memory d) private {
        Ledger.seize(d.sponsor, DealRecord.taskPrice(d), taskId);
        if (d.appPrice != 0) Ledger.reward(d.appOwner, d.appPrice, taskId);
        if (d.datasetPrice != 0 && d.dataset != address(0)) Ledger.reward(d.datasetOwner, d.datasetPrice, taskId);
        Ledger.unlock(d.workerpoolOwner, DealRecord.poolStake(d));
        Ledger.drawKitty(d.workerpoolOwner, taskId);
    }

    /* Pays the only worker of a task done at once, and tells the steps that were done in one. */
    function payWorker(bytes32 taskId, bytes32 digest, DealData memory d, bytes32 hash) private {
        uint256 price = d.workerpoolPrice;
        uint256 share = (price * (100 - d.schedulerRewardRatio)) / 100;
        Ledger.reward(msg.sender, share, taskId);
        Ledger.reward(d.workerpoolOwner, price - share, taskId);
        emit TaskContribute(taskId, msg.sender, hash);
        emit TaskConsensus(taskId, hash);
        emit TaskReveal(taskId, msg.sender, digest);
    }

    /* Who proved shares the pool's price and the stakes of those who did not, by the logarithm of his weight. */
    function payWorkers(TaskSlots storage t, bytes32 taskId, DealData memory d) private {
        (address[] memory workers, uint256[] memory heads) = TaskRecord.contributors(t, taskId);
        uint256 stake = DealRecord.workerStake(d);
        uint256 total = d.workerpoolPrice;
        uint256 logs = 0;
        for (uint256 i = 0; i < workers.length; ++i) {
            if (TaskRecord.contributionStatus(heads[i]) == TaskRecord.PROVED) logs += TaskRecord.logWeight(heads[i]);
            else total += stake;
        }
        uint256 workersReward = (total * (100 - d.schedulerRewardRatio)) / 100;
        for (uint256 i = 0; i < workers.length; ++i) {
            address worker = workers[i];
            if (TaskRecord.contributionStatus(heads[i]) == TaskRecord.PROVED) {
                uint256 share = FullMath.mulDiv(workersReward, TaskRecord.logWeight(heads[i]), logs);
                total -= share;
                Ledger.unlock(worker, stake);
                Ledger.reward(worker, share, taskId);
                if (workers.length > 1) {
                    Store.load().scores[worker] += 1;
                    emit AccurateContribution(worker, taskId);
                }
            } else {
                Ledger.seize(worker, stake, taskId);
                uint256 score = Store.load().scores[worker];
                if (score != 0) Store.load().scores[worker] = FullMath.mulDiv(score, 2, 3);
                emit FaultyContribution(worker, taskId);
            }
        }
        Ledger.reward(d.workerpoolOwner, total, taskId);
    }

    /* receiveResult(taskId, data) of the deal's callback: its failure is its own, but there must be enough gas. */
    function callback(bytes32 taskId, address target, bytes calldata data) private {
        if (target == address(0)) return;
        uint256 limit = Store.load().callbackGas;
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, shl(224, 0x5dd80855))
            mstore(add(p, 4), taskId)
            mstore(add(p, 36), 64)
            mstore(add(p, 68), data.length)
            mstore(add(add(p, 100), data.length), 0)
            calldatacopy(add(p, 100), data.offset, data.length)
            pop(call(limit, target, 0, p, add(100, and(add(data.length, 31), not(31))), 0, 0))
        }
        assert(gasleft() > limit / 63);
    }
}
